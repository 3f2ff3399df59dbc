import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { goneOperations } from '@nestack/nova/contract';
import { Bench, type Answer } from './testing/bench';

/** Nova's older APIs for what is neutron's and cinder's. */
let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
}, 60_000);

afterAll(async () => {
  await bench.tidy();
  await bench.close();
});

const get = (url: string): Promise<Answer> => bench.call('GET', url);
const post = (url: string, body: unknown): Promise<Answer> => bench.call('POST', url, { body });
const message = (answer: Answer): unknown =>
  Object.values(answer.json).map((one) => (one as Answer['json'])['message']);

describe('floating IPs', () => {
  it('are allocated from a pool, lead to a server and are released', async () => {
    expect((await get('/os-floating-ip-pools')).json).toEqual({ floating_ip_pools: [{ name: 'public' }] });
    const made = await post('/os-floating-ips', { pool: 'public' });
    const { id, ip } = made.json['floating_ip'] as { id: string; ip: string };
    expect(made.json).toEqual({ floating_ip: { id, ip, fixed_ip: null, instance_id: null, pool: 'public' } });
    const server = await bench.boot();
    await bench.until(server, 'ACTIVE');
    expect((await post(`/servers/${server}/action`, { addFloatingIp: { address: ip } })).status).toBe(202);
    expect((await get(`/os-floating-ips/${id}`)).json).toEqual({
      floating_ip: { id, ip, fixed_ip: expect.any(String), instance_id: server, pool: 'public' },
    });
    expect((await post(`/servers/${server}/action`, { removeFloatingIp: { address: ip } })).status).toBe(202);
    const again = await post(`/servers/${server}/action`, { removeFloatingIp: { address: ip } });
    expect([again.status, message(again)]).toEqual([
      409,
      [`Floating IP ${ip} is not associated with instance ${server}.`],
    ]);
    expect((await bench.call('DELETE', `/os-floating-ips/${id}`)).status).toBe(202);
    expect((await bench.call('DELETE', `/os-floating-ips/${id}`)).status).toBe(404);
    expect((await get('/os-floating-ips')).json).toEqual({ floating_ips: [] });
  });

  it('are 404 from pools that do not exist, and where the address is unknown', async () => {
    expect((await post('/os-floating-ips', { pool: 'nowhere' })).status).toBe(404);
    expect(message(await get(`/os-floating-ips/${newUuid()}`))).toEqual([
      expect.stringMatching(/^Floating IP not found for ID /),
    ]);
    expect((await bench.call('GET', '/os-floating-ips', { version: '2.36' })).status).toBe(404);
  });
});

describe('fixed IPs', () => {
  it('are added to a server on a network of its and taken away', async () => {
    const server = await bench.boot();
    await bench.until(server, 'ACTIVE');
    const addresses = async (): Promise<readonly string[]> => {
      const { json } = await get(`/servers/${server}/ips`);
      return Object.values(json['addresses'] as Record<string, { addr: string }[]>).flatMap((all) =>
        all.map(({ addr }) => addr),
      );
    };
    const before = await addresses();
    const networkId = bench.networks.of(server)[0]?.network_id;
    expect((await post(`/servers/${server}/action`, { addFixedIp: { networkId } })).status).toBe(202);
    const after = await addresses();
    expect(after).toEqual([...before, expect.any(String)]);
    const remove = { removeFixedIp: { address: after[1] } };
    expect((await post(`/servers/${server}/action`, remove)).status).toBe(202);
    expect(await addresses()).toEqual(before);
    const again = await post(`/servers/${server}/action`, remove);
    expect([again.status, message(again)]).toEqual([
      400,
      [`Instance ${server} does not have fixed IP '${String(after[1])}'.`],
    ]);
    const nowhere = await post(`/servers/${server}/action`, { addFixedIp: { networkId: newUuid() } });
    expect(nowhere.status).toBe(404);
    const newer = { version: '2.44', body: { addFixedIp: { networkId } } };
    expect((await bench.call('POST', `/servers/${server}/action`, newer)).status).toBe(400);
  });
});

