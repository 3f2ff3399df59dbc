import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Bench } from './testing/bench';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let bench: Bench;
let admin: string;
/** Ids of the servers by name. */
const ids: Record<string, string> = {};

beforeAll(async () => {
  bench = await Bench.start({ hosts: 2 });
  admin = `${bench.project}:admin`;
  await bench.call('POST', '/os-keypairs', { body: { keypair: { name: 'mine' } } });
  const servers = {
    'web-1': { key_name: 'mine', tags: ['red', 'blue'], config_drive: true },
    'web-2': { tags: ['red'], description: 'the second' },
    'db.1': { availability_zone: 'nova' },
  };
  for (const [name, more] of Object.entries(servers)) {
    ids[name] = await bench.boot({ name, ...more }, { version: '2.52' });
    await bench.until(ids[name], 'ACTIVE');
  }
}, 60_000);

afterAll(async () => {
  await bench.tidy();
  await bench.close();
});

const list = async (query: string, options: { as?: string; version?: string } = {}) => {
  const answer = await bench.call('GET', `/servers?${query}`, { version: '2.90', ...options });
  if (answer.status !== 200) return answer.status;
  return (answer.json['servers'] as { name: string }[]).map(({ name }) => name);
};
const ALL = ['db.1', 'web-2', 'web-1'];

describe('filters of servers', () => {
  it('are regular expressions, but for those that name one thing', async () => {
    const port = (await bench.call('GET', `/servers/${ids['web-1'] ?? ''}/os-interface`)).json['interfaceAttachments'];
    const [{ fixed_ips: fixed } = { fixed_ips: [] }] = port as { fixed_ips: { ip_address: string }[] }[];
    const shown = await bench.show(ids['web-1'] ?? '', { as: admin, version: '2.3' });
    const host = String(shown?.['OS-EXT-SRV-ATTR:host']);
    const rows: readonly (readonly [string, readonly string[] | 'some'])[] = [
      ['name=web-.', ['web-2', 'web-1']],
      ['display_name=^db', ['db.1']],
      ['description=second', ['web-2']],
      ['hostname=db-1', ['db.1']],
      ['key_name=^mi', ['web-1']],
      ['config_drive=True', ['web-1']],
      ['availability_zone=nov', ALL],
      ['availability_zone=mars', []],
      ['power_state=1', ALL],
      ['power_state=4', []],
      ['vm_state=active', ALL],
      ['vm_state=activ', []],
      ['task_state=spawning', []],
      ['progress=^100$', ALL],
      ['launched_at=20', ALL],
      ['terminated_at=20', []],
      [`created_at=${new Date().getUTCFullYear()}-`, ALL],
      [`user_id=u-${bench.project}`, ALL],
      ['user_id=u', []],
      [`uuid=${ids['db.1'] ?? ''}`, ['db.1']],
      [`host=${host}`, 'some'],
      [`host=${host.slice(0, -1)}`, []],
      [`node=${host.slice(0, -1)}`, ALL],
      [`ip=${fixed[0]?.ip_address ?? ''}$`, ['web-1']],
      ['ip6=fd', []],
      [`ip=${fixed[0]?.ip_address ?? ''}$&ip6=fd`, ['web-1']],
      ['tags=red,blue', ['web-1']],
      ['tags-any=red,blue', ['web-2', 'web-1']],
      ['not-tags=red,blue', ['db.1', 'web-2']],
      ['not-tags-any=red,blue', ['db.1']],
      ['locked=True', []],
      ['status=ACTIVE&status=SHUTOFF', ALL],
      ['status=shutoff', []],
      ['deleted=surely', ALL],
      [`project_id=other&tenant_id=other`, ALL],
      ['all_tenants=1&project_id=other', []],
      ['flavor=none', []],
      ['image=none', []],
      ['kernel_id=a', []],
      ['auto_disk_config=0', ALL],
    ];
    for (const [query, names] of rows) {
      const found = await list(query, { as: admin });
      if (names === 'some') expect([query, found]).toEqual([query, expect.arrayContaining(['web-1'])]);
      else expect([query, found]).toEqual([query, names]);
    }
  });

  it('are refused when they are malformed', async () => {
    const rows: readonly (readonly [string, string, number])[] = [
      ['name=[', '2.1', 400],
      ['ip=', '2.1', 400],
      ['key_name=*', '2.1', 400],
      ['limit=', '2.1', 400],
      ['limit=-1', '2.1', 400],
      ['changes-since=yesterday', '2.1', 400],
      ['all_tenants=surely', '2.1', 400],
      ['locked=surely', '2.73', 400],
      ['status=lost', '2.38', 400],
      ['changes-since=2030-01-01&changes-before=2020-01-01', '2.66', 400],
      ['metadata=a', '2.1', 400],
      ['_sa_instance_state=a', '2.1', 400],
      ['favourite=blue', '2.75', 400],
    ];
    for (const [query, version, status] of rows)
      expect([query, await list(query, { as: admin, version })]).toEqual([query, status]);
    // What the database alone cannot read.
    expect(await list('name=a(?<b>c)')).toBe(400);
  });

  it('come with their microversion, and those of administrators do nothing for others', async () => {
    const rows: readonly (readonly [string, string, readonly string[]])[] = [
      ['status=lost', '2.37', []],
      ['favourite=blue', '2.74', ALL],
      ['ip6=fd', '2.4', ALL],
      ['ip6=fd', '2.5', []],
      ['tags=blue', '2.25', ALL],
      ['tags=blue', '2.26', ['web-1']],
      ['changes-before=2020-01-01', '2.65', ALL],
      ['changes-before=2020-01-01', '2.66', []],
      ['locked=True', '2.72', ALL],
      ['locked=True', '2.73', []],
      ['key_name=mine', '2.82', ALL],
      ['key_name=mine', '2.83', ['web-1']],
      ['hostname=db', '2.89', ALL],
      ['hostname=db', '2.90', ['db.1']],
      ['host=nowhere', '2.90', ALL],
      ['deleted=True', '2.90', ALL],
      ['description=second', '2.90', ALL],
      ['metadata=a', '2.90', ALL],
    ];
    for (const [query, version, names] of rows)
      expect([query, version, await list(query, { version })]).toEqual([query, version, names]);
    expect(await list('status=deleted')).toBe(403);
    for (const path of ['/servers', '/servers/detail']) {
      const { status, json } = await bench.call('GET', `${path}?all_tenants=1`);
      const rule = `os_compute_api:servers:${path === '/servers' ? 'index' : 'detail'}:get_all_tenants`;
      const message = `Policy doesn't allow ${rule} to be performed.`;
      expect([status, json]).toEqual([403, { forbidden: { code: 403, message } }]);
    }
  });

  it('come in the order that is asked for', async () => {
    const rows: readonly (readonly [string, string, readonly string[] | number])[] = [
      ['sort_key=display_name&sort_dir=asc', '2.1', ['db.1', 'web-1', 'web-2']],
      ['sort_key=display_name', '2.1', ['web-2', 'web-1', 'db.1']],
      // The first direction is that of all keys without one.
      ['sort_key=vm_state&sort_key=display_name&sort_dir=asc', '2.1', ['db.1', 'web-1', 'web-2']],
      ['sort_key=vm_state&sort_key=display_name&sort_dir=asc&sort_dir=desc', '2.1', ['web-2', 'web-1', 'db.1']],
      // Keys of old that have no effect, and no direction either.
      ['sort_key=memory_mb&sort_key=display_name&sort_dir=desc&sort_dir=asc', '2.74', ['db.1', 'web-1', 'web-2']],
      ['sort_key=memory_mb', '2.75', 400],
      ['sort_key=locked&sort_key=kernel_id&sort_key=auto_disk_config', '2.73', ALL],
      ['sort_key=locked', '2.72', ALL],
      ['sort_key=name', '2.1', 400],
      ['sort_dir=up', '2.1', 400],
      ['sort_dir=asc&sort_dir=asc', '2.1', 400],
      ['sort_key=host', '2.1', 403],
    ];
    for (const [query, version, names] of rows)
      expect([query, version, await list(query, { version })]).toEqual([query, version, names]);
    expect(await list('sort_key=host', { as: admin })).toHaveLength(3);
    const page = await list(`sort_key=launched_at&limit=1&marker=${ids['web-2'] ?? ''}`);
    expect(page).toEqual(['web-1']);
  });
});

