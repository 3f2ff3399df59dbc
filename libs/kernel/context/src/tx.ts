declare const tx: unique symbol;

/**
 * An open database transaction, opaque to the domain: repositories (data layer) alone can look inside. A repository
 * method takes one and has no default, so that a query outside a transaction does not compile.
 */
export interface Tx {
  readonly [tx]: true;
}

/** Opens transactions. `run` retries the whole function on serialisation failures and deadlocks: it must have no other effects. */
export interface TransactionRunner {
  run<T>(name: string, fn: (tx: Tx) => Promise<T>): Promise<T>;
  /** A read-only transaction of one or several statements, cheaper than `run`. */
  read<T>(name: string, fn: (tx: Tx) => Promise<T>): Promise<T>;
}
