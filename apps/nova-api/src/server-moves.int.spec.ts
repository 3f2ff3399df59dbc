import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { Bench, type CallOptions } from './testing/bench';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let bench: Bench;
let large = '';

beforeAll(async () => {
  bench = await Bench.start({ hosts: 2, allowResizeToSameHost: true });
  large = await bench.addFlavor({ vcpus: 2, ram: 128, disk: 2 });
}, 60_000);

afterAll(async () => {
  await bench.close();
});

afterEach(() => bench.tidy(), 30_000);

const act = (id: string, body: Record<string, unknown>, options: CallOptions = {}) =>
  bench.call('POST', `/servers/${id}/action`, { ...options, body });
const resize = (id: string, flavorRef = large, options: CallOptions = {}) =>
  act(id, { resize: { flavorRef } }, options);

async function active(): Promise<string> {
  const id = await bench.boot();
  await bench.until(id, 'ACTIVE');
  return id;
}

async function stopped(): Promise<string> {
  const id = await active();
  await act(id, { 'os-stop': null });
  await bench.until(id, 'SHUTOFF');
  return id;
}

async function resized(): Promise<string> {
  const id = await active();
  await resize(id);
  await bench.until(id, 'VERIFY_RESIZE');
  return id;
}

async function stateOf(id: string): Promise<readonly unknown[]> {
  const server = await bench.show(id);
  return [server?.['status'], server?.['OS-EXT-STS:vm_state'], server?.['OS-EXT-STS:task_state']];
}

async function flavorOf(id: string): Promise<unknown> {
  return ((await bench.show(id))?.['flavor'] as { id: string }).id;
}

async function remove(id: string): Promise<void> {
  await bench.call('DELETE', `/servers/${id}`);
  await bench.until(id, 'GONE');
  expect(await bench.leftovers()).toEqual([]);
}

async function memoryOf(id: string): Promise<unknown> {
  return (await bench.call('GET', `/servers/${id}/diagnostics`, { as: `${bench.project}:admin` })).json['memory'];
}

/** Memory that Placement counts for the server: its own, and what its migrations hold. */
const claims = (): readonly (number | undefined)[] =>
  [...bench.placement.allocations.values()].map(({ amounts }) => amounts['MEMORY_MB']).sort();

const migrationsOf = async (id: string, version = '2.80') =>
  (await bench.call('GET', `/os-migrations?instance_uuid=${id}`, { as: `${bench.project}:admin`, version })).json[
    'migrations'
  ] as readonly Record<string, unknown>[];

