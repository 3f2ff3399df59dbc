import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { cinderApi } from '@nestack/cinder/contract';
import { TestCinder } from './testing/test-cinder';

jest.setTimeout(60_000);

/** What a stranger gets who names another project's resources: absence, or a refusal before anything is looked up. */
let cinder: TestCinder;

beforeAll(async () => {
  cinder = await TestCinder.start();
}, 60_000);

afterAll(() => cinder.close());

/** Bodies of the requests that need one, by operation. */
const BODIES: Readonly<Record<string, unknown>> = {
  updateVolume: { volume: { name: 'x' } },
  addVolumeMetadata: { metadata: { a: 'b' } },
  replaceVolumeMetadata: { metadata: { a: 'b' } },
  setVolumeMetadataItem: { meta: { a: 'b' } },
  updateSnapshot: { snapshot: { name: 'x' } },
  addSnapshotMetadata: { metadata: { a: 'b' } },
  replaceSnapshotMetadata: { metadata: { a: 'b' } },
  setSnapshotMetadataItem: { meta: { a: 'b' } },
  updateAttachment: { attachment: { connector: { host: 'h' } } },
  acceptTransfer: { accept: { auth_key: 'wrong' } },
  acceptTransferOs: { accept: { auth_key: 'wrong' } },
  updateGroup: { group: { name: 'x' } },
  updateBackup: { backup: { name: 'x' } },
  restoreBackup: { restore: {} },
  updateQuota: { quota_set: { volumes: 1 } },
  setDefaultType: { default_type: { volume_type: '__DEFAULT__' } },
};
const ARGUMENTS: Readonly<Record<string, unknown>> = {
  'os-attach': { instance_uuid: 'i', mountpoint: '/dev/vdb' },
  'os-detach': {},
  'os-force_detach': {},
  'os-initialize_connection': { connector: {} },
  'os-terminate_connection': { connector: {} },
  'os-extend': { new_size: 5 },
  'os-set_bootable': { bootable: true },
  'os-update_readonly_flag': { readonly: true },
  'os-retype': { new_type: '__DEFAULT__' },
  'os-volume_upload_image': { image_name: 'x' },
  'os-set_image_metadata': { metadata: {} },
  'os-unset_image_metadata': { key: 'x' },
  'os-reimage': { image_id: '5e0d0b3c-5b0e-4b5c-9d0e-000000000000' },
  'os-update_snapshot_status': { status: 'error' },
  delete: {},
  revert: {},
  'os-migrate_volume': { host: 'h@b' },
  'os-migrate_volume_completion': { new_volume: 'x' },
  reset_status: { status: 'error' },
  enable_replication: {},
  disable_replication: {},
  failover_replication: {},
  list_replication_targets: {},
};

/** What names no project's things. */
const SHARED: readonly string[] = [
  'alias',
  'class_name',
  'cluster_id',
  'group_type_id',
  'host_name',
  'qos_id',
  'type_id',
];

