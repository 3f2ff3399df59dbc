import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { until } from '@nestack/kernel/testing';
import { Bench } from './testing/bench';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let bench: Bench;
let admin: string;

beforeAll(async () => {
  bench = await Bench.start({ hosts: 2 });
  admin = `${bench.project}:admin`;
}, 60_000);

afterAll(async () => {
  await bench.tidy();
  await bench.close();
});

const fault = (key: string, code: number, message: unknown) => ({ [key]: { code, message } });

describe('flavors', () => {
  it('are made, shown by version, listed, changed and deleted', async () => {
    const body = { flavor: { name: 'm1.test', ram: 512, vcpus: 1, disk: 1, id: 'auto' } };
    const made = await bench.call('POST', '/flavors', { as: admin, body });
    expect(made.status).toBe(200);
    const { id } = made.json['flavor'] as { id: string };
    expect(made.json['flavor']).toMatchObject({
      name: 'm1.test',
      ram: 512,
      vcpus: 1,
      disk: 1,
      swap: '',
      'OS-FLV-EXT-DATA:ephemeral': 0,
      'OS-FLV-DISABLED:disabled': false,
      'os-flavor-access:is_public': true,
      rxtx_factor: 1,
    });
    const again = await bench.call('POST', '/flavors', { as: admin, body });
    expect([again.status, again.json]).toEqual([
      409,
      fault('conflictingRequest', 409, 'Flavor with name m1.test already exists.'),
    ]);
    const shown = await bench.call('GET', `/flavors/${id}`, { version: '2.75' });
    expect(shown.json['flavor']).toMatchObject({ swap: 0, description: null, extra_specs: {} });
    const specs = await bench.call('POST', `/flavors/${id}/os-extra_specs`, {
      as: admin,
      body: { extra_specs: { 'hw:cpu_policy': 'shared', n: 2 } },
    });
    expect([specs.status, specs.json]).toEqual([200, { extra_specs: { 'hw:cpu_policy': 'shared', n: '2' } }]);
    expect((await bench.call('GET', `/flavors/${id}/os-extra_specs/n`)).json).toEqual({ n: '2' });
    expect((await bench.call('DELETE', `/flavors/${id}/os-extra_specs/n`, { as: admin })).status).toBe(200);
    expect((await bench.call('GET', `/flavors/${id}/os-extra_specs/n`)).status).toBe(404);
    const update = await bench.call('PUT', `/flavors/${id}`, {
      as: admin,
      version: '2.55',
      body: { flavor: { description: 'small' } },
    });
    expect(update.json['flavor']).toMatchObject({ description: 'small' });
    expect((await bench.call('POST', '/flavors', { body })).status).toBe(403);
    expect((await bench.call('DELETE', `/flavors/${id}`, { as: admin })).status).toBe(202);
    const gone = await bench.call('GET', `/flavors/${id}`);
    expect([gone.status, gone.json]).toEqual([404, fault('itemNotFound', 404, `Flavor ${id} could not be found.`)]);
  });

  it('that are private are there for whom they are given to', async () => {
    const made = await bench.call('POST', '/flavors', {
      as: admin,
      body: {
        flavor: { name: 'secret', ram: '64', vcpus: '1', disk: '0', id: 'p1', 'os-flavor-access:is_public': 'False' },
      },
    });
    expect(made.status).toBe(200);
    expect((await bench.call('GET', '/flavors/p1')).status).toBe(404);
    const ids = async (as: string, query = '') =>
      ((await bench.call('GET', `/flavors${query}`, { as })).json['flavors'] as { id: string }[]).map(({ id }) => id);
    expect(await ids(bench.project)).not.toContain('p1');
    expect(await ids(admin, '?is_public=None')).toContain('p1');
    expect(await ids(admin, '?is_public=False')).toEqual(['p1']);
    const given = await bench.call('POST', '/flavors/p1/action', {
      as: admin,
      body: { addTenantAccess: { tenant: bench.project } },
    });
    expect([given.status, given.json]).toEqual([
      200,
      { flavor_access: [{ flavor_id: 'p1', tenant_id: bench.project }] },
    ]);
    expect((await bench.call('GET', '/flavors/p1')).status).toBe(200);
    expect(await ids(bench.project)).toContain('p1');
    const taken = await bench.call('POST', '/flavors/p1/action', {
      as: admin,
      body: { removeTenantAccess: { tenant: bench.project } },
    });
    expect(taken.json).toEqual({ flavor_access: [] });
    const spec = async (version: string) =>
      (
        await bench.call('POST', '/flavors/p1/os-extra_specs', {
          as: admin,
          version,
          body: { extra_specs: { 'hw:cpu_policy': 'sharedd' } },
        })
      ).json;
    expect(await spec('2.85')).toEqual({ extra_specs: { 'hw:cpu_policy': 'sharedd' } });
    expect(await spec('2.86')).toEqual(
      fault('badRequest', 400, "Validation failed; 'sharedd' is not one of: dedicated, shared, mixed."),
    );
    const access = async (action: object, version: string, flavor = 'p1') =>
      (await bench.call('POST', `/flavors/${flavor}/action`, { as: admin, version, body: action })).status;
    expect(await access({ removeTenantAccess: { tenant: bench.project } }, '2.7')).toBe(404);
    expect(await access({ addTenantAccess: { tenant: 'no-such-project' } }, '2.7')).toBe(400);
    // Public flavors refuse a list of projects since 2.7.
    expect(await access({ addTenantAccess: { tenant: bench.project } }, '2.7', bench.flavor)).toBe(409);
    expect(await access({ addTenantAccess: { tenant: bench.project } }, '2.6', bench.flavor)).toBe(200);
    expect(await access({ removeTenantAccess: { tenant: bench.project } }, '2.7', bench.flavor)).toBe(200);
    await bench.call('DELETE', '/flavors/p1', { as: admin });
  });

  it('come in pages with links', async () => {
    for (const n of [1, 2, 3])
      await bench.call('POST', '/flavors', {
        as: admin,
        body: { flavor: { name: `page${n}`, id: `page${n}`, ram: 1, vcpus: 1, disk: 0 } },
      });
    const first = await bench.call('GET', '/flavors?limit=2&marker=page1');
    expect((first.json['flavors'] as { id: string }[]).map(({ id }) => id)).toEqual(['page2', 'page3']);
    expect(first.json['flavors_links']).toEqual([{ rel: 'next', href: `${bench.base}/flavors?limit=2&marker=page3` }]);
    const unknown = await bench.call('GET', '/flavors?marker=nothing');
    expect([unknown.status, unknown.json]).toEqual([400, fault('badRequest', 400, 'marker [nothing] not found')]);
    for (const n of [1, 2, 3]) await bench.call('DELETE', `/flavors/page${n}`, { as: admin });
  });
});