describe('resize', () => {
  // The other host would be preferred: it is empty.
  beforeAll(() => bench.hosts[1]?.forceDown(true));
  afterAll(() => bench.hosts[1]?.forceDown(false));

  it('shows RESIZE at once, holds both flavors until it is confirmed, and gives up the old one then', async () => {
    const id = await active();
    const host = (await bench.show(id, { as: `${bench.project}:admin` }))?.['OS-EXT-SRV-ATTR:host'];
    for (const { behaviour } of bench.hosts) behaviour.delays = { resize: 300 };
    const answer = await resize(id);
    expect([answer.status, answer.text]).toEqual([202, '']);
    expect((await stateOf(id)).slice(0, 2)).toEqual(['RESIZE', 'active']);
    expect((await resize(id)).status).toBe(409);
    expect((await act(id, { 'os-stop': null })).status).toBe(409);
    expect((await act(id, { confirmResize: null })).status).toBe(409);
    const server = await bench.until(id, 'VERIFY_RESIZE');
    expect([server['OS-EXT-STS:vm_state'], server['OS-EXT-STS:power_state']]).toEqual(['resized', 1]);
    expect(server['OS-EXT-SRV-ATTR:host']).toBe(host);
    expect([await flavorOf(id), await memoryOf(id)]).toEqual([large, 128 * 1024]);
    expect(claims()).toEqual([128, 64]);
    for (const body of [{ 'os-stop': null }, { reboot: { type: 'SOFT' } }, { rebuild: { imageRef: bench.image } }])
      expect([(await act(id, body)).status, body]).toEqual([409, body]);
    const confirmed = await act(id, { confirmResize: null });
    expect([confirmed.status, confirmed.text]).toEqual([204, '']);
    await bench.until(id, 'ACTIVE');
    expect(claims()).toEqual([128]);
    expect((await act(id, { confirmResize: null })).status).toBe(409);
    expect((await act(id, { revertResize: null })).status).toBe(409);
    const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
    const actions = (json['instanceActions'] as { action: string }[]).map(({ action }) => action);
    expect(actions.slice(0, 2)).toEqual(['confirmResize', 'resize']);
    await remove(id);
  }, 30_000);

  it('is taken back by a revert, with the old flavor, sizes and claim', async () => {
    const id = await resized();
    for (const { behaviour } of bench.hosts) behaviour.delays = { revert_resize: 300 };
    expect((await act(id, { revertResize: null })).status).toBe(202);
    expect(await stateOf(id)).toEqual(['REVERT_RESIZE', 'resized', 'resize_reverting']);
    expect((await act(id, { revertResize: null })).status).toBe(409);
    await bench.until(id, 'ACTIVE');
    expect([await flavorOf(id), await memoryOf(id)]).toEqual([bench.flavor, 64 * 1024]);
    expect(claims()).toEqual([64]);
    expect((await migrationsOf(id)).map(({ status }) => status)).toEqual(['reverted']);
    await remove(id);
  }, 30_000);

  it.each(['confirmResize', 'revertResize'])(
    'of a stopped server leaves it stopped (%s)',
    async (end) => {
      const id = await stopped();
      expect((await resize(id)).status).toBe(202);
      expect((await bench.until(id, 'VERIFY_RESIZE'))['OS-EXT-STS:power_state']).toBe(4);
      await act(id, { [end]: null });
      expect((await bench.until(id, 'SHUTOFF'))['OS-EXT-STS:power_state']).toBe(4);
      await remove(id);
    },
    30_000,
  );

  it('refuses flavors that there are not, the same one, and smaller disks', async () => {
    const id = await active();
    const small = await bench.addFlavor({ vcpus: 1, ram: 64, disk: 0 });
    expect((await resize(id, newUuid())).status).toBe(400);
    expect((await act(id, { resize: { flavorRef: null } })).status).toBe(400);
    expect((await act(id, { resize: { flavorRef: '' } })).status).toBe(400);
    expect((await act(id, { resize: {} })).status).toBe(400);
    expect((await resize(id, bench.flavor)).json['badRequest']).toMatchObject({
      message: 'When resizing, instances must change flavor!',
    });
    expect((await resize(id, small)).json['badRequest']).toMatchObject({
      message: 'Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.',
    });
    await resize(id);
    await bench.until(id, 'VERIFY_RESIZE');
    await act(id, { confirmResize: null });
    await bench.until(id, 'ACTIVE');
    expect((await resize(id, bench.flavor)).status).toBe(400);
    expect((await stateOf(id))[0]).toBe('ACTIVE');
    await remove(id);
  }, 30_000);

  it('refuses locked servers, those of others, and what is over the quota', async () => {
    const id = await active();
    await act(id, { lock: null });
    expect((await resize(id)).status).toBe(409);
    await act(id, { unlock: null });
    expect((await resize(id, large, { as: 'another' })).status).toBe(404);
    expect((await resize(newUuid())).status).toBe(404);
    expect((await act(id, { confirmResize: null })).status).toBe(409);
    expect((await resize(id, large, { as: `${bench.project}:reader` })).status).toBe(403);
    const huge = await bench.addFlavor({ vcpus: 21, ram: 128, disk: 2 });
    expect((await resize(id, huge)).json['forbidden']).toMatchObject({
      message: expect.stringContaining('Quota exceeded for cores: Requested 20, but already used 1 of 20 cores'),
    });
    await remove(id);
  }, 30_000);

  it('counts what resizes under way will use', async () => {
    const [first, second] = [await active(), await active()];
    const eleven = await bench.addFlavor({ vcpus: 11, ram: 128, disk: 2 });
    for (const { behaviour } of bench.hosts) behaviour.delays = { resize: 500 };
    const answers = await Promise.all([resize(first, eleven), resize(second, eleven)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 403]);
    const won = answers[0]?.status === 202 ? first : second;
    await bench.until(won, 'VERIFY_RESIZE');
  }, 30_000);

  it.each([
    ['its host refuses', () => Object.assign(bench.hosts[0]?.behaviour ?? {}, { failures: { resize: 100 } })],
    ['there is no room', () => undefined],
  ])(
    'leaves the server as it was when %s',
    async (_what, arrange) => {
      const id = await active();
      arrange();
      for (const { behaviour } of bench.hosts) Object.assign(behaviour, bench.hosts[0]?.behaviour);
      await bench.call('PUT', `/os-quota-sets/${bench.project}`, {
        as: `${bench.project}:admin`,
        body: { quota_set: { ram: -1 } },
      });
      const flavor = _what.includes('room') ? await bench.addFlavor({ vcpus: 2, ram: 200_000, disk: 2 }) : large;
      expect((await resize(id, flavor)).status).toBe(202);
      await bench.until(id, 'ACTIVE');
      expect([await flavorOf(id), await memoryOf(id), claims()]).toEqual([bench.flavor, 64 * 1024, [64]]);
      expect((await migrationsOf(id)).map(({ status }) => status)).toEqual(['error']);
      await remove(id);
    },
    30_000,
  );

  it('that cannot be reverted ends in ERROR, and a delete releases all', async () => {
    const id = await resized();
    for (const { behaviour } of bench.hosts) behaviour.failures = { revert_resize: 100 };
    await act(id, { revertResize: null });
    expect((await bench.until(id, 'ERROR'))['fault']).toMatchObject({ code: 500 });
    expect(claims()).toEqual([64]);
    await remove(id);
  }, 30_000);

  it('is given up when its server is deleted, before and after', async () => {
    const verified = await resized();
    await remove(verified);
    expect((await migrationsOf(verified)).map(({ status }) => status)).toEqual(['confirmed']);
    const id = await active();
    for (const { behaviour } of bench.hosts) behaviour.delays = { resize: 200 };
    await resize(id);
    await remove(id);
    expect((await migrationsOf(id)).map(({ status }) => status)).toEqual(['error']);
  }, 30_000);

  it('may be begun anew after an administrator has reset the state', async () => {
    const id = await resized();
    const as = `${bench.project}:admin`;
    expect((await act(id, { 'os-resetState': { state: 'active' } }, { as })).status).toBe(202);
    const larger = await bench.addFlavor({ vcpus: 2, ram: 256, disk: 2 });
    expect((await resize(id, larger)).status).toBe(202);
    await bench.until(id, 'VERIFY_RESIZE');
    expect(claims()).toEqual([128, 256]);
    await act(id, { confirmResize: null });
    await bench.until(id, 'ACTIVE');
    await remove(id);
  }, 30_000);
});

