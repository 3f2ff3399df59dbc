import type { RequestContext } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import { enforceOn, findSnapshot, findVolume } from './access';
import type { Metadata, Snapshot } from './model';
import type { CinderParts, ListQuery } from './ports';
import { consumptionOf, type Quotas } from './quotas';
import { listScope } from './volumes';

/** Snapshots of volumes. */
export class Snapshots {
  constructor(
    private readonly parts: CinderParts,
    private readonly quotas: Quotas,
  ) {}

  list(ctx: RequestContext, query: ListQuery, allProjects: boolean): Promise<readonly Snapshot[]> {
    return this.parts.db.read('snapshot.list', (tx) =>
      this.parts.snapshots.list(tx, listScope(ctx, allProjects), query),
    );
  }

  show(ctx: RequestContext, id: string): Promise<Snapshot> {
    return this.parts.db.read('snapshot.show', async (tx) => {
      const snapshot = await findSnapshot(this.parts, ctx, tx, id);
      enforceOn(this.parts.policy, ctx, 'volume:get_snapshot', snapshot);
      return snapshot;
    });
  }

  async create(
    ctx: RequestContext,
    request: { volume_id: string; name: string | null; description: string | null; metadata: Metadata },
  ): Promise<Snapshot> {
    return this.parts.db.run('snapshot.create', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, request.volume_id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:create_snapshot', volume);
      if (volume.status !== 'available') {
        throw CinderError.InvalidVolume({
          reason: `Volume ${volume.id} status must be available, but current status is: ${volume.status}.`,
        });
      }
      await this.quotas.reserve(tx, volume.project_id, consumptionOf('snapshots', volume.size, volume.volume_type));
      const id = newUuid();
      await this.parts.snapshots.insert(tx, {
        id,
        volume_id: volume.id,
        project_id: volume.project_id,
        user_id: ctx.actor?.userId ?? volume.user_id,
        name: request.name,
        description: request.description,
        volume_size: volume.size,
        status: 'creating',
        metadata: request.metadata,
      });
      await this.parts.operations.start(ctx, tx, 'snapshot.create', {
        params: { snapshot_id: id, volume_id: volume.id },
        resourceId: id,
        action: 'create',
      });
      return findSnapshot(this.parts, ctx, tx, id);
    });
  }

  async update(
    ctx: RequestContext,
    id: string,
    changes: { name?: string | null; description?: string | null },
  ): Promise<Snapshot> {
    return this.parts.db.run('snapshot.update', async (tx) => {
      const snapshot = await findSnapshot(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:update_snapshot', snapshot);
      await this.parts.snapshots.update(tx, id, changes);
      return findSnapshot(this.parts, ctx, tx, id);
    });
  }

  async remove(ctx: RequestContext, id: string): Promise<void> {
    await this.parts.db.run('snapshot.delete', async (tx) => {
      const snapshot = await findSnapshot(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:delete_snapshot', snapshot);
      if (!['available', 'error', 'error_deleting'].includes(snapshot.status)) {
        throw CinderError.InvalidSnapshot({
          reason: "Snapshot status must be one of ['available', 'error', 'error_deleting'] to delete it.",
        });
      }
      await this.parts.snapshots.update(tx, id, { status: 'deleting' });
      await this.parts.operations.start(ctx, tx, 'snapshot.delete', {
        params: { snapshot_id: id, volume_id: snapshot.volume_id },
        resourceId: id,
        mode: 'queue',
        action: 'delete',
      });
    });
  }
}
