import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { GlanceError } from '@nestack/glance/contract';
import { HEAD_BYTES, TAIL_BYTES, type ImageStore, type Written } from '@nestack/glance/domain';
import type { Hasher } from './hasher';

/** Bytes that are gathered before they are written and summed, and how many such blocks one upload has. */
const BLOCK = 1 << 20;
const BLOCKS = 4;

/** An ISO's descriptor begins behind the first 32 KiB; what `inspect` asks for covers it. */
const HEAD = HEAD_BYTES;

/**
 * Images as files named by their id in one directory, temporary data below `tmp` in the same file system. Data gets its
 * place by a rename after it was flushed, so that a file with an image's name is always whole.
 */
export class FileImageStore implements ImageStore {
  readonly #temporary: string;

  constructor(
    readonly directory: string,
    private readonly hasher: Hasher,
  ) {
    this.#temporary = join(directory, 'tmp');
  }

  /** Makes the directories. */
  async prepare(): Promise<void> {
    await mkdir(this.#temporary, { recursive: true, mode: 0o750 });
  }

  async write(temporary: string, source: Readable, limit: number): Promise<Written> {
    const path = this.#temporaryPath(temporary);
    const file = await open(path, 'w', 0o640);
    const sums = this.hasher.begin();
    try {
      const written = await this.#copy(file, sums, source, limit);
      await file.datasync();
      return { ...written, ...(await sums.digest()) };
    } catch (error) {
      await sums.drop();
      throw asStoreError(error);
    } finally {
      await file.close();
    }
  }

  /** Fills one block after the other; each is written and summed at once while the next fills. */
  async #copy(
    file: FileHandle,
    sums: { update(buffer: SharedArrayBuffer, length: number): Promise<void> },
    source: Readable,
    limit: number,
  ): Promise<{ size: number; head: Buffer; tail: Buffer }> {
    const blocks = Array.from({ length: BLOCKS }, () => new SharedArrayBuffer(BLOCK));
    const busy: Promise<unknown>[] = blocks.map(() => Promise.resolve());
    let failure: unknown = null;
    const head = Buffer.alloc(HEAD);
    let tail: Buffer = Buffer.alloc(0);
    let size = 0;
    let flushed = 0;
    let at = 0;
    let used = 0;
    const flush = (): void => {
      const block = blocks[at];
      if (block === undefined || used === 0) return;
      const bytes = Buffer.from(block, 0, used);
      if (flushed < HEAD) bytes.copy(head, flushed, 0, Math.min(used, HEAD - flushed));
      tail = Buffer.concat([tail, bytes.subarray(Math.max(0, used - TAIL_BYTES))]).subarray(-TAIL_BYTES);
      busy[at] = Promise.all([writeAll(file, bytes, flushed), sums.update(block, used)]).catch((error: unknown) => {
        failure ??= error;
      });
      flushed += used;
      used = 0;
      at = (at + 1) % BLOCKS;
    };
    try {
      // A refused upload's connection must live on to carry the refusal.
      for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > limit) throw GlanceError.TooLarge({ limit });
        for (let from = 0; from < chunk.length;) {
          if (used === 0) await busy[at];
          if (failure !== null) throw failure;
          const count = Math.min(BLOCK - used, chunk.length - from);
          const block = blocks[at];
          if (block === undefined) throw new Error('unreachable');
          chunk.copy(Buffer.from(block), used, from, from + count);
          used += count;
          from += count;
          if (used === BLOCK) flush();
        }
      }
      flush();
    } finally {
      // Nothing may touch the file or the blocks after this returns.
      await Promise.all(busy);
    }
    if (failure !== null) throw failure;
    return { size, head: head.subarray(0, Math.min(size, HEAD)), tail };
  }

  async promote(temporary: string, imageId: string): Promise<void> {
    const target = imageId.endsWith('.staged') ? this.#temporaryPath(imageId) : this.#path(imageId);
    try {
      await rename(this.#temporaryPath(temporary), target);
    } catch (error) {
      // Done before: the transaction around this was run again.
      if (!isMissing(error) || (await sizeOf(target)) === null) throw error;
    }
    await syncDirectory(this.directory);
  }

  async discard(temporary: string): Promise<void> {
    await rm(this.#temporaryPath(temporary), { force: true });
  }

  async size(imageId: string): Promise<number | null> {
    return sizeOf(this.#path(imageId));
  }

  async read(imageId: string, range?: { readonly start: number; readonly end: number }): Promise<Readable> {
    // Opened before anything is answered; the data stays readable though the image be deleted meanwhile.
    const file = await open(this.#path(imageId), 'r');
    return createReadStream('', { fd: file, highWaterMark: 1 << 18, ...(range ?? {}) });
  }

  async remove(imageId: string): Promise<void> {
    await rm(this.#path(imageId), { force: true });
  }

  async inventory(unchangedForMs: number): Promise<{ images: readonly string[]; temporary: readonly string[] }> {
    const before = Date.now() - unchangedForMs;
    return {
      images: (await unchanged(this.directory, before)).filter((name) => isName(name)),
      temporary: await unchanged(this.#temporary, before),
    };
  }

  #path(imageId: string): string {
    if (!isName(imageId)) throw new Error(`not an image id: ${imageId}`);
    return join(this.directory, imageId);
  }

  #temporaryPath(name: string): string {
    if (!isName(name)) throw new Error(`not a name of data: ${name}`);
    return join(this.#temporary, name);
  }
}

/** Ids and tokens only: nothing that could lead out of the directory. */
function isName(name: string): boolean {
  return /^[0-9a-f-]{36}(\.[0-9a-z-]+)?$/i.test(name);
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function unchanged(directory: string, before: number): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    try {
      if ((await stat(join(directory, entry.name))).mtimeMs < before) names.push(entry.name);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return names;
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

function asStoreError(error: unknown): unknown {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return GlanceError.StoreFull({}, { cause: error });
    case 'ECONNRESET':
    case 'ERR_STREAM_PREMATURE_CLOSE':
    case 'UND_ERR_ABORTED':
    case 'UND_ERR_SOCKET':
      return GlanceError.UploadBroken({}, { cause: error });
    default:
      return error;
  }
}