async function shelved(fields: Record<string, unknown> = {}): Promise<string> {
  const id = await bench.boot({ name: 'kept', ...fields });
  await bench.until(id, 'ACTIVE');
  expect((await act(id, { shelve: null })).status).toBe(202);
  await bench.until(id, 'SHELVED_OFFLOADED');
  return id;
}

/** Statuses of the images that shelving has made, by name. */
const shelvedImages = (): readonly unknown[] =>
  [...bench.images.images.values()]
    .filter(({ image }) => image.properties['image_type'] === 'snapshot')
    .map(({ image, status }) => [image.properties['name'], status]);

describe('shelve', () => {
  it('leaves the host with an image of the disk, and unshelve brings the server back with its addresses', async () => {
    const id = await active();
    const before = await bench.show(id);
    for (const { behaviour } of bench.hosts) behaviour.delays = { snapshot: 300 };
    const answer = await act(id, { shelve: null });
    expect([answer.status, answer.text]).toEqual([202, '']);
    expect((await stateOf(id)).slice(0, 2)).toEqual(['ACTIVE', 'active']);
    expect(String((await stateOf(id))[2])).toMatch(/^shelving/);
    expect((await act(id, { shelve: null })).status).toBe(409);
    const server = await bench.until(id, 'SHELVED_OFFLOADED');
    expect([server['OS-EXT-SRV-ATTR:host'], server['hostId'], server['OS-EXT-STS:power_state']]).toEqual([null, '', 4]);
    expect(shelvedImages()).toEqual([['vm-shelved', 'active']]);
    expect(claims()).toEqual([]);
    expect((await Promise.all(bench.hosts.map(({ driver }) => driver.guests()))).flat()).toEqual([]);
    for (const body of [{ shelve: null }, { 'os-start': null }, { 'os-stop': null }, { resize: { flavorRef: large } }])
      expect([(await act(id, body)).status, body]).toEqual([409, body]);
    const as = `${bench.project}:admin`;
    expect((await act(id, { shelveOffload: null })).status).toBe(403);
    expect((await act(id, { shelveOffload: null }, { as })).status).toBe(409);
    expect((await act(id, { unshelve: null })).status).toBe(202);
    const back = await bench.until(id, 'ACTIVE');
    expect([back['addresses'], back['image'], back['OS-EXT-STS:power_state']]).toEqual([
      before?.['addresses'],
      before?.['image'],
      1,
    ]);
    expect([shelvedImages(), claims()]).toEqual([[], [64]]);
    expect((await act(id, { unshelve: null })).json['conflictingRequest']).toMatchObject({
      message: `Cannot 'unshelve' instance ${id} while it is in vm_state active`,
    });
    const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
    const actions = (json['instanceActions'] as { action: string }[]).map(({ action }) => action);
    expect(actions.slice(0, 2)).toEqual(['unshelve', 'shelve']);
    await remove(id);
  }, 30_000);

  it('keeps volumes reserved, and needs no image when the root is one', async () => {
    const volume = bench.volumes.add({ project_id: bench.project, bootable: true });
    const id = await shelved({
      imageRef: undefined,
      block_device_mapping_v2: [{ source_type: 'volume', uuid: volume.id, destination_type: 'volume', boot_index: 0 }],
    });
    expect([bench.volumes.volumes.get(volume.id)?.status, shelvedImages()]).toEqual(['reserved', []]);
    await act(id, { unshelve: null });
    await bench.until(id, 'ACTIVE');
    expect(bench.volumes.of(volume.id)).toMatchObject([{ attached: true }]);
    await remove(id);
    bench.volumes.volumes.clear();
  }, 30_000);

  it('that fails leaves the server running', async () => {
    const id = await active();
    for (const { behaviour } of bench.hosts) behaviour.failures = { snapshot: 100 };
    await act(id, { shelve: null });
    expect((await bench.until(id, 'ACTIVE'))['OS-EXT-STS:power_state']).toBe(1);
    expect(
      (await bench.hosts[0]?.driver.guests())?.concat((await bench.hosts[1]?.driver.guests()) ?? []),
    ).toMatchObject([{ power: 1 }]);
    expect(shelvedImages()).toEqual([]);
    await remove(id);
  }, 30_000);

  it('that cannot be undone leaves the server shelved, with its image', async () => {
    const id = await shelved();
    for (const { behaviour } of bench.hosts) behaviour.failures = { spawn: 100 };
    await act(id, { unshelve: null });
    await bench.until(id, 'SHELVED_OFFLOADED');
    expect([shelvedImages(), claims()]).toEqual([[['kept-shelved', 'active']], []]);
    for (const { behaviour } of bench.hosts) behaviour.failures = {};
    await act(id, { unshelve: null });
    await bench.until(id, 'ACTIVE');
    await remove(id);
  }, 30_000);

  it('goes with its image when the server is deleted', async () => {
    await remove(await shelved());
    expect(shelvedImages()).toEqual([]);
  }, 30_000);

  it('takes zone and host of an unshelve from their microversions on', async () => {
    const id = await shelved();
    const as = `${bench.project}:admin`;
    const unshelve = (body: Record<string, unknown>, version: string, who = as) =>
      act(id, { unshelve: body }, { version, as: who });
    expect((await unshelve({ availability_zone: 'moon' }, '2.77')).status).toBe(400);
    expect((await unshelve({}, '2.77')).status).toBe(400);
    expect((await unshelve({ host: bench.hosts[1]?.name }, '2.90')).status).toBe(400);
    expect((await unshelve({ host: 'nowhere' }, '2.91')).status).toBe(400);
    expect((await unshelve({ host: bench.hosts[1]?.name }, '2.91', bench.project)).status).toBe(403);
    const group = { aggregate: { name: 'far', availability_zone: 'far' } };
    const made = (await bench.call('POST', '/os-aggregates', { as, body: group })).json['aggregate'] as { id: number };
    const change = (body: Record<string, unknown>) =>
      bench.call('POST', `/os-aggregates/${String(made.id)}/action`, { as, body });
    await change({ add_host: { host: bench.hosts[0]?.name } });
    const apart = await unshelve({ host: bench.hosts[1]?.name, availability_zone: 'far' }, '2.91');
    expect([apart.status, JSON.stringify(apart.json)]).toEqual([
      409,
      expect.stringMatching(/is not in the availability zone/),
    ]);
    expect(await stateOf(id)).toEqual(['SHELVED_OFFLOADED', 'shelved_offloaded', null]);
    await change({ remove_host: { host: bench.hosts[0]?.name } });
    expect((await unshelve({ host: bench.hosts[1]?.name, availability_zone: 'nova' }, '2.91')).status).toBe(202);
    expect((await bench.until(id, 'ACTIVE'))['OS-EXT-SRV-ATTR:host']).toBe(bench.hosts[1]?.name);
    await remove(id);
  }, 30_000);

  it('is refused for locked servers and those of others', async () => {
    const id = await active();
    await act(id, { lock: null });
    expect((await act(id, { shelve: null })).status).toBe(409);
    await act(id, { unlock: null });
    for (const body of [{ shelve: null }, { unshelve: null }])
      expect([(await act(id, body, { as: 'another' })).status, body]).toEqual([404, body]);
    expect((await act(newUuid(), { shelve: null })).status).toBe(404);
    await remove(id);
  }, 30_000);
});

