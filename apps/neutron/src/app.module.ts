import type { DynamicModule } from '@nestjs/common';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { neutronApi } from '@nestack/neutron/contract';
import { neutronMigrations } from '@nestack/neutron/data';
import { neutronPolicies } from '@nestack/neutron/rest';
import { PluginHandler, ServerLife } from '@nestack/neutron/rpc';
import { neutronConfig } from './neutron.config';
import { neutronProviders } from './neutron.providers';

class NeutronModule {}

/** Neutron's server: the networking API, and what agents ask. */
export const app = defineApp({
  name: 'neutron',
  config: neutronConfig,
  api: neutronApi,
  onServing: ServerLife,
  module: (config, { log }): DynamicModule => ({
    module: NeutronModule,
    imports: [
      kernelModule({
        service: 'neutron',
        log,
        config,
        database: { config: config.database, migrations: neutronMigrations },
        broker: config.broker,
        auth: config.auth,
        apiClients: true,
        policies: neutronPolicies,
      }),
    ],
    controllers: [PluginHandler],
    providers: neutronProviders(config),
  }),
});
