import type { Clock } from '@nestack/kernel/clock';
import type { Logger } from '@nestack/kernel/log';
import type { Sweeper } from '@nestack/glance/domain';

const TRANSFERS_MS = 3000;
const DATA_MS = 300_000;

/** Sweeps while the process lives: transfers every few seconds, orphaned data at start and now and then. */
export class SweepLoop {
  readonly #end = new AbortController();
  #loop: Promise<void> | null = null;

  constructor(
    private readonly sweeper: Sweeper,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.#loop ??= this.#run();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#end.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const signal = this.#end.signal;
    let dataAt = 0;
    while (!signal.aborted) {
      try {
        const reset = await this.sweeper.sweepTransfers();
        if (reset > 0) this.log.warn(null, 'transfers_of_a_dead_process', { images: reset });
        if (this.clock.now().getTime() - dataAt > DATA_MS) {
          dataAt = this.clock.now().getTime();
          const removed = await this.sweeper.sweepData();
          if (removed > 0) this.log.warn(null, 'orphaned_data_removed', { files: removed });
        }
      } catch (error) {
        // The database is away for a moment, or a file system is; the next round finds the same.
        this.log.warn(null, 'sweep_failed', { error });
      }
      await this.clock.sleep(TRANSFERS_MS, signal);
    }
  }
}
