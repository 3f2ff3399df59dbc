import { setTimeout as delay } from 'node:timers/promises';
import { isoMicros } from '@nestack/kernel/clock';
import { SYSTEM_ACTOR, newContext } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import type { RpcClient } from '@nestack/kernel/rpc';
import type { ConductorRpc } from '@nestack/nova/contract';
import type { ComputeManager, HypervisorDriver } from '@nestack/nova/domain';

export interface ComputeHostDeps {
  readonly host: string;
  readonly driver: HypervisorDriver;
  readonly manager: ComputeManager;
  readonly conductor: RpcClient<typeof ConductorRpc>;
  readonly log: Logger;
}

const HEARTBEAT_MS = 10_000;

/** A host's life in the cloud: it reports itself, puts itself in order, beats, and tells what its guests do by themselves. */
export class ComputeHost {
  private timer: NodeJS.Timeout | null = null;
  private readonly stopping = new AbortController();
  private life: Promise<void> = Promise.resolve();

  constructor(private readonly deps: ComputeHostDeps) {}

  /** Nest's hook: opens the driver and goes on in the background, since the conductor may start later than this host. */
  async onApplicationBootstrap(): Promise<void> {
    await this.deps.driver.open();
    this.deps.driver.onEvent(({ uuid, power }) => void this.tellPower(uuid, power));
    this.life = this.join().catch((error: unknown) => this.deps.log.error(null, 'compute.join_failed', { error }));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    if (this.timer !== null) clearInterval(this.timer);
    await this.life;
    await this.deps.driver.close();
  }

  private async join(): Promise<void> {
    const { conductor, driver, host, log, manager } = this.deps;
    while (!this.stopping.signal.aborted) {
      const ctx = newContext({ actor: SYSTEM_ACTOR });
      try {
        await conductor.compute_host_up(ctx, { host, facts: await driver.facts() }, { timeoutMs: 20_000 });
        const present = (await driver.guests()).map(({ uuid }) => uuid);
        const { instances, orphans } = await conductor.instances_of_host(ctx, { host, present }, { timeoutMs: 20_000 });
        for (const { uuid, power } of await manager.reconcile(ctx, instances, orphans))
          await this.tellPower(uuid, power);
        log.info(ctx, 'compute.joined', { host, guests: present.length, orphans: orphans.length });
        this.timer = setInterval(() => void this.beat(), HEARTBEAT_MS);
        return;
      } catch (error) {
        log.warn(ctx, 'compute.waiting_for_conductor', {
          error: error instanceof Error ? error.message : String(error),
        });
        await delay(500, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      }
    }
  }

  private async beat(): Promise<void> {
    try {
      await this.deps.conductor.report_service_state(newContext({ actor: SYSTEM_ACTOR }), {
        host: this.deps.host,
        binary: 'nova-compute',
        topic: 'compute',
      });
    } catch (error) {
      this.deps.log.warn(null, 'compute.heartbeat_lost', { error: String(error) });
    }
  }

  private async tellPower(uuid: string, power: number): Promise<void> {
    try {
      await this.deps.conductor.power_state_changed(newContext({ actor: SYSTEM_ACTOR }), {
        host: this.deps.host,
        instance_uuid: uuid,
        power_state: power,
        at: isoMicros(new Date()),
      });
    } catch (error) {
      this.deps.log.warn(null, 'compute.power_state_not_told', { uuid, error: String(error) });
    }
  }
}
