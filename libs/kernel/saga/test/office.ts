import { newContext } from '@nestack/kernel/context';
import { execute, sql, sqlOne, type Database } from '@nestack/kernel/db';
import { createLogger } from '@nestack/kernel/log';
import { waitFor } from '@nestack/kernel/process';
import { createTestDatabase, type TestDatabase } from '@nestack/kernel/testing';
import pg from 'pg';
import {
  createSagaWorker,
  createSagas,
  type LeasingWorker,
  type SagaDefinition,
  type SagaHistory,
  type SagaWorkerOptions,
  type Sagas,
  type StartSaga,
} from '../src/index';
import { World, tripTables, type TripParams } from './trip';

/** A service with workers in this process: what its log says, what its runs have become. */
export class Office {
  readonly events: { readonly event: string; readonly step?: string }[] = [];
  readonly sagas: Sagas;
  readonly world: World;
  private readonly workers = new Set<LeasingWorker>();
  private readonly pool: pg.Pool;
  private readonly log = createLogger({
    service: 'office',
    host: 'h',
    write: (line) => void this.events.push(JSON.parse(line) as { event: string }),
  });

  private constructor(private readonly test: TestDatabase) {
    this.sagas = createSagas((bell) => {
      for (const worker of this.workers) worker.wake(bell);
    });
    this.pool = new pg.Pool({ connectionString: test.url, options: `-c search_path=${test.schema}` });
    this.pool.on('error', () => undefined);
    this.world = new World(this.pool);
  }

  static async open(adminUrl?: string): Promise<Office> {
    return new Office(await createTestDatabase('svc', tripTables, adminUrl));
  }

  get database(): Database {
    return this.test.database;
  }

  /** Starts a worker; its sweeps are rare, so that what is quick is quick by the doorbell. */
  async hire(definitions: readonly SagaDefinition[], options: Partial<SagaWorkerOptions> = {}): Promise<LeasingWorker> {
    const worker = createSagaWorker({
      database: this.database,
      log: this.log,
      service: 'office',
      host: 'h',
      owner: 'office@h',
      ring: (bell) => {
        for (const one of this.workers) one.wake(bell);
      },
      drainMs: 200,
      ...options,
    });
    for (const definition of definitions) worker.register(definition);
    this.workers.add(worker);
    await worker.start();
    return worker;
  }

  async dismiss(worker: LeasingWorker): Promise<void> {
    this.workers.delete(worker);
    await worker.close();
  }

  async dismissAll(): Promise<void> {
    for (const worker of [...this.workers]) await this.dismiss(worker);
  }

  /** Starts a run on a resource of its own. */
  async begin(
    kind: string,
    resourceId: string,
    params: TripParams = {},
    more: Partial<StartSaga<unknown>> = {},
  ): Promise<string> {
    return this.database.run('begin', async (tx) => {
      await execute(tx, 'INSERT INTO account (resource) VALUES ($1) ON CONFLICT DO NOTHING', [resourceId]);
      return this.sagas.start(newContext(), tx, kind, { params, resourceId, ...more });
    });
  }

  async go(resource: string): Promise<void> {
    await this.database.run('go', async (tx) => {
      await this.sagas.signal(newContext(), tx, resource);
      await execute(tx, "INSERT INTO made VALUES ($1, 'go') ON CONFLICT DO NOTHING", [resource]);
    });
  }

  async run(id: string): Promise<Record<string, unknown>> {
    return (
      (await this.database.read('run', (tx) =>
        sqlOne<Record<string, unknown>>(tx, "SELECT *, failure->>'code' AS code FROM saga WHERE id = $1", [id]),
      )) ?? {}
    );
  }

  async until(id: string, state: string, timeoutMs = 10_000): Promise<void> {
    await waitFor(`the run to be ${state}`, async () => (await this.run(id))['state'] === state, timeoutMs, 10);
  }

  async look(resource: string): Promise<unknown> {
    return this.database.read('look', async (tx) => ({
      account: await sqlOne(tx, 'SELECT reserved, committed, done, undone FROM account WHERE resource = $1', [
        resource,
      ]),
      made: (
        await sql<{ name: string }>(tx, "SELECT name FROM made WHERE resource = $1 AND name <> 'go' ORDER BY name", [
          resource,
        ])
      ).map((row) => row.name),
    }));
  }

  async oplog(resource: string): Promise<string[]> {
    const rows = await this.database.read('oplog', (tx) =>
      sql<{ what: string }>(tx, 'SELECT what FROM oplog WHERE resource = $1 ORDER BY id', [resource]),
    );
    return rows.map((row) => row.what);
  }

  history(resource: string): Promise<readonly SagaHistory[]> {
    return this.database.read('history', (tx) => this.sagas.history(tx, resource));
  }

  async close(): Promise<void> {
    await this.dismissAll();
    await this.pool.end();
    await this.test.close();
  }
}
