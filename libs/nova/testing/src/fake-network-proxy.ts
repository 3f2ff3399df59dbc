import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { newUuid } from '@nestack/kernel/ids';
import { NovaError } from '@nestack/nova/contract';
import type { FloatingIp, GroupText, NetworkProxyPort, NewRule, SecurityGroupDetail } from '@nestack/nova/domain';
import type { FakeNetworks } from './fake-networks';

type Own = FloatingIp & { readonly project_id: string };

/** The fake neutron's floating IPs and security groups as their owners see them. */
export class FakeNetworkProxy implements NetworkProxyPort {
  readonly pool = { id: newUuid(), name: 'public' };
  private readonly addresses = new Map<string, Own>();
  private last = 9;

  constructor(private readonly neutron: FakeNetworks) {}

  pools() {
    return Promise.resolve([this.pool]);
  }

  floatingIps(ctx: RequestContext): Promise<readonly FloatingIp[]> {
    return Promise.resolve(this.visible(ctx));
  }

  floatingIp(ctx: RequestContext, id: string): Promise<FloatingIp | null> {
    return Promise.resolve(this.visible(ctx).find((one) => one.id === id) ?? null);
  }

  floatingIpsAt(ctx: RequestContext, address: string): Promise<readonly FloatingIp[]> {
    return Promise.resolve(this.visible(ctx).filter((one) => one.floating_ip_address === address));
  }

  allocate(ctx: RequestContext, networkId: string): Promise<FloatingIp> {
    const ip: Own = {
      id: newUuid(),
      project_id: projectOf(ctx),
      floating_network_id: networkId,
      floating_ip_address: `172.24.4.${String((this.last += 1))}`,
      fixed_ip_address: null,
      port_id: null,
      port_details: null,
    };
    this.addresses.set(ip.id, ip);
    return Promise.resolve(ip);
  }

  associate(
    ctx: RequestContext,
    id: string,
    to: { readonly port_id: string; readonly fixed_ip_address: string } | null,
  ): Promise<void> {
    const ip = this.visible(ctx).find((one) => one.id === id);
    const port = this.neutron.ports.get(to?.port_id ?? '');
    const details = port === undefined ? null : { device_id: port.device_id };
    if (ip !== undefined)
      this.addresses.set(id, { ...ip, port_id: null, fixed_ip_address: null, ...to, port_details: details });
    return Promise.resolve();
  }

  release(ctx: RequestContext, id: string): Promise<boolean> {
    return Promise.resolve(this.visible(ctx).some((one) => one.id === id) && this.addresses.delete(id));
  }

  setFixedIps(
    _ctx: RequestContext,
    portId: string,
    ips: readonly { readonly subnet_id: string; readonly ip_address?: string }[],
  ): Promise<void> {
    this.neutron.setIps(
      portId,
      ips.map((ip) => ip.ip_address ?? null),
    );
    return Promise.resolve();
  }

  groups(ctx: RequestContext, allProjects: boolean): Promise<readonly SecurityGroupDetail[]> {
    const groups = [...this.neutron.groups.values()];
    return Promise.resolve(groups.filter((one) => allProjects || one.project_id === projectOf(ctx)));
  }

  async group(ctx: RequestContext, id: string): Promise<SecurityGroupDetail | null> {
    return (await this.groups(ctx, false)).find((one) => one.id === id) ?? null;
  }

  createGroup(ctx: RequestContext, text: GroupText): Promise<SecurityGroupDetail> {
    const group = { ...text, id: newUuid(), project_id: projectOf(ctx), security_group_rules: [] };
    this.neutron.groups.set(group.id, group);
    return Promise.resolve(group);
  }

  updateGroup(ctx: RequestContext, id: string, text: GroupText): Promise<SecurityGroupDetail> {
    const group = { ...this.known(ctx, id), ...text };
    this.neutron.groups.set(id, group);
    return Promise.resolve(group);
  }

  deleteGroup(ctx: RequestContext, id: string): Promise<void> {
    this.neutron.groups.delete(this.known(ctx, id).id);
    return Promise.resolve();
  }

  createRule(ctx: RequestContext, { security_group_id, ...rule }: NewRule): Promise<{ readonly id: string }> {
    const group = this.known(ctx, security_group_id);
    if (rule.remote_group_id !== null) this.known(ctx, rule.remote_group_id);
    const made = { ...rule, id: newUuid(), direction: 'ingress' as const };
    const security_group_rules = [...group.security_group_rules, made];
    this.neutron.groups.set(group.id, { ...group, security_group_rules });
    return Promise.resolve(made);
  }

  deleteRule(ctx: RequestContext, id: string): Promise<boolean> {
    const group = [...this.neutron.groups.values()].find((one) => one.security_group_rules.some((r) => r.id === id));
    if (group === undefined || group.project_id !== projectOf(ctx)) return Promise.resolve(false);
    const security_group_rules = group.security_group_rules.filter((rule) => rule.id !== id);
    this.neutron.groups.set(group.id, { ...group, security_group_rules });
    return Promise.resolve(true);
  }

  private visible(ctx: RequestContext): Own[] {
    return [...this.addresses.values()].filter((one) => one.project_id === projectOf(ctx));
  }

  private known(ctx: RequestContext, id: string): SecurityGroupDetail {
    const group = this.neutron.groups.get(id);
    if (group === undefined || group.project_id !== projectOf(ctx))
      throw NovaError.SecurityGroupUnknown({ security_group_id: id });
    return group;
  }
}

function projectOf(ctx: RequestContext): string {
  const project = ctx.actor?.projectId;
  if (typeof project !== 'string')
    throw new DomainError({ kind: 'forbidden', code: 'Forbidden', message: 'no project' });
  return project;
}
