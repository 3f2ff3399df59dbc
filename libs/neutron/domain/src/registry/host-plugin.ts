import type { RequestContext, Tx } from '@nestack/kernel/context';
import {
  AGENT_TYPE,
  type AgentState,
  type DeviceDetails,
  type DhcpNetwork,
  type DhcpPort,
  type NetworkInfo,
  type SecurityGroupInfo,
  type SubnetInfo,
} from '@nestack/neutron/contract';
import { dhcpDeviceId, type DhcpScheduling } from '../l2-ports/dhcp-scheduling';
import { OWNER } from '../l2-ports/owners';
import { dhcpPortOf, type PortNews } from '../l2-ports/port-news';
import { EVERYTHING, where, type Network, type Subnet } from '../model';
import type { NeutronParts } from '../parts';
import type { L3Scheduling } from '../l3/l3-scheduling';

export interface HostPluginParts extends NeutronParts {
  readonly dhcp: DhcpScheduling;
  readonly l3: L3Scheduling;
  readonly news: PortNews;
}

/** What hosts report and ask. */
export class HostPlugin {
  constructor(private readonly parts: HostPluginParts) {}

  /** A heartbeat. An agent that is new, or was thought dead, takes over what nobody serves. */
  async report(ctx: RequestContext, state: AgentState): Promise<void> {
    const { parts } = this;
    await parts.db.run('agent.report', async (tx) => {
      const { changed } = await parts.agents.report(tx, {
        agent_type: state.agent_type,
        binary: state.binary,
        topic: state.topic,
        host: state.host,
        availability_zone: state.availability_zone,
        configurations: state.configurations,
        heartbeat_timestamp: parts.clock.now(),
        starts: state.start_flag,
      });
      if (!changed) return;
      await parts.agents.lockScheduling(tx);
      if (state.agent_type === AGENT_TYPE.dhcp)
        await parts.dhcp.adopt(ctx, tx, await parts.agents.networksWithoutDhcp(tx));
      if (state.agent_type === AGENT_TYPE.l3) await parts.l3.adopt(ctx, tx);
      if (state.agent_type === AGENT_TYPE.linuxBridge) await this.announceHost(ctx, tx, state.host);
    });
  }

  /** Other hosts send to this one under the address that it reports. */
  private async announceHost(ctx: RequestContext, tx: Tx, host: string): Promise<void> {
    const devices = await this.parts.hosts.devices(tx, host, null);
    const networks = [...new Set(devices.map((one) => one.network.id))];
    if (networks.length === 0) return;
    await this.parts.messages.add(ctx, tx, {
      agents: networks.map((id) => ({ method: 'network_update', args: { network_id: id } }) as const),
    });
  }

  /** Ports bound to a host, those named or all. */
  async devices(host: string, names: readonly string[] | null): Promise<DeviceDetails[]> {
    return this.parts.db.read('plugin.devices', (tx) => this.parts.hosts.devices(tx, host, names));
  }

  async groups(ids: readonly string[]): Promise<SecurityGroupInfo[]> {
    return this.parts.db.read('plugin.groups', (tx) => this.parts.hosts.groups(tx, ids));
  }

  /** The port works, or no longer. Nova hears of changes only. */
  async deviceStatus(ctx: RequestContext, host: string, portId: string, status: 'ACTIVE' | 'DOWN'): Promise<void> {
    const { parts } = this;
    await parts.db.run('plugin.device_status', async (tx) => {
      const port = await parts.ports.setStatus(tx, portId, host, status, parts.clock.now());
      if (port !== null) await parts.news.status(ctx, tx, port);
    });
  }

