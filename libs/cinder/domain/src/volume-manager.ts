import type { RequestContext } from '@nestack/kernel/context';
import { CinderError, type ConnectionInfo } from '@nestack/cinder/contract';
import type { Metadata, Volume } from './model';
import type { CinderParts, ImageSummary, VolumeDriver } from './ports';

/**
 * cinder-volume's work on one backend. Everything is level-triggered: what should be is read from the database at the moment
 * of acting, one volume at a time, so repeated and late commands do no harm.
 */
export class VolumeManager {
  private readonly locks = new Map<string, Promise<unknown>>();

  constructor(
    private readonly parts: Pick<
      CinderParts,
      'db' | 'volumes' | 'attachments' | 'snapshots' | 'groupSnapshots' | 'images'
    >,
    private readonly driver: VolumeDriver,
    /** `host@backend` */
    private readonly backend: string,
  ) {}

  createVolume(ctx: RequestContext, volumeId: string): Promise<Metadata | null> {
    return this.exclusive(volumeId, async () => {
      const volume = await this.find(volumeId);
      if (volume.image_id !== null) return this.fromImage(ctx, volume, volume.image_id);
      if (volume.snapshot_id !== null) await this.fromSnapshot(ctx, volume, volume.snapshot_id);
      else if (volume.source_volid !== null) await this.fromVolume(ctx, volume, volume.source_volid);
      else await this.driver.ensureVolume(ctx, volume);
      return null;
    });
  }

  /** What is copied stays where it is until the copy is made. */
  private fromSnapshot(ctx: RequestContext, volume: Volume, snapshotId: string): Promise<void> {
    return this.exclusive(snapshotId, () => this.driver.ensureFromSnapshot(ctx, volume, snapshotId));
  }

  private fromVolume(ctx: RequestContext, volume: Volume, sourceId: string): Promise<void> {
    return this.exclusive(sourceId, async () => this.driver.ensureFromVolume(ctx, volume, await this.find(sourceId)));
  }

  deleteVolume(ctx: RequestContext, volumeId: string): Promise<void> {
    return this.exclusive(volumeId, async () => {
      await this.driver.absentExport(ctx, volumeId);
      await this.driver.absentVolume(ctx, volumeId);
    });
  }

  extendVolume(ctx: RequestContext, volumeId: string, size: number): Promise<void> {
    return this.exclusive(volumeId, () => this.driver.ensureSize(ctx, { id: volumeId, size }));
  }

  createSnapshot(ctx: RequestContext, snapshotId: string): Promise<void> {
    return this.exclusive(snapshotId, async () => {
      const snapshot = await this.parts.db.read('snapshot.find', (tx) =>
        this.parts.snapshots.find(tx, snapshotId, null),
      );
      if (snapshot === null) throw CinderError.SnapshotNotFound({ snapshot_id: snapshotId });
      await this.exclusive(snapshot.volume_id, () => this.driver.ensureSnapshot(ctx, snapshot.volume_id, snapshotId));
    });
  }

  /** Snapshots of all volumes of a group, of one moment. */
  async createGroupSnapshot(ctx: RequestContext, groupSnapshotId: string): Promise<void> {
    const parts = await this.parts.db.read('group_snapshot.find', async (tx) => {
      if ((await this.parts.groupSnapshots.find(tx, groupSnapshotId, null)) === null)
        throw CinderError.GroupSnapshotNotFound({ group_snapshot_id: groupSnapshotId });
      const snapshots = await this.parts.snapshots.ofGroupSnapshot(tx, groupSnapshotId);
      return snapshots.map((one) => ({ volumeId: one.volume_id, snapshotId: one.id }));
    });
    // In one order for all, so that two of them never wait for each other.
    const held = parts.flatMap((one) => [one.volumeId, one.snapshotId]).sort();
    const work = held.reduceRight<() => Promise<void>>(
      (inner, id) => () => this.exclusive(id, inner),
      () => this.driver.ensureGroupSnapshot(ctx, parts),
    );
    await work();
  }

  deleteSnapshot(ctx: RequestContext, snapshotId: string): Promise<void> {
    return this.exclusive(snapshotId, () => this.driver.absentSnapshot(ctx, snapshotId));
  }