describe('security groups', () => {
  it('are made with rules, changed and deleted', async () => {
    const text = { name: 'web', description: 'of the web' };
    const made = await post('/os-security-groups', { security_group: text });
    const { id } = made.json['security_group'] as { id: string };
    expect(made.json).toEqual({ security_group: { ...text, id, tenant_id: bench.project, rules: [] } });
    const rule = { parent_group_id: id, ip_protocol: 'tcp', from_port: 80, to_port: 81, cidr: '10.0.0.0/8' };
    const ruled = await post('/os-security-group-rules', { security_group_rule: rule });
    expect(ruled.json['security_group_rule']).toMatchObject({
      parent_group_id: id,
      ip_protocol: 'tcp',
      from_port: 80,
      to_port: 81,
      group: {},
      ip_range: { cidr: '10.0.0.0/8' },
    });
    const own = await post('/os-security-group-rules', { security_group_rule: { parent_group_id: id, group_id: id } });
    expect(own.json['security_group_rule']).toMatchObject({
      group: { name: 'web', tenant_id: bench.project },
      ip_range: {},
    });
    const ruleId = (ruled.json['security_group_rule'] as { id: string }).id;
    expect((await bench.call('DELETE', `/os-security-group-rules/${ruleId}`)).status).toBe(202);
    expect((await bench.call('DELETE', `/os-security-group-rules/${ruleId}`)).status).toBe(404);
    const renamed = { security_group: { name: 'www', description: '' } };
    const changed = await bench.call('PUT', `/os-security-groups/${id}`, { body: renamed });
    expect(changed.json['security_group']).toMatchObject({ name: 'www', rules: [{ group: { name: 'www' } }] });
    expect((await bench.call('DELETE', `/os-security-groups/${id}`)).status).toBe(202);
    expect((await get(`/os-security-groups/${id}`)).status).toBe(404);
  });

  it('are refused when they make no sense', async () => {
    expect(message(await get('/os-security-groups/7'))).toEqual(['Security group id should be uuid']);
    const of = (fields: object): Promise<Answer> =>
      post('/os-security-group-rules', { security_group_rule: { parent_group_id: newUuid(), ...fields } });
    expect((await of({ ip_protocol: 'tcp', from_port: 1, to_port: 2 })).status).toBe(404);
    expect((await post('/os-security-group-rules', { security_group_rule: { parent_group_id: 'x' } })).status).toBe(
      400,
    );
  });
});

it('networks are listed by name', async () => {
  const { networks } = (await get('/os-networks')).json as { networks: Record<string, unknown>[] };
  expect(networks).toEqual([expect.objectContaining({ id: bench.network, label: 'private', cidr: null })]);
  expect((await get(`/os-tenant-networks/${bench.network}`)).json).toEqual({
    network: { id: bench.network, label: 'private', cidr: 'None' },
  });
  expect((await get(`/os-networks/${newUuid()}`)).status).toBe(404);
});

it('volumes and snapshots are made, listed by page and deleted', async () => {
  const made = await post('/os-volumes', { volume: { size: 1, display_name: 'v', metadata: { a: 'b' } } });
  const { id } = made.json['volume'] as { id: string };
  expect(made.json['volume']).toMatchObject({
    displayName: 'v',
    size: 1,
    attachments: [{}],
    metadata: { a: 'b' },
    availabilityZone: 'nova',
  });
  await post('/os-volumes', { volume: { size: 2 } });
  expect(((await get('/os-volumes/detail?offset=1&limit=1')).json['volumes'] as unknown[]).length).toBe(1);
  const snapshot = await post('/os-snapshots', { snapshot: { volume_id: id, display_name: 's' } });
  expect(snapshot.json['snapshot']).toMatchObject({ volumeId: id, displayName: 's', size: 1 });
  expect((await get('/os-snapshots')).json['snapshots']).toHaveLength(1);
  const snapshotId = (snapshot.json['snapshot'] as { id: string }).id;
  expect((await bench.call('DELETE', `/os-snapshots/${snapshotId}`)).status).toBe(202);
  expect((await bench.call('DELETE', `/os-volumes/${id}`)).status).toBe(202);
  expect(message(await get(`/os-volumes/${id}`))).toEqual([`Volume ${id} could not be found.`]);
  expect((await post('/os-volumes', { volume: { size: 0 } })).status).toBe(400);
});

