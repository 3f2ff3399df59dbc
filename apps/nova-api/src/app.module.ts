import type { DynamicModule } from '@nestjs/common';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { novaApi } from '@nestack/nova/contract';
import { novaMigrations } from '@nestack/nova/data';
import { novaPolicies } from '@nestack/nova/rest';
import { cloudProviders } from './cloud.providers';
import { novaApiConfig } from './nova-api.config';
import { novaApiProviders } from './nova-api.providers';

class NovaApiModule {}

/** Nova's REST API and its metadata service. */
export const app = defineApp({
  name: 'nova-api',
  config: novaApiConfig,
  api: novaApi,
  module: (config, { log }): DynamicModule => ({
    module: NovaApiModule,
    imports: [
      kernelModule({
        service: 'nova-api',
        log,
        config,
        database: { config: config.database, migrations: novaMigrations },
        broker: config.broker,
        sagas: true,
        auth: config.auth,
        apiClients: true,
        policies: novaPolicies,
      }),
    ],
    providers: [...cloudProviders, ...novaApiProviders(config)],
  }),
});
