import { spawn, spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newContext } from '@nestack/kernel/context';
import { silentLogger } from '@nestack/kernel/log';
import { alive, run } from '@nestack/kernel/process';
import { freePort } from '@nestack/kernel/testing';
import type { ConnectionInfo } from '@nestack/cinder/contract';
import { NbdVolumeDriver, type NbdOptions } from './nbd-driver';

const missing = ['qemu-img', 'qemu-io', 'qemu-storage-daemon'].filter(
  (program) => spawnSync(program, ['--version']).status !== 0,
);
/** Without these programs there is nothing to test: the driver itself says so at its start. */
if (missing.length > 0) process.stdout.write(`left out: the NBD driver needs ${missing.join(', ')}\n`);
const suite = missing.length === 0 ? describe : describe.skip;

const GIB = 1024 ** 3;
const ctx = newContext();
const HERE = { host: 'here', readonly: false, names: [] };
const THERE = { host: 'there', readonly: false, names: [] };

let dir: string;
let driver: NbdVolumeDriver;
let options: NbdOptions;

beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'nbd-'));
  options = {
    dir,
    host: 'here',
    backend: 'nbd',
    address: { host: '127.0.0.1', port: await freePort() },
    log: silentLogger,
  };
  driver = new NbdVolumeDriver(options);
  await driver.prepare();
});

afterEach(async () => {
  for (const id of await driver.exports()) await driver.absentExport(ctx, id);
  await driver.close();
  expect(daemons()).toEqual([]);
  rmSync(dir, { recursive: true, force: true });
});

/** The NBD URL that a guest would use. */
function urlOf({ data }: ConnectionInfo): string {
  return data['socket'] === undefined
    ? `nbd://${String(data['host'])}:${String(data['port'])}/${String(data['export'])}`
    : `nbd+unix:///${String(data['export'])}?socket=${String(data['socket'])}`;
}

/** One command on a disk, as a guest would give it. */
function io(url: string, command: string): Promise<string> {
  return run('qemu-io', ['-f', 'raw', '-c', command, url]);
}

async function holds(url: string, pattern: number, at = '0', bytes = '1M'): Promise<boolean> {
  const said = await io(url, `read -P ${String(pattern)} ${at} ${bytes}`);
  return !said.includes('Pattern verification failed');
}

/** A guest that keeps its disk open. */
function hold(url: string): { says(command: string, answer: RegExp): Promise<void>; end(): Promise<void> } {
  const child = spawn('qemu-io', ['-f', 'raw', url], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    async says(command, answer) {
      said = '';
      child.stdin.write(`${command}\n`);
      for (let tries = 0; !answer.test(said); tries += 1) {
        if (tries > 1000 || said.includes('failed')) throw new Error(`${command}: ${said}`);
        await delay(10);
      }
    },
    async end() {
      child.stdin.end('quit\n');
      await ended;
    },
  };
}

function daemons(): number[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => path.basename(name) === 'pid')
    .map((name) => Number(readFileSync(path.join(dir, name), 'utf8')))
    .filter(alive);
}

function firstBytes(file: string, count: number): Buffer {
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(count);
    readSync(fd, buffer, 0, count, 0);
    return buffer;
  } finally {
    closeSync(fd);
  }
}

const volume = (size = 1) => ({ id: randomUUID(), size });
const left = (folder: string): string[] => readdirSync(path.join(dir, folder));

async function image(format: string, fill: Buffer, ...more: string[]): Promise<Buffer> {
  const raw = path.join(dir, 'source.raw');
  const made = path.join(dir, `source.${format}`);
  writeFileSync(raw, fill);
  await run('qemu-img', ['convert', '-f', 'raw', '-O', format, ...more, raw, made]);
  return readFileSync(made);
}

const opened = (data: Buffer) => () => Promise.resolve(Readable.from([data.subarray(0, 100), data.subarray(100)]));

