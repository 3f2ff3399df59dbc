import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { freePort, until } from '@nestack/kernel/testing';
import { request } from 'undici';
import { Bench, METADATA_SECRET } from './testing/bench';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let bench: Bench;
let admin: string;

beforeAll(async () => {
  bench = await Bench.start({ hosts: 2, metadataPort: await freePort() });
  admin = `${bench.project}:admin`;
}, 60_000);

afterAll(async () => {
  await bench.tidy();
  await bench.close();
});

const fault = (key: string, code: number, message: unknown) => ({ [key]: { code, message } });

describe('a server', () => {
  let id: string;

  beforeAll(async () => {
    id = await bench.boot({ name: 'node-1.example', metadata: { a: '1' } });
    await bench.until(id, 'ACTIVE');
  }, 30_000);

  afterAll(() => bench.tidy());

  const act = (body: Record<string, unknown>, options: { as?: string; version?: string } = {}) =>
    bench.call('POST', `/servers/${id}/action`, { body, ...options });

  it('shows a changed status before the answer to an action', async () => {
    for (const { behaviour } of bench.hosts) behaviour.delays = { power_off: 200, reboot: 200 };
    await act({ reboot: { type: 'HARD' } });
    expect((await bench.show(id))?.['status']).toBe('HARD_REBOOT');
    await bench.until(id, 'ACTIVE');
    await act({ 'os-stop': null });
    expect(await bench.show(id)).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': 'powering-off' });
    const busy = await act({ pause: null });
    expect([busy.status, busy.json]).toEqual([
      409,
      fault('conflictingRequest', 409, `Cannot 'pause' instance ${id} while it is in task_state powering-off`),
    ]);
    await bench.until(id, 'SHUTOFF');
    const off = await act({ 'os-stop': null });
    expect([off.status, off.json]).toEqual([
      409,
      fault('conflictingRequest', 409, `Cannot 'stop' instance ${id} while it is in vm_state stopped`),
    ]);
    await act({ 'os-start': null });
    await bench.until(id, 'ACTIVE');
    for (const { behaviour } of bench.hosts) behaviour.delays = {};
  });

  it('is locked and unlocked', async () => {
    expect((await act({ lock: { locked_reason: 'mine' } }, { version: '2.73' })).status).toBe(202);
    expect(await bench.show(id, { version: '2.73' })).toMatchObject({ locked: true, locked_reason: 'mine' });
    const refused = await act({ 'os-stop': null });
    expect([refused.status, refused.json]).toEqual([409, fault('conflictingRequest', 409, `Instance ${id} is locked`)]);
    expect((await bench.call('DELETE', `/servers/${id}`)).status).toBe(409);
    expect((await act({ unlock: null })).status).toBe(202);
    expect(await bench.show(id, { version: '2.73' })).toMatchObject({ locked: false, locked_reason: null });
  });

  it('has metadata', async () => {
    const url = `/servers/${id}/metadata`;
    expect((await bench.call('GET', url)).json).toEqual({ metadata: { a: '1' } });
    expect((await bench.call('POST', url, { body: { metadata: { b: '2' } } })).json).toEqual({
      metadata: { a: '1', b: '2' },
    });
    expect((await bench.call('PUT', url, { body: { metadata: { c: '3' } } })).json).toEqual({ metadata: { c: '3' } });
    expect((await bench.call('PUT', `${url}/c`, { body: { meta: { c: '4' } } })).json).toEqual({ meta: { c: '4' } });
    expect((await bench.call('PUT', `${url}/d`, { body: { meta: { c: '4' } } })).status).toBe(400);
    expect((await bench.call('GET', `${url}/c`)).json).toEqual({ meta: { c: '4' } });
    expect((await bench.call('DELETE', `${url}/c`)).status).toBe(204);
    const missing = await bench.call('GET', `${url}/c`);
    expect([missing.status, missing.json]).toEqual([404, fault('itemNotFound', 404, 'Metadata item was not found')]);
    const many = Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`k${n}`, 'v']));
    const over = await bench.call('POST', url, { body: { metadata: many } });
    expect([over.status, over.json]).toEqual([
      403,
      fault('forbidden', 403, 'Maximum number of metadata items exceeds 128'),
    ]);
  });

  it('has tags from 2.26 on', async () => {
    const url = `/servers/${id}/tags`;
    const version = '2.26';
    expect((await bench.call('GET', url)).status).toBe(404);
    expect((await bench.call('PUT', `${url}/red`, { version })).status).toBe(201);
    expect((await bench.call('PUT', `${url}/red`, { version })).status).toBe(204);
    expect((await bench.call('GET', `${url}/red`, { version })).status).toBe(204);
    expect((await bench.call('GET', url, { version })).json).toEqual({ tags: ['red'] });
    expect((await bench.call('DELETE', `${url}/blue`, { version })).status).toBe(404);
    expect((await bench.call('DELETE', url, { version })).status).toBe(204);
  });

  it('is found by name, status, address and time, in pages', async () => {
    const find = async (query: string) =>
      ((await bench.call('GET', `/servers?${query}`)).json['servers'] as { id: string }[]).map((one) => one.id);
    expect(await find('name=^node-1\\.example$')).toEqual([id]);
    expect(await find('name=ode-1')).toEqual([id]);
    expect(await find('name=other')).toEqual([]);
    expect(await find('status=active')).toEqual([id]);
    expect(await find('status=NOSUCH')).toEqual([]);
    expect(await find('ip=10\\.0')).toEqual([id]);
    expect(await find(`image=${bench.image}&flavor=${bench.flavor}`)).toEqual([id]);
    expect(await find('deleted=False&all_tenants=False')).toEqual([id]);
    expect(await find(`changes-since=${new Date(Date.now() + 60_000).toISOString()}`)).toEqual([]);
    const { updated } = (await bench.call('GET', `/servers/${id}`)).json['server'] as { updated: string };
    const changed = await bench.call('GET', `/servers?changes-since=${updated}&changes-before=${updated}`, {
      version: '2.66',
    });
    expect(changed.json['servers']).toMatchObject([{ id }]);
    expect((await bench.call('GET', '/servers?changes-since=2011/01/01')).status).toBe(400);
    expect(
      await find(
        'sort_key=created_at&sort_key=display_name&sort_key=uuid&sort_dir=desc&sort_dir=desc&sort_dir=desc&limit=21',
      ),
    ).toEqual([id]);
    const page = await bench.call('GET', '/servers?limit=1');
    expect(page.json['servers_links']).toEqual([{ rel: 'next', href: `${bench.base}/servers?limit=1&marker=${id}` }]);
    expect(await find(`limit=1&marker=${id}`)).toEqual([]);
    const marker = newUuid();
    const unknown = await bench.call('GET', `/servers?marker=${marker}`);
    expect([unknown.status, unknown.json]).toEqual([400, fault('badRequest', 400, `marker [${marker}] not found`)]);
  });

  it('has interfaces, addresses and security groups', async () => {
    const [port] = bench.networks.of(id);
    const interfaces = await bench.call('GET', `/servers/${id}/os-interface`);
    expect(interfaces.json['interfaceAttachments']).toEqual([
      {
        port_state: 'ACTIVE',
        port_id: port?.id,
        net_id: bench.network,
        mac_addr: port?.mac_address,
        fixed_ips: [{ ip_address: port?.ip, subnet_id: expect.any(String) }],
      },
    ]);
    expect((await bench.call('GET', `/servers/${id}/ips`)).json).toEqual({
      addresses: { private: [{ addr: port?.ip, version: 4 }] },
    });
    expect((await bench.call('GET', `/servers/${id}/ips/private`)).json).toEqual({
      private: [{ addr: port?.ip, version: 4 }],
    });
    expect((await bench.call('GET', `/servers/${id}/ips/other`)).status).toBe(404);
    bench.networks.addGroup(bench.project, 'web');
    expect((await act({ addSecurityGroup: { name: 'web' } })).status).toBe(202);
    expect((await bench.show(id))?.['security_groups']).toEqual([{ name: 'default' }, { name: 'web' }]);
    const groups = await bench.call('GET', `/servers/${id}/os-security-groups`);
    const web = {
      name: 'web',
      tenant_id: bench.project,
      rules: [{ ip_protocol: 'tcp', from_port: 22, to_port: 22, group: {}, ip_range: { cidr: '0.0.0.0/0' } }],
    };
    expect(groups.json['security_groups']).toMatchObject([web]);
    const all = await bench.call('GET', '/os-security-groups');
    expect(all.json['security_groups']).toMatchObject([web]);
    const [{ id: group } = { id: '' }] = all.json['security_groups'] as { id: string }[];
    expect((await bench.call('GET', `/os-security-groups/${group}`)).json['security_group']).toMatchObject(web);
    expect((await bench.call('GET', '/os-security-groups', { version: '2.36' })).status).toBe(404);
    expect((await act({ removeSecurityGroup: { name: 'web' } })).status).toBe(202);
    expect((await bench.show(id))?.['security_groups']).toEqual([{ name: 'default' }]);
    expect((await act({ addSecurityGroup: { name: 'nix' } })).status).toBe(404);
    const foreign = await bench.call('DELETE', `/servers/${id}/os-interface/${newUuid()}`);
    expect(foreign.status).toBe(404);
  });

  it("gets to an external network by an administrator's hand alone, unless it is shared", async () => {
    const [outside, open] = [false, true].map((shared) =>
      bench.networks.addNetwork({ project_id: 'operators', name: 'outside', external: true, shared }),
    );
    const own = bench.networks.addPort(bench.project, outside ?? '').id;
    const message = `It is not allowed to create an interface on external network ${outside ?? ''}`;
    const server = { name: 'vm', imageRef: bench.image, flavorRef: bench.flavor };
    const boot = (network: Record<string, unknown>) =>
      bench.call('POST', '/servers', { body: { server: { ...server, networks: [network] } } });
    const plug = (interfaceAttachment: Record<string, unknown>, as = `${bench.project}:member`) =>
      bench.call('POST', `/servers/${id}/os-interface`, { as, body: { interfaceAttachment } });
    const refused = [
      await boot({ uuid: outside }),
      await boot({ port: own }),
      await plug({ net_id: outside }),
      await plug({ port_id: own }),
    ];
    expect(refused.map(({ status, json }) => [status, json])).toEqual(
      refused.map(() => [403, { forbidden: { code: 403, message } }]),
    );
    expect(bench.networks.ports.get(own)).toMatchObject({ device_id: '' });
    for (const [net_id, as] of [
      [open, `${bench.project}:member`],
      [outside, `${bench.project}:admin`],
    ]) {
      const { status, json } = await plug({ net_id }, as);
      expect(status).toBe(200);
      const { port_id } = json['interfaceAttachment'] as { port_id: string };
      expect((await bench.call('DELETE', `/servers/${id}/os-interface/${port_id}`)).status).toBe(202);
      await until('the port is gone', () => !bench.networks.ports.has(port_id));
    }
  });

  it('shows attached volumes as the version wants it, and refuses a second attachment', async () => {
    const volume = bench.volumes.add({ project_id: bench.project });
    const url = `/servers/${id}/os-volume_attachments`;
    const body = { volumeAttachment: { volumeId: volume.id, device: null } };
    expect((await bench.call('POST', url, { body })).status).toBe(200);
    await until('the volume is in use', () => volume.status === 'in-use');
    const again = await bench.call('POST', url, { body });
    expect(again.status).toBe(400);
    expect((await bench.call('GET', `${url}/${volume.id}`, { version: '2.89' })).json['volumeAttachment']).toEqual({
      volumeId: volume.id,
      serverId: id,
      device: '/dev/vdb',
      tag: null,
      delete_on_termination: false,
      attachment_id: expect.any(String),
      bdm_uuid: expect.any(String),
    });
    const unknown = newUuid();
    const missing = await bench.call('POST', url, { body: { volumeAttachment: { volumeId: unknown } } });
    expect([missing.status, missing.json]).toEqual([
      404,
      fault('itemNotFound', 404, `Volume ${unknown} could not be found.`),
    ]);
    const none = await bench.call('DELETE', `${url}/${unknown}`);
    expect(none.status).toBe(404);
    for (const { behaviour } of bench.hosts) behaviour.delays = { detach_volume: 200 };
    expect((await bench.call('DELETE', `${url}/${volume.id}`)).status).toBe(202);
    expect((await bench.call('DELETE', `${url}/${volume.id}`)).status).toBe(400);
    await until('the volume is free', () => volume.status === 'available');
    const refused = bench.volumes.add({ project_id: bench.project, status: 'in-use' });
    const busy = await bench.call('POST', url, { body: { volumeAttachment: { volumeId: refused.id } } });
    expect(busy.status).toBe(400);
    bench.volumes.volumes.clear();
  });

  it('answers its console by lines and its diagnostics to administrators', async () => {
    const all = await act({ 'os-getConsoleOutput': {} });
    expect(String(all.json['output']).split('\n').length).toBeGreaterThan(3);
    const tail = await act({ 'os-getConsoleOutput': { length: '1' } });
    expect(String(tail.json['output']).trimEnd().split('\n')).toHaveLength(1);
    expect((await act({ 'os-getConsoleOutput': { length: -1 } })).json).toEqual(all.json);
    expect((await bench.call('GET', `/servers/${id}/diagnostics`, { as: admin })).status).toBe(200);
    expect((await bench.call('GET', `/servers/${id}/diagnostics`)).status).toBe(403);
  });

  it("shows its project's images up to 2.35", async () => {
    const image = bench.images.add({ project_id: bench.project, status: 'queued' });
    const foreign = bench.images.add({ project_id: 'other' });
    const shown = await bench.call('GET', `/images/${image}`);
    expect(shown.json['image']).toMatchObject({ id: image, status: 'SAVING', progress: 25 });
    expect((await bench.call('GET', `/images/${image}`, { version: '2.36' })).status).toBe(404);
    expect((await bench.call('GET', `/images/${foreign}`)).status).toBe(404);
    expect((await bench.call('DELETE', `/images/${foreign}`)).status).toBe(404);
    expect((await bench.call('DELETE', `/images/${image}`)).status).toBe(204);
    expect((await bench.call('GET', `/images/${image}`)).status).toBe(404);
  });

  it('is renamed and reset', async () => {
    const renamed = await bench.call('PUT', `/servers/${id}`, { body: { server: { name: 'new name' } } });
    expect([renamed.status, (renamed.json['server'] as { name: string }).name]).toEqual([200, 'new name']);
    const { addresses } = renamed.json['server'] as { addresses: Record<string, object[]> };
    expect(addresses['private']).toEqual([{ version: 4, addr: expect.any(String) }]);
    expect((await act({ 'os-resetState': { state: 'error' } })).status).toBe(403);
    expect((await act({ 'os-resetState': { state: 'error' } }, { as: admin })).status).toBe(202);
    expect((await bench.show(id))?.['status']).toBe('ERROR');
    expect((await act({ 'os-resetState': { state: 'active' } }, { as: admin })).status).toBe(202);
    expect((await bench.show(id))?.['status']).toBe('ACTIVE');
  });

  it('refuses unknown actions', async () => {
    const answer = await act({ explode: null });
    expect([answer.status, answer.json]).toEqual([400, fault('badRequest', 400, 'There is no such action: explode')]);
  });

  it('takes external events of other services', async () => {
    const tell = (events: unknown[], as = `${bench.project}:service`) =>
      bench.call('POST', '/os-server-external-events', { version: '2.93', as, body: { events } });
    const known = { name: 'network-changed', server_uuid: id };
    expect((await tell([known], bench.project)).status).toBe(403);
    const good = await tell([known]);
    expect([good.status, good.json]).toEqual([200, { events: [{ ...known, status: 'completed', code: 200 }] }]);
    const stranger = newUuid();
    const mixed = await tell([known, { ...known, server_uuid: stranger }]);
    expect([mixed.status, mixed.json]).toMatchObject([
      207,
      { events: [{ code: 200 }, { code: 404, status: 'failed' }] },
    ]);
    expect((await tell([{ ...known, server_uuid: stranger }])).status).toBe(207);
  });

  it('is told of itself by the metadata service, if its agent signs', async () => {
    const get = async (path: string, headers: Record<string, string>) => {
      const response = await request(`http://127.0.0.1:${String(bench.metadataPort)}${path}`, { headers });
      return { status: response.statusCode, text: await response.body.text() };
    };
    const signed = {
      'x-instance-id': id,
      'x-tenant-id': bench.project,
      'x-instance-id-signature': createHmac('sha256', METADATA_SECRET).update(id).digest('hex'),
    };
    const answer = await get('/openstack/latest/meta_data.json', signed);
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([
      200,
      { uuid: id, availability_zone: 'nova', project_id: bench.project },
    ]);
    expect((await get('/2009-04-04/meta-data/instance-id', signed)).text).toMatch(/^i-/);
    expect((await get('/openstack/latest/meta_data.json', { ...signed, 'x-instance-id-signature': '00' })).status).toBe(
      403,
    );
    expect((await get('/openstack/latest/meta_data.json', {})).status).toBe(400);
    expect((await get('/openstack/latest/meta_data.json', { ...signed, 'x-tenant-id': '' })).status).toBe(400);
    expect((await get('/openstack/latest/meta_data.json', { ...signed, 'x-tenant-id': newUuid() })).status).toBe(404);

    const url = `http://127.0.0.1:${String(bench.metadataPort)}/openstack/latest/password`;
    const tell = async (body: string, headers: Record<string, string> = signed) =>
      (await request(url, { method: 'POST', headers, body })).statusCode;
    expect((await bench.call('GET', `/servers/${id}/os-server-password`)).json).toEqual({ password: '' });
    expect(await tell('x'.repeat(1021))).toBe(400);
    expect(await tell('secret', { ...signed, 'x-instance-id-signature': '00' })).toBe(403);
    expect(await tell('encrypted')).toBe(200);
    expect(await tell('another')).toBe(409);
    expect((await get('/openstack/latest/password', signed)).text).toBe('encrypted');
    expect((await bench.call('GET', `/servers/${id}/os-server-password`)).json).toEqual({ password: 'encrypted' });
    expect((await bench.call('DELETE', `/servers/${id}/os-server-password`)).status).toBe(204);
    expect((await bench.call('GET', `/servers/${id}/os-server-password`)).json).toEqual({ password: '' });
  });
});
