import type { Clock } from '@nestack/kernel/clock';
import type { Logger } from '@nestack/kernel/log';
import type { Failover } from '@nestack/neutron/domain';
import type { OutboxMessages } from './outbox-messages';

/** What the server does on its own from when it serves until it ends: messages leave, and dead hosts' work goes to others. */
export class ServerLife {
  private readonly closing = new AbortController();
  private watching: Promise<void> = Promise.resolve();

  constructor(
    private readonly messages: OutboxMessages,
    private readonly failover: Failover,
    private readonly clock: Clock,
    private readonly log: Logger,
    /** Milliseconds between two looks for dead hosts. */
    private readonly intervalMs: number,
  ) {}

  async begin(): Promise<void> {
    this.messages.start();
    this.watching = this.watch();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.closing.abort();
    await this.watching;
    await this.messages.close();
  }

  private async watch(): Promise<void> {
    for (;;) {
      await this.clock.sleep(this.intervalMs, this.closing.signal);
      if (this.closing.signal.aborted) return;
      try {
        const moved = await this.failover.run();
        if (moved.networks + moved.routers > 0) this.log.warn(null, 'agents.failover', { ...moved });
      } catch (error) {
        this.log.warn(null, 'agents.failover_failed', { error: String(error) });
      }
    }
  }
}
