import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newContext, SYSTEM_ACTOR } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { silentLogger } from '@nestack/kernel/log';
import { run, tryRun } from '@nestack/kernel/process';
import { POWER_STATE, type DiskSource } from '@nestack/nova/contract';
import type { GuestSpec } from '@nestack/nova/domain';
import { Commands } from './commands';
import { DiskTransfers } from './disk-transfers';
import { GuestFiles } from './guest-files';
import { GuestMoves } from './guest-moves';

const lacks = (await tryRun('qemu-nbd', ['--version'])).code !== 0;
if (lacks) process.stdout.write('left out: moves of disks need qemu-nbd\n');
const describeWithQemu = lacks ? describe.skip : describe;

const ctx = newContext({ actor: SYSTEM_ACTOR });
const commands = new Commands(silentLogger);
const GIB = 1024 ** 3;

/** A host that has disks but no hypervisor. */
class Host {
  readonly dir: string;
  power: 'on' | 'off' = 'on';
  readonly moves: GuestMoves;

  constructor(root: string, name: string) {
    this.dir = path.join(root, name);
    const power = {
      powerOff: () => this.turn('off'),
      powerOn: () => this.turn('on'),
      guests: () =>
        Promise.resolve([{ uuid, power: this.power === 'on' ? POWER_STATE.running : POWER_STATE.shutdown }]),
    };
    this.moves = new GuestMoves((id) => this.files(id), power, new DiskTransfers('127.0.0.1', commands), commands);
  }

  files(id: string): GuestFiles {
    return new GuestFiles(this.dir, id, commands);
  }

  private turn(power: 'on' | 'off') {
    this.power = power;
    return Promise.resolve(power === 'on' ? POWER_STATE.running : POWER_STATE.shutdown);
  }
}

let uuid = '';
let old: Host;
let fresh: Host;
const root = mkdtempSync(path.join(tmpdir(), 'nova-moves-'));

const spec = (rootGb: number, ephemeralGb: number) =>
  ({ uuid, image: { id: 'image' }, flavor: { root_gb: rootGb }, ephemerals: [ephemeralGb] }) as unknown as GuestSpec;
const contentOf = async (file: string, format: string): Promise<string> => {
  const raw = `${file}.seen`;
  await run('qemu-img', ['dd', '-f', format, '-O', 'raw', 'bs=512', 'count=1', `if=${file}`, `of=${raw}`]);
  const text = (await readFile(raw, 'latin1')).replace(/\0.*$/s, '');
  rmSync(raw);
  return text;
};
const sizeOf = async (file: string): Promise<number> =>
  (JSON.parse(await run('qemu-img', ['info', '--output=json', file])) as { 'virtual-size': number })['virtual-size'];

/** The programs that show the guest's disks. */
async function shown(): Promise<readonly string[]> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const words = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return words.filter((line) => line.startsWith('qemu-nbd') && line.includes(uuid));
}

beforeEach(async () => {
  uuid = newUuid();
  old = new Host(root, `old-${uuid}`);
  fresh = new Host(root, `new-${uuid}`);
  fresh.power = 'off';
  const { dir, disk, ephemerals } = old.files(uuid);
  const [ephemeral = ''] = ephemerals;
  await mkdir(dir, { recursive: true });
  // The disk lies over an image, as guests' disks do.
  const image = path.join(old.dir, 'image');
  await writeFile(image, 'written in the image');
  await run('qemu-img', ['resize', '-q', '-f', 'raw', image, '1G']);
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', image, disk, '1G']);
  await writeFile(ephemeral, 'written by the guest');
  await run('qemu-img', ['resize', '-q', '-f', 'raw', ephemeral, '1G']);
});

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

