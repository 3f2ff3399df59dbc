import { createHash } from 'node:crypto';
import type { RequestContext, Tx } from '@nestack/kernel/context';
import { eui64Address } from '@nestack/neutron/contract';
import { EVERYTHING, type Agent, type Network, type Port, type Subnet } from '../model';
import type { NeutronParts } from '../parts';
import type { RouterMessage } from '../ports';
import { networkOf } from '../subnets/subnet-plan';
import { Addressing } from './addressing';
import { OWNER, isRouterInterface } from './owners';
import type { PortMaker } from './port-maker';
import type { PortNews } from './port-news';

/** The device of a DHCP server's port: the same for a host and network always. upstream: neutron_lib/utils/net or agent/linux/dhcp.py */
export function dhcpDeviceId(host: string, networkId: string): string {
  // RFC 4122's name-based UUID in the DNS namespace.
  const namespace = Buffer.from('6ba7b8109dad11d180b400c04fd430c8', 'hex');
  const digest = createHash('sha1').update(namespace).update(host).digest();
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x50, 6);
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = digest.toString('hex').slice(0, 32);
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  return `dhcp${uuid}-${networkId}`;
}

/**
 * Which host serves DHCP on a network, and the server's own port. Decided in the transaction of what makes it necessary, so that
 * no network is ever without a server because a message was lost.
 */
export class DhcpScheduling {
  private readonly addressing: Addressing;

  constructor(
    private readonly parts: NeutronParts,
    private readonly maker: PortMaker,
    private readonly news: PortNews,
  ) {
    this.addressing = new Addressing(parts.ports);
  }

  /** The subnets of a network changed: its DHCP servers get an address in each, or go when none needs them any more. */
  async subnetChanged(ctx: RequestContext, tx: Tx, network: Network): Promise<void> {
    const { parts } = this;
    const subnets = await parts.subnets.ofNetwork(tx, network.id);
    const served = subnets.filter((one) => one.enable_dhcp);
    const agents = await parts.agents.dhcpAgents(tx, network.id);
    if (served.length === 0) {
      for (const agent of agents) await this.unschedule(ctx, tx, network, agent);
      return;
    }
    if (agents.length === 0) {
      const physical = network['provider:physical_network'];
      const agent = await parts.agents.pickDhcp(tx, network.availability_zone_hints, physical);
      if (agent !== null) await this.schedule(ctx, tx, network, agent, subnets);
      return;
    }
    for (const agent of agents) {
      await this.ensurePort(ctx, tx, network, agent, subnets);
      await this.tell(ctx, tx, network, agent);
    }
  }

  /** Gives a network to an agent; false when it has it already. */
  async schedule(
    ctx: RequestContext,
    tx: Tx,
    network: Network,
    agent: Agent,
    known?: readonly Subnet[],
  ): Promise<boolean> {
    if (!(await this.parts.agents.bindDhcp(tx, network.id, agent.id))) return false;
    const subnets = known ?? (await this.parts.subnets.ofNetwork(tx, network.id));
    await this.ensurePort(ctx, tx, network, agent, subnets);
    await this.tell(ctx, tx, network, agent);
    return true;
  }

  /** Takes a network away from an agent, its port with it; false when it had it not. */
  async unschedule(ctx: RequestContext, tx: Tx, network: Network, agent: Agent): Promise<boolean> {
    const { parts } = this;
    if (!(await parts.agents.unbindDhcp(tx, network.id, agent.id))) return false;
    for (const port of await this.portsOf(tx, network.id, agent.host)) {
      await this.news.removed(ctx, tx, port);
      await parts.ports.remove(tx, port.id);
    }
    await this.tell(ctx, tx, network, agent);
    return true;
  }

  /** Networks that nobody serves go to agents that came. */
  async adopt(ctx: RequestContext, tx: Tx, networkIds: readonly string[]): Promise<void> {
    for (const id of networkIds) {
      const network = await this.parts.networks.find(tx, id, EVERYTHING, { lock: 'change' });
      if (network !== null) await this.subnetChanged(ctx, tx, network);
    }
  }

  /** Every port but routers' gets the address that its host makes itself in a new subnet. */
  async addAutoAddresses(ctx: RequestContext, tx: Tx, network: Network, subnet: Subnet): Promise<void> {
    for (const port of await this.parts.ports.onNetwork(tx, network.id)) {
      if (isRouterInterface(port.device_owner) || port.fixed_ips.length === 0) continue;
      const ip = eui64Address(networkOf(subnet.cidr), port.mac_address);
      await this.parts.ports.takeThisAddress(tx, subnet.id, port.id, port.fixed_ips.length, ip);
      const after: Port = { ...port, fixed_ips: [...port.fixed_ips, { subnet_id: subnet.id, ip_address: ip }] };
      await this.parts.ports.update(tx, port.id, {}, this.parts.clock.now());
      await this.news.changed(ctx, tx, port, { ...after, revision_number: after.revision_number + 1 });
    }
  }

  /** Tells the hosts of routers that something of theirs changed. */
  async routersOf(ctx: RequestContext, tx: Tx, routerIds: readonly string[]): Promise<void> {
    for (const id of routerIds) {
      const agent = await this.parts.agents.l3Agent(tx, id);
      if (agent === null) continue;
      const message: RouterMessage = { method: 'routers_updated', host: agent.host, args: { routers: [id] } };
      await this.parts.messages.add(ctx, tx, { agents: [message] });
    }
  }

  /** The server's port on a host, with an address in each subnet that wants DHCP and in no other. */
  private async ensurePort(
    ctx: RequestContext,
    tx: Tx,
    network: Network,
    agent: Agent,
    subnets: readonly Subnet[],
  ): Promise<void> {
    const { parts } = this;
    const served = subnets.filter((one) => one.enable_dhcp);
    const [port] = await this.portsOf(tx, network.id, agent.host);
    const asked = served.map((one) => ({ subnet_id: one.id }));
    if (port === undefined) {
      const made = await this.maker.make(tx, {
        network,
        subnets: served,
        project_id: network.project_id,
        device_id: dhcpDeviceId(agent.host, network.id),
        device_owner: OWNER.dhcp,
        port_security_enabled: false,
        fixed_ips: asked,
        host: agent.host,
      });
      await this.news.made(ctx, tx, made);
      return;
    }
    const has = new Set(port.fixed_ips.map((one) => one.subnet_id));
    if (has.size === served.length && served.every((one) => has.has(one.id))) return;
    const ips = await this.addressing.change(tx, port, served, asked);
    await parts.ports.update(tx, port.id, {}, parts.clock.now());
    await this.news.changed(ctx, tx, port, { ...port, fixed_ips: ips, revision_number: port.revision_number + 1 });
  }

  private async portsOf(tx: Tx, networkId: string, host: string): Promise<Port[]> {
    const ports = await this.parts.ports.onNetwork(tx, networkId, OWNER.dhcp);
    return ports.filter((one) => one.device_id === dhcpDeviceId(host, networkId));
  }

  private async tell(ctx: RequestContext, tx: Tx, network: Network, agent: Agent): Promise<void> {
    const message = { method: 'network_update_end', host: agent.host, args: { network_id: network.id } } as const;
    await this.parts.messages.add(ctx, tx, { agents: [message] });
  }
}
