import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, rmdir, writeFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import type { RequestContext } from '@nestack/kernel/context';
import { CinderError } from '@nestack/cinder/contract';
import { isSafePath, type Backup, type BackupDriver, type BackupPlace } from '@nestack/cinder/domain';

export interface PosixBackupOptions {
  /** Folder of all backups. */
  readonly dir: string;
  /** Bytes of a volume that go into one file; a multiple of the block. */
  readonly fileSize: number;
  /** Bytes that changes are tracked by. */
  readonly blockSize: number;
}

interface StoredObject {
  readonly offset: number;
  readonly length: number;
  readonly compression: 'zlib' | 'none';
  readonly md5: string;
}

interface Metadata {
  readonly version: string;
  /** Each with one name as its only key, in the order of their offsets. */
  readonly objects: readonly Readonly<Record<string, StoredObject>>[];
  readonly volume_meta: string | null;
}

interface ShaFile {
  readonly chunk_size: number;
  readonly sha256s: readonly string[];
}

const VERSION = '1.0.0';
const pack = promisify(deflate);
const unpack = promisify<Buffer, Buffer>(inflate);

/**
 * Backups as files in a folder: the content in pieces, compressed where that helps, with a list of the pieces and the digests of
 * the content's blocks, by which a later backup knows what has changed. The files are those of upstream's driver of that name
 * (cinder/backup/chunkeddriver.py, drivers/posix.py), which can restore them.
 */
export class PosixBackupDriver implements BackupDriver {
  constructor(private readonly options: PosixBackupOptions) {
    if (options.fileSize % options.blockSize !== 0 || options.fileSize <= 0)
      throw new Error('backup_file_size must be a multiple of backup_sha_block_size_bytes');
  }

  async prepare(): Promise<void> {
    await mkdir(this.options.dir, { recursive: true, mode: 0o700 });
  }

  async ensureBackup(
    _ctx: RequestContext,
    what: {
      readonly backup: Backup;
      readonly parent: Backup | null;
      readonly path: string;
      readonly volumeMeta: string | null;
    },
  ): Promise<BackupPlace> {
    const { backup, parent } = what;
    const place = placeOf(backup);
    const folder = this.folder(place.container);
    const known = await this.parentDigests(parent);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // What an earlier try has left is written again.
    await this.clear(place.container, place.service_metadata);
    const objects: Record<string, StoredObject>[] = [];
    const digests: string[] = [];
    const source = await open(what.path, 'r');
    try {
      for (let offset = 0; ;) {
        const data = await filled(source, offset, this.options.fileSize);
        if (data.length === 0) break;
        const blocks = await this.digestsOf(data);
        for (const { from, to } of this.changed(blocks, known, digests.length, data.length)) {
          const name = `${place.service_metadata}-${String(objects.length + 1).padStart(5, '0')}`;
          objects.push({ [name]: await this.store(path.join(folder, name), data.subarray(from, to), offset + from) });
        }
        digests.push(...blocks);
        offset += data.length;
      }
    } finally {
      await source.close();
    }
    await this.describe(backup, place, { objects, digests, volumeMeta: what.volumeMeta });
    return { ...place, object_count: objects.length };
  }

  async restore(
    _ctx: RequestContext,
    what: { readonly chain: readonly Backup[]; readonly path: string; readonly isNew: boolean },
  ): Promise<string | null> {
    let meta: string | null = null;
    const target = await open(what.path, 'r+');
    try {
      // The full one first, then what has changed since, in order.
      for (const backup of [...what.chain].reverse()) {
        const found = await this.metadataOf(backup);
        await this.assertWhole(backup, found);
        for (const one of found.objects)
          for (const [name, about] of Object.entries(one)) await this.write(target, backup, name, about, what);
        meta = found.volume_meta ?? meta;
      }
      await target.sync();
    } finally {
      await target.close();
    }
    return meta;
  }

  async absentBackup(_ctx: RequestContext, backup: Backup): Promise<void> {
    const { container, service_metadata } = placeOf(backup);
    await this.clear(container, service_metadata);
    // Folders that nothing is in any more, up to the root.
    for (let one = container; one !== '.' && one !== ''; one = path.dirname(one)) {
      try {
        await rmdir(path.join(this.options.dir, one));
      } catch {
        // Another backup is in it, or it is gone.
        return;
      }
    }
  }

  private async parentDigests(parent: Backup | null): Promise<readonly string[] | null> {
    if (parent === null) return null;
    const file = await this.json<ShaFile>(parent, 'sha256file');
    if (file.chunk_size !== this.options.blockSize)
      throw CinderError.InvalidBackup({
        reason: `Hash block size has changed since the last backup. New hash block size: ${String(this.options.blockSize)}. Old hash block size: ${String(file.chunk_size)}. Do a full backup.`,
      });
    return file.sha256s;
  }

  /** Runs of blocks that are not what they were; all of them when there was nothing before. */
  private changed(
    blocks: readonly string[],
    known: readonly string[] | null,
    first: number,
    length: number,
  ): readonly { readonly from: number; readonly to: number }[] {
    if (known === null) return [{ from: 0, to: length }];
    const runs: { from: number; to: number }[] = [];
    blocks.forEach((digest, index) => {
      if (known[first + index] === digest) return;
      const from = index * this.options.blockSize;
      const to = Math.min(from + this.options.blockSize, length);
      const last = runs.at(-1);
      if (last?.to === from) last.to = to;
      else runs.push({ from, to });
    });
    return runs;
  }

