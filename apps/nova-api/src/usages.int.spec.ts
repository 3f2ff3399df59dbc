import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execute } from '@nestack/kernel/db';
import { newUuid } from '@nestack/kernel/ids';
import { until } from '@nestack/kernel/testing';
import { Bench } from './testing/bench';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let bench: Bench;
let admin: string;

beforeAll(async () => {
  bench = await Bench.start({ allowResizeToSameHost: true });
  admin = `${bench.project}:admin`;
}, 60_000);

afterAll(async () => {
  await bench.tidy();
  await bench.close();
});

const fault = (key: string, code: number, message: unknown) => ({ [key]: { code, message } });

interface Usage {
  readonly tenant_id: string;
  readonly total_hours: number;
  readonly total_vcpus_usage: number;
  readonly total_memory_mb_usage: number;
  readonly total_local_gb_usage: number;
  readonly server_usages: readonly Readonly<Record<string, unknown>>[];
}

const DAY = '2026-03-01';
const at = (hour: number): string => `${DAY}T${String(hour).padStart(2, '0')}:00:00`;

/** Moves the life of a server into the past. */
async function lived(id: string, from: number, until: number | null): Promise<void> {
  await bench.database.database.run('past', (tx) =>
    execute(tx, 'UPDATE instance SET launched_at = $2::timestamptz, terminated_at = $3::timestamptz WHERE uuid = $1', [
      id,
      `${at(from)}Z`,
      until === null ? null : `${at(until)}Z`,
    ]),
  );
}

const show = async (query: string, version = '2.40', as = bench.project) =>
  bench.call('GET', `/os-simple-tenant-usage/${bench.project}${query}`, { version, as });
const usageOf = async (query: string): Promise<Usage> => (await show(query)).json['tenant_usage'] as Usage;

