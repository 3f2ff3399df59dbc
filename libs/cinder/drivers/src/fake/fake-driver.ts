import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { RequestContext } from '@nestack/kernel/context';
import { CinderError, type ConnectionInfo } from '@nestack/cinder/contract';
import type { Capabilities, Held, Resource, VolumeDriver, VolumeRef } from '@nestack/cinder/domain';

/** Operations that can be slowed down or made to fail. */
export type FakeOperation =
  | 'create_volume'
  | 'delete_volume'
  | 'extend_volume'
  | 'create_snapshot'
  | 'delete_snapshot'
  | 'initialize_connection'
  | 'terminate_connection'
  | 'copy_volume_to_image';

export interface FakeOptions {
  readonly dir: string;
  readonly backend: string;
  /** GiB */
  readonly capacity?: number | undefined;
  /** Milliseconds that an operation takes. */
  readonly delays?: Readonly<Partial<Record<FakeOperation, number>>> | undefined;
  /** How many times in 100 an operation fails. */
  readonly failures?: Readonly<Partial<Record<FakeOperation, number>>> | undefined;
}

const HELD_BYTES = 128;

interface Store {
  volumes: Record<string, { size: number; content: string }>;
  snapshots: Record<string, { volume: string; content: string }>;
  exports: Record<string, { hosts: string[] }>;
}

/**
 * A backend without storage: what exists, its size, whose content it has and who is connected is kept in a file that
 * survives crashes, as a disk would, so that what is left behind can be counted. Contents are known by their digest.
 */
export class FakeVolumeDriver implements VolumeDriver {
  private store: Store = { volumes: {}, snapshots: {}, exports: {} };
  private saving: Promise<void> | null = null;
  private again: Promise<void> | null = null;

  constructor(private readonly options: FakeOptions) {}

