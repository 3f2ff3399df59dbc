import type { RequestContext, Tx } from '@nestack/kernel/context';
import { CinderError } from '@nestack/cinder/contract';
import { enforceOn, findVolume } from './access';
import { backendOf } from './groups';
import { saysYes } from './group-types';
import { queueHost, type Service, type Volume, type VolumeType } from './model';
import type { CinderParts } from './ports';
import type { Quotas } from './quotas';
import { fits } from './scheduler';

/** Volumes change their content, their type or their place. */
export class VolumeMoves {
  constructor(
    private readonly parts: CinderParts,
    private readonly quotas: Quotas,
  ) {}

  /** Back to the latest snapshot. upstream: cinder/api/v3/volumes.py revert */
  async revert(ctx: RequestContext, id: string, snapshotId: string | null): Promise<void> {
    await this.parts.db.run('volume.revert', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, id, { lock: true });
      const latest = (await this.parts.snapshots.ofVolume(tx, id)).at(-1);
      if (latest === undefined) throw CinderError.VolumeSnapshotNotFound({ volume_id: id });
      if (latest.id !== snapshotId)
        throw CinderError.NotLatestSnapshot({ snapshot_id: String(snapshotId), volume_id: id });
      if (volume.size !== latest.volume_size)
        throw CinderError.RevertSizeDiffers({ snapshot_id: latest.id, volume_id: id });
      enforceOn(this.parts.policy, ctx, 'volume:revert_to_snapshot', volume);
      const refused = (what: string): Error =>
        CinderError.RevertRefused({
          reason: `Can't revert volume ${id} to its latest snapshot ${latest.id}. ${what}`,
        });
      if (volume.status !== 'available') throw refused("Volume's status must be 'available'.");
      if (latest.status !== 'available') throw refused("Snapshot's status must be 'available'.");
      await this.parts.volumes.setStatus(tx, id, 'reverting');
      await this.parts.snapshots.update(tx, latest.id, { status: 'restoring' });
      await this.parts.operations.start(ctx, tx, 'volume.revert', {
        params: { volume_id: id, snapshot_id: latest.id },
        resourceId: id,
        action: 'revert',
      });
    });
  }

  /**
   * To another backend of its host. The volume is in maintenance meanwhile, locked or not: what others would do to it would end
   * in one of the two copies. upstream: cinder/volume/api.py migrate_volume
   */
  async migrate(ctx: RequestContext, id: string, host: string): Promise<void> {
    await this.parts.db.run('volume.migrate', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume_extension:volume_admin_actions:migrate_volume', volume);
      const target = await this.service(tx, host);
      if (target === null) throw CinderError.InvalidHost({ reason: `No available service named '${host}'` });
      const snapshots = await this.parts.snapshots.ofVolume(tx, id);
      const elsewhere = volume.host !== null && backendOf(volume.host) !== target.host;
      if (volume.status !== 'available' || volume.group_id !== null || snapshots.length > 0 || !elsewhere)
        throw CinderError.InvalidVolume({
          reason: `Volume ${id} status must be available, must not be migrating, have snapshots, be replicated, be part of a group and destination host/cluster must be different than the current one`,
        });
      if (queueHost(target.host) !== queueHost(volume.host ?? ''))
        throw CinderError.InvalidHost({ reason: `Volume ${id} can only move between backends of its own host.` });
      await this.parts.volumes.update(tx, id, { status: 'maintenance', migration_status: 'migrating' });
      await this.parts.operations.start(ctx, tx, 'volume.migrate', {
        params: { volume_id: id, host, volume_type_id: null },
        resourceId: id,
        action: 'migrate',
      });
    });
  }

  /** Servers never move between volumes on cinder's behalf here, so that there is no such migration to complete. */
  async assertMigrating(ctx: RequestContext, id: string, newId: string): Promise<void> {
    await this.parts.db.read('volume.show', async (tx) => {
      for (const one of [id, newId]) {
        const volume = await findVolume(this.parts, ctx, tx, one);
        enforceOn(this.parts.policy, ctx, 'volume_extension:volume_admin_actions:migrate_volume_completion', volume);
      }
    });
  }

  /** Another type: where the volume is if its backend has what the type asks for, else elsewhere if that is wanted. */
  async retype(ctx: RequestContext, id: string, name: string, policy: 'never' | 'on-demand'): Promise<void> {
    await this.parts.db.run('volume.retype', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:retype', volume);
      const type = await this.parts.types.find(tx, name, null);
      if (type === null) throw CinderError.VolumeTypeNotFoundByName({ volume_type_name: name });
      if (type.id === volume.volume_type_id)
        throw CinderError.InvalidInput({ reason: `Volume ${id} is already of type ${name}.` });
      if ((volume.status !== 'available' && volume.status !== 'in-use') || volume.group_id !== null)
        throw CinderError.InvalidVolume({
          reason:
            'Retype needs volume to be in available or in-use state, not be part of an active migration or a consistency group, requested type has to be different that the one from the volume, and for in-use volumes front-end qos specs cannot change.',
        });
      const multiattach = saysYes(type.extra_specs['multiattach']);
      if (multiattach !== volume.multiattach && volume.status !== 'available')
        throw CinderError.InvalidInput({
          reason: `Invalid volume_type passed, retypes affecting multiattach are only allowed on available volumes, the specified volume however currently has a status of: ${volume.status}.`,
        });
      if ((await this.parts.types.encryption(tx, type.id)) !== null) throw CinderError.KeyManagerError();
      const stays = await this.suits(tx, volume, type);
      if (!stays) await this.assertMovable(tx, volume, name, policy);
      await this.quotas.release(tx, volume.project_id, ofType(volume, volume.volume_type));
      await this.quotas.reserve(tx, volume.project_id, ofType(volume, type.name));
      if (stays) {
        await this.parts.volumes.update(tx, id, { volume_type_id: type.id, multiattach, migration_status: null });
        return;
      }
      await this.parts.volumes.update(tx, id, { status: 'retyping', migration_status: 'migrating' });
      await this.parts.operations.start(ctx, tx, 'volume.migrate', {
        params: { volume_id: id, host: null, volume_type_id: type.id },
        resourceId: id,
        action: 'retype',
      });
    });
  }

  private async assertMovable(tx: Tx, volume: Volume, type: string, policy: 'never' | 'on-demand'): Promise<void> {
    if (policy === 'never')
      throw CinderError.InvalidInput({
        reason: `The backend of volume ${volume.id} does not have what type ${type} asks for.`,
      });
    if (volume.status !== 'available')
      throw CinderError.InvalidVolume({ reason: `Volume ${volume.id} is in use and cannot move to another backend.` });
    if ((await this.parts.snapshots.ofVolume(tx, volume.id)).length > 0)
      throw CinderError.InvalidVolume({ reason: `Volume ${volume.id} has snapshots and cannot move.` });
  }

  /** Whether the volume can stay where it is with another type. */
  private async suits(tx: Tx, volume: Volume, type: VolumeType): Promise<boolean> {
    const host = backendOf(volume.host);
    if (host === null) return true;
    const [service] = await this.parts.services.list(tx, { host, binary: 'cinder-volume' });
    return service !== undefined && fits(service, type);
  }

  /** A volume service that is up and in use, by `host@backend` or `host@backend#pool`. */
  private async service(tx: Tx, host: string): Promise<Service | null> {
    const backend = backendOf(host) ?? '';
    const services = await this.parts.services.list(tx, { host: backend, binary: 'cinder-volume' });
    return services.find((one) => one.host === backend && one.up && !one.disabled) ?? null;
  }
}

/** What of a type's quota a volume takes. */
export function ofType(volume: Pick<Volume, 'size'>, type: string): Readonly<Record<string, number>> {
  return { [`volumes_${type}`]: 1, [`gigabytes_${type}`]: volume.size };
}
