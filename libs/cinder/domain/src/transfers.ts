import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { RequestContext, Tx } from '@nestack/kernel/context';
import { isUuidLike, newUuid } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import { enforceOn, findVolume, scopeOf } from './access';
import type { Transfer } from './model';
import type { CinderParts, ListQuery } from './ports';
import { negated, type Quotas } from './quotas';
import { listScope } from './volumes';

/** Volumes that one project offers and another takes, with a key that only the offer's answer tells. */
export class Transfers {
  constructor(
    private readonly parts: CinderParts,
    private readonly quotas: Quotas,
  ) {}

  list(ctx: RequestContext, query: ListQuery, allProjects: boolean): Promise<readonly Transfer[]> {
    return this.parts.db.read('transfer.list', (tx) =>
      this.parts.transfers.list(tx, listScope(ctx, allProjects), query),
    );
  }

  show(ctx: RequestContext, id: string): Promise<Transfer> {
    return this.parts.db.read('transfer.show', async (tx) => {
      const transfer = await this.found(ctx, tx, id);
      enforceOn(this.parts.policy, ctx, 'volume:get_transfer', { project_id: transfer.source_project_id });
      return transfer;
    });
  }

  /** The volume waits for whoever brings the key. */
  async create(
    ctx: RequestContext,
    request: { readonly volume_id: string; readonly name: string | null; readonly no_snapshots: boolean },
  ): Promise<{ readonly transfer: Transfer; readonly auth_key: string }> {
    const auth_key = randomBytes(8).toString('hex');
    const salt = randomBytes(4).toString('hex');
    const transfer = await this.parts.db.run('transfer.create', async (tx) => {
      const volume = await findVolume(this.parts, ctx, tx, request.volume_id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:create_transfer', volume);
      if (volume.status !== 'available') throw CinderError.InvalidVolume({ reason: 'status must be available' });
      if (volume.group_id !== null)
        throw CinderError.InvalidVolume({ reason: 'volumes in a group cannot be transferred' });
      const id = newUuid();
      await this.parts.transfers.insert(tx, {
        ...request,
        id,
        salt,
        key_hash: hashOf(salt, auth_key),
        source_project_id: volume.project_id,
      });
      await this.parts.volumes.setStatus(tx, volume.id, 'awaiting-transfer');
      return this.found(ctx, tx, id);
    });
    return { transfer, auth_key };
  }

  /** Moves the volume, and its snapshots unless they were left out, with their quota. */
  async accept(ctx: RequestContext, id: string, authKey: string): Promise<Transfer> {
    const actor = ctx.actor;
    const projectId = actor?.projectId ?? null;
    if (actor === null || projectId === null)
      throw CinderError.InvalidInput({ reason: 'A project-scoped token is needed to accept transfers.' });
    return this.parts.db.run('transfer.accept', async (tx) => {
      const transfer = isUuidLike(id) ? await this.parts.transfers.find(tx, id, null, { lock: true }) : null;
      if (transfer === null) throw CinderError.TransferNotFound({ transfer_id: id });
      if (!matches(transfer, authKey)) throw CinderError.InvalidAuthKey();
      const volume = await this.parts.volumes.find(tx, transfer.volume_id, null, { lock: true });
      if (volume?.status !== 'awaiting-transfer')
        throw CinderError.InvalidVolume({ reason: 'status must be awaiting-transfer' });
      const snapshots = transfer.no_snapshots ? [] : await this.parts.snapshots.ofVolume(tx, volume.id);
      const gigabytes = volume.size + snapshots.reduce((sum, one) => sum + one.volume_size, 0);
      const taken = {
        volumes: 1,
        gigabytes,
        [`volumes_${volume.volume_type}`]: 1,
        [`gigabytes_${volume.volume_type}`]: gigabytes,
        ...(snapshots.length === 0
          ? {}
          : { snapshots: snapshots.length, [`snapshots_${volume.volume_type}`]: snapshots.length }),
      };
      await this.quotas.reserve(tx, projectId, taken);
      await this.parts.quotas.add(tx, volume.project_id, negated(taken));
      const owner = { project_id: projectId, user_id: actor.userId };
      await this.parts.volumes.update(tx, volume.id, { ...owner, status: 'available' });
      for (const snapshot of snapshots) await this.parts.snapshots.update(tx, snapshot.id, owner);
      await this.parts.transfers.remove(tx, id);
      return transfer;
    });
  }

  /** The volume is the offerer's own again. */
  async remove(ctx: RequestContext, id: string): Promise<void> {
    await this.parts.db.run('transfer.delete', async (tx) => {
      const transfer = await this.found(ctx, tx, id);
      const volume = await findVolume(this.parts, ctx, tx, transfer.volume_id, { lock: true });
      enforceOn(this.parts.policy, ctx, 'volume:delete_transfer', volume);
      await this.parts.transfers.remove(tx, id);
      if (volume.status === 'awaiting-transfer') await this.parts.volumes.setStatus(tx, volume.id, 'available');
    });
  }

  private async found(ctx: RequestContext, tx: Tx, id: string): Promise<Transfer> {
    const transfer = isUuidLike(id) ? await this.parts.transfers.find(tx, id, scopeOf(ctx)) : null;
    if (transfer === null) throw CinderError.TransferNotFound({ transfer_id: id });
    return transfer;
  }
}

function hashOf(salt: string, key: string): string {
  return createHash('sha256').update(`${salt}:${key}`).digest('hex');
}

function matches(transfer: { readonly salt: string; readonly key_hash: string }, key: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(transfer.salt, key)), Buffer.from(transfer.key_hash));
}
