import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { request } from 'undici';
import { outage, refusal } from '@nestack/nova/testing';
import { Bench } from './testing/bench';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start({ hosts: 2 });
}, 60_000);

afterAll(async () => {
  await bench.tidy();
  await bench.close();
});

const fault = (key: string, code: number, message: unknown) => ({ [key]: { code, message } });

describe('microversions', () => {
  it('are 2.1 unless asked for, and are told on every answer', async () => {
    const plain = await bench.call('GET', '/servers');
    expect(plain.headers).toMatchObject({
      'openstack-api-version': 'compute 2.1',
      'x-openstack-nova-api-version': '2.1',
      vary: expect.stringMatching(/OpenStack-API-Version.*X-OpenStack-Nova-API-Version/),
    });
    expect(plain.headers['x-compute-request-id']).toBe(plain.headers['x-openstack-request-id']);
    const old = await bench.call('GET', '/servers', { headers: { 'x-openstack-nova-api-version': '2.37' } });
    expect(old.headers['x-openstack-nova-api-version']).toBe('2.37');
    const other = await bench.call('GET', '/servers', { headers: { 'openstack-api-version': 'volume 3.70' } });
    expect(other.headers['x-openstack-nova-api-version']).toBe('2.1');
    const latest = await bench.call('GET', '/servers', { version: 'latest' });
    expect(latest.headers['openstack-api-version']).toBe('compute 2.96');
    const missing = await bench.call('GET', `/servers/${newUuid()}`, { version: '2.79' });
    expect(missing.headers['x-openstack-nova-api-version']).toBe('2.79');
  });

  it('are refused outside the range and when malformed', async () => {
    expect((await bench.call('GET', '/servers', { version: '2.9999' })).status).toBe(406);
    expect((await bench.call('GET', '/servers', { version: 'two' })).status).toBe(400);
  });

  it('are announced without a token', async () => {
    const root = bench.base.replace(/\/v2\.1$/, '');
    const all = (await (await request(`${root}/`)).body.json()) as { versions: { id: string }[] };
    expect(all.versions.map(({ id }) => id)).toEqual(['v2.0', 'v2.1']);
    for (const url of [`${root}/v2.1`, `${root}/v2.1/`]) {
      const { version } = (await (await request(url)).body.json()) as { version: Record<string, unknown> };
      expect(version).toMatchObject({ id: 'v2.1', status: 'CURRENT', version: '2.96', min_version: '2.1' });
    }
  });
});

