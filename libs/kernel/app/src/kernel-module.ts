import { hostname } from 'node:os';
import type { DynamicModule, FactoryProvider, Provider } from '@nestjs/common';
import {
  AUTHENTICATOR,
  RemoteAuthenticator,
  ServiceSession,
  type RevocationEvent,
  type ServiceCredentials,
} from '@nestack/kernel/auth';
import { DATABASE, openDatabase, type Database, type DatabaseConfig, type Migration } from '@nestack/kernel/db';
import { API_CLIENTS, createApiClients } from '@nestack/kernel/http';
import type { Logger } from '@nestack/kernel/log';
import { POLICY, createPolicy, type PolicyRule } from '@nestack/kernel/policy';
import {
  FANOUT,
  RPC_CLIENTS,
  acquireBroker,
  createFanoutBus,
  createRpcClients,
  releaseBroker,
  type Broker,
  type FanoutBus,
  type QueueType,
} from '@nestack/kernel/rpc';
import {
  SAGAS,
  SAGA_WORKER,
  createSagas,
  createSagaWorker,
  type Bell,
  type Doorbell,
  type LeasingWorker,
} from '@nestack/kernel/saga';
import { CONFIG, LOGGER } from './surface';

/** What an app wants of the kernel; each part is there only when asked for. */
export interface KernelModuleOptions {
  /** Sub-service name: `nova-api`. */
  readonly service: string;
  readonly log: Logger;
  /** The app's whole configuration, injected under CONFIG. */
  readonly config: { readonly host?: string | undefined };
  readonly database?: { readonly config: DatabaseConfig; readonly migrations: readonly Migration[] };
  readonly broker?: { readonly url: string; readonly queue_type?: QueueType };
  /** True gives SAGAS; `worker` gives SAGA_WORKER as well (register definitions in a provider, it starts by itself). */
  readonly sagas?: boolean | 'worker';
  readonly auth?: ServiceCredentials & { readonly jws_public_keys: string; readonly policy_file?: string | undefined };
  /** Verifies tokens with keystone's help; false for keystone itself, which provides AUTHENTICATOR. */
  readonly authenticator?: boolean;
  /** Gives API_CLIENTS. */
  readonly apiClients?: boolean;
  readonly policies?: readonly PolicyRule[];
}

/** The process' connections that an app uses, for readiness and shutdown. */
export interface KernelResources {
  readonly database: Database | null;
  readonly broker: Broker | null;
  readonly queueType: QueueType | undefined;
  /** Connects and migrates, waiting for database and broker. */
  prepare(): Promise<void>;
  start(): Promise<void>;
  /** Stops work first, connections last. */
  stopWork(): Promise<void>;
  close(): Promise<void>;
}

/** Nest injection token of `KernelResources`. */
export const KERNEL = Symbol('KernelResources');

class KernelModule {}

/** Nest's global module with the kernel's parts for one app. */
export function kernelModule(options: KernelModuleOptions): DynamicModule {
  const { log, service } = options;
  const host = options.config.host ?? hostname();
  const closers: (() => Promise<void> | void)[] = [];
  const values = new Map<symbol, unknown>([
    [LOGGER, log],
    [CONFIG, options.config],
  ]);

  const database = options.database === undefined ? null : openDatabase(options.database.config, log);
  if (database !== null) values.set(DATABASE, database);

  let broker: Broker | null = null;
  let fanout: FanoutBus | null = null;
  if (options.broker !== undefined) {
    const { url } = options.broker;
    broker = acquireBroker(url, log.for('rpc'));
    closers.push(() => releaseBroker(url));
    fanout = createFanoutBus(broker, log);
    values.set(RPC_CLIENTS, createRpcClients(broker, log, service));
    values.set(FANOUT, fanout);
  }

  const bell = doorbell(options, fanout);
  const worker =
    options.sagas === 'worker' && database !== null
      ? createSagaWorker({ database, log, service, host, owner: `${service}@${host}`, ring: bell.ring })
      : null;
  if (options.sagas !== undefined && options.sagas !== false) values.set(SAGAS, createSagas(bell.ring));
  if (worker !== null) values.set(SAGA_WORKER, worker);

  let authenticator: RemoteAuthenticator | null = null;
  if (options.auth !== undefined) {
    const session = new ServiceSession(options.auth, service);
    if (options.apiClients === true) {
      const clients = createApiClients({ auth: session, log, service });
      values.set(API_CLIENTS, clients);
      closers.push(() => clients.close());
    }
    if (options.authenticator !== false) {
      authenticator = new RemoteAuthenticator({ session, publicKeysDirectory: options.auth.jws_public_keys, log });
      values.set(AUTHENTICATOR, authenticator);
    }
  }
  if (options.policies !== undefined)
    values.set(
      POLICY,
      createPolicy(options.policies, {
        file: options.auth?.policy_file,
        warn: (rules) => log.warn(null, 'policy.unknown_rules', { rules, file: options.auth?.policy_file }),
      }),
    );

  const resources: KernelResources = {
    database,
    broker,
    queueType: options.broker?.queue_type,
    prepare: async () => {
      await Promise.all([database?.migrate(options.database?.migrations ?? []), broker?.connect()]);
      if (fanout !== null && broker !== null && authenticator !== null)
        closers.push(...(await followRevocations(fanout, broker, authenticator)));
    },
    start: async () => {
      if (worker === null) return;
      closers.push(await bell.listen(worker));
      await worker.start();
    },
    stopWork: async () => {
      await worker?.close();
    },
    close: async () => {
      for (const close of closers.reverse()) await close();
      await database?.close();
    },
  };
  values.set(KERNEL, resources);

  const providers: FactoryProvider[] = [...values].map(([provide, value]) => ({ provide, useFactory: () => value }));
  return { module: KernelModule, global: true, providers: providers as Provider[], exports: [...values.keys()] };
}

/**
 * Wakes saga workers: the one in this process when it would take the run, otherwise those of the service in all processes.
 * Rings that get lost (nobody listens, the broker is away) cost time only: workers look by themselves now and then.
 */
function doorbell(
  options: KernelModuleOptions,
  fanout: FanoutBus | null,
): { ring: Doorbell; listen: (worker: LeasingWorker) => Promise<() => void> } {
  const exchange = `${options.database?.config.schema ?? options.service}.sagas`;
  let local: LeasingWorker | null = null;
  return {
    ring: (bell) => {
      if (local?.wants(bell.kind) === true) local.wake(bell);
      else fanout?.publish(exchange, bell).catch(() => undefined);
    },
    listen: async (worker) => {
      local = worker;
      return (await fanout?.subscribe(exchange, (message) => worker.wake(message as Bell))) ?? (() => undefined);
    },
  };
}

/** Revocations reach the token cache from now on; while the broker is away nothing kept is believed for long. */
async function followRevocations(
  fanout: FanoutBus,
  broker: Broker,
  authenticator: RemoteAuthenticator,
): Promise<(() => void)[]> {
  const stop = await fanout.subscribe('keystone.revocations', (message) =>
    authenticator.revoke(message as RevocationEvent),
  );
  const unwatch = broker.watch(
    () => authenticator.feed(false),
    () => authenticator.feed(true),
  );
  authenticator.feed(true);
  return [stop, unwatch];
}
