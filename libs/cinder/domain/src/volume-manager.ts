import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { CinderError, type ConnectionInfo } from '@nestack/cinder/contract';
import { backendOf } from './groups';
import type { Backup, Metadata, Snapshot, Volume } from './model';
import type { CinderParts, Held, ImageSummary, Resource, VolumeDriver } from './ports';

/**
 * cinder-volume's work on the backends of one host. Everything is level-triggered: what should be is read from the database at the moment
 * of acting, one volume at a time, so repeated and late commands do no harm.
 */
export class VolumeManager {
  private readonly locks = new Map<string, Promise<unknown>>();

  constructor(
    private readonly parts: Pick<
      CinderParts,
      'db' | 'volumes' | 'attachments' | 'snapshots' | 'groupSnapshots' | 'backups' | 'images'
    >,
    /** By `host@backend`. */
    private readonly drivers: ReadonlyMap<string, VolumeDriver>,
  ) {}

  createVolume(ctx: RequestContext, volumeId: string): Promise<Metadata | null> {
    return this.exclusive(volumeId, async () => {
      const volume = await this.find(volumeId);
      if (volume.image_id !== null) return this.fromImage(ctx, volume, volume.image_id);
      if (volume.snapshot_id !== null) await this.fromSnapshot(ctx, volume, volume.snapshot_id);
      else if (volume.source_volid !== null) await this.fromVolume(ctx, volume, volume.source_volid);
      else await this.driverOf(volume).ensureVolume(ctx, volume);
      return null;
    });
  }

  /** What is copied stays where it is until the copy is made. */
  private fromSnapshot(ctx: RequestContext, volume: Volume, snapshotId: string): Promise<void> {
    return this.exclusive(snapshotId, () => this.driverOf(volume).ensureFromSnapshot(ctx, volume, snapshotId));
  }

  private fromVolume(ctx: RequestContext, volume: Volume, sourceId: string): Promise<void> {
    return this.exclusive(sourceId, async () =>
      this.driverOf(volume).ensureFromVolume(ctx, volume, await this.find(sourceId)),
    );
  }

  deleteVolume(ctx: RequestContext, volumeId: string): Promise<void> {
    return this.exclusive(volumeId, async () => {
      const driver = this.driverOf(await this.find(volumeId));
      await driver.absentExport(ctx, volumeId);
      await driver.absentVolume(ctx, volumeId);
    });
  }

  reimage(ctx: RequestContext, volumeId: string, imageId: string): Promise<Metadata> {
    return this.exclusive(volumeId, async () => {
      const volume = await this.find(volumeId);
      if (wantsExport(volume)) throw CinderError.InvalidVolume({ reason: `Volume ${volumeId} is in use.` });
      const image = await this.parts.images.get(ctx, imageId, 'service');
      if (image === null) throw CinderError.ImageCopyFailure({ reason: `image ${imageId} is gone` });
      const driver = this.driverOf(volume);
      await driver.absentExport(ctx, volumeId);
      await driver.ensureContent(ctx, volume, image, () => this.parts.images.download(ctx, imageId));
      return imageMetadata(image);
    });
  }

  extendVolume(ctx: RequestContext, volumeId: string, size: number): Promise<void> {
    return this.exclusive(volumeId, async () =>
      this.driverOf(await this.find(volumeId)).ensureSize(ctx, { id: volumeId, size }),
    );
  }

