import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { until } from '@nestack/kernel/testing';
import { Bench } from './testing/bench';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

const HOSTS = 3;
let bench: Bench;
let admin: string;

beforeAll(async () => {
  bench = await Bench.start({ hosts: HOSTS });
  admin = `${bench.project}:admin`;
}, 60_000);

afterAll(async () => {
  await bench.close();
});

afterEach(async () => {
  await bench.tidy();
  for (const { id } of await list()) await bench.call('DELETE', `/os-server-groups/${id}`);
}, 60_000);

interface Group {
  readonly id: string;
  readonly members: readonly string[];
}

const list = async (query = '', as = bench.project): Promise<readonly Group[]> =>
  (await bench.call('GET', `/os-server-groups${query}`, { as })).json['server_groups'] as Group[];

async function group(policy: string, rules: Record<string, unknown> = {}): Promise<string> {
  const body = { server_group: { name: 'g', policy, rules } };
  const answer = await bench.call('POST', '/os-server-groups', { version: '2.64', body });
  expect(answer.status).toBe(200);
  return (answer.json['server_group'] as Group).id;
}

const boot = (id: string, fields: Record<string, unknown> = {}, hints: Record<string, unknown> = { group: id }) =>
  bench.call('POST', '/servers', {
    body: {
      server: { name: 'vm', imageRef: bench.image, flavorRef: bench.flavor, networks: 'none', ...fields },
      'os:scheduler_hints': hints,
    },
    version: '2.74',
    as: admin,
  });

const idOf = ({ json }: { json: Readonly<Record<string, unknown>> }): string =>
  (json as { server: { id: string } }).server.id;

/** Boots so many at once and waits for their ends; answers the hosts of those that became ACTIVE, and what the others say. */
async function boots(id: string, count: number): Promise<{ ids: string[]; hosts: string[]; faults: unknown[] }> {
  const answers = await Promise.all(Array.from({ length: count }, () => boot(id)));
  const ids = answers.map(idOf);
  const hosts: string[] = [];
  const faults: unknown[] = [];
  for (const server of ids) {
    await until('the boot ends', async () => (await bench.show(server))?.['status'] !== 'BUILD');
    const shown = await bench.show(server, { as: admin });
    if (shown?.['status'] === 'ACTIVE') hosts.push(String(shown['OS-EXT-SRV-ATTR:host']));
    else faults.push((shown?.['fault'] as { message: string }).message);
  }
  return { ids, hosts, faults };
}

const NO_HOST = 'No valid host was found. There are not enough hosts available.';

