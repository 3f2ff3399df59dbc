import type { Database } from '@nestack/kernel/db';
import type { Logger } from '@nestack/kernel/log';
import { Execution } from './execution';
import { LEASE_MS, claim, dropLeases, park, renew } from './journal';
import type { SagaDefinition, SagaWorker } from './surface';

export interface SagaWorkerOptions {
  readonly database: Database;
  readonly log: Logger;
  /** Sub-service in traces. */
  readonly service: string;
  readonly host: string;
  /** The same after a restart, different for processes that run at the same time. */
  readonly owner: string;
  /** Wakes the workers of all processes. */
  readonly ring: () => void;
  readonly concurrency?: number;
}

const SWEEP_MS = 5000;

/** Leases due runs and executes them. */
export class LeasingWorker implements SagaWorker {
  private readonly definitions = new Map<string, SagaDefinition>();
  private readonly active = new Map<string, Execution>();
  private readonly running = new Set<Promise<void>>();
  private readonly closing = new AbortController();
  private timers: NodeJS.Timeout[] = [];
  private claiming = false;
  /** Ends when no look for due runs is under way. */
  private looking: Promise<void> = Promise.resolve();
  private again = false;

  constructor(private readonly options: SagaWorkerOptions) {}

  register(definition: SagaDefinition): void {
    if (this.definitions.has(definition.kind)) throw new Error(`saga ${definition.kind} is registered twice`);
    this.definitions.set(definition.kind, definition);
  }

  async start(): Promise<void> {
    await this.options.database.run('saga.reclaim', (tx) => dropLeases(tx, this.options.owner));
    this.timers = [setInterval(() => this.wake(), SWEEP_MS), setInterval(() => void this.heartbeat(), LEASE_MS / 3)];
    this.wake();
  }

  async close(): Promise<void> {
    this.closing.abort();
    for (const timer of this.timers) clearInterval(timer);
    await this.looking;
    await Promise.allSettled(this.running);
  }

  /** Looks for due runs; called by the doorbell, by the sweeper and whenever one has ended. */
  wake(): void {
    if (this.closing.signal.aborted || this.definitions.size === 0) return;
    if (this.claiming) {
      this.again = true;
      return;
    }
    const room = (this.options.concurrency ?? 32) - this.active.size;
    if (room <= 0) return;
    this.claiming = true;
    this.again = false;
    this.looking = this.claim(room)
      .then((claimed) => {
        this.claiming = false;
        if (this.again || claimed === room) this.wake();
      })
      .catch((error: unknown) => {
        this.claiming = false;
        this.options.log.warn(null, 'saga.claim_failed', { error: String(error) });
      });
  }

  private async claim(room: number): Promise<number> {
    const { options } = this;
    const rows = await options.database.read('saga.claim', (tx) =>
      claim(tx, options.owner, [...this.definitions.keys()], room),
    );
    if (this.closing.signal.aborted) {
      // It ended meanwhile: others need not wait for what it has not begun.
      await options.database.run('saga.park', async (tx) => {
        for (const row of rows) await park(tx, row.id, row.lease_epoch, 0, false);
      });
      return 0;
    }
    for (const row of rows) {
      const definition = this.definitions.get(row.kind);
      if (definition === undefined) continue;
      const execution = new Execution(row, definition, options, this.closing.signal);
      this.active.set(row.id, execution);
      const run = execution.execute().finally(() => {
        if (this.active.get(row.id) === execution) this.active.delete(row.id);
        this.running.delete(run);
        this.wake();
      });
      this.running.add(run);
    }
    return rows.length;
  }

  private async heartbeat(): Promise<void> {
    if (this.active.size === 0) return;
    try {
      const { options } = this;
      const mine = await options.database.read('saga.renew', (tx) => renew(tx, options.owner, [...this.active.keys()]));
      for (const { id, cancel_requested: cancel } of mine) if (cancel) this.active.get(id)?.requestCancel();
    } catch (error) {
      this.options.log.warn(null, 'saga.renew_failed', { error: String(error) });
    }
  }
}

/** A worker, and the function that wakes it. */
export function createSagaWorker(options: SagaWorkerOptions): SagaWorker & { wake(): void } {
  return new LeasingWorker(options);
}