  createSnapshot(ctx: RequestContext, snapshotId: string): Promise<void> {
    return this.exclusive(snapshotId, async () => {
      const { snapshot, volume } = await this.findSnapshot(snapshotId);
      await this.exclusive(volume.id, () => this.driverOf(volume).ensureSnapshot(ctx, volume.id, snapshot.id));
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
    const [first] = parts;
    if (first === undefined) return;
    const driver = this.driverOf(await this.find(first.volumeId));
    // In one order for all, so that two of them never wait for each other.
    const held = parts.flatMap((one) => [one.volumeId, one.snapshotId]).sort();
    const work = held.reduceRight<() => Promise<void>>(
      (inner, id) => () => this.exclusive(id, inner),
      () => driver.ensureGroupSnapshot(ctx, parts),
    );
    await work();
  }

  deleteSnapshot(ctx: RequestContext, snapshotId: string): Promise<void> {
    return this.exclusive(snapshotId, async () => {
      const { volume } = await this.findSnapshot(snapshotId);
      await this.driverOf(volume).absentSnapshot(ctx, snapshotId);
    });
  }

  /** Gives a volume the content that a snapshot has. */
  revertToSnapshot(ctx: RequestContext, volumeId: string, snapshotId: string): Promise<void> {
    return this.exclusive(snapshotId, () =>
      this.exclusive(volumeId, async () => {
        const volume = await this.find(volumeId);
        await this.driverOf(volume).ensureReverted(ctx, volume, snapshotId);
      }),
    );
  }

  /**
   * Where what is backed up can be read on this host: a snapshot, a volume that nobody uses, or a copy of one in use, which is
   * known by the backup's id.
   */
  async openForBackup(ctx: RequestContext, backupId: string): Promise<string> {
    const { backup, volume } = await this.findBackup(backupId);
    const driver = this.driverOf(volume);
    return this.exclusive(volume.id, async () => {
      if (backup.of_copy) await driver.ensureSnapshot(ctx, volume.id, backup.id);
      return driver.ensureLocalPath(ctx, heldFor(backup));
    });
  }

  async closeAfterBackup(ctx: RequestContext, backupId: string): Promise<void> {
    const { backup, volume } = await this.findBackup(backupId);
    const driver = this.driverOf(volume);
    await this.exclusive(volume.id, async () => {
      await driver.releaseLocalPath(ctx, heldFor(backup));
      if (backup.of_copy) await driver.absentSnapshot(ctx, backup.id);
    });
  }

  openForRestore(ctx: RequestContext, volumeId: string): Promise<string> {
    return this.exclusive(volumeId, async () =>
      this.driverOf(await this.find(volumeId)).ensureLocalPath(ctx, { volumeId }),
    );
  }

  closeAfterRestore(ctx: RequestContext, volumeId: string): Promise<void> {
    return this.exclusive(volumeId, async () =>
      this.driverOf(await this.find(volumeId)).releaseLocalPath(ctx, { volumeId }),
    );
  }

  /** Copies a volume's data onto another backend of this host, where they wait for the row to follow. */
  migrateVolume(ctx: RequestContext, volumeId: string, host: string): Promise<void> {
    return this.exclusive(volumeId, async () => {
      const volume = await this.find(volumeId);
      const from = this.driverOf(volume);
      const target = this.driverOf({ host });
      if (from === target) return;
      try {
        await target.ensureFromFile(ctx, volume, await from.ensureLocalPath(ctx, { volumeId }));
      } finally {
        await from.releaseLocalPath(ctx, { volumeId });
      }
    });
  }

  /** Ensures that a backend has nothing of a volume that is elsewhere. */
  deleteVolumeCopy(ctx: RequestContext, volumeId: string, host: string): Promise<void> {
    return this.exclusive(volumeId, async () => {
      const volume = await this.parts.db.read('volume.find', (tx) => this.parts.volumes.find(tx, volumeId, null));
      if (volume !== null && backendOf(volume.host) === backendOf(host)) return;
      await this.driverOf({ host }).absentVolume(ctx, volumeId);
    });
  }

  /** GiB of what a reference names on a backend; throws when there is nothing, or when it is a volume of ours already. */
  async manageExistingSize(host: string, kind: Resource, name: string): Promise<number> {
    const found = (await this.driverOf({ host }).inventory(kind)).find((one) => one.name === name);
    const known = await this.known([name], kind);
    if (known.has(name)) throw CinderError.ManageExistingAlreadyManaged({ volume_ref: name });
    if (found === undefined)
      throw CinderError.ManageExistingInvalidReference({ existing_ref: name, reason: 'Unable to find it.' });
    return found.size;
  }

  /** Makes what a reference names the data of a volume of ours. */
  manageExisting(ctx: RequestContext, volumeId: string, name: string): Promise<void> {
    return this.exclusive(volumeId, async () =>
      this.driverOf(await this.find(volumeId)).ensureAdopted(ctx, 'volume', volumeId, name),
    );
  }

  manageExistingSnapshot(ctx: RequestContext, snapshotId: string, name: string): Promise<void> {
    return this.exclusive(snapshotId, async () => {
      const { snapshot, volume } = await this.findSnapshot(snapshotId);
      const size = await this.manageExistingSize(volume.host ?? '', 'snapshot', name).catch((error: unknown) => {
        // Adopted by an earlier try: then it is found under its new name.
        if (isMissingReference(error)) return null;
        throw error;
      });
      if (size !== null && size > snapshot.volume_size)
        throw CinderError.ManageExistingInvalidReference({
          existing_ref: name,
          reason: `It has ${String(size)} GiB, more than its volume.`,
        });
      await this.driverOf(volume).ensureAdopted(ctx, 'snapshot', snapshotId, name);
    });
  }

  /** What a backend has, and whether it is ours already. */
  async manageable(host: string, kind: Resource): Promise<readonly Manageable[]> {
    const there = await this.driverOf({ host }).inventory(kind);
    const known = await this.known(
      there.map((one) => one.name),
      kind,
    );
    return there.map(({ name, size }) => ({ name, size, cinder_id: known.has(name) ? name : null }));
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
      return this.driverOf(volume).ensureExport(ctx, volume, to);
    });
  }

