import type { Clock } from '@nestack/kernel/clock';
import { newContext, type RequestContext } from '@nestack/kernel/context';
import type { DhcpNetwork, DhcpPort } from '@nestack/neutron/contract';
import type { DhcpDataplane, MetadataCaller } from '../ports';
import type { CarriedNetworks } from './carried-networks';
import { KeyedQueue } from './keyed-queue';
import type { AgentLog, Plugin } from './plugin';

export interface DhcpAgentDeps {
  readonly host: string;
  readonly plugin: Pick<Plugin, 'get_active_networks_info' | 'get_network_info'>;
  readonly dhcp: DhcpDataplane;
  readonly networks: CarriedNetworks;
  readonly clock: Clock;
  readonly log: AgentLog;
}

/** What a network needs: to be read anew, to be applied as a whole, or only its ports. */
type Need = 'read' | 'whole' | 'ports';

interface Served {
  network: DhcpNetwork;
  readonly ports: Map<string, DhcpPort>;
  /** Ports that were deleted; a late word of them must not bring them back. */
  readonly deleted: Set<string>;
  /** When word of a port came: it may be newer than what is being read. */
  readonly heard: Map<string, number>;
  /** When the reading of `network` began. */
  readonly readAt: number;
  byAddress: Map<string, DhcpPort> | null;
}

const RANK: Readonly<Record<Need, number>> = { ports: 0, whole: 1, read: 2 };
const HOLDER = 'dhcp';
const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
const MOST_DELETED = 1000;

/** Serves DHCP on the networks that the server gave to this host, and knows which port has which address. */
export class DhcpAgent {
  private readonly served = new Map<string, Served>();
  private readonly needs = new Map<string, { need: Need; ctx: RequestContext }>();
  private readonly queue = new KeyedQueue();
  /** How long each network that failed waits for its next try, in milliseconds. */
  private readonly pauses = new Map<string, number>();
  private readonly closing = new AbortController();
  /** Orders readings and word of ports. */
  private moment = 0;

  constructor(private readonly deps: DhcpAgentDeps) {}

  /** The network, its subnets or its DHCP port changed, or it may be somebody else's now. */
  networkChanged(ctx: RequestContext, networkId: string): void {
    this.need(ctx, networkId, 'read');
  }

  /** The set of hosts or the state of a network changed. */
  networkTouched(ctx: RequestContext, networkId: string): void {
    if (this.served.has(networkId)) this.need(ctx, networkId, 'read');
  }

  networkDeleted(ctx: RequestContext, networkId: string): void {
    this.networkTouched(ctx, networkId);
  }

  portChanged(ctx: RequestContext, port: DhcpPort): void {
    const served = this.served.get(port.network_id);
    if (served === undefined) {
      this.need(ctx, port.network_id, 'read');
      return;
    }
    const known = served.ports.get(port.id);
    if (served.deleted.has(port.id) || (known !== undefined && known.revision_number > port.revision_number)) return;
    served.ports.set(port.id, port);
    served.heard.set(port.id, ++this.moment);
    served.byAddress = null;
    this.need(ctx, port.network_id, port.id === served.network.dhcp_port_id ? 'read' : 'ports');
  }

  portDeleted(ctx: RequestContext, networkId: string, portId: string): void {
    const served = this.served.get(networkId);
    if (served === undefined) return;
    served.deleted.add(portId);
    const [oldest] = served.deleted;
    if (served.deleted.size > MOST_DELETED && oldest !== undefined) served.deleted.delete(oldest);
    served.byAddress = null;
    if (served.ports.delete(portId))
      this.need(ctx, networkId, portId === served.network.dhcp_port_id ? 'read' : 'ports');
  }

