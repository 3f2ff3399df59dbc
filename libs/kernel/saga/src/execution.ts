import { newContext, type RequestContext, type Tx } from '@nestack/kernel/context';
import { afterCommit, type Database } from '@nestack/kernel/db';
import { asDomainError, retryable, type DomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import { recordTrace } from '@nestack/kernel/trace';
import { Batch } from './batch';
import { failPoint, type FailPoint } from './fail-points';
import { Hold } from './hold';
import {
  events,
  finish,
  park,
  record,
  setUnwinding,
  type Entry,
  type Failure,
  type Held,
  type SagaRow,
} from './journal';
import { Nodes } from './nodes';
import type { Doorbell } from './sagas';
import { StepFailed, cancelled, isAway, isOver, isWaitTimeout, pauseAfter, waitTimedOut } from './step-errors';
import type { EffectStep, SagaDefinition, SagaRun, SagaStep, TxStep, WaitStep } from './surface';

export interface ExecutionOptions {
  readonly database: Database;
  readonly log: Logger;
  /** Sub-service in traces: `nova-conductor`. */
  readonly service: string;
  readonly host: string;
  readonly ring: Doorbell;
  readonly leaseMs: number;
}

/** How a worker's hold on a run ended. */
export type Outcome =
  | { readonly type: 'ended' }
  /** Given back until then. */
  | { readonly type: 'parked'; readonly afterMs: number }
  /** Another worker has it, or a test has cut this one. */
  | { readonly type: 'lost' }
  /** The database went away: nobody knows what was written last, so it is read again. */
  | { readonly type: 'interrupted' };

type Step = SagaStep<unknown>;

interface Achieved {
  readonly step: Step;
  readonly output: unknown;
}

const ENDED: Outcome = { type: 'ended' };
const RETRY_FOR_MS = 60_000;
/** How long a waiting run goes without a look when nobody rings. */
const WAIT_MS = 5000;
/** Claims without progress after which a run counts as stuck. */
const STUCK_AFTER = 10;
/** Tries of a step before the run is given back. */
const TRIES_HERE = 6;

/** One run in the hands of this worker, from the first journal read to done, undone or given back. */
export class Execution {
  readonly nodes: Nodes;
  /** Whether the journal has nothing that is not known here. */
  private readonly fresh: boolean;
  private readonly held: Held;
  private readonly hold: Hold;
  private readonly tries = new Map<string, number>();
  private readonly ctx: RequestContext;
  private failure: Failure | null;
  private hurry: (() => void) | null = null;

  constructor(
    private readonly row: SagaRow,
    private readonly definition: SagaDefinition,
    private readonly options: ExecutionOptions,
    private readonly closing: AbortSignal,
    /** When the claim was sent: the lease lasts from then at least. Monotonic milliseconds. */
    claimedAt: number,
    /** What this worker knows of the run from before, when nobody else had it meanwhile. */
    known: Nodes | null,
  ) {
    this.nodes = known ?? new Nodes();
    this.fresh = known !== null || row.lease_epoch === 1;
    this.failure = row.failure;
    const { id, lease_epoch: epoch, lock_key: lockKey } = row;
    this.held = { id, epoch, lockKey, host: options.host, leaseMs: options.leaseMs };
    this.hold = new Hold(options.database, this.held, claimedAt, row.cancel_requested);
    this.ctx = newContext({
      requestId: row.request_id,
      globalRequestId: row.global_request_id,
      traceId: row.trace_id,
      parentSpanId: row.parent_span_id,
      actor: row.actor,
      fence: { key: id, epoch, held: () => this.hold.sure },
    });
  }

  get id(): string {
    return this.row.id;
  }

  get kind(): string {
    return this.row.kind;
  }

  get epoch(): number {
    return this.row.lease_epoch;
  }

  /** Somebody wants this run to unwind; heeded at the next step. */
  requestCancel(): void {
    this.hold.cancelled = true;
    this.hurry?.();
  }

  renewed(sentAt: number): void {
    this.hold.renewed(sentAt);
  }

  /** Runs until it ends, is given back, or is lost. Never throws. */
  async execute(): Promise<Outcome> {
    const { database, log } = this.options;
    try {
      if (!this.fresh)
        for (const event of await database.read('saga.events', (tx) => events(tx, this.id))) this.nodes.apply(event);
      return await (this.failure === null ? this.forward() : this.unwind());
    } catch (error) {
      if (isOver(error)) return { type: 'lost' };
      if (isAway(error)) return { type: 'interrupted' };
      const known = asDomainError(error);
      log.error(this.ctx, 'saga.interrupted', { saga: this.row.kind, saga_id: this.id, error, detail: known.detail });
      return await this.giveBack(pauseAfter(this.row.attempts), known).catch((): Outcome => ({ type: 'interrupted' }));
    }
  }

  private get steps(): readonly Step[] {
    return this.definition.steps as readonly Step[];
  }

  private get pastPivot(): boolean {
    return this.steps.some((step) => step.pivot === true && this.nodes.of(step.name).done);
  }

  private get mustUnwind(): boolean {
    return this.hold.cancelled && !this.pastPivot;
  }

  private async forward(): Promise<Outcome> {
    for (;;) {
      if (this.closing.aborted) return this.giveBack(0, null);
      const step = this.nodes.next(this.steps);
      if (step !== null && this.mustUnwind) {
        await this.fail(step, cancelled(), false);
        return this.unwind();
      }
      try {
        let achieved: Achieved | null = null;
        if (step?.type === 'effect' && this.nodes.of(step.name).started)
          achieved = { step, output: await this.effect(step) };
        const outcome = await this.advance(achieved);
        if (outcome !== null) return outcome;
      } catch (error) {
        if (isOver(error) || !(error instanceof StepFailed)) throw error;
        const outcome = await this.afterError(error.step, error.cause);
        if (outcome === 'unwind') return this.unwind();
        if (outcome !== 'again') return outcome;
      }
    }
  }

  private async effect(step: EffectStep<unknown>): Promise<unknown> {
    this.point(step, 'before-do');
    try {
      const output = await this.traced(step, 'do', (ctx) => step.do(ctx, this.run(step, this.attempt(step))));
      this.point(step, 'after-do');
      return output ?? null;
    } catch (error) {
      throw new StepFailed(step, error);
    }
  }

  /**
   * Journals what was achieved and goes on from there as far as the schema reaches: steps that are skipped, `tx` steps,
   * waits whose time has come, the start of the next effect or the end of the run, all in one transaction; in one
   * statement when nothing but the journal is concerned. Answers the outcome when the run has ended or waits.
   */
  private async advance(achieved: Achieved | null): Promise<Outcome | null> {
    const first = new Batch(
      this.nodes,
      this.steps,
      (step, batch) => step.when?.(this.run(step, this.attempt(step), batch)) ?? true,
    );
    let batch = first;
    let outcome: Outcome | null = null;
    let current: Step | null = achieved?.step ?? null;
    try {
      if (achieved !== null) {
        this.point(achieved.step, 'before-journal');
        first.done(achieved.step, achieved.output);
      }
      const next = first.next();
      if (next !== null && next.type === 'effect') {
        first.start(next);
        await this.hold.note(first.entries);
      } else {
        await this.hold.transact(`saga.${next?.name ?? 'end'}`, true, async (tx, fenced) => {
          // A transaction that is run again begins anew.
          batch = first.copy();
          outcome = await this.inSchema(tx, fenced, batch, (step) => (current = step));
          record(tx, this.held, batch.entries);
        });
      }
    } catch (error) {
      if (isOver(error) || isAway(error)) throw error;
      const failed = batch.failing ?? current;
      // The effect itself stays: only what should have followed is taken back.
      if (achieved !== null && failed !== achieved.step) {
        const entry: Entry = { node: achieved.step.name, event: 'done', output: achieved.output };
        await this.hold.note([entry]);
        this.apply([entry]);
      }
      throw failed === null ? error : new StepFailed(failed, error);
    }
    this.apply(batch.entries);
    return outcome;
  }

  /** Takes the steps that come next while they need nothing but the schema. */
  private async inSchema(
    tx: Tx,
    fenced: Promise<void>,
    batch: Batch,
    begin: (step: Step) => void,
  ): Promise<Outcome | null> {
    for (;;) {
      const step = batch.next();
      if (step === null) {
        await this.complete(tx);
        return ENDED;
      }
      if (step.type === 'effect') {
        batch.start(step);
        return null;
      }
      begin(step);
      if (step.type === 'wait') {
        const found = await this.look(step, tx, fenced, batch);
        if (found !== 'found') return found;
        continue;
      }
      this.point(step, 'before-do');
      const run = this.run(step, this.attempt(step), batch);
      const output = await this.traced(step, 'do', (ctx) => step.do(ctx, tx, run));
      this.point(step, 'before-journal');
      batch.done(step, output ?? null);
      // What is behind the pivot is never a reason to take it back.
      if ((step.pivot === true && batch.next() !== null) || this.mustUnwind) return null;
    }
  }

  /** Looks whether a wait is over. Otherwise gives the run back, unless it shall unwind. */
  private async look(
    step: WaitStep<unknown>,
    tx: Tx,
    fenced: Promise<void>,
    batch: Batch,
  ): Promise<'found' | Outcome | null> {
    batch.start(step);
    const found = await step.check(this.ctx, tx, this.run(step, this.attempt(step), batch));
    await fenced;
    const left = step.timeoutMs - (performance.now() - this.nodes.of(step.name).startedAt);
    if (found === undefined && this.mustUnwind) return null;
    if (found === undefined && left > 0) {
      const afterMs = Math.min(WAIT_MS, Math.max(50, left));
      await park(tx, this.id, this.epoch, { afterMs, error: null, stuck: false });
      return { type: 'parked', afterMs };
    }
    if (found === undefined && step.onTimeout !== 'continue') throw waitTimedOut(step.name);
    this.point(step, 'before-journal');
    batch.done(step, found ?? null);
    return 'found';
  }

  /** What a failed step means: tried again here, later, or the whole run unwinds. */
  private async afterError(step: Step, thrown: unknown): Promise<'again' | 'unwind' | Outcome> {
    const error = asDomainError(thrown);
    const attempt = this.attempt(step);
    this.options.log.warn(this.ctx, 'saga.step_failed', {
      saga: this.row.kind,
      saga_id: this.id,
      step: step.name,
      attempt,
      code: error.code,
      message: error.message,
      detail: error.detail,
    });
    this.tries.set(step.name, attempt);
    const { pastPivot } = this;
    const mayRetry = retryable(error.kind) && !isWaitTimeout(error);
    if (!mayRetry && !pastPivot) {
      await this.fail(step, error, true);
      return 'unwind';
    }
    const spent = performance.now() - this.nodes.of(step.name).startedAt;
    if (!pastPivot && (spent >= (step.retryForMs ?? RETRY_FOR_MS) || this.hold.cancelled)) {
      await this.fail(step, error, true);
      return 'unwind';
    }
    if (attempt < TRIES_HERE && mayRetry && !this.closing.aborted) {
      await this.pause(Math.min(2000, 50 * 2 ** attempt));
      return 'again';
    }
    return this.giveBack(pauseAfter(this.row.attempts), error);
  }

  private async fail(step: Step, error: DomainError, recordIt: boolean): Promise<void> {
    const failure = { kind: error.kind, code: error.code, message: error.message };
    this.point(step, 'before-failed');
    await this.hold.transact(`saga.${step.name}.failed`, false, async (tx) => {
      if (recordIt)
        record(tx, this.held, [{ node: step.name, event: 'failed', error: `${error.code}: ${error.message}` }]);
      setUnwinding(tx, this.id, failure);
      await Promise.resolve();
    });
    this.failure ??= failure;
    this.point(step, 'after-failed');
  }

  /** Undoes in reverse what was begun; each undo is tried until it succeeds. */
  private async unwind(): Promise<Outcome> {
    const begun = [...this.steps].reverse().filter((step) => {
      const state = this.nodes.of(step.name);
      return !state.undone && !state.skipped && (state.done || (state.started && step.type === 'effect'));
    });
    for (const step of begun) {
      if (step.type === 'wait' || step.undo === undefined) continue;
      if (this.closing.aborted) return this.giveBack(0, null);
      const outcome = await this.undo(step);
      if (outcome !== null) return outcome;
    }
    await this.hold.transact('saga.undone', true, async (tx) => {
      await this.definition.onUnwound?.(this.ctx, tx, this.run(this.steps[0] as Step, 1));
      this.pointOf('undone', 'before-end');
      this.end(tx, 'undone');
    });
    this.pointOf('undone', 'after-end');
    return ENDED;
  }

  private async undo(step: TxStep<unknown> | EffectStep<unknown>): Promise<Outcome | null> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const run = this.run(step, attempt);
        this.point(step, 'before-undo');
        const undone: Entry = { node: step.name, event: 'undone' };
        if (step.type === 'effect') {
          await this.traced(step, 'undo', (ctx) => step.undo?.(ctx, run) ?? Promise.resolve());
          this.point(step, 'after-undo');
          await this.hold.note([undone]);
        } else {
          this.point(step, 'after-undo');
          await this.hold.transact(`saga.${step.name}.undo`, true, async (tx) => {
            await this.traced(step, 'undo', (ctx) => step.undo?.(ctx, tx, run) ?? Promise.resolve());
            record(tx, this.held, [undone]);
          });
        }
        this.nodes.of(step.name).undone = true;
        return null;
      } catch (thrown) {
        if (isOver(thrown) || (isAway(thrown) && step.type === 'tx')) throw thrown;
        const error = asDomainError(thrown);
        this.options.log.warn(this.ctx, 'saga.undo_failed', {
          saga: this.row.kind,
          saga_id: this.id,
          step: step.name,
          attempt,
          code: error.code,
          message: error.message,
          detail: error.detail,
        });
        if (attempt < TRIES_HERE && !this.closing.aborted) await this.pause(Math.min(2000, 100 * 2 ** attempt));
        else return this.giveBack(pauseAfter(this.row.attempts), error);
      }
    }
  }

  private async complete(tx: Tx): Promise<void> {
    await this.definition.onDone?.(this.ctx, tx, this.run(this.steps[0] as Step, 1));
    this.pointOf('done', 'before-end');
    this.end(tx, 'done');
  }

  private end(tx: Tx, state: 'done' | 'undone'): void {
    const next = finish(tx, this.row, state);
    afterCommit(tx, () => void next.then((rows) => rows.forEach((row) => this.options.ring(row))));
  }

  /** Gives the lease back; the run is due again after the time. */
  private async giveBack(afterMs: number, error: DomainError | null): Promise<Outcome> {
    const stuck = error !== null && this.row.attempts >= STUCK_AFTER;
    const why = error === null ? null : `${error.code}: ${error.message}`;
    await this.hold.release({ afterMs, error: why, stuck });
    if (stuck)
      this.options.log.error(this.ctx, 'saga.stuck', {
        saga: this.row.kind,
        saga_id: this.id,
        resource: this.row.resource_id,
        claims: this.row.attempts,
        error: why,
        detail: error?.detail,
      });
    return { type: 'parked', afterMs };
  }

  /** What was journaled holds from now on. */
  private apply(entries: readonly Entry[]): void {
    for (const { node, event, output } of entries) {
      this.nodes.apply({ node, event, output: output ?? null, age_ms: 0 });
      if (event === 'done') this.tries.delete(node);
    }
    for (const { node, event } of entries) if (event === 'done') this.pointOf(node, 'after-journal');
  }

  private attempt(step: Step): number {
    return (this.tries.get(step.name) ?? 0) + 1;
  }

  private run(step: Step, attempt: number, batch: Batch | null = null): SagaRun<unknown> {
    const { nodes } = this;
    const maybe = <T>(name: string): T | undefined =>
      (batch !== null && batch.has(name) ? batch.output(name) : nodes.of(name).output) as T | undefined;
    return {
      id: this.id,
      kind: this.row.kind,
      params: this.row.params,
      resourceId: this.row.resource_id,
      actor: this.row.actor,
      out: <T>(name: string): T => {
        if (batch?.has(name) !== true && !nodes.of(name).done)
          throw new Error(`step ${name} of ${this.row.kind} has no output`);
        return maybe<T>(name) as T;
      },
      maybe,
      failure: this.failure,
      attempt,
      epoch: this.epoch,
      messageId: `${this.id}:${step.name}`,
    };
  }

  private point(step: Step, point: FailPoint): void {
    failPoint(this.row.kind, step.name, point);
  }

  private pointOf(node: string, point: FailPoint): void {
    failPoint(this.row.kind, node, point);
  }

  /** Waits, but not into a shutdown or past the wish that the run unwinds. */
  private async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.hurry = () => {
        clearTimeout(timer);
        resolve();
      };
      this.closing.addEventListener('abort', this.hurry, { once: true });
    });
    if (this.hurry !== null) this.closing.removeEventListener('abort', this.hurry);
    this.hurry = null;
  }

  private async traced<T>(step: Step, phase: 'do' | 'undo', fn: (ctx: RequestContext) => Promise<T>): Promise<T> {
    const span = newContext({ ...this.ctx, parentSpanId: this.ctx.spanId, spanId: undefined });
    const start = new Date();
    const began = performance.now();
    const trace = (status: string): void =>
      recordTrace(this.options.log, span, {
        kind: 'saga.step',
        from: this.options.service,
        to: this.options.service,
        name: `${this.row.kind}/${step.name}${phase === 'undo' ? ' (undo)' : ''}`,
        start,
        durationMs: performance.now() - began,
        status,
        resource: this.row.resource_id,
      });
    try {
      const result = await fn(span);
      trace('ok');
      return result;
    } catch (error) {
      trace(`error ${asDomainError(error).code}`);
      throw error;
    }
  }
}
