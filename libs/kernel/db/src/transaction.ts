import type { Tx } from '@nestack/kernel/context';
import type { EntityManager, QueryRunner } from 'typeorm';

/** What stands behind the opaque `Tx`: one connection and what to do after its commit. */
export class Transaction {
  readonly hooks: (() => void)[] = [];

  constructor(readonly runner: QueryRunner) {}

  asTx(): Tx {
    return this as unknown as Tx;
  }
}

function of(tx: Tx): Transaction {
  const inner: unknown = tx;
  if (inner instanceof Transaction) return inner;
  throw new Error('not a transaction of this database library');
}

interface Outcome {
  readonly records: unknown[];
  readonly affected?: number;
}

/** Rows of one statement. `text` is a constant; values go through `params` alone. */
export async function sql<Row>(tx: Tx, text: string, params: readonly unknown[] = []): Promise<Row[]> {
  const outcome = (await of(tx).runner.query(text, [...params], true)) as Outcome;
  return (outcome.records ?? []) as Row[];
}

/** The first row, or null. */
export async function sqlOne<Row>(tx: Tx, text: string, params: readonly unknown[] = []): Promise<Row | null> {
  return (await sql<Row>(tx, text, params))[0] ?? null;
}

/** Runs a statement; how many rows it changed. */
export async function execute(tx: Tx, text: string, params: readonly unknown[] = []): Promise<number> {
  const outcome = (await of(tx).runner.query(text, [...params], true)) as Outcome;
  return outcome.affected ?? outcome.records?.length ?? 0;
}

/** TypeORM's entity manager on this transaction, where entities pay. */
export function managerOf(tx: Tx): EntityManager {
  return of(tx).runner.manager;
}

/** Runs `fn` once the transaction has committed, and never when it has not: for doorbells. Must not throw. */
export function afterCommit(tx: Tx, fn: () => void): void {
  of(tx).hooks.push(fn);
}