  /** Which port has an address on a network; null when none. */
  resolve(networkId: string, address: string): MetadataCaller | null {
    const served = this.served.get(networkId);
    if (served === undefined) return null;
    served.byAddress ??= new Map(
      [...served.ports.values()].flatMap((port) => port.fixed_ips.map((ip) => [ip.ip_address, port] as const)),
    );
    const port = served.byAddress.get(address);
    return port === undefined ? null : { port_id: port.id, device_id: port.device_id, project_id: port.project_id };
  }

  /** Makes all that this host serves true and removes the rest; throws when the server cannot be asked. */
  async synchronise(ctx: RequestContext): Promise<void> {
    const { plugin, host, dhcp, log } = this.deps;
    const began = ++this.moment;
    const { networks } = await plugin.get_active_networks_info(ctx, { host });
    const ids = new Set(networks.map((one) => one.network.id));
    for (const id of this.served.keys()) if (!ids.has(id)) this.need(ctx, id, 'read');
    for (const network of networks) {
      this.take(network, began);
      this.need(ctx, network.network.id, 'whole');
    }
    await this.queue.idle();
    await dhcp.sweep(new Set(this.served.keys()));
    log.info(ctx, 'dhcp.synchronised', { networks: networks.length });
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.queue.idle();
    await this.deps.dhcp.close();
  }

  /** Takes a network as it was read, with what was heard of its ports since the reading began. */
  private take(network: DhcpNetwork, began: number): Served {
    const { id } = network.network;
    const before = this.served.get(id);
    if (before !== undefined && before.readAt > began) return before;
    const ports = new Map(network.ports.map((port) => [port.id, port]));
    const heard = new Map([...(before?.heard ?? [])].filter(([, at]) => at > began));
    for (const portId of heard.keys()) {
      const port = before?.ports.get(portId);
      if (port !== undefined && port.revision_number > (ports.get(portId)?.revision_number ?? -1))
        ports.set(portId, port);
    }
    const deleted = before?.deleted ?? new Set<string>();
    for (const portId of deleted) ports.delete(portId);
    const served: Served = { network, ports, deleted, heard, readAt: began, byAddress: null };
    this.served.set(id, served);
    return served;
  }

  /** Notes what is needed; many changes of one network become one. */
  private need(ctx: RequestContext, networkId: string, need: Need): void {
    if (this.closing.signal.aborted) return;
    const noted = this.needs.get(networkId);
    if (noted !== undefined && RANK[noted.need] >= RANK[need]) return;
    this.needs.set(networkId, { need, ctx: noted?.ctx ?? ctx });
    if (noted !== undefined) return;
    void this.queue.run(networkId, async () => {
      const due = this.needs.get(networkId);
      this.needs.delete(networkId);
      if (due === undefined) return;
      try {
        await this.apply(due.ctx, networkId, due.need);
        this.pauses.delete(networkId);
      } catch (error) {
        this.deps.log.warn(due.ctx, 'dhcp.failed', { network_id: networkId, error: String(error) });
        const pause = this.pauses.get(networkId) ?? PAUSE_MS;
        this.pauses.set(networkId, Math.min(pause * 2, LONGEST_PAUSE_MS));
        void this.deps.clock.sleep(pause, this.closing.signal).then(() => this.need(newContext(), networkId, 'read'));
      }
    });
  }

  private async apply(ctx: RequestContext, networkId: string, need: Need): Promise<void> {
    const { plugin, host, dhcp, networks } = this.deps;
    let served = this.served.get(networkId);
    if (need === 'read') {
      const began = ++this.moment;
      const { network } = await plugin.get_network_info(ctx, { host, network_id: networkId });
      served = network === null ? undefined : this.take(network, began);
      if (network === null) this.served.delete(networkId);
    }
    if (served === undefined) {
      await dhcp.absentDhcp(networkId);
      await networks.release(networkId, HOLDER);
      return;
    }
    const network: DhcpNetwork = { ...served.network, ports: [...served.ports.values()] };
    if (need === 'ports') {
      await dhcp.ensurePorts(network);
      return;
    }
    await networks.hold(network.network, HOLDER);
    await dhcp.ensureDhcp(network);
  }
}