describe('a create request', () => {
  const post = (server: Record<string, unknown>, version?: string, more: Record<string, unknown> = {}) =>
    bench.call('POST', '/servers', { body: { server, ...more }, ...(version === undefined ? {} : { version }) });
  const good = () => ({
    name: 'vm',
    imageRef: bench.image,
    flavorRef: bench.flavor,
    networks: [{ uuid: bench.network }],
  });

  it.each<readonly [string, () => Record<string, unknown>, number, unknown, string]>([
    ['an unknown image', () => ({ ...good(), imageRef: newUuid() }), 400, 'Can not find requested image', '2.1'],
    ['no image', () => ({ ...good(), imageRef: '' }), 400, 'Invalid imageRef provided.', '2.1'],
    [
      'an unknown flavor',
      () => ({ ...good(), flavorRef: 'nothing' }),
      400,
      'Flavor nothing could not be found.',
      '2.1',
    ],
    ['an unknown key', () => ({ ...good(), key_name: 'nobody' }), 400, 'Invalid key_name provided.', '2.1'],
    [
      'a blank name',
      () => ({ ...good(), name: '' }),
      400,
      expect.stringContaining('Invalid input for field/attribute name.'),
      '2.1',
    ],
    [
      'no name',
      () => ({ ...good(), name: undefined }),
      400,
      expect.stringContaining("'name' is a required property"),
      '2.1',
    ],
    [
      'an unknown field',
      () => ({ ...good(), colour: 'red' }),
      400,
      expect.stringContaining("Additional properties are not allowed ('colour' was unexpected)"),
      '2.1',
    ],
    [
      'a wrong type',
      () => ({ ...good(), metadata: 'x' }),
      400,
      expect.stringContaining("'x' is not of type 'object'"),
      '2.1',
    ],
    ['bad user data', () => ({ ...good(), user_data: '%%' }), 400, expect.stringContaining('user_data'), '2.1'],
    [
      'an unknown zone',
      () => ({ ...good(), availability_zone: 'mars' }),
      400,
      'The requested availability zone is not available',
      '2.1',
    ],
    ['crossed counts', () => ({ ...good(), min_count: 3, max_count: 2 }), 400, 'min_count must be <= max_count', '2.1'],
    [
      'no networks from 2.37 on',
      () => ({ ...good(), networks: undefined }),
      400,
      expect.stringContaining("'networks' is a required property"),
      '2.37',
    ],
    [
      'an unknown security group',
      () => ({ ...good(), security_groups: [{ name: 'nix' }] }),
      400,
      'Security group nix not found.',
      '2.1',
    ],
    [
      'a tag before 2.52',
      () => ({ ...good(), tags: ['a'] }),
      400,
      expect.stringContaining('Additional properties'),
      '2.51',
    ],
  ])('with %s is refused and changes nothing', async (_what, server, status, message, version) => {
    const answer = await post(server(), version);
    expect([answer.status, answer.json]).toEqual([status, fault('badRequest', 400, message)]);
    expect((await bench.call('GET', '/servers')).json).toEqual({ servers: [] });
  });

  it('with an unknown network, a used port or a bad body is refused', async () => {
    const unknown = newUuid();
    const network = await post({ ...good(), networks: [{ uuid: unknown }] });
    expect([network.status, network.json]).toEqual([
      400,
      fault('badRequest', 400, `Network ${unknown} could not be found.`),
    ]);
    const port = bench.networks.addPort(bench.project, bench.network);
    port.device_id = 'another';
    const used = await post({ ...good(), networks: [{ port: port.id }] });
    expect([used.status, used.json]).toEqual([
      409,
      fault('conflictingRequest', 409, `Port ${port.id} is still in use.`),
    ]);
    bench.networks.ports.delete(port.id);
    const response = await request(`${bench.base}/servers`, {
      method: 'POST',
      headers: { 'x-auth-token': bench.project, 'content-type': 'application/json' },
      body: '{"server": ',
    });
    expect([response.statusCode, await response.body.json()]).toEqual([
      400,
      fault('badRequest', 400, expect.any(String)),
    ]);
  });

  it('that newest clients send is understood', async () => {
    const answer = await post(
      {
        ...good(),
        imageRef: bench.image,
        min_count: 1,
        max_count: 1,
        block_device_mapping_v2: [
          {
            uuid: bench.image,
            boot_index: 0,
            source_type: 'image',
            destination_type: 'local',
            delete_on_termination: true,
          },
        ],
        security_groups: [{ name: 'default' }],
        networks: 'auto',
        config_drive: true,
        metadata: { role: 'web' },
        tags: ['blue'],
        description: 'for tests',
        user_data: Buffer.from('#!/bin/sh\n').toString('base64'),
        trusted_image_certificates: ['cert-1'],
      },
      '2.93',
      { 'os:scheduler_hints': {} },
    );
    expect(answer.status).toBe(202);
    expect(Object.keys(answer.json['server'] as object).sort()).toEqual([
      'OS-DCF:diskConfig',
      'adminPass',
      'id',
      'links',
      'security_groups',
    ]);
    const { id } = answer.json['server'] as { id: string };
    await bench.until(id, 'ACTIVE');
    const shown = await bench.show(id, { version: '2.93' });
    expect(shown).toMatchObject({
      name: 'vm',
      description: 'for tests',
      tags: ['blue'],
      metadata: { role: 'web' },
      config_drive: 'True',
      locked: false,
      locked_reason: null,
      flavor: { original_name: expect.any(String), vcpus: 1, ram: 64, disk: 1, ephemeral: 0, swap: 0, extra_specs: {} },
      'OS-EXT-SRV-ATTR:hostname': 'vm',
      server_groups: [],
      trusted_image_certificates: ['cert-1'],
      security_groups: [{ name: 'default' }],
    });
    expect(shown).not.toHaveProperty('OS-EXT-SRV-ATTR:host');
    expect(shown?.['flavor']).not.toHaveProperty('id');
    const first = await bench.show(id);
    expect(first?.['flavor']).toMatchObject({ id: bench.flavor });
    expect(first).not.toHaveProperty('tags');
    expect(first?.['created']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    await bench.tidy();
  });

  it('for a network made for it gets one, and the same when it has to try again', async () => {
    const own = bench.networks.networks.get(bench.network);
    bench.networks.networks.delete(bench.network);
    const refused = await post({ ...good(), networks: 'auto' }, '2.37');
    expect([refused.status, refused.json]).toEqual([
      400,
      fault('badRequest', 400, `Unable to automatically allocate a network for project ${bench.project}`),
    ]);
    bench.networks.autoAllocates = true;
    bench.networks.faults.fail('autoAllocated', outage('neutron'), { after: true });
    const { id } = (await post({ ...good(), networks: 'auto' }, '2.37')).json['server'] as { id: string };
    const shown = await bench.until(id, 'ACTIVE');
    expect(Object.keys(shown['addresses'] as object)).toEqual(['auto_allocated_network']);
    expect(bench.networks.networks.size).toBe(1);
    bench.networks.faults.fail('autoAllocated', refusal('neutron'));
    // The network that is there now is the project's own, and only one.
    const second = (await post({ ...good(), networks: 'auto' }, '2.37')).json['server'] as { id: string };
    await bench.until(second.id, 'ACTIVE');
    await bench.tidy();
    bench.networks.networks.clear();
    if (own !== undefined) bench.networks.networks.set(own.id, own);
    bench.networks.autoAllocates = false;
  });

  it('may ask for a host, which the filters still judge, from 2.74 on', async () => {
    const [host] = bench.hosts;
    const asked = (server: Record<string, unknown>, as: string) =>
      bench.call('POST', '/servers', {
        as,
        version: '2.74',
        body: { server: { ...good(), ...server } },
      });
    const admin = `${bench.project}:admin`;
    const refused = await asked({ host: host?.name }, bench.project);
    const message = "Policy doesn't allow compute:servers:create:requested_destination to be performed.";
    expect([refused.status, refused.json]).toEqual([403, fault('forbidden', 403, message)]);
    expect((await asked({ host: host?.name, availability_zone: `nova:${host?.name ?? ''}` }, admin)).status).toBe(400);
    for (const nowhere of [{ host: 'nowhere' }, { hypervisor_hostname: 'nowhere' }]) {
      const { status, json } = await asked(nowhere, admin);
      expect([status, json]).toEqual([400, fault('badRequest', 400, 'Compute host nowhere could not be found.')]);
    }
    expect((await asked({ host: host?.name, hypervisor_hostname: bench.hosts[1]?.name }, admin)).status).toBe(400);
    const { server } = (await asked({ host: host?.name }, admin)).json as { server: { id: string } };
    expect((await bench.until(server.id, 'ACTIVE'))['OS-EXT-SRV-ATTR:host']).toBe(host?.name);
    const other = await asked({ host: host?.name, availability_zone: `nova:${host?.name ?? ''}` }, bench.project);
    expect(other.status).toBe(403);
    await bench.tidy();
  });

  it('for several servers numbers them', async () => {
    const answer = await post({ ...good(), min_count: 2, return_reservation_id: true });
    expect(answer.json).toEqual({ reservation_id: expect.stringMatching(/^r-[a-z0-9]{8}$/) });
    const { servers } = (await bench.call('GET', '/servers')).json as { servers: { name: string; id: string }[] };
    expect(servers.map(({ name }) => name).sort()).toEqual(['vm-1', 'vm-2']);
    for (const { id } of servers) await bench.until(id, 'ACTIVE');
    await bench.tidy();
  });
});

describe('what is not there', () => {
  it.each(['/os-nothing', '/servers/x/nothing', '/images', '/os-fixed-ips'])('answers 404 for %s', async (path) => {
    const answer = await bench.call('GET', path, { version: '2.36' });
    expect([answer.status, answer.json]).toEqual([404, fault('itemNotFound', 404, expect.any(String))]);
  });
});
