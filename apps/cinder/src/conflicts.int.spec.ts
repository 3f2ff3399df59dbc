import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { TestCinder, type Answer, type CallOptions } from './testing/test-cinder';

jest.setTimeout(60_000);

/** What comes at once, or at the wrong time: one of them is done, the others hear why not, and what is counted is right. */
let cinder: TestCinder;
const admin: CallOptions = { as: 'p1:admin', version: '3.70' };
const member: CallOptions = { as: 'p1:member', version: '3.70' };

beforeAll(async () => {
  const delays = { create_volume: 50, extend_volume: 1000, copy_volume_to_image: 1000, delete_volume: 500 };
  cinder = await TestCinder.start({ fake: { delays }, quota: { volumes: -1, snapshots: -1 } });
}, 60_000);

afterAll(() => cinder.close());

const call = (method: string, url: string, body?: unknown, options = member): Promise<Answer> =>
  cinder.call(method, url, { ...options, ...(body === undefined ? {} : { body }) });
const many = <T>(count: number, one: (at: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => one(at)));
const message = ({ json }: Answer): string =>
  (Object.values(json)[0] as { message?: string } | undefined)?.message ?? '';
const idOf = ({ json }: Answer): string => (Object.values(json)[0] as { id: string }).id;

/** One of the answers has the status; which statuses the others have. */
function others(answers: readonly Answer[], success: number): readonly number[] {
  expect(answers.filter(({ status }) => status === success)).toHaveLength(1);
  return [...new Set(answers.filter(({ status }) => status !== success).map(({ status }) => status))];
}

async function idle(): Promise<void> {
  await until('all operations have ended', async () => {
    const rows = await cinder.query("SELECT 1 FROM saga WHERE state NOT IN ('done', 'undone')");
    return rows.length === 0;
  });
}

/** Asks for each; answers which had another status than the one expected. */
async function refusedAll(status: number, asked: readonly (readonly [string, string, unknown])[]): Promise<void> {
  const answers = await Promise.all(asked.map(async (one) => ({ one, answer: await call(...one) })));
  for (const {
    one: [method, url, body],
    answer,
  } of answers) {
    expect([method, url, body, answer.status]).toEqual([method, url, body, status]);
    expect(message(answer)).toMatch(/^Invalid \w+: /);
  }
}

/** All that may not be done with a volume that is busy or taken. */
const onVolume = (id: string): readonly (readonly [string, string, unknown])[] => [
  ['DELETE', `/volumes/${id}`, undefined],
  ['POST', `/volumes/${id}/action`, { 'os-extend': { new_size: 9 } }],
  ['POST', `/volumes/${id}/action`, { 'os-reserve': null }],
  ['POST', `/volumes/${id}/action`, { 'os-volume_upload_image': { image_name: 'x' } }],
  ['POST', `/volumes/${id}/action`, { 'os-begin_detaching': null }],
  ['POST', '/attachments', { attachment: { volume_uuid: id, instance_uuid: 'another' } }],
  ['POST', '/volume-transfers', { transfer: { volume_id: id } }],
  ['POST', '/snapshots', { snapshot: { volume_id: id } }],
  ['POST', '/backups', { backup: { volume_id: id } }],
];