describe('server groups', () => {
  it('are made and shown as each microversion has them', async () => {
    const make = (version: string, fields: Record<string, unknown>) =>
      bench.call('POST', '/os-server-groups', { version, body: { server_group: { name: 'g', ...fields } } });
    const old = await make('2.1', { policies: ['affinity'] });
    const { id } = old.json['server_group'] as Group;
    const oldest = { id, name: 'g', policies: ['affinity'], metadata: {}, members: [] };
    expect([old.status, old.json]).toEqual([200, { server_group: oldest }]);
    const owned = { project_id: bench.project, user_id: `u-${bench.project}` };
    const show = async (version: string) =>
      (await bench.call('GET', `/os-server-groups/${id}`, { version })).json['server_group'];
    expect(await show('2.13')).toEqual({ ...oldest, ...owned });
    expect(await show('2.64')).toEqual({ id, name: 'g', policy: 'affinity', rules: {}, members: [], ...owned });

    expect((await make('2.14', { policies: ['soft-affinity'] })).status).toBe(400);
    expect((await make('2.15', { policies: ['soft-affinity'] })).status).toBe(200);
    const ruled = await make('2.64', { policy: 'anti-affinity', rules: { max_server_per_host: '3' } });
    expect(ruled.json['server_group']).toMatchObject({ policy: 'anti-affinity', rules: { max_server_per_host: 3 } });
    for (const [version, fields] of [
      ['2.1', { policies: [] }],
      ['2.1', { policies: ['affinity', 'anti-affinity'] }],
      ['2.1', { policies: ['legacy'] }],
      ['2.1', {}],
      ['2.1', { policies: ['affinity'], name: '' }],
      ['2.63', { policy: 'affinity' }],
      ['2.64', { policies: ['affinity'] }],
      ['2.64', { policy: 'anti-affinity', rules: { max_server_per_host: 0 } }],
      ['2.64', { policy: 'anti-affinity', rules: { other: 1 } }],
    ] as const)
      expect([version, fields, (await make(version, fields)).status]).toEqual([version, fields, 400]);
    const soft = await make('2.64', { policy: 'affinity', rules: { max_server_per_host: 3 } });
    expect([soft.status, soft.json]).toEqual([
      400,
      { badRequest: { code: 400, message: 'Only anti-affinity policy supports rules.' } },
    ]);
  });

  it('are listed page by page, and those of all projects to administrators', async () => {
    const ids: string[] = [];
    for (let at = 0; at < 3; at += 1) ids.push(await group('affinity'));
    const stranger = newUuid();
    const theirs = await bench.call('POST', '/os-server-groups', {
      as: stranger,
      body: { server_group: { name: 'theirs', policies: ['affinity'] } },
    });
    const other = (theirs.json['server_group'] as Group).id;
    const idsOf = async (query: string, as = bench.project) => (await list(query, as)).map(({ id }) => id);
    expect(await idsOf('')).toEqual(ids);
    expect(await idsOf('?limit=2')).toEqual(ids.slice(0, 2));
    expect(await idsOf('?limit=1&offset=2')).toEqual(ids.slice(2));
    expect(await idsOf('?offset=9')).toEqual([]);
    // Who is no administrator gets his own, and hears nothing of it.
    expect(await idsOf('?all_projects=True')).toEqual(ids);
    expect(await idsOf('?all_projects=True', admin)).toEqual([...ids, other]);
    expect((await bench.call('GET', '/os-server-groups?limit=-1')).status).toBe(400);
    expect((await bench.call('GET', '/os-server-groups?sort_key=name')).status).toBe(200);
    expect((await bench.call('GET', '/os-server-groups?sort_key=name', { version: '2.75' })).status).toBe(400);
    // Others' groups do not exist.
    const unknown = { itemNotFound: { code: 404, message: `Instance group ${other} could not be found.` } };
    for (const method of ['GET', 'DELETE']) {
      const answer = await bench.call(method, `/os-server-groups/${other}`);
      expect([method, answer.status, answer.json]).toEqual([method, 404, unknown]);
    }
    const denied = await boot(other);
    expect(denied.status).toBe(202);
    const used = await bench.call('POST', '/servers', {
      body: {
        server: { name: 'vm', imageRef: bench.image, flavorRef: bench.flavor, networks: [{ uuid: bench.network }] },
        'os:scheduler_hints': { group: other },
      },
    });
    expect([used.status, used.json]).toEqual([
      400,
      { badRequest: { code: 400, message: `Instance group ${other} could not be found.` } },
    ]);
    expect((await bench.call('DELETE', `/os-server-groups/${other}`, { as: stranger })).status).toBe(204);
  });

  it('have quotas that hold when fifty are made at once', async () => {
    const quota = (limits: Record<string, number>) =>
      bench.call('PUT', `/os-quota-sets/${bench.project}`, { as: admin, body: { quota_set: limits } });
    await quota({ server_groups: 4, server_group_members: 2 });
    const make = () =>
      bench.call('POST', '/os-server-groups', { body: { server_group: { name: 'g', policies: ['affinity'] } } });
    const answers = await Promise.all(Array.from({ length: 50 }, make));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(4);
    expect(answers.find(({ status }) => status !== 200)?.json).toEqual({
      forbidden: { code: 403, message: 'Quota exceeded, too many server groups.' },
    });
    const { absolute } = (await bench.call('GET', '/limits')).json['limits'] as { absolute: Record<string, number> };
    expect(absolute).toMatchObject({ maxServerGroups: 4, maxServerGroupMembers: 2, totalServerGroupsUsed: 4 });
    const detail = (await bench.call('GET', `/os-quota-sets/${bench.project}/detail`)).json['quota_set'];
    expect(detail).toMatchObject({ server_groups: { limit: 4, in_use: 4 }, server_group_members: { limit: 2 } });
    expect((await quota({ server_groups: 3 })).status).toBe(400);

    const [first, second] = await list();
    const joined = await Promise.all(Array.from({ length: 20 }, () => boot(first?.id ?? '')));
    expect(joined.filter(({ status }) => status === 202)).toHaveLength(2);
    expect(joined.find(({ status }) => status !== 202)?.json).toEqual({
      forbidden: { code: 403, message: 'Quota exceeded, too many servers in group' },
    });
    expect((await boot(second?.id ?? '', { min_count: 1, max_count: 3 })).status).toBe(403);
    expect((await list()).map(({ members }) => members.length)).toEqual([2, 0, 0, 0]);
    await bench.call('DELETE', `/os-quota-sets/${bench.project}`, { as: admin });
  }, 60_000);

  it('have their servers as members until these are deleted, and let go of them', async () => {
    const id = await group('anti-affinity');
    const [first, second] = [idOf(await boot(id)), idOf(await boot(id))];
    for (const server of [first, second]) await bench.until(server, 'ACTIVE');
    expect((await list())[0]?.members).toEqual([first, second]);
    expect((await bench.show(first, { version: '2.71' }))?.['server_groups']).toEqual([id]);
    expect(await bench.show(first, { version: '2.70' })).not.toHaveProperty('server_groups');
    const renamed = await bench.call('PUT', `/servers/${first}`, { version: '2.71', body: { server: { name: 'a' } } });
    expect((renamed.json['server'] as Record<string, unknown>)['server_groups']).toEqual([id]);
    const [detail] = (await bench.call('GET', '/servers/detail', { version: '2.71' })).json['servers'] as object[];
    expect(detail).not.toHaveProperty('server_groups');
    await bench.call('DELETE', `/servers/${first}`);
    await bench.until(first, 'GONE');
    expect((await list())[0]?.members).toEqual([second]);
    expect((await bench.call('DELETE', `/os-server-groups/${id}`)).status).toBe(204);
    expect((await bench.show(second, { version: '2.71' }))?.['server_groups']).toEqual([]);
    expect((await boot(newUuid())).status).toBe(400);
    expect((await boot('', {}, { group: 'no-uuid' })).status).toBe(400);
  });
});

