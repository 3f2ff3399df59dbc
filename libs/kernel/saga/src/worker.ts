import type { Database } from '@nestack/kernel/db';
import type { Logger } from '@nestack/kernel/log';
import { alive, processStat } from '@nestack/kernel/process';
import { Execution, type Outcome } from './execution';
import { claim, dropLeases, leaseOwners, park, renew, strandUnknown, type SagaRow } from './journal';
import type { Nodes } from './nodes';
import { Plans } from './plans';
import type { Bell, Doorbell } from './sagas';
import type { SagaDefinition, SagaWorker } from './surface';

export interface SagaWorkerOptions {
  readonly database: Database;
  readonly log: Logger;
  /** Sub-service in traces. */
  readonly service: string;
  readonly host: string;
  /** The same after a restart: what a dead process of this name and machine held is taken up at once. */
  readonly owner: string;
  /** Wakes the workers of all processes. */
  readonly ring: Doorbell;
  readonly concurrency?: number;
  /** How long a run is left to a worker that does not report, default 15,000 ms. */
  readonly leaseMs?: number;
  /** How often it looks for due runs without being rung, default 5000 ms. */
  readonly sweepMs?: number;
  /** How long `close` waits for steps under way, default 10,000 ms. */
  readonly drainMs?: number;
  /** How long a run of a version that is not known here may be due until it is reported, default 60,000 ms. */
  readonly unknownForMs?: number;
}

/** Runs that wait, as this worker left them: nobody else may have had them since. */
interface Waiting {
  readonly nodes: Nodes;
  readonly epoch: number;
}

const MOST_WAITING = 1000;
const AFTER_OUTAGE_MS = 500;

let workers = 0;

/** Leases due runs and executes them. */
export class LeasingWorker implements SagaWorker {
  private readonly owner: string;
  private readonly leaseMs: number;
  private readonly sweepMs: number;
  private readonly unknownForMs: number;
  private readonly plans = new Plans();
  private readonly active = new Map<string, Execution>();
  private readonly running = new Set<Promise<void>>();
  private readonly waiting = new Map<string, Waiting>();
  /** Runs that were rung while this worker had them in hand. */
  private readonly rung = new Set<string>();
  private readonly closing = new AbortController();
  private readonly timers = new Set<NodeJS.Timeout>();
  private looking: Promise<void> | null = null;
  private wanted: Set<string> | 'all' | null = null;
  private saturated = false;

  constructor(private readonly options: SagaWorkerOptions) {
    workers += 1;
    this.owner = `${options.owner}/${incarnation(process.pid)}.${String(workers)}`;
    this.leaseMs = options.leaseMs ?? 15_000;
    this.sweepMs = options.sweepMs ?? 5000;
    this.unknownForMs = options.unknownForMs ?? 60_000;
  }

  register(definition: SagaDefinition): void {
    this.plans.add(definition);
  }

  async start(): Promise<void> {
    await this.options.database.run('saga.reclaim', async (tx) => {
      const dead = (await leaseOwners(tx, `${this.options.owner}/`)).filter(isDead);
      if (dead.length > 0) await dropLeases(tx, dead);
    });
    this.every(this.sweepMs, () => this.wake());
    this.every(this.leaseMs / 3, () => void this.heartbeat());
    this.every(this.unknownForMs / 2, () => void this.reportUnknown());
    this.wake();
  }

