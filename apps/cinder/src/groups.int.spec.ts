import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { TestCinder, type CallOptions } from './testing/test-cinder';

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

async function types(): Promise<{ group: string; volume: string }> {
  const volume = await call('POST', '/types', { volume_type: { name: randomUUID() } }, admin);
  const group = await call('POST', '/group_types', { group_type: { name: randomUUID() } }, admin);
  expect([volume.status, group.status]).toEqual([200, 202]);
  return {
    group: (group.json['group_type'] as { id: string }).id,
    volume: (volume.json['volume_type'] as { id: string }).id,
  };
}

const show = async (kind: 'group' | 'group_snapshot', id: string, query = '') =>
  (await call('GET', `/${kind}s/${id}${query}`)).json[kind] as Record<string, unknown> | undefined;

async function reaches(kind: 'group' | 'group_snapshot', id: string, status: string): Promise<void> {
  await until(`${kind} ${id} is ${status}`, async () => (await show(kind, id))?.['status'] === status);
}

async function group(of: { group: string; volume: string }, fields: Record<string, unknown> = {}): Promise<string> {
  const made = await call('POST', '/groups', {
    group: { name: 'g', group_type: of.group, volume_types: [of.volume], ...fields },
  });
  expect(made).toEqual({ status: 202, json: { group: { id: expect.any(String) as unknown, name: 'g' } } });
  const { id } = made.json['group'] as { id: string };
  await reaches('group', id, 'available');
  return id;
}

describe('group types', () => {
  it('are made, listed, changed and deleted with their specs by administrators', async () => {
    const body = {
      name: 'gold',
      description: 'd',
      is_public: true,
      group_specs: { consistent_group_snapshot_enabled: '<is> True' },
    };
    expect((await call('POST', '/group_types', { group_type: body })).status).toBe(403);
    const made = await call('POST', '/group_types', { group_type: body }, admin);
    expect(made).toMatchObject({ status: 202, json: { group_type: body } });
    const { id } = made.json['group_type'] as { id: string };
    expect((await call('POST', '/group_types', { group_type: body }, admin)).status).toBe(409);
    const { group_specs: _, ...seen } = body;
    expect((await call('GET', '/group_types')).json['group_types']).toEqual([{ id, ...seen }]);
    const changed = await call('PUT', `/group_types/${id}`, { group_type: { description: 'e' } }, admin);
    expect(changed).toMatchObject({ status: 200, json: { group_type: { name: 'gold', description: 'e' } } });
    const specs = `/group_types/${id}/group_specs`;
    expect((await call('POST', specs, { group_specs: { a: '1', b: '2' } }, admin)).status).toBe(202);
    expect((await call('PUT', `${specs}/a`, { a: '3' }, admin)).json).toEqual({ a: '3' });
    expect((await call('PUT', `${specs}/a`, { b: '3' }, admin)).status).toBe(400);
    expect((await call('GET', specs, undefined, admin)).json).toEqual({
      group_specs: { consistent_group_snapshot_enabled: '<is> True', a: '3', b: '2' },
    });
    expect((await call('DELETE', `${specs}/b`, undefined, admin)).status).toBe(202);
    expect((await call('GET', `${specs}/b`, undefined, admin)).status).toBe(404);
    await call('POST', '/group_types', { group_type: { name: 'hidden', is_public: false } }, admin);
    expect((await call('GET', '/group_types?is_public=none', undefined, admin)).json['group_types']).toHaveLength(2);
    expect((await call('DELETE', `/group_types/${id}`, undefined, admin)).status).toBe(202);
    expect((await call('GET', `/group_types/${id}`)).status).toBe(404);
    expect((await call('GET', '/group_types', undefined, { ...member, version: '3.10' })).status).toBe(404);
  });
});