describe('key pairs', () => {
  const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsGHtHdOtV0Sr3xnMZzXDl1sSvRQ2kYCuJ6Vcxr1jPB me@host';

  it('are imported byte for byte, generated, listed and deleted', async () => {
    const made = await bench.call('POST', '/os-keypairs', { body: { keypair: { name: 'mine', public_key: KEY } } });
    expect(made.status).toBe(200);
    expect(made.json['keypair']).toEqual({
      name: 'mine',
      public_key: KEY,
      fingerprint: expect.stringMatching(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/),
      user_id: `u-${bench.project}`,
    });
    const generated = await bench.call('POST', '/os-keypairs', {
      version: '2.2',
      body: { keypair: { name: 'made', type: 'ssh' } },
    });
    expect(generated.status).toBe(201);
    expect(generated.json['keypair']).toMatchObject({
      type: 'ssh',
      private_key: expect.stringMatching(/^-----BEGIN RSA PRIVATE KEY-----\n[\s\S]+-----END RSA PRIVATE KEY-----\n$/),
      public_key: expect.stringMatching(/^ssh-rsa AAAA[A-Za-z0-9+/=]+ Generated-by-Nova$/),
    });
    const windows = await bench.call('POST', '/os-keypairs', {
      version: '2.2',
      body: { keypair: { name: 'windows', type: 'x509' } },
    });
    expect(windows.status).toBe(201);
    expect(windows.json['keypair']).toMatchObject({
      type: 'x509',
      public_key: expect.stringMatching(/^-----BEGIN CERTIFICATE-----\n/),
      private_key: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/),
      fingerprint: expect.stringMatching(/^([0-9a-f]{2}:){19}[0-9a-f]{2}$/),
    });
    expect((await bench.call('DELETE', '/os-keypairs/windows', { version: '2.2' })).status).toBe(204);
    const refused = await bench.call('POST', '/os-keypairs', { version: '2.92', body: { keypair: { name: 'made' } } });
    expect(refused.status).toBe(400);
    const shown = await bench.call('GET', '/os-keypairs/mine', { version: '2.10' });
    expect(shown.json['keypair']).toMatchObject({
      name: 'mine',
      type: 'ssh',
      deleted: false,
      deleted_at: null,
      updated_at: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]+\.\d{6}$/),
      id: expect.any(Number),
    });
    const list = await bench.call('GET', '/os-keypairs');
    expect(list.json['keypairs']).toEqual([
      { keypair: { name: 'made', public_key: expect.anything(), fingerprint: expect.anything() } },
      { keypair: { name: 'mine', public_key: KEY, fingerprint: expect.anything() } },
    ]);
    const twice = await bench.call('POST', '/os-keypairs', { body: { keypair: { name: 'mine', public_key: KEY } } });
    expect([twice.status, twice.json]).toEqual([
      409,
      fault('conflictingRequest', 409, "Key pair 'mine' already exists."),
    ]);
    const bad = await bench.call('POST', '/os-keypairs', {
      body: { keypair: { name: 'bad', public_key: 'ssh-rsa x' } },
    });
    expect([bad.status, bad.json]).toEqual([
      400,
      fault('badRequest', 400, 'Keypair data is invalid: failed to generate fingerprint'),
    ]);
    expect((await bench.call('DELETE', '/os-keypairs/mine')).status).toBe(202);
    expect((await bench.call('DELETE', '/os-keypairs/made', { version: '2.2' })).status).toBe(204);
    const gone = await bench.call('GET', '/os-keypairs/mine');
    expect([gone.status, gone.json]).toEqual([
      404,
      fault('itemNotFound', 404, `Keypair mine not found for user u-${bench.project}`),
    ]);
    expect((await bench.call('GET', '/os-keypairs?user_id=somebody', { version: '2.10' })).status).toBe(403);
  });
});

