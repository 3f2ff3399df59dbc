import { Inject, Injectable } from '@nestjs/common';
import { Handles, parsePage, parseSort, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  CinderError,
  manageableSnapshots,
  manageableVolumes,
  osSnapshotManage,
  osVolumeManage,
  truthy,
  unmanageSnapshot,
  unmanageVolume,
} from '@nestack/cinder/contract';
import { Manage, type Manageable } from '@nestack/cinder/domain';
import { MAX_LIMIT, offsetOf } from './list-query';
import { snapshotView, volumeView } from './views';
import { trimmed } from './volumes.controller';

type ManageVolume = RequestOf<typeof manageableVolumes.manage>;
type ManageSnapshot = RequestOf<typeof manageableSnapshots.manage>;

/** `/os-volume-manage`, `/os-snapshot-manage`, and their newer names since 3.8. */
@Injectable()
export class ManageController {
  constructor(@Inject(Manage) private readonly manage: Manage) {}

  @Handles(osVolumeManage.list)
  volumesOld(request: ApiRequest) {
    return this.volumes(request);
  }

  @Handles(manageableVolumes.list)
  async volumes(request: ApiRequest) {
    const found = await this.page(request, 'volume');
    return { 'manageable-volumes': found.map((one) => summaryOf(one, 'volume')) };
  }

  @Handles(osVolumeManage.listDetail)
  volumesDetailOld(request: ApiRequest) {
    return this.volumesDetail(request);
  }

  @Handles(manageableVolumes.listDetail)
  async volumesDetail(request: ApiRequest) {
    const found = await this.page(request, 'volume');
    return { 'manageable-volumes': found.map((one) => detailOf(one, 'volume')) };
  }

  @Handles(osSnapshotManage.list)
  snapshotsOld(request: ApiRequest) {
    return this.snapshots(request);
  }

  @Handles(manageableSnapshots.list)
  async snapshots(request: ApiRequest) {
    const found = await this.page(request, 'snapshot');
    return { 'manageable-snapshots': found.map((one) => summaryOf(one, 'snapshot')) };
  }

  @Handles(osSnapshotManage.listDetail)
  snapshotsDetailOld(request: ApiRequest) {
    return this.snapshotsDetail(request);
  }

  @Handles(manageableSnapshots.listDetail)
  async snapshotsDetail(request: ApiRequest) {
    const found = await this.page(request, 'snapshot');
    return { 'manageable-snapshots': found.map((one) => detailOf(one, 'snapshot')) };
  }

  @Handles(osVolumeManage.manage)
  manageVolumeOld(request: RequestOf<typeof osVolumeManage.manage>) {
    return this.manageVolume(request);
  }

  @Handles(manageableVolumes.manage)
  async manageVolume(request: ManageVolume) {
    const wanted = request.body.volume;
    const volume = await this.manage.volume(request.ctx, {
      host: hostIn(wanted.host ?? null, wanted.cluster ?? null),
      ref: wanted.ref,
      name: trimmed(wanted.name),
      description: trimmed(wanted.description),
      volume_type: wanted.volume_type === '' ? null : (wanted.volume_type ?? null),
      metadata: wanted.metadata ?? {},
      availability_zone: wanted.availability_zone === '' ? null : (wanted.availability_zone ?? null),
      bootable: truthy(wanted.bootable ?? false),
    });
    return { volume: volumeView(volume, request) };
  }

  @Handles(osSnapshotManage.manage)
  manageSnapshotOld(request: RequestOf<typeof osSnapshotManage.manage>) {
    return this.manageSnapshot(request);
  }

  @Handles(manageableSnapshots.manage)
  async manageSnapshot(request: ManageSnapshot) {
    const wanted = request.body.snapshot;
    const snapshot = await this.manage.snapshot(request.ctx, {
      volume_id: wanted.volume_id,
      ref: wanted.ref,
      name: trimmed(wanted.name),
      description: trimmed(wanted.description),
      metadata: wanted.metadata ?? {},
    });
    return { snapshot: snapshotView(snapshot, request, false) };
  }

  @Handles(unmanageVolume)
  async unmanageVolume(request: ApiRequest): Promise<null> {
    await this.manage.unmanageVolume(request.ctx, request.params['volume_id'] ?? '');
    return null;
  }

  @Handles(unmanageSnapshot)
  async unmanageSnapshot(request: ApiRequest): Promise<null> {
    await this.manage.unmanageSnapshot(request.ctx, request.params['snapshot_id'] ?? '');
    return null;
  }

  /** Sorted and cut here: the backend tells all that it has. upstream: cinder/volume/volume_utils.py paginate_entries_list */
  private async page(request: ApiRequest, kind: 'volume' | 'snapshot'): Promise<readonly Manageable[]> {
    const { rawQuery: raw } = request;
    const host = hostIn(raw.get('host'), raw.get('cluster'));
    const page = parsePage(raw, { max: MAX_LIMIT });
    const sort = parseSort(raw, {
      allowed: ['reference', 'size'],
      defaults: [{ key: 'reference', direction: 'desc' }],
    });
    const found = [...(await this.manage.list(request.ctx, host, kind))].sort((a, b) => {
      for (const { key, direction } of sort) {
        const order = key === 'size' ? a.size - b.size : a.name < b.name ? -1 : Number(a.name > b.name);
        if (order !== 0) return direction === 'asc' ? order : -order;
      }
      return 0;
    });
    const at = page.marker === null ? -1 : found.findIndex((one) => page.marker?.includes(one.name) === true);
    if (page.marker !== null && at < 0) throw CinderError.InvalidInput({ reason: `marker not found: ${page.marker}` });
    const start = at + 1 + offsetOf(raw);
    return found.slice(start, start + page.limit);
  }
}

function hostIn(host: string | null, cluster: string | null): string {
  if (host !== null && cluster !== null)
    throw CinderError.InvalidInput({ reason: 'Host and cluster cannot both be given.' });
  if (cluster !== null) throw CinderError.NamedHostUnavailable({ reason: `Cluster '${cluster}' not found` });
  if (host === null) throw CinderError.InvalidInput({ reason: 'Either host or cluster must be specified.' });
  return host;
}

function summaryOf(one: Manageable, kind: 'volume' | 'snapshot'): Record<string, unknown> {
  return {
    reference: { 'source-name': kind === 'volume' ? `volume-${one.name}` : `_snapshot-${one.name}` },
    size: one.size,
    safe_to_manage: one.cinder_id === null,
    // Copies do not know what they were made of.
    ...(kind === 'snapshot' ? { source_reference: null } : {}),
  };
}

function detailOf(one: Manageable, kind: 'volume' | 'snapshot'): Record<string, unknown> {
  return {
    ...summaryOf(one, kind),
    reason_not_safe: one.cinder_id === null ? null : 'already managed',
    cinder_id: one.cinder_id,
    extra_info: null,
  };
}
