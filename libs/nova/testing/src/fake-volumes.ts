import { newUuid } from '@nestack/kernel/ids';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { NovaError, type ConnectionInfo } from '@nestack/nova/contract';
import type { As, VolumePort, VolumeSnapshot, VolumeSummary } from '@nestack/nova/domain';
import { Faults } from './faults';

export interface FakeVolume {
  id: string;
  project_id: string;
  status: string;
  size: number;
  bootable: boolean;
  multiattach: boolean;
  readonly: boolean;
}

export interface FakeAttachment {
  id: string;
  volume_id: string;
  instance: string;
  connector: Readonly<Record<string, unknown>> | null;
  attached: boolean;
}

/** Cinder with full state: statuses follow attachments as there. */
export class FakeVolumes implements VolumePort {
  readonly faults = new Faults();
  readonly volumes = new Map<string, FakeVolume>();
  readonly attachments = new Map<string, FakeAttachment>();
  /** Volumes that grew in use: the next connection is another one, for as long as the former is used. */
  readonly outgrown = new Set<string>();
  /** Images that volumes were given. */
  readonly contents = new Map<string, string>();
  /** Called when a volume has its new content: what cinder tells nova. */
  onReimaged: ((volumeId: string, instanceUuid: string) => void) | null = null;
  /** By volume and key. */
  readonly snapshots = new Map<string, VolumeSnapshot & { readonly project_id: string }>();

  /** Adds a volume, as a user would. */
  add(fields: Partial<FakeVolume> & { project_id: string }): FakeVolume {
    const volume = {
      id: newUuid(),
      status: 'available',
      size: 1,
      bootable: false,
      multiattach: false,
      readonly: false,
      ...fields,
    };
    this.volumes.set(volume.id, volume);
    return volume;
  }

  get(ctx: RequestContext, volumeId: string, as: As): Promise<VolumeSummary | null> {
    return this.faults.run('get', () => {
      const volume = this.volumes.get(volumeId);
      if (volume === undefined || (as === 'user' && !mayUse(ctx, volume.project_id))) return null;
      return {
        ...volume,
        availability_zone: 'nova',
        attached_to: this.of(volumeId)
          .filter((one) => one.attached)
          .map((one) => one.instance),
        image_metadata: this.imageOf(volumeId),
      };
    });
  }

  snapshot(ctx: RequestContext, snapshotId: string): Promise<VolumeSnapshot | null> {
    return this.faults.run('snapshot', () => {
      const found = [...this.snapshots.values()].find(({ id }) => id === snapshotId);
      return found !== undefined && mayUse(ctx, found.project_id) ? found : null;
    });
  }

  createVolume(
    ctx: RequestContext,
    about: { size: number; image_id: string | null; snapshot_id: string | null },
  ): Promise<{ id: string }> {
    return this.faults.run('createVolume', () => {
      const made = this.add({
        project_id: ctx.actor?.projectId ?? '',
        size: about.size,
        bootable: about.image_id !== null || about.snapshot_id !== null,
      });
      if (about.image_id !== null) this.contents.set(made.id, about.image_id);
      return made;
    });
  }

  ensureAttachment(_ctx: RequestContext, volumeId: string, instanceUuid: string): Promise<{ id: string }> {
    return this.faults.run('ensureAttachment', () => {
      const known = this.of(volumeId).find((one) => one.instance === instanceUuid);
      if (known !== undefined) return { id: known.id };
      const volume = this.volume(volumeId);
      if (volume.status !== 'available' && !(volume.multiattach && volume.status === 'in-use'))
        throw NovaError.InvalidVolume({ reason: `volume ${volumeId} is ${volume.status}` });
      const attachment = {
        id: newUuid(),
        volume_id: volumeId,
        instance: instanceUuid,
        connector: null,
        attached: false,
      };
      this.attachments.set(attachment.id, attachment);
      volume.status = 'reserved';
      return { id: attachment.id };
    });
  }

  ensureFurtherAttachment(
    _ctx: RequestContext,
    volumeId: string,
    instanceUuid: string,
    besides: string,
  ): Promise<{ id: string }> {
    return this.faults.run('ensureFurtherAttachment', () => {
      const known = this.of(volumeId).find((one) => one.instance === instanceUuid && one.id !== besides);
      if (known !== undefined) return { id: known.id };
      const attachment = { volume_id: volumeId, instance: instanceUuid, connector: null, attached: false };
      const made = { id: newUuid(), ...attachment };
      this.attachments.set(made.id, made);
      return { id: made.id };
    });
  }

  reimage(_ctx: RequestContext, volumeId: string, imageId: string): Promise<void> {
    return this.faults.run('reimage', () => {
      const volume = this.volume(volumeId);
      if (volume.status !== 'reserved') throw NovaError.InvalidVolume({ reason: `volume is ${volume.status}` });
      this.contents.set(volumeId, imageId);
      this.onReimaged?.(volumeId, this.of(volumeId)[0]?.instance ?? '');
    });
  }