describe("other projects' ids", () => {
  it('are absent in every operation, and nothing is changed', async () => {
    const volume = await cinder.volume({ metadata: { a: 'a' } });
    const snapshot = await cinder.snapshot(volume.id, { metadata: { a: 'a' } });
    const offered = await cinder.volume();
    const saved = await cinder.volume();
    const kept = await cinder.call('POST', '/backups', { body: { backup: { volume_id: saved.id } } });
    const backup_id = (kept.json['backup'] as { id: string }).id;
    const transfer = await cinder.call('POST', '/os-volume-transfer', {
      body: { transfer: { volume_id: offered.id } },
    });
    const groupType = await cinder.call('POST', '/group_types', {
      as: 'p1:admin',
      version: '3.70',
      body: { group_type: { name: randomUUID() } },
    });
    const group = await cinder.call('POST', '/groups', {
      version: '3.70',
      body: {
        group: { group_type: (groupType.json['group_type'] as { id: string }).id, volume_types: ['__DEFAULT__'] },
      },
    });
    const group_id = (group.json['group'] as { id: string }).id;
    const photo = await cinder.call('POST', '/group_snapshots', {
      version: '3.70',
      body: { group_snapshot: { group_id } },
    });
    const group_snapshot_id = (photo.json['group_snapshot'] as { id: string }).id;
    await until('the group and its snapshot are there', async () => {
      const rows = await cinder.query("SELECT 1 FROM saga WHERE state NOT IN ('done', 'undone')");
      return rows.length === 0;
    });
    const used = await cinder.volume();
    const attachment = await cinder.attach(used.id);
    const ids: Readonly<Record<string, string>> = {
      volume_id: volume.id,
      snapshot_id: snapshot,
      attachment_id: attachment.id,
      group_id,
      group_snapshot_id,
      backup_id,
      message_id: '5e0d0b3c-5b0e-4b5c-9d0e-000000000000',
      target_project_id: 'p1',
      transfer_id: (transfer.json['transfer'] as { id: string }).id,
      key: 'a',
    };
    const state = async () =>
      Promise.all(
        ['volume', 'snapshot', 'attachment', 'transfer', 'volume_group', 'group_snapshot', 'backup'].map((table) =>
          cinder.query(`SELECT to_jsonb(t) FROM ${table} t ORDER BY t.id`),
        ),
      );
    const before = await state();
    let asked = 0;
    for (const operation of cinderApi.operations) {
      const named = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
      // A new operation names what projects own, or what all share and administrators keep.
      for (const name of named)
        expect([operation.id, name in ids || SHARED.includes(name)]).toEqual([operation.id, true]);
      if (!named.some((name) => name in ids && name !== 'key')) continue;
      asked += 1;
      const url = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? '');
      const body =
        operation.action === undefined
          ? BODIES[operation.id]
          : {
              [operation.action]:
                operation.action === 'os-reset_status' ? { status: 'error' } : (ARGUMENTS[operation.action] ?? null),
            };
      for (const as of ['p2:member', 'p2:reader']) {
        const answer = await cinder.call(operation.method, url, {
          as,
          version: '3.71',
          ...(body === undefined ? {} : { body }),
        });
        // Whoever may not do something at all is told so; an offer can be known to the other project.
        const allowed = operation.id.startsWith('acceptTransfer') ? [400, 403] : [404, 403];
        expect([operation.id, as, allowed.includes(answer.status) ? 'hidden' : answer]).toEqual([
          operation.id,
          as,
          'hidden',
        ]);
        if (as === 'p2:member' && answer.status === 403)
          expect(`${operation.path} ${operation.policy ?? operation.action ?? ''}`).toMatch(
            /admin|os-|reset_status|volume_extension:default|export_record/,
          );
      }
    }
    expect(asked).toBeGreaterThan(60);
    const image = cinder.neighbours.addImage(Buffer.from('x'), { owner: 'p1' });
    const admin = { as: 'p1:admin', version: '3.70' };
    const privately = async (path: string, key: string) => {
      const access = path === '/types' ? 'os-volume-type-access:is_public' : 'is_public';
      const fields = { name: randomUUID(), [access]: false };
      const { json } = await cinder.call('POST', path, { ...admin, body: { [key]: fields } });
      return (json[key] as { id: string }).id;
    };
    const type = await privately('/types', 'volume_type');
    const group_type = await privately('/group_types', 'group_type');
    const mine = (await cinder.volume({}, { as: 'p2:member' })).id;
    const saving = { as: 'p2:member', body: { backup: { volume_id: mine } } };
    const copy = ((await cinder.call('POST', '/backups', saving)).json['backup'] as { id: string }).id;
    await until('it is saved', async () => {
      const { json } = await cinder.call('GET', `/backups/${copy}`, { as: 'p2:member' });
      return (json['backup'] as { status: string }).status === 'available';
    });
    await cinder.reaches(mine, 'available', { as: 'p2:member' });
    const known = (groupType.json['group_type'] as { id: string }).id;
    const start = await state();
    for (const [url, body] of [
      ['/volumes', { volume: { size: 1, volume_type: type } }],
      ['/volumes', { volume: { size: 1, group_id, volume_type: '__DEFAULT__' } }],
      ['/groups', { group: { group_type: known, volume_types: [type] } }],
      ['/groups', { group: { group_type, volume_types: ['__DEFAULT__'] } }],
      ['/backups', { backup: { volume_id: mine, snapshot_id: snapshot } }],
      [`/backups/${copy}/restore`, { restore: { volume_id: volume.id } }],
      ['/snapshots', { snapshot: { volume_id: volume.id } }],
      ['/os-volume-transfer', { transfer: { volume_id: volume.id } }],
      ['/attachments', { attachment: { volume_uuid: volume.id, instance_uuid: 'i' } }],
      ['/group_snapshots', { group_snapshot: { group_id } }],
      ['/groups/action', { 'create-from-src': { source_group_id: group_id } }],
      ['/groups/action', { 'create-from-src': { group_snapshot_id } }],
      ['/backups', { backup: { volume_id: volume.id } }],
      ['/volumes', { volume: { size: 1, backup_id } }],
      ['/volumes', { volume: { size: 1, source_volid: volume.id } }],
      ['/volumes', { volume: { size: 1, snapshot_id: snapshot } }],
    ] as const) {
      const answer = await cinder.call('POST', url, { as: 'p2:member', version: '3.47', body });
      expect([url, answer.status]).toEqual([url, 404]);
    }
    // upstream: cinder/api/v3/volumes.py _image_uuid_from_ref
    const fromImage = { as: 'p2:member', body: { volume: { size: 1, imageRef: image } } };
    expect((await cinder.call('POST', '/volumes', fromImage)).status).toBe(400);
    const reimage = { 'os-reimage': { image_id: image } };
    const imaged = await cinder.call('POST', `/volumes/${mine}/action`, {
      as: 'p2:member',
      version: '3.68',
      body: reimage,
    });
    expect(imaged.status).toBe(404);
    for (const [url, version] of [
      [`/types/${type}`, '3.0'],
      [`/types/${type}/extra_specs`, '3.0'],
      [`/group_types/${group_type}`, '3.70'],
    ] as const)
      expect([url, (await cinder.call('GET', url, { as: 'p2:member', version })).status]).toEqual([url, 404]);
    expect(await state()).toEqual(start);
    await cinder.call('DELETE', `/backups/${copy}`, { as: 'p2:member' });
    await cinder.gone(`/backups/${copy}`, { as: 'p2:member' });
    await cinder.call('DELETE', `/volumes/${mine}`, { as: 'p2:member' });
    await cinder.gone(`/volumes/${mine}`, { as: 'p2:member' });
    for (const url of [
      '/volumes',
      '/volumes/detail?all_tenants=1',
      '/snapshots',
      '/attachments',
      '/volume-transfers',
      '/backups',
      '/messages',
      '/groups/detail?all_tenants=1',
      '/group_snapshots/detail?all_tenants=1',
    ]) {
      const { json } = await cinder.call('GET', url, { as: 'p2:member', version: '3.55' });
      expect(Object.values(json)).toEqual([[]]);
    }
    expect(await state()).toEqual(before);
  }, 60_000);

  it('of readers change nothing in their own project', async () => {
    const volume = await cinder.volume();
    for (const [method, url, body] of [
      ['POST', '/volumes', { volume: { size: 1 } }],
      ['PUT', `/volumes/${volume.id}`, { volume: { name: 'x' } }],
      ['DELETE', `/volumes/${volume.id}`, undefined],
      ['POST', `/volumes/${volume.id}/action`, { 'os-extend': { new_size: 3 } }],
      ['POST', '/snapshots', { snapshot: { volume_id: volume.id } }],
    ] as const) {
      const answer = await cinder.call(method, url, { as: 'p1:reader', ...(body === undefined ? {} : { body }) });
      expect([url, answer.status]).toEqual([url, 403]);
    }
    expect((await cinder.call('GET', `/volumes/${volume.id}`, { as: 'p1:reader' })).status).toBe(200);
  });
});
