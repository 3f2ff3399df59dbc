import type { Actor, RequestContext, Tx } from '@nestack/kernel/context';
import type { Static, TSchema } from 'typebox';

/** What a step sees of its run. Outputs of earlier steps are read with `out`; they are plain JSON data. */
export interface SagaRun<P> {
  readonly id: string;
  readonly kind: string;
  readonly params: P;
  readonly resourceId: string;
  readonly actor: Actor;
  /** The output journaled by an earlier step; throws a bug when that step has not run. */
  out<T>(step: string): T;
  /** The same, or undefined: undo functions meet steps that never finished. */
  maybe<T>(step: string): T | undefined;
  /** The error that made the run unwind, while it unwinds. */
  readonly failure: { readonly kind: string; readonly code: string; readonly message: string } | null;
  /** 1 for the first try of this step. */
  readonly attempt: number;
  /** Fencing: rises with every change of worker. */
  readonly epoch: number;
  /** A deterministic id for the command that this step sends: the same on every retry. */
  readonly messageId: string;
}

interface StepBase<P> {
  readonly name: string;
  /** The run only goes forward once this step is done: later failures are retried, never undone. */
  readonly pivot?: boolean;
  /** Skips the step (journaled as skipped). */
  readonly when?: (run: SagaRun<P>) => boolean;
  /** How long a step with retryable errors (kind `unavailable`) is tried before the run unwinds; default 60,000 ms. */
  readonly retryForMs?: number;
}

/** A step inside the service's own schema: runs in the transaction of its journal entry, so exactly once. */
export interface TxStep<P> extends StepBase<P> {
  readonly type: 'tx';
  readonly do: (ctx: RequestContext, tx: Tx, run: SagaRun<P>) => Promise<unknown>;
  readonly undo?: (ctx: RequestContext, tx: Tx, run: SagaRun<P>) => Promise<void>;
}

/** A step outside the schema (REST to a service, RPC to a worker, a driver): idempotent, tried until a definitive answer. */
export interface EffectStep<P> extends StepBase<P> {
  readonly type: 'effect';
  readonly do: (ctx: RequestContext, run: SagaRun<P>) => Promise<unknown>;
  /** Must succeed even when `do` never ran or was cut in the middle. Retried until it does. */
  readonly undo?: (ctx: RequestContext, run: SagaRun<P>) => Promise<void>;
}

/** Waits for something that others bring; rung by `signal(resourceId)`, looked at again by the sweeper. */
export interface WaitStep<P> extends StepBase<P> {
  readonly type: 'wait';
  /** The result once it is there, undefined while it is not. Runs in a transaction of its own. */
  readonly check: (ctx: RequestContext, tx: Tx, run: SagaRun<P>) => Promise<unknown>;
  readonly timeoutMs: number;
  /** What the time-out means: the run fails (default) or goes on with null. */
  readonly onTimeout?: 'fail' | 'continue';
}

export type SagaStep<P> = TxStep<P> | EffectStep<P> | WaitStep<P>;

export interface SagaDefinition<S extends TSchema = TSchema> {
  /** `server.create`. */
  readonly kind: string;
  /** Rises with each change of the steps; journaled with the run's first claim. From 1. */
  readonly version: number;
  /**
   * Older versions whose runs can go on by these steps: what was added since is skipped for them or does no harm, nothing that
   * they may have done has lost its undo. Runs of others need their own plan registered beside this one.
   */
  readonly continues?: readonly number[];
  readonly params: S;
  readonly steps: readonly SagaStep<Static<S>>[];
  /** Runs in the transaction that ends an unwound run: sets ERROR, records the fault, frees what the schema holds. */
  readonly onUnwound?: (ctx: RequestContext, tx: Tx, run: SagaRun<Static<S>>) => Promise<void>;
  /** Runs in the transaction that ends a successful run. */
  readonly onDone?: (ctx: RequestContext, tx: Tx, run: SagaRun<Static<S>>) => Promise<void>;
}

/** Declares a saga; steps close over their dependencies (`createServerSaga(deps)` returns the definition). */
export function defineSaga<const S extends TSchema>(definition: SagaDefinition<S>): SagaDefinition<S> {
  return definition;
}

export interface StartSaga<P> {
  readonly params: P;
  readonly resourceId: string;
  /** Runs of one key never overlap; default: the resource id. */
  readonly lockKey?: string;
  /**
   * What happens when a run with this key is under way: `reject` throws the given conflict, `queue` waits for its end,
   * `preempt` asks it to unwind (when it can still) and runs after it; other queued runs of the key are dropped.
   */
  readonly mode?: 'reject' | 'queue' | 'preempt';
  /** Upstream's instance action name (`create`, `stop`), when the run shall show in os-instance-actions. */
  readonly action?: string;
}

/** Starts and rings sagas; injected under `SAGAS`. Any process of the service may start one, workers run them. */
export interface Sagas {
  /** Writes the run into the journal inside the caller's transaction; workers are rung after its commit. Returns the run's id. */
  start(ctx: RequestContext, tx: Tx, kind: string, start: StartSaga<unknown>): Promise<string>;
  /**
   * Locks a key until the transaction ends: no run with it starts, ends or takes a step meanwhile. Who changes rows that
   * runs of the key change too and then starts one locks first, since runs lock their key before those rows.
   */
  lock(tx: Tx, lockKey: string): Promise<void>;
  /** Rings waiting runs of a resource after the commit of `tx`; called before rows of the resource are locked. */
  signal(ctx: RequestContext, tx: Tx, resourceId: string): Promise<void>;
  /** Runs and their steps of a resource, newest first: the source of os-instance-actions. */
  history(tx: Tx, resourceId: string, limit?: number): Promise<readonly SagaHistory[]>;
  /** Runs that make no progress although they are tried again and again: for operators. */
  stuck(tx: Tx): Promise<readonly StuckSaga[]>;
  /** True while a run with this lock key is running, unwinding or queued. */
  busy(tx: Tx, lockKey: string): Promise<boolean>;
  /** Those of the resources on which any run is running, unwinding or queued, in one statement. */
  busyResources(tx: Tx, resourceIds: readonly string[]): Promise<ReadonlySet<string>>;
}

export interface StuckSaga {
  readonly id: string;
  readonly kind: string;
  readonly resourceId: string;
  readonly requestId: string;
  /** Whether it is on its way back. */
  readonly unwinding: boolean;
  /** Claims since the last progress. */
  readonly attempts: number;
  readonly error: string | null;
  readonly startedAt: Date;
  readonly updatedAt: Date;
}

export interface SagaHistory {
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
    name: string;
    event: string;
    startedAt: Date;
    finishedAt: Date | null;
    error: string | null;
    host: string | null;
  }[];
}

/** Nest injection token of `Sagas`. */
export const SAGAS = Symbol('Sagas');

/** Runs definitions on this process: leases due runs, executes steps, renews, releases on close. Injected under `SAGA_WORKER`. */
export interface SagaWorker {
  /** One plan of a kind, or several of different versions. */
  register(definition: SagaDefinition): void;
  start(): Promise<void>;
  /** Finishes the steps under way, gives leases back. */
  close(): Promise<void>;
}

export const SAGA_WORKER = Symbol('SagaWorker');
