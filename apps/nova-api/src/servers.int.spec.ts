import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { outage, refusal } from '@nestack/nova/testing';
import { Bench } from './testing/bench';
import { idle } from './testing/survival';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start({ hosts: 2 });
}, 60_000);

afterAll(async () => {
  await bench.close();
});

afterEach(() => bench.tidy(), 30_000);

async function action(id: string, body: Record<string, unknown>, status = 202): Promise<void> {
  const answer = await bench.call('POST', `/servers/${id}/action`, { body });
  expect([answer.status, answer.text]).toEqual([status, status === 202 ? '' : expect.anything()]);
}

async function remove(id: string): Promise<void> {
  expect((await bench.call('DELETE', `/servers/${id}`)).status).toBe(204);
  await bench.until(id, 'GONE');
}

/** The console of the guest, line by line. */
async function consoleOf(id: string): Promise<string> {
  const answer = await bench.call('POST', `/servers/${id}/action`, { body: { 'os-getConsoleOutput': {} } });
  expect(answer.status).toBe(200);
  return String(answer.json['output']);
}

describe('the life of a server', () => {
  it('boots, changes its power, takes a volume and a port, and is gone without trace', async () => {
    const create = await bench.call('POST', '/servers', {
      body: {
        server: { name: 'web 1', imageRef: bench.image, flavorRef: bench.flavor, networks: [{ uuid: bench.network }] },
      },
    });
    expect(create.status).toBe(202);
    const { id } = create.json['server'] as { id: string };
    expect(create.headers['location']).toMatch(new RegExp(`/v2\\.1/servers/${id}$`));
    const active = await bench.until(id, 'ACTIVE');
    expect(active).toMatchObject({
      name: 'web 1',
      progress: 100,
      addresses: {
        private: [{ version: 4, 'OS-EXT-IPS:type': 'fixed', 'OS-EXT-IPS-MAC:mac_addr': expect.anything() }],
      },
      'OS-EXT-STS:vm_state': 'active',
      'OS-EXT-STS:power_state': 1,
      'OS-EXT-AZ:availability_zone': 'nova',
      'OS-EXT-SRV-ATTR:host': expect.stringContaining('host-'),
      'OS-SRV-USG:launched_at': expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+$/),
      config_drive: '',
    });

    await action(id, { 'os-stop': null });
    expect((await bench.until(id, 'SHUTOFF'))['OS-EXT-STS:power_state']).toBe(4);
    await action(id, { 'os-start': null });
    expect((await bench.until(id, 'ACTIVE'))['OS-EXT-STS:power_state']).toBe(1);
    await action(id, { reboot: { type: 'SOFT' } });
    await bench.until(id, 'ACTIVE');
    await action(id, { reboot: { type: 'HARD' } });
    await bench.until(id, 'ACTIVE');
    await action(id, { pause: null });
    await bench.until(id, 'PAUSED');
    await action(id, { unpause: null });
    await bench.until(id, 'ACTIVE');
    expect(await consoleOf(id)).toContain('hard reboot');

    const volume = bench.volumes.add({ project_id: bench.project });
    const attach = await bench.call('POST', `/servers/${id}/os-volume_attachments`, {
      body: { volumeAttachment: { volumeId: volume.id } },
    });
    expect(attach.status).toBe(200);
    expect(attach.json['volumeAttachment']).toEqual({
      id: volume.id,
      volumeId: volume.id,
      serverId: id,
      device: '/dev/vdb',
    });
    await until('the volume is in use', () => volume.status === 'in-use');
    expect(await consoleOf(id)).toContain('new disk /dev/vdb');
    const shown = await bench.show(id);
    expect(shown?.['os-extended-volumes:volumes_attached']).toEqual([{ id: volume.id }]);
    const detach = await bench.call('DELETE', `/servers/${id}/os-volume_attachments/${volume.id}`);
    expect(detach.status).toBe(202);
    await until(
      'the attachment is gone',
      async () => (await bench.call('GET', `/servers/${id}/os-volume_attachments/${volume.id}`)).status === 404,
    );
    expect(volume.status).toBe('available');

    const plug = await bench.call('POST', `/servers/${id}/os-interface`, {
      body: { interfaceAttachment: { net_id: bench.network } },
    });
    expect(plug.status).toBe(200);
    const { port_id: port } = plug.json['interfaceAttachment'] as { port_id: string };
    await until('the server has two addresses', async () => {
      const now = (await bench.show(id))?.['addresses'] as { private: unknown[] };
      return now.private.length === 2;
    });
    expect((await bench.call('GET', `/servers/${id}/os-interface/${port}`)).status).toBe(200);
    expect((await bench.call('DELETE', `/servers/${id}/os-interface/${port}`)).status).toBe(202);
    await until(
      'the interface is gone',
      async () => (await bench.call('GET', `/servers/${id}/os-interface/${port}`)).status === 404,
    );

    await remove(id);
    expect(await bench.leftovers()).toEqual([]);
  }, 60_000);

  it('shows what was done under the ids of the requests', async () => {
    const create = await bench.call('POST', '/servers', {
      body: {
        server: { name: 'vm', imageRef: bench.image, flavorRef: bench.flavor, networks: [{ uuid: bench.network }] },
      },
    });
    const { id } = create.json['server'] as { id: string };
    await bench.until(id, 'ACTIVE');
    const stop = await bench.call('POST', `/servers/${id}/action`, { body: { 'os-stop': null } });
    await bench.until(id, 'SHUTOFF');
    const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
    expect(json['instanceActions']).toMatchObject([
      { action: 'stop', request_id: stop.headers['x-openstack-request-id'], message: null },
      { action: 'create', request_id: create.headers['x-openstack-request-id'], user_id: `u-${bench.project}` },
    ]);
    const one = await bench.call(
      'GET',
      `/servers/${id}/os-instance-actions/${String(create.headers['x-openstack-request-id'])}`,
      {
        as: `${bench.project}:admin`,
      },
    );
    const { events } = one.json['instanceAction'] as { events: { event: string; result: string }[] };
    expect(events.map(({ event }) => event)).toContain('compute__do_build_and_run_instance');
    expect(new Set(events.map(({ result }) => result))).toEqual(new Set(['Success']));
    await remove(id);
  }, 30_000);

  it('boots from a volume that it makes, and removes it at the end', async () => {
    const id = await bench.boot({
      imageRef: undefined,
      block_device_mapping_v2: [
        {
          source_type: 'image',
          uuid: bench.image,
          destination_type: 'volume',
          volume_size: 2,
          boot_index: 0,
          delete_on_termination: true,
        },
      ],
    });
    const active = await bench.until(id, 'ACTIVE');
    expect(active['image']).toBe('');
    const [volume] = active['os-extended-volumes:volumes_attached'] as { id: string }[];
    expect(bench.volumes.volumes.get(volume?.id ?? '')?.status).toBe('in-use');
    await remove(id);
    expect(bench.volumes.volumes.has(volume?.id ?? '')).toBe(false);
    expect(await bench.leftovers()).toEqual([]);
  }, 30_000);

  it('uses the port that the user made, and gives it back', async () => {
    const port = bench.networks.addPort(bench.project, bench.network);
    port.groups.push(bench.networks.addGroup(bench.project, 'of the port'));
    const id = await bench.boot({ networks: [{ port: port.id }] });
    const active = await bench.until(id, 'ACTIVE');
    expect(port.device_id).toBe(id);
    expect(active['security_groups']).toEqual([{ name: 'of the port' }]);
    const mixed = await bench.boot({
      networks: [{ port: bench.networks.addPort(bench.project, bench.network).id }, { uuid: bench.network }],
    });
    expect((await bench.until(mixed, 'ACTIVE'))['security_groups']).toEqual([{ name: 'default' }]);
    const open = bench.networks.addNetwork({ project_id: bench.project, secured: false });
    const unsecured = await bench.boot({ networks: [{ uuid: open }] });
    expect(await bench.until(unsecured, 'ACTIVE')).not.toHaveProperty('security_groups');
    await remove(unsecured);
    await remove(mixed);
    await remove(id);
    expect(bench.networks.ports.get(port.id)?.device_id).toBe('');
    expect(await bench.leftovers()).toEqual([]);
    bench.networks.ports.delete(port.id);
  }, 30_000);
});