describe('usage', () => {
  it('is nothing before there are servers', async () => {
    expect((await show('')).json).toEqual({ tenant_usage: {} });
    const all = await bench.call('GET', '/os-simple-tenant-usage', { as: admin });
    expect([all.status, all.json]).toEqual([200, { tenant_usages: [] }]);
  });

  it('counts the hours of servers that run, ran, were resized or are shelved, by their flavors', async () => {
    const large = await bench.addFlavor({ vcpus: 4, ram: 256, disk: 10 });
    const [running, deleted, resized, shelved] = [
      await bench.boot(),
      await bench.boot(),
      await bench.boot(),
      await bench.boot(),
    ];
    const failed = await bench
      .boot({ availability_zone: 'nova', flavorRef: await bench.addFlavor({ vcpus: 1, ram: 500_000, disk: 1 }) })
      .catch(() => null);
    for (const id of [running, deleted, resized, shelved]) await bench.until(id, 'ACTIVE');
    await bench.call('DELETE', `/servers/${deleted}`);
    await bench.until(deleted, 'GONE');
    const act = (id: string, body: object) => bench.call('POST', `/servers/${id}/action`, { body });
    await act(resized, { resize: { flavorRef: large } });
    await bench.until(resized, 'VERIFY_RESIZE');
    await act(resized, { confirmResize: null });
    await bench.until(resized, 'ACTIVE');
    await act(shelved, { shelve: null });
    await until('it is offloaded', async () => (await bench.show(shelved))?.['status'] === 'SHELVED_OFFLOADED');
    await lived(running, 2, null);
    await lived(deleted, 3, 5);
    await lived(resized, 9, null);
    await lived(shelved, 0, null);

    const usage = await usageOf(`?start=${at(4)}.000321&end=${at(12)}`);
    // 8 hours of the one that ran all the time, 1 of the deleted, 3 of the resized with its new sizes, 8 of the shelved.
    expect(usage).toMatchObject({
      tenant_id: bench.project,
      start: `${at(4)}.000321`,
      stop: `${at(12)}.000000`,
      total_hours: 20,
      total_vcpus_usage: 8 + 1 + 3 * 4 + 8,
      total_memory_mb_usage: 17 * 64 + 3 * 256,
      total_local_gb_usage: 17 + 3 * 10,
    });
    const byId = new Map(usage.server_usages.map((one) => [one['instance_id'], one]));
    expect(failed === null || !byId.has(failed)).toBe(true);
    expect(byId.get(deleted)).toEqual({
      instance_id: deleted,
      name: 'vm',
      tenant_id: bench.project,
      flavor: expect.stringMatching(/^f-/),
      hours: 1,
      vcpus: 1,
      memory_mb: 64,
      local_gb: 1,
      started_at: `${at(3)}.000000`,
      ended_at: `${at(5)}.000000`,
      state: 'terminated',
      uptime: 7200,
    });
    expect(byId.get(resized)).toMatchObject({ hours: 3, vcpus: 4, state: 'active', ended_at: null });
    expect(byId.get(shelved)).toMatchObject({ hours: 8, state: 'shelved_offloaded' });
    // Who was gone before, or came later, does not count.
    expect((await usageOf(`?start=${at(6)}&end=${at(8)}`)).server_usages).toHaveLength(2);
    // What lies ahead is cut off at now.
    const open = await usageOf(`?start=${at(4)}&end=2999-01-01T00:00:00`);
    expect(new Date(`${String((open as unknown as { stop: string }).stop)}Z`).getTime()).toBeLessThanOrEqual(
      Date.now(),
    );
  }, 60_000);

  it('is listed by project for administrators, and paged by server', async () => {
    const other = newUuid();
    await bench.database.database.run('other', (tx) =>
      execute(
        tx,
        `UPDATE instance SET project_id = $1 WHERE uuid IN (SELECT uuid FROM instance WHERE deleted_at IS NOT NULL)`,
        [other],
      ),
    );
    const list = (query: string, version = '2.40') =>
      bench.call('GET', `/os-simple-tenant-usage?start=${at(4)}&end=${at(12)}${query}`, { as: admin, version });
    const brief = (await list('')).json['tenant_usages'] as Usage[];
    expect(brief.map(({ tenant_id: id }) => id)).toEqual([bench.project, other].sort());
    expect(brief[0]).not.toHaveProperty('server_usages');
    const detailed = (await list('&detailed=1')).json['tenant_usages'] as Usage[];
    const ids = detailed.flatMap(({ server_usages: all }) => all.map((one) => one['instance_id']));
    expect(ids).toHaveLength(4);
    const paged: unknown[] = [];
    let next: string | undefined =
      `${bench.base}/os-simple-tenant-usage?start=${at(4)}&end=${at(12)}&detailed=1&limit=1`;
    while (next !== undefined) {
      const page = await bench.call('GET', next.slice(bench.base.length), { as: admin, version: '2.40' });
      const { tenant_usages: usages, tenant_usages_links: links } = page.json as {
        tenant_usages: Usage[];
        tenant_usages_links?: { rel: string; href: string }[];
      };
      paged.push(...usages.flatMap(({ server_usages: all }) => all.map((one) => one['instance_id'])));
      next = links?.[0]?.href;
    }
    expect(paged).toEqual(ids);
    // Before 2.40 there are no pages.
    const old = await list('&limit=1', '2.39');
    expect(Object.keys(old.json)).toEqual(['tenant_usages']);
    expect((await list('&marker=' + newUuid())).status).toBe(400);
    expect((await list('&colour=red', '2.74')).status).toBe(200);
    expect((await list('&colour=red', '2.75')).status).toBe(400);
  });

  it('is audited by no host, in whole months before a time', async () => {
    const admin = { as: `${newUuid()}:admin` };
    const log = '/os-instance_usage_audit_log';
    expect((await bench.call('GET', log)).status).toBe(403);
    expect((await bench.call('GET', `${log}/2026-03-01 00:00:00`)).status).toBe(403);
    const host = bench.hosts[0]?.name;
    const of = (begin: string, end: string) => ({
      period_beginning: `${begin} 00:00:00`,
      period_ending: `${end} 00:00:00`,
      num_hosts: 1,
      num_hosts_done: 0,
      num_hosts_running: 0,
      num_hosts_not_run: 1,
      hosts_not_run: [host],
      total_instances: 0,
      total_errors: 0,
      overall_status: '0 of 1 hosts done. 0 errors.',
      log: {},
    });
    const at = async (time: string) => (await bench.call('GET', `${log}/${encodeURIComponent(time)}`, admin)).json;
    expect(await at('2026-03-01 00:00:01')).toEqual({ instance_usage_audit_log: of('2026-02-01', '2026-03-01') });
    expect(await at('2026-01-01 00:00:00')).toEqual({ instance_usage_audit_log: of('2025-11-01', '2025-12-01') });
    expect(Object.keys((await bench.call('GET', log, admin)).json)).toEqual(['instance_usage_audit_logs']);
    for (const time of ['yesterday', '2026-02-30 00:00:00', '2026-02-03T00:00:00'])
      expect(await at(time)).toEqual({ badRequest: { code: 400, message: `Invalid timestamp for date ${time}` } });
  });

  it('is shown to its own project, for periods that make sense', async () => {
    const stranger = newUuid();
    expect((await show('', '2.1', `${stranger}:member`)).status).toBe(403);
    expect((await bench.call('GET', '/os-simple-tenant-usage')).status).toBe(403);
    expect((await show('', '2.1', `${stranger}:admin`)).status).toBe(200);
    const fault = async (query: string) => {
      const answer = await show(query);
      return [answer.status, (answer.json['badRequest'] as { message: string }).message];
    };
    expect(await fault(`?start=${at(5)}&end=${at(4)}`)).toEqual([
      400,
      'Invalid start time. The start time cannot occur after the end time.',
    ]);
    for (const start of ['yesterday', `${DAY} 04:00:00`, `${at(4)}Z`, '2026-02-30T00:00:99'])
      expect(await fault(`?start=${start}`)).toEqual([400, 'Invalid datetime string: Datetime is in invalid format']);
    expect((await show(`?start=${DAY}%2004:00:00.5&end=${at(5)}.25`)).status).toBe(200);
  });
});

