import type { RequestContext, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { CinderError, type ConnectionInfo, type VolumeStatus } from '@nestack/cinder/contract';
import { enforceOn, findVolume } from './access';
import { LARGEST } from './create-volume';
import type { Metadata, Volume } from './model';
import type { CinderParts, ImageRequestState } from './ports';
import { type Quotas } from './quotas';

/** How long a request lets glance queue an image, in milliseconds; the upload that it started waits longer for it. */
const GLANCE_MS = 15_000;

const STATUSES = new Set<string>([
  'creating',
  'available',
  'deleting',
  'error',
  'attaching',
  'detaching',
  'in-use',
  'maintenance',
  'reserved',
  'error_deleting',
  'error_extending',
  'error_restoring',
  'error_managing',
  'extending',
  'retyping',
  'uploading',
  'backing-up',
  'restoring-backup',
  'awaiting-transfer',
]);

/** upstream: cinder/api/schemas/admin_actions.py */
const MIGRATION_STATUSES = new Set(['migrating', 'error', 'success', 'completing', 'none', 'starting']);

/** `POST /volumes/{id}/action`. */
export class VolumeActions {
  constructor(
    private readonly parts: CinderParts,
    private readonly quotas: Quotas,
  ) {}

  reserve(ctx: RequestContext, id: string): Promise<void> {
    return this.transition(ctx, id, 'volume_extension:volume_actions:reserve', (volume) => {
      if (volume.status === 'available' || (volume.multiattach && volume.status === 'in-use')) return 'attaching';
      throw wrongStatus('Volume status must be available to reserve', volume);
    });
  }

  unreserve(ctx: RequestContext, id: string): Promise<void> {
    return this.transition(ctx, id, 'volume_extension:volume_actions:unreserve', (volume) => {
      if (volume.status !== 'attaching') return null;
      return attachedTo(volume) > 0 ? 'in-use' : 'available';
    });
  }

  beginDetaching(ctx: RequestContext, id: string): Promise<void> {
    return this.transition(ctx, id, 'volume_extension:volume_actions:begin_detaching', (volume) => {
      if (volume.status === 'in-use') return 'detaching';
      throw CinderError.InvalidVolume({
        reason: `Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach.`,
      });
    });
  }

  rollDetaching(ctx: RequestContext, id: string): Promise<void> {
    return this.transition(ctx, id, 'volume_extension:volume_actions:roll_detaching', (volume) =>
      volume.status === 'detaching' ? 'in-use' : null,
    );
  }

  async attach(
    ctx: RequestContext,
    id: string,
    about: { instance_uuid: string | null; host_name: string | null; mountpoint: string | null; mode: string },
  ): Promise<void> {
    await this.parts.db.run('volume.attach', async (tx) => {
      const volume = await this.locked(ctx, tx, id, 'volume_extension:volume_actions:attach');
      if (
        volume.status !== 'attaching' &&
        volume.status !== 'available' &&
        !(volume.multiattach && volume.status === 'in-use')
      )
        throw wrongStatus('Volume must be available or attaching to be attached', volume);
      await this.parts.attachments.insert(tx, {
        id: newUuid(),
        volume_id: id,
        project_id: volume.project_id,
        instance_uuid: about.instance_uuid,
        attach_status: 'attached',
        attach_mode: about.mode,
        attached_host: about.host_name,
        mountpoint: about.mountpoint,
        connector: null,
        connection_info: null,
        attach_time: new Date(),
      });
      await this.parts.volumes.setStatus(tx, id, 'in-use');
    });
  }

  async detach(ctx: RequestContext, id: string, attachmentId: string | null, force: boolean): Promise<void> {
    const rule = force
      ? 'volume_extension:volume_admin_actions:force_detach'
      : 'volume_extension:volume_actions:detach';
    const volume = await this.parts.db.run('volume.detach', async (tx) => {
      const found = await this.locked(ctx, tx, id, rule);
      const attachments = await this.parts.attachments.ofVolume(tx, id);
      if (attachments.length > 1 && attachmentId === null) {
        throw CinderError.InvalidVolume({
          reason: 'Detach volume failed: More than one attachment, but no attachment_id provided.',
        });
      }
      const gone = attachments.filter((one) => attachmentId === null || one.id === attachmentId);
      for (const one of gone) await this.parts.attachments.remove(tx, one.id);
      const left = attachments.length - gone.length;
      await this.parts.volumes.update(
        tx,
        id,
        left > 0 ? { status: 'in-use' } : { status: 'available', connected: false },
      );
      return found;
    });
    if (volume.host !== null) await this.parts.backend.terminateConnection(ctx, volume);
  }

  async initializeConnection(
    ctx: RequestContext,
    id: string,
    connector: Readonly<Record<string, unknown>>,
  ): Promise<ConnectionInfo> {
    const volume = await this.parts.db.run('volume.connect', async (tx) => {
      const found = await this.locked(ctx, tx, id, 'volume_extension:volume_actions:initialize_connection');
      if (found.host === null) throw wrongStatus('Volume has no backend yet', found);
      await this.parts.volumes.update(tx, id, { connected: true });
      return found;
    });
    return this.parts.backend.initializeConnection(ctx, volume, connector);
  }

  async terminateConnection(ctx: RequestContext, id: string): Promise<void> {
    const volume = await this.parts.db.run('volume.disconnect', async (tx) => {
      const found = await this.locked(ctx, tx, id, 'volume_extension:volume_actions:terminate_connection');
      await this.parts.volumes.update(tx, id, { connected: false });
      return found;
    });
    if (volume.host !== null) await this.parts.backend.terminateConnection(ctx, volume);
  }

  /** Makes a volume larger; `online` also one that is in use (since 3.42), where its backend can. */
  async extend(ctx: RequestContext, id: string, size: number, online: boolean): Promise<void> {
    await this.parts.db.run('volume.extend', async (tx) => {
      const volume = await this.locked(ctx, tx, id, 'volume:extend');
      if (volume.status !== 'available') await this.assertOnlineExtend(tx, ctx, volume, online);
      if (!Number.isInteger(size) || size > LARGEST)
        throw CinderError.InvalidInput({ reason: `New size must be an integer of at most ${String(LARGEST)}.` });
      if (size <= volume.size) {
        throw CinderError.InvalidInput({
          reason: `New size for extend must be greater than current size. (current: ${String(volume.size)}, extended: ${String(size)}).`,
        });
      }
      const more = size - volume.size;
      const taken = { gigabytes: more, [`gigabytes_${volume.volume_type}`]: more };
      await this.quotas.reserve(tx, volume.project_id, taken, size);
      await this.parts.volumes.setStatus(tx, id, 'extending');
      await this.parts.operations.start(ctx, tx, 'volume.extend', {
        params: { volume_id: id, old_size: volume.size, new_size: size, status: volume.status },
        resourceId: id,
        action: 'extend',
      });
    });
  }

  private async assertOnlineExtend(tx: Tx, ctx: RequestContext, volume: Volume, online: boolean): Promise<void> {
    if (volume.status !== 'in-use' || !online) {
      const expected = `{'status': '${online && volume.status === 'in-use' ? 'in-use' : 'available'}'}`;
      throw CinderError.InvalidVolume({
        reason: `Volume ${volume.id} status must be '${expected}' to extend, currently ${volume.status}.`,
      });
    }
    enforceOn(this.parts.policy, ctx, 'volume:extend_attached_volume', volume);
    const backend = volume.host?.split('#', 1)[0];
    const [service] = await this.parts.services.list(tx, { host: backend, binary: 'cinder-volume' });
    if (service?.capabilities?.online_extend_support !== true)
      throw CinderError.InvalidVolume({ reason: `The backend of volume ${volume.id} cannot extend volumes in use.` });
  }

  async resetStatus(
    ctx: RequestContext,
    id: string,
    wanted: {
      status?: string | null | undefined;
      attach_status?: string | null | undefined;
      migration_status?: string | null | undefined;
    },
  ): Promise<void> {
    await this.parts.db.run('volume.reset', async (tx) => {
      await this.locked(ctx, tx, id, 'volume_extension:volume_admin_actions:reset_status');
      const status = wanted.status?.toLowerCase();
      if (status !== undefined && !STATUSES.has(status))
        throw CinderError.InvalidInput({ reason: `Must specify a valid status: ${status}` });
      if (status === 'deleting') throw CinderError.InvalidInput({ reason: `Cannot reset-state to ${status}` });
      if (status === 'in-use' && (await this.parts.attachments.ofVolume(tx, id)).length === 0)
        throw CinderError.InvalidInput({
          reason: 'Cannot reset-state to in-use because volume does not have any attachments.',
        });
      const migration = wanted.migration_status?.toLowerCase();
      if (migration !== undefined && !MIGRATION_STATUSES.has(migration))
        throw CinderError.InvalidInput({ reason: `Must specify a valid migration status: ${migration}` });
      if (migration !== undefined)
        await this.parts.volumes.update(tx, id, { migration_status: migration === 'none' ? null : migration });
      if (wanted.attach_status === 'detached') {
        for (const one of await this.parts.attachments.ofVolume(tx, id))
          await this.parts.attachments.remove(tx, one.id);
      }
      if (status !== undefined) await this.parts.volumes.setStatus(tx, id, status as VolumeStatus);
    });
  }

  setFlags(ctx: RequestContext, id: string, flags: { bootable?: boolean; readonly?: boolean }): Promise<void> {
    return this.update(ctx, id, 'volume:update', () => flags);
  }

  async setImageMetadata(ctx: RequestContext, id: string, metadata: Metadata): Promise<Metadata> {
    let result: Metadata = {};
    await this.update(ctx, id, 'volume_extension:volume_image_metadata:set', (volume) => {
      result = { ...volume.image_metadata, ...metadata };
      return { image_metadata: result };
    });
    return result;
  }

  unsetImageMetadata(ctx: RequestContext, id: string, key: string): Promise<void> {
    return this.update(ctx, id, 'volume_extension:volume_image_metadata:remove', (volume) => {
      const { [key]: removed, ...rest } = volume.image_metadata ?? {};
      if (removed === undefined) throw CinderError.VolumeMetadataNotFound({ volume_id: id, metadata_key: key });
      return { image_metadata: rest };
    });
  }

  /**
   * Starts the upload, then queues an image in the caller's name, so that he hears what glance refuses. The operation writes
   * the volume's content into it, and takes it away again when this process dies before it could tell of it.
   */
  async uploadImage(
    ctx: RequestContext,
    id: string,
    image: {
      name: string;
      disk_format: string;
      container_format: string;
      visibility: string;
      protected: boolean;
      force: boolean;
    },
  ): Promise<{ volume: Volume; image_id: string }> {
    const volume = await this.parts.db.read('volume.show', (tx) => findVolume(this.parts, ctx, tx, id));
    enforceOn(this.parts.policy, ctx, 'volume_extension:volume_actions:upload_image', volume);
    if (volume.status !== 'available') throw wrongStatus('Volume status must be available to upload it', volume);
    const { os_type: _, ...properties } = volume.image_metadata ?? {};
    const own = Object.entries(properties).filter(([key]) => !IMAGE_FIELDS.has(key));
    const imageId = newUuid();
    const wanted = {
      ...Object.fromEntries(own),
      name: image.name,
      disk_format: image.disk_format,
      container_format: image.container_format,
      visibility: image.visibility,
      protected: image.protected,
      id: imageId,
    };
    await this.parts.db.run('volume.upload', async (tx) => {
      const locked = await findVolume(this.parts, ctx, tx, id, { lock: true });
      if (locked.status !== 'available') throw wrongStatus('Volume status must be available to upload it', locked);
      await this.parts.volumes.setStatus(tx, id, 'uploading');
      await this.parts.imageRequests.begin(tx, imageId);
      const { status } = locked;
      await this.parts.operations.start(ctx, tx, 'volume.upload_image', {
        params: { volume_id: id, image_id: imageId, disk_format: image.disk_format, status, requested: true },
        resourceId: id,
        action: 'upload_image',
      });
    });
    await this.queueImage(ctx, id, wanted);
    return { volume: { ...volume, status: 'uploading' }, image_id: imageId };
  }

  private async queueImage(
    ctx: RequestContext,
    id: string,
    image: Readonly<Record<string, unknown>> & { readonly id: string },
  ): Promise<void> {
    const { db, imageRequests, images, operations } = this.parts;
    const tell = (state: ImageRequestState): Promise<boolean> =>
      db.run('volume.upload.told', async (tx) => {
        await operations.signal(ctx, tx, id);
        return imageRequests.tell(tx, image.id, state);
      });
    const latest = Date.now() + GLANCE_MS;
    try {
      await images.create({ ...ctx, deadline: Math.min(ctx.deadline ?? latest, latest) }, image);
    } catch (error) {
      await tell('refused');
      throw error;
    }
    if (await tell('created')) return;
    // The operation waits no longer: it has taken away what there was then.
    await images.remove(ctx, image.id);
    throw CinderError.ImageCopyFailure({ reason: 'the image was not made in time' });
  }

  private async update(
    ctx: RequestContext,
    id: string,
    rule: string,
    changes: (volume: Volume) => Partial<Volume>,
  ): Promise<void> {
    await this.parts.db.run('volume.update', async (tx) => {
      const volume = await this.locked(ctx, tx, id, rule);
      await this.parts.volumes.update(tx, id, changes(volume));
    });
  }

  private async transition(
    ctx: RequestContext,
    id: string,
    rule: string,
    next: (volume: Volume) => VolumeStatus | null,
  ): Promise<void> {
    await this.parts.db.run('volume.transition', async (tx) => {
      const status = next(await this.locked(ctx, tx, id, rule));
      if (status !== null) await this.parts.volumes.setStatus(tx, id, status);
    });
  }

  private async locked(ctx: RequestContext, tx: Tx, id: string, rule: string): Promise<Volume> {
    const volume = await findVolume(this.parts, ctx, tx, id, { lock: true });
    enforceOn(this.parts.policy, ctx, rule, volume);
    return volume;
  }
}

/** Keys that an image has as fields, not as properties. */
const IMAGE_FIELDS = new Set([
  'image_id',
  'image_name',
  'checksum',
  'container_format',
  'disk_format',
  'min_disk',
  'min_ram',
  'size',
]);

function attachedTo(volume: Volume): number {
  return volume.attachments.filter((one) => one.attach_status === 'attached').length;
}

function wrongStatus(rule: string, volume: Volume): Error {
  return CinderError.InvalidVolume({ reason: `${rule}, but current status is: ${volume.status}.` });
}
