import { rm } from 'node:fs/promises';
import path from 'node:path';
import { tryRun } from '@nestack/kernel/process';
import type { RequestContext } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import { CinderError, type ConnectionInfo } from '@nestack/cinder/contract';
import type { Capabilities, Held, Resource, VolumeDriver, VolumeRef } from '@nestack/cinder/domain';
import { assertHead, formatOf, inspectImage, unacceptable } from './image-guard';
import { StorageDaemon } from './storage-daemon';
import { exportName, VolumeExports } from './volume-exports';
import { GIB, VolumeFiles } from './volume-files';

export interface NbdOptions {
  /** Folder of the volumes' files, and of what serves them. */
  readonly dir: string;
  /** This host: its guests reach exports through a socket. */
  readonly host: string;
  readonly backend: string;
  /** Where guests of other hosts reach exports; null when there are none. */
  readonly address: { readonly host: string; readonly port: number } | null;
  readonly log: Logger;
}

/** A socket's path ends at 108 bytes. */
const SOCKET_LIMIT = 107;

/**
 * Volumes as raw files that guests reach over NBD. One qemu-storage-daemon opens the files and serves them on a unix socket;
 * for other hosts a second one passes its exports on over TCP, so that each file is open once however many hosts use it. Both
 * outlive this process and are found again. Snapshots are copies, of volumes in use at one moment.
 */
export class NbdVolumeDriver implements VolumeDriver {
  private readonly files: VolumeFiles;
  private readonly local: StorageDaemon;
  private readonly remote: StorageDaemon | null;
  private readonly localExports: VolumeExports;
  private readonly remoteExports: VolumeExports | null;
  private lost: (() => void) | null = null;

  constructor(private readonly options: NbdOptions) {
    this.files = new VolumeFiles(options.dir);
    this.local = new StorageDaemon({
      dir: path.join(options.dir, 'local'),
      listener: { type: 'unix', path: this.socket },
      log: options.log,
      onLoss: () => this.lost?.(),
    });
    this.remote =
      options.address === null
        ? null
        : new StorageDaemon({
            dir: path.join(options.dir, 'remote'),
            listener: { type: 'inet', ...options.address },
            log: options.log,
            onLoss: () => this.lost?.(),
          });
    this.localExports = new VolumeExports(this.local, { shared: true, name: (id) => nodeName(id) });
    this.remoteExports =
      this.remote === null ? null : new VolumeExports(this.remote, { shared: false, name: passingNode });
  }

  onLoss(listener: () => void): void {
    this.lost = listener;
  }

  async prepare(): Promise<void> {
    const longest = path.join(this.options.dir, 'remote', 'qmp.sock');
    if (Buffer.byteLength(longest) > SOCKET_LIMIT)
      throw new Error(
        `the volumes' directory ${this.options.dir} is too long a path for sockets: choose a shorter one`,
      );
    for (const program of ['qemu-img', 'qemu-storage-daemon'])
      if ((await tryRun(program, ['--version'])).code !== 0)
        throw new Error(`${program} is missing: install qemu-utils, or use the driver fake`);
    await this.files.prepare();
  }

  async close(): Promise<void> {
    this.local.close();
    this.remote?.close();
    await Promise.resolve();
  }

  ensureVolume(_ctx: RequestContext, volume: VolumeRef): Promise<void> {
    return this.files.ensure(this.files.volume(volume.id), volume.size * GIB, () => Promise.resolve());
  }

  ensureFromImage(
    _ctx: RequestContext,
    volume: VolumeRef,
    image: { readonly id: string; readonly disk_format: string },
    open: () => Promise<NodeJS.ReadableStream>,
  ): Promise<void> {
    const file = this.files.volume(volume.id);
    return this.files.ensure(file, volume.size * GIB, (part) => this.fill(volume, image, open, part));
  }

