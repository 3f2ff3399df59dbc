import type { RequestContext, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { CinderError, flatConnectionInfo, type VolumeStatus } from '@nestack/cinder/contract';
import { enforceOn, findAttachment, findVolume } from './access';
import type { Attachment, Volume } from './model';
import type { CinderParts, ListQuery } from './ports';
import { listScope } from './volumes';

export type Connector = Readonly<Record<string, unknown>>;

/**
 * The attachments API: reserve, connect, complete, delete. The volume's status follows from its attachments; the export on
 * the backend follows from the rows too, so that any call may be repeated and a crash between two leaves nothing behind.
 */
export class Attachments {
  constructor(private readonly parts: CinderParts) {}

  list(ctx: RequestContext, query: ListQuery, allProjects: boolean): Promise<readonly Attachment[]> {
    return this.parts.db.read('attachment.list', (tx) =>
      this.parts.attachments.list(tx, listScope(ctx, allProjects), query),
    );
  }

  show(ctx: RequestContext, id: string): Promise<Attachment> {
    return this.parts.db.read('attachment.show', (tx) => findAttachment(this.parts, ctx, tx, id));
  }

  /** Reserves the volume; with a connector it is connected as well. */
  async create(
    ctx: RequestContext,
    request: { volume_uuid: string; instance_uuid: string | null; mode: string | null; connector: Connector | null },
  ): Promise<Attachment> {
    const id = newUuid();
    await this.parts.db.run('attachment.create', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, request.volume_uuid, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:attachment_create', volume);
      assertReservable(volume, request.instance_uuid);
      const mode = request.mode ?? (volume.readonly === true ? 'ro' : 'rw');
      if (mode !== 'ro' && mode !== 'rw') throw CinderError.InvalidInput({ reason: `Invalid attach mode: ${mode}.` });
      await this.parts.attachments.insert(tx, {
        id,
        volume_id: volume.id,
        project_id: volume.project_id,
        instance_uuid: request.instance_uuid,
        attach_status: 'reserved',
        attach_mode: mode,
        attached_host: null,
        mountpoint: null,
        connector: null,
        connection_info: null,
        attach_time: null,
      });
      await this.settle(tx, volume);
    });
    if (request.connector !== null) return this.update(ctx, id, request.connector, request.mode);
    return this.show(ctx, id);
  }

  /** Exports the volume to the host that the connector describes. */
  async update(ctx: RequestContext, id: string, connector: Connector, mode: string | null): Promise<Attachment> {
    const volume = await this.parts.db.run('attachment.connect', async (tx) => {
      const attachment = await findAttachment(this.parts, ctx, tx, id);
      const found = await findVolume(this.parts, ctx, tx, attachment.volume_id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:attachment_update', found);
      if (found.host === null) throw CinderError.InvalidVolume({ reason: `Volume ${found.id} has no backend yet.` });
      await this.parts.attachments.update(tx, id, {
        attach_status: attachment.attach_status === 'attached' ? 'attached' : 'attaching',
        connector,
        attached_host: typeof connector['host'] === 'string' ? connector['host'] : null,
        mountpoint: typeof connector['mountpoint'] === 'string' ? connector['mountpoint'] : attachment.mountpoint,
        ...(mode === null ? {} : { attach_mode: mode }),
      });
      await this.settle(tx, found);
      return found;
    });
    const info = await this.parts.backend.initializeConnection(ctx, volume, connector);
    return this.parts.db.run('attachment.connected', async (tx) => {
      await findAttachment(this.parts, ctx, tx, id);
      await this.parts.attachments.update(tx, id, {
        connection_info: { ...flatConnectionInfo(info), attachment_id: id, volume_id: volume.id },
      });
      return findAttachment(this.parts, ctx, tx, id);
    });
  }

  /** The server has it: the volume is in use. */
  async complete(ctx: RequestContext, id: string): Promise<void> {
    await this.parts.db.run('attachment.complete', async (tx) => {
      const attachment = await findAttachment(this.parts, ctx, tx, id);
      const volume = await findVolume(this.parts, ctx, tx, attachment.volume_id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:attachment_complete', volume);
      await this.parts.attachments.update(tx, id, {
        attach_status: 'attached',
        attach_time: attachment.attach_time ?? new Date(),
      });
      await this.settle(tx, volume);
    });
  }

  /** Ends an attachment; answers those that remain. */
  async remove(ctx: RequestContext, id: string): Promise<readonly Attachment[]> {
    const { volume, left } = await this.parts.db.run('attachment.delete', async (tx) => {
      const attachment = await findAttachment(this.parts, ctx, tx, id);
      const found = await findVolume(this.parts, ctx, tx, attachment.volume_id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:attachment_delete', found);
      await this.parts.attachments.remove(tx, id);
      return { volume: found, left: await this.settle(tx, found) };
    });
    // Not needed for the answer to be true: exports that no row wants are ended by the volume service's own look as well.
    if (volume.host !== null && left.length === 0)
      await this.parts.backend.terminateConnection(ctx, volume).catch(() => undefined);
    return left;
  }

  /** Sets the volume's status from its attachments, unless another operation holds it. */
  private async settle(tx: Tx, volume: Volume): Promise<readonly Attachment[]> {
    const attachments = await this.parts.attachments.ofVolume(tx, volume.id);
    const has = (status: string): boolean => attachments.some((one) => one.attach_status === status);
    const governed: readonly VolumeStatus[] = ['available', 'reserved', 'attaching', 'detaching', 'in-use'];
    if (governed.includes(volume.status)) {
      const status: VolumeStatus = has('attached')
        ? 'in-use'
        : has('attaching')
          ? 'attaching'
          : has('reserved')
            ? 'reserved'
            : 'available';
      // Detaching of one among several ends with that one.
      await this.parts.volumes.setStatus(tx, volume.id, status);
    }
    return attachments;
  }
}

/** A server that has the volume may have it once more: for another host, or for what becomes of it. upstream: _attachment_reserve */
function assertReservable(volume: Volume, instanceUuid: string | null): void {
  if (volume.status === 'available') return;
  const again = instanceUuid !== null && volume.attachments.some((one) => one.instance_uuid === instanceUuid);
  if (again && (volume.status === 'in-use' || volume.status === 'reserved')) return;
  if (volume.multiattach && ['in-use', 'reserved', 'attaching'].includes(volume.status)) return;
  throw CinderError.InvalidVolume({
    reason: `Volume ${volume.id} status must be available or downloading to reserve, but the current status is ${volume.status}.`,
  });
}
