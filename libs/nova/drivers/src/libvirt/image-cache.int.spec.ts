import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, open, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newContext, SYSTEM_ACTOR } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { silentLogger } from '@nestack/kernel/log';
import { run, tryRun } from '@nestack/kernel/process';
import type { ImageSnapshotWire } from '@nestack/nova/contract';
import { Commands } from './commands';
import { ImageCache } from './image-cache';

const hasQemu = (await tryRun('qemu-img', ['--version'])).code === 0;
if (!hasQemu) process.stdout.write('left out: the image cache needs qemu-img\n');
const describeReal = hasQemu ? describe : describe.skip;

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

describeReal('the image cache', () => {
  const ctx = newContext({ actor: SYSTEM_ACTOR });
  let dir: string;
  let base: string;
  let cache: ImageCache;
  let fetches: number;

  beforeEach(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'image-cache-'));
    base = path.join(dir, '_base');
    cache = new ImageCache(base, new Commands(silentLogger));
    fetches = 0;
    await cache.open();
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  async function describeFile(file: string, format: string): Promise<ImageSnapshotWire> {
    const bytes = await readFile(file);
    return {
      id: newUuid(),
      disk_format: format,
      container_format: 'bare',
      size: bytes.length,
      checksum: createHash('md5').update(bytes).digest('hex'),
      os_hash_algo: 'sha512',
      os_hash_value: createHash('sha512').update(bytes).digest('hex'),
      min_disk: 0,
      properties: {},
    };
  }

  const from = (file: string) => () => {
    fetches += 1;
    return Promise.resolve(createReadStream(file));
  };
  const at = (name: string) => path.join(dir, name);
  const create = (...words: string[]) => run('qemu-img', ['create', '-q', ...words]);
  const code = (promise: Promise<unknown>) => promise.then(String, (error: { code?: string }) => error.code);

  /** Refused, and nothing is left of it. */
  async function refused(image: ImageSnapshotWire, file: string, maxBytes: number | null = null) {
    const answer = await code(cache.ensure(ctx, image, maxBytes, from(file)));
    expect(readdirSync(base)).toEqual([]);
    return answer;
  }

  it('fetches and converts an image once, however many ask at a time', async () => {
    await create('-f', 'qcow2', at('a'), '8M');
    await run('qemu-io', ['-c', 'write -P 0x5a 1M 4k', at('a')]);
    const image = await describeFile(at('a'), 'qcow2');
    const found = await Promise.all([1, 2, 3].map(() => cache.ensure(ctx, image, GIB, from(at('a')))));
    expect(fetches).toBe(1);
    for (const one of found) expect(one).toEqual({ file: path.join(base, image.id), bytes: 8 * MIB });
    const raw = await readFile(path.join(base, image.id));
    expect(raw.subarray(MIB, MIB + 4096).every((byte) => byte === 0x5a)).toBe(true);
    expect(raw[0]).toBe(0);
    await cache.ensure(ctx, image, null, from(at('a')));
    expect(fetches).toBe(1);
    expect(readdirSync(base)).toEqual([image.id]);
  });

  it('takes raw images as they are', async () => {
    await writeFile(at('raw'), Buffer.alloc(MIB, 7));
    const image = await describeFile(at('raw'), 'raw');
    expect((await cache.ensure(ctx, image, GIB, from(at('raw')))).bytes).toBe(MIB);
    expect(await readFile(path.join(base, image.id))).toEqual(await readFile(at('raw')));
  });

  it.each(['vdi', 'vhdx', 'vmdk'])('converts %s', async (format) => {
    await create('-f', format, at('x'), '4M');
    const image = await describeFile(at('x'), format);
    expect((await cache.ensure(ctx, image, GIB, from(at('x')))).bytes).toBe(4 * MIB);
  });

  it('refuses what reads other files of the host', async () => {
    await writeFile(at('secret'), Buffer.alloc(MIB, 1));
    await create('-f', 'qcow2', '-b', at('secret'), '-F', 'raw', at('backed'), '1M');
    expect(await refused(await describeFile(at('backed'), 'qcow2'), at('backed'))).toBe('ImageUnacceptable');
    await create('-f', 'qcow2', '-o', `data_file=${at('outside')},data_file_raw=on`, at('data'), '1M');
    expect(await refused(await describeFile(at('data'), 'qcow2'), at('data'))).toBe('ImageUnacceptable');
    await create('-f', 'vmdk', '-o', 'subformat=monolithicFlat', at('flat.vmdk'), '1M');
    expect(await refused(await describeFile(at('flat.vmdk'), 'vmdk'), at('flat.vmdk'))).toBe('ImageUnacceptable');
  });

  it('refuses what is not what glance says', async () => {
    await create('-f', 'qcow2', at('q'), '1M');
    expect(await refused(await describeFile(at('q'), 'raw'), at('q'))).toBe('ImageUnacceptable');
    expect(await refused(await describeFile(at('q'), 'vmdk'), at('q'))).toBe('ImageUnacceptable');
    await writeFile(at('noise'), 'QFI\xfb but nothing else', 'latin1');
    expect(await refused(await describeFile(at('noise'), 'qcow2'), at('noise'))).toBe('ImageUnacceptable');
    await writeFile(at('empty'), '');
    expect(await refused(await describeFile(at('empty'), 'qcow2'), at('empty'))).toBe('ImageUnacceptable');
    expect(await refused(await describeFile(at('q'), 'ploop'), at('q'))).toBe('ImageUnacceptable');
  });

  it('refuses disks that are larger than the flavor has room for, cached or not', async () => {
    await create('-f', 'qcow2', at('huge'), '8192G');
    expect(await refused(await describeFile(at('huge'), 'qcow2'), at('huge'), GIB)).toBe('FlavorDiskSmallerThanImage');
    await create('-f', 'qcow2', at('two'), '2M');
    const image = await describeFile(at('two'), 'qcow2');
    await cache.ensure(ctx, image, GIB, from(at('two')));
    expect(await code(cache.ensure(ctx, image, MIB, from(at('two'))))).toBe('FlavorDiskSmallerThanImage');
  });

  it('verifies the bytes on their way', async () => {
    await writeFile(at('raw'), Buffer.alloc(MIB, 7));
    const image = await describeFile(at('raw'), 'raw');
    await writeFile(at('other'), Buffer.alloc(MIB, 8));
    expect(await refused(image, at('other'))).toBe('ImageUnacceptable');
    await writeFile(at('long'), Buffer.alloc(2 * MIB, 7));
    expect(await refused(image, at('long'))).toBe('ImageUnacceptable');
    // Cut off: worth another try.
    await writeFile(at('short'), Buffer.alloc(1000, 7));
    expect(await refused(image, at('short'))).toBe('GlanceConnectionFailed');
    const broken = () =>
      Promise.resolve(
        Readable.from(
          (function* () {
            yield Buffer.alloc(1000, 7);
            throw new Error('the connection is gone');
          })(),
        ),
      );
    expect(await code(cache.ensure(ctx, image, null, broken))).toBe('GlanceConnectionFailed');
    expect(readdirSync(base)).toEqual([]);
    await cache.ensure(ctx, image, null, from(at('raw')));
  });

  it('uses nothing that a killed process left half made', async () => {
    await create('-f', 'qcow2', at('a'), '1M');
    const image = await describeFile(at('a'), 'qcow2');
    for (const suffix of ['part', 'converted']) await writeFile(path.join(base, `${image.id}.${suffix}`), 'half');
    const after = new ImageCache(base, new Commands(silentLogger));
    await after.open();
    expect(readdirSync(base)).toEqual([]);
    expect((await after.ensure(ctx, image, null, from(at('a')))).bytes).toBe(MIB);
  });

  it('removes images that nobody has used for a day', async () => {
    await mkdir(base, { recursive: true });
    const old = new Date(Date.now() - 2 * 86_400_000);
    for (const name of ['used', 'unused', 'fresh']) {
      await (await open(path.join(base, name), 'w')).close();
      if (name !== 'fresh') await utimes(path.join(base, name), old, old);
    }
    expect(await cache.removeUnused(new Set(['used']))).toEqual(['unused']);
    expect(existsSync(path.join(base, 'used'))).toBe(true);
    expect((await stat(path.join(base, 'fresh'))).size).toBe(0);
  });
});
