import { createHash } from 'node:crypto';
import type { Tx } from '@nestack/kernel/context';
import type { PoolClient, QueryResult } from 'pg';
import type { EntityManager, QueryRunner } from 'typeorm';

/** What stands behind the opaque `Tx`: one connection, what must still succeed before its commit, what to do after it. */
export class Transaction {
  readonly hooks: (() => void)[] = [];
  /** Statements on their way that nobody has waited for yet; the connection keeps their order. */
  private readonly pending: Promise<unknown>[] = [];

  constructor(
    readonly runner: QueryRunner,
    readonly client: PoolClient,
  ) {}

  asTx(): Tx {
    return this as unknown as Tx;
  }

  query(text: string, params: readonly unknown[]): Promise<QueryResult> {
    if (params.length === 0) return this.client.query(text);
    const name = nameOf(text);
    return name === null
      ? this.client.query(text, params as unknown[])
      : this.client.query({ name, text, values: params as unknown[] });
  }

  /** Sends a statement without waiting for its answer, which then travels together with the next one's. */
  send(text: string, params: readonly unknown[]): Promise<QueryResult> {
    const answer = this.query(text, params);
    answer.catch(() => undefined);
    this.pending.push(answer);
    return answer;
  }

  /** Waits for all that was sent; throws the first failure. */
  async settle(): Promise<void> {
    for (const answer of this.pending.splice(0)) await answer;
  }
}

/** How often a statement's text was met, until it has a name. */
const met = new Map<string, number>();
/** Names of prepared statements by their text. */
const names = new Map<string, string>();
/** A text that is met this often is one of the service's own, not one that was put together for a single request. */
const OFTEN = 5;
/** Texts that are counted at most, and prepared at most: each prepared one stays in its connections' memory. */
const COUNTED = 2000;
const PREPARED = 1000;

/**
 * The name under which a statement is prepared: planned once for each connection instead of each time, which costs more
 * than the work of most. Null while the text is rare.
 */
function nameOf(text: string): string | null {
  const known = names.get(text);
  if (known !== undefined) return known;
  const times = (met.get(text) ?? 0) + 1;
  if (times < OFTEN || names.size >= PREPARED) {
    if (met.size >= COUNTED) met.clear();
    met.set(text, times);
    return null;
  }
  met.delete(text);
  const name = createHash('sha256').update(text).digest('hex').slice(0, 32);
  names.set(text, name);
  return name;
}

function of(tx: Tx): Transaction {
  const inner: unknown = tx;
  if (inner instanceof Transaction) return inner;
  throw new Error('not a transaction of this database library');
}

/** Rows of one statement. `text` is a constant; values go through `params` alone. */
export async function sql<Row>(tx: Tx, text: string, params: readonly unknown[] = []): Promise<Row[]> {
  return (await of(tx).query(text, params)).rows as Row[];
}

/** The first row, or null. */
export async function sqlOne<Row>(tx: Tx, text: string, params: readonly unknown[] = []): Promise<Row | null> {
  return (await sql<Row>(tx, text, params))[0] ?? null;
}

/** Runs a statement; how many rows it changed. */
export async function execute(tx: Tx, text: string, params: readonly unknown[] = []): Promise<number> {
  return (await of(tx).query(text, params)).rowCount ?? 0;
}

/**
 * Sends a statement whose outcome the next one does not depend on: it shares a round trip with what follows (or with the
 * commit) and makes the transaction fail if it fails. The promise may be waited for and need not be.
 */
export function executeSoon(tx: Tx, text: string, params: readonly unknown[] = []): Promise<number> {
  return optional(of(tx).send(text, params), (answer) => answer.rowCount ?? 0);
}

/** The same for a statement whose rows are looked at later in the transaction, or after its commit. */
export function sqlSoon<Row>(tx: Tx, text: string, params: readonly unknown[] = []): Promise<Row[]> {
  return optional(of(tx).send(text, params), (answer) => answer.rows as Row[]);
}

/** A promise that nobody need wait for: the transaction itself fails with it. */
function optional<T>(answer: Promise<QueryResult>, value: (answer: QueryResult) => T): Promise<T> {
  const wanted = answer.then(value);
  wanted.catch(() => undefined);
  return wanted;
}

/** TypeORM's entity manager on this transaction, where entities pay. */
export function managerOf(tx: Tx): EntityManager {
  return of(tx).runner.manager;
}

/** Runs `fn` once the transaction has committed, and never when it has not: for doorbells. Must not throw. */
export function afterCommit(tx: Tx, fn: () => void): void {
  of(tx).hooks.push(fn);
}
