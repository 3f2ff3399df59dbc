import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { orNull, type ApiClient, type ApiClients } from '@nestack/kernel/http';
import {
  cinderApi,
  createSnapshot,
  createVolume,
  deleteSnapshot,
  deleteVolume,
  listSnapshotsDetail,
  listVolumesDetail,
  showSnapshot,
  showVolume,
} from '@nestack/cinder/contract';
import { NovaError } from '@nestack/nova/contract';
import type { NewSnapshot, NewVolume, VolumeProxyPort } from '@nestack/nova/domain';

type Item = Readonly<Record<string, unknown>>;

/** Cinder behind nova's older volume API. */
export class VolumeProxyClient implements VolumeProxyPort {
  private readonly api: ApiClient;

  constructor(clients: ApiClients) {
    this.api = clients.client(cinderApi);
  }

  async volumes(ctx: RequestContext): Promise<readonly Item[]> {
    return ((await this.api.call(ctx, listVolumesDetail, {}, 'user')) as { volumes: readonly Item[] }).volumes;
  }

  async volume(ctx: RequestContext, id: string): Promise<Item | null> {
    const answer = await orNull(this.api.call(ctx, showVolume, { params: { volume_id: id } }, 'user'));
    return answer === null ? null : (answer as { volume: Item }).volume;
  }

  async create(ctx: RequestContext, volume: NewVolume): Promise<Item> {
    const answer = await inNovasWords(this.api.call(ctx, createVolume, { body: { volume } }, 'user'));
    return (answer as { volume: Item }).volume;
  }

  async remove(ctx: RequestContext, id: string): Promise<boolean> {
    const removed = this.api.call(ctx, deleteVolume, { params: { volume_id: id } }, 'user').then(() => true);
    return (await orNull(inNovasWords(removed))) ?? false;
  }

  async snapshots(ctx: RequestContext): Promise<readonly Item[]> {
    return ((await this.api.call(ctx, listSnapshotsDetail, {}, 'user')) as { snapshots: readonly Item[] }).snapshots;
  }

  async snapshot(ctx: RequestContext, id: string): Promise<Item | null> {
    const answer = await orNull(this.api.call(ctx, showSnapshot, { params: { snapshot_id: id } }, 'user'));
    return answer === null ? null : (answer as { snapshot: Item }).snapshot;
  }

  async createSnapshot(ctx: RequestContext, snapshot: NewSnapshot): Promise<Item | null> {
    const made = this.api.call(ctx, createSnapshot, { body: { snapshot } }, 'user');
    const answer = await orNull(inNovasWords(made));
    return answer === null ? null : (answer as { snapshot: Item }).snapshot;
  }

  async removeSnapshot(ctx: RequestContext, id: string): Promise<boolean> {
    const removed = this.api.call(ctx, deleteSnapshot, { params: { snapshot_id: id } }, 'user').then(() => true);
    return (await orNull(inNovasWords(removed))) ?? false;
  }
}

/** Cinder's quota is 403 here, and what it finds wrong with a request 400. */
async function inNovasWords<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    if (error.kind === 'overQuota') throw NovaError.VolumeLimitExceeded({ reason: error.message });
    if (error.kind === 'badRequest') throw NovaError.BadRequest({ reason: error.message });
    throw error;
  }
}
