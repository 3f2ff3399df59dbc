import 'reflect-metadata';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { TestCinder, type CallOptions, type Volume } from './testing/test-cinder';

jest.setTimeout(60_000);

let cinder: TestCinder;
const admin: CallOptions = { as: 'p1:admin', version: '3.70' };
const member: CallOptions = { as: 'p1:member', version: '3.70' };

beforeAll(async () => {
  cinder = await TestCinder.start();
}, 60_000);

afterAll(() => cinder.close());

const call = async (method: string, url: string, body?: unknown, options = member) => {
  const { status, json } = await cinder.call(method, url, { ...options, ...(body === undefined ? {} : { body }) });
  return { status, json };
};
const message = (answer: { json: Record<string, unknown> }): string =>
  (Object.values(answer.json)[0] as { message: string }).message;
type Backup = Record<string, unknown> & { id: string; status: string };
const show = async (id: string, options = member): Promise<Backup> =>
  (await call('GET', `/backups/${id}`, undefined, options)).json['backup'] as Backup;

async function reaches(id: string, status: string): Promise<Backup> {
  await until(`backup ${id} is ${status}`, async () => (await show(id)).status === status);
  return show(id);
}

async function backup(volume_id: string, fields: Record<string, unknown> = {}): Promise<Backup> {
  const made = await call('POST', '/backups', { backup: { volume_id, ...fields } });
  if (made.status !== 202) throw new Error(JSON.stringify(made));
  const { id } = made.json['backup'] as Backup;
  return reaches(id, 'available');
}

async function removed(id: string): Promise<void> {
  expect((await call('DELETE', `/backups/${id}`)).status).toBe(202);
  await cinder.gone(`/backups/${id}`, member);
}

const repository = (): string => path.join(cinder.config.state_path, 'backup');
const files = (): string[] =>
  existsSync(repository())
    ? readdirSync(repository(), { recursive: true, withFileTypes: true, encoding: 'utf8' })
        .filter((one) => one.isFile())
        .map((one) => one.name)
    : [];

