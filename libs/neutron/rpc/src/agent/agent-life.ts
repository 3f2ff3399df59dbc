import type { FanoutBus } from '@nestack/kernel/rpc';
import type { NeutronAgent } from '@nestack/neutron/domain';

/** The agent's life in its process: begins with it, ends with it, and looks at everything again when messages were missed. */
export class AgentLife {
  private begun = false;

  constructor(
    private readonly agent: NeutronAgent,
    fanout: FanoutBus,
  ) {
    fanout.onFeed((alive) => {
      if (alive && this.begun) this.agent.resynchronise();
    });
  }

  /** When messages arrive, not before: what changes after the first reading is then told. */
  async begin(): Promise<void> {
    this.begun = true;
    await this.agent.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.agent.close();
  }
}