  ensureContent(
    _ctx: RequestContext,
    volume: VolumeRef,
    image: { readonly id: string; readonly disk_format: string },
    open: () => Promise<NodeJS.ReadableStream>,
  ): Promise<void> {
    const file = this.files.volume(volume.id);
    return this.files.replace(file, volume.size * GIB, (part) => this.fill(volume, image, open, part));
  }

  /** Writes an image's content into a file that is as large as the volume. */
  private async fill(
    volume: VolumeRef,
    image: { readonly id: string; readonly disk_format: string },
    open: () => Promise<NodeJS.ReadableStream>,
    part: string,
  ): Promise<void> {
    const bytes = volume.size * GIB;
    const tooLarge = (): Error => unacceptable(image.id, `it is larger than the volume of ${String(volume.size)} GiB`);
    const format = formatOf(image.id, image.disk_format);
    if (format === 'raw') {
      const check = (head: Buffer): void => assertHead(image.id, format, head);
      await this.files.saveRaw(await open(), part, { limit: bytes, check, tooLarge });
      return;
    }
    const copy = this.files.work(`${volume.id}.image`);
    try {
      await this.files.save(await open(), copy);
      if ((await inspectImage(image.id, copy, format)) > bytes) throw tooLarge();
      await this.files.convert(copy, format, part);
    } finally {
      await rm(copy, { force: true });
    }
  }

  ensureFromSnapshot(_ctx: RequestContext, volume: VolumeRef, snapshotId: string): Promise<void> {
    return this.files.ensure(this.files.volume(volume.id), volume.size * GIB, async (part) => {
      const source = this.files.snapshot(snapshotId);
      if (!(await this.files.exists(source))) throw CinderError.SnapshotNotFound({ snapshot_id: snapshotId });
      await this.files.copy(source, part);
    });
  }

  ensureFromVolume(_ctx: RequestContext, volume: VolumeRef, source: VolumeRef): Promise<void> {
    return this.files.ensure(this.files.volume(volume.id), volume.size * GIB, (part) =>
      this.copyNow(source.id, part, volume.id),
    );
  }

  async absentVolume(_ctx: RequestContext, volumeId: string): Promise<void> {
    await this.files.absent(this.files.volume(volumeId));
  }

  async ensureSize(_ctx: RequestContext, volume: VolumeRef): Promise<void> {
    await this.existing(volume.id);
    const file = this.files.volume(volume.id);
    await this.files.grow(file, volume.size * GIB);
    await this.local.ensureNodeSize(nodeName(volume.id), file, volume.size * GIB);
  }

  async ensureSnapshot(_ctx: RequestContext, volumeId: string, snapshotId: string): Promise<void> {
    const bytes = await this.existing(volumeId);
    await this.files.ensure(this.files.snapshot(snapshotId), bytes, (part) => this.copyNow(volumeId, part, snapshotId));
  }

  async ensureGroupSnapshot(
    _ctx: RequestContext,
    parts: readonly { readonly volumeId: string; readonly snapshotId: string }[],
  ): Promise<void> {
    const there = await Promise.all(parts.map((one) => this.files.exists(this.files.snapshot(one.snapshotId))));
    if (there.every(Boolean)) return;
    // Those of an earlier try are of another moment.
    for (const { snapshotId } of parts) await this.files.absent(this.files.snapshot(snapshotId));
    const copies: { volumeId: string; part: string; purpose: string }[] = [];
    const work = parts.reduceRight<() => Promise<void>>(
      (inner, { volumeId, snapshotId }) =>
        async () =>
          this.files.ensure(this.files.snapshot(snapshotId), await this.existing(volumeId), async (part) => {
            copies.push({ volumeId, part, purpose: snapshotId });
            await inner();
          }),
      () => this.copyAllNow(copies),
    );
    await work();
  }

  async absentSnapshot(_ctx: RequestContext, snapshotId: string): Promise<void> {
    await this.files.absent(this.files.snapshot(snapshotId));
  }

