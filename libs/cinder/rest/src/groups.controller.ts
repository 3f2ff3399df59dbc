import { Inject, Injectable } from '@nestjs/common';
import { Handles, nextLinks, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  CinderError,
  createGroup,
  createGroupFromSource,
  deleteGroup,
  disableGroupReplication,
  enableGroupReplication,
  failoverGroupReplication,
  listGroupReplicationTargets,
  listGroups,
  listGroupsDetail,
  resetGroupStatus,
  showGroup,
  truthy,
  updateGroup,
} from '@nestack/cinder/contract';
import { Groups, isPrivileged, type Group } from '@nestack/cinder/domain';
import { GROUPS } from './list-kinds';
import { flagOf, listQueryOf } from './list-query';
import { timeOf } from './views';
import { trimmed } from './volumes.controller';

const id = (request: { readonly params: Readonly<Record<string, string>> }): string => request.params['group_id'] ?? '';

/** `/groups` */
@Injectable()
export class GroupsController {
  constructor(@Inject(Groups) private readonly groups: Groups) {}

  @Handles(listGroups)
  list(request: ApiRequest) {
    return this.page(request, '/groups', false);
  }

  @Handles(listGroupsDetail)
  listDetail(request: ApiRequest) {
    return this.page(request, '/groups/detail', true);
  }

  @Handles(createGroup)
  async create(request: RequestOf<typeof createGroup>) {
    const wanted = request.body.group;
    const group = await this.groups.create(request.ctx, {
      name: trimmed(wanted.name),
      description: trimmed(wanted.description),
      group_type: wanted.group_type,
      volume_types: wanted.volume_types,
      availability_zone: wanted.availability_zone ?? null,
    });
    return { group: { id: group.id, name: group.name } };
  }

  @Handles(createGroupFromSource)
  async createFromSource(request: RequestOf<typeof createGroupFromSource>) {
    const wanted = request.body['create-from-src'];
    if ((wanted.group_snapshot_id === undefined) === (wanted.source_group_id === undefined))
      throw CinderError.InvalidInput({
        reason:
          'Invalid input for field/attribute create-from-src. Exactly one of group_snapshot_id and source_group_id is needed.',
      });
    const group = await this.groups.createFromSource(request.ctx, {
      name: trimmed(wanted.name),
      description: trimmed(wanted.description),
      group_snapshot_id: wanted.group_snapshot_id ?? null,
      source_group_id: wanted.source_group_id ?? null,
    });
    return { group: { id: group.id, name: group.name } };
  }

  @Handles(showGroup)
  async show(request: ApiRequest) {
    return { group: await this.view(request, await this.groups.show(request.ctx, id(request))) };
  }

  @Handles(updateGroup)
  async update(request: RequestOf<typeof updateGroup>): Promise<null> {
    const wanted = request.body.group;
    await this.groups.update(request.ctx, id(request), {
      name: trimmed(wanted.name),
      description: trimmed(wanted.description),
      add: idsIn(wanted.add_volumes),
      remove: idsIn(wanted.remove_volumes),
    });
    return null;
  }

  @Handles(deleteGroup)
  async remove(request: RequestOf<typeof deleteGroup>): Promise<null> {
    const { 'delete-volumes': volumes } = request.body.delete;
    await this.groups.remove(request.ctx, id(request), truthy(volumes ?? false));
    return null;
  }

  @Handles(resetGroupStatus)
  async reset(request: RequestOf<typeof resetGroupStatus>): Promise<null> {
    await this.groups.resetStatus(request.ctx, id(request), request.body.reset_status.status);
    return null;
  }

  @Handles(enableGroupReplication)
  enable(request: ApiRequest): Promise<null> {
    return this.replication(request, 'group:enable_replication');
  }

  @Handles(disableGroupReplication)
  disable(request: ApiRequest): Promise<null> {
    return this.replication(request, 'group:disable_replication');
  }

  @Handles(failoverGroupReplication)
  failover(request: ApiRequest): Promise<null> {
    return this.replication(request, 'group:failover_replication');
  }

  @Handles(listGroupReplicationTargets)
  targets(request: ApiRequest): Promise<null> {
    return this.replication(request, 'group:list_replication_targets');
  }

  private async replication(request: Pick<ApiRequest, 'ctx' | 'params'>, rule: string): Promise<null> {
    await this.groups.assertReplicated(request.ctx, id(request), rule);
    return null;
  }

  private async page(request: ApiRequest, path: string, detail: boolean) {
    const { query, allProjects, empty } = listQueryOf(request, GROUPS);
    const groups = empty ? [] : await this.groups.list(request.ctx, query, allProjects);
    const links = nextLinks(request, path, { count: groups.length, limit: query.limit, lastId: groups.at(-1)?.id });
    const volumes = detail && withVolumes(request) ? await this.groups.volumesOf(groups) : null;
    return {
      groups: groups.map((one) => (detail ? detailView(request, one, volumes) : { id: one.id, name: one.name })),
      ...(links.length === 0 ? {} : { group_links: links }),
    };
  }

  private async view(request: ApiRequest, group: Group) {
    return detailView(request, group, withVolumes(request) ? await this.groups.volumesOf([group]) : null);
  }
}

function withVolumes(request: ApiRequest): boolean {
  return request.version.atLeast('3.25') && flagOf(request.rawQuery, 'list_volume');
}

/** upstream: cinder/api/v3/views/groups.py */
function detailView(
  request: ApiRequest,
  group: Group,
  volumes: ReadonlyMap<string, readonly string[]> | null,
): Record<string, unknown> {
  const { version } = request;
  return {
    id: group.id,
    status: group.status,
    availability_zone: group.availability_zone,
    created_at: timeOf(group.created_at),
    name: group.name,
    description: group.description,
    group_type: group.group_type_id,
    volume_types: group.volume_types,
    ...(version.atLeast('3.14')
      ? { group_snapshot_id: group.group_snapshot_id, source_group_id: group.source_group_id }
      : {}),
    ...(volumes === null ? {} : { volumes: volumes.get(group.id) ?? [] }),
    ...(version.atLeast('3.38') ? { replication_status: 'disabled' } : {}),
    ...(version.atLeast('3.58') && isPrivileged(request.ctx) ? { project_id: group.project_id } : {}),
  };
}

/** Ids with commas between them. */
function idsIn(text: string | null | undefined): readonly string[] {
  const ids = (text ?? '').replace(/^,+|,+$/g, '');
  return ids === '' ? [] : ids.split(',');
}
