import type { DynamicModule } from '@nestjs/common';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { keystoneApi } from '@nestack/keystone/contract';
import { keystoneMigrations } from '@nestack/keystone/data';
import { keystoneConfig } from './keystone.config';
import { keystoneProviders } from './keystone.providers';

class KeystoneModule {}

/** Keystone: the identity service in one app. */
export const app = defineApp({
  name: 'keystone',
  config: keystoneConfig,
  api: keystoneApi,
  module: (config, { log }): DynamicModule => ({
    module: KeystoneModule,
    imports: [
      kernelModule({
        service: 'keystone',
        log,
        config,
        database: { config: config.database, migrations: keystoneMigrations },
        broker: config.broker,
      }),
    ],
    providers: keystoneProviders(config),
  }),
});