describe('instance actions', () => {
  const actions = async (query: string, options: { as?: string; version?: string } = {}) => {
    const answer = await bench.call('GET', `/servers/${ids['web-2'] ?? ''}/os-instance-actions${query}`, options);
    return answer.status === 200
      ? (answer.json['instanceActions'] as { action: string }[]).map(({ action }) => action)
      : answer.status;
  };

  it('have pages and a period from 2.58 on', async () => {
    await bench.call('POST', `/servers/${ids['web-2'] ?? ''}/action`, { body: { 'os-stop': null } });
    await bench.until(ids['web-2'] ?? '', 'SHUTOFF');
    expect(await actions('?limit=1&marker=none', { version: '2.57' })).toEqual(['stop', 'create']);
    expect(await actions('?limit=1', { version: '2.58' })).toEqual(['stop']);
    expect(await actions('?changes-since=2100-01-01', { version: '2.58' })).toEqual([]);
    expect(await actions('?changes-before=2100-01-01', { version: '2.65' })).toBe(400);
    expect(await actions('?changes-before=2100-01-01', { version: '2.66' })).toEqual(['stop', 'create']);
    expect(await actions('?changes-before=2020-01-01', { version: '2.66' })).toEqual([]);
    expect(await actions('?marker=none', { version: '2.58' })).toBe(400);
  });

  it('of a deleted server are shown from 2.21 on', async () => {
    await bench.call('DELETE', `/servers/${ids['web-2'] ?? ''}`);
    await bench.until(ids['web-2'] ?? '', 'GONE');
    expect(await actions('', { version: '2.20' })).toBe(404);
    expect(await actions('', { version: '2.21' })).toEqual(['delete', 'stop', 'create']);
  });
});