describe('quotas and limits', () => {
  it('are shown, set, and refused when exceeded', async () => {
    await bench.tidy();
    const shown = await bench.call('GET', `/os-quota-sets/${bench.project}`);
    expect(shown.json['quota_set']).toMatchObject({
      id: bench.project,
      instances: 10,
      cores: 20,
      ram: 51200,
      key_pairs: 100,
      injected_files: 5,
      floating_ips: -1,
    });
    const newer = await bench.call('GET', `/os-quota-sets/${bench.project}`, { version: '2.57' });
    expect(newer.json['quota_set']).not.toHaveProperty('injected_files');
    expect(newer.json['quota_set']).not.toHaveProperty('floating_ips');
    expect((await bench.call('GET', `/os-quota-sets/${newUuid()}`)).status).toBe(403);
    const set = await bench.call('PUT', `/os-quota-sets/${bench.project}`, {
      as: admin,
      body: { quota_set: { instances: 1, cores: '8' } },
    });
    expect(set.json['quota_set']).toMatchObject({ instances: 1, cores: 8 });
    const id = await bench.boot();
    const over = await bench.call('POST', '/servers', {
      body: {
        server: { name: 'x', imageRef: bench.image, flavorRef: bench.flavor, networks: [{ uuid: bench.network }] },
      },
    });
    expect([over.status, over.json]).toEqual([
      403,
      fault('forbidden', 403, 'Quota exceeded for instances: Requested 1, but already used 1 of 1 instances'),
    ]);
    const detail = await bench.call('GET', `/os-quota-sets/${bench.project}/detail`);
    expect(detail.json['quota_set']).toMatchObject({
      instances: { limit: 1, in_use: 1, reserved: 0 },
      cores: { limit: 8, in_use: 1 },
    });
    const limits = await bench.call('GET', '/limits?reserved=1');
    expect(limits.json['limits']).toMatchObject({
      rate: [],
      absolute: {
        maxTotalInstances: 1,
        totalInstancesUsed: 1,
        totalCoresUsed: 1,
        totalRAMUsed: 64,
        maxTotalRAMSize: 51200,
        maxServerMeta: 128,
      },
    });
    expect((await bench.call('DELETE', `/os-quota-sets/${bench.project}`, { as: admin })).status).toBe(202);
    expect((await bench.call('GET', `/os-quota-sets/${bench.project}`)).json['quota_set']).toMatchObject({
      instances: 10,
    });
    const unknown = await bench.call('GET', '/os-quota-sets/no-such-project', { as: admin });
    expect([unknown.status, unknown.json]).toEqual([
      400,
      fault('badRequest', 400, 'Project ID no-such-project is not a valid project.'),
    ]);
    await bench.until(id, 'ACTIVE');
    await bench.tidy();
  });

  it('are those of single users too, within what their project has', async () => {
    const project = `p-${newUuid()}`;
    const path = `/os-quota-sets/${project}`;
    const one = `${path}?user_id=u-${project}`;
    const put = async (to: string, quotas: object) => {
      const { status, json } = await bench.call('PUT', to, { as: admin, body: { quota_set: quotas } });
      return status === 200 ? json['quota_set'] : (json['badRequest'] as { message: string }).message;
    };
    const shown = async (at: string) => (await bench.call('GET', at, { as: admin })).json['quota_set'];
    const boot = (body: object = {}) =>
      bench.call('POST', '/servers', {
        as: project,
        body: {
          server: { name: 'x', imageRef: bench.image, flavorRef: bench.flavor, networks: 'none', ...body },
        },
        version: '2.37',
      });
    expect(await put(path, { instances: 5, metadata_items: 3, server_groups: 2 })).toMatchObject({ instances: 5 });
    expect(await put(one, { instances: 6 })).toBe('Quota limit 6 for instances must be less than or equal to 5.');
    expect(await put(one, { instances: -1 })).toBe('Quota limit -1 for instances must be less than or equal to 5.');
    expect(await put(one, { instances: 1, metadata_items: 1, server_groups: 1 })).toMatchObject({
      instances: 1,
      cores: 20,
    });
    expect(await put(`${path}?user_id=other`, { instances: 5 })).toBe(
      'Quota limit 5 for instances must be less than or equal to 4.',
    );
    expect(await put(`${path}?user_id=other`, { instances: 4 })).toMatchObject({ instances: 4 });
    expect(await put(path, { instances: 4 })).toBe(
      'Quota limit 4 for instances must be greater than or equal to already used and reserved 5.',
    );
    expect(await shown(path)).toMatchObject({ instances: 5 });
    expect(await shown(one)).toMatchObject({ id: project, instances: 1 });

    expect((await boot({ metadata: { a: '1', b: '2' } })).status).toBe(403);
    const booted = await boot();
    expect(booted.status).toBe(202);
    const over = await boot();
    expect([over.status, over.json]).toEqual([
      403,
      fault('forbidden', 403, 'Quota exceeded for instances: Requested 1, but already used 1 of 1 instances'),
    ]);
    expect(await shown(`${path}/detail?user_id=other`)).toMatchObject({ instances: { limit: 4, in_use: 0 } });
    expect(await shown(`${path}/detail?user_id=u-${project}`)).toMatchObject({ instances: { limit: 1, in_use: 1 } });
    expect(await put(one, { instances: 0 })).toBe(
      'Quota limit 0 for instances must be greater than or equal to already used and reserved 1.',
    );
    const group = () =>
      bench.call('POST', '/os-server-groups', {
        as: project,
        body: { server_group: { name: 'g', policies: ['affinity'] } },
      });
    expect([(await group()).status, (await group()).status]).toEqual([200, 403]);

    expect((await bench.call('DELETE', one, { as: admin })).status).toBe(202);
    expect(await shown(one)).toMatchObject({ instances: 5 });
    expect(await shown(`${path}?user_id=other`)).toMatchObject({ instances: 4 });
    expect((await bench.call('DELETE', path, { as: admin })).status).toBe(202);
    expect(await shown(`${path}?user_id=other`)).toMatchObject({ instances: 10 });
    const { id } = booted.json['server'] as { id: string };
    await bench.call('DELETE', `/servers/${id}`, { as: project });
    await bench.until(id, 'GONE');
  });
});
