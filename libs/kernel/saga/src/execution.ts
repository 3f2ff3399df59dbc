import { setTimeout as delay } from 'node:timers/promises';
import { newContext, type RequestContext, type Tx } from '@nestack/kernel/context';
import { afterCommit, type Database } from '@nestack/kernel/db';
import { DomainError, asDomainError, retryable } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import { recordTrace } from '@nestack/kernel/trace';
import { WorkerCut, failPoint } from './fail-points';
import { LeaseLost, events, fence, finish, park, record, setUnwinding, type SagaRow } from './journal';
import { Nodes, type NodeState } from './nodes';
import type { EffectStep, SagaDefinition, SagaRun, SagaStep, TxStep, WaitStep } from './surface';

export interface ExecutionOptions {
  readonly database: Database;
  readonly log: Logger;
  /** Sub-service in traces: `nova-conductor`. */
  readonly service: string;
  readonly host: string;
  readonly ring: () => void;
}

type Step = SagaStep<unknown>;

const RETRY_FOR_MS = 60_000;
const SWEEP_MS = 5000;
const STUCK_AFTER = 10;
/** How many seconds at most a run waits between tries of a step that cannot be given up. */
const LONGEST_PAUSE_MS = 20_000;

/** One run in the hands of this worker, from the first journal read to done, undone or parked. */
export class Execution {
  private readonly nodes = new Nodes();
  private readonly ctx: RequestContext;
  private cancel: boolean;
  private failure: SagaRow['failure'];

  constructor(
    private readonly row: SagaRow,
    private readonly definition: SagaDefinition,
    private readonly options: ExecutionOptions,
    private readonly closing: AbortSignal,
  ) {
    this.cancel = row.cancel_requested;
    this.failure = row.failure;
    this.ctx = newContext({
      requestId: row.request_id,
      globalRequestId: row.global_request_id,
      traceId: row.trace_id,
      parentSpanId: row.parent_span_id,
      actor: row.actor,
    });
  }

  get id(): string {
    return this.row.id;
  }

  get epoch(): number {
    return this.row.lease_epoch;
  }

  /** Somebody wants this run to unwind; heeded at the next step. */
  requestCancel(): void {
    this.cancel = true;
  }

  /** Runs until it ends, is parked, or the lease is lost (which is no error: another worker goes on). */
  async execute(): Promise<void> {
    try {
      for (const event of await this.options.database.read('saga.events', (tx) => events(tx, this.id)))
        this.nodes.apply(event);
      if (this.row.state === 'unwinding' || (this.failure !== null && this.row.state !== 'stuck')) await this.unwind();
      else await this.forward();
    } catch (error) {
      if (isOver(error)) return;
      this.options.log.error(this.ctx, 'saga.interrupted', { saga: this.row.kind, saga_id: this.id, error });
      await this.options.database
        .run('saga.park', (tx) => park(tx, this.id, this.epoch, 2000, false))
        .catch(() => undefined);
    }
  }

  private node(name: string): NodeState {
    return this.nodes.of(name);
  }

  private get steps(): readonly Step[] {
    return this.definition.steps as readonly Step[];
  }

  private get pastPivot(): boolean {
    return this.steps.some((step) => step.pivot === true && this.node(step.name).done);
  }

  private async forward(): Promise<void> {
    for (;;) {
      const step = this.nextStep();
      if (step === null) {
        await this.journal('saga.done', (tx) => this.complete(tx));
        return;
      }
      if (this.cancel && !this.pastPivot) {
        await this.fail(
          step,
          new DomainError({
            kind: 'conflict',
            code: 'Cancelled',
            message: 'The operation was cancelled by a later one.',
          }),
          false,
        );
        await this.unwind();
        return;
      }
      const outcome =
        step.type === 'tx'
          ? await this.runTx(step)
          : step.type === 'wait'
            ? await this.runWait(step)
            : await this.runEffect(step);
      if (outcome === 'parked' || outcome === 'ended') return;
      if (outcome === 'failed') {
        await this.unwind();
        return;
      }
    }
  }

  private nextStep(): Step | null {
    return this.steps.find((step) => !this.node(step.name).done && !this.node(step.name).skipped) ?? null;
  }

