import type { RequestContext, Tx } from '@nestack/kernel/context';
import type { DhcpPort } from '@nestack/neutron/contract';
import type { Port } from '../model';
import type { AgentMessage, ComputeEvent, RouterMessage } from '../ports';
import type { NeutronParts } from '../parts';
import { isCompute } from './owners';

/** A port as its network's DHCP server knows it. */
export function dhcpPortOf(port: Port): DhcpPort {
  return {
    id: port.id,
    network_id: port.network_id,
    project_id: port.project_id,
    mac_address: port.mac_address,
    fixed_ips: [...port.fixed_ips],
    device_id: port.device_id,
    device_owner: port.device_owner,
    extra_dhcp_opts: port.extra_dhcp_opts.map((one) => ({ ...one })),
    dns_name: port.dns_name,
    revision_number: port.revision_number,
  };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Collects what others have to know of changed ports, and sends it with the transaction. */
export class PortNews {
  constructor(private readonly parts: NeutronParts) {}

  async made(ctx: RequestContext, tx: Tx, port: Port): Promise<void> {
    await this.changed(ctx, tx, null, port);
  }

  /** `before` null: the port is new. */
  async changed(ctx: RequestContext, tx: Tx, before: Port | null, after: Port): Promise<void> {
    const host = after['binding:host_id'];
    const oldHost = before?.['binding:host_id'] ?? '';
    const moved = host !== oldHost;
    const addressed =
      before === null || !same(before.fixed_ips, after.fixed_ips) || before.mac_address !== after.mac_address;
    const grouped = before === null || !same(before.security_groups, after.security_groups);
    const audience = await this.audience(
      tx,
      after,
      [
        ...(addressed || grouped ? after.security_groups : []),
        ...(addressed || grouped ? (before?.security_groups ?? []) : []),
      ],
      moved ? [host, oldHost] : [],
    );
    const agents: (AgentMessage | RouterMessage)[] = [];
    if (host !== '') agents.push({ method: 'port_update', host, args: { port_id: after.id } });
    if (moved && oldHost !== '') agents.push({ method: 'port_update', host: oldHost, args: { port_id: after.id } });
    if (audience.spread) agents.push({ method: 'network_update', args: { network_id: after.network_id } });
    for (const dhcpHost of audience.dhcpHosts)
      agents.push({ method: 'port_update_end', host: dhcpHost, args: { port: dhcpPortOf(after) } });
    if (audience.groups.length > 0)
      agents.push({ method: 'security_groups_member_updated', args: { security_groups: [...audience.groups] } });
    const compute: ComputeEvent[] = [];
    if (before !== null && addressed && isCompute(after) && before.device_id === after.device_id)
      compute.push({ name: 'network-changed', server_uuid: after.device_id, tag: after.id, status: 'completed' });
    await this.parts.messages.add(ctx, tx, { agents, compute });
  }

  async removed(ctx: RequestContext, tx: Tx, port: Port): Promise<void> {
    const host = port['binding:host_id'];
    const audience = await this.audience(tx, port, port.security_groups, [host]);
    const agents: (AgentMessage | RouterMessage)[] = [];
    if (host !== '') agents.push({ method: 'port_delete', host, args: { port_id: port.id } });
    if (audience.spread) agents.push({ method: 'network_update', args: { network_id: port.network_id } });
    for (const dhcpHost of audience.dhcpHosts)
      agents.push({
        method: 'port_delete_end',
        host: dhcpHost,
        args: { network_id: port.network_id, port_id: port.id },
      });
    if (audience.groups.length > 0)
      agents.push({ method: 'security_groups_member_updated', args: { security_groups: [...audience.groups] } });
    const compute: ComputeEvent[] = isCompute(port)
      ? [{ name: 'network-vif-deleted', server_uuid: port.device_id, tag: port.id, status: 'completed' }]
      : [];
    await this.parts.messages.add(ctx, tx, { agents, compute });
  }

  /** The port works, or no longer: nova waits for the former. */
  async status(ctx: RequestContext, tx: Tx, port: Port): Promise<void> {
    if (!isCompute(port)) return;
    const name = port.status === 'ACTIVE' ? 'network-vif-plugged' : 'network-vif-unplugged';
    await this.parts.messages.add(ctx, tx, {
      compute: [{ name, server_uuid: port.device_id, tag: port.id, status: 'completed' }],
    });
  }

  private async audience(tx: Tx, port: Port, groups: readonly string[], hosts: readonly string[]) {
    return this.parts.ports.audience(tx, {
      network_id: port.network_id,
      port_id: port.id,
      groups: [...new Set(groups)],
      hosts: hosts.filter((host) => host !== ''),
    });
  }
}
