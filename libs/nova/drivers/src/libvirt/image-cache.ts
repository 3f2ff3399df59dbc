import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { ImageSnapshotWire } from '@nestack/nova/contract';
import { KeyedMutex, type ImageFetch } from '@nestack/nova/domain';
import type { Commands } from './virsh';

const CONVERT_MS = 30 * 60_000;
/** What qemu-img may use to look at an image that a stranger made. upstream: nova/privsep/qemu.py, QEMU_IMG_LIMITS */
const LIMITS = ['--as=1073741824', '--cpu=30'];

interface ImageInfo {
  readonly format?: string;
  readonly 'virtual-size'?: number;
  readonly 'backing-filename'?: string;
  readonly 'full-backing-filename'?: string;
  readonly 'format-specific'?: { readonly data?: Readonly<Record<string, unknown>> };
}

/** Images as raw files, `_base/<image id>`, shared by all guests of a host that were made from them. */
export class ImageCache {
  private readonly mutex = new KeyedMutex();

  constructor(
    private readonly dir: string,
    private readonly commands: Commands,
  ) {}

  /**
   * The path and size in bytes of an image's raw file; fetched, checked and converted when it is not there. A file under
   * its final name is whole. Throws ImageUnacceptable, and FlavorDiskSmallerThanImage when it is larger than `maxBytes`
   * (null: no bound).
   */
  ensure(
    ctx: RequestContext,
    image: ImageSnapshotWire,
    maxBytes: number | null,
    fetch: ImageFetch,
  ): Promise<{ readonly file: string; readonly bytes: number }> {
    return this.mutex.run(image.id, async () => {
      const file = path.join(this.dir, image.id);
      const cached = await sizeOf(file);
      if (cached === null) await this.add(ctx, image, maxBytes, fetch, file);
      const bytes = cached ?? (await stat(file)).size;
      requireFit(bytes, maxBytes);
      return { file, bytes };
    });
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
    await mkdir(this.dir, { recursive: true });
    try {
      await rm(part, { force: true });
      await fetch(ctx, part);
      await verify(image, part);
      let ready = part;
      if (image.disk_format === 'qcow2') {
        const bytes = await this.inspect(ctx, image, part);
        requireFit(bytes, maxBytes);
        await this.commands.run(
          ctx,
          { to: 'qemu-img', name: 'qemu-img convert', resource: `image:${image.id}` },
          'qemu-img',
          ['convert', '-t', 'writeback', '-f', 'qcow2', '-O', 'raw', part, converted],
          { timeoutMs: CONVERT_MS },
        );
        ready = converted;
      } else if (image.disk_format !== 'raw') {
        throw unacceptable(image, `its format ${image.disk_format} is not supported`);
      }
      await sync(ready);
      await rename(ready, file);
      await sync(this.dir);
    } finally {
      await rm(part, { force: true });
      await rm(converted, { force: true });
    }
  }

  /** The disk's size; refuses what would make the host read other files. */
  private async inspect(ctx: RequestContext, image: ImageSnapshotWire, file: string): Promise<number> {
    const shown = await this.commands.try(
      ctx,
      { to: 'qemu-img', name: 'qemu-img info', resource: `image:${image.id}` },
      'prlimit',
      [...LIMITS, '--', 'qemu-img', 'info', '--output=json', '-f', 'qcow2', file],
    );
    if (shown.code !== 0) throw unacceptable(image, 'it is not a qcow2 file');
    const info = JSON.parse(shown.stdout) as ImageInfo;
    if (info['backing-filename'] !== undefined || info['full-backing-filename'] !== undefined)
      throw unacceptable(image, 'it has a backing file');
    if (info['format-specific']?.data?.['data-file'] !== undefined) throw unacceptable(image, 'it has a data file');
    const size = info['virtual-size'];
    if (info.format !== 'qcow2' || size === undefined) throw unacceptable(image, 'it is not a qcow2 file');
    return size;
  }
}

async function verify(image: ImageSnapshotWire, file: string): Promise<void> {
  const { os_hash_algo: algorithm, os_hash_value: expected } = image;
  const [name, value] = algorithm !== null && expected !== null ? [algorithm, expected] : ['md5', image.checksum];
  if (value === null) return;
  const hash = createHash(name);
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), hash);
  if (hash.digest('hex') !== value.toLowerCase()) throw unacceptable(image, 'its bytes do not match its checksum');
}

function requireFit(bytes: number, maxBytes: number | null): void {
  if (maxBytes === null || bytes <= maxBytes) return;
  throw new DomainError({
    kind: 'badRequest',
    code: 'FlavorDiskSmallerThanImage',
    message:
      "Flavor's disk is too small for requested image. " + `Flavor disk is ${maxBytes} bytes, image is ${bytes} bytes.`,
    args: { flavor_size: maxBytes, image_size: bytes },
  });
}

function unacceptable(image: ImageSnapshotWire, reason: string): DomainError {
  return new DomainError({
    kind: 'badRequest',
    code: 'ImageUnacceptable',
    message: `Image ${image.id} is unacceptable: ${reason}`,
    args: { image_id: image.id, reason },
  });
}

async function sizeOf(file: string): Promise<number | null> {
  return stat(file).then(
    (found) => found.size,
    () => null,
  );
}

/** Brings a file's (or folder's) contents to the disk. */
export async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
