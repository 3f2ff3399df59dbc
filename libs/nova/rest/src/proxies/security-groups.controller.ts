import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  NovaError,
  createSecurityGroupProxy,
  createSecurityGroupRuleProxy,
  deleteSecurityGroupProxy,
  deleteSecurityGroupRuleProxy,
  listSecurityGroupProxies,
  listServerSecurityGroups,
  showSecurityGroupProxy,
  updateSecurityGroupProxy,
} from '@nestack/nova/contract';
import {
  NETWORK_PORT,
  NETWORK_PROXY_PORT,
  Servers,
  ingressRule,
  type GroupText,
  type NetworkPort,
  type NetworkProxyPort,
  type RuleRequest,
  type SecurityGroupDetail,
} from '@nestack/nova/domain';
import { limited } from './limited';
import { securityGroupView, securityGroupViews } from './security-groups.views';

const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

/** Neutron's security groups as nova's older API shows and changes them; clients still read one by its name here. */
@Injectable()
export class SecurityGroupsController {
  constructor(
    @Inject(Servers) private readonly servers: Servers,
    @Inject(NETWORK_PORT) private readonly ofServers: NetworkPort,
    @Inject(NETWORK_PROXY_PORT) private readonly networks: NetworkProxyPort,
  ) {}

  @Handles(listSecurityGroupProxies)
  async list(request: ApiRequest) {
    const { ctx, rawQuery } = request;
    const all = rawQuery.has('all_tenants') && ctx.actor?.roles.includes('admin') === true;
    return { security_groups: limited(securityGroupViews(await this.networks.groups(ctx, all)), request) };
  }

  @Handles(showSecurityGroupProxy)
  async show(request: ApiRequest) {
    const group = await this.group(request, idOf(request));
    return { security_group: await this.view(request, group) };
  }

  @Handles(createSecurityGroupProxy)
  async create(request: ApiRequest) {
    return { security_group: await this.view(request, await this.networks.createGroup(request.ctx, textOf(request))) };
  }

  @Handles(updateSecurityGroupProxy)
  async update(request: ApiRequest) {
    const group = await this.group(request, idOf(request));
    const updated = await this.networks.updateGroup(request.ctx, group.id, textOf(request));
    return { security_group: await this.view(request, updated) };
  }

  @Handles(deleteSecurityGroupProxy)
  async delete(request: ApiRequest) {
    await this.networks.deleteGroup(request.ctx, idOf(request));
    return new ApiReply(null, { status: 202 });
  }

  @Handles(createSecurityGroupRuleProxy)
  async createRule(request: ApiRequest) {
    const { security_group_rule: asked } = request.body as { security_group_rule: RuleRequest };
    await this.group(request, asked.parent_group_id);
    if (typeof asked.group_id === 'string') await this.group(request, asked.group_id);
    const { id } = await this.networks.createRule(request.ctx, ingressRule(asked));
    const group = await this.view(request, await this.group(request, asked.parent_group_id));
    return { security_group_rule: group.rules.find((rule) => rule['id'] === id) };
  }

  @Handles(deleteSecurityGroupRuleProxy)
  async deleteRule(request: ApiRequest) {
    const id = request.params['rule_id'] ?? '';
    assertUuid(id);
    if (!(await this.networks.deleteRule(request.ctx, id))) throw NovaError.SecurityGroupRuleUnknown({ rule_id: id });
    return new ApiReply(null, { status: 202 });
  }

  @Handles(listServerSecurityGroups)
  async ofServer(request: ApiRequest) {
    const server = await this.servers.get(request.ctx, request.params['server_id'] ?? '');
    const groups = await this.ofServers.securityGroupsOf(request.ctx, server);
    return { security_groups: securityGroupViews(groups) };
  }

  private async group(request: ApiRequest, id: string): Promise<SecurityGroupDetail> {
    const group = await this.networks.group(request.ctx, id);
    if (group === null) throw NovaError.SecurityGroupUnknown({ security_group_id: id });
    return group;
  }

  /** With the names of the groups that its rules are about. */
  private async view(request: ApiRequest, group: SecurityGroupDetail) {
    const named = group.security_group_rules.some((rule) => rule.remote_group_id !== null);
    return securityGroupView(group, named ? [group, ...(await this.networks.groups(request.ctx, true))] : [group]);
  }
}

function idOf(request: ApiRequest): string {
  const id = request.params['security_group_id'] ?? '';
  assertUuid(id);
  return id;
}

function assertUuid(id: string): void {
  if (!UUID.test(id)) throw NovaError.BadRequest({ reason: 'Security group id should be uuid' });
}

function textOf(request: ApiRequest): GroupText {
  const { name, description } = (request.body as { security_group: GroupText }).security_group;
  return { name, description };
}
