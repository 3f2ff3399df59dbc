import type { Tx, TransactionRunner } from '@nestack/kernel/context';

/** One forward migration; statements run in order inside one transaction, under the schema's advisory lock. */
export interface Migration {
  /** `0001-users`: sortable and never renamed. */
  readonly name: string;
  readonly up: readonly string[];
}

export interface DatabaseConfig {
  /** `postgres://role:password@host:port/database`. */
  readonly url: string;
  /** The service's schema; it is the only one on the search path. */
  readonly schema: string;
  readonly pool_size?: number;
}

/** One service's database: its schema with its own role. Injected under the token `DATABASE`. */
export interface Database extends TransactionRunner {
  readonly schema: string;
  /** Applies what is missing, kernel tables (saga, saga_event, outbox, inbox) included. Waits for the server, saying so. */
  migrate(migrations: readonly Migration[]): Promise<void>;
  /** Throws `unavailable` when the database does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** Nest injection token of `Database`. */
export const DATABASE = Symbol('Database');

/** What an open transaction offers to repositories; see `sql`, `sqlOne`, `execute`, `managerOf` and `afterCommit`. */
export type { Tx, TransactionRunner };