describe('groups', () => {
  it('hold volumes of their types, which come and go, and are deleted with them', async () => {
    const kinds = await types();
    const id = await group(kinds);
    expect(await show('group', id)).toEqual({
      id,
      name: 'g',
      description: null,
      status: 'available',
      availability_zone: 'nova',
      created_at: expect.any(String) as unknown,
      group_type: kinds.group,
      volume_types: [kinds.volume],
      group_snapshot_id: null,
      source_group_id: null,
      replication_status: 'disabled',
    });
    const wrong = { volume: { size: 1, group_id: id, volume_type: '__DEFAULT__' } };
    expect(message(await call('POST', '/volumes', wrong))).toMatch(/requested type must be supported by this group/);
    expect(message(await call('POST', '/volumes', { volume: { size: 1, group_id: id } }))).toMatch(/must be provided/);
    const first = await cinder.volume({ group_id: id, volume_type: kinds.volume });
    const second = await cinder.volume({ volume_type: kinds.volume });
    expect([first['group_id'], second['group_id']]).toEqual([id, null]);
    expect((await call('PUT', `/groups/${id}`, { group: { add_volumes: second.id, name: 'h' } })).status).toBe(202);
    expect(await show('group', id, '?list_volume=1')).toMatchObject({ name: 'h', volumes: [first.id, second.id] });
    const inGroup = await call('GET', `/volumes?group_id=${id}`);
    expect(inGroup.json['volumes']).toHaveLength(2);
    for (const [fields, why] of [
      [{ remove_volumes: randomUUID() }, /is not in the group/],
      [{ add_volumes: randomUUID() }, /cannot be found/],
      [{ add_volumes: first.id }, /no valid name/],
      [{ add_volumes: first.id, remove_volumes: first.id }, /both add and remove/],
    ] as const) {
      const answer = await call('PUT', `/groups/${id}`, { group: fields });
      expect([answer.status, message(answer)]).toEqual([400, expect.stringMatching(why)]);
    }
    // What belongs to a group goes with it alone.
    expect(message(await call('DELETE', `/volumes/${first.id}`))).toMatch(/belong to a group/);
    expect(message(await call('POST', `/groups/${id}/action`, { delete: {} }))).toMatch(/still contains volumes/);
    const type = await call('DELETE', `/types/${kinds.volume}`, undefined, admin);
    const groupType = await call('DELETE', `/group_types/${kinds.group}`, undefined, admin);
    expect([type.status, groupType.status]).toEqual([400, 400]);
    await call('PUT', `/groups/${id}`, { group: { remove_volumes: second.id } });
    expect((await call('POST', `/groups/${id}/action`, { delete: { 'delete-volumes': true } })).status).toBe(202);
    await cinder.gone(`/groups/${id}`, member);
    expect(await cinder.show(first.id)).toBeNull();
    expect(await cinder.reaches(second.id, 'available')).toMatchObject({ group_id: null });
    expect(Object.keys(cinder.store().volumes)).toEqual([second.id]);
    await cinder.call('DELETE', `/volumes/${second.id}`);
    await cinder.gone(`/volumes/${second.id}`);
  });

  it('are photographed as a whole, and copied from that and from each other', async () => {
    const kinds = await types();
    const id = await group(kinds);
    const volumes = [
      await cinder.volume({ group_id: id, volume_type: kinds.volume }),
      await cinder.volume({ group_id: id, volume_type: kinds.volume, size: 2 }),
    ];
    const made = await call('POST', '/group_snapshots', { group_snapshot: { group_id: id, name: 's' } });
    expect([made.status, made.json['group_snapshot']]).toMatchObject([202, { name: 's', group_type_id: kinds.group }]);
    const snapshot = (made.json['group_snapshot'] as { id: string }).id;
    await reaches('group_snapshot', snapshot, 'available');
    expect(await show('group_snapshot', snapshot)).toMatchObject({ group_id: id, group_type_id: kinds.group });
    const { json } = await call('GET', '/snapshots/detail');
    const parts = json['snapshots'] as { id: string; status: string; group_snapshot_id: string }[];
    expect(parts).toHaveLength(2);
    expect(parts).toMatchObject([1, 2].map(() => ({ status: 'available', group_snapshot_id: snapshot, name: 's' })));
    expect(message(await call('DELETE', `/snapshots/${String(parts[0]?.id)}`))).toMatch(/must not be part of a group/);
    expect(message(await call('POST', `/groups/${id}/action`, { delete: { 'delete-volumes': true } }))).toMatch(
      /existing snapshots/,
    );
    for (const source of [{ group_snapshot_id: snapshot }, { source_group_id: id }]) {
      const copy = await call('POST', '/groups/action', { 'create-from-src': { name: 'copy', ...source } });
      expect(copy.status).toBe(202);
      const copied = (copy.json['group'] as { id: string }).id;
      await reaches('group', copied, 'available');
      const shown = await show('group', copied, '?list_volume=True');
      expect(shown).toMatchObject({ ...source, group_type: kinds.group, volume_types: [kinds.volume] });
      const sizes = await Promise.all(
        (shown?.['volumes'] as string[]).map(async (one) => (await cinder.reaches(one, 'available'))['size']),
      );
      expect(sizes.sort()).toEqual([1, 2]);
      await call('POST', `/groups/${copied}/action`, { delete: { 'delete-volumes': true } });
      await cinder.gone(`/groups/${copied}`, member);
    }
    const both = { 'create-from-src': { group_snapshot_id: snapshot, source_group_id: id } };
    expect((await call('POST', '/groups/action', both)).status).toBe(400);
    expect((await call('DELETE', `/group_snapshots/${snapshot}`)).status).toBe(202);
    await cinder.gone(`/group_snapshots/${snapshot}`, member);
    expect(cinder.store().snapshots).toEqual({});
    await call('POST', `/groups/${id}/action`, { delete: { 'delete-volumes': 'true' } });
    await cinder.gone(`/groups/${id}`, member);
    expect(await cinder.show(volumes[0]?.id ?? '')).toBeNull();
    const quota = await call('GET', '/os-quota-sets/p1?usage=true');
    for (const resource of ['groups', 'volumes', 'snapshots', 'gigabytes'])
      expect((quota.json['quota_set'] as Record<string, unknown>)[resource]).toMatchObject({ in_use: 0 });
  });

  it('answer what they have not, and what is not allowed', async () => {
    const kinds = await types();
    const id = await group(kinds);
    for (const action of [
      'enable_replication',
      'disable_replication',
      'failover_replication',
      'list_replication_targets',
    ])
      expect([action, message(await call('POST', `/groups/${id}/action`, { [action]: {} }))]).toEqual([
        action,
        `Invalid group type: Group ${id} is not a replication group type.`,
      ]);
    expect((await call('POST', `/groups/${id}/action`, { reset_status: { status: 'error' } })).status).toBe(403);
    expect((await call('POST', `/groups/${id}/action`, { reset_status: { status: 'odd' } }, admin)).status).toBe(400);
    expect((await call('POST', `/groups/${id}/action`, { reset_status: { status: 'error' } }, admin)).status).toBe(202);
    expect(await show('group', id)).toMatchObject({ status: 'error' });
    const stranger = { ...member, as: 'p2:member' };
    expect((await call('GET', `/groups/${id}`, undefined, stranger)).status).toBe(404);
    const used = { group: { group_type: randomUUID(), volume_types: [kinds.volume] } };
    expect((await call('POST', '/groups', used)).status).toBe(404);
    await call('PUT', '/os-quota-sets/p1', { quota_set: { groups: 1 } }, admin);
    const over = await call('POST', '/groups', { group: { group_type: kinds.group, volume_types: [kinds.volume] } });
    expect([over.status, message(over)]).toEqual([
      413,
      expect.stringMatching(/Maximum number of groups allowed \(1\) exceeded/),
    ]);
    // A backend that has not what the group's type asks for.
    await call('PUT', '/os-quota-sets/p1', { quota_set: { groups: -1 } }, admin);
    const asking = { name: randomUUID(), group_specs: { group_replication_enabled: '<is> True' } };
    const type = await call('POST', '/group_types', { group_type: asking }, admin);
    const unplaced = await call('POST', '/groups', {
      group: { group_type: (type.json['group_type'] as { id: string }).id, volume_types: [kinds.volume] },
    });
    await reaches('group', (unplaced.json['group'] as { id: string }).id, 'error');
    for (const one of [id, (unplaced.json['group'] as { id: string }).id]) {
      expect((await call('POST', `/groups/${one}/action`, { delete: {} })).status).toBe(202);
      await cinder.gone(`/groups/${one}`, member);
    }
  });
});