  /** A new file takes the volume's place. */
  async ensureReverted(_ctx: RequestContext, volume: VolumeRef, snapshotId: string): Promise<void> {
    await this.existing(volume.id);
    const source = this.files.snapshot(snapshotId);
    const bytes = await this.files.size(source);
    if (bytes === null) throw CinderError.SnapshotNotFound({ snapshot_id: snapshotId });
    await this.files.replace(this.files.volume(volume.id), bytes, (part) => this.files.copy(source, part));
  }

  async inventory(kind: Resource): Promise<readonly { readonly name: string; readonly size: number }[]> {
    const found = await this.files.list(kind);
    return found.map(({ name, bytes }) => ({ name, size: Math.ceil(bytes / GIB) }));
  }

  async ensureAdopted(_ctx: RequestContext, kind: Resource, id: string, name: string): Promise<void> {
    const fileOf = (one: string): string => (kind === 'volume' ? this.files.volume(one) : this.files.snapshot(one));
    if (await this.files.exists(fileOf(id))) return;
    const there = (await this.files.list(kind)).find((one) => one.name === name);
    if (there === undefined)
      throw CinderError.ManageExistingInvalidReference({ existing_ref: name, reason: 'Unable to find it.' });
    // A volume is whole GiB.
    if (kind === 'volume') await this.files.grow(fileOf(name), Math.ceil(there.bytes / GIB) * GIB);
    await this.files.move(fileOf(name), fileOf(id));
  }

  async ensureLocalPath(_ctx: RequestContext, what: Held): Promise<string> {
    if ('volumeId' in what) {
      await this.existing(what.volumeId);
      return this.files.volume(what.volumeId);
    }
    const file = this.files.snapshot(what.snapshotId);
    if (!(await this.files.exists(file))) throw CinderError.SnapshotNotFound({ snapshot_id: what.snapshotId });
    return file;
  }

  releaseLocalPath(): Promise<void> {
    // The path is the volume itself.
    return Promise.resolve();
  }

  ensureFromFile(_ctx: RequestContext, volume: VolumeRef, file: string): Promise<void> {
    return this.files.ensure(this.files.volume(volume.id), volume.size * GIB, (part) => this.files.copy(file, part));
  }

  async ensureExport(
    ctx: RequestContext,
    volume: VolumeRef,
    to: { readonly host: string | null; readonly readonly: boolean; readonly names: readonly string[] },
  ): Promise<ConnectionInfo> {
    const size = Math.ceil((await this.existing(volume.id)) / GIB);
    const served = { volumeId: volume.id, size, writable: !to.readonly, names: to.names };
    // What the second daemon does not need any more, the first one need not keep.
    await this.remoteExports?.endOutdated(served);
    const name = await this.localExports.ensure(ctx, served, () => ({
      driver: 'raw',
      'read-only': to.readonly,
      discard: 'unmap',
      file: {
        driver: 'file',
        filename: this.files.volume(volume.id),
        discard: 'unmap',
        'read-only': to.readonly,
      },
    }));
    const data = { volume_id: volume.id, access_mode: to.readonly ? 'ro' : 'rw' };
    const here = { driver_volume_type: 'nbd', data: { ...data, export: name, socket: this.socket } };
    if (to.host === this.options.host) return here;
    const { address } = this.options;
    if (this.remoteExports === null || address === null) {
      if (to.host === null) return here;
      throw CinderError.InvalidVolume({ reason: `Volume ${volume.id} cannot be reached from host ${to.host}.` });
    }
    const passedOn = await this.remoteExports.ensure(ctx, served, () => ({
      driver: 'raw',
      'read-only': to.readonly,
      file: {
        driver: 'nbd',
        server: { type: 'unix', path: this.socket },
        export: name,
        'read-only': to.readonly,
        // When the first one is started anew, requests wait for it.
        'reconnect-delay': 60,
      },
    }));
    return {
      driver_volume_type: 'nbd',
      data: { ...data, export: passedOn, host: address.host, port: address.port },
    };
  }

