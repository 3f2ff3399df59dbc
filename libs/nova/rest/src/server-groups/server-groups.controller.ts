import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, parsePage, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  createServerGroup,
  deleteServerGroup,
  listServerGroups,
  showServerGroup,
  toInteger,
  type GroupPolicy,
} from '@nestack/nova/contract';
import { ServerGroups, type ServerGroupItem } from '@nestack/nova/domain';
import { MAX_LIMIT } from '../servers/list-query';

const id = (request: ApiRequest): string => request.params['server_group_id'] ?? '';

/** `/os-server-groups` */
@Injectable()
export class ServerGroupsController {
  constructor(
    @Inject(ServerGroups) private readonly groups: ServerGroups,
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
  ) {}

  /** Others' groups are for administrators; who is none gets his own, without a word. */
  @Handles(listServerGroups)
  async list(request: ApiRequest) {
    const { rawQuery, ctx } = request;
    const all =
      rawQuery.has('all_projects') && this.policy.allows(ctx, 'os_compute_api:os-server-groups:index:all_projects');
    const { limit } = parsePage(rawQuery, { max: MAX_LIMIT });
    const groups = await this.groups.list({
      project_id: all ? null : (ctx.actor?.projectId ?? ''),
      limit: limit === 0 ? MAX_LIMIT : limit,
      offset: Number(rawQuery.getAll('offset').at(-1) ?? 0),
    });
    return { server_groups: groups.map((group) => groupView(group, request)) };
  }

  @Handles(createServerGroup)
  async create(request: ApiRequest) {
    const { server_group: wanted } = request.body as {
      server_group: {
        name: string;
        policy?: GroupPolicy;
        policies?: readonly [GroupPolicy];
        rules?: { max_server_per_host?: number | string };
      };
    };
    const most = wanted.rules?.max_server_per_host;
    const group = await this.groups.create(request.ctx, {
      name: wanted.name,
      policy: wanted.policy ?? wanted.policies?.[0] ?? 'affinity',
      rules: most === undefined ? {} : { max_server_per_host: toInteger(most) },
    });
    return { server_group: groupView(group, request) };
  }

  @Handles(showServerGroup)
  async show(request: ApiRequest) {
    return { server_group: groupView(await this.groups.show(request.ctx, id(request)), request) };
  }

  @Handles(deleteServerGroup)
  async delete(request: ApiRequest) {
    await this.groups.delete(request.ctx, id(request));
    return new ApiReply(null, { status: 204 });
  }
}

/** upstream: nova/api/openstack/compute/server_groups.py */
function groupView(group: ServerGroupItem, { version }: Pick<ApiRequest, 'version'>): Record<string, unknown> {
  return {
    id: group.uuid,
    name: group.name,
    ...(version.atLeast('2.64')
      ? { policy: group.policy, rules: group.rules }
      : { policies: [group.policy], metadata: {} }),
    members: group.members,
    ...(version.atLeast('2.13') ? { project_id: group.project_id, user_id: group.user_id } : {}),
  };
}