it.each(goneOperations.map((one) => [one.method, one.path, one.action ?? 'action'] as const))(
  '%s %s is gone (%s)',
  async (method, path, action) => {
    const answer = await bench.call(method, path.replaceAll(/\{\w+\}/g, newUuid()), {
      ...(method === 'POST' || method === 'PUT' ? { body: { [action]: {} } } : {}),
    });
    expect([answer.status, answer.json]).toEqual([410, { computeFault: expect.objectContaining({ code: 410 }) }]);
  },
);

describe('images', () => {
  it('are listed in pages and by what they are', async () => {
    const made = [bench.images.add(), bench.images.add()];
    const named = (await get('/images')).json['images'] as { id: string; links: { rel: string }[] }[];
    expect(named.map((one) => one.id)).toEqual(expect.arrayContaining(made));
    expect(named[0]).not.toHaveProperty('status');
    const first = await get('/images/detail?limit=1');
    expect(first.json['images']).toMatchObject([{ status: 'ACTIVE', progress: 100, metadata: {} }]);
    const [next] = first.json['images_links'] as { rel: string; href: string }[];
    expect(next).toMatchObject({ rel: 'next', href: expect.stringContaining('/images/detail?limit=1&marker=') });
    await post(`/images/${made[1]}/metadata`, { metadata: { instance_uuid: 'a-server', kind: 'x' } });
    const ids = async (query: string) =>
      ((await get(`/images?${query}`)).json['images'] as { id: string }[]).map((one) => one.id);
    expect(await ids('server=http://nova/servers/a-server')).toEqual([made[1]]);
    expect(await ids('property-kind=x&status=ACTIVE')).toEqual([made[1]]);
    expect((await bench.call('GET', '/images', { version: '2.36' })).status).toBe(404);
  });

  it('have metadata', async () => {
    const at = `/images/${bench.images.add()}/metadata`;
    const put = (path: string, body: unknown): Promise<Answer> => bench.call('PUT', path, { body });
    expect((await post(at, { metadata: { a: '1', b: '2' } })).json).toEqual({ metadata: { a: '1', b: '2' } });
    expect((await put(at, { metadata: { b: '3', c: '4' } })).json).toEqual({ metadata: { b: '3', c: '4' } });
    expect((await put(`${at}/d`, { meta: { d: '5' } })).json).toEqual({ meta: { d: '5' } });
    expect((await put(`${at}/d`, { meta: { e: '5' } })).status).toBe(400);
    expect((await get(`${at}/c`)).json).toEqual({ meta: { c: '4' } });
    expect((await bench.call('DELETE', `${at}/c`)).status).toBe(204);
    expect((await get(`${at}/c`)).status).toBe(404);
    expect(message(await bench.call('DELETE', `${at}/c`))).toEqual(['Invalid metadata key']);
    expect((await get(at)).json).toEqual({ metadata: { b: '3', d: '5' } });
    const many = Object.fromEntries(Array.from({ length: 129 }, (_, index) => [`k${index}`, 'v']));
    expect((await post(at, { metadata: many })).status).toBe(403);
    expect((await get(`/images/${newUuid()}/metadata`)).status).toBe(404);
    expect((await bench.call('GET', at, { version: '2.39' })).status).toBe(404);
  });
});