  private async runTx(step: TxStep<unknown>): Promise<'next' | 'failed' | 'parked' | 'ended'> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        let ended = false;
        await this.journal(`saga.${step.name}`, async (tx, later) => {
          ended = await this.advance(tx, later);
        });
        return ended ? 'ended' : 'next';
      } catch (error) {
        if (isOver(error)) throw error;
        const outcome = await this.afterError(step, error, attempt);
        if (outcome !== 'again') return outcome;
      }
    }
  }

  /**
   * Within one journal transaction: executes the `tx` steps that come next, writes the start of the effect that follows,
   * or ends the run. Changes of the in-memory state are applied after the commit. Answers whether the run has ended.
   */
  private async advance(tx: Tx, later: (() => void)[]): Promise<boolean> {
    const doneHere = new Map<string, unknown>();
    for (const step of this.steps) {
      const state = this.node(step.name);
      if (state.done || state.skipped || doneHere.has(step.name)) continue;
      const run = this.run(step, 1, doneHere);
      if (step.when !== undefined && !step.when(run)) {
        await record(tx, this.about(), step.name, 'skipped');
        doneHere.set(step.name, undefined);
        later.push(() => {
          state.skipped = true;
        });
        continue;
      }
      if (step.type !== 'tx') {
        if (!state.started) {
          await record(tx, this.about(), step.name, 'started');
          later.push(() => {
            state.started = true;
            state.startedAt = performance.now();
          });
        }
        return false;
      }
      if (doneHere.size > 0 && this.cancel && !this.pastPivot) return false;
      failPoint(this.row.kind, step.name, 'before-do');
      const output = await this.traced(step, 'do', (ctx) => step.do(ctx, tx, run));
      await record(tx, this.about(), step.name, 'done', { output: output ?? null });
      failPoint(this.row.kind, step.name, 'before-journal');
      doneHere.set(step.name, output ?? null);
      later.push(() => {
        state.done = true;
        state.output = output ?? null;
        failPoint(this.row.kind, step.name, 'after-journal');
      });
    }
    await this.complete(tx);
    return true;
  }

  private async runEffect(step: EffectStep<unknown>): Promise<'next' | 'failed' | 'parked' | 'ended'> {
    const state = this.node(step.name);
    if (!state.started || step.when !== undefined) {
      let ended = false;
      await this.journal(`saga.${step.name}.start`, async (tx, later) => {
        ended = await this.advance(tx, later);
      });
      if (ended) return 'ended';
      if (state.skipped || this.nextStep() !== step) return 'next';
    }
    for (let attempt = 1; ; attempt += 1) {
      try {
        failPoint(this.row.kind, step.name, 'before-do');
        const output = (await this.traced(step, 'do', (ctx) => step.do(ctx, this.run(step, attempt)))) ?? null;
        failPoint(this.row.kind, step.name, 'after-do');
        return await this.settle(step, output);
      } catch (error) {
        if (isOver(error)) throw error;
        const outcome = await this.afterError(step, error, attempt);
        if (outcome !== 'again') return outcome;
      }
    }
  }

  /** Journals an effect's success, with the `tx` steps behind it in the same transaction when they succeed too. */
  private async settle(step: Step, output: unknown): Promise<'next' | 'ended'> {
    const state = this.node(step.name);
    const write = async (tx: Tx, later: (() => void)[]): Promise<void> => {
      failPoint(this.row.kind, step.name, 'before-journal');
      await record(tx, this.about(), step.name, 'done', { output });
      later.push(() => failPoint(this.row.kind, step.name, 'after-journal'));
    };
    const before = { done: state.done, output: state.output };
    try {
      let ended = false;
      await this.journal(`saga.${step.name}.done`, async (tx, later) => {
        await write(tx, later);
        state.done = true;
        state.output = output;
        ended = this.cancel && !this.pastPivot ? false : await this.advance(tx, later);
      });
      return ended ? 'ended' : 'next';
    } catch (error) {
      if (isOver(error)) throw error;
      // A step behind it failed: keep what this one achieved, the loop meets the failure again on its own.
      Object.assign(state, before);
      await this.journal(`saga.${step.name}.done`, (tx, later) => write(tx, later));
      state.done = true;
      state.output = output;
      return 'next';
    }
  }

  private async runWait(step: WaitStep<unknown>): Promise<'next' | 'failed' | 'parked' | 'ended'> {
    const state = this.node(step.name);
    if (!state.started || step.when !== undefined) {
      await this.journal(`saga.${step.name}.start`, async (tx, later) => {
        await this.advance(tx, later);
      });
      if (state.skipped) return 'next';
    }
    let outcome: 'next' | 'parked' | 'timeout' = 'parked';
    try {
      await this.journal(`saga.${step.name}.check`, async (tx, later) => {
        const found = await step.check(this.ctx, tx, this.run(step, 1));
        const left = step.timeoutMs - (performance.now() - state.startedAt);
        if (found === undefined && left > 0 && !(this.cancel && !this.pastPivot)) {
          await park(tx, this.id, this.epoch, Math.min(SWEEP_MS, Math.max(50, left)), false);
          outcome = 'parked';
          return;
        }
        if (found === undefined && this.cancel && !this.pastPivot) {
          outcome = 'next';
          return;
        }
        if (found === undefined && step.onTimeout !== 'continue') {
          outcome = 'timeout';
          return;
        }
        failPoint(this.row.kind, step.name, 'before-journal');
        await record(tx, this.about(), step.name, 'done', { output: found ?? null });
        later.push(() => {
          state.done = true;
          state.output = found ?? null;
          failPoint(this.row.kind, step.name, 'after-journal');
        });
        outcome = 'next';
      });
    } catch (error) {
      if (isOver(error)) throw error;
      const after = await this.afterError(step, error, 1);
      return after === 'again' ? 'next' : after;
    }
    if ((outcome as string) === 'timeout') {
      await this.fail(
        step,
        new DomainError({
          kind: 'unavailable',
          code: 'WaitTimeout',
          message: `Timed out waiting for ${step.name.replaceAll('_', ' ')}.`,
        }),
        true,
      );
      return 'failed';
    }
    return outcome as 'next' | 'parked';
  }

  /** What a failed step means: tried again here, later, or the whole run unwinds. */
  private async afterError(step: Step, thrown: unknown, attempt: number): Promise<'again' | 'failed' | 'parked'> {
    const error = asDomainError(thrown);
    const { log } = this.options;
    log.warn(this.ctx, 'saga.step_failed', {
      saga: this.row.kind,
      saga_id: this.id,
      step: step.name,
      attempt,
      code: error.code,
      message: error.message,
      detail: error.detail,
    });
    const pastPivot = this.pastPivot;
    if (retryable(error.kind) || pastPivot) {
      const spent = performance.now() - this.node(step.name).startedAt;
      const patience = step.retryForMs ?? RETRY_FOR_MS;
      if (!pastPivot && (spent >= patience || this.cancel)) {
        await this.fail(step, error, true);
        return 'failed';
      }
      if (attempt < 6 && !this.closing.aborted && retryable(error.kind)) {
        await delay(Math.min(2000, 50 * 2 ** attempt));
        return 'again';
      }
      await this.journal('saga.park', (tx) =>
        park(
          tx,
          this.id,
          this.epoch,
          Math.min(LONGEST_PAUSE_MS, 500 * 2 ** Math.min(this.row.attempts, 6)),
          pastPivot && this.row.attempts >= STUCK_AFTER,
        ),
      );
      return 'parked';
    }
    await this.fail(step, error, true);
    return 'failed';
  }

  private async fail(step: Step, error: DomainError, recordIt: boolean): Promise<void> {
    const failure = { kind: error.kind, code: error.code, message: error.message };
    failPoint(this.row.kind, step.name, 'before-failed');
    await this.journal(`saga.${step.name}.failed`, async (tx) => {
      if (recordIt) await record(tx, this.about(), step.name, 'failed', { error: `${error.code}: ${error.message}` });
      await setUnwinding(tx, this.id, failure);
    });
    if (recordIt) this.node(step.name).failed = true;
    this.failure ??= failure;
    failPoint(this.row.kind, step.name, 'after-failed');
  }

  /** Undoes in reverse what was begun; each undo is tried until it succeeds. */
  private async unwind(): Promise<void> {
    const begun = [...this.steps].reverse().filter((step) => {
      const state = this.node(step.name);
      return !state.undone && !state.skipped && (state.done || (state.started && step.type === 'effect'));
    });
    for (const step of begun) {
      if (step.type === 'wait' || step.undo === undefined) continue;
      if (!(await this.undo(step))) return;
    }
    await this.journal('saga.undone', async (tx) => {
      await this.definition.onUnwound?.(this.ctx, tx, this.run(this.steps[0] as Step, 1));
      failPoint(this.row.kind, 'undone', 'before-end');
      if (await finish(tx, this.row, 'undone')) afterCommit(tx, this.options.ring);
    });
    failPoint(this.row.kind, 'undone', 'after-end');
  }

  private async undo(step: TxStep<unknown> | EffectStep<unknown>): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        failPoint(this.row.kind, step.name, 'before-undo');
        if (step.type === 'effect')
          await this.traced(step, 'undo', (ctx) => step.undo?.(ctx, this.run(step, attempt)) ?? Promise.resolve());
        failPoint(this.row.kind, step.name, 'after-undo');
        await this.journal(`saga.${step.name}.undo`, async (tx) => {
          if (step.type === 'tx')
            await this.traced(
              step,
              'undo',
              (ctx) => step.undo?.(ctx, tx, this.run(step, attempt)) ?? Promise.resolve(),
            );
          await record(tx, this.about(), step.name, 'undone');
        });
        this.node(step.name).undone = true;
        return true;
      } catch (error) {
        if (isOver(error)) throw error;
        this.options.log.warn(this.ctx, 'saga.undo_failed', {
          saga: this.row.kind,
          saga_id: this.id,
          step: step.name,
          attempt,
          error: asDomainError(error),
        });
        if (attempt < 5 && !this.closing.aborted) {
          await delay(Math.min(2000, 100 * 2 ** attempt));
          continue;
        }
        await this.journal('saga.park', (tx) =>
          park(tx, this.id, this.epoch, Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** Math.min(this.row.attempts, 5)), false),
        );
        return false;
      }
    }
  }

  private async complete(tx: Tx): Promise<void> {
    await this.definition.onDone?.(this.ctx, tx, this.run(this.steps[0] as Step, 1));
    failPoint(this.row.kind, 'done', 'before-end');
    if (await finish(tx, this.row, 'done')) afterCommit(tx, this.options.ring);
  }

  /** One fenced transaction; what it changes in memory is applied after its commit. */
  private async journal(name: string, write: (tx: Tx, later: (() => void)[]) => Promise<void>): Promise<void> {
    let later: (() => void)[] = [];
    await this.options.database.run(name, async (tx) => {
      later = [];
      const { cancel_requested: cancel } = await fence(tx, this.row, this.epoch);
      if (cancel) this.cancel = true;
      await write(tx, later);
    });
    for (const apply of later) apply();
  }

  private about() {
    return { id: this.id, epoch: this.epoch, host: this.options.host };
  }

  private run(step: Step, attempt: number, fresh: ReadonlyMap<string, unknown> = new Map()): SagaRun<unknown> {
    const maybe = <T>(name: string): T | undefined => {
      if (fresh.has(name)) return fresh.get(name) as T;
      const state = this.node(name);
      return state.done ? (state.output as T) : undefined;
    };
    return {
      id: this.id,
      kind: this.row.kind,
      params: this.row.params,
      resourceId: this.row.resource_id,
      actor: this.row.actor,
      out: <T>(name: string): T => {
        if (!fresh.has(name) && !this.node(name).done)
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

  private async traced<T>(step: Step, phase: 'do' | 'undo', fn: (ctx: RequestContext) => Promise<T>): Promise<T> {
    const span = newContext({ ...this.ctx, parentSpanId: this.ctx.spanId, spanId: undefined });
    const start = new Date();
    const began = performance.now();
    const note = (status: string): void =>
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
      note('ok');
      return result;
    } catch (error) {
      note(`error ${asDomainError(error).code}`);
      throw error;
    }
  }
}

/** Whether this worker has nothing more to say in the run. */
function isOver(error: unknown): boolean {
  const cause = error instanceof DomainError ? error.cause : error;
  return cause instanceof LeaseLost || cause instanceof WorkerCut;
}
