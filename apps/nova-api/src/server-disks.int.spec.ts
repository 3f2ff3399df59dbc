import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { refusal } from '@nestack/nova/testing';
import { Bench, type CallOptions } from './testing/bench';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start({ hosts: 1 });
}, 60_000);

afterAll(async () => {
  await bench.close();
});

afterEach(() => bench.tidy(), 30_000);

const act = (id: string, body: Record<string, unknown>, options: CallOptions = {}) =>
  bench.call('POST', `/servers/${id}/action`, { ...options, body });

async function active(fields: Record<string, unknown> = {}): Promise<string> {
  const id = await bench.boot(fields);
  await bench.until(id, 'ACTIVE');
  return id;
}

async function stateOf(id: string): Promise<readonly unknown[]> {
  const server = await bench.show(id);
  return [server?.['status'], server?.['OS-EXT-STS:vm_state'], server?.['OS-EXT-STS:task_state']];
}

async function remove(id: string): Promise<void> {
  await bench.call('DELETE', `/servers/${id}`);
  await bench.until(id, 'GONE');
  expect(await bench.leftovers()).toEqual([]);
}

async function actions(id: string): Promise<readonly string[]> {
  const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
  return (json['instanceActions'] as { action: string }[]).map(({ action }) => action);
}

function slow(operation: 'suspend' | 'rescue' | 'rebuild' | 'snapshot'): void {
  for (const { behaviour } of bench.hosts) behaviour.delays = { [operation]: 300 };
}

describe('suspend and resume', () => {
  it('show their states from the first answer on', async () => {
    const id = await active();
    slow('suspend');
    expect((await act(id, { suspend: null })).status).toBe(202);
    expect(await stateOf(id)).toEqual(['ACTIVE', 'active', 'suspending']);
    expect((await bench.until(id, 'SUSPENDED'))['OS-EXT-STS:power_state']).toBe(4);
    expect((await act(id, { suspend: null })).status).toBe(409);
    expect((await act(id, { pause: null })).status).toBe(409);
    expect((await act(id, { 'os-start': null })).status).toBe(409);
    expect((await act(id, { resume: null })).status).toBe(202);
    expect((await bench.until(id, 'ACTIVE'))['OS-EXT-STS:power_state']).toBe(1);
    expect((await act(id, { resume: null })).json['conflictingRequest']).toMatchObject({
      code: 409,
      message: expect.stringContaining("Cannot 'resume' instance"),
    });
    expect((await actions(id)).slice(0, 2)).toEqual(['resume', 'suspend']);
    await remove(id);
  }, 30_000);

  it('leave the server as it was when its host refuses', async () => {
    const id = await active();
    for (const { behaviour } of bench.hosts) behaviour.failures = { suspend: 100 };
    expect((await act(id, { suspend: null })).status).toBe(202);
    await bench.until(id, 'ACTIVE');
    await remove(id);
  }, 30_000);
});

