import type { RequestContext, Tx } from '@nestack/kernel/context';

/** One past or running long operation, as instance actions show it. */
export interface OperationHistory {
  readonly id: string;
  readonly kind: string;
  readonly action: string | null;
  readonly requestId: string;
  readonly userId: string;
  readonly projectId: string | null;
  readonly state: 'queued' | 'running' | 'unwinding' | 'done' | 'undone' | 'stuck';
  readonly startedAt: Date;
  readonly updatedAt: Date;
  readonly message: string | null;
  readonly steps: readonly {
    readonly name: string;
    readonly event: string;
    readonly startedAt: Date;
    readonly finishedAt: Date | null;
    readonly error: string | null;
    readonly host: string | null;
  }[];
}

/** Starts durable operations in the transaction that sets the states they begin with. The kernel's sagas implement it. */
export interface Operations {
  start(
    ctx: RequestContext,
    tx: Tx,
    kind: string,
    start: {
      readonly params: unknown;
      readonly resourceId: string;
      readonly lockKey?: string;
      readonly mode?: 'reject' | 'queue' | 'preempt';
      readonly action?: string;
    },
  ): Promise<string>;
  /** Locks a key until the transaction ends; before rows are locked that operations of the key change too. */
  lock(tx: Tx, lockKey: string): Promise<void>;
  /** Rings operations that wait for something of the resource; before its rows are locked. */
  signal(ctx: RequestContext, tx: Tx, resourceId: string): Promise<void>;
  busy(tx: Tx, lockKey: string): Promise<boolean>;
  /** Those of the resources on which any operation is under way. */
  busyResources(tx: Tx, resourceIds: readonly string[]): Promise<ReadonlySet<string>>;
  history(tx: Tx, resourceId: string, limit?: number): Promise<readonly OperationHistory[]>;
}