  async absentExport(_ctx: RequestContext, volumeId: string): Promise<void> {
    await this.remoteExports?.absent(volumeId);
    await this.localExports.absent(volumeId);
  }

  async exports(): Promise<readonly string[]> {
    const served = [...(await this.localExports.volumes()), ...((await this.remoteExports?.volumes()) ?? [])];
    return [...new Set(served)];
  }

  async read(_ctx: RequestContext, volume: VolumeRef, format: string): Promise<NodeJS.ReadableStream> {
    await this.existing(volume.id);
    const target = formatOf(volume.id, format);
    if (!(await this.localExports.volumes()).includes(volume.id))
      return this.files.exported(this.files.volume(volume.id), target, volume.id);
    const copy = this.files.work(`${volume.id}.copy`);
    await this.files.absent(copy);
    await this.files.ensure(copy, await this.existing(volume.id), (part) => this.copyNow(volume.id, part, volume.id));
    const stream = await this.files.exported(copy, target, volume.id);
    (stream as NodeJS.ReadableStream).once('close', () => void this.files.absent(copy));
    return stream;
  }

  async capabilities(): Promise<Capabilities> {
    const { total, free } = await this.files.capacity();
    return {
      volume_backend_name: this.options.backend,
      driver_version: '1.0',
      storage_protocol: 'nbd',
      // What upstream's own drivers say, and clients' tests look for.
      vendor_name: 'Open Source',
      total_capacity_gb: total,
      free_capacity_gb: free,
      multiattach: true,
      online_extend_support: true,
      consistent_group_snapshot_enabled: true,
    };
  }

  private get socket(): string {
    return path.join(this.options.dir, 'nbd.sock');
  }

  /** Bytes of a volume that must be there. */
  private async existing(volumeId: string): Promise<number> {
    const bytes = await this.files.size(this.files.volume(volumeId));
    if (bytes === null) throw CinderError.VolumeNotFound({ volume_id: volumeId });
    return bytes;
  }

  /** A copy of a volume as it is now. */
  private copyNow(volumeId: string, part: string, purpose: string): Promise<void> {
    return this.copyAllNow([{ volumeId, part, purpose }]);
  }

  /** Copies of volumes as they are at one moment, through the daemon when guests may be writing to them. */
  private async copyAllNow(
    copies: readonly { readonly volumeId: string; readonly part: string; readonly purpose: string }[],
  ): Promise<void> {
    const wanted = new Map<string, number>();
    // The daemon's copies want targets of exactly the sources' sizes; they grow afterwards.
    for (const { volumeId, part } of copies) {
      const bytes = await this.existing(volumeId);
      wanted.set(part, (await this.files.size(part)) ?? bytes);
      await this.files.resize(part, bytes);
    }
    const copied = await this.local.backup(
      copies.map(({ volumeId, part, purpose }) => ({
        node: nodeName(volumeId),
        job: `copy-${purpose}`,
        target: nodeName(purpose, 'c'),
        file: part,
      })),
    );
    for (const { volumeId, part } of copies) {
      // What the daemon does not have, nobody can write to.
      if (!copied.has(nodeName(volumeId))) await this.files.copy(this.files.volume(volumeId), part);
      await this.files.grow(part, wanted.get(part) ?? 0);
    }
  }
}

/** Names of block nodes have 31 characters at most. */
function nodeName(id: string, kind = 'v'): string {
  return `${kind}${id.replaceAll('-', '').slice(0, 30)}`;
}

/** The node of an export that is passed on: that of another name than the volume's own ends with what it adds. */
function passingNode(volumeId: string, name: string): string {
  const more = name.slice(exportName(volumeId).length);
  return more === '' ? nodeName(volumeId) : `${nodeName(volumeId, 't').slice(0, 19)}${more}`;
}