describe('rescue', () => {
  it('runs the server from another disk and back', async () => {
    const id = await active();
    slow('rescue');
    const rescue = await act(id, { rescue: null });
    expect([rescue.status, rescue.json]).toEqual([200, { adminPass: expect.stringMatching(/.{8,}/) }]);
    expect(await stateOf(id)).toEqual(['ACTIVE', 'active', 'rescuing']);
    await bench.until(id, 'RESCUE');
    const volume = bench.volumes.add({ project_id: bench.project });
    const attach = await bench.call('POST', `/servers/${id}/os-volume_attachments`, {
      body: { volumeAttachment: { volumeId: volume.id } },
    });
    expect(attach.status).toBe(409);
    for (const body of [{ rescue: null }, { rebuild: { imageRef: bench.image } }, { 'os-stop': null }])
      expect((await act(id, body)).status).toBe(409);
    expect((await act(id, { unrescue: null })).status).toBe(202);
    await bench.until(id, 'ACTIVE');
    expect((await act(id, { unrescue: null })).status).toBe(409);
    expect((await actions(id)).slice(0, 2)).toEqual(['unrescue', 'rescue']);
    bench.volumes.volumes.delete(volume.id);
    await remove(id);
  }, 30_000);

  it('takes password and image of the caller, if the image may be used', async () => {
    const id = await active();
    const hidden = bench.images.add({ project_id: 'another' });
    expect((await act(id, { rescue: { rescue_image_ref: hidden } })).status).toBe(400);
    const own = bench.images.add({ project_id: bench.project });
    const rescue = await act(id, { rescue: { adminPass: 'letmein1', rescue_image_ref: own } });
    expect(rescue.json).toEqual({ adminPass: 'letmein1' });
    await bench.until(id, 'RESCUE');
    // A reset brings it back to its own disk.
    await act(id, { 'os-resetState': { state: 'active' } }, { as: `${bench.project}:admin` });
    const { rows } = await bench.query<{ rescued: boolean }>(
      "SELECT request ? 'rescue' AS rescued FROM instance WHERE uuid = $1",
      [id],
    );
    expect(rows).toEqual([{ rescued: false }]);
    await remove(id);
  }, 30_000);

  it.each(['ACTIVE', 'SHUTOFF'])(
    'that fails leaves a server in %s so',
    async (status) => {
      const id = await active();
      if (status === 'SHUTOFF') {
        await act(id, { 'os-stop': null });
        await bench.until(id, 'SHUTOFF');
      }
      for (const { behaviour } of bench.hosts) behaviour.failures = { rescue: 100 };
      expect((await act(id, { rescue: null })).status).toBe(200);
      await bench.until(id, status);
      const [guest] = (await bench.hosts[0]?.driver.guests()) ?? [];
      expect(guest?.power).toBe(status === 'ACTIVE' ? 1 : 4);
      await remove(id);
    },
    30_000,
  );

  it('is refused for servers that boot from volumes', async () => {
    const volume = bench.volumes.add({ project_id: bench.project, bootable: true });
    const id = await active({
      imageRef: undefined,
      block_device_mapping_v2: [{ source_type: 'volume', uuid: volume.id, destination_type: 'volume', boot_index: 0 }],
    });
    expect((await act(id, { rescue: null })).json['badRequest']).toMatchObject({
      message: `Instance ${id} cannot be rescued: Cannot rescue a volume-backed instance`,
    });
    expect((await act(id, { rebuild: { imageRef: bench.image } })).status).toBe(400);
    await bench.until(id, 'ACTIVE');
    await remove(id);
  }, 30_000);
});

