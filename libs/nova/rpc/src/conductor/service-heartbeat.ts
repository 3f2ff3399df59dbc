import type { Logger } from '@nestack/kernel/log';

/** A service counts as up for 60 s after a beat. upstream: report_interval */
const INTERVAL_MS = 10_000;

/** Says every few seconds that a service lives, as `openstack compute service list` shows it. */
export class ServiceHeartbeat {
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly beat: () => Promise<unknown>,
    private readonly log: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.tell();
    this.timer = setInterval(() => void this.tell(), INTERVAL_MS);
  }

  beforeApplicationShutdown(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  private async tell(): Promise<void> {
    try {
      await this.beat();
    } catch (error) {
      this.log.warn(null, 'service.heartbeat_lost', { error: String(error) });
    }
  }
}
