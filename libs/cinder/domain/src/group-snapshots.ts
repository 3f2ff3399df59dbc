import type { RequestContext } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { CinderError, type GroupSnapshotStatus } from '@nestack/cinder/contract';
import { enforceOn, findGroup, findGroupSnapshot } from './access';
import { assertStatus, ownerOf } from './groups';
import type { GroupSnapshot, Volume } from './model';
import type { CinderParts, ListQuery } from './ports';
import { consumptionOf, type Quotas } from './quotas';
import { listScope } from './volumes';

/** Snapshots of groups: one of each volume, all at one moment. upstream: cinder/group/api.py */
export class GroupSnapshots {
  constructor(
    private readonly parts: CinderParts,
    private readonly quotas: Quotas,
  ) {}

  list(ctx: RequestContext, query: ListQuery, allProjects: boolean): Promise<readonly GroupSnapshot[]> {
    return this.parts.db.read('group_snapshot.list', (tx) =>
      this.parts.groupSnapshots.list(tx, listScope(ctx, allProjects), query),
    );
  }

  show(ctx: RequestContext, id: string): Promise<GroupSnapshot> {
    return this.parts.db.read('group_snapshot.show', async (tx) => {
      const snapshot = await findGroupSnapshot(this.parts, ctx, tx, id);
      enforceOn(this.parts.policy, ctx, 'group:get_group_snapshot', snapshot);
      return snapshot;
    });
  }

  async create(
    ctx: RequestContext,
    request: { readonly group_id: string; readonly name: string | null; readonly description: string | null },
  ): Promise<GroupSnapshot> {
    const owner = ownerOf(ctx);
    return this.parts.db.run('group_snapshot.create', async (tx) => {
      const group = await findGroup(this.parts, ctx, tx, request.group_id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'group:create_group_snapshot', group);
      const volumes = await this.parts.volumes.ofGroup(tx, group.id, { lock: true });
      const id = newUuid();
      await this.parts.groupSnapshots.insert(tx, {
        ...owner,
        id,
        group_id: group.id,
        group_type_id: group.group_type_id,
        name: request.name,
        description: request.description,
        status: 'creating',
      });
      for (const volume of volumes) {
        assertSnapshottable(volume);
        await this.quotas.reserve(tx, volume.project_id, consumptionOf('snapshots', volume.size, volume.volume_type));
        await this.parts.snapshots.insert(tx, {
          id: newUuid(),
          volume_id: volume.id,
          project_id: volume.project_id,
          user_id: owner.user_id,
          name: request.name,
          description: request.description,
          volume_size: volume.size,
          status: 'creating',
          group_snapshot_id: id,
          metadata: {},
        });
      }
      await this.parts.operations.start(ctx, tx, 'group_snapshot.create', {
        params: { group_snapshot_id: id },
        resourceId: id,
        action: 'create',
      });
      return findGroupSnapshot(this.parts, ctx, tx, id);
    });
  }

  async remove(ctx: RequestContext, id: string): Promise<void> {
    await this.parts.db.run('group_snapshot.delete', async (tx) => {
      const snapshot = await findGroupSnapshot(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'group:delete_group_snapshot', snapshot);
      const deletable = snapshot.status === 'available' || snapshot.status === 'error';
      if (!deletable || (await this.parts.groups.isSource(tx, id)))
        throw CinderError.InvalidGroupSnapshot({
          reason:
            'GroupSnapshot status must be available or error, and no Group can be currently using it as source for its creation.',
        });
      await this.parts.groupSnapshots.update(tx, id, 'deleting');
      for (const part of await this.parts.snapshots.ofGroupSnapshot(tx, id))
        await this.parts.snapshots.update(tx, part.id, { status: 'deleting' });
      await this.parts.operations.start(ctx, tx, 'group_snapshot.delete', {
        params: { group_snapshot_id: id },
        resourceId: id,
        mode: 'queue',
        action: 'delete',
      });
    });
  }

  async resetStatus(ctx: RequestContext, id: string, status: string): Promise<void> {
    assertStatus(status, 'Group snapshot status', (reason) => CinderError.InvalidGroupSnapshotStatus({ reason }));
    await this.parts.db.run('group_snapshot.reset', async (tx) => {
      const snapshot = await findGroupSnapshot(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'group:reset_group_snapshot_status', snapshot);
      await this.parts.groupSnapshots.update(tx, id, status.toLowerCase() as GroupSnapshotStatus);
    });
  }
}

/** upstream: cinder/volume/api.py _create_snapshot_in_db_validate */
function assertSnapshottable(volume: Volume): void {
  if (volume.host === null)
    throw CinderError.InvalidVolume({
      reason: 'The snapshot cannot be created because volume has not been scheduled to any host.',
    });
  if (volume.status === 'maintenance')
    throw CinderError.InvalidVolume({
      reason: 'The snapshot cannot be created when the volume is in maintenance mode.',
    });
  if (volume.status === 'error')
    throw CinderError.InvalidVolume({ reason: 'The snapshot cannot be created when the volume is in error status.' });
  // A volume whose data are being made or unmade has none that a snapshot could hold.
  if (volume.status === 'creating' || volume.status === 'downloading' || volume.status === 'deleting')
    throw CinderError.InvalidVolume({ reason: `The snapshot cannot be created while the volume is ${volume.status}.` });
}
