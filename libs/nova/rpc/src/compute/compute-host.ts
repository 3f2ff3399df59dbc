import { setTimeout as delay } from 'node:timers/promises';
import { isoMicros } from '@nestack/kernel/clock';
import { SYSTEM_ACTOR, newContext, type RequestContext } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import type { RpcClient } from '@nestack/kernel/rpc';
import type { ConductorRpc, HostAccounting, PowerState } from '@nestack/nova/contract';
import type { ComputeManager, HypervisorDriver } from '@nestack/nova/domain';

export interface ComputeHostDeps {
  readonly host: string;
  readonly driver: HypervisorDriver;
  readonly manager: ComputeManager;
  readonly conductor: RpcClient<typeof ConductorRpc>;
  readonly log: Logger;
  readonly accounting: HostAccounting;
}

/** upstream: CONF.report_interval */
const HEARTBEAT_MS = 10_000;
const RETRY_MS = { first: 250, most: 5000 };
const CALL_MS = 20_000;
/** How often guests are asked about that an operation was at work on when this host returned. */
const UNDECIDED_MS = 2000;

/** A host's life in the cloud: it reports itself, puts itself in order, beats, and tells what its guests do by themselves. */
export class ComputeHost {
  private timer: NodeJS.Timeout | null = null;
  private readonly stopping = new AbortController();
  /** Changes that the conductor does not know yet, the last of each guest. */
  private readonly untold = new Map<string, { readonly power: PowerState; readonly at: Date }>();
  private telling: Promise<void> | null = null;
  private life: Promise<void> = Promise.resolve();

  constructor(private readonly deps: ComputeHostDeps) {}

  /** Nest's hook: opens the driver and goes on in the background, since the conductor may start later than this host. */
  async onApplicationBootstrap(): Promise<void> {
    const { driver, log } = this.deps;
    driver.onEvent(({ uuid, power }) => this.tellPower(uuid, power));
    await driver.open();
    this.life = this.join().catch((error: unknown) => log.error(null, 'compute.join_failed', { error }));
  }

  /** Nest's hook: the host reports no more; commands that came still end. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    if (this.timer !== null) clearInterval(this.timer);
    await this.life;
    await this.telling;
  }

  /** Nest's hook, once no command is under way: guests go on running. */
  async onApplicationShutdown(): Promise<void> {
    await this.deps.driver.close();
  }

  private async join(): Promise<void> {
    const { driver, conductor, host, accounting } = this.deps;
    let undecided: ReadonlySet<string> = new Set();
    await this.untilDone('compute.waiting', async () => {
      const facts = { ...(await driver.facts()), accounting };
      const ctx = newContext({ actor: SYSTEM_ACTOR });
      await conductor.compute_host_up(ctx, { host, facts }, { timeoutMs: CALL_MS });
      undecided = await this.putInOrder(ctx, null);
    });
    if (this.stopping.signal.aborted) return;
    this.timer = setInterval(() => void this.beat(), HEARTBEAT_MS);
    // An operation that met this host while it was down has passed it by: what it left here is seen when it is over.
    while (undecided.size > 0 && !this.stopping.signal.aborted) {
      await delay(UNDECIDED_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      await this.untilDone('compute.undecided', async () => {
        undecided = await this.putInOrder(newContext({ actor: SYSTEM_ACTOR }), undecided);
      });
    }
  }

  /** Brings all guests, or only some, in line with what the conductor says; answers those of which it cannot say so yet. */
  private async putInOrder(ctx: RequestContext, only: ReadonlySet<string> | null): Promise<ReadonlySet<string>> {
    const { conductor, driver, host, manager, log } = this.deps;
    manager.beginReconciliation();
    const present = [...(await driver.present())];
    const told = await conductor.instances_of_host(ctx, { host, present }, { timeoutMs: CALL_MS });
    const meant = (uuid: string): boolean => only?.has(uuid) ?? true;
    const instances = told.instances.filter((one) => meant(one.instance.uuid));
    const orphans = told.orphans.filter((one) => meant(one.uuid));
    const undecided = told.undecided.filter(meant);
    const { known, failed } = await manager.reconcile(ctx, instances, orphans);
    for (const { uuid, power } of known) this.tellPower(uuid, power);
    for (const { uuid, error } of failed) log.error(ctx, 'compute.guest_not_in_order', { uuid, error });
    const guests = { guests: present.length, orphans: orphans.length, undecided: undecided.length };
    log.info(ctx, only === null ? 'compute.joined' : 'compute.in_order', { host, ...guests });
    return new Set(undecided);
  }

  private async beat(): Promise<void> {
    const { conductor, host, log } = this.deps;
    try {
      const about = { host, binary: 'nova-compute', topic: 'compute' };
      await conductor.report_service_state(newContext({ actor: SYSTEM_ACTOR }), about);
    } catch (error) {
      log.warn(null, 'compute.heartbeat_lost', { error: String(error) });
    }
  }

  private tellPower(uuid: string, power: PowerState): void {
    this.untold.set(uuid, { power, at: new Date() });
    this.telling ??= this.tellAll().finally(() => {
      this.telling = null;
    });
  }

  /** Tells until the broker has taken all: a change that nobody hears of would never be corrected. */
  private async tellAll(): Promise<void> {
    const { conductor, host } = this.deps;
    await this.untilDone('compute.power_state_not_told', async () => {
      for (const [uuid, change] of this.untold) {
        await conductor.power_state_changed(newContext({ actor: SYSTEM_ACTOR }), {
          host,
          instance_uuid: uuid,
          power_state: change.power,
          at: isoMicros(change.at),
        });
        if (this.untold.get(uuid) === change) this.untold.delete(uuid);
      }
    });
  }

  /** Tries again and again, until it succeeds or the host shuts down. */
  private async untilDone(event: string, attempt: () => Promise<void>): Promise<void> {
    let wait = RETRY_MS.first;
    while (!this.stopping.signal.aborted) {
      try {
        await attempt();
        return;
      } catch (error) {
        this.deps.log.warn(null, event, { error: error instanceof Error ? error.message : String(error) });
        await delay(wait, undefined, { signal: this.stopping.signal }).catch(() => undefined);
        wait = Math.min(wait * 2, RETRY_MS.most);
      }
    }
  }
}
