import type { Clock } from '@nestack/kernel/clock';
import { newContext, SYSTEM_ACTOR, type RequestContext, type TransactionRunner } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import type { Capabilities, ServiceRepository } from '@nestack/cinder/domain';

/** upstream: report_interval */
const INTERVAL_MS = 10_000;

export interface Heartbeat {
  readonly db: TransactionRunner;
  readonly services: ServiceRepository;
  readonly clock: Clock;
  readonly log: Logger;
  readonly binary: string;
  readonly host: string;
  readonly zone: string;
  readonly capabilities?: () => Promise<Capabilities>;
  /** Tells what makes the next beat come at once. */
  readonly alarm?: (wake: () => void) => void;
  /** What is put in order at the same time. */
  readonly beat?: (ctx: RequestContext) => Promise<void>;
}

/** Says that a service lives, and what its backend can: before the first request is taken, then every few seconds. */
export class HeartbeatLoop {
  readonly #end = new AbortController();
  #loop: Promise<void> | null = null;
  #pause = new AbortController();

  constructor(private readonly about: Heartbeat) {}

  async onApplicationBootstrap(): Promise<void> {
    this.about.alarm?.(() => this.#pause.abort());
    await this.#once();
    this.#loop ??= this.#run();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#end.abort();
    this.#pause.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#end.signal.aborted) {
      await this.about.clock.sleep(INTERVAL_MS, this.#pause.signal);
      if (this.#end.signal.aborted) return;
      this.#pause = new AbortController();
      await this.#once();
    }
  }

  async #once(): Promise<void> {
    const { about } = this;
    try {
      const capabilities = (await about.capabilities?.()) ?? null;
      await about.db.run('service.heartbeat', (tx) =>
        about.services.heartbeat(tx, {
          binary: about.binary,
          host: about.host,
          availability_zone: about.zone,
          capabilities,
        }),
      );
      await about.beat?.(newContext({ actor: SYSTEM_ACTOR }));
    } catch (error) {
      // The database or the backend is away for a moment: the service shows as down until the next beat.
      about.log.warn(null, 'heartbeat_failed', { binary: about.binary, host: about.host, error });
    }
  }
}