  async close(): Promise<void> {
    this.closing.abort();
    for (const timer of this.timers) clearInterval(timer);
    await this.looking;
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      Promise.allSettled(this.running),
      new Promise((resolve) => {
        timer = setTimeout(resolve, this.options.drainMs ?? 10_000);
      }),
    ]);
    clearTimeout(timer);
    // Steps that take longer are begun again elsewhere; what they still say here is fenced off.
    await this.options.database
      .run('saga.release', (tx) => dropLeases(tx, [this.owner]))
      .catch((error: unknown) => this.options.log.warn(null, 'saga.release_failed', { error: String(error) }));
  }

  /** Whether this worker would take a run of the kind now. */
  wants(kind: string): boolean {
    return this.plans.has(kind) && !this.closing.signal.aborted && this.room() > 0;
  }

  /** Looks for due runs: one that was rung, or all of them. */
  wake(bell?: Pick<Bell, 'id' | 'kind'>): void {
    if (this.closing.signal.aborted || this.plans.kinds.length === 0) return;
    if (bell === undefined) this.wanted = 'all';
    else if (this.active.has(bell.id)) {
      this.rung.add(bell.id);
      void this.heartbeat();
      return;
    } else if (this.plans.has(bell.kind)) {
      this.wanted ??= new Set();
      if (this.wanted !== 'all') this.wanted.add(bell.id);
    }
    if (this.looking === null && this.wanted !== null) this.look();
  }

  private room(): number {
    return (this.options.concurrency ?? 32) - this.active.size;
  }

  private look(): void {
    const room = this.room();
    if (room <= 0) {
      this.saturated = true;
      this.wanted = null;
      return;
    }
    const { wanted } = this;
    this.wanted = null;
    this.looking = this.claim(room, wanted === 'all' || wanted === null ? null : [...wanted])
      .catch((error: unknown) => {
        this.options.log.warn(null, 'saga.claim_failed', { error: String(error) });
        this.later(AFTER_OUTAGE_MS);
      })
      .finally(() => {
        this.looking = null;
        if (this.wanted !== null && !this.closing.signal.aborted) this.look();
      });
  }

  private async claim(room: number, ids: readonly string[] | null): Promise<void> {
    const { options, owner, leaseMs } = this;
    const sentAt = performance.now();
    const { known, begun } = this.plans;
    const active = [...this.active.keys()];
    const rows = await options.database.read('saga.claim', (tx) =>
      claim(tx, { owner, known, begun, limit: room, leaseMs, active, ids }),
    );
    // `close` gives back what it finds in our name.
    if (this.closing.signal.aborted) return;
    for (const row of rows) this.begin(row, sentAt);
    if (rows.length === room) this.saturated = true;
  }

  private begin(row: SagaRow, claimedAt: number): void {
    const definition = this.plans.of(row);
    if (definition === null) {
      void this.leave(row);
      return;
    }
    const left = this.waiting.get(row.id);
    this.waiting.delete(row.id);
    const known = left !== undefined && left.epoch + 1 === row.lease_epoch ? left.nodes : null;
    const options = { ...this.options, leaseMs: this.leaseMs };
    const execution = new Execution(row, definition, options, this.closing.signal, claimedAt, known);
    this.active.set(row.id, execution);
    const run = execution.execute().then((outcome) => {
      this.active.delete(row.id);
      this.running.delete(run);
      this.ended(execution, outcome);
    });
    this.running.add(run);
  }

  /** Gives a run back that cannot go on here, for whoever knows it; nobody may, so it counts as stuck. */
  private async leave(row: SagaRow): Promise<void> {
    const error = `the parameters of the run are not those of version ${String(row.version)} of ${row.kind}`;
    const parking = { afterMs: this.unknownForMs, error, stuck: true };
    try {
      await this.options.database.run('saga.leave', (tx) => park(tx, row.id, row.lease_epoch, parking));
      this.reportStuck(row, error);
    } catch (thrown) {
      this.options.log.warn(null, 'saga.leave_failed', { error: String(thrown) });
    }
  }

  /** Tells of runs that wait for a version that is not here any more, or not yet: they go on when it comes. */
  private async reportUnknown(): Promise<void> {
    const { known, kinds } = this.plans;
    try {
      const rows = await this.options.database.run('saga.unknown', (tx) =>
        strandUnknown(tx, known, kinds, this.unknownForMs),
      );
      for (const row of rows) this.reportStuck(row, `version ${String(row.version)} of ${row.kind} is not known here`);
    } catch (error) {
      this.options.log.warn(null, 'saga.report_failed', { error: String(error) });
    }
  }

  private reportStuck(row: Pick<SagaRow, 'id' | 'kind' | 'version' | 'resource_id'>, error: string): void {
    const { id, kind, version, resource_id: resource } = row;
    this.options.log.error(null, 'saga.stuck', { saga: kind, saga_id: id, version, resource, error });
  }

  private ended(execution: Execution, outcome: Outcome): void {
    const { id, epoch, nodes } = execution;
    const rung = this.rung.delete(id);
    if (this.closing.signal.aborted) return;
    if (outcome.type === 'parked') {
      if (this.waiting.size >= MOST_WAITING) this.waiting.clear();
      this.waiting.set(id, { nodes, epoch });
      if (rung) this.wake({ id, kind: execution.kind });
      else if (outcome.afterMs < this.sweepMs) this.later(outcome.afterMs);
    } else if (outcome.type === 'interrupted') this.later(AFTER_OUTAGE_MS);
    if (this.saturated) {
      this.saturated = false;
      this.wake();
    }
  }

  private async heartbeat(): Promise<void> {
    if (this.active.size === 0) return;
    const sentAt = performance.now();
    try {
      const mine = await this.options.database.read('saga.renew', (tx) =>
        renew(tx, this.owner, [...this.active.keys()], this.leaseMs),
      );
      for (const { id, lease_epoch: epoch, cancel_requested: cancel } of mine) {
        const execution = this.active.get(id);
        if (execution?.epoch !== epoch) continue;
        execution.renewed(sentAt);
        if (cancel) execution.requestCancel();
      }
    } catch (error) {
      this.options.log.warn(null, 'saga.renew_failed', { error: String(error) });
    }
  }

  private every(ms: number, act: () => void): void {
    this.timers.add(setInterval(act, ms));
  }

  private later(ms: number): void {
    if (this.closing.signal.aborted) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.wake();
    }, ms);
    this.timers.add(timer);
  }
}

/** A process among all that ever ran on its machine: its id, and when it began where the system tells. */
function incarnation(pid: number): string {
  return `${String(pid)}-${processStat(pid)?.startTicks ?? '0'}`;
}

/** Whether the process that an owner's name tells of has ended. */
function isDead(owner: string): boolean {
  const [, name = '', pid = ''] = /\/((\d+)-\d+)\.\d+$/.exec(owner) ?? [];
  return incarnation(Number(pid)) !== name || !alive(Number(pid));
}

/** A worker, and the functions of its doorbell. */
export function createSagaWorker(options: SagaWorkerOptions): LeasingWorker {
  return new LeasingWorker(options);
}