describe('migrations', () => {
  beforeAll(() => bench.hosts[1]?.forceDown(true));
  afterAll(() => bench.hosts[1]?.forceDown(false));

  it('are listed as each microversion shows them, newest first and in pages', async () => {
    const id = await resized();
    await act(id, { confirmResize: null });
    await bench.until(id, 'ACTIVE');
    const larger = await bench.addFlavor({ vcpus: 2, ram: 256, disk: 2 });
    await resize(id, larger);
    const host = (await bench.until(id, 'VERIFY_RESIZE'))['OS-EXT-SRV-ATTR:host'];
    const oldest = Object.keys((await migrationsOf(id, '2.1'))[0] ?? {}).sort();
    expect(oldest).toEqual(
      [
        ...['id', 'instance_uuid', 'status', 'source_compute', 'source_node', 'dest_compute', 'dest_node', 'dest_host'],
        ...['old_instance_type_id', 'new_instance_type_id', 'created_at', 'updated_at'],
      ].sort(),
    );
    expect((await migrationsOf(id, '2.23'))[0]).toMatchObject({ migration_type: 'resize' });
    expect(await migrationsOf(id)).toMatchObject([
      { status: 'finished', source_compute: host, dest_compute: host, user_id: `u-${bench.project}` },
      { status: 'confirmed', project_id: bench.project },
    ]);
    const as = `${bench.project}:admin`;
    const page = await bench.call('GET', `/os-migrations?instance_uuid=${id}&limit=1`, { as, version: '2.59' });
    expect(page.json['migrations']).toHaveLength(1);
    const [{ href } = { href: '' }] = page.json['migrations_links'] as { href: string }[];
    const rest = await bench.call('GET', href.replace(bench.base, ''), { as, version: '2.59' });
    expect(rest.json['migrations']).toMatchObject([{ status: 'confirmed' }]);
    const unknown = await bench.call('GET', `/os-migrations?marker=${newUuid()}`, { as, version: '2.59' });
    expect(unknown.status).toBe(400);
    const none = await bench.call('GET', '/os-migrations?status=running', { as });
    expect(none.json).toEqual({ migrations: [] });
    expect((await bench.call('GET', '/os-migrations')).status).toBe(403);
    const live = await bench.call('GET', `/servers/${id}/migrations`, { as, version: '2.23' });
    expect(live.json).toEqual({ migrations: [] });
    expect((await bench.call('GET', `/servers/${id}/migrations/1`, { as, version: '2.23' })).status).toBe(404);
    expect((await bench.call('GET', `/servers/${id}/migrations`, { as })).status).toBe(404);
    await remove(id);
  }, 30_000);
});
