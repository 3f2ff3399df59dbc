import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  NovaError,
  createSnapshotProxy,
  createVolumeProxy,
  deleteSnapshotProxy,
  deleteVolumeProxy,
  isTrue,
  listSnapshotProxies,
  listSnapshotProxiesDetail,
  listVolumeProxies,
  listVolumeProxiesDetail,
  showSnapshotProxy,
  showVolumeProxy,
} from '@nestack/nova/contract';
import { VOLUME_PROXY_PORT, type VolumeProxyPort } from '@nestack/nova/domain';
import { limited } from './limited';
import { snapshotView, volumeView } from './volumes.views';

interface VolumeBody {
  readonly size: number | string;
  readonly display_name?: string;
  readonly display_description?: string;
  readonly volume_type?: string;
  readonly snapshot_id?: string;
  readonly availability_zone?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

interface SnapshotBody {
  readonly volume_id: string;
  readonly force?: unknown;
  readonly display_name?: string;
  readonly display_description?: string;
}

/** Cinder's volumes and snapshots as nova's older API shows and changes them. */
@Injectable()
export class VolumeProxiesController {
  constructor(@Inject(VOLUME_PROXY_PORT) private readonly volumes: VolumeProxyPort) {}

  @Handles(listVolumeProxies, listVolumeProxiesDetail)
  async list(request: ApiRequest) {
    return { volumes: limited(await this.volumes.volumes(request.ctx), request).map(volumeView) };
  }

  @Handles(showVolumeProxy)
  async show(request: ApiRequest) {
    const id = request.params['volume_id'] ?? '';
    const volume = await this.volumes.volume(request.ctx, id);
    if (volume === null) throw NovaError.VolumeNotFound({ volume_id: id });
    return { volume: volumeView(volume) };
  }

  @Handles(createVolumeProxy)
  async create(request: ApiRequest) {
    const {
      size,
      display_name: name,
      display_description: description,
      ...more
    } = (request.body as { volume: VolumeBody }).volume;
    if (more.snapshot_id !== undefined && (await this.volumes.snapshot(request.ctx, more.snapshot_id)) === null)
      throw NovaError.SnapshotNotFound({ snapshot_id: more.snapshot_id });
    const volume = await this.volumes.create(request.ctx, {
      size: Number(size),
      ...(name === undefined ? {} : { name }),
      ...(description === undefined ? {} : { description }),
      ...more,
    });
    const location = `${request.baseUrl}/os-volumes/${String(volume['id'])}`;
    return new ApiReply({ volume: volumeView(volume) }, { headers: { location } });
  }

  @Handles(deleteVolumeProxy)
  async delete(request: ApiRequest) {
    const id = request.params['volume_id'] ?? '';
    if (!(await this.volumes.remove(request.ctx, id))) throw NovaError.VolumeNotFound({ volume_id: id });
    return new ApiReply(null, { status: 202 });
  }

  @Handles(listSnapshotProxies, listSnapshotProxiesDetail)
  async snapshots(request: ApiRequest) {
    return { snapshots: limited(await this.volumes.snapshots(request.ctx), request).map(snapshotView) };
  }

  @Handles(showSnapshotProxy)
  async showSnapshot(request: ApiRequest) {
    const id = request.params['snapshot_id'] ?? '';
    const snapshot = await this.volumes.snapshot(request.ctx, id);
    if (snapshot === null) throw NovaError.SnapshotNotFound({ snapshot_id: id });
    return { snapshot: snapshotView(snapshot) };
  }

  @Handles(createSnapshotProxy)
  async createSnapshot(request: ApiRequest) {
    const { snapshot: asked } = request.body as { snapshot: SnapshotBody };
    const snapshot = await this.volumes.createSnapshot(request.ctx, {
      volume_id: asked.volume_id,
      force: isTrue(asked.force ?? false),
      ...(asked.display_name === undefined ? {} : { name: asked.display_name }),
      ...(asked.display_description === undefined ? {} : { description: asked.display_description }),
    });
    if (snapshot === null) throw NovaError.VolumeNotFound({ volume_id: asked.volume_id });
    return { snapshot: snapshotView(snapshot) };
  }

  @Handles(deleteSnapshotProxy)
  async deleteSnapshot(request: ApiRequest) {
    const id = request.params['snapshot_id'] ?? '';
    if (!(await this.volumes.removeSnapshot(request.ctx, id))) throw NovaError.SnapshotNotFound({ snapshot_id: id });
    return new ApiReply(null, { status: 202 });
  }
}