suite('the NBD backend', () => {
  it('keeps data over detaching, through a socket and over TCP alike, and leaves nothing behind', async () => {
    const one = volume();
    await driver.ensureVolume(ctx, one);
    await driver.ensureVolume(ctx, one);
    expect(statSync(path.join(dir, 'volumes', one.id)).size).toBe(GIB);
    const near = urlOf(await driver.ensureExport(ctx, one, HERE));
    await io(near, 'write -P 7 0 1M');
    const far = urlOf(await driver.ensureExport(ctx, one, THERE));
    expect(far).toContain(`:${String(options.address?.port)}/volume-${one.id}`);
    expect(await holds(far, 7)).toBe(true);
    await io(far, 'write -P 9 1M 1M');
    expect(await holds(near, 9, '1M')).toBe(true);
    expect(await driver.exports()).toEqual([one.id]);
    await driver.absentExport(ctx, one.id);
    await driver.absentExport(ctx, one.id);
    expect(daemons()).toEqual([]);
    const again = urlOf(await driver.ensureExport(ctx, one, HERE));
    expect(await holds(again, 7)).toBe(true);
    await driver.absentExport(ctx, one.id);
    await driver.absentVolume(ctx, one.id);
    await driver.absentVolume(ctx, one.id);
    expect([...left('volumes'), ...left('snapshots'), ...left('work')]).toEqual([]);
  });

  it('serves read-only where that is asked for', async () => {
    const one = volume();
    await driver.ensureVolume(ctx, one);
    const info = await driver.ensureExport(ctx, one, { ...HERE, readonly: true });
    expect(info.data['access_mode']).toBe('ro');
    await expect(io(urlOf(info), 'write -P 1 0 1M')).rejects.toThrow();
    expect(await run('qemu-io', ['-r', '-f', 'raw', '-c', 'read -P 0 0 1M', urlOf(info)])).not.toContain('failed');
  });

  it('makes volumes of images with the same content, as large as the volume', async () => {
    const content = Buffer.concat([randomBytes(100_000), Buffer.alloc(3 << 20), randomBytes(70_000)]);
    const forms: [string, Buffer][] = [
      ['raw', content],
      ['qcow2', await image('qcow2', content)],
      ['qcow2', await image('qcow2', content, '-c')],
      ['vmdk', await image('vmdk', content)],
      ['vmdk', await image('vmdk', content, '-o', 'subformat=streamOptimized')],
      ['vdi', await image('vdi', content)],
      ['vhdx', await image('vhdx', content)],
      ['vhd', await image('vpc', content)],
    ];
    for (const [format, data] of forms) {
      const one = volume();
      await driver.ensureFromImage(ctx, one, { id: 'i', disk_format: format }, opened(data));
      const file = path.join(dir, 'volumes', one.id);
      expect(statSync(file).size).toBe(GIB);
      expect(statSync(file).blocks * 512).toBeLessThan(2 << 20);
      expect(firstBytes(file, content.length).equals(content)).toBe(true);
      const other = Buffer.alloc(content.length, 9);
      await driver.ensureContent(ctx, one, { id: 'i', disk_format: 'raw' }, opened(other));
      expect(firstBytes(file, content.length).equals(other)).toBe(true);
      expect(statSync(file).size).toBe(GIB);
    }
    expect(left('work')).toEqual([]);
  }, 60_000);

  it('refuses images that are not what they say, refer to other files or are too large', async () => {
    const content = randomBytes(1 << 20);
    const good = await image('qcow2', content);
    const backed = Buffer.from(good);
    backed.writeBigUInt64BE(1024n, 8);
    const external = Buffer.from(good);
    external.writeBigUInt64BE(4n, 72);
    const unknown = Buffer.from(good);
    unknown.writeBigUInt64BE(1n << 40n, 72);
    const flat = Buffer.from('# Disk DescriptorFile\ncreateType="monolithicFlat"\nRW 2 FLAT "/etc/passwd" 0\n');
    const extents = await image('vmdk', content);
    extents.writeBigUInt64LE(0n, 12);
    await run('qemu-img', ['create', '-f', 'qcow2', path.join(dir, 'large.qcow2'), '3G']);
    const refused: [string, Buffer][] = [
      ['qcow2', backed],
      ['qcow2', external],
      ['qcow2', unknown],
      ['qcow2', content],
      ['raw', good],
      ['raw', flat],
      ['iso', good],
      ['vmdk', flat],
      ['vmdk', extents],
      ['vdi', good],
      ['ploop', content],
      ['qcow2', readFileSync(path.join(dir, 'large.qcow2'))],
    ];
    for (const [format, data] of refused) {
      const made = driver.ensureFromImage(ctx, volume(), { id: 'i', disk_format: format }, opened(data));
      const code = await made.then(
        () => 'accepted',
        (error: unknown) => (error as { code?: string }).code,
      );
      expect([format, data.length, code]).toEqual([format, data.length, 'ImageUnacceptable']);
    }
    const endless = Readable.from(
      (function* () {
        for (let i = 0; i < 1100; i += 1) yield Buffer.alloc(1 << 20);
      })(),
    );
    await expect(
      driver.ensureFromImage(ctx, volume(), { id: 'i', disk_format: 'raw' }, () => Promise.resolve(endless)),
    ).rejects.toMatchObject({ code: 'ImageUnacceptable' });
    expect([...left('volumes'), ...left('work')]).toEqual([]);
  }, 60_000);

  it('copies volumes and snapshots, of one in use at one moment, and grows what is not in use', async () => {
    const one = volume();
    await driver.ensureVolume(ctx, one);
    const url = urlOf(await driver.ensureExport(ctx, one, HERE));
    await io(url, 'write -P 1 0 4M');
    const live = randomUUID();
    const snapshot = driver.ensureSnapshot(ctx, one.id, live);
    await snapshot;
    await io(url, 'write -P 2 0 4M');
    const clone = volume(2);
    await driver.ensureFromVolume(ctx, clone, one);
    await driver.absentExport(ctx, one.id);
    const still = randomUUID();
    await driver.ensureSnapshot(ctx, one.id, still);
    await driver.ensureSnapshot(ctx, one.id, still);
    const first = volume(1);
    const second = volume(3);
    await driver.ensureFromSnapshot(ctx, first, live);
    await driver.ensureFromSnapshot(ctx, second, still);
    const expected: [{ id: string; size: number }, number][] = [
      [first, 1],
      [second, 2],
      [clone, 2],
    ];
    for (const [made, pattern] of expected) {
      const file = path.join(dir, 'volumes', made.id);
      expect(statSync(file).size).toBe(made.size * GIB);
      expect(await holds(file, pattern, '0', '4M')).toBe(true);
    }
    await driver.ensureSize(ctx, { id: first.id, size: 2 });
    await driver.ensureSize(ctx, { id: first.id, size: 2 });
    const grown = urlOf(await driver.ensureExport(ctx, { id: first.id, size: 2 }, HERE));
    await io(grown, 'write -P 5 1536M 1M');
    expect(await holds(grown, 1, '0', '4M')).toBe(true);
    await driver.absentSnapshot(ctx, live);
    await driver.absentSnapshot(ctx, live);
    await driver.absentSnapshot(ctx, still);
    expect([...left('snapshots'), ...left('work')]).toEqual([]);
  }, 60_000);

  it('copies several volumes at one moment, and all of them anew when a copy of an earlier try is missing', async () => {
    const volumes = [volume(), volume(), volume()] as const;
    for (const one of volumes) await driver.ensureVolume(ctx, one);
    const [a, b, idle] = volumes;
    const urls = await Promise.all([a, b].map(async (one) => urlOf(await driver.ensureExport(ctx, one, HERE))));
    const parts = volumes.map((one) => ({ volumeId: one.id, snapshotId: randomUUID() }));
    const file = (at: number): string => path.join(dir, 'snapshots', parts[at]?.snapshotId ?? '');
    const patterns = () => [0, 1].map((at) => firstBytes(file(at), 1)[0]);
    for (const url of urls) await io(url, 'write -P 1 0 1M');
    await driver.ensureGroupSnapshot(ctx, parts);
    for (const url of urls) await io(url, 'write -P 2 0 1M');
    await driver.ensureGroupSnapshot(ctx, parts);
    expect(patterns()).toEqual([1, 1]);
    rmSync(file(1));
    await driver.ensureGroupSnapshot(ctx, parts);
    expect(patterns()).toEqual([2, 2]);
    expect([statSync(file(2)).size, left('work')]).toEqual([GIB, []]);
    await expect(
      driver.ensureGroupSnapshot(ctx, [
        { volumeId: idle.id, snapshotId: randomUUID() },
        { volumeId: randomUUID(), snapshotId: randomUUID() },
      ]),
    ).rejects.toMatchObject({ code: 'VolumeNotFound' });
    expect([left('snapshots').length, left('work')]).toEqual([3, []]);
  }, 60_000);

  it('grows volumes in use: users go on, move to the new size while they run, and only the usual export is left', async () => {
    const one = volume();
    await driver.ensureVolume(ctx, one);
    const bytesOf = async (url: string): Promise<string> => (await io(url, 'length')).trim();
    for (const [from, host] of [
      [1, HERE],
      [2, THERE],
    ] as const) {
      const first = await driver.ensureExport(ctx, { id: one.id, size: from }, host);
      const user = hold(urlOf(first));
      await user.says('write -P 7 0 1M', /wrote 1048576/);
      const size = from + 1;
      await driver.ensureSize(ctx, { id: one.id, size });
      await driver.ensureSize(ctx, { id: one.id, size });
      const second = await driver.ensureExport(ctx, { id: one.id, size }, host);
      expect(await driver.ensureExport(ctx, { id: one.id, size }, host)).toEqual(second);
      expect(second.data['export']).toBe(`volume-${one.id}.${String(size)}`);
      expect(await bytesOf(urlOf(second))).toBe(`${String(size)} GiB`);
      await io(urlOf(second), `write -P 8 ${String(size * 1024 - 1)}M 1M`);
      await user.says('read -P 7 0 1M', /read 1048576/);
      const snapshot = randomUUID();
      await driver.ensureSnapshot(ctx, one.id, snapshot);
      const copy = path.join(dir, 'snapshots', snapshot);
      expect(await holds(copy, 8, `${String(size * 1024 - 1)}M`)).toBe(true);
      await driver.absentSnapshot(ctx, snapshot);
      const moved = hold(urlOf(second));
      await moved.says('read -P 7 0 1M', /read 1048576/);
      await user.end();
      const names = [String(second.data['export'])];
      const third = await driver.ensureExport(ctx, { id: one.id, size }, { ...host, names });
      expect(third).toEqual(first);
      expect(await bytesOf(urlOf(third))).toBe(`${String(size)} GiB`);
      await driver.ensureExport(ctx, { id: one.id, size }, host);
      await moved.says('read -P 7 0 1M', /read 1048576/);
      await moved.end();
      await driver.ensureExport(ctx, { id: one.id, size }, host);
      await driver.ensureExport(ctx, { id: one.id, size }, host);
      await expect(io(urlOf(second), 'length')).rejects.toThrow();
      expect(await holds(urlOf(third), 7)).toBe(true);
    }
    await driver.absentExport(ctx, one.id);
    expect(await driver.exports()).toEqual([]);
    expect(daemons()).toEqual([]);
  }, 60_000);

  it('goes back to snapshots, takes in what it finds, and gives volumes to other backends', async () => {
    const [one, copy] = [volume(), volume()];
    await driver.ensureVolume(ctx, one);
    const snapshot = randomUUID();
    const file = path.join(dir, 'volumes', one.id);
    await io(file, 'write -P 1 0 1M');
    await driver.ensureSnapshot(ctx, one.id, snapshot);
    await io(file, 'write -P 2 0 1M');
    for (let twice = 0; twice < 2; twice += 1) await driver.ensureReverted(ctx, one, snapshot);
    expect([firstBytes(file, 1)[0], statSync(file).size, left('work')]).toEqual([1, GIB, []]);
    await driver.ensureFromFile(ctx, copy, await driver.ensureLocalPath(ctx, { volumeId: one.id }));
    expect(firstBytes(path.join(dir, 'volumes', copy.id), 1)[0]).toBe(1);
    await expect(driver.ensureLocalPath(ctx, { snapshotId: randomUUID() })).rejects.toMatchObject({
      code: 'SnapshotNotFound',
    });
    writeFileSync(path.join(dir, 'volumes', 'found'), Buffer.alloc(1 << 20, 7));
    symlinkSync('/etc/passwd', path.join(dir, 'volumes', 'link'));
    writeFileSync(path.join(dir, 'volumes', '.hidden'), 'x');
    const names = (await driver.inventory('volume')).map(({ name, size }) => [name, size]);
    expect(names.sort()).toEqual([[one.id, 1] as const, [copy.id, 1] as const, ['found', 1] as const].sort());
    expect(await driver.inventory('snapshot')).toEqual([{ name: snapshot, size: 1 }]);
    const adopted = randomUUID();
    for (let twice = 0; twice < 2; twice += 1) await driver.ensureAdopted(ctx, 'volume', adopted, 'found');
    const made = path.join(dir, 'volumes', adopted);
    expect([statSync(made).size, firstBytes(made, 1)[0], left('volumes').includes('found')]).toEqual([GIB, 7, false]);
    for (const name of ['found', 'link', '../volumes/.hidden', '.hidden'])
      await expect(driver.ensureAdopted(ctx, 'volume', randomUUID(), name)).rejects.toMatchObject({
        code: 'ManageExistingInvalidReference',
      });
  }, 60_000);

  it('gives a volume in a format of its own, and takes the working copy away', async () => {
    const content = randomBytes(1 << 20);
    const one = volume();
    await driver.ensureFromImage(ctx, one, { id: 'i', disk_format: 'raw' }, opened(content));
    const made = path.join(dir, 'made.qcow2');
    const chunks: Buffer[] = [];
    for await (const chunk of await driver.read(ctx, one, 'qcow2')) chunks.push(chunk as Buffer);
    writeFileSync(made, Buffer.concat(chunks));
    expect(JSON.parse(await run('qemu-img', ['info', '-f', 'qcow2', '--output=json', made]))).toMatchObject({
      'virtual-size': GIB,
    });
    await run('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', path.join(dir, 'volumes', one.id), made]);
    for (let tries = 0; left('work').length > 0 && tries < 100; tries += 1) await delay(10);
    expect(left('work')).toEqual([]);
  });

  it('finds what serves its volumes after a restart, and starts it again when it was killed', async () => {
    const one = volume();
    await driver.ensureVolume(ctx, one);
    const info = await driver.ensureExport(ctx, one, HERE);
    const far = await driver.ensureExport(ctx, one, THERE);
    await io(urlOf(info), 'write -P 3 0 1M');
    await driver.close();
    const before = daemons();
    driver = new NbdVolumeDriver(options);
    await driver.prepare();
    expect(await driver.exports()).toEqual([one.id]);
    expect(await driver.ensureExport(ctx, one, HERE)).toEqual(info);
    expect(daemons()).toEqual(before);
    let lost = 0;
    driver.onLoss(() => {
      lost += 1;
    });
    for (const pid of before) process.kill(pid, 'SIGKILL');
    for (let tries = 0; daemons().length > 0 && tries < 1000; tries += 1) await delay(10);
    for (let tries = 0; lost < before.length && tries < 1000; tries += 1) await delay(10);
    expect(lost).toBe(before.length);
    expect(await driver.exports()).toEqual([]);
    expect(await driver.ensureExport(ctx, one, THERE)).toEqual(far);
    expect(await holds(urlOf(info), 3)).toBe(true);
    expect(await holds(urlOf(far), 3)).toBe(true);
  });
});
