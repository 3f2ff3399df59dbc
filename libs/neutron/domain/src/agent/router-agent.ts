import type { Clock } from '@nestack/kernel/clock';
import { newContext, type RequestContext } from '@nestack/kernel/context';
import { contains, parseCidr, parseIp, type RouterInfo, type RouterPort } from '@nestack/neutron/contract';
import type { RouterDataplane } from '../ports';
import type { CarriedNetworks } from './carried-networks';
import { KeyedQueue } from './keyed-queue';
import type { AgentLog, Plugin } from './plugin';

export interface RouterAgentDeps {
  readonly host: string;
  readonly plugin: Pick<Plugin, 'sync_routers' | 'update_floatingip_statuses' | 'update_device_up'>;
  readonly routers: RouterDataplane;
  readonly networks: CarriedNetworks;
  readonly clock: Clock;
  readonly log: AgentLog;
}

const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

interface Carried {
  readonly networks: ReadonlySet<string>;
  readonly told: ReadonlySet<string>;
  /** Subnets of its inner networks. */
  readonly subnets: readonly { readonly network_id: string; readonly cidr: string }[];
}

/** Keeps the routers that the server gave to this host. */
export class RouterAgent {
  /** By id: the networks that each router holds, and the ports that the server was told of. */
  private readonly carried = new Map<string, Carried>();
  private readonly asked = new Map<string, RequestContext>();
  /** How long each router that failed waits for its next try, in milliseconds. */
  private readonly pauses = new Map<string, number>();
  private readonly queue = new KeyedQueue();
  private asking = false;
  private readonly closing = new AbortController();

  constructor(private readonly deps: RouterAgentDeps) {}

  /** Routers came, went or changed. */
  routersChanged(ctx: RequestContext, ids: readonly string[]): void {
    for (const id of ids) this.asked.set(id, ctx);
    void this.ask();
  }

  /** The hosts or the state of a network changed: its routers' networks are looked at again. */
  networkChanged(ctx: RequestContext, networkId: string): void {
    this.routersChanged(
      ctx,
      [...this.carried].flatMap(([id, { networks }]) => (networks.has(networkId) ? [id] : [])),
    );
  }

  /** On which of a router's inner networks an address lies; null for none. */
  networkOf(routerId: string, address: string): string | null {
    const subnets = this.carried.get(routerId)?.subnets ?? [];
    return subnets.find((one) => holds(one.cidr, address))?.network_id ?? null;
  }

  /** Makes all routers of this host true and removes the rest; throws when the server cannot be asked. */
  async synchronise(ctx: RequestContext): Promise<void> {
    const { plugin, host, routers: dataplane, log } = this.deps;
    const { routers } = await plugin.sync_routers(ctx, { host, router_ids: null });
    const present = new Set(routers.map((one) => one.id));
    for (const id of this.carried.keys()) if (!present.has(id)) this.inTurn(ctx, id, () => this.remove(id));
    for (const router of routers) {
      // The server is told of everything again, but networks that a router has left are still released.
      const before = this.carried.get(router.id);
      if (before !== undefined) this.carried.set(router.id, { ...before, told: new Set() });
      this.inTurn(ctx, router.id, () => this.apply(ctx, router));
    }
    await this.queue.idle();
    await dataplane.sweep(present);
    log.info(ctx, 'routers.synchronised', { routers: routers.length });
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.queue.idle();
    await this.deps.routers.close();
  }

  /** Asks for all that have been named meanwhile. */
  private async ask(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    const { plugin, host, log, clock } = this.deps;
    while (this.asked.size > 0 && !this.closing.signal.aborted) {
      const ids = [...this.asked.keys()];
      const [ctx = newContext()] = this.asked.values();
      this.asked.clear();
      try {
        const { routers } = await plugin.sync_routers(ctx, { host, router_ids: ids });
        const found = new Map(routers.map((one) => [one.id, one]));
        for (const id of ids) {
          const router = found.get(id);
          this.inTurn(ctx, id, () => (router === undefined ? this.remove(id) : this.apply(ctx, router)));
        }
      } catch (error) {
        log.warn(ctx, 'routers.delayed', { error: String(error) });
        for (const id of ids) this.asked.set(id, ctx);
        await clock.sleep(PAUSE_MS, this.closing.signal);
      }
    }
    this.asking = false;
  }

  private inTurn(ctx: RequestContext, id: string, work: () => Promise<void>): void {
    const done = (): boolean => this.pauses.delete(id);
    void this.queue.run(id, work).then(done, (error: unknown) => {
      this.deps.log.warn(ctx, 'router.failed', { router_id: id, error: String(error) });
      const pause = this.pauses.get(id) ?? PAUSE_MS;
      this.pauses.set(id, Math.min(pause * 2, LONGEST_PAUSE_MS));
      void this.deps.clock
        .sleep(pause, this.closing.signal)
        .then(() => this.closing.signal.aborted || this.routersChanged(newContext(), [id]));
    });
  }

  private async apply(ctx: RequestContext, router: RouterInfo): Promise<void> {
    const { networks, routers, plugin, host } = this.deps;
    const before = this.carried.get(router.id);
    const ports = portsOf(router);
    for (const { network } of ports) await networks.hold(network, router.id);
    await routers.ensureRouter(router);
    const now = new Set(ports.map((port) => port.network.id));
    for (const id of before?.networks ?? []) if (!now.has(id)) await networks.release(id, router.id);
    for (const port of ports) {
      if (before?.told.has(port.id) !== true) await plugin.update_device_up(ctx, { host, port_id: port.id });
    }
    const status = router.admin_state_up ? 'ACTIVE' : 'DOWN';
    const floating = [...router.floating_ips, ...(router.forwarding_ips ?? [])];
    const changed = floating.filter((ip) => ip.status !== status).map((ip) => [ip.id, status]);
    if (changed.length > 0) {
      const statuses = Object.fromEntries(changed) as Record<string, string>;
      await plugin.update_floatingip_statuses(ctx, { host, router_id: router.id, fip_statuses: statuses });
    }
    const subnets = router.interfaces.flatMap((port) =>
      port.subnets.map((subnet) => ({ network_id: port.network.id, cidr: subnet.cidr })),
    );
    this.carried.set(router.id, { networks: now, told: new Set(ports.map((port) => port.id)), subnets });
  }

  private async remove(id: string): Promise<void> {
    const { networks, routers } = this.deps;
    await routers.absentRouter(id);
    for (const network of this.carried.get(id)?.networks ?? []) await networks.release(network, id);
    this.carried.delete(id);
  }
}

function portsOf(router: RouterInfo): RouterPort[] {
  return [...(router.gateway_port === null ? [] : [router.gateway_port]), ...router.interfaces];
}

function holds(cidr: string, address: string): boolean {
  const network = parseCidr(cidr);
  const ip = parseIp(address);
  return network !== null && ip !== null && contains(network, ip);
}
