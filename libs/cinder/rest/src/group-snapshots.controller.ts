import { Inject, Injectable } from '@nestjs/common';
import { Handles, nextLinks, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createGroupSnapshot,
  deleteGroupSnapshot,
  listGroupSnapshots,
  listGroupSnapshotsDetail,
  resetGroupSnapshotStatus,
  showGroupSnapshot,
} from '@nestack/cinder/contract';
import { GroupSnapshots, isPrivileged, type GroupSnapshot } from '@nestack/cinder/domain';
import { GROUP_SNAPSHOTS } from './list-kinds';
import { listQueryOf } from './list-query';
import { timeOf } from './views';
import { trimmed } from './volumes.controller';

const id = (request: { readonly params: Readonly<Record<string, string>> }): string =>
  request.params['group_snapshot_id'] ?? '';

/** `/group_snapshots` */
@Injectable()
export class GroupSnapshotsController {
  constructor(@Inject(GroupSnapshots) private readonly snapshots: GroupSnapshots) {}

  @Handles(listGroupSnapshots)
  list(request: ApiRequest) {
    return this.page(request, '/group_snapshots', false);
  }

  @Handles(listGroupSnapshotsDetail)
  listDetail(request: ApiRequest) {
    return this.page(request, '/group_snapshots/detail', true);
  }

  @Handles(createGroupSnapshot)
  async create(request: RequestOf<typeof createGroupSnapshot>) {
    const wanted = request.body.group_snapshot;
    const made = await this.snapshots.create(request.ctx, {
      group_id: wanted.group_id,
      name: trimmed(wanted.name),
      description: trimmed(wanted.description),
    });
    return { group_snapshot: { id: made.id, name: made.name, group_type_id: made.group_type_id } };
  }

  @Handles(showGroupSnapshot)
  async show(request: ApiRequest) {
    return { group_snapshot: detailView(request, await this.snapshots.show(request.ctx, id(request))) };
  }

  @Handles(deleteGroupSnapshot)
  async remove(request: ApiRequest): Promise<null> {
    await this.snapshots.remove(request.ctx, id(request));
    return null;
  }

  @Handles(resetGroupSnapshotStatus)
  async reset(request: RequestOf<typeof resetGroupSnapshotStatus>): Promise<null> {
    await this.snapshots.resetStatus(request.ctx, id(request), request.body.reset_status.status);
    return null;
  }

  private async page(request: ApiRequest, path: string, detail: boolean) {
    // Before 3.29 the list has no parameters at all.
    const rawQuery = request.version.atLeast('3.29') ? request.rawQuery : new URLSearchParams();
    const { query, allProjects, empty } = listQueryOf({ ...request, rawQuery }, GROUP_SNAPSHOTS);
    const found = empty ? [] : await this.snapshots.list(request.ctx, query, allProjects);
    const links = nextLinks(request, path, { count: found.length, limit: query.limit, lastId: found.at(-1)?.id });
    return {
      group_snapshots: found.map((one) => (detail ? detailView(request, one) : { id: one.id, name: one.name })),
      ...(links.length === 0 ? {} : { group_snapshot_links: links }),
    };
  }
}

/** upstream: cinder/api/v3/views/group_snapshots.py */
function detailView(request: ApiRequest, snapshot: GroupSnapshot): Record<string, unknown> {
  return {
    id: snapshot.id,
    group_id: snapshot.group_id,
    group_type_id: snapshot.group_type_id,
    status: snapshot.status,
    created_at: timeOf(snapshot.created_at),
    name: snapshot.name,
    description: snapshot.description,
    ...(request.version.atLeast('3.58') && isPrivileged(request.ctx) ? { project_id: snapshot.project_id } : {}),
  };
}
