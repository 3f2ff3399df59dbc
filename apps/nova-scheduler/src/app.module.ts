import type { DynamicModule } from '@nestjs/common';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { novaMigrations } from '@nestack/nova/data';
import { SchedulerHandler } from '@nestack/nova/rpc';
import { novaSchedulerConfig } from './nova-scheduler.config';
import { novaSchedulerProviders } from './nova-scheduler.providers';

export { schedulerProvider } from './nova-scheduler.providers';

class NovaSchedulerModule {}

/** Nova's scheduler: finds a host for a server and claims it. Any number of them run beside each other. */
export const app = defineApp({
  name: 'nova-scheduler',
  config: novaSchedulerConfig,
  module: (config, { log }): DynamicModule => ({
    module: NovaSchedulerModule,
    imports: [
      kernelModule({
        service: 'nova-scheduler',
        log,
        config,
        database: { config: config.database, migrations: novaMigrations },
        broker: config.broker,
        auth: config.auth,
        // It serves no REST, so nobody shows it tokens.
        authenticator: false,
        apiClients: true,
      }),
    ],
    controllers: [SchedulerHandler],
    providers: novaSchedulerProviders(config),
  }),
});
