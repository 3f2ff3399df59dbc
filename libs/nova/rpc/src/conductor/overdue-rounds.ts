import { SYSTEM_ACTOR, newContext, type RequestContext } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';

/** upstream: _poll_unconfirmed_resizes runs once a minute */
const INTERVAL_S = 60;

/** Does what users have left undone, once they have had so many seconds for it; with none of them nothing is ever overdue. */
export class OverdueRounds {
  private timer: NodeJS.Timeout | null = null;
  private round: Promise<void> = Promise.resolve();

  constructor(
    /** In the log: `resize.confirm`. */
    private readonly name: string,
    private readonly seconds: number,
    /** Does it with what is older than so many seconds; answers with how many. */
    private readonly act: (ctx: RequestContext, seconds: number) => Promise<number>,
    private readonly log: Logger,
  ) {}

  onApplicationBootstrap(): void {
    if (this.seconds <= 0) return;
    this.timer = setInterval(
      () => {
        this.round = this.round.then(() => this.go());
      },
      Math.min(this.seconds, INTERVAL_S) * 1000,
    );
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    await this.round;
  }

  private async go(): Promise<void> {
    const ctx = newContext({ actor: SYSTEM_ACTOR });
    try {
      const done = await this.act(ctx, this.seconds);
      if (done > 0) this.log.info(ctx, `${this.name}.overdue`, { done });
    } catch (error) {
      this.log.warn(ctx, `${this.name}.failed`, { error: String(error) });
    }
  }
}
