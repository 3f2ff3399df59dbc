import { constants, createReadStream, createWriteStream } from 'node:fs';
import {
  copyFile,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  statfs,
  truncate,
  type FileHandle,
} from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { run } from '@nestack/kernel/process';

export const GIB = 1024 ** 3;

/** Zeros of this size and more become holes. */
const HOLE = 65_536;
const CONVERT_MS = 3_600_000;

/** Raw files of volumes and snapshots. A file appears under its name only when it is whole. */
export class VolumeFiles {
  constructor(private readonly root: string) {}

  async prepare(): Promise<void> {
    await mkdir(this.root, { recursive: true, mode: 0o711 });
    for (const folder of ['volumes', 'snapshots', 'work'])
      await mkdir(path.join(this.root, folder), { recursive: true, mode: 0o700 });
    // What was being written when the last process died is written again or was not wanted any more.
    for (const name of await readdir(path.join(this.root, 'work')))
      await rm(path.join(this.root, 'work', name), { force: true });
  }

  volume(id: string): string {
    return path.join(this.root, 'volumes', id);
  }

  snapshot(id: string): string {
    return path.join(this.root, 'snapshots', id);
  }

  /** A file for work under way. */
  work(name: string): string {
    return path.join(this.root, 'work', name);
  }

  async exists(file: string): Promise<boolean> {
    return (await this.size(file)) !== null;
  }

  /** Bytes, or null when there is no such file. */
  async size(file: string): Promise<number | null> {
    try {
      return (await stat(file)).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** Files of volumes or snapshots; what is no plain file of a usable name is left out. */
  async list(kind: 'volume' | 'snapshot'): Promise<readonly { readonly name: string; readonly bytes: number }[]> {
    const found: { name: string; bytes: number }[] = [];
    for (const name of (await readdir(path.join(this.root, `${kind}s`))).sort()) {
      if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/.test(name)) continue;
      const about = await lstat(path.join(this.root, `${kind}s`, name)).catch(() => null);
      if (about?.isFile() === true && about.size > 0) found.push({ name, bytes: about.size });
    }
    return found;
  }

  async move(from: string, to: string): Promise<void> {
    await rename(from, to);
  }

  /** Makes a file by filling a new one of the size given, unless it is there already. */
  async ensure(file: string, bytes: number, fill: (part: string) => Promise<void>): Promise<void> {
    if (!(await this.exists(file))) await this.replace(file, bytes, fill);
  }

  /** Makes a file by filling a new one, which takes the place of one that is there. */
  async replace(file: string, bytes: number, fill: (part: string) => Promise<void>): Promise<void> {
    const part = this.work(`${path.basename(file)}.part`);
    await rm(part, { force: true });
    try {
      await zeros(part, bytes);
      await fill(part);
      if (((await this.size(part)) ?? 0) < bytes) await truncate(part, bytes);
      await synced(part);
      await rename(part, file);
    } finally {
      await rm(part, { force: true });
    }
  }

  async absent(file: string): Promise<void> {
    await rm(file, { force: true });
  }

  /** Makes a file larger; never smaller. */
  async grow(file: string, bytes: number): Promise<void> {
    if (((await this.size(file)) ?? 0) < bytes) await truncate(file, bytes);
  }

  /** Gives an unfinished file another size. */
  async resize(part: string, bytes: number): Promise<void> {
    await truncate(part, bytes);
  }

  /** Copies a raw file that nobody writes to into a new one: shared blocks where the file system can, else without its holes. */
  async copy(from: string, part: string): Promise<void> {
    const bytes = await this.size(part);
    try {
      await copyFile(from, part, constants.COPYFILE_FICLONE_FORCE);
    } catch {
      // The file system does not share blocks, and trying took the target away.
      await zeros(part, bytes ?? 0);
      await this.convert(from, 'raw', part);
    }
  }

  /** Writes an image's content into an existing file of zeros, as raw. */
  async convert(from: string, format: string, part: string): Promise<void> {
    await run('qemu-img', ['convert', '-n', '--target-is-zero', '-f', format, '-O', 'raw', from, part], {
      timeoutMs: CONVERT_MS,
    });
  }

  /** The file's content as an image of another format; the result is removed once it is read or given up. */
  async exported(file: string, format: string, name: string): Promise<NodeJS.ReadableStream> {
    if (format === 'raw') return createReadStream(file);
    const target = this.work(`${name}.${format}`);
    await rm(target, { force: true });
    await run('qemu-img', ['convert', '-f', 'raw', '-O', format, file, target], { timeoutMs: CONVERT_MS });
    const stream = createReadStream(target);
    stream.once('close', () => void rm(target, { force: true }));
    return stream;
  }

  /** Keeps a stream in a file. */
  async save(stream: NodeJS.ReadableStream, file: string): Promise<void> {
    await pipeline(stream, createWriteStream(file, { mode: 0o600 }));
  }

  /**
   * Writes a raw stream into a file of zeros, leaving its zeros out. `check` sees the first bytes before anything is written;
   * more than `limit` bytes are refused by `tooLarge`.
   */
  async saveRaw(
    stream: NodeJS.ReadableStream,
    part: string,
    rules: { readonly limit: number; readonly check: (head: Buffer) => void; readonly tooLarge: () => Error },
  ): Promise<void> {
    const handle = await open(part, 'r+');
    try {
      await pipeline(stream, sparseWriter(handle, rules));
    } finally {
      await handle.close();
    }
  }

  /** GiB */
  async capacity(): Promise<{ readonly total: number; readonly free: number }> {
    const { blocks, bavail, bsize } = await statfs(this.root);
    return { total: Math.floor((blocks * bsize) / GIB), free: Math.floor((bavail * bsize) / GIB) };
  }
}

function sparseWriter(
  handle: FileHandle,
  rules: { readonly limit: number; readonly check: (head: Buffer) => void; readonly tooLarge: () => Error },
): Writable {
  let pending: Buffer = Buffer.alloc(0);
  let at = 0;
  const flush = async (all: boolean): Promise<void> => {
    while (pending.length >= HOLE || (all && pending.length > 0)) {
      const chunk = pending.subarray(0, HOLE);
      pending = pending.subarray(chunk.length);
      if (at === 0) rules.check(chunk);
      if (at + chunk.length > rules.limit) throw rules.tooLarge();
      if (!isZero(chunk)) await handle.write(chunk, 0, chunk.length, at);
      at += chunk.length;
    }
  };
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      flush(false).then(() => done(), done);
    },
    final(done) {
      flush(true).then(() => done(), done);
    },
  });
}

const ZEROS = Buffer.alloc(HOLE);

function isZero(chunk: Buffer): boolean {
  return chunk.equals(chunk.length === HOLE ? ZEROS : ZEROS.subarray(0, chunk.length));
}

/** A file without data. */
async function zeros(file: string, bytes: number): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
}

async function synced(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
