import type { Tx } from '@nestack/kernel/context';
import type { Database } from '@nestack/kernel/db';
import { LeaseLost, fence, note, park, type Entry, type Held, type Parking } from './journal';

/** A worker's hold on a run: its lease, and the journal writes that stand under it. */
export class Hold {
  /** Somebody wants the run to unwind. */
  cancelled: boolean;
  private end: number;

  constructor(
    private readonly database: Database,
    private readonly run: Held,
    /** When the claim was sent: the lease lasts from then at least. Monotonic milliseconds. */
    claimedAt: number,
    cancelled: boolean,
  ) {
    this.end = claimedAt + run.leaseMs;
    this.cancelled = cancelled;
  }

  /** Whether the lease is surely ours. */
  get sure(): boolean {
    return performance.now() < this.end;
  }

  /** The lease was renewed by a statement sent at that time. */
  renewed(sentAt: number): void {
    this.end = Math.max(this.end, sentAt + this.run.leaseMs);
  }

  /**
   * One transaction under the lease. The fence travels with its first statement and is looked at before the commit at the latest
   * (`fenced` does so earlier); without the lease nothing is committed and LeaseLost thrown.
   */
  async transact(
    name: string,
    progress: boolean,
    write: (tx: Tx, fenced: Promise<void>) => Promise<void>,
  ): Promise<void> {
    const sentAt = performance.now();
    await this.database.run(name, async (tx) => {
      const fenced = fence(tx, this.run, progress).then((rows) => this.stillOurs(rows));
      fenced.catch(() => undefined);
      await write(tx, fenced);
      await fenced;
    });
    this.renewed(sentAt);
  }

  /** Journals what concerns nothing but the journal, in one statement. */
  async note(entries: readonly Entry[]): Promise<void> {
    const sentAt = performance.now();
    this.stillOurs(await this.database.read('saga.note', (tx) => note(tx, this.run, entries)));
    this.renewed(sentAt);
  }

  /** Gives the lease back. */
  async release(parking: Parking): Promise<void> {
    await this.database.read('saga.park', (tx) => park(tx, this.run.id, this.run.epoch, parking));
  }

  private stillOurs(rows: readonly { readonly cancel_requested: boolean }[]): void {
    const [row] = rows;
    if (row === undefined) throw new LeaseLost();
    if (row.cancel_requested) this.cancelled = true;
  }
}
