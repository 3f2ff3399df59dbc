import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { orNull, type ApiClient, type ApiClients } from '@nestack/kernel/http';
import {
  createFloatingIp,
  createSecurityGroup,
  createSecurityGroupRule,
  deleteFloatingIp,
  deleteSecurityGroup,
  deleteSecurityGroupRule,
  listFloatingIps,
  listNetworks,
  listSecurityGroups,
  neutronApi,
  showFloatingIp,
  showSecurityGroup,
  updateFloatingIp,
  updatePort,
  updateSecurityGroup,
} from '@nestack/neutron/contract';
import { NovaError } from '@nestack/nova/contract';
import type {
  FloatingIp,
  FloatingPool,
  GroupText,
  NetworkProxyPort,
  NewRule,
  SecurityGroupDetail,
} from '@nestack/nova/domain';

/** Neutron behind nova's older network APIs. */
export class NetworkProxyClient implements NetworkProxyPort {
  private readonly api: ApiClient;

  constructor(clients: ApiClients) {
    this.api = clients.client(neutronApi);
  }

  async pools(ctx: RequestContext): Promise<readonly FloatingPool[]> {
    const query = { 'router:external': 'true', fields: ['id', 'name'] };
    const { networks } = await this.api.call(ctx, listNetworks, { query }, 'user');
    return networks as unknown as readonly FloatingPool[];
  }

  floatingIps(ctx: RequestContext): Promise<readonly FloatingIp[]> {
    return this.addresses(ctx, { project_id: ctx.actor?.projectId ?? '' });
  }

  async floatingIp(ctx: RequestContext, id: string): Promise<FloatingIp | null> {
    const answer = await orNull(this.api.call(ctx, showFloatingIp, { params: { floatingip_id: id } }, 'user'));
    return answer === null ? null : (answer.floatingip as unknown as FloatingIp);
  }

  floatingIpsAt(ctx: RequestContext, address: string): Promise<readonly FloatingIp[]> {
    return this.addresses(ctx, { floating_ip_address: address });
  }

  async allocate(ctx: RequestContext, networkId: string): Promise<FloatingIp> {
    const body = { floatingip: { floating_network_id: networkId } };
    const answer = await this.api.call(ctx, createFloatingIp, { body }, 'user');
    return (answer as unknown as { floatingip: FloatingIp }).floatingip;
  }

  async associate(
    ctx: RequestContext,
    id: string,
    to: { readonly port_id: string; readonly fixed_ip_address: string } | null,
  ): Promise<void> {
    const body = { floatingip: to ?? { port_id: null } };
    await this.api.call(ctx, updateFloatingIp, { params: { floatingip_id: id }, body }, 'user');
  }

  async setFixedIps(
    ctx: RequestContext,
    portId: string,
    ips: readonly { readonly subnet_id: string; readonly ip_address?: string }[],
  ): Promise<void> {
    const body = { port: { fixed_ips: ips.map((ip) => ({ ...ip })) } };
    await this.api.call(ctx, updatePort, { params: { port_id: portId }, body }, 'user');
  }

  async release(ctx: RequestContext, id: string): Promise<boolean> {
    const released = this.api.call(ctx, deleteFloatingIp, { params: { floatingip_id: id } }, 'user');
    return (await orNull(released.then(() => true))) ?? false;
  }

  async groups(ctx: RequestContext, allProjects: boolean): Promise<readonly SecurityGroupDetail[]> {
    const query: Record<string, string> = allProjects ? {} : { project_id: ctx.actor?.projectId ?? '' };
    const { security_groups: groups } = await this.api.call(ctx, listSecurityGroups, { query }, 'user');
    return groups as unknown as readonly SecurityGroupDetail[];
  }

  async group(ctx: RequestContext, id: string): Promise<SecurityGroupDetail | null> {
    const answer = await orNull(this.api.call(ctx, showSecurityGroup, { params: { security_group_id: id } }, 'user'));
    return answer === null ? null : (answer.security_group as unknown as SecurityGroupDetail);
  }

  async createGroup(ctx: RequestContext, group: GroupText): Promise<SecurityGroupDetail> {
    const answer = await inWords(
      this.api.call(ctx, createSecurityGroup, { body: { security_group: { ...group } } }, 'user'),
    );
    return (answer as unknown as { security_group: SecurityGroupDetail }).security_group;
  }

  async updateGroup(ctx: RequestContext, id: string, group: GroupText): Promise<SecurityGroupDetail> {
    const call = { params: { security_group_id: id }, body: { security_group: { ...group } } };
    const answer = await inWords(this.api.call(ctx, updateSecurityGroup, call, 'user'), id);
    return answer.security_group as unknown as SecurityGroupDetail;
  }

  async deleteGroup(ctx: RequestContext, id: string): Promise<void> {
    try {
      await this.api.call(ctx, deleteSecurityGroup, { params: { security_group_id: id } }, 'user');
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'conflict')
        throw NovaError.BadRequest({ reason: error.message }, { cause: error });
      throw inGroupsWords(error, id);
    }
  }

  async createRule(ctx: RequestContext, rule: NewRule): Promise<{ readonly id: string }> {
    const body = {
      security_group_rule: {
        ...rule,
        direction: 'ingress',
        ethertype: rule.remote_ip_prefix?.includes(':') === true ? 'IPv6' : 'IPv4',
      },
    };
    try {
      const answer = await this.api.call(ctx, createSecurityGroupRule, { body }, 'user');
      return (answer as unknown as { security_group_rule: { id: string } }).security_group_rule;
    } catch (error) {
      if (error instanceof DomainError && error.code === 'SecurityGroupRuleExists')
        throw NovaError.BadRequest({ reason: `This rule already exists in group ${rule.security_group_id}` });
      throw inGroupsWords(error, rule.security_group_id);
    }
  }

  async deleteRule(ctx: RequestContext, id: string): Promise<boolean> {
    const deleted = this.api.call(ctx, deleteSecurityGroupRule, { params: { security_group_rule_id: id } }, 'user');
    return (await orNull(deleted.then(() => true))) ?? false;
  }

  private async addresses(
    ctx: RequestContext,
    query: Readonly<Record<string, string>>,
  ): Promise<readonly FloatingIp[]> {
    const { floatingips } = await this.api.call(ctx, listFloatingIps, { query }, 'user');
    return floatingips as unknown as readonly FloatingIp[];
  }
}

async function inWords<T>(call: Promise<T>, groupId = ''): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw inGroupsWords(error, groupId);
  }
}

/** Neutron's refusal of a group or rule as nova tells it: a quota is 403 there. */
function inGroupsWords(error: unknown, groupId: string): unknown {
  if (!(error instanceof DomainError)) return error;
  if (error.code === 'OverQuota') return NovaError.SecurityGroupLimitExceeded();
  if (error.kind === 'notFound') return NovaError.SecurityGroupUnknown({ security_group_id: groupId });
  if (error.kind === 'badRequest' || error.kind === 'conflict') return NovaError.BadRequest({ reason: error.message });
  return error;
}
