import { SYSTEM_ACTOR, newContext } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import type { UnconfirmedResizes } from '@nestack/nova/domain';

/** upstream: _poll_unconfirmed_resizes runs once a minute */
const INTERVAL_S = 60;

/** Confirms the moves that users forgot, once they have had `windowS` seconds; 0 leaves that to them. */
export class ResizeConfirmer {
  private timer: NodeJS.Timeout | null = null;
  private confirming: Promise<void> = Promise.resolve();

  constructor(
    private readonly resizes: UnconfirmedResizes,
    private readonly windowS: number,
    private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    if (this.windowS === 0) return;
    this.timer = setInterval(
      () => {
        this.confirming = this.confirming.then(() => this.confirm());
      },
      Math.min(this.windowS, INTERVAL_S) * 1000,
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    await this.confirming;
  }

  private async confirm(): Promise<void> {
    const ctx = newContext({ actor: SYSTEM_ACTOR });
    try {
      const confirmed = await this.resizes.confirmOlderThan(ctx, this.windowS);
      if (confirmed > 0) this.log.info(ctx, 'resize.confirmed', { confirmed });
    } catch (error) {
      this.log.warn(ctx, 'resize.not_confirmed', { error: String(error) });
    }
  }
}
