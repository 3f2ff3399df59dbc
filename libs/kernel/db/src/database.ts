import { setTimeout as delay } from 'node:timers/promises';
import type { Tx } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import type { Client, Pool, PoolClient } from 'pg';
import { DataSource, type QueryRunner } from 'typeorm';
import { applyMigrations } from './migrate';
import { codeOf, isConnectionFailure, isRetryable, isStalePlan, toDomainError } from './pg-errors';
import type { Database, DatabaseConfig, Migration } from './surface';
import { Transaction, execute } from './transaction';

const MAX_TRIES = 8;
/** More than a pool has connections: each try that meets a stale plan ends one of them. */
const MAX_STALE = 100;
/** SQLSTATE of a statement in a transaction that an earlier one has aborted. */
const ABORTED = '25P02';
/** A process that is frozen in the middle of a transaction holds its locks no longer than this. */
const IDLE_IN_TRANSACTION_MS = 10_000;

/** A service's database: a TypeORM data source on its own schema and role. Connects when first used. */
export function openDatabase(config: DatabaseConfig, log: Logger): Database {
  return new PostgresDatabase(config, log);
}

/**
 * A connection that is lost between its pool and its user has no listener for a moment: what the server says last may come in the same packet
 * as what made it free. Its user finds out at his first statement.
 */
function outliveLosses(pool: Pool): void {
  const known = new WeakSet<PoolClient>();
  pool.on('acquire', (client) => {
    if (known.has(client)) return;
    known.add(client);
    client.on('error', () => undefined);
  });
}

class PostgresDatabase implements Database {
  readonly schema: string;
  private readonly source: DataSource;
  private opening: Promise<void> | null = null;
  private closed = false;

  constructor(
    config: DatabaseConfig,
    private readonly log: Logger,
  ) {
    if (!/^[a-z_][a-z0-9_]*$/.test(config.schema)) throw new Error(`bad schema name ${config.schema}`);
    this.schema = config.schema;
    this.source = new DataSource({
      type: 'postgres',
      url: config.url,
      schema: config.schema,
      synchronize: false,
      installExtensions: false,
      logging: false,
      extra: {
        max: config.pool_size ?? 10,
        idleTimeoutMillis: 60_000,
        connectionTimeoutMillis: 10_000,
        keepAlive: true,
        // Several statements share a round trip where none waits for another.
        pipeline: true,
        options: `-c search_path=${config.schema} -c idle_in_transaction_session_timeout=${IDLE_IN_TRANSACTION_MS}`,
      },
      poolErrorHandler: (error: unknown) => log.warn(null, 'database.connection_lost', { error: String(error) }),
    });
  }

  /** Runs again as a whole on serialisation failures and deadlocks, at most eight times. */
  async run<T>(name: string, fn: (tx: Tx) => Promise<T>): Promise<T> {
    await this.opened();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.attempt(fn);
      } catch (error) {
        if (isStalePlan(error) && attempt < MAX_STALE) continue;
        if (isRetryable(error) && attempt < MAX_TRIES) {
          await delay(Math.random() * 5 * 2 ** attempt);
          continue;
        }
        throw toDomainError(error, name);
      }
    }
  }

  async read<T>(name: string, fn: (tx: Tx) => Promise<T>): Promise<T> {
    await this.opened();
    for (let attempt = 1; ; attempt += 1) {
      const runner = this.source.createQueryRunner();
      let client: PoolClient | null = null;
      try {
        client = (await runner.connect()) as PoolClient;
        const transaction = new Transaction(runner, client);
        const result = await fn(transaction.asTx());
        await transaction.settle();
        return result;
      } catch (error) {
        if (!isStalePlan(error) || attempt >= MAX_STALE) throw toDomainError(error, name);
        if (client !== null) giveUp(client);
      } finally {
        await runner.release().catch(() => undefined);
      }
    }
  }

  async migrate(migrations: readonly Migration[]): Promise<void> {
    await this.run('migrate', (tx) => applyMigrations(tx, this.schema, migrations, this.log));
  }

  async ping(): Promise<void> {
    await this.read('ping', (tx) => execute(tx, 'SELECT 1'));
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.opening?.catch(() => undefined);
    if (this.source.isInitialized) await this.source.destroy();
  }

  /**
   * One try. BEGIN is not waited for: it travels with the first statement, as the last ones (`executeSoon`) travel with
   * COMMIT. A transaction therefore costs the round trips of the statements that somebody waits for, and one more.
   */
  private async attempt<T>(fn: (tx: Tx) => Promise<T>): Promise<T> {
    const runner = this.source.createQueryRunner();
    const transaction = await this.begin(runner);
    try {
      const result = await this.finish(transaction, fn);
      for (const hook of transaction.hooks) hook();
      return result;
    } finally {
      await runner.release().catch(() => undefined);
    }
  }

  private async begin(runner: QueryRunner): Promise<Transaction> {
    const transaction = new Transaction(runner, (await runner.connect()) as PoolClient);
    transaction.send('BEGIN', []).catch(() => undefined);
    // For entity managers: they must not open one of their own.
    (runner as { isTransactionActive: boolean }).isTransactionActive = true;
    return transaction;
  }

  private async finish<T>(transaction: Transaction, fn: (tx: Tx) => Promise<T>): Promise<T> {
    const { client, runner } = transaction;
    try {
      const result = await fn(transaction.asTx());
      const commit = client.query('COMMIT');
      commit.catch(() => undefined);
      await transaction.settle();
      // A statement that failed and was swallowed has aborted the transaction: COMMIT then rolls back without complaint.
      if ((await commit).command !== 'COMMIT') throw new Error('the transaction was aborted by a failed statement');
      return result;
    } catch (error) {
      // What was sent earlier tells more than its followers' "the transaction is aborted".
      const first = await transaction.settle().then(
        () => error,
        (earlier: unknown) => (codeOf(error) === ABORTED ? earlier : error),
      );
      await client.query('ROLLBACK').catch(() => undefined);
      if (isStalePlan(first)) giveUp(client);
      throw first;
    } finally {
      (runner as { isTransactionActive: boolean }).isTransactionActive = false;
    }
  }

  private opened(): Promise<void> {
    this.opening ??= this.open();
    return this.opening;
  }

  /** Waits for the server, saying so every few seconds. */
  private async open(): Promise<void> {
    for (let tries = 0; !this.closed; tries += 1) {
      try {
        await this.source.initialize();
        outliveLosses((this.source.driver as unknown as { readonly master: Pool }).master);
        return;
      } catch (error) {
        if (!isConnectionFailure(error)) {
          this.opening = null;
          throw toDomainError(error, 'connect');
        }
        if (tries % 20 === 0)
          this.log.warn(null, 'database.waiting', { schema: this.schema, error: String((error as Error).message) });
        await delay(250);
      }
    }
    throw toDomainError(Object.assign(new Error('closed'), { code: 'ECONNRESET' }), 'connect');
  }
}

/** Ends a connection whose statements are planned for tables as they were; the pool makes another. */
function giveUp(client: PoolClient): void {
  (client as unknown as Client).end().catch(() => undefined);
}
