import type { DynamicModule } from '@nestjs/common';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { novaMigrations } from '@nestack/nova/data';
import { ConductorHandler } from '@nestack/nova/rpc';
import { cloudProviders } from './cloud.providers';
import { novaConductorConfig } from './nova-conductor.config';
import { novaConductorProviders } from './nova-conductor.providers';

export { novaConductorProviders };

class NovaConductorModule {}

/** Nova's conductor: runs the long operations and speaks with the database for compute hosts. */
export const app = defineApp({
  name: 'nova-conductor',
  config: novaConductorConfig,
  module: (config, { log }): DynamicModule => ({
    module: NovaConductorModule,
    imports: [
      kernelModule({
        service: 'nova-conductor',
        log,
        config,
        database: { config: config.database, migrations: novaMigrations },
        broker: config.broker,
        sagas: 'worker',
        auth: config.auth,
        authenticator: false,
        apiClients: true,
      }),
    ],
    controllers: [ConductorHandler],
    providers: [...cloudProviders, ...novaConductorProviders(config)],
  }),
});
