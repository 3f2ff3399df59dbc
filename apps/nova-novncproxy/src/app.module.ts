import type { DynamicModule } from '@nestjs/common';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { novaMigrations } from '@nestack/nova/data';
import { novaNovncproxyConfig } from './nova-novncproxy.config';
import { novaNovncproxyProviders } from './nova-novncproxy.providers';

class NovaNovncproxyModule {}

/** The way from browsers to servers' screens. Any number of them run beside each other. */
export const app = defineApp({
  name: 'nova-novncproxy',
  config: novaNovncproxyConfig,
  module: (config, { log }): DynamicModule => ({
    module: NovaNovncproxyModule,
    imports: [
      kernelModule({
        service: 'nova-novncproxy',
        log,
        config,
        database: { config: config.database, migrations: novaMigrations },
      }),
    ],
    providers: novaNovncproxyProviders(config),
  }),
});