describe('a crash dump', () => {
  it('is triggered in a server that runs, from 2.17 on, and changes nothing of it', async () => {
    const id = await bench.boot();
    await bench.until(id, 'ACTIVE');
    const trigger = (version: string) =>
      bench.call('POST', `/servers/${id}/action`, { version, body: { trigger_crash_dump: null } });
    expect((await trigger('2.16')).status).toBe(400);
    expect((await trigger('2.17')).status).toBe(202);
    await until('the interrupt', async () => (await consoleOf(id)).includes('NMI received'));
    expect(await bench.show(id)).toMatchObject({ status: 'ACTIVE', 'OS-EXT-STS:task_state': null });
    const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
    expect((json['instanceActions'] as unknown[])[0]).toMatchObject({ action: 'trigger_crash_dump' });
    await action(id, { 'os-stop': null });
    await bench.until(id, 'SHUTOFF');
    expect((await trigger('2.17')).status).toBe(409);
    await remove(id);
  }, 30_000);
});

describe('a boot that cannot succeed', () => {
  it('ends in ERROR with its fault when no host has room', async () => {
    const big = await bench.addFlavor({ vcpus: 1, ram: 10_000_000, disk: 1 });
    await bench.call('PUT', `/os-quota-sets/${bench.project}`, {
      as: `${bench.project}:admin`,
      body: { quota_set: { ram: -1 } },
    });
    const id = await bench.boot({ flavorRef: big });
    const failed = await bench.until(id, 'ERROR');
    expect(failed['fault']).toMatchObject({ code: 500, message: expect.stringContaining('No valid host was found.') });
    expect(failed['OS-EXT-SRV-ATTR:host']).toBeNull();
    const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
    expect(json['instanceActions']).toMatchObject([{ action: 'create', message: 'Error' }]);
    // It is on no host, so it is gone at once: clients take a server that is still in ERROR for one that cannot be deleted.
    expect((await bench.call('DELETE', `/servers/${id}`)).status).toBe(204);
    expect((await bench.call('GET', `/servers/${id}`)).status).toBe(404);
    await idle(bench, id);
    expect(await bench.leftovers()).toEqual([]);
  }, 30_000);

  it('goes to the second host when the first cannot build it', async () => {
    const [first, second] = bench.hosts;
    if (first === undefined || second === undefined) throw new Error('there are two hosts');
    first.behaviour.failures = { spawn: 100 };
    const id = await bench.boot();
    const active = await bench.until(id, 'ACTIVE');
    expect(active['OS-EXT-SRV-ATTR:host']).toBe(second.name);
    expect(active['fault']).toBeUndefined();
    expect(await first.driver.guests()).toEqual([]);
    expect(bench.networks.of(id)).toHaveLength(1);
    expect(bench.networks.of(id)[0]?.host).toBe(second.name);
    await remove(id);
    expect(await bench.leftovers()).toEqual([]);
  }, 30_000);

  it('goes to the second host when neutron cannot bind its ports on the first, and to none when it can on none', async () => {
    const [first, second] = bench.hosts;
    if (first === undefined || second === undefined) throw new Error('there are two hosts');
    bench.networks.faults.hosts.add(first.name);
    bench.placement.faults.forget();
    const id = await bench.boot();
    expect(await bench.until(id, 'ACTIVE')).toMatchObject({ 'OS-EXT-SRV-ATTR:host': second.name });
    expect(bench.networks.of(id)).toMatchObject([{ host: second.name, status: 'ACTIVE' }]);
    expect(bench.placement.providers.get(bench.placement.allocations.get(id)?.provider ?? '')?.name).toBe(second.name);
    // The scheduler was asked once: it had named the second as an alternate, and the claim went there.
    expect([bench.placement.faults.count('candidates'), bench.placement.faults.count('claim')]).toEqual([1, 2]);
    await remove(id);
    bench.networks.faults.hosts.add(second.name);
    const none = await bench.boot();
    expect((await bench.until(none, 'ERROR'))['fault']).toMatchObject({
      code: 500,
      message: expect.stringMatching(/^No valid host was found\. /),
    });
    expect(await bench.leftovers()).toEqual([]);
    await remove(none);
  }, 30_000);

  it('ends in ERROR when no host can build it, and holds nothing', async () => {
    for (const host of bench.hosts) host.behaviour.failures = { spawn: 100 };
    const id = await bench.boot();
    expect((await bench.until(id, 'ERROR'))['fault']).toMatchObject({ code: 500 });
    expect(await bench.leftovers()).toEqual([]);
    await remove(id);
  }, 30_000);

  it.each([
    ['ensurePorts is refused', () => bench.networks.faults.fail('ensurePorts', refusal('neutron'))],
    [
      'the answer to ensurePorts is an error',
      () => bench.networks.faults.fail('ensurePorts', refusal('neutron'), { after: true }),
    ],
    ['connecting the volume is refused', () => bench.volumes.faults.fail('connect', refusal('cinder'))],
    ['reserving the volume is refused', () => bench.volumes.faults.fail('ensureAttachment', refusal('cinder'))],
    ['completing the attachment is refused', () => bench.volumes.faults.fail('complete', refusal('cinder'))],
  ])(
    'unwinds everything when %s',
    async (_what, arrange) => {
      const volume = bench.volumes.add({ project_id: bench.project, bootable: true });
      arrange();
      const id = await bench.boot({
        block_device_mapping_v2: [
          { source_type: 'image', uuid: bench.image, destination_type: 'local', boot_index: 0 },
          { source_type: 'volume', uuid: volume.id, destination_type: 'volume', boot_index: -1 },
        ],
      });
      await bench.until(id, 'ERROR');
      expect(await bench.leftovers()).toEqual([]);
      expect(volume.status).toBe('available');
      await remove(id);
      expect(await bench.leftovers()).toEqual([]);
    },
    30_000,
  );

  it('waits for services that are away', async () => {
    bench.networks.faults.fail('ensurePorts', outage('neutron'), { times: 3 });
    bench.placement.faults.fail('claim', outage('placement'), { times: 2 });
    const id = await bench.boot();
    await bench.until(id, 'ACTIVE');
    await remove(id);
    expect(await bench.leftovers()).toEqual([]);
  }, 30_000);
});

