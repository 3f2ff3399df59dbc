import type { DynamicModule } from '@nestjs/common';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { placementApi } from '@nestack/placement/contract';
import { placementMigrations } from '@nestack/placement/data';
import { placementPolicies } from '@nestack/placement/rest';
import { placementConfig } from './placement.config';
import { placementProviders } from './placement.providers';

class PlacementModule {}

/** Placement: what there is of resources and who holds them, in one app. */
export const app = defineApp({
  name: 'placement',
  config: placementConfig,
  api: placementApi,
  module: (config, { log }): DynamicModule => ({
    module: PlacementModule,
    imports: [
      kernelModule({
        service: 'placement',
        log,
        config,
        database: { config: config.database, migrations: placementMigrations },
        broker: config.broker,
        auth: config.auth,
        policies: placementPolicies,
      }),
    ],
    providers: placementProviders(),
  }),
});