describe('backups', () => {
  it('keep a volume: its files are as upstream writes them, and it comes back when it is long gone', async () => {
    const image = cinder.neighbours.addImage(Buffer.from('x'), { name: 'system' });
    const volume = await cinder.volume({ imageRef: image, name: 'v', metadata: { a: 'b' } }, member);
    const { content } = cinder.store().volumes[volume.id] ?? { content: '' };
    const made = await backup(volume.id, { name: 'b', description: 'd', metadata: { k: 'v' } });
    expect(made).toMatchObject({
      name: 'b',
      description: 'd',
      volume_id: volume.id,
      size: 1,
      object_count: 1,
      is_incremental: false,
      has_dependent_backups: false,
      snapshot_id: null,
      fail_reason: null,
      metadata: { k: 'v' },
      container: path.join(made.id.slice(0, 2), made.id.slice(2, 4), made.id),
      data_timestamp: made['created_at'],
      links: [{ rel: 'self' }, { rel: 'bookmark' }],
    });
    expect(made).not.toHaveProperty('user_id');
    expect(await show(made.id, admin)).toMatchObject({ 'os-backup-project-attr:project_id': 'p1', user_id: 'u-p1' });
    const prefix = `volume_${volume.id}_`;
    const names = files().sort();
    expect(names.map((one) => [one.startsWith(prefix), one.replace(/^.*_backup_[0-9a-f-]{36}/, '')])).toEqual([
      [true, '-00001'],
      [true, '_metadata'],
      [true, '_sha256file'],
    ]);
    const metadata = JSON.parse(
      readFileSync(path.join(repository(), String(made['container']), names[1] ?? ''), 'utf8'),
    ) as Record<string, unknown>;
    expect(metadata).toMatchObject({ version: '1.0.0', backup_id: made.id, volume_id: volume.id, parent_id: null });
    expect(await cinder.reaches(volume.id, 'available')).toBeDefined();
    await cinder.call('DELETE', `/volumes/${volume.id}`);
    await cinder.gone(`/volumes/${volume.id}`);
    const restored = await call('POST', `/backups/${made.id}/restore`, { restore: {} });
    expect(restored).toMatchObject({ status: 202, json: { restore: { backup_id: made.id } } });
    const { volume_id } = restored.json['restore'] as { volume_id: string };
    await reaches(made.id, 'available');
    expect(await cinder.reaches(volume_id, 'available')).toMatchObject({
      name: 'v',
      size: 1,
      bootable: 'true',
      metadata: { a: 'b' },
      volume_image_metadata: { image_name: 'system' },
    });
    expect(cinder.store().volumes[volume_id]).toEqual({ size: 1, content });
    // The same as a volume's source, and to a volume that is there.
    const again = await cinder.volume({ backup_id: made.id, size: 2, name: 'own' }, member);
    expect([again['name'], cinder.store().volumes[again.id]]).toEqual(['own', { size: 2, content }]);
    const target = await cinder.volume({ size: 2, name: 'kept' }, member);
    const onto = await call('POST', `/backups/${made.id}/restore`, { restore: { volume_id: target.id } });
    expect(onto).toMatchObject({ status: 202, json: { restore: { volume_id: target.id, volume_name: 'kept' } } });
    expect(await cinder.reaches(target.id, 'available')).toMatchObject({ name: 'kept', size: 2 });
    expect(cinder.store().volumes[target.id]).toEqual({ size: 2, content });
    await reaches(made.id, 'available');
    await removed(made.id);
    expect(files()).toEqual([]);
    expect(readdirSync(repository())).toEqual([]);
    for (const id of [volume_id, again.id, target.id]) {
      await cinder.call('DELETE', `/volumes/${id}`);
      await cinder.gone(`/volumes/${id}`);
    }
    cinder.neighbours.images.clear();
  });

  it('of volumes in use are of one moment, of snapshots of theirs, and a later one holds what has changed', async () => {
    const volume = await cinder.volume({}, member);
    const attachment = await cinder.attach(volume.id);
    const refused = await call('POST', '/backups', { backup: { volume_id: volume.id } });
    expect([refused.status, message(refused)]).toEqual([
      400,
      'Invalid volume: Backing up an in-use volume must use the force flag.',
    ]);
    const first = await call('POST', '/backups', { backup: { volume_id: volume.id, incremental: true, force: true } });
    expect(message(first)).toMatch(/No backups available to do an incremental backup/);
    const full = await backup(volume.id, { force: true });
    expect(await cinder.reaches(volume.id, 'in-use')).toBeDefined();
    expect(cinder.store().snapshots).toEqual({});
    const change = await backup(volume.id, { force: true, incremental: true });
    expect([change['is_incremental'], change['object_count']]).toEqual([true, 0]);
    expect((await show(full.id))['has_dependent_backups']).toBe(true);
    expect(message(await call('DELETE', `/backups/${full.id}`))).toMatch(/Incremental backups exist/);
    await cinder.detach(attachment.id);
    const snapshot = await cinder.snapshot(volume.id, {}, member);
    const ofSnapshot = await backup(volume.id, { snapshot_id: snapshot });
    expect(ofSnapshot).toMatchObject({ snapshot_id: snapshot, is_incremental: false });
    await cinder.snapshotReaches(snapshot, 'available', member);
    const other = await cinder.volume({}, member);
    const mismatch = await call('POST', '/backups', { backup: { volume_id: other.id, snapshot_id: snapshot } });
    expect(message(mismatch)).toMatch(/does not match with snapshot.volume_id/);
    const restored = await call('POST', `/backups/${change.id}/restore`, { restore: { volume_id: other.id } });
    expect(restored.status).toBe(202);
    await cinder.reaches(other.id, 'available');
    await reaches(change.id, 'available');
    for (const { id } of [change, full, ofSnapshot]) await removed(id);
    for (const { id } of [volume, other]) {
      await cinder.call('DELETE', `/volumes/${id}?cascade=1`);
      await cinder.gone(`/volumes/${id}`);
    }
    expect(await cinder.query('SELECT 1 FROM quota_usage WHERE in_use <> 0')).toEqual([]);
  });

  it('are listed, described, counted, exported and imported, and put right by administrators', async () => {
    const volume = await cinder.volume({}, member);
    const made = await backup(volume.id, { name: 'one' });
    const list = await call('GET', '/backups/detail?name=one&status=available&with_count=1');
    expect(list.json).toMatchObject({ backups: [{ id: made.id }], count: 1 });
    expect((await call('GET', '/backups?name=two')).json).toEqual({ backups: [] });
    const renamed = await call('PUT', `/backups/${made.id}`, { backup: { name: 'two', metadata: { x: 'y' } } });
    expect(renamed).toMatchObject({ status: 200, json: { backup: { name: 'two' } } });
    expect((await call('GET', `/backups/${made.id}/export_record`)).status).toBe(403);
    const exported = await call('GET', `/backups/${made.id}/export_record`, undefined, admin);
    const record = exported.json['backup-record'] as { backup_service: string; backup_url: string };
    expect(record.backup_service).toBe('cinder.backup.drivers.posix.PosixBackupDriver');
    const known = JSON.parse(Buffer.from(record.backup_url, 'base64').toString()) as Record<string, unknown>;
    expect(known).toMatchObject({ id: made.id, display_name: 'two', size: 1, parent_id: null });
    const importing = (changes: Record<string, unknown>, service = record.backup_service) =>
      call(
        'POST',
        '/backups/import_record',
        {
          'backup-record': {
            backup_service: service,
            backup_url: Buffer.from(JSON.stringify({ ...known, ...changes })).toString('base64'),
          },
        },
        admin,
      );
    expect(message(await importing({}))).toMatch(/already exists/);
    const copy = randomUUID();
    expect((await importing({ id: copy, container: '../../etc' })).status).toBe(400);
    expect((await importing({ id: copy, service_metadata: 'a/b' })).status).toBe(400);
    expect((await importing({ id: copy }, 'cinder.backup.drivers.swift.SwiftBackupDriver')).status).toBe(503);
    expect(await importing({ id: copy })).toMatchObject({ status: 201, json: { backup: { id: copy, name: 'two' } } });
    const restored = await call('POST', `/backups/${copy}/restore`, { restore: { name: 'from-import' } }, admin);
    const { volume_id } = restored.json['restore'] as { volume_id: string };
    expect(await cinder.reaches(volume_id, 'available')).toMatchObject({ name: 'from-import' });
    const set = (status: string) => call('POST', `/backups/${copy}/action`, { 'os-reset_status': { status } }, admin);
    await reaches(copy, 'available');
    expect([(await set('error')).status, (await show(copy)).status]).toEqual([202, 'error']);
    expect((await set('odd')).status).toBe(400);
    expect((await call('POST', `/backups/${copy}/restore`, { restore: {} }, admin)).status).toBe(400);
    expect((await call('POST', `/backups/${copy}/action`, { 'os-force_delete': {} })).status).toBe(403);
    expect((await call('POST', `/backups/${copy}/action`, { 'os-force_delete': {} }, admin)).status).toBe(202);
    await cinder.gone(`/backups/${copy}`, member);
    // Its data were those of the first: what is damaged or gone is not restored.
    const broken = await call('POST', `/backups/${made.id}/restore`, { restore: { volume_id } });
    expect(broken.status).toBe(202);
    expect((await cinder.reaches(volume_id, 'error_restoring')).status).toBe('error_restoring');
    await reaches(made.id, 'available');
    const told = await call('GET', '/messages?resource_type=VOLUME_BACKUP');
    expect(told.json['messages']).toMatchObject([
      {
        resource_uuid: made.id,
        event_id: 'VOLUME_VOLUME_BACKUP_015_001',
        user_message: expect.stringMatching(/restore/),
      },
    ]);
    await removed(made.id);
    await call('PUT', '/os-quota-sets/p1', { quota_set: { backup_gigabytes: 0 } }, admin);
    const over = await call('POST', '/backups', { backup: { volume_id: volume.id } });
    expect([over.status, message(over)]).toEqual([413, expect.stringMatching(/Backup gigabytes quota/)]);
    await call('PUT', '/os-quota-sets/p1', { quota_set: { backup_gigabytes: -1 } }, admin);
    // Without a service for it a backup ends in error, and its volume is free again.
    const service = { host: cinder.config.host, binary: 'cinder-backup' };
    await call('PUT', '/os-services/disable', service, admin);
    const lost = await call('POST', '/backups', { backup: { volume_id: volume.id } });
    const failed = (lost.json['backup'] as Backup).id;
    expect((await reaches(failed, 'error'))['fail_reason']).toMatch(/Service not found for creating backup/);
    await cinder.reaches(volume.id, 'available');
    await call('PUT', '/os-services/enable', service, admin);
    await removed(failed);
    for (const id of [volume.id, volume_id]) {
      await cinder.call('DELETE', `/volumes/${id}`);
      await cinder.gone(`/volumes/${id}`);
    }
    const { json } = await call('GET', '/backups?all_tenants=1', undefined, admin);
    expect(json).toEqual({ backups: [] });
  });

  it('hide from other projects', async () => {
    const volume = await cinder.volume({}, member);
    const made = await backup(volume.id);
    const stranger = { ...member, as: 'p2:member' };
    for (const [method, url, body] of [
      ['GET', `/backups/${made.id}`, undefined],
      ['PUT', `/backups/${made.id}`, { backup: { name: 'x' } }],
      ['DELETE', `/backups/${made.id}`, undefined],
      ['POST', `/backups/${made.id}/restore`, { restore: {} }],
      ['POST', '/backups', { backup: { volume_id: volume.id } }],
      ['POST', '/volumes', { volume: { size: 1, backup_id: made.id } }],
    ] as const)
      expect([method, url, (await call(method, url, body, stranger)).status]).toEqual([method, url, 404]);
    expect((await call('GET', '/backups/detail', undefined, stranger)).json).toEqual({ backups: [] });
    expect(
      (await call('POST', '/backups', { backup: { volume_id: volume.id } }, { ...member, as: 'p1:reader' })).status,
    ).toBe(403);
    await removed(made.id);
    await cinder.call('DELETE', `/volumes/${volume.id}`);
    await cinder.gone(`/volumes/${volume.id}`);
    expect((await cinder.show(volume.id)) as Volume | null).toBeNull();
  });
});