describe('a volume', () => {
  it('that is busy refuses everything until it is done', async () => {
    const { id } = await cinder.volume({}, member);
    const action = (body: Record<string, unknown>) => call('POST', `/volumes/${id}/action`, body);
    expect(others(await many(8, () => action({ 'os-extend': { new_size: 3 } })), 202)).toEqual([400]);
    await refusedAll(400, onVolume(id));
    await cinder.reaches(id, 'available', member);
    expect((await cinder.show(id, member))?.['size']).toBe(3);

    const copied = { 'os-volume_upload_image': { image_name: id } };
    expect(others(await many(8, () => action(copied)), 202)).toEqual([400]);
    await refusedAll(400, onVolume(id));
    await cinder.reaches(id, 'available', member);
    expect([...cinder.neighbours.images.values()].filter(({ fields }) => fields['name'] === id)).toHaveLength(1);

    expect(others(await many(8, () => call('DELETE', `/volumes/${id}`)), 202)).toEqual([400]);
    await refusedAll(400, onVolume(id));
    await cinder.gone(`/volumes/${id}`, member);
    expect((await call('DELETE', `/volumes/${id}`)).status).toBe(404);
  });

  it('that is taken refuses what it may not be taken from', async () => {
    const used = await cinder.volume({}, member);
    const attach = (at: number) =>
      call('POST', '/attachments', { attachment: { volume_uuid: used.id, instance_uuid: `server-${String(at)}` } });
    const attached = await many(10, attach);
    expect(others(attached, 200)).toEqual([400]);
    await refusedAll(400, onVolume(used.id));
    const attachment = attached.find(({ status }) => status === 200);
    const dropped = await many(5, () => call('DELETE', `/attachments/${idOf(attachment as Answer)}`));
    for (const { status } of dropped) expect([200, 404]).toContain(status);
    await cinder.reaches(used.id, 'available', member);

    const { id } = await cinder.attach(used.id, {}, member);
    const inUse = onVolume(used.id).filter(
      ([, , body]) => body === undefined || !/extend|begin_det|snapshot"/.test(JSON.stringify(body)),
    );
    await refusedAll(400, inUse);
    await cinder.detach(id, member);

    const offered = await many(8, () => call('POST', '/volume-transfers', { transfer: { volume_id: used.id } }));
    expect(others(offered, 202)).toEqual([400]);
    await refusedAll(400, onVolume(used.id));
    const { json } = offered.find(({ status }) => status === 202) as Answer;
    const { id: transfer, auth_key } = json['transfer'] as { id: string; auth_key: string };
    const accepted = await many(8, () =>
      call(
        'POST',
        `/volume-transfers/${transfer}/accept`,
        { accept: { auth_key } },
        { as: 'p2:member', version: '3.70' },
      ),
    );
    expect(others(accepted, 202)).toEqual([404]);
    await idle();
    expect(await cinder.show(used.id, member)).toBeNull();
    expect((await cinder.show(used.id, { as: 'p2:member' }))?.status).toBe('available');
    for (const [project, count] of [
      ['p1', 0],
      ['p2', 1],
    ] as const) {
      const set = (await call('GET', `/os-quota-sets/${project}?usage=true`, undefined, admin)).json['quota_set'];
      expect([project, set]).toMatchObject([project, { volumes: { in_use: count }, gigabytes: { in_use: count } }]);
    }
  });

  it('with snapshots, groups and backups that hang on it stays', async () => {
    const source = await cinder.volume({}, member);
    const snapshot = await cinder.snapshot(source.id, {}, member);
    await refusedAll(400, [['DELETE', `/volumes/${source.id}`, undefined]]);
    // Reading from it and removing it at once: the copy is whole, or was never begun.
    const [copy, gone] = await Promise.all([
      call('POST', '/volumes', { volume: { size: 1, snapshot_id: snapshot } }),
      call('DELETE', `/snapshots/${snapshot}`),
    ]);
    expect([
      [202, 202],
      [202, 400],
      [400, 202],
      [404, 202],
    ]).toContainEqual([copy.status, gone.status]);
    await idle();
    if (copy.status === 202) expect(['available', 'error']).toContain((await cinder.show(idOf(copy), member))?.status);
    if (gone.status !== 202) await call('DELETE', `/snapshots/${snapshot}`);
    await cinder.gone(`/snapshots/${snapshot}`, member);

    const full = await call('POST', '/backups', { backup: { volume_id: source.id } });
    expect((await call('DELETE', `/backups/${idOf(full)}`)).status).toBe(400);
    await idle();
    const next = await call('POST', '/backups', { backup: { volume_id: source.id, incremental: true } });
    await idle();
    await refusedAll(400, [['DELETE', `/backups/${idOf(full)}`, undefined]]);
    const target = await cinder.volume({}, member);
    const restore = () => call('POST', `/backups/${idOf(next)}/restore`, { restore: { volume_id: target.id } });
    expect(others(await many(6, restore), 202)).toEqual([400]);
    await cinder.reaches(target.id, 'available', member);
    const removals = await many(6, () => call('DELETE', `/backups/${idOf(next)}`));
    const statuses = others(removals, 202);
    for (const status of statuses) expect([400, 404]).toContain(status);
    await idle();
    expect((await call('DELETE', `/backups/${idOf(full)}`)).status).toBe(202);
    await idle();
  });

  it('deleted, extended, attached, offered and copied at once ends in one of these ways', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { id } = await cinder.volume({}, member);
      const asked = onVolume(id).filter(([method, url]) => method !== 'GET' && !url.startsWith('/backups'));
      const answers = await Promise.all(
        [...asked.slice(round), ...asked.slice(0, round)].map(([method, url, body]) => call(method, url, body)),
      );
      const done = answers.filter(({ status }) => status < 300);
      expect(done.length).toBeGreaterThan(0);
      for (const { status } of answers) expect([200, 202, 204, 400, 404]).toContain(status);
      await idle();
      const volume = await cinder.show(id, member);
      expect([undefined, 'available', 'attaching', 'reserved', 'awaiting-transfer']).toContain(volume?.status);
    }
  });
});

