import type { Clock } from '@nestack/kernel/clock';
import type { Logger } from '@nestack/kernel/log';

export interface Chores {
  /** Forgets what has expired: revocations that no token can need any more, requests of consumers. */
  prune(): Promise<void>;
  /** Makes a new signing key when the current one is old; its name, or null. */
  rotate(): Promise<string | null>;
}

const PERIOD_MS = 600_000;

/** Keeps keys young and the tables of what expires small, while the process lives. */
export class Housekeeping {
  readonly #end = new AbortController();
  #loop: Promise<void> | null = null;

  constructor(
    private readonly chores: Chores,
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
    while (!signal.aborted) {
      try {
        const key = await this.chores.rotate();
        if (key !== null) this.log.info(null, 'signing_key_rotated', { key });
        await this.chores.prune();
      } catch (error) {
        // The database is away for a moment; the next round does the same.
        this.log.warn(null, 'housekeeping_failed', { error });
      }
      await this.clock.sleep(PERIOD_MS, signal);
    }
  }
}