  /** Ends the export unless a row still wants it. */
  terminateConnection(ctx: RequestContext, volumeId: string): Promise<void> {
    return this.exclusive(volumeId, async () => {
      const volume = await this.parts.db.read('volume.find', (tx) => this.parts.volumes.find(tx, volumeId, null));
      if (volume !== null && wantsExport(volume)) return;
      const drivers = volume === null ? [...this.drivers.values()] : [this.driverOf(volume)];
      for (const driver of drivers) await driver.absentExport(ctx, volumeId);
    });
  }

  copyToImage(ctx: RequestContext, volumeId: string, imageId: string, format: string): Promise<void> {
    return this.exclusive(volumeId, async () => {
      const image = await this.parts.images.get(ctx, imageId, 'service');
      if (image === null) throw CinderError.ImageCopyFailure({ reason: `image ${imageId} is gone` });
      if (image.status === 'active') return;
      const volume = await this.find(volumeId);
      await this.parts.images.upload(ctx, imageId, await this.driverOf(volume).read(ctx, volume, format));
    });
  }

  /** Brings the exports of a backend in line with the rows: after a restart, and every few seconds. */
  async reconcileExports(ctx: RequestContext, backend: string): Promise<void> {
    const volumes = await this.parts.db.read('volume.exported', (tx) => this.parts.volumes.exported(tx, backend));
    for (const volume of volumes) await this.restoreExports(ctx, volume);
    const wanted = new Set(volumes.map((one) => one.id));
    for (const id of await this.driverOf({ host: backend }).exports()) {
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
    await this.driverOf(volume).ensureFromImage(ctx, volume, image, () => this.parts.images.download(ctx, imageId));
    return imageMetadata(image);
  }

  /** The driver that has a volume. One whose backend is not configured waits for it, as for one that is away. */
  private driverOf(volume: Pick<Volume, 'host'>): VolumeDriver {
    const driver = this.drivers.get(backendOf(volume.host) ?? '');
    if (driver === undefined)
      throw new DomainError({
        kind: 'unavailable',
        code: 'BackendUnavailable',
        message: 'The storage backend is temporarily unavailable.',
        detail: `no backend ${String(volume.host)} here`,
      });
    return driver;
  }

  /** Which of the names are ids of ours. */
  private known(names: readonly string[], kind: Resource): Promise<ReadonlySet<string>> {
    return this.parts.db.read('manage.known', (tx) => this.parts.volumes.known(tx, kind, names));
  }

  private async findBackup(id: string): Promise<{ backup: Backup; volume: Volume }> {
    return this.parts.db.read('backup.find', async (tx) => {
      const backup = await this.parts.backups.find(tx, id, null);
      if (backup === null) throw CinderError.BackupNotFound({ backup_id: id });
      const volume = await this.parts.volumes.find(tx, backup.volume_id, null);
      if (volume === null) throw CinderError.VolumeNotFound({ volume_id: backup.volume_id });
      return { backup, volume };
    });
  }

  private async findSnapshot(id: string): Promise<{ snapshot: Snapshot; volume: Volume }> {
    return this.parts.db.read('snapshot.find', async (tx) => {
      const snapshot = await this.parts.snapshots.find(tx, id, null);
      const volume = snapshot === null ? null : await this.parts.volumes.find(tx, snapshot.volume_id, null);
      if (snapshot === null || volume === null) throw CinderError.SnapshotNotFound({ snapshot_id: id });
      return { snapshot, volume };
    });
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

function heldFor(backup: Backup): Held {
  if (backup.of_copy) return { snapshotId: backup.id };
  return backup.snapshot_id === null ? { volumeId: backup.volume_id } : { snapshotId: backup.snapshot_id };
}

export interface Manageable {
  readonly name: string;
  /** GiB */
  readonly size: number;
  /** Of the volume or snapshot that it is already. */
  readonly cinder_id: string | null;
}

function isMissingReference(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'ManageExistingInvalidReference';
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
