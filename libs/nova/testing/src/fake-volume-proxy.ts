import type { RequestContext } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import type { NewSnapshot, NewVolume, VolumeProxyPort } from '@nestack/nova/domain';
import type { FakeVolume, FakeVolumes } from './fake-volumes';

type Item = Readonly<Record<string, unknown>>;

/** The fake cinder's volumes as their owners see them. */
export class FakeVolumeProxy implements VolumeProxyPort {
  private readonly names = new Map<string, NewVolume>();
  private readonly kept = new Map<string, Item>();

  constructor(private readonly cinder: FakeVolumes) {}

  volumes(ctx: RequestContext): Promise<readonly Item[]> {
    const own = [...this.cinder.volumes.values()].filter((one) => one.project_id === ctx.actor?.projectId);
    return Promise.resolve(own.map((volume) => this.item(volume)));
  }

  async volume(ctx: RequestContext, id: string): Promise<Item | null> {
    return (await this.volumes(ctx)).find((one) => one['id'] === id) ?? null;
  }

  create(ctx: RequestContext, volume: NewVolume): Promise<Item> {
    const made = this.cinder.add({ project_id: ctx.actor?.projectId ?? '', size: volume.size });
    this.names.set(made.id, volume);
    return Promise.resolve(this.item(made));
  }

  async remove(ctx: RequestContext, id: string): Promise<boolean> {
    return (await this.volume(ctx, id)) !== null && this.cinder.volumes.delete(id);
  }

  snapshots(ctx: RequestContext): Promise<readonly Item[]> {
    return Promise.resolve([...this.kept.values()].filter((one) => one['project_id'] === ctx.actor?.projectId));
  }

  async snapshot(ctx: RequestContext, id: string): Promise<Item | null> {
    return (await this.snapshots(ctx)).find((one) => one['id'] === id) ?? null;
  }

  async createSnapshot(ctx: RequestContext, snapshot: NewSnapshot): Promise<Item | null> {
    const volume = await this.volume(ctx, snapshot.volume_id);
    if (volume === null) return null;
    const made = {
      ...snapshot,
      id: newUuid(),
      project_id: ctx.actor?.projectId,
      size: volume['size'],
      status: 'available',
      created_at: '2026-01-01T00:00:00.000000',
    };
    this.kept.set(made.id, made);
    return made;
  }

  async removeSnapshot(ctx: RequestContext, id: string): Promise<boolean> {
    return (await this.snapshot(ctx, id)) !== null && this.kept.delete(id);
  }

  private item(volume: FakeVolume): Item {
    const attached = [...this.cinder.attachments.values()].filter((one) => one.volume_id === volume.id && one.attached);
    return {
      created_at: '2026-01-01T00:00:00.000000',
      availability_zone: 'nova',
      ...this.names.get(volume.id),
      id: volume.id,
      status: volume.status,
      size: volume.size,
      attachments: attached.map((one) => ({ server_id: one.instance, device: '/dev/vdb' })),
    };
  }
}
