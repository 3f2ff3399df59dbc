import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  CinderError,
  attachVolume,
  beginDetaching,
  completeVolumeMigration,
  detachVolume,
  extendVolume,
  forceDeleteVolume,
  forceDetachVolume,
  initializeConnection,
  migrateVolume,
  reserveVolume,
  resetVolumeStatus,
  retypeVolume,
  revertVolume,
  reimageVolume,
  rollDetaching,
  setBootable,
  setImageMetadata,
  setReadonly,
  showImageMetadata,
  terminateConnection,
  truthy,
  unreserveVolume,
  unsetImageMetadata,
  uploadVolumeImage,
} from '@nestack/cinder/contract';
import { Reimages, VolumeActions, VolumeMoves, Volumes } from '@nestack/cinder/domain';
import { timeOf } from './views';

const id = (request: { readonly params: Readonly<Record<string, string>> }): string =>
  request.params['volume_id'] ?? '';

/** `POST /volumes/{id}/action` */
@Injectable()
export class VolumeActionsController {
  constructor(
    @Inject(VolumeActions) private readonly actions: VolumeActions,
    @Inject(VolumeMoves) private readonly moves: VolumeMoves,
    @Inject(Volumes) private readonly volumes: Volumes,
    @Inject(Reimages) private readonly reimages: Reimages,
  ) {}

  @Handles(reserveVolume)
  async reserve(request: ApiRequest): Promise<null> {
    await this.actions.reserve(request.ctx, id(request));
    return null;
  }

  @Handles(unreserveVolume)
  async unreserve(request: ApiRequest): Promise<null> {
    await this.actions.unreserve(request.ctx, id(request));
    return null;
  }

  @Handles(beginDetaching)
  async beginDetaching(request: ApiRequest): Promise<null> {
    await this.actions.beginDetaching(request.ctx, id(request));
    return null;
  }

  @Handles(rollDetaching)
  async rollDetaching(request: ApiRequest): Promise<null> {
    await this.actions.rollDetaching(request.ctx, id(request));
    return null;
  }

  @Handles(attachVolume)
  async attach(request: RequestOf<typeof attachVolume>): Promise<null> {
    const about = request.body['os-attach'];
    const target = { instance_uuid: about.instance_uuid ?? null, host_name: about.host_name ?? null };
    if (target.instance_uuid === null && target.host_name === null)
      throw CinderError.InvalidInput({ reason: 'Invalid request to attach volume to an invalid target' });
    await this.actions.attach(request.ctx, id(request), {
      ...target,
      mountpoint: about.mountpoint ?? null,
      mode: about.mode ?? 'rw',
    });
    return null;
  }

  @Handles(detachVolume)
  async detach(request: RequestOf<typeof detachVolume>): Promise<null> {
    await this.actions.detach(request.ctx, id(request), request.body['os-detach']?.attachment_id ?? null, false);
    return null;
  }

  @Handles(forceDetachVolume)
  async forceDetach(request: RequestOf<typeof forceDetachVolume>): Promise<null> {
    await this.actions.detach(request.ctx, id(request), request.body['os-force_detach'].attachment_id ?? null, true);
    return null;
  }

  @Handles(initializeConnection)
  async connect(request: RequestOf<typeof initializeConnection>) {
    const { connector } = request.body['os-initialize_connection'];
    return { connection_info: await this.actions.initializeConnection(request.ctx, id(request), connector) };
  }

  @Handles(terminateConnection)
  async disconnect(request: ApiRequest): Promise<null> {
    await this.actions.terminateConnection(request.ctx, id(request));
    return null;
  }

  @Handles(extendVolume)
  async extend(request: RequestOf<typeof extendVolume>): Promise<null> {
    const size = Number(request.body['os-extend'].new_size);
    await this.actions.extend(request.ctx, id(request), size, request.version.atLeast('3.42'));
    return null;
  }

  @Handles(resetVolumeStatus)
  async reset(request: RequestOf<typeof resetVolumeStatus>): Promise<null> {
    const wanted = request.body['os-reset_status'];
    const given = [wanted.status, wanted.attach_status, wanted.migration_status].some(
      (one) => one !== undefined && one !== null,
    );
    if (!given)
      throw CinderError.InvalidInput({
        reason: 'Must specify status, attach_status or migration_status for the update.',
      });
    await this.actions.resetStatus(request.ctx, id(request), wanted);
    return null;
  }

  @Handles(forceDeleteVolume)
  async forceDelete(request: ApiRequest): Promise<null> {
    await this.volumes.remove(request.ctx, id(request), { force: true, cascade: false });
    return null;
  }