  /** All networks that the host serves DHCP on. */
  async activeNetworks(ctx: RequestContext, host: string): Promise<DhcpNetwork[]> {
    const { parts } = this;
    const agentId = await this.dhcpAgent(host);
    if (agentId === null) return [];
    const orphans = await parts.db.read('plugin.orphans', (tx) => parts.agents.networksWithoutDhcp(tx));
    if (orphans.length > 0) await parts.db.run('plugin.adopt', (tx) => parts.dhcp.adopt(ctx, tx, orphans));
    return parts.db.read('plugin.networks', async (tx) => {
      const ids = await parts.agents.dhcpNetworks(tx, agentId);
      return this.dhcpNetworks(tx, host, await parts.networks.findAll(tx, ids, EVERYTHING));
    });
  }

  /** One of them; null when it is not the host's. */
  async network(host: string, networkId: string): Promise<DhcpNetwork | null> {
    const { parts } = this;
    return parts.db.read('plugin.network', async (tx) => {
      const agents = await parts.agents.dhcpAgents(tx, networkId);
      if (!agents.some((one) => one.host === host)) return null;
      const network = await parts.networks.find(tx, networkId, EVERYTHING);
      const [found] = network === null ? [] : await this.dhcpNetworks(tx, host, [network]);
      return found ?? null;
    });
  }

  /** The ports that have an address on a network. */
  async portsAt(networkId: string, address: string): Promise<DhcpPort[]> {
    const { parts } = this;
    const filters = new Map([
      ['network_id', [networkId]],
      ['fixed_ips', [`ip_address=${address}`]],
    ]);
    const query = { filters, sort: [], limit: null, marker: null, reverse: false };
    const ports = await parts.db.read('plugin.ports_at', (tx) => parts.ports.list(tx, EVERYTHING, query));
    return ports.map(dhcpPortOf);
  }

  private async dhcpAgent(host: string): Promise<string | null> {
    const agents = await this.parts.db.read('plugin.agents', (tx) => this.parts.agents.list(tx));
    return agents.find((one) => one.agent_type === AGENT_TYPE.dhcp && one.host === host)?.id ?? null;
  }

  private async dhcpNetworks(tx: Tx, host: string, networks: readonly Network[]): Promise<DhcpNetwork[]> {
    const { parts } = this;
    const ids = networks.map((one) => one.id);
    if (ids.length === 0) return [];
    const query = where({ network_id: ids });
    const oldestFirst = { ...query, sort: [{ key: 'created_at', direction: 'asc' } as const] };
    const subnets = await parts.subnets.list(tx, EVERYTHING, oldestFirst);
    const ports = await parts.ports.list(tx, EVERYTHING, query);
    const endpoints = await parts.networks.tunnelEndpoints(tx, ids);
    return networks.flatMap((network) => {
      const own = ports.filter((one) => one.network_id === network.id);
      const device = dhcpDeviceId(host, network.id);
      const server = own.find((one) => one.device_owner === OWNER.dhcp && one.device_id === device);
      if (server === undefined) return [];
      return [
        {
          network: networkInfo(network, endpoints.get(network.id) ?? []),
          subnets: subnets.filter((one) => one.network_id === network.id).map(subnetInfo),
          ports: own.map(dhcpPortOf),
          dhcp_port_id: server.id,
        },
      ];
    });
  }
}

export function networkInfo(network: Network, endpoints: readonly string[]): NetworkInfo {
  return {
    id: network.id,
    project_id: network.project_id,
    network_type: network['provider:network_type'],
    segmentation_id: network['provider:segmentation_id'],
    physical_network: network['provider:physical_network'],
    mtu: network.mtu,
    admin_state_up: network.admin_state_up,
    tunnel_endpoints: [...endpoints],
  };
}

export function subnetInfo(subnet: Subnet): SubnetInfo {
  return {
    id: subnet.id,
    cidr: subnet.cidr,
    ip_version: subnet.ip_version,
    gateway_ip: subnet.gateway_ip,
    enable_dhcp: subnet.enable_dhcp,
    dns_nameservers: [...subnet.dns_nameservers],
    host_routes: subnet.host_routes.map((one) => ({ ...one })),
    ipv6_address_mode: subnet.ipv6_address_mode,
    ipv6_ra_mode: subnet.ipv6_ra_mode,
  };
}
