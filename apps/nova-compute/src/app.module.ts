import type { DynamicModule } from '@nestjs/common';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { ComputeHandler } from '@nestack/nova/rpc';
import { novaComputeConfig } from './nova-compute.config';
import { novaComputeProviders } from './nova-compute.providers';

class NovaComputeModule {}

/** Nova's worker on one host: makes guests there what the conductor says. */
export const app = defineApp({
  name: 'nova-compute',
  config: novaComputeConfig,
  module: (config, { log }): DynamicModule => ({
    module: NovaComputeModule,
    imports: [
      kernelModule({
        service: 'nova-compute',
        log,
        config,
        broker: config.broker,
        auth: config.auth,
        // It serves no REST, so nobody shows it tokens.
        authenticator: false,
        apiClients: true,
      }),
    ],
    controllers: [ComputeHandler],
    providers: novaComputeProviders(config),
  }),
});
