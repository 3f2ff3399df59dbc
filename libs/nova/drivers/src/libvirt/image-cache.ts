import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RequestContext } from '@nestack/kernel/context';
import { asDomainError, DomainError } from '@nestack/kernel/errors';
import type { ImageSnapshotWire } from '@nestack/nova/contract';
import { KeyedMutex, type ImageFetch } from '@nestack/nova/domain';
import type { Commands } from './commands';
import { sync } from './files';
import { inspectImage, unacceptable } from './image-inspection';

const CONVERT_MS = 30 * 60_000;
/** How long an image stays that no guest was made from. upstream: remove_unused_original_minimum_age_seconds */
const UNUSED_MS = 86_400_000;
const HALF_MADE = /\.(part|converted)$/;

/** An image's raw file. */
export interface BaseImage {
  readonly file: string;
  readonly bytes: number;
}

/**
 * Images as raw files, `_base/<image id>`, shared by all guests of a host that were made from them. A file under its final
 * name is whole and checked; it appears there by a rename.
 */
export class ImageCache {
  private readonly mutex = new KeyedMutex();

  constructor(
    private readonly dir: string,
    private readonly commands: Commands,
  ) {}

  /** Removes what a killed process left half made. */
  async open(): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o750 });
    for (const name of await readdir(this.dir))
      if (HALF_MADE.test(name)) await rm(path.join(this.dir, name), { force: true });
  }

  /**
   * The image's raw file; fetched, checked and converted when it is not there, once however many ask. Throws
   * ImageUnacceptable, and FlavorDiskSmallerThanImage when the disk is larger than `maxBytes` (null: no bound).
   */
  ensure(
    ctx: RequestContext,
    image: ImageSnapshotWire,
    maxBytes: number | null,
    fetch: ImageFetch,
  ): Promise<BaseImage> {
    return this.mutex.run(image.id, async () => {
      const file = path.join(this.dir, image.id);
      const cached = await stat(file).catch(() => null);
      if (cached === null) await this.add(ctx, image, maxBytes, fetch, file);
      else await utimes(file, new Date(), cached.mtime);
      const bytes = cached?.size ?? (await stat(file)).size;
      requireFit(bytes, maxBytes);
      return { file, bytes };
    });
  }

  /** Removes images that none of these was made from and that nobody has asked for in a day. */
  async removeUnused(used: ReadonlySet<string>, now = Date.now()): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const name of await readdir(this.dir)) {
      if (HALF_MADE.test(name) || used.has(name)) continue;
      await this.mutex.run(name, async () => {
        const file = path.join(this.dir, name);
        const found = await stat(file).catch(() => null);
        if (found === null || now - Math.max(found.atimeMs, found.mtimeMs) < UNUSED_MS) return;
        await rm(file, { force: true });
        removed.push(name);
      });
    }
    return removed;
  }

  private async add(
    ctx: RequestContext,
    image: ImageSnapshotWire,
    maxBytes: number | null,
    fetch: ImageFetch,
    file: string,
  ): Promise<void> {
    const part = `${file}.part`;
    const converted = `${file}.converted`;
    try {
      await download(image, await fetch(ctx, image.id), part);
      const { convertFrom, bytes } = await inspectImage(ctx, image, part, this.commands);
      requireFit(bytes, maxBytes);
      let ready = part;
      if (convertFrom !== null) {
        await this.convert(ctx, image, convertFrom, part, converted);
        ready = converted;
      }
      await sync(ready);
      await rename(ready, file);
      await sync(this.dir);
    } finally {
      await rm(part, { force: true });
      await rm(converted, { force: true });
    }
  }

  private async convert(
    ctx: RequestContext,
    image: ImageSnapshotWire,
    format: string,
    from: string,
    to: string,
  ): Promise<void> {
    const about = { to: 'qemu-img', name: 'qemu-img convert', resource: `image:${image.id}` };
    // Caches stay on: the result is synced once, at its end.
    const words = ['convert', '-t', 'writeback', '-T', 'writeback', '-f', format, '-O', 'raw', from, to];
    const result = await this.commands.try(ctx, about, 'qemu-img', words, { timeoutMs: CONVERT_MS });
    if (result.code !== 0) throw unacceptable(image, 'it cannot be converted to raw', result.stderr);
  }
}

/** Writes the image's bytes to a file, verified on their way: no more than glance says, with its checksum. */
async function download(image: ImageSnapshotWire, source: NodeJS.ReadableStream, file: string): Promise<void> {
  const { os_hash_algo: algorithm, os_hash_value: value } = image;
  const [name, expected] = algorithm !== null && value !== null ? [algorithm, value] : ['md5', image.checksum];
  const hash = createHash(name);
  let bytes = 0;
  const check = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      if (image.size > 0 && bytes > image.size) return done(unacceptable(image, 'it is larger than glance says'));
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    await pipeline(source, check, createWriteStream(file, { mode: 0o640, highWaterMark: 1024 * 1024 }));
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') throw asDomainError(error);
    throw unavailable(image, String(error));
  }
  if (expected === null) return;
  // Cut off on its way rather than wrong at its source.
  if (bytes < image.size) throw unavailable(image, `${bytes} of ${image.size} bytes came`);
  if (hash.digest('hex') !== expected.toLowerCase()) throw unacceptable(image, 'its bytes do not match its checksum');
}

function unavailable(image: ImageSnapshotWire, detail: string): DomainError {
  return new DomainError({
    kind: 'unavailable',
    code: 'GlanceConnectionFailed',
    message: `Image ${image.id} could not be downloaded whole.`,
    args: { image_id: image.id },
    detail,
  });
}

/** upstream: nova/exception.py, FlavorDiskSmallerThanImage */
function requireFit(bytes: number, maxBytes: number | null): void {
  if (maxBytes === null || bytes <= maxBytes) return;
  throw new DomainError({
    kind: 'badRequest',
    code: 'FlavorDiskSmallerThanImage',
    message: `Flavor's disk is too small for requested image. Flavor disk is ${maxBytes} bytes, image is ${bytes} bytes.`,
    args: { flavor_size: maxBytes, image_size: bytes },
  });
}