  async prepare(): Promise<void> {
    await mkdir(this.options.dir, { recursive: true });
    try {
      this.store = JSON.parse(await readFile(this.file, 'utf8')) as Store;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  async close(): Promise<void> {
    await (this.again ?? this.saving);
  }

  ensureVolume(_ctx: RequestContext, volume: VolumeRef): Promise<void> {
    return this.create(volume, () => Promise.resolve('empty'));
  }

  ensureFromImage(
    _ctx: RequestContext,
    volume: VolumeRef,
    _image: { readonly id: string; readonly disk_format: string },
    openImage: () => Promise<NodeJS.ReadableStream>,
  ): Promise<void> {
    return this.create(volume, async () => contentOf(await openImage()));
  }

  async ensureContent(
    _ctx: RequestContext,
    volume: VolumeRef,
    _image: { readonly id: string; readonly disk_format: string },
    openImage: () => Promise<NodeJS.ReadableStream>,
  ): Promise<void> {
    const known = this.volume(volume.id);
    await this.act('create_volume');
    known.content = await contentOf(await openImage());
    await this.save();
  }

  ensureFromSnapshot(_ctx: RequestContext, volume: VolumeRef, snapshotId: string): Promise<void> {
    return this.create(volume, () => {
      const snapshot = this.store.snapshots[snapshotId];
      if (snapshot === undefined) throw CinderError.SnapshotNotFound({ snapshot_id: snapshotId });
      return Promise.resolve(snapshot.content);
    });
  }

  ensureFromVolume(_ctx: RequestContext, volume: VolumeRef, source: VolumeRef): Promise<void> {
    return this.create(volume, () => Promise.resolve(this.volume(source.id).content));
  }

  async absentVolume(_ctx: RequestContext, volumeId: string): Promise<void> {
    if (this.store.volumes[volumeId] === undefined) return;
    await this.act('delete_volume');
    delete this.store.volumes[volumeId];
    await this.save();
  }

  async ensureSize(_ctx: RequestContext, volume: VolumeRef): Promise<void> {
    const known = this.volume(volume.id);
    if (known.size >= volume.size) return;
    await this.act('extend_volume');
    known.size = volume.size;
    await this.save();
  }

  async ensureSnapshot(_ctx: RequestContext, volumeId: string, snapshotId: string): Promise<void> {
    if (this.store.snapshots[snapshotId] !== undefined) return;
    const { content } = this.volume(volumeId);
    await this.act('create_snapshot');
    this.store.snapshots[snapshotId] = { volume: volumeId, content };
    await this.save();
  }

  async ensureGroupSnapshot(
    _ctx: RequestContext,
    parts: readonly { readonly volumeId: string; readonly snapshotId: string }[],
  ): Promise<void> {
    if (parts.every((one) => this.store.snapshots[one.snapshotId] !== undefined)) return;
    await this.act('create_snapshot');
    const contents = parts.map((one) => this.volume(one.volumeId).content);
    parts.forEach(({ volumeId, snapshotId }, index) => {
      this.store.snapshots[snapshotId] = { volume: volumeId, content: contents[index] ?? '' };
    });
    await this.save();
  }

  async absentSnapshot(_ctx: RequestContext, snapshotId: string): Promise<void> {
    if (this.store.snapshots[snapshotId] === undefined) return;
    await this.act('delete_snapshot');
    delete this.store.snapshots[snapshotId];
    await this.save();
  }

  async ensureReverted(_ctx: RequestContext, volume: VolumeRef, snapshotId: string): Promise<void> {
    const snapshot = this.store.snapshots[snapshotId];
    if (snapshot === undefined) throw CinderError.SnapshotNotFound({ snapshot_id: snapshotId });
    await this.act('create_volume');
    this.volume(volume.id).content = snapshot.content;
    await this.save();
  }

  inventory(kind: Resource): Promise<readonly { readonly name: string; readonly size: number }[]> {
    if (kind === 'volume')
      return Promise.resolve(Object.entries(this.store.volumes).map(([name, { size }]) => ({ name, size })));
    return Promise.resolve(
      Object.entries(this.store.snapshots).map(([name, { volume }]) => ({
        name,
        size: this.store.volumes[volume]?.size ?? 1,
      })),
    );
  }

  async ensureAdopted(_ctx: RequestContext, kind: Resource, id: string, name: string): Promise<void> {
    const things: Record<string, unknown> = kind === 'volume' ? this.store.volumes : this.store.snapshots;
    if (things[id] !== undefined) return;
    if (things[name] === undefined)
      throw CinderError.ManageExistingInvalidReference({ existing_ref: name, reason: 'Unable to find it.' });
    things[id] = things[name];
    // The name is what a user gave.
    Reflect.deleteProperty(things, name);
    await this.save();
  }

  /** The content as a file, since there is no other place where it would be. */
  async ensureLocalPath(_ctx: RequestContext, what: Held): Promise<string> {
    const content = 'volumeId' in what ? this.volume(what.volumeId).content : this.snapshot(what.snapshotId).content;
    await mkdir(path.join(this.options.dir, 'held'), { recursive: true });
    const file = this.heldFile(what);
    // As long as any content: what is written over it leaves nothing of it.
    await writeFile(file, content.padEnd(HELD_BYTES));
    return file;
  }

  async releaseLocalPath(_ctx: RequestContext, what: Held): Promise<void> {
    const file = this.heldFile(what);
    let written: string;
    try {
      written = (await readFile(file, 'utf8')).trimEnd();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    const known = 'volumeId' in what ? this.store.volumes[what.volumeId] : undefined;
    if (known !== undefined && known.content !== written) {
      known.content = written;
      await this.save();
    }
    await rm(file, { force: true });
  }

  ensureFromFile(_ctx: RequestContext, volume: VolumeRef, file: string): Promise<void> {
    return this.create(volume, async () => (await readFile(file, 'utf8')).trimEnd());
  }

  private heldFile(what: Held): string {
    return path.join(this.options.dir, 'held', 'volumeId' in what ? what.volumeId : what.snapshotId);
  }

  private snapshot(id: string): { content: string } {
    const snapshot = this.store.snapshots[id];
    if (snapshot === undefined) throw CinderError.SnapshotNotFound({ snapshot_id: id });
    return snapshot;
  }

  async ensureExport(
    _ctx: RequestContext,
    volume: VolumeRef,
    to: { readonly host: string | null; readonly readonly: boolean },
  ): Promise<ConnectionInfo> {
    this.volume(volume.id);
    const host = to.host ?? '*';
    const known = (this.store.exports[volume.id] ??= { hosts: [] });
    if (!known.hosts.includes(host)) {
      await this.act('initialize_connection');
      known.hosts.push(host);
      await this.save();
    }
    return {
      driver_volume_type: 'fake',
      data: { volume_id: volume.id, export: `volume-${volume.id}`, access_mode: to.readonly ? 'ro' : 'rw' },
    };
  }

  async absentExport(_ctx: RequestContext, volumeId: string): Promise<void> {
    if (this.store.exports[volumeId] === undefined) return;
    await this.act('terminate_connection');
    delete this.store.exports[volumeId];
    await this.save();
  }

  onLoss(_listener: () => void): void {
    // What is only written down does not get lost.
  }

  exports(): Promise<readonly string[]> {
    return Promise.resolve(Object.keys(this.store.exports));
  }

  async read(_ctx: RequestContext, volume: VolumeRef, _format: string): Promise<NodeJS.ReadableStream> {
    await this.act('copy_volume_to_image');
    return Readable.from([Buffer.from(`fake volume: ${this.volume(volume.id).content}`)]);
  }

  capabilities(): Promise<Capabilities> {
    const total = this.options.capacity ?? 100_000;
    const used = Object.values(this.store.volumes).reduce((sum, one) => sum + one.size, 0);
    return Promise.resolve({
      volume_backend_name: this.options.backend,
      driver_version: '1.0',
      // As upstream's simulated backends.
      storage_protocol: 'iSCSI',
      // What upstream's own drivers say, and clients' tests look for.
      vendor_name: 'Open Source',
      total_capacity_gb: total,
      free_capacity_gb: Math.max(0, total - used),
      multiattach: true,
      online_extend_support: true,
      consistent_group_snapshot_enabled: true,
    });
  }

  private get file(): string {
    return path.join(this.options.dir, 'volumes.json');
  }

  private volume(id: string): { size: number; content: string } {
    const volume = this.store.volumes[id];
    if (volume === undefined) throw CinderError.VolumeNotFound({ volume_id: id });
    return volume;
  }

  private async create(volume: VolumeRef, content: () => Promise<string>): Promise<void> {
    if (this.store.volumes[volume.id] !== undefined) return;
    await this.act('create_volume');
    this.store.volumes[volume.id] = { size: volume.size, content: await content() };
    await this.save();
  }

  private async act(operation: FakeOperation): Promise<void> {
    const wait = this.options.delays?.[operation] ?? 0;
    if (wait > 0) await delay(wait);
    if (Math.random() * 100 < (this.options.failures?.[operation] ?? 0))
      throw CinderError.VolumeBackendAPIException({ data: `the fake backend was told to fail at ${operation}` });
  }

  /** Writes that are asked for while one is under way go into the next one together. */
  private save(): Promise<void> {
    if (this.saving === null) {
      this.saving = this.write().finally(() => (this.saving = null));
      return this.saving;
    }
    this.again ??= this.saving
      .catch(() => undefined)
      .then(() => {
        this.again = null;
        return this.save();
      });
    return this.again;
  }

  /** Synced and renamed into place: a crash leaves the old state or the new one. */
  private async write(): Promise<void> {
    const temporary = `${this.file}.new`;
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(JSON.stringify(this.store));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, this.file);
  }
}

/** What stands for an image's data. */
async function contentOf(data: NodeJS.ReadableStream): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of data) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