describe('a delete', () => {
  it('while the server is being built takes everything back', async () => {
    const release = bench.networks.faults.hold('ensurePorts');
    const id = await bench.boot();
    await until('the boot is at its ports', () => bench.networks.faults.count('ensurePorts') > 0);
    expect((await bench.call('DELETE', `/servers/${id}`)).status).toBe(204);
    expect(await bench.show(id)).toMatchObject({ status: 'BUILD', 'OS-EXT-STS:task_state': 'deleting' });
    expect((await bench.call('DELETE', `/servers/${id}`)).status).toBe(204);
    release();
    await bench.until(id, 'GONE');
    expect(await bench.leftovers()).toEqual([]);
  }, 30_000);

  it('while the guest is being spawned takes everything back', async () => {
    for (const host of bench.hosts) host.behaviour.delays = { spawn: 500 };
    const id = await bench.boot();
    await until(
      'the guest is being spawned',
      async () => (await bench.show(id))?.['OS-EXT-STS:task_state'] === 'spawning',
    );
    expect((await bench.call('DELETE', `/servers/${id}`)).status).toBe(204);
    await bench.until(id, 'GONE');
    expect(await bench.leftovers()).toEqual([]);
  }, 30_000);

  it('takes volumes and ports of the user back, whatever is attached', async () => {
    const id = await bench.boot();
    await bench.until(id, 'ACTIVE');
    const volume = bench.volumes.add({ project_id: bench.project });
    await bench.call('POST', `/servers/${id}/os-volume_attachments`, {
      body: { volumeAttachment: { volumeId: volume.id } },
    });
    await until('the volume is in use', () => volume.status === 'in-use');
    await remove(id);
    expect(volume.status).toBe('available');
    expect(await bench.leftovers()).toEqual([]);
  }, 30_000);

  it('right behind an attachment leaves nothing', async () => {
    const id = await bench.boot();
    await bench.until(id, 'ACTIVE');
    const volume = bench.volumes.add({ project_id: bench.project });
    for (const host of bench.hosts) host.behaviour.delays = { attach_volume: 300 };
    await bench.call('POST', `/servers/${id}/os-volume_attachments`, {
      body: { volumeAttachment: { volumeId: volume.id } },
    });
    await remove(id);
    await until('nothing is left', async () => (await bench.leftovers()).length === 0);
    expect(volume.status).toBe('available');
  }, 30_000);

  it('that a host was away for makes no guest when the host returns', async () => {
    const host = await bench.startHost(`away-${bench.hosts.length}`);
    await host.stop();
    const id = await bench.boot({ availability_zone: `nova:${host.name}` }, { as: `${bench.project}:admin` });
    await until(
      'the boot is at its host',
      async () => (await bench.show(id))?.['OS-EXT-STS:task_state'] === 'spawning',
    );
    await bench.call('PUT', '/os-services/force-down', {
      as: `${bench.project}:admin`,
      version: '2.11',
      body: { host: host.name, binary: 'nova-compute', forced_down: true },
    });
    await bench.until(id, 'ERROR');
    bench.hosts.splice(bench.hosts.indexOf(host), 1);
    const again = await bench.startHost(host.name);
    await until('the command that was left behind is dealt with', async () => {
      const { rows } = await bench.query<{ up: boolean }>(
        "SELECT last_seen_up > now() - interval '5 seconds' AS up FROM service WHERE host = $1",
        [host.name],
      );
      return rows[0]?.up === true;
    });
    await bench.call('PUT', '/os-services/force-down', {
      as: `${bench.project}:admin`,
      version: '2.11',
      body: { host: host.name, binary: 'nova-compute', forced_down: false },
    });
    const next = await bench.boot({ availability_zone: `nova:${host.name}` }, { as: `${bench.project}:admin` });
    await bench.until(next, 'ACTIVE');
    expect((await again.driver.guests()).map(({ uuid }) => uuid)).toEqual([next]);
    await remove(id);
  }, 60_000);

  it('of a server whose host is down is done without it, and the host puts itself in order later', async () => {
    const host = await bench.startHost(`late-${bench.hosts.length}`);
    const id = await bench.boot({ availability_zone: `nova:${host.name}` }, { as: `${bench.project}:admin` });
    await bench.until(id, 'ACTIVE');
    await host.stop();
    await bench.call('PUT', '/os-services/force-down', {
      as: `${bench.project}:admin`,
      version: '2.11',
      body: { host: host.name, binary: 'nova-compute', forced_down: true },
    });
    await remove(id);
    expect(await host.driver.guests()).toHaveLength(1);
    bench.hosts.splice(bench.hosts.indexOf(host), 1);
    const again = await bench.startHost(host.name);
    await until('the guest is gone', async () => (await again.driver.guests()).length === 0);
    expect(await bench.leftovers()).toEqual([]);
  }, 60_000);
});
