import type { DynamicModule } from '@nestjs/common';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { glanceApi } from '@nestack/glance/contract';
import { glanceMigrations } from '@nestack/glance/data';
import { glancePolicies } from '@nestack/glance/rest';
import { glanceConfig } from './glance.config';
import { glanceProviders } from './glance.providers';

class GlanceModule {}

/** Glance: the image service in one app. */
export const app = defineApp({
  name: 'glance',
  config: glanceConfig,
  api: glanceApi,
  module: (config, { log }): DynamicModule => ({
    module: GlanceModule,
    imports: [
      kernelModule({
        service: 'glance',
        log,
        config,
        database: { config: config.database, migrations: glanceMigrations },
        broker: config.broker,
        auth: config.auth,
        policies: glancePolicies,
      }),
    ],
    providers: glanceProviders(config),
  }),
});
