import type { DynamicModule } from '@nestjs/common';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { cinderApi } from '@nestack/cinder/contract';
import { cinderMigrations } from '@nestack/cinder/data';
import { cinderPolicies } from '@nestack/cinder/rest';
import { cinderConfig, rolesOf } from './cinder.config';
import { cinderControllers, cinderProviders } from './cinder.providers';

class CinderModule {}

/** Cinder: API, scheduler, volume and backup service in one app; `roles` says which of them a process runs. */
export const app = defineApp({
  name: 'cinder',
  config: cinderConfig,
  api: cinderApi,
  servesApi: (config) => rolesOf(config).has('api'),
  module: (config, { log }): DynamicModule => {
    const roles = rolesOf(config);
    return {
      module: CinderModule,
      imports: [
        kernelModule({
          service: 'cinder',
          log,
          config,
          database: { config: config.database, migrations: cinderMigrations },
          broker: config.broker,
          sagas: roles.has('scheduler') ? 'worker' : true,
          auth: config.auth,
          apiClients: true,
          policies: cinderPolicies,
        }),
      ],
      providers: cinderProviders(config),
      controllers: cinderControllers(config),
    };
  },
});
