import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  CinderError,
  addSnapshotMetadata,
  deleteSnapshotMetadataItem,
  forceDeleteSnapshot,
  replaceSnapshotMetadata,
  resetSnapshotStatus,
  setSnapshotMetadataItem,
  showSnapshotMetadata,
  showSnapshotMetadataItem,
  updateSnapshotStatus,
} from '@nestack/cinder/contract';
import { Snapshots } from '@nestack/cinder/domain';
import { assertOneItem } from './volumes.controller';

const id = (request: { readonly params: Readonly<Record<string, string>> }): string =>
  request.params['snapshot_id'] ?? '';
const key = (request: { readonly params: Readonly<Record<string, string>> }): string => request.params['key'] ?? '';

/** `/snapshots/{id}/metadata` and `/snapshots/{id}/action` */
@Injectable()
export class SnapshotDetailsController {
  constructor(@Inject(Snapshots) private readonly snapshots: Snapshots) {}

  @Handles(showSnapshotMetadata)
  async metadata(request: ApiRequest) {
    return { metadata: (await this.snapshots.show(request.ctx, id(request))).metadata };
  }

  @Handles(addSnapshotMetadata)
  async addMetadata(request: RequestOf<typeof addSnapshotMetadata>) {
    return { metadata: await this.snapshots.setMetadata(request.ctx, id(request), request.body.metadata, false) };
  }

  @Handles(replaceSnapshotMetadata)
  async replaceMetadata(request: RequestOf<typeof replaceSnapshotMetadata>) {
    return { metadata: await this.snapshots.setMetadata(request.ctx, id(request), request.body.metadata, true) };
  }

  @Handles(showSnapshotMetadataItem)
  async metadataItem(request: ApiRequest) {
    const value = (await this.snapshots.show(request.ctx, id(request))).metadata[key(request)];
    if (value === undefined)
      throw CinderError.SnapshotMetadataNotFound({ snapshot_id: id(request), metadata_key: key(request) });
    return { meta: { [key(request)]: value } };
  }

  @Handles(setSnapshotMetadataItem)
  async setMetadataItem(request: RequestOf<typeof setSnapshotMetadataItem>) {
    const { meta } = request.body;
    assertOneItem(meta, key(request));
    await this.snapshots.setMetadata(request.ctx, id(request), meta, false);
    return { meta };
  }

  @Handles(deleteSnapshotMetadataItem)
  async deleteMetadataItem(request: ApiRequest): Promise<null> {
    await this.snapshots.removeMetadata(request.ctx, id(request), key(request));
    return null;
  }

  @Handles(resetSnapshotStatus)
  async reset(request: RequestOf<typeof resetSnapshotStatus>): Promise<null> {
    await this.snapshots.resetStatus(request.ctx, id(request), request.body['os-reset_status'].status);
    return null;
  }

  @Handles(forceDeleteSnapshot)
  async forceDelete(request: ApiRequest): Promise<null> {
    await this.snapshots.remove(request.ctx, id(request), true);
    return null;
  }

  @Handles(updateSnapshotStatus)
  async updateStatus(request: RequestOf<typeof updateSnapshotStatus>): Promise<null> {
    const { status, progress } = request.body['os-update_snapshot_status'];
    if (progress !== undefined && progress !== null && !/^(100|\d{1,2})%$/.test(progress))
      throw CinderError.InvalidInput({ reason: 'snapshot progress must be an integer percentage' });
    await this.snapshots.updateStatus(request.ctx, id(request), status, progress ?? null);
    return null;
  }
}