describe('hosts', () => {
  it('show as services, hypervisors and an availability zone', async () => {
    const names = bench.hosts.map(({ name }) => name);
    const services = await bench.call('GET', '/os-services?binary=nova-compute', { as: admin, version: '2.69' });
    expect(services.json['services']).toMatchObject(
      names.map((host) => ({
        binary: 'nova-compute',
        host,
        zone: 'nova',
        status: 'enabled',
        state: 'up',
        disabled_reason: null,
        forced_down: false,
      })),
    );
    const old = await bench.call('GET', '/os-services', { as: admin });
    for (const service of old.json['services'] as { id: unknown }[]) expect(typeof service.id).toBe('number');
    expect((old.json['services'] as { binary: string }[]).map(({ binary }) => binary)).toContain('nova-conductor');
    expect((await bench.call('GET', '/os-services')).status).toBe(403);

    const hypervisors = await bench.call('GET', '/os-hypervisors/detail', { as: admin, version: '2.53' });
    expect(hypervisors.json['hypervisors']).toMatchObject(
      names.map((host) => ({
        hypervisor_hostname: host,
        state: 'up',
        status: 'enabled',
        vcpus: 100,
        running_vms: 0,
        hypervisor_version: 1000,
        cpu_info: {},
      })),
    );
    const newest = await bench.call('GET', '/os-hypervisors/detail', { as: admin, version: '2.88' });
    const [first] = newest.json['hypervisors'] as Record<string, unknown>[];
    expect(first).not.toHaveProperty('vcpus');
    expect(first).toHaveProperty('uptime');
    const one = await bench.call('GET', `/os-hypervisors/${String(first?.['id'])}`, { as: admin, version: '2.88' });
    expect(one.json['hypervisor']).toMatchObject({ hypervisor_hostname: names[0] });
    expect(
      (await bench.call('GET', '/os-hypervisors/statistics', { as: admin })).json['hypervisor_statistics'],
    ).toMatchObject({ count: 2, vcpus: 200 });
    const unknown = await bench.call('GET', `/os-hypervisors/${newUuid()}`, { as: admin, version: '2.88' });
    expect(unknown.status).toBe(404);

    const part = String(names[0]).slice(0, 'host-'.length);
    const found = await bench.call('GET', `/os-hypervisors/${part}/search`, { as: admin });
    expect(found.json['hypervisors']).toHaveLength(2);
    const [page, rest] = [
      await bench.call('GET', '/os-hypervisors?limit=1', { as: admin, version: '2.53' }),
      await bench.call('GET', `/os-hypervisors?limit=1&marker=${String(first?.['id'])}`, {
        as: admin,
        version: '2.53',
      }),
    ];
    expect([page.json['hypervisors'], page.json['hypervisors_links']]).toMatchObject([
      [{ hypervisor_hostname: names[0] }],
      [{ rel: 'next', href: expect.stringContaining(`marker=${String(first?.['id'])}`) }],
    ]);
    expect(rest.json).toEqual({ hypervisors: [expect.objectContaining({ hypervisor_hostname: names[1] })] });
    for (const [url, version, status] of [
      ['/os-hypervisors/nowhere/search', '2.1', 404],
      ['/os-hypervisors/7/search', '2.53', 404],
      ['/os-hypervisors?limit=1&hypervisor_hostname_pattern=a', '2.53', 400],
      ['/os-hypervisors?hypervisor_hostname_pattern=nowhere', '2.53', 404],
      ['/os-hypervisors/7', '2.53', 400],
    ] as const)
      expect([url, (await bench.call('GET', url, { as: admin, version })).status]).toEqual([url, status]);

    const hosts = await bench.call('GET', '/os-hosts?zone=nova', { as: admin });
    expect(hosts.json['hosts']).toEqual(names.map((host) => ({ host_name: host, service: 'compute', zone: 'nova' })));
    const host = await bench.call('GET', `/os-hosts/${String(names[0])}`, { as: admin });
    expect(host.json['host']).toContainEqual({
      resource: expect.objectContaining({ host: names[0], project: '(total)', cpu: 100 }),
    });
    expect((await bench.call('GET', `/os-hosts/${String(names[0])}/reboot`, { as: admin })).status).toBe(501);
    expect((await bench.call('GET', '/os-hosts/nowhere/reboot', { as: admin })).status).toBe(404);
    expect((await bench.call('PUT', '/os-hosts/nowhere', { as: admin, body: {} })).status).toBe(400);
    expect((await bench.call('GET', '/os-hosts')).status).toBe(403);

    const zones = await bench.call('GET', '/os-availability-zone');
    expect(zones.json).toEqual({
      availabilityZoneInfo: [{ zoneName: 'nova', zoneState: { available: true }, hosts: null }],
    });
    const detail = await bench.call('GET', '/os-availability-zone/detail', { as: admin });
    expect(
      (detail.json['availabilityZoneInfo'] as { zoneName: string }[]).map(({ zoneName }) => zoneName).sort(),
    ).toEqual(['internal', 'nova']);
    expect((await bench.call('GET', '/os-availability-zone/detail')).status).toBe(403);
  });

  it('take no new servers while disabled', async () => {
    const [first, second] = bench.hosts;
    const listed = await bench.call('GET', `/os-services?host=${first?.name ?? ''}`, { as: admin, version: '2.53' });
    const [service] = listed.json['services'] as { id: string }[];
    const off = await bench.call('PUT', `/os-services/${service?.id ?? ''}`, {
      as: admin,
      version: '2.53',
      body: { status: 'disabled', disabled_reason: 'repairs' },
    });
    expect(off.json['service']).toMatchObject({ status: 'disabled', disabled_reason: 'repairs' });
    const id = await bench.boot();
    expect((await bench.until(id, 'ACTIVE'))['OS-EXT-SRV-ATTR:host']).toBe(second?.name);
    const on = await bench.call('PUT', `/os-services/enable`, {
      as: admin,
      body: { host: first?.name, binary: 'nova-compute' },
    });
    expect(on.json['service']).toEqual({ host: first?.name, binary: 'nova-compute', status: 'enabled' });
    await bench.tidy();
  });
});