  @Handles(setBootable)
  async setBootable(request: RequestOf<typeof setBootable>): Promise<null> {
    await this.actions.setFlags(request.ctx, id(request), {
      bootable: truthy(request.body['os-set_bootable'].bootable),
    });
    return null;
  }

  @Handles(setReadonly)
  async setReadonly(request: RequestOf<typeof setReadonly>): Promise<null> {
    await this.actions.setFlags(request.ctx, id(request), {
      readonly: truthy(request.body['os-update_readonly_flag'].readonly),
    });
    return null;
  }

  @Handles(retypeVolume)
  async retype(request: RequestOf<typeof retypeVolume>): Promise<null> {
    const { new_type, migration_policy } = request.body['os-retype'];
    if (
      migration_policy !== undefined &&
      migration_policy !== null &&
      !['never', 'on-demand'].includes(migration_policy)
    )
      throw CinderError.InvalidInput({
        reason: `migration_policy must be 'on-demand' or 'never', passed: ${migration_policy}`,
      });
    const policy = migration_policy === 'on-demand' ? 'on-demand' : 'never';
    await this.moves.retype(request.ctx, id(request), new_type, policy);
    return null;
  }

  @Handles(revertVolume)
  async revert(request: RequestOf<typeof revertVolume>): Promise<null> {
    await this.moves.revert(request.ctx, id(request), request.body.revert.snapshot_id ?? null);
    return null;
  }

  @Handles(migrateVolume)
  async migrate(request: RequestOf<typeof migrateVolume>): Promise<null> {
    const { host = null, cluster = null } = request.body['os-migrate_volume'];
    if (cluster !== null) throw CinderError.InvalidHost({ reason: `No available service named '${cluster}'` });
    if (host === null) throw CinderError.InvalidInput({ reason: 'Either host or cluster must be specified.' });
    await this.moves.migrate(request.ctx, id(request), host);
    return null;
  }

  @Handles(completeVolumeMigration)
  async completeMigration(request: RequestOf<typeof completeVolumeMigration>): Promise<never> {
    const { new_volume } = request.body['os-migrate_volume_completion'];
    await this.moves.assertMigrating(request.ctx, id(request), new_volume);
    throw CinderError.InvalidVolume({ reason: 'Source volume not mid-migration.' });
  }

  @Handles(uploadVolumeImage)
  async upload(request: RequestOf<typeof uploadVolumeImage>) {
    const wanted = request.body['os-volume_upload_image'];
    // Older versions know no visibility: everything is the project's own then.
    const visible = request.version.atLeast('3.1');
    const image = {
      name: wanted.image_name,
      disk_format: wanted.disk_format ?? 'raw',
      container_format: wanted.container_format ?? 'bare',
      visibility: visible ? (wanted.visibility ?? 'private') : 'private',
      protected: visible && truthy(wanted.protected ?? false),
      force: truthy(wanted.force ?? false),
    };
    const { volume, image_id } = await this.actions.uploadImage(request.ctx, id(request), image);
    return {
      'os-volume_upload_image': {
        id: volume.id,
        updated_at: timeOf(volume.updated_at),
        status: 'uploading',
        display_description: volume.description,
        size: volume.size,
        volume_type: { id: volume.volume_type_id, name: volume.volume_type },
        image_id,
        container_format: image.container_format,
        disk_format: image.disk_format,
        image_name: image.name,
        ...(visible ? { visibility: image.visibility, protected: image.protected } : {}),
      },
    };
  }

  @Handles(setImageMetadata)
  async setImageMetadata(request: RequestOf<typeof setImageMetadata>) {
    const { metadata } = request.body['os-set_image_metadata'];
    return { metadata: await this.actions.setImageMetadata(request.ctx, id(request), metadata) };
  }

  @Handles(showImageMetadata)
  async imageMetadata(request: ApiRequest) {
    return { metadata: (await this.volumes.show(request.ctx, id(request))).image_metadata ?? {} };
  }

  @Handles(unsetImageMetadata)
  async unsetImageMetadata(request: RequestOf<typeof unsetImageMetadata>): Promise<null> {
    await this.actions.unsetImageMetadata(request.ctx, id(request), request.body['os-unset_image_metadata'].key);
    return null;
  }

  @Handles(reimageVolume)
  async reimage(request: RequestOf<typeof reimageVolume>): Promise<null> {
    const { image_id, reimage_reserved } = request.body['os-reimage'];
    await this.reimages.reimage(request.ctx, id(request), image_id, truthy(reimage_reserved ?? false));
    return null;
  }
}
