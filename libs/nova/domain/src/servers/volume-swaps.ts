import type { RequestContext } from '@nestack/kernel/context';
import { NovaError, NovaSagas, type VmState } from '@nestack/nova/contract';
import type { VolumeSummary } from '../ports';
import type { AttachmentsDeps } from './attachments';
import { enter, visible } from './gate';
import { reserveFor, soon } from './reservations';

/**
 * Under this name a request tells the operation that it started how the reservation of the new volume went: its
 * attachment's id. The tag is the new volume's id, and there as long as the exchange is under way.
 */
export const VOLUME_SWAP = 'volume-swap';
export const SWAP_PENDING = 'pending';

/** upstream: nova/compute/api.py swap_volume */
const STATES: readonly VmState[] = ['active', 'paused', 'resized'];

/** What a user may say of an attachment that there is, and of those only the last may differ. */
export interface AttachmentUpdate {
  readonly id?: string;
  readonly serverId?: string;
  readonly device?: string | null;
  readonly tag?: string;
  readonly delete_on_termination?: boolean;
}

/** Changes of volumes that servers have. */
export class VolumeSwaps {
  constructor(private readonly deps: AttachmentsDeps) {}

  /** Throws VolumeBdmNotFound, BadRequest for what cannot change. upstream: volume_attachments.py _update_volume_regular */
  async update(ctx: RequestContext, id: string, volumeId: string, wanted: AttachmentUpdate): Promise<void> {
    const { deps } = this;
    await deps.tx.run('volume_attachment.update', async (tx) => {
      const instance = visible(ctx, await deps.instances.find(tx, id, { lock: true }), id);
      const device = await deps.devices.byVolume(tx, instance.uuid, volumeId);
      if (device === null) throw NovaError.VolumeBdmNotFound({ volume_id: volumeId });
      const fixed = { id: volumeId, serverId: instance.uuid, device: device.device_name, tag: device.tag };
      for (const key of ['id', 'serverId', 'device', 'tag'] as const) {
        if (wanted[key] !== undefined && wanted[key] !== fixed[key])
          throw NovaError.BadRequest({ reason: `The ${key} property is not mutable` });
      }
      if (wanted.delete_on_termination !== undefined)
        await deps.devices.update(tx, device.id, { delete_on_termination: wanted.delete_on_termination });
    });
  }

  /**
   * Starts the exchange of a volume for another one of the same size or larger, then marks the old one as detaching and
   * reserves the new one in the caller's name, so that he hears at once what cinder refuses; the operation does both itself
   * when this process dies before. Throws VolumeNotFound, VolumeUnknown, InvalidVolume, VolumeBdmNotFound.
   */
  async swap(ctx: RequestContext, id: string, volumeId: string, newVolumeId: string): Promise<void> {
    const { deps } = this;
    const before = await deps.volumes.get(ctx, volumeId, 'user');
    if (before === null) throw NovaError.VolumeNotFound({ volume_id: volumeId });
    const after = await deps.volumes.get(ctx, newVolumeId, 'user');
    if (after === null) throw NovaError.VolumeUnknown({ volume_id: newVolumeId });
    await deps.tx.run('server.swap_volume', async (tx) => {
      const lockKey = `${id}/${volumeId}`;
      await deps.operations.lock(tx, lockKey);
      const gate = { action: 'swap_volume', vm_states: STATES };
      const instance = await enter(ctx, tx, deps.instances, id, gate, {});
      assertSwappable(instance.uuid, before, after);
      const devices = await deps.devices.ofInstance(tx, instance.uuid);
      const device = devices.find((one) => one.volume_id === volumeId);
      if (device === undefined) throw NovaError.VolumeBdmNotFound({ volume_id: volumeId });
      if (device.state !== 'attached')
        throw NovaError.InvalidVolume({ reason: `volume ${volumeId} is ${device.state}` });
      const swaps = await deps.events.of(tx, instance.uuid, VOLUME_SWAP);
      if (devices.some((one) => one.volume_id === newVolumeId) || swaps.has(newVolumeId))
        throw NovaError.InvalidVolume({ reason: `volume ${newVolumeId} already attached` });
      await deps.devices.update(tx, device.id, { state: 'detaching' });
      const event = { name: VOLUME_SWAP, tag: newVolumeId, status: SWAP_PENDING, at: deps.clock.now() };
      await deps.events.record(tx, instance.uuid, event);
      await deps.operations.start(ctx, tx, NovaSagas.swapVolume.kind, {
        params: { instance_uuid: instance.uuid, volume_id: volumeId, new_volume_id: newVolumeId, bdm_id: device.id },
        resourceId: instance.uuid,
        lockKey,
        mode: 'queue',
        action: NovaSagas.swapVolume.action,
      });
    });
    await this.reserve(ctx, id, volumeId, newVolumeId);
  }

  private async reserve(ctx: RequestContext, uuid: string, volumeId: string, newVolumeId: string): Promise<void> {
    const { deps } = this;
    const tell = (status: string): Promise<void> =>
      deps.tx.run('server.swap_volume.reserved', async (tx) => {
        await deps.operations.signal(ctx, tx, uuid);
        // An exchange that has ended meanwhile is told nothing.
        if (!(await deps.events.of(tx, uuid, VOLUME_SWAP)).has(newVolumeId)) return;
        await deps.events.record(tx, uuid, { name: VOLUME_SWAP, tag: newVolumeId, status, at: deps.clock.now() });
      });
    const within = soon(ctx, deps.clock);
    await reserveFor(async () => {
      await deps.volumes.beginDetaching(within, volumeId, 'user');
      return deps.volumes.ensureAttachment(within, newVolumeId, uuid, 'user');
    }, tell);
  }
}

function assertSwappable(uuid: string, before: VolumeSummary, after: VolumeSummary): void {
  if (!before.attached_to.includes(uuid))
    throw NovaError.InvalidVolume({ reason: 'Old volume is attached to a different instance.' });
  if (after.attached_to.length > 0)
    throw NovaError.InvalidVolume({ reason: 'New volume must be detached in order to swap.' });
  if (after.size < before.size)
    throw NovaError.InvalidVolume({ reason: 'New volume must be the same size or larger.' });
  if (before.attached_to.length > 1 && !before.readonly) throw NovaError.MultiattachSwapVolumeNotSupported();
}
