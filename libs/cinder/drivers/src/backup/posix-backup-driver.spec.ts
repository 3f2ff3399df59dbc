import { randomBytes, randomUUID } from 'node:crypto';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newContext } from '@nestack/kernel/context';
import type { Backup } from '@nestack/cinder/domain';
import { PosixBackupDriver } from './posix-backup-driver';

const ctx = newContext();
const BLOCK = 512;
const FILE = 4 * BLOCK;
let dir: string;
let driver: PosixBackupDriver;

beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'backup-'));
  driver = new PosixBackupDriver({ dir: path.join(dir, 'backups'), fileSize: FILE, blockSize: BLOCK });
  await driver.prepare();
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

function named(fields: Partial<Backup> = {}): Backup {
  return {
    id: randomUUID(),
    volume_id: randomUUID(),
    created_at: new Date('2026-01-02T03:04:05Z'),
    name: null,
    description: null,
    container: null,
    service_metadata: null,
    parent_id: null,
    ...fields,
  } as Backup;
}

/** What a driver is given once its first answer is in the row. */
async function made(parent: Backup | null, source: string, meta: string | null = null): Promise<Backup> {
  const backup = named({ parent_id: parent?.id ?? null });
  const place = await driver.ensureBackup(ctx, { backup, parent, path: source, volumeMeta: meta });
  return { ...backup, ...place };
}

const stored = (): string[] => readdirSync(path.join(dir, 'backups'), { recursive: true, encoding: 'utf8' });
const objects = (backup: Backup): string[] => stored().filter((name) => name.includes(`${backup.id}-`));

describe('backups in a folder', () => {
  it('hold all, then what has changed; any of them comes back, onto zeros and onto other data', async () => {
    const source = path.join(dir, 'volume');
    const first = Buffer.concat([randomBytes(FILE), Buffer.alloc(FILE), randomBytes(FILE + BLOCK)]);
    writeFileSync(source, first);
    const full = await made(null, source, 'meta');
    expect([full.object_count, objects(full).length]).toEqual([4, 4]);
    const second = Buffer.from(first);
    second.fill(7, BLOCK, 2 * BLOCK);
    second.fill(8, FILE + 3 * BLOCK, FILE + 3 * BLOCK + 1);
    second.fill(0, 3 * FILE, 3 * FILE + BLOCK);
    writeFileSync(source, second);
    const change = await made(full, source);
    expect(change.object_count).toBe(3);
    writeFileSync(source, first);
    const back = await made(change, source);
    expect(back.object_count).toBe(3);
    const same = await made(back, source);
    expect(same.object_count).toBe(0);
    for (const [chain, content] of [
      [[full], first],
      [[change, full], second],
      [[same, back, change, full], first],
    ] as const) {
      for (const isNew of [true, false]) {
        const target = path.join(dir, 'restored');
        writeFileSync(target, isNew ? Buffer.alloc(first.length) : Buffer.alloc(first.length, 9));
        expect(await driver.restore(ctx, { chain, path: target, isNew })).toBe('meta');
        expect(readFileSync(target).equals(content)).toBe(true);
      }
    }
    for (const one of [same, back, change, full]) {
      await driver.absentBackup(ctx, one);
      await driver.absentBackup(ctx, one);
    }
    expect(stored()).toEqual([]);
  });

  it('are written again from the start after a try that was cut, and refuse what is damaged or strange', async () => {
    const source = path.join(dir, 'volume');
    writeFileSync(source, randomBytes(3 * FILE));
    const backup = named();
    const what = { backup, parent: null, path: source, volumeMeta: null };
    const place = await driver.ensureBackup(ctx, what);
    writeFileSync(source, randomBytes(FILE));
    expect(await driver.ensureBackup(ctx, what)).toEqual({ ...place, object_count: 1 });
    const whole = { ...backup, ...place };
    expect(objects(whole)).toHaveLength(1);
    const target = path.join(dir, 'restored');
    writeFileSync(target, Buffer.alloc(FILE));
    const file = path.join(dir, 'backups', place.container, `${place.service_metadata}-00001`);
    const good = readFileSync(file);
    appendFileSync(file, 'x');
    const restore = (one: Backup) => driver.restore(ctx, { chain: [one], path: target, isNew: true });
    await expect(restore(whole)).rejects.toMatchObject({ code: 'InvalidBackup' });
    writeFileSync(file, good);
    await restore(whole);
    rmSync(file);
    await expect(restore(whole)).rejects.toMatchObject({ code: 'InvalidBackup' });
    for (const container of ['../x', '/etc', 'a/../../b', '.', ''])
      if (container !== '')
        await expect(restore({ ...whole, container })).rejects.toMatchObject({ code: 'InvalidBackup' });
    const other = new PosixBackupDriver({ dir: path.join(dir, 'backups'), fileSize: FILE, blockSize: 2 * BLOCK });
    await expect(other.ensureBackup(ctx, { ...what, backup: named(), parent: whole })).rejects.toThrow(
      /Do a full backup/,
    );
    expect(() => new PosixBackupDriver({ dir, fileSize: 1000, blockSize: 512 })).toThrow(/multiple/);
  });
});