describe('rebuild', () => {
  it('answers the server, shows REBUILD at once, and keeps its addresses', async () => {
    const id = await active();
    const before = await bench.show(id);
    const other = bench.images.add();
    slow('rebuild');
    const answer = await act(id, {
      rebuild: {
        imageRef: other,
        name: 'anew',
        metadata: { rebuilt: 'yes' },
        adminPass: 'rebuildPassword',
        accessIPv4: '1.1.1.1',
        preserve_ephemeral: false,
      },
    });
    expect([answer.status, answer.headers['location']]).toEqual([
      202,
      expect.stringMatching(new RegExp(`/servers/${id}$`)),
    ]);
    const server = answer.json['server'] as Record<string, unknown>;
    expect(server).toMatchObject({
      id,
      status: 'REBUILD',
      name: 'anew',
      image: { id: other },
      metadata: { rebuilt: 'yes' },
      adminPass: 'rebuildPassword',
      accessIPv4: '1.1.1.1',
    });
    expect(Object.keys(server).filter((key) => /^OS-EXT|key_name|security_groups|config_drive/.test(key))).toEqual([]);
    expect((await bench.show(id))?.['status']).toBe('REBUILD');
    expect((await act(id, { rebuild: { imageRef: other } })).status).toBe(409);
    expect((await bench.until(id, 'ACTIVE'))['addresses']).toEqual(before?.['addresses']);
    expect((await actions(id))[0]).toBe('rebuild');
    await remove(id);
  }, 30_000);

  it('leaves a stopped server stopped', async () => {
    const id = await active();
    await act(id, { 'os-stop': null });
    await bench.until(id, 'SHUTOFF');
    expect((await act(id, { rebuild: { imageRef: bench.image } })).status).toBe(202);
    expect((await bench.until(id, 'SHUTOFF'))['OS-EXT-STS:power_state']).toBe(4);
    await remove(id);
  }, 30_000);

  it('changes key and user data from their microversions on', async () => {
    const id = await active();
    const rebuild = (fields: Record<string, unknown>, version?: string) =>
      act(
        id,
        { rebuild: { imageRef: bench.image, ...fields } },
        { as: `${bench.project}:admin`, ...(version === undefined ? {} : { version }) },
      );
    expect((await rebuild({ accessIPv4: 'not an address' })).status).toBe(400);
    expect((await rebuild({ key_name: 'k' }, '2.53')).status).toBe(400);
    expect((await rebuild({ key_name: 'k' }, '2.54')).status).toBe(400);
    await bench.call('POST', '/os-keypairs', {
      body: {
        keypair: {
          name: 'k',
          public_key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFoocEDhpFKCzHjyvVMZyGkBJZlyIvfk2HuNZ2d0JTUK x',
        },
      },
    });
    const keyed = await rebuild({ key_name: 'k' }, '2.54');
    expect([keyed.status, (keyed.json['server'] as { key_name: string } | undefined)?.key_name]).toEqual([202, 'k']);
    await bench.until(id, 'ACTIVE');
    const data = await rebuild({ user_data: 'aGVsbG8=', key_name: null }, '2.57');
    expect(data.json['server']).toMatchObject({ key_name: null, user_data: 'aGVsbG8=' });
    await bench.until(id, 'ACTIVE');
    expect((await rebuild({ user_data: 'aGVsbG8=' }, '2.56')).status).toBe(400);
    await remove(id);
  }, 30_000);

  it('refuses images that there are not, too many items of metadata and locked servers', async () => {
    const id = await active();
    expect((await act(id, { rebuild: { imageRef: '5e0d0b3c-5b0e-4b5c-9d0e-000000000000' } })).status).toBe(400);
    const metadata = Object.fromEntries(Array.from({ length: 129 }, (_, at) => [`k${at}`, 'v']));
    expect((await act(id, { rebuild: { imageRef: bench.image, metadata } })).status).toBe(403);
    await act(id, { lock: null });
    for (const body of [{ rebuild: { imageRef: bench.image } }, { rescue: null }, { suspend: null }])
      expect([(await act(id, body)).status, body]).toEqual([409, body]);
    const copied = await act(id, { createImage: { name: 'x' } }, { version: '2.45' });
    expect(copied.status).toBe(202);
    await bench.until(id, 'ACTIVE');
    bench.images.images.delete(String(copied.json['image_id']));
    await act(id, { unlock: null });
    await remove(id);
  }, 30_000);

  it('with an image that its host may not have ends in ERROR, with the image and the disk that it had', async () => {
    const id = await active();
    const properties = { hw_architecture: 'sparc', hw_vif_model: 'e1000' };
    const [foreign, demanding] = [
      bench.images.add({ properties }),
      bench.images.add({ properties: { 'trait:CUSTOM_GOLD': 'required' } }),
    ];
    for (const [image, why] of [
      [foreign, 'There are not enough hosts available.'],
      [demanding, 'What the server holds does not have the traits that the image requires.'],
    ] as const) {
      const asked = await act(id, { rebuild: { imageRef: image } });
      expect([asked.status, (asked.json['server'] as { image: object }).image]).toEqual([
        202,
        expect.objectContaining({ id: image }),
      ]);
      const failed = await bench.until(id, 'ERROR');
      expect(failed).toMatchObject({
        image: { id: bench.image },
        'OS-EXT-STS:power_state': 1,
        fault: { code: 500, message: `No valid host was found. ${why}` },
      });
      const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
      expect((json['instanceActions'] as unknown[])[0]).toMatchObject({ action: 'rebuild', message: 'Error' });
    }
    expect(String((await act(id, { 'os-getConsoleOutput': {} })).json['output'])).not.toMatch(/rebuilt from/);
    const [node] = bench.placement.providers.values();
    if (node !== undefined)
      bench.placement.providers.set(node.uuid, { ...node, traits: [...node.traits, 'CUSTOM_GOLD'] });
    await act(id, { rebuild: { imageRef: demanding } });
    expect(await bench.until(id, 'ACTIVE')).toMatchObject({ image: { id: demanding } });
    expect(String((await act(id, { 'os-getConsoleOutput': {} })).json['output'])).toMatch(`rebuilt from ${demanding}`);
    await remove(id);
  }, 30_000);

  it('that fails ends in ERROR with its fault, and may be tried again', async () => {
    const id = await active();
    for (const { behaviour } of bench.hosts) behaviour.failures = { rebuild: 100 };
    await act(id, { rebuild: { imageRef: bench.image } });
    expect((await bench.until(id, 'ERROR'))['fault']).toMatchObject({ code: 500 });
    for (const { behaviour } of bench.hosts) behaviour.failures = {};
    await act(id, { rebuild: { imageRef: bench.image } });
    await bench.until(id, 'ACTIVE');
    await remove(id);
  }, 30_000);
});