  /** Exports a volume to the host that the connector describes. */
  initializeConnection(
    ctx: RequestContext,
    volumeId: string,
    connector: Readonly<Record<string, unknown>>,
  ): Promise<ConnectionInfo> {
    return this.exclusive(volumeId, async () => {
      const volume = await this.find(volumeId);
      const to = { host: hostIn(connector), readonly: isReadonly(volume), names: exportsIn(volume) };
      return this.driver.ensureExport(ctx, volume, to);
    });
  }

  /** Ends the export unless a row still wants it. */
  terminateConnection(ctx: RequestContext, volumeId: string): Promise<void> {
    return this.exclusive(volumeId, async () => {
      const volume = await this.parts.db.read('volume.find', (tx) => this.parts.volumes.find(tx, volumeId, null));
      if (volume !== null && wantsExport(volume)) return;
      await this.driver.absentExport(ctx, volumeId);
    });
  }

  copyToImage(ctx: RequestContext, volumeId: string, imageId: string, format: string): Promise<void> {
    return this.exclusive(volumeId, async () => {
      const image = await this.parts.images.get(ctx, imageId, 'service');
      if (image === null) throw CinderError.ImageCopyFailure({ reason: `image ${imageId} is gone` });
      if (image.status === 'active') return;
      const volume = await this.find(volumeId);
      await this.parts.images.upload(ctx, imageId, await this.driver.read(ctx, volume, format));
    });
  }

  /** Brings the exports of this backend in line with the rows: after a restart, and every few seconds. */
  async reconcileExports(ctx: RequestContext): Promise<void> {
    const volumes = await this.parts.db.read('volume.exported', (tx) => this.parts.volumes.exported(tx, this.backend));
    for (const volume of volumes) await this.restoreExports(ctx, volume);
    const wanted = new Set(volumes.map((one) => one.id));
    for (const id of await this.driver.exports()) {
      if (!wanted.has(id)) await this.terminateConnection(ctx, id);
    }
  }

  private async restoreExports(ctx: RequestContext, volume: Volume): Promise<void> {
    const connectors = volume.attachments.flatMap((one) => (one.connector === null ? [] : [one.connector]));
    if (volume.connected) connectors.push({});
    const hosts = new Map(connectors.map((one) => [hostIn(one), one]));
    for (const connector of hosts.values()) await this.initializeConnection(ctx, volume.id, connector);
  }

  private async fromImage(ctx: RequestContext, volume: Volume, imageId: string): Promise<Metadata> {
    const image = await this.parts.images.get(ctx, imageId, 'service');
    if (image === null) throw CinderError.ImageCopyFailure({ reason: `image ${imageId} is gone` });
    await this.driver.ensureFromImage(ctx, volume, image, () => this.parts.images.download(ctx, imageId));
    return imageMetadata(image);
  }

  private async find(id: string): Promise<Volume> {
    const volume = await this.parts.db.read('volume.find', (tx) => this.parts.volumes.find(tx, id, null));
    if (volume === null) throw CinderError.VolumeNotFound({ volume_id: id });
    return volume;
  }

  /** One after the other for each volume or snapshot. */
  private async exclusive<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.locks.get(id) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => undefined);
    this.locks.set(id, settled);
    try {
      return await mine;
    } finally {
      if (this.locks.get(id) === settled) this.locks.delete(id);
    }
  }
}

/** Whether a host may be using the volume now. */
export function wantsExport(volume: Volume): boolean {
  return volume.connected || volume.attachments.some((one) => one.connector !== null);
}

function hostIn(connector: Readonly<Record<string, unknown>>): string | null {
  return typeof connector['host'] === 'string' ? connector['host'] : null;
}

/** What the attachments' connections are known by on the backend. */
function exportsIn(volume: Volume): readonly string[] {
  return volume.attachments.flatMap(({ connection_info: info }) => {
    const name = info?.['export'];
    return typeof name === 'string' ? [name] : [];
  });
}

function isReadonly(volume: Volume): boolean {
  return (
    volume.readonly === true ||
    (volume.attachments.length > 0 && volume.attachments.every((one) => one.attach_mode === 'ro'))
  );
}

/** `volume_image_metadata`. upstream: cinder/volume/flows/manager/create_volume.py */
export function imageMetadata(image: ImageSummary): Metadata {
  return {
    ...image.properties,
    image_id: image.id,
    image_name: image.name,
    checksum: image.checksum ?? '',
    container_format: image.container_format,
    disk_format: image.disk_format,
    min_disk: String(image.min_disk),
    min_ram: String(image.min_ram),
    size: String(image.size ?? 0),
  };
}