describe('aggregates', () => {
  it('group hosts into zones', async () => {
    const [first, second] = bench.hosts;
    const made = await bench.call('POST', '/os-aggregates', { as: admin, body: { aggregate: { name: 'fast' } } });
    expect([made.status, made.json['aggregate']]).toEqual([
      200,
      {
        id: expect.any(Number),
        name: 'fast',
        availability_zone: null,
        created_at: expect.any(String),
        updated_at: null,
        deleted: false,
        deleted_at: null,
      },
    ]);
    const { id } = made.json['aggregate'] as { id: number };
    const act = (body: Record<string, unknown>) =>
      bench.call('POST', `/os-aggregates/${id}/action`, { as: admin, body });
    const twice = await bench.call('POST', '/os-aggregates', { as: admin, body: { aggregate: { name: 'fast' } } });
    expect([twice.status, twice.json]).toEqual([
      409,
      fault('conflictingRequest', 409, 'Aggregate fast already exists.'),
    ]);
    expect((await act({ add_host: { host: first?.name } })).json['aggregate']).toMatchObject({ hosts: [first?.name] });
    expect((await act({ add_host: { host: first?.name } })).status).toBe(409);
    expect((await act({ add_host: { host: 'nowhere' } })).status).toBe(404);
    const zoned = await act({ set_metadata: { metadata: { availability_zone: 'ssd', disk: 'fast' } } });
    expect(zoned.json['aggregate']).toMatchObject({
      availability_zone: 'ssd',
      metadata: { availability_zone: 'ssd', disk: 'fast' },
    });
    const zones = (await bench.call('GET', '/os-availability-zone')).json['availabilityZoneInfo'];
    expect((zones as { zoneName: string }[]).map(({ zoneName }) => zoneName).sort()).toEqual(['nova', 'ssd']);
    const other = await bench.call('POST', '/os-aggregates', {
      as: admin,
      body: { aggregate: { name: 'slow', availability_zone: 'hdd' } },
    });
    const slow = (other.json['aggregate'] as { id: number }).id;
    const clash = await bench.call('POST', `/os-aggregates/${slow}/action`, {
      as: admin,
      body: { add_host: { host: first?.name } },
    });
    expect(clash.status).toBe(409);
    const cache = async (images: readonly string[], version = '2.81', as = admin) => {
      const body = { cache: images.map((image) => ({ id: image })) };
      const answer = await bench.call('POST', `/os-aggregates/${id}/images`, { as, version, body });
      return answer.status === 202 ? 202 : answer.json;
    };
    expect(await cache([bench.image], '2.80')).toMatchObject({ itemNotFound: { code: 404 } });
    expect(await cache([bench.image], '2.81', bench.project)).toMatchObject({ forbidden: { code: 403 } });
    expect(await cache([bench.image, bench.image])).toEqual(fault('badRequest', 400, 'Duplicate images in request'));
    const unknown = newUuid();
    expect(await cache([bench.image, unknown])).toEqual(
      fault('badRequest', 400, `Image ${unknown} could not be found.`),
    );
    expect(await first?.driver.images()).toEqual([]);
    const more = bench.images.add();
    expect(await cache([bench.image, more])).toBe(202);
    await until('the images are cached', async () => (await first?.driver.images())?.length === 2);
    expect([...((await first?.driver.images()) ?? [])].sort()).toEqual([bench.image, more].sort());
    expect(await second?.driver.images()).toEqual([]);
    expect((await bench.call('DELETE', `/os-aggregates/${id}`, { as: admin })).status).toBe(400);
    expect((await act({ remove_host: { host: second?.name } })).status).toBe(404);
    expect((await act({ remove_host: { host: first?.name } })).json['aggregate']).toMatchObject({ hosts: [] });
    const listed = await bench.call('GET', '/os-aggregates', { as: admin, version: '2.41' });
    expect(listed.json['aggregates']).toMatchObject([
      { name: 'fast', uuid: expect.any(String) },
      { name: 'slow', availability_zone: 'hdd' },
    ]);
    for (const one of [id, slow])
      expect((await bench.call('DELETE', `/os-aggregates/${one}`, { as: admin })).status).toBe(200);
    expect((await bench.call('GET', `/os-aggregates/${id}`, { as: admin })).status).toBe(404);
    expect((await bench.call('GET', '/os-aggregates')).status).toBe(403);
    const back = (await bench.call('GET', '/os-availability-zone')).json['availabilityZoneInfo'];
    expect((back as { zoneName: string }[]).map(({ zoneName }) => zoneName)).toEqual(['nova']);
  });
});