describe('an image of a server', () => {
  it('is there when the request is answered, and becomes active', async () => {
    const id = await active();
    slow('snapshot');
    const answer = await act(id, { createImage: { name: 'snap', metadata: { stage: 'one' } } });
    expect([answer.status, answer.text]).toEqual([202, '']);
    const image = /\/images\/([0-9a-f-]{36})$/.exec(answer.headers['location'] ?? '')?.[1] ?? '';
    expect(bench.images.images.get(image)?.status).toBe('queued');
    expect((await stateOf(id))[2]).toMatch(/^image_/);
    expect((await act(id, { createImage: { name: 'two' } })).status).toBe(409);
    expect((await act(id, { 'os-stop': null })).status).toBe(409);
    await bench.until(id, 'ACTIVE');
    const made = bench.images.images.get(image);
    expect(made?.status).toBe('active');
    expect(made?.image.properties).toMatchObject({
      name: 'snap',
      visibility: 'private',
      disk_format: 'qcow2',
      min_disk: 1,
      image_type: 'snapshot',
      base_image_ref: bench.image,
      instance_uuid: id,
      user_id: `u-${bench.project}`,
      stage: 'one',
    });
    expect((await actions(id))[0]).toBe('createImage');
    await remove(id);
    bench.images.images.delete(image);
  }, 30_000);

  it('as a backup of a type is one of so many', async () => {
    const id = await active();
    const backup = async (name: string, backup_type: string, rotation: number | string, version = '2.45') => {
      const made = await act(id, { createBackup: { name, backup_type, rotation } }, { version });
      expect(made.status).toBe(202);
      await bench.until(id, 'ACTIVE');
      return made;
    };
    const kept = () =>
      [...bench.images.images.values()].flatMap(({ image: { properties }, status }) =>
        properties['instance_uuid'] === id ? [`${String(properties['name'])} ${status}`] : [],
      );
    await act(id, { lock: null });
    const first = await backup('one', 'daily', '2');
    expect(first.json).toEqual({ image_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(bench.images.images.get(String(first.json['image_id']))?.image.properties).toMatchObject({
      image_type: 'backup',
      backup_type: 'daily',
    });
    await backup('two', 'daily', 2);
    await backup('week', 'weekly', 1);
    const third = await backup('three', 'daily', 2, '2.44');
    expect(third.headers['location']).toMatch(/\/images\/[0-9a-f-]{36}$/);
    expect(kept()).toEqual(['two active', 'week active', 'three active']);
    const none = await backup('four', 'daily', 0, '2.1');
    expect(none.headers['location']).toBeUndefined();
    expect(kept()).toEqual(['week active']);
    expect((await actions(id))[0]).toBe('createBackup');
    for (const createBackup of [
      { name: 'x', backup_type: 'daily', rotation: -1 },
      { name: 'x', backup_type: 'daily' },
      { name: 'x', rotation: 1 },
    ])
      expect([(await act(id, { createBackup })).status, createBackup]).toEqual([400, createBackup]);
    await act(id, { unlock: null });
    await remove(id);
    bench.images.images.forEach(({ image }, key) => {
      if (image.properties['instance_uuid'] === id) bench.images.images.delete(key);
    });
  }, 30_000);

  it('is named in the body from 2.45 on', async () => {
    const id = await active();
    const answer = await act(id, { createImage: { name: 'snap' } }, { version: '2.45' });
    expect([answer.status, answer.json, answer.headers['location']]).toEqual([
      202,
      { image_id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      undefined,
    ]);
    expect(answer.headers['content-type']).toBe('application/json');
    await bench.until(id, 'ACTIVE');
    bench.images.images.delete(String(answer.json['image_id']));
    await remove(id);
  }, 30_000);

  it.each([
    ['the upload is refused', () => bench.images.faults.fail('upload', refusal('glance'))],
    ['the host cannot copy', () => Object.assign(bench.hosts[0]?.behaviour ?? {}, { failures: { snapshot: 100 } })],
  ])(
    'is gone when %s',
    async (_what, arrange) => {
      const id = await active();
      arrange();
      const before = bench.images.images.size;
      expect((await act(id, { createImage: { name: 'snap' } })).status).toBe(202);
      await bench.until(id, 'ACTIVE');
      expect(bench.images.images.size).toBe(before);
      await remove(id);
    },
    30_000,
  );

  it('of a server that boots from a volume names snapshots, and servers boot from these', async () => {
    const volume = bench.volumes.add({ project_id: bench.project, bootable: true, size: 3 });
    const id = await active({
      imageRef: undefined,
      block_device_mapping_v2: [{ source_type: 'volume', uuid: volume.id, destination_type: 'volume', boot_index: 0 }],
    });
    const { json } = await act(id, { createImage: { name: 'snap' } }, { version: '2.45' });
    const image = String(json['image_id']);
    await bench.until(id, 'ACTIVE');
    const made = bench.images.images.get(image);
    expect(made?.status).toBe('active');
    const [snapshot] = [...bench.volumes.snapshots.values()];
    expect(JSON.parse(String(made?.image.properties['block_device_mapping']))).toMatchObject([
      { source_type: 'snapshot', snapshot_id: snapshot?.id, volume_size: 3, boot_index: 0 },
    ]);
    const child = await active({ imageRef: image });
    const shown = await bench.show(child);
    expect([shown?.['image'], shown?.['os-extended-volumes:volumes_attached']]).toEqual([
      '',
      [{ id: expect.anything() }],
    ]);
    await bench.call('DELETE', `/servers/${child}`);
    await bench.until(child, 'GONE');
    bench.images.faults.fail('setProperties', refusal('glance'));
    await act(id, { createImage: { name: 'not' } });
    await bench.until(id, 'ACTIVE');
    expect(bench.volumes.snapshots.size).toBe(1);
    bench.volumes.snapshots.clear();
    bench.images.images.delete(image);
    await remove(id);
  }, 30_000);

  it('that glance does not take is refused, and the server is free again', async () => {
    const id = await active();
    bench.images.faults.fail('ensure', refusal('glance'));
    const before = bench.images.images.size;
    expect((await act(id, { createImage: { name: 'snap' } })).status).toBe(400);
    await bench.until(id, 'ACTIVE');
    expect(bench.images.images.size).toBe(before);
    await remove(id);
  }, 30_000);

  it('is given up when its server is deleted meanwhile', async () => {
    const id = await active();
    slow('snapshot');
    const before = bench.images.images.size;
    await act(id, { createImage: { name: 'snap' } });
    await remove(id);
    expect(bench.images.images.size).toBe(before);
  }, 30_000);
});

it('diagnostics have their standard form from 2.48 on', async () => {
  const id = await active();
  const of = (version: string) =>
    bench.call('GET', `/servers/${id}/diagnostics`, { as: `${bench.project}:admin`, version });
  expect((await of('2.47')).json).toMatchObject({ cpu0_time: expect.any(Number) });
  expect((await of('2.48')).json).toMatchObject({
    state: 'running',
    driver: 'libvirt',
    hypervisor_os: 'linux',
    uptime: expect.any(Number),
    config_drive: false,
    num_cpus: 1,
    cpu_details: [{ id: 0, time: expect.any(Number), utilisation: null }],
    num_nics: 1,
    nic_details: [{ mac_address: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/) }],
    disk_details: [],
    memory_details: { maximum: 64, used: 64 },
  });
  await remove(id);
}, 30_000);

it('a host that was killed amid a snapshot lets its guest run again', async () => {
  const id = await active();
  const host = await bench.startHost(`halted-${id.slice(0, 8)}`);
  const there = await bench.boot({ availability_zone: `nova:${host.name}` }, { as: `${bench.project}:admin` });
  await bench.until(there, 'ACTIVE');
  await host.driver.pause({} as Parameters<typeof host.driver.pause>[0], there);
  await host.stop();
  bench.hosts.splice(bench.hosts.indexOf(host), 1);
  const again = await bench.startHost(host.name);
  await until('the guest runs', async () => (await again.driver.guests())[0]?.power === 1);
  await bench.call('DELETE', `/servers/${there}`);
  await bench.until(there, 'GONE');
  await remove(id);
}, 30_000);

it('passwords cannot be set, and nothing waits to be restored', async () => {
  const id = await active();
  expect((await act(id, { changePassword: { adminPass: 'x' } })).json['conflictingRequest']).toMatchObject({
    message: 'QEMU guest agent is not enabled',
  });
  expect((await act(id, { restore: null })).status).toBe(409);
  expect((await act(id, { changePassword: { adminPass: 'x' } }, { as: 'another' })).status).toBe(404);
  for (const body of [
    { suspend: null },
    { rescue: null },
    { rebuild: { imageRef: bench.image } },
    { createImage: { name: 'x' } },
  ])
    expect([(await act(id, body, { as: 'another' })).status, body]).toEqual([404, body]);
  await remove(id);
}, 30_000);
