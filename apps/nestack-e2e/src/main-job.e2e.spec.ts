import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cloud, SIMULATED, until } from './cloud';

/** The main job with the distribution's client, on simulated guests, networks and volumes. */
let cloud: Cloud;

beforeAll(async () => {
  cloud = await Cloud.up(SIMULATED);
}, 240_000);

afterAll(async () => {
  await cloud.reset();
}, 120_000);

const status = async (kind: string, name: string): Promise<string> =>
  (await cloud.openstack(kind, 'show', name, '-f', 'value', '-c', 'status')).trim();

describe('a cloud that has just come up', () => {
  it('keeps its credentials to their owner', () => {
    for (const name of ['openrc', 'clouds.yaml', 'cloud.json'])
      expect(statSync(path.join(cloud.state, name)).mode & 0o777).toBe(0o600);
  });

  it('comes up again without a change', async () => {
    const before = await cloud.processes();
    const ended = await cloud.nestack('up', '--no-image');
    expect(ended).toMatchObject({ code: 0 });
    expect(await cloud.processes()).toEqual(
      before.map((one) => expect.objectContaining({ name: one.name, pid: one.pid })),
    );
  }, 60_000);

  it('says that each part is healthy', async () => {
    expect(await cloud.nestack('status')).toMatchObject({ code: 0 });
  });
});

describe('the client', () => {
  it('gets a token and the catalogue', async () => {
    const token = await cloud.json('token', 'issue');
    expect(token).toMatchObject({ id: expect.any(String), project_id: expect.any(String) });
    const catalog = await cloud.json<{ Type: string }[]>('catalog', 'list');
    const types = catalog.map((entry) => entry.Type);
    expect(types).toEqual(
      expect.arrayContaining(['identity', 'image', 'placement', 'compute', 'volumev3', 'block-storage', 'network']),
    );
  }, 60_000);

  it('makes an image, a key, a network with a subnet, and lists flavors', async () => {
    const file = path.join(cloud.state, 'image.raw');
    writeFileSync(file, Buffer.alloc(1024 * 1024, 7));
    const image = await cloud.json('image', 'create', 'small', '--file', file, '--disk-format', 'raw');
    expect(image).toMatchObject({ name: 'small', status: expect.stringMatching(/queued|saving|active/) });
    expect(await cloud.json('image', 'show', 'small')).toMatchObject({
      status: 'active',
      size: 1024 * 1024,
      checksum: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    const flavors = await cloud.json<{ Name: string }[]>('flavor', 'list');
    expect(flavors.map((flavor) => flavor.Name)).toEqual(['m1.tiny', 'm1.small', 'm1.medium', 'm1.large', 'm1.xlarge']);
    expect(await cloud.openstack('keypair', 'create', 'key')).toContain('PRIVATE KEY');
    expect(await cloud.json('network', 'create', 'net')).toMatchObject({ name: 'net', status: 'ACTIVE' });
    expect(
      await cloud.json('subnet', 'create', 'sub', '--network', 'net', '--subnet-range', '192.168.77.0/24'),
    ).toMatchObject({ cidr: '192.168.77.0/24', gateway_ip: '192.168.77.1', enable_dhcp: true });
  }, 120_000);

  it('boots a server to ACTIVE with an address, and sees its actions under its request', async () => {
    const args = ['--image', 'small', '--flavor', 'm1.tiny', '--network', 'net', '--key-name', 'key', '--wait'];
    await cloud.openstack('server', 'create', 'first', ...args);
    const shown = await cloud.json('server', 'show', 'first');
    expect(shown).toMatchObject({
      status: 'ACTIVE',
      'OS-EXT-STS:vm_state': 'active',
      'OS-EXT-STS:power_state': expect.anything(),
    });
    expect(JSON.stringify(shown['addresses'])).toMatch(/192\.168\.77\.\d+/);
    const [created] = await cloud.json<{ 'Request ID': string; Action: string }[]>('server', 'event', 'list', 'first');
    expect(created).toMatchObject({ Action: 'create', 'Request ID': expect.stringMatching(/^req-/) });
    const traced = await cloud.nestack('trace', created?.['Request ID'] ?? '', '--json');
    expect(traced.code).toBe(0);
    for (const name of ['nova-api', 'conductor', 'scheduler', 'compute', 'placement', 'neutron', 'glance'])
      expect(traced.stdout).toContain(`"${name}"`);
  }, 120_000);

  it('attaches a volume, stops, starts, reboots', async () => {
    await cloud.openstack('volume', 'create', 'data', '--size', '1');
    await until('an available volume', async () => (await status('volume', 'data')) === 'available');
    await cloud.openstack('server', 'add', 'volume', 'first', 'data');
    await until('a volume in use', async () => (await status('volume', 'data')) === 'in-use');
    await cloud.openstack('server', 'stop', 'first');
    await until('SHUTOFF', async () => (await status('server', 'first')) === 'SHUTOFF');
    await cloud.openstack('server', 'start', 'first');
    await until('ACTIVE', async () => (await status('server', 'first')) === 'ACTIVE');
    await cloud.openstack('server', 'reboot', 'first', '--wait');
    await cloud.openstack('server', 'reboot', '--hard', 'first', '--wait');
    await cloud.openstack('server', 'remove', 'volume', 'first', 'data');
    await until('an available volume', async () => (await status('volume', 'data')) === 'available');
  }, 180_000);

  it('S-7.1.4.6 keeps everything over down and up', async () => {
    expect(await cloud.nestack('down')).toMatchObject({ code: 0 });
    expect((await cloud.nestack('status')).code).not.toBe(0);
    expect(await cloud.nestack('up', '--no-image')).toMatchObject({ code: 0 });
    await until('the server to run again', async () => (await status('server', 'first')) === 'ACTIVE');
    expect(await status('volume', 'data')).toBe('available');
  }, 180_000);

  it('deletes it all and leaves nothing', async () => {
    const id = (await cloud.json('server', 'show', 'first'))['id'] as string;
    await cloud.openstack('server', 'delete', 'first', '--wait');
    await cloud.openstack('volume', 'delete', 'data');
    await cloud.openstack('network', 'delete', 'net');
    await cloud.openstack('image', 'delete', 'small');
    await cloud.openstack('keypair', 'delete', 'key');
    const admin = await cloud.session('admin');
    const placement = admin.endpoint('placement');
    expect(await admin.get(`${placement}/allocations/${id}`)).toMatchObject({ allocations: {} });
    const { ports } = await admin.get<{ ports: unknown[] }>(`${admin.endpoint('network')}/v2.0/ports?device_id=${id}`);
    expect(ports).toEqual([]);
    await until('no volume', async () => (await cloud.json<unknown[]>('volume', 'list')).length === 0);
  }, 120_000);
});
