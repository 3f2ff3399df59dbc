import type { RequestContext } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { CinderError, type SnapshotStatus } from '@nestack/cinder/contract';
import { enforceOn, findSnapshot, findVolume } from './access';
import type { Metadata, Snapshot } from './model';
import type { CinderParts, ListQuery } from './ports';
import { consumptionOf, type Quotas } from './quotas';
import { listScope, SNAPSHOT_DELETABLE } from './volumes';

const STATUSES: readonly string[] = ['creating', 'available', 'deleting', 'error', 'error_deleting'];

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
    request: {
      volume_id: string;
      name: string | null;
      description: string | null;
      metadata: Metadata;
      /** Of a volume in use as well. */
      force: boolean;
    },
  ): Promise<Snapshot> {
    return this.parts.db.run('snapshot.create', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, request.volume_id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:create_snapshot', volume);
      const allowed: readonly string[] = request.force ? ['available', 'in-use'] : ['available'];
      if (!allowed.includes(volume.status)) {
        throw CinderError.InvalidVolume({
          reason: `Volume ${volume.id} status must be ${allowed.join(', ')}, but current status is: ${volume.status}.`,
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
        group_snapshot_id: null,
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

  async remove(ctx: RequestContext, id: string, force: boolean): Promise<void> {
    await this.parts.db.run('snapshot.delete', async (tx) => {
      const snapshot = await findSnapshot(this.parts, ctx, tx, id, { lock: true });
      enforceOn(
        this.parts.policy,
        ctx,
        force ? 'volume_extension:snapshot_admin_actions:force_delete' : 'volume:delete_snapshot',
        snapshot,
      );
      if (snapshot.group_snapshot_id !== null)
        throw CinderError.InvalidSnapshot({ reason: `Snapshot ${id} must not be part of a group.` });
      if (!force && !SNAPSHOT_DELETABLE.includes(snapshot.status)) {
        throw CinderError.InvalidSnapshot({
          reason: `Snapshot status must be available or error or error_deleting to delete it, but it is ${snapshot.status}.`,
        });
      }
      await this.parts.snapshots.update(tx, id, { status: 'deleting' });
      await this.parts.operations.start(ctx, tx, 'snapshot.delete', {
        params: { snapshot_id: id, volume_id: snapshot.volume_id },
        resourceId: id,
        mode: force ? 'preempt' : 'queue',
        action: 'delete',
      });
    });
  }

  /** Adds to or replaces the metadata. */
  async setMetadata(ctx: RequestContext, id: string, metadata: Metadata, replace: boolean): Promise<Metadata> {
    return this.parts.db.run('snapshot.metadata', async (tx) => {
      const snapshot = await findSnapshot(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:update_snapshot_metadata', snapshot);
      const next = replace ? metadata : { ...snapshot.metadata, ...metadata };
      await this.parts.snapshots.update(tx, id, { metadata: next });
      return next;
    });
  }

  async removeMetadata(ctx: RequestContext, id: string, key: string): Promise<void> {
    await this.parts.db.run('snapshot.metadata', async (tx) => {
      const snapshot = await findSnapshot(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:delete_snapshot_metadata', snapshot);
      const { [key]: removed, ...rest } = snapshot.metadata;
      if (removed === undefined) throw CinderError.SnapshotMetadataNotFound({ snapshot_id: id, metadata_key: key });
      await this.parts.snapshots.update(tx, id, { metadata: rest });
    });
  }

  /** Administrators put a snapshot's status right. */
  async resetStatus(ctx: RequestContext, id: string, status: string): Promise<void> {
    await this.parts.db.run('snapshot.reset', async (tx) => {
      const snapshot = await findSnapshot(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume_extension:snapshot_admin_actions:reset_status', snapshot);
      const wanted = status.toLowerCase();
      if (!STATUSES.includes(wanted))
        throw CinderError.InvalidInput({ reason: `Must specify a valid status: ${status}` });
      await this.parts.snapshots.update(tx, id, { status: wanted as SnapshotStatus });
    });
  }

  /** A server that takes a snapshot itself says how it went. upstream: cinder/api/contrib/snapshot_actions.py */
  async updateStatus(ctx: RequestContext, id: string, status: string, progress: string | null): Promise<void> {
    await this.parts.db.run('snapshot.update_status', async (tx) => {
      const snapshot = await findSnapshot(this.parts, ctx, tx, id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'snapshot_extension:snapshot_actions:update_snapshot_status', snapshot);
      const allowed: Readonly<Record<string, readonly string[]>> = {
        creating: ['creating', 'available', 'error'],
        deleting: ['deleting', 'error_deleting'],
      };
      const next = allowed[snapshot.status];
      if (next === undefined || !next.includes(status))
        throw CinderError.InvalidSnapshot({
          reason: `Provided snapshot status ${status} not allowed for snapshot with status ${snapshot.status}.`,
        });
      await this.parts.snapshots.update(tx, id, {
        status: status as SnapshotStatus,
        ...(progress === null ? {} : { progress }),
      });
    });
  }

  async count(ctx: RequestContext, query: ListQuery, allProjects: boolean): Promise<number> {
    return this.parts.db.read('snapshot.count', (tx) =>
      this.parts.snapshots.count(tx, listScope(ctx, allProjects), query),
    );
  }
}