describe('names', () => {
  it('are taken once by many at once', async () => {
    const name = randomUUID();
    const made = (url: string, key: string) => many(10, () => call('POST', url, { [key]: { name } }, admin));
    expect(others(await made('/types', 'volume_type'), 200)).toEqual([409]);
    expect(others(await made('/qos-specs', 'qos_specs'), 200)).toEqual([409]);
    expect(others(await made('/group_types', 'group_type'), 202)).toEqual([409]);
    const { json } = await call('GET', '/types', undefined, admin);
    const type = (json['volume_types'] as { id: string; name: string }[]).find((one) => one.name === name)?.id ?? '';
    const access = await many(8, () =>
      call('POST', `/types/${type}/action`, { addProjectAccess: { project: 'p9' } }, admin),
    );
    // Of a public type nobody's access can be given.
    expect(new Set(access.map(({ status }) => status))).toEqual(new Set([400]));
    await call('PUT', `/types/${type}`, { volume_type: { is_public: false } }, admin);
    const given = await many(8, () =>
      call('POST', `/types/${type}/action`, { addProjectAccess: { project: 'p9' } }, admin),
    );
    expect(others(given, 202)).toEqual([409]);
    const specs = await many(12, (at) =>
      call('POST', `/types/${type}/extra_specs`, { extra_specs: { [`k${String(at)}`]: 'v' } }, admin),
    );
    expect(new Set(specs.map(({ status }) => status))).toEqual(new Set([200]));
    const shown = await call('GET', `/types/${type}/extra_specs`, undefined, admin);
    expect(Object.keys(shown.json['extra_specs'] as object)).toHaveLength(12);
    // Items of metadata that many set at once are all there.
    const { id } = await cinder.volume({}, member);
    await many(20, (at) => call('POST', `/volumes/${id}/metadata`, { metadata: { [`k${String(at)}`]: 'v' } }));
    expect(Object.keys((await cinder.show(id, member))?.['metadata'] as object)).toHaveLength(20);
  });
});

