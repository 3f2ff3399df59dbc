import type { RequestContext } from '@nestack/kernel/context';
import { CinderError, type SnapshotStatus, type VolumeStatus } from '@nestack/cinder/contract';
import { enforceOn, findVolume, isPrivileged } from './access';
import type { Metadata, Snapshot, Volume } from './model';
import type { CinderParts, ListQuery, Scope } from './ports';

/** States in which a volume may be deleted. upstream: cinder/volume/api.py delete */
const DELETABLE: readonly VolumeStatus[] = [
  'available',
  'error',
  'error_deleting',
  'error_extending',
  'error_restoring',
  'error_managing',
];

/** upstream: cinder/volume/api.py delete_snapshot */
export const SNAPSHOT_DELETABLE: readonly SnapshotStatus[] = ['available', 'error', 'error_deleting'];

/** Reading, describing and deleting volumes. */
export class Volumes {
  constructor(private readonly parts: CinderParts) {}

  async show(ctx: RequestContext, id: string): Promise<Volume> {
    return this.parts.db.read('volume.show', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, id);
      enforceOn(this.parts.policy, ctx, 'volume:get', volume);
      return volume;
    });
  }

  async list(ctx: RequestContext, query: ListQuery, allProjects: boolean): Promise<readonly Volume[]> {
    return this.parts.db.read('volume.list', (tx) => this.parts.volumes.list(tx, listScope(ctx, allProjects), query));
  }

  async count(ctx: RequestContext, query: ListQuery, allProjects: boolean): Promise<number> {
    return this.parts.db.read('volume.count', (tx) => this.parts.volumes.count(tx, listScope(ctx, allProjects), query));
  }

  async summary(ctx: RequestContext, query: ListQuery, allProjects: boolean) {
    return this.parts.db.read('volume.summary', (tx) =>
      this.parts.volumes.summary(tx, listScope(ctx, allProjects), query),
    );
  }

  async update(
    ctx: RequestContext,
    id: string,
    changes: { name?: string | null; description?: string | null; metadata?: Metadata },
  ): Promise<Volume> {
    return this.change(ctx, id, 'volume:update', changes);
  }

  /** Adds to or replaces the metadata. */
  async setMetadata(ctx: RequestContext, id: string, metadata: Metadata, replace: boolean): Promise<Metadata> {
    return this.parts.db.run('volume.metadata', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:update_volume_metadata', volume);
      const next = replace ? metadata : { ...volume.metadata, ...metadata };
      await this.parts.volumes.update(tx, id, { metadata: next });
      return next;
    });
  }

  async removeMetadata(ctx: RequestContext, id: string, key: string): Promise<void> {
    await this.parts.db.run('volume.metadata', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:delete_volume_metadata', volume);
      if (volume.metadata[key] === undefined)
        throw CinderError.VolumeMetadataNotFound({ volume_id: id, metadata_key: key });
      const { [key]: _, ...rest } = volume.metadata;
      await this.parts.volumes.update(tx, id, { metadata: rest });
    });
  }

  /** Marks as deleting and starts the saga; `force` in whatever state, `cascade` with its snapshots. */
  async remove(ctx: RequestContext, id: string, how: { force: boolean; cascade: boolean }): Promise<void> {
    await this.parts.db.run('volume.delete', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, id, { lock: true });
      enforceOn(
        this.parts.policy,
        ctx,
        how.force ? 'volume_extension:volume_admin_actions:force_delete' : 'volume:delete',
        volume,
      );
      const snapshots = await this.parts.snapshots.ofVolume(tx, volume.id);
      assertDeletable(volume, snapshots, how);
      await this.parts.volumes.setStatus(tx, id, 'deleting');
      for (const snapshot of snapshots) await this.parts.snapshots.update(tx, snapshot.id, { status: 'deleting' });
      await this.parts.operations.start(ctx, tx, 'volume.delete', {
        params: { volume_id: id },
        resourceId: id,
        mode: how.force ? 'preempt' : 'queue',
        action: 'delete',
      });
    });
  }

  private async change(ctx: RequestContext, id: string, rule: string, changes: Partial<Volume>): Promise<Volume> {
    return this.parts.db.run('volume.update', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, rule, volume);
      await this.parts.volumes.update(tx, id, changes);
      return findVolume(this.parts, ctx, tx, id);
    });
  }
}

function assertDeletable(
  volume: Volume,
  snapshots: readonly Snapshot[],
  how: { readonly force: boolean; readonly cascade: boolean },
): void {
  const attached = volume.attachments.some((one) => one.attach_status === 'attached');
  const allowed = how.force || DELETABLE.includes(volume.status);
  const free = how.cascade
    ? how.force || snapshots.every((one) => SNAPSHOT_DELETABLE.includes(one.status))
    : snapshots.length === 0;
  if (allowed && free && !attached && volume.group_id === null) return;
  throw CinderError.InvalidVolume({
    reason: `Volume status must be ${how.force ? 'any' : 'available or error or error_restoring or error_extending or error_managing'} and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.`,
  });
}

/** A list shows the caller's project unless an administrator asks for all. */
export function listScope(ctx: RequestContext, allProjects: boolean): Scope {
  return allProjects && isPrivileged(ctx) ? null : (ctx.actor?.projectId ?? '');
}