  findAttachment(_ctx: RequestContext, volumeId: string, instanceUuid: string): Promise<string | null> {
    return this.faults.run(
      'findAttachment',
      () => this.of(volumeId).find((one) => one.instance === instanceUuid)?.id ?? null,
    );
  }

  connect(
    _ctx: RequestContext,
    attachmentId: string,
    connector: Readonly<Record<string, unknown>>,
  ): Promise<ConnectionInfo> {
    return this.faults.run('connect', () => {
      const attachment = this.attachment(attachmentId);
      attachment.connector = connector;
      if (!attachment.attached) this.volume(attachment.volume_id).status = 'attaching';
      const data = { volume: attachment.volume_id };
      const outgrown = this.outgrown.delete(attachment.volume_id);
      return { driver_volume_type: 'nbd', data: outgrown ? { ...data, export: 'larger' } : data };
    });
  }

  complete(_ctx: RequestContext, attachmentId: string): Promise<void> {
    return this.faults.run('complete', () => {
      const attachment = this.attachment(attachmentId);
      attachment.attached = true;
      this.volume(attachment.volume_id).status = 'in-use';
    });
  }

  deleteAttachment(_ctx: RequestContext, attachmentId: string): Promise<void> {
    return this.faults.run('deleteAttachment', () => {
      const attachment = this.attachments.get(attachmentId);
      if (attachment === undefined) return;
      this.attachments.delete(attachmentId);
      const volume = this.volumes.get(attachment.volume_id);
      const left = this.of(attachment.volume_id);
      if (volume !== undefined && left.length === 0) volume.status = 'available';
      else if (volume !== undefined && left.every((one) => one.connector === null)) volume.status = 'reserved';
    });
  }

  beginDetaching(_ctx: RequestContext, volumeId: string): Promise<void> {
    return this.faults.run('beginDetaching', () => {
      const volume = this.volume(volumeId);
      if (volume.status !== 'in-use') throw NovaError.InvalidVolume({ reason: `volume is ${volume.status}` });
      volume.status = 'detaching';
    });
  }

  rollDetaching(_ctx: RequestContext, volumeId: string): Promise<void> {
    return this.faults.run('rollDetaching', () => {
      const volume = this.volume(volumeId);
      if (volume.status === 'detaching') volume.status = 'in-use';
    });
  }

  deleteVolume(_ctx: RequestContext, volumeId: string): Promise<void> {
    return this.faults.run('deleteVolume', () => {
      const volume = this.volumes.get(volumeId);
      if (volume === undefined) return;
      if (!['available', 'error'].includes(volume.status))
        throw NovaError.InvalidVolume({ reason: `volume is ${volume.status}` });
      this.volumes.delete(volumeId);
    });
  }

  ensureSnapshot(
    _ctx: RequestContext,
    about: { readonly volume_id: string; readonly name: string; readonly key: string },
  ): Promise<VolumeSnapshot> {
    return this.faults.run('ensureSnapshot', () => {
      const known = this.snapshots.get(`${about.volume_id}/${about.key}`);
      if (known !== undefined) return known;
      const { size, project_id } = this.volume(about.volume_id);
      const made = { id: newUuid(), status: 'available', size, project_id };
      this.snapshots.set(`${about.volume_id}/${about.key}`, made);
      return made;
    });
  }

  findSnapshot(_ctx: RequestContext, volumeId: string, key: string): Promise<VolumeSnapshot | null> {
    return this.faults.run('findSnapshot', () => this.snapshots.get(`${volumeId}/${key}`) ?? null);
  }

  deleteSnapshot(_ctx: RequestContext, snapshotId: string): Promise<void> {
    return this.faults.run('deleteSnapshot', () => {
      for (const [key, { id }] of this.snapshots) if (id === snapshotId) this.snapshots.delete(key);
    });
  }

  /** The attachments of one volume. */
  of(volumeId: string): FakeAttachment[] {
    return [...this.attachments.values()].filter((one) => one.volume_id === volumeId);
  }

  private imageOf(volumeId: string): Record<string, string> {
    const image = this.contents.get(volumeId);
    return image === undefined ? {} : { image_id: image };
  }

  private volume(id: string): FakeVolume {
    const found = this.volumes.get(id);
    if (found === undefined) throw NovaError.VolumeNotFound({ volume_id: id });
    return found;
  }

  private attachment(id: string): FakeAttachment {
    const found = this.attachments.get(id);
    if (found === undefined)
      throw new DomainError({ kind: 'notFound', code: 'AttachmentNotFound', message: `there is no attachment ${id}` });
    return found;
  }
}

function mayUse(ctx: RequestContext, projectId: string): boolean {
  return ctx.actor?.projectId === projectId || ctx.actor?.roles.includes('admin') === true;
}