describe('quotas under fifty requests at once', () => {
  let project = '';
  let crowd: CallOptions = {};
  const limit = (limits: Record<string, number>) =>
    call('PUT', `/os-quota-sets/${project}`, { quota_set: limits }, admin);
  const uses = async (...names: readonly string[]): Promise<readonly (number | undefined)[]> => {
    const { json } = await call('GET', `/os-quota-sets/${project}?usage=True`, undefined, admin);
    const set = json['quota_set'] as Record<string, { in_use: number } | undefined>;
    return names.map((name) => set[name]?.in_use);
  };
  /** Asks fifty times, or once for each thing that only one request may use at a time; so many must be accepted, and all others refused with 413 and the same words. Answers the ids. */
  async function fifty(url: string, body: unknown, granted: number, words: string, count = 50): Promise<string[]> {
    const bodyOf = (at: number): unknown => (typeof body === 'function' ? (body as (at: number) => unknown)(at) : body);
    const answers = await many(count, (at) => call('POST', url, bodyOf(at), crowd));
    const refused = answers.filter(({ status }) => status !== 202);
    expect([url, answers.length - refused.length]).toEqual([url, granted]);
    expect([...new Set(refused.map((one) => `${String(one.status)} ${message(one)}`))]).toEqual([`413 ${words}`]);
    for (const one of refused) expect(one.headers['retry-after']).toBe('0');
    await idle();
    return answers.filter(({ status }) => status === 202).map(idOf);
  }
  async function removed(collection: string, ids: readonly string[], method = 'DELETE', body?: unknown): Promise<void> {
    for (const id of ids) {
      const url = `/${collection}/${id}${method === 'POST' ? '/action' : ''}`;
      expect((await call(method, url, body, crowd)).status).toBe(202);
    }
    for (const id of ids) await cinder.gone(`/${collection}/${id}`, crowd);
  }

  it('are kept for room, types, snapshots, backups and groups, and what is counted is right', async () => {
    project = randomUUID();
    crowd = { as: `${project}:member`, version: '3.70' };
    const type = randomUUID();
    await call('POST', '/types', { volume_type: { name: type } }, admin);
    await limit({ gigabytes: 9, volumes: -1, [`volumes_${type}`]: 3 });
    const large = await fifty(
      '/volumes',
      { volume: { size: 2 } },
      4,
      'VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested 2G, quota is 9G and 8G has been consumed.',
    );
    expect(await uses('volumes', 'gigabytes', 'volumes___DEFAULT__')).toEqual([4, 8, 4]);
    await removed('volumes', large);
    expect(await uses('volumes', 'gigabytes', 'volumes___DEFAULT__')).toEqual([0, 0, 0]);

    const typed = await fifty(
      '/volumes',
      { volume: { size: 1, volume_type: type } },
      3,
      `VolumeLimitExceeded: Maximum number of volumes allowed (3) exceeded for quota 'volumes_${type}'.`,
    );
    expect(await uses('volumes', 'gigabytes', `volumes_${type}`, `gigabytes_${type}`)).toEqual([3, 3, 3, 3]);

    await limit({ gigabytes: -1, snapshots: 12, backups: 4, groups: 2 });
    const volume_id = typed[0] ?? '';
    const snapshots = await fifty(
      '/snapshots',
      { snapshot: { volume_id } },
      12,
      'SnapshotLimitExceeded: Maximum number of snapshots allowed (12) exceeded',
    );
    expect(await uses('snapshots', 'gigabytes', `snapshots_${type}`)).toEqual([12, 15, 12]);
    const backups = await fifty(
      '/backups',
      (at: number) => ({ backup: { volume_id, snapshot_id: snapshots[at] } }),
      4,
      'BackupLimitExceeded: Maximum number of backups allowed (4) exceeded',
      12,
    );
    expect(await uses('backups', 'backup_gigabytes')).toEqual([4, 4]);
    await removed('backups', backups);
    await limit({ backups: -1, backup_gigabytes: 3 });
    const few = await fifty(
      '/backups',
      (at: number) => ({ backup: { volume_id, snapshot_id: snapshots[at] } }),
      3,
      'VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota. Requested 1G, quota is 3G and 3G has been consumed.',
      12,
    );
    await removed('backups', few);
    await removed('snapshots', snapshots);

    const kind = idOf(await call('POST', '/group_types', { group_type: { name: randomUUID() } }, admin));
    const groups = await fifty(
      '/groups',
      { group: { group_type: kind, volume_types: [type] } },
      2,
      'GroupLimitExceeded: Maximum number of groups allowed (2) exceeded',
    );
    expect(await uses('groups')).toEqual([2]);
    await removed('groups', groups, 'POST', { delete: {} });

    // Growth at once, too: two more for each of three volumes, and room for two of them.
    await limit({ gigabytes: 7 });
    const grown = await Promise.all(
      typed.map((id) => call('POST', `/volumes/${id}/action`, { 'os-extend': { new_size: 3 } }, crowd)),
    );
    expect(grown.map(({ status }) => status).sort()).toEqual([202, 202, 413]);
    await idle();
    expect(await uses('volumes', 'gigabytes', `gigabytes_${type}`)).toEqual([3, 7, 7]);
    await removed('volumes', typed);
    const left = await cinder.query<{ resource: string }>(
      'SELECT resource FROM quota_usage WHERE project_id = $1 AND in_use <> 0',
      [project],
    );
    expect(left).toEqual([]);
  });
});