describe('S-7.2.2.11: an anti-affinity group', () => {
  it('has one server per host, however many boot at once, and takes more when hosts are free again', async () => {
    const id = await group('anti-affinity');
    const { ids, hosts, faults } = await boots(id, 8);
    expect(new Set(hosts).size).toBe(HOSTS);
    expect(hosts).toHaveLength(HOSTS);
    expect(faults).toEqual(Array.from({ length: 8 - HOSTS }, () => NO_HOST));
    // Those that failed hold nothing; one that goes leaves its host.
    const [gone] = ids;
    await Promise.all(ids.map((server) => bench.call('DELETE', `/servers/${server}`)));
    for (const server of ids) await bench.until(server, 'GONE');
    expect(gone).toBeDefined();
    expect(new Set((await boots(id, 3)).hosts).size).toBe(HOSTS);
    // Also where an administrator names the host.
    const forced = idOf(await boot(id, { host: bench.hosts[0]?.name }));
    expect((await bench.until(forced, 'ERROR'))['fault']).toMatchObject({ message: NO_HOST });
    expect(bench.placement.allocations.size).toBe(HOSTS);
  }, 60_000);

  it('has as many per host as its rule says', async () => {
    const id = await group('anti-affinity', { max_server_per_host: 2 });
    const { hosts } = await boots(id, 9);
    expect(hosts).toHaveLength(2 * HOSTS);
    for (const { name } of bench.hosts) expect(hosts.filter((host) => host === name)).toHaveLength(2);
  }, 60_000);

  it('keeps a place for a server whose first host cannot build it', async () => {
    const [first] = bench.hosts;
    if (first !== undefined) first.behaviour.failures = { spawn: 100 };
    const id = await group('anti-affinity');
    const { hosts } = await boots(id, 2);
    expect([...hosts].sort()).toEqual(bench.hosts.slice(1).map(({ name }) => name));
  }, 60_000);
});

describe('S-7.2.2.12: an affinity group', () => {
  it('is on one host, however many boot at once, and no larger than that', async () => {
    const id = await group('affinity');
    const { hosts, faults } = await boots(id, 8);
    expect([hosts.length, new Set(hosts).size, faults]).toEqual([8, 1, []]);
    // It has no more room than its one host.
    await bench.call('PUT', `/os-quota-sets/${bench.project}`, { as: admin, body: { quota_set: { ram: -1 } } });
    const large = await bench.addFlavor({ vcpus: 1, ram: 60_000, disk: 1 });
    const fits = idOf(await boot(id, { flavorRef: large }));
    const shown = await bench.until(fits, 'ACTIVE');
    expect(shown['OS-EXT-SRV-ATTR:host']).toBe(hosts[0]);
    const late = idOf(await boot(id, { flavorRef: large }));
    expect((await bench.until(late, 'ERROR'))['fault']).toMatchObject({ message: NO_HOST });
  }, 60_000);

  it('of a soft kind spreads or stacks as far as it can', async () => {
    const apart = await group('soft-anti-affinity');
    const hosts = [...(await boots(apart, 1)).hosts, ...(await boots(apart, 1)).hosts];
    expect(new Set(hosts).size).toBe(2);
    expect((await boots(apart, HOSTS + 1)).faults).toEqual([]);
    const together = await group('soft-affinity');
    const last = bench.hosts.at(-1)?.name;
    await bench.until(idOf(await boot(together, { host: last })), 'ACTIVE');
    expect([...(await boots(together, 1)).hosts, ...(await boots(together, 1)).hosts]).toEqual([last, last]);
  }, 60_000);
});
