import { Inject, Injectable } from '@nestjs/common';
import { Handles, nextLinks, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createSnapshot,
  deleteSnapshot,
  listSnapshots,
  listSnapshotsDetail,
  showSnapshot,
  truthy,
  updateSnapshot,
} from '@nestack/cinder/contract';
import { Snapshots } from '@nestack/cinder/domain';
import { SNAPSHOTS } from './list-kinds';
import { flagOf, listQueryOf } from './list-query';
import { snapshotView } from './views';
import { trimmed } from './volumes.controller';

const id = (request: ApiRequest): string => request.params['snapshot_id'] ?? '';

/** `/snapshots` */
@Injectable()
export class SnapshotsController {
  constructor(@Inject(Snapshots) private readonly snapshots: Snapshots) {}

  @Handles(listSnapshots)
  list(request: ApiRequest) {
    return this.page(request, '/snapshots', false);
  }

  @Handles(listSnapshotsDetail)
  listDetail(request: ApiRequest) {
    return this.page(request, '/snapshots/detail', true);
  }

  @Handles(createSnapshot)
  async create(request: RequestOf<typeof createSnapshot>) {
    const wanted = request.body.snapshot;
    const snapshot = await this.snapshots.create(request.ctx, {
      volume_id: wanted.volume_id ?? 'None',
      name: trimmed(wanted.name ?? wanted.display_name),
      description: trimmed(wanted.description ?? wanted.display_description),
      metadata: wanted.metadata ?? {},
      // From 3.66 on every snapshot may be of a volume in use.
      force: request.version.atLeast('3.66') || truthy(wanted.force ?? false),
    });
    return { snapshot: snapshotView(snapshot, request, false) };
  }

  @Handles(showSnapshot)
  async show(request: ApiRequest) {
    return { snapshot: snapshotView(await this.snapshots.show(request.ctx, id(request)), request, true) };
  }

  @Handles(updateSnapshot)
  async update(request: RequestOf<typeof updateSnapshot>) {
    const wanted = request.body.snapshot;
    const name = wanted.name === undefined ? wanted.display_name : wanted.name;
    const description = wanted.description === undefined ? wanted.display_description : wanted.description;
    const snapshot = await this.snapshots.update(request.ctx, id(request), {
      ...(name === undefined ? {} : { name: trimmed(name) }),
      ...(description === undefined ? {} : { description: trimmed(description) }),
    });
    return { snapshot: snapshotView(snapshot, request, false) };
  }

  @Handles(deleteSnapshot)
  async remove(request: ApiRequest): Promise<null> {
    await this.snapshots.remove(request.ctx, id(request), false);
    return null;
  }

  private async page(request: ApiRequest, path: string, detail: boolean) {
    const { query, allProjects, empty } = listQueryOf(request, SNAPSHOTS);
    const snapshots = empty ? [] : await this.snapshots.list(request.ctx, query, allProjects);
    const links = nextLinks(request, path, {
      count: snapshots.length,
      limit: query.limit,
      lastId: snapshots.at(-1)?.id,
    });
    const counted = request.version.atLeast('3.45') && flagOf(request.rawQuery, 'with_count');
    return {
      snapshots: snapshots.map((one) => snapshotView(one, request, detail)),
      ...(links.length === 0 ? {} : { snapshots_links: links }),
      ...(counted ? { count: await this.snapshots.count(request.ctx, query, allProjects) } : {}),
    };
  }
}
