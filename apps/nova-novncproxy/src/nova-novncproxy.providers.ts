import type { Provider } from '@nestjs/common';
import { LOGGER } from '@nestack/kernel/app';
import { systemClock } from '@nestack/kernel/clock';
import { DATABASE, type Database } from '@nestack/kernel/db';
import type { Logger } from '@nestack/kernel/log';
import { ConsoleTokensRepository } from '@nestack/nova/data';
import { ConsoleRedemption } from '@nestack/nova/domain';
import { NovncProxy } from '@nestack/nova/rest';
import type { NovaNovncproxyConfig } from './nova-novncproxy.config';

/** nova-novncproxy's own providers, over the kernel's parts. */
export function novaNovncproxyProviders(
  config: Pick<NovaNovncproxyConfig, 'bind' | 'port' | 'allowed_origins'>,
): Provider[] {
  return [
    {
      provide: NovncProxy,
      inject: [DATABASE, LOGGER],
      useFactory: (db: Database, log: Logger) =>
        new NovncProxy(
          new ConsoleRedemption({ tx: db, clock: systemClock, tokens: new ConsoleTokensRepository() }),
          {
            bind: config.bind ?? '127.0.0.1',
            port: config.port ?? 6080,
            allowedOrigins: config.allowed_origins ?? [],
            checks: { database: () => db.ping() },
          },
          log,
        ),
    },
  ];
}