describeWithQemu('disks of a guest that moves', () => {
  const keep = 'migration';
  const signal = new AbortController().signal;

  it('go to another host over a connection that only it can open, and grow there; the old ones wait', async () => {
    await old.moves.setAside(ctx, uuid, { keep, timeoutS: 1 });
    await old.moves.setAside(ctx, uuid, { keep, timeoutS: 1 });
    const files = old.files(uuid);
    expect([old.power, existsSync(files.disk), existsSync(files.ephemeral(0))]).toEqual(['off', false, false]);
    let source: DiskSource | null = null;
    const open = async (): Promise<DiskSource> => {
      source = await old.moves.open(ctx, uuid, keep);
      return source;
    };
    const { address, disks, secret } = await open();
    expect([address, disks.map(({ name, format }) => [name, format])]).toEqual([
      '127.0.0.1',
      [
        ['disk.eph0', 'raw'],
        ['disk', 'qcow2'],
      ],
    ]);
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    const [words] = await shown();
    expect(words).toBeDefined();
    expect(words).not.toContain(secret);
    const port = String(disks[1]?.port);
    const bare = await tryRun('qemu-img', ['info', `nbd://127.0.0.1:${port}/disk`]);
    expect(bare.stderr).toContain('TLS');
    const wrong = { address, secret: 'ab'.repeat(32), name: 'disk', format: 'qcow2' as const, port: Number(port) };
    const elsewhere = path.join(fresh.dir, 'stolen');
    await mkdir(fresh.dir, { recursive: true });
    const transfers = new DiskTransfers('127.0.0.1', commands);
    await expect(transfers.fetch(ctx, uuid, wrong, elsewhere, signal)).rejects.toThrow('TLS');
    expect(readdirSync(fresh.dir)).toEqual([]);

    await fresh.moves.bring(ctx, spec(2, 2), { keep, source: open, signal });
    const there = fresh.files(uuid);
    expect([await contentOf(there.disk, 'qcow2'), await contentOf(there.ephemeral(0), 'raw')]).toEqual([
      'written in the image',
      'written by the guest',
    ]);
    expect([await sizeOf(there.disk), await sizeOf(there.ephemeral(0))]).toEqual([2 * GIB, 2 * GIB]);
    expect(readdirSync(there.dir).sort()).toEqual(['disk', 'disk.eph0']);
    for (let wait = 0; (await shown()).length > 0 && wait < 200; wait += 1) await delay(25);
    expect(await shown()).toEqual([]);
    // Brought once, whatever happens on the old host.
    await fresh.moves.bring(ctx, spec(2, 2), { keep, source: () => Promise.reject(new Error('asked again')), signal });
    await old.moves.takeBack(ctx, spec(1, 1), { keep, running: true });
    expect([old.power, await contentOf(files.disk, 'qcow2'), await sizeOf(files.disk)]).toEqual([
      'on',
      'written in the image',
      GIB,
    ]);
    expect(readdirSync(files.dir).sort()).toEqual(['disk', 'disk.eph0']);
  }, 60_000);

  it('are copied where the guest stays, and come back as they were', async () => {
    await old.moves.setAside(ctx, uuid, { keep, timeoutS: 1 });
    await old.moves.bring(ctx, spec(2, 1), { keep, source: null, signal });
    const files = old.files(uuid);
    const [disk, dir, ephemeral] = [files.disk, files.dir, files.ephemeral(0)];
    expect([await sizeOf(disk), await contentOf(ephemeral, 'raw')]).toEqual([2 * GIB, 'written by the guest']);
    await writeFile(ephemeral, 'written later');
    await old.moves.takeBack(ctx, spec(1, 1), { keep, running: false });
    await old.moves.takeBack(ctx, spec(1, 1), { keep, running: false });
    expect([await sizeOf(disk), await contentOf(ephemeral, 'raw')]).toEqual([GIB, 'written by the guest']);
    expect(readdirSync(dir).sort()).toEqual(['disk', 'disk.eph0']);
  }, 60_000);

  it('are taken back when the guest is started although nobody said that the move is over', async () => {
    await old.moves.setAside(ctx, uuid, { keep, timeoutS: 1 });
    await old.moves.open(ctx, uuid, keep);
    await old.moves.restore(uuid);
    const { disk, dir } = old.files(uuid);
    expect([await contentOf(disk, 'qcow2'), readdirSync(dir).sort()]).toEqual([
      'written in the image',
      ['disk', 'disk.eph0'],
    ]);
    for (let wait = 0; (await shown()).length > 0 && wait < 200; wait += 1) await delay(25);
    expect(await shown()).toEqual([]);
  }, 60_000);
});