describe('what changes with a microversion', () => {
  it.each([
    ['GET', '/os-quota-class-sets/default', '2.49', { fixed_ips: -1 }, 'server_groups'],
    ['GET', '/os-quota-class-sets/default', '2.50', { server_groups: 10 }, 'fixed_ips'],
    ['GET', '/os-quota-class-sets/default', '2.57', { cores: 20 }, 'injected_files'],
  ] as const)('%s %s at %s', async (method, path, version, shown, hidden) => {
    const set = (await bench.call(method, path, { as: admin, version })).json['quota_class_set'];
    expect(set).toMatchObject(shown);
    expect(set).not.toHaveProperty(hidden);
  });

  it('is what a request may say', async () => {
    const event = (name: string) => ({ events: [{ name, server_uuid: ids['db.1'] ?? '', tag: 'x' }] });
    const untagged = (name: string) => ({ events: [{ name, server_uuid: ids['db.1'] ?? '' }] });
    const lock = `/servers/${ids['db.1'] ?? ''}/action`;
    const rows: readonly (readonly [string, string, Record<string, unknown>, string, number])[] = [
      ['POST', '/os-server-external-events', event('volume-extended'), '2.50', 400],
      ['POST', '/os-server-external-events', event('volume-extended'), '2.51', 200],
      ['POST', '/os-server-external-events', event('volume-reimaged'), '2.92', 400],
      ['POST', '/os-server-external-events', event('volume-reimaged'), '2.93', 200],
      // The second says nothing without a tag, and so fails by itself.
      ['POST', '/os-server-external-events', untagged('volume-reimaged'), '2.93', 200],
      ['POST', '/os-server-external-events', untagged('power-update'), '2.76', 207],
      ['POST', lock, { lock: 'anything' }, '2.72', 202],
      ['POST', lock, { lock: 'anything' }, '2.73', 400],
      ['POST', lock, { lock: { colour: 'red' } }, '2.73', 400],
      ['POST', lock, { unlock: null }, '2.73', 202],
      ['POST', '/os-keypairs', { keypair: { name: 'a@b.c' } }, '2.91', 400],
      ['POST', '/os-keypairs', { keypair: { name: 'a@b.c' } }, '2.92', 400],
      ['PUT', '/os-services/force-down', { host: 'h', binary: 'nova-compute' }, '2.10', 404],
      ['PUT', '/os-services/enable', { binary: 'nova-compute' }, '2.10', 400],
      ['PUT', `/servers/${ids['db.1'] ?? ''}`, { server: { hostname: 'a.b' } }, '2.93', 400],
      ['PUT', `/servers/${ids['db.1'] ?? ''}`, { server: { hostname: 'a.b' } }, '2.94', 200],
      ['PUT', `/os-quota-sets/${bench.project}`, { quota_set: { fixed_ips: 1 } }, '2.36', 400],
      ['PUT', '/os-quota-class-sets/default', { quota_class_set: { fixed_ips: 1 } }, '2.50', 400],
    ];
    for (const [method, path, body, version, status] of rows) {
      const answer = await bench.call(method, path, { as: admin, body, version });
      expect([method, path, body, version, answer.status]).toEqual([method, path, body, version, status]);
    }
  });

  it('shows the state of a server’s host to administrators, after changes from 2.75 on', async () => {
    const path = `/servers/${ids['db.1'] ?? ''}`;
    const status = async (method: string, version: string, as = admin, body?: object) => {
      const { json } = await bench.call(method, path, { as, version, ...(body === undefined ? {} : { body }) });
      return (json['server'] as Record<string, unknown>)['host_status'];
    };
    const named = { server: { name: 'db.1' } };
    expect(await status('GET', '2.15')).toBeUndefined();
    expect(await status('GET', '2.16')).toBe('UP');
    expect(await status('GET', '2.16', bench.project)).toBeUndefined();
    expect(await status('PUT', '2.74', admin, named)).toBeUndefined();
    expect(await status('PUT', '2.75', admin, named)).toBe('UP');
    const [host] = bench.hosts;
    await host?.forceDown(true);
    expect(await status('GET', '2.16')).toBe('DOWN');
    await host?.forceDown(false);
  });

  it('lets managers of a project list its migrations without hosts', async () => {
    const list = (query: string, as: string) => bench.call('GET', `/os-migrations${query}`, { as, version: '2.80' });
    expect((await list('', `${bench.project}:manager`)).status).toBe(403);
    expect((await list(`?project_id=${bench.project}`, `${bench.project}:manager`)).status).toBe(200);
    expect((await list(`?project_id=${bench.project}`, bench.project)).status).toBe(403);
  });
});