  private async digestsOf(data: Buffer): Promise<string[]> {
    const { blockSize } = this.options;
    const digests: string[] = [];
    for (let at = 0; at < data.length; at += blockSize) {
      digests.push(
        createHash('sha256')
          .update(data.subarray(at, at + blockSize))
          .digest('hex'),
      );
      // Others have their turn every few MiB.
      if (digests.length % 128 === 0) await breathe();
    }
    return digests;
  }

  private async store(file: string, data: Buffer, offset: number): Promise<StoredObject> {
    const md5 = createHash('md5').update(data).digest('hex');
    const packed = await pack(data);
    const smaller = packed.length < data.length;
    await written(file, smaller ? packed : data);
    return { offset, length: data.length, compression: smaller ? 'zlib' : 'none', md5 };
  }

  private async write(
    target: FileHandle,
    backup: Backup,
    name: string,
    about: StoredObject,
    what: { readonly isNew: boolean; readonly chain: readonly Backup[] },
  ): Promise<void> {
    const stored = await readFile(path.join(this.folder(placeOf(backup).container), name));
    const data = about.compression === 'none' ? stored : await unpack(stored);
    if (data.length !== about.length || createHash('md5').update(data).digest('hex') !== about.md5)
      throw CinderError.InvalidBackup({ reason: `The object ${name} is damaged.` });
    // A new volume has zeros already, unless an earlier layer has written over them.
    const sparse = what.isNew && backup === what.chain.at(-1);
    const zeros = Buffer.alloc(this.options.blockSize);
    for (let at = 0; at < data.length; at += this.options.blockSize) {
      const block = data.subarray(at, at + this.options.blockSize);
      if (!sparse || !block.equals(zeros.subarray(0, block.length)))
        await target.write(block, 0, block.length, about.offset + at);
    }
  }

  /** All objects that the list names are there, and no others. */
  private async assertWhole(backup: Backup, metadata: Metadata): Promise<void> {
    if (metadata.version !== VERSION)
      throw CinderError.InvalidBackup({ reason: `No support to restore backup version ${metadata.version}` });
    const { container, service_metadata: prefix } = placeOf(backup);
    const there = (await this.entries(container, prefix)).filter((name) => /-\d{5,}$/.test(name));
    const named = metadata.objects.flatMap((one) => Object.keys(one));
    if (there.sort().join() !== named.sort().join())
      throw CinderError.InvalidBackup({
        reason: 'restore_backup aborted, actual object list does not match object list stored in metadata.',
      });
  }

  private async describe(
    backup: Backup,
    place: { readonly container: string; readonly service_metadata: string },
    about: {
      readonly objects: Metadata['objects'];
      readonly digests: readonly string[];
      readonly volumeMeta: string | null;
    },
  ): Promise<void> {
    const common = {
      version: VERSION,
      backup_id: backup.id,
      volume_id: backup.volume_id,
      backup_name: backup.name,
      backup_description: backup.description,
      created_at: backup.created_at.toISOString(),
    };
    const file = path.join(this.folder(place.container), place.service_metadata);
    const sha = { ...common, chunk_size: this.options.blockSize, sha256s: about.digests };
    await written(`${file}_sha256file`, Buffer.from(JSON.stringify(sha)));
    const metadata = {
      ...common,
      objects: about.objects,
      parent_id: backup.parent_id,
      volume_meta: about.volumeMeta,
    };
    await written(`${file}_metadata`, Buffer.from(JSON.stringify(metadata)));
  }

  private metadataOf(backup: Backup): Promise<Metadata> {
    return this.json<Metadata>(backup, 'metadata');
  }

  private async json<T>(backup: Backup, kind: 'metadata' | 'sha256file'): Promise<T> {
    const { container, service_metadata } = placeOf(backup);
    try {
      return JSON.parse(await readFile(path.join(this.folder(container), `${service_metadata}_${kind}`), 'utf8')) as T;
    } catch (error) {
      throw CinderError.InvalidBackup(
        { reason: `The ${kind} of backup ${backup.id} cannot be read.` },
        { detail: String(error) },
      );
    }
  }

  private async entries(container: string, prefix: string): Promise<string[]> {
    try {
      return (await readdir(this.folder(container))).filter((name) => name.startsWith(prefix));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  private async clear(container: string, prefix: string): Promise<void> {
    for (const name of await this.entries(container, prefix))
      await rm(path.join(this.folder(container), name), { force: true });
  }

  private folder(container: string): string {
    if (!isSafePath(container))
      throw CinderError.InvalidBackup({ reason: `The container ${container} is not usable.` });
    return path.join(this.options.dir, container);
  }
}

/** Where a backup is: where it says, or where it will be. The same for each try. upstream: drivers/posix.py */
function placeOf(backup: Backup): { readonly container: string; readonly service_metadata: string } {
  const { id } = backup;
  const time = backup.created_at.toISOString().replace(/[-:T]/g, '').slice(0, 14);
  const own = `volume_${backup.volume_id}_${time}_backup_${id}`;
  const container =
    backup.container === null || backup.container === ''
      ? path.join(id.slice(0, 2), id.slice(2, 4), id)
      : backup.container;
  return { container, service_metadata: backup.service_metadata ?? own };
}

/** As many bytes as there are, up to a length. */
async function filled(source: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await source.read(buffer, at, length - at, offset + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return buffer.subarray(0, at);
}

/** A file appears under its name only when it is whole. */
async function written(file: string, data: Buffer): Promise<void> {
  const part = `${file}.part`;
  await writeFile(part, data, { mode: 0o600, flush: true });
  await rename(part, file);
}