describe("a volume type's encryption", () => {
  it('is kept, shown by its items and changed while no volume has the type; volumes of it need a key manager', async () => {
    const { volume: id } = await types();
    const url = `/types/${id}/encryption`;
    expect(await call('GET', url, undefined, admin)).toEqual({ status: 200, json: {} });
    const encryption = { provider: 'luks', control_location: 'front-end', cipher: 'aes-xts-plain64', key_size: 256 };
    expect((await call('POST', url, { encryption }, member)).status).toBe(403);
    const made = { ...encryption, volume_type_id: id, encryption_id: expect.any(String) as unknown };
    expect(await call('POST', url, { encryption }, admin)).toEqual({ status: 200, json: { encryption: made } });
    expect((await call('POST', url, { encryption }, admin)).status).toBe(400);
    expect((await call('GET', url, undefined, admin)).json).toMatchObject({
      ...encryption,
      volume_type_id: id,
      encryption_id: expect.any(String) as unknown,
    });
    expect((await call('PUT', `${url}/x`, { encryption: { key_size: '512' } }, admin)).status).toBe(200);
    expect((await call('GET', `${url}/key_size`, undefined, admin)).json).toEqual({ key_size: 512 });
    expect((await call('GET', `${url}/other`, undefined, admin)).status).toBe(404);
    const refused = await call('POST', '/volumes', { volume: { size: 1, volume_type: id } });
    expect([refused.status, message(refused)]).toEqual([400, 'Key manager error']);
    expect((await call('DELETE', `${url}/x`, undefined, admin)).status).toBe(202);
    expect((await call('DELETE', `${url}/x`, undefined, admin)).status).toBe(404);
    expect((await call('GET', url, undefined, admin)).json).toEqual({});
  });
});
