import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { until } from '@nestack/kernel/testing';
import { Bench, type BenchHost, type CallOptions } from './testing/bench';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

/** Servers that go to another host: resized there, or migrated. */
let bench: Bench;
let large = '';

beforeAll(async () => {
  bench = await Bench.start({ hosts: 2 });
  large = await bench.addFlavor({ vcpus: 2, ram: 128, disk: 2 });
}, 60_000);

afterAll(() => bench.close(), 60_000);

afterEach(async () => {
  for (const host of bench.hosts) await host.forceDown(false);
  await bench.tidy();
  bench.volumes.volumes.clear();
}, 30_000);

const admin = () => `${bench.project}:admin`;
const act = (id: string, body: Record<string, unknown>, options: CallOptions = {}) =>
  bench.call('POST', `/servers/${id}/action`, { ...options, body });
const migrate = (id: string, to: string | null = null, options: CallOptions = {}) =>
  act(id, { migrate: to === null ? null : { host: to } }, { as: admin(), version: '2.56', ...options });

async function hostOf(id: string): Promise<BenchHost> {
  const name = (await bench.show(id, { as: admin() }))?.['OS-EXT-SRV-ATTR:host'];
  const found = bench.hosts.find((host) => host.name === name);
  if (found === undefined) throw new Error(`the server ${id} is on no host`);
  return found;
}

const other = (than: BenchHost): BenchHost => bench.hosts.find((host) => host.name !== than.name) ?? than;

/** A server with two disks, its own and a volume, where it is and what its disk holds. */
async function active(): Promise<{ id: string; from: BenchHost; to: BenchHost; disk: unknown; volume: string }> {
  const id = await bench.boot();
  await bench.until(id, 'ACTIVE');
  const volume = bench.volumes.add({ project_id: bench.project });
  await bench.call('POST', `/servers/${id}/os-volume_attachments`, {
    body: { volumeAttachment: { volumeId: volume.id } },
  });
  await until('it is attached', () => bench.volumes.of(volume.id).some((one) => one.attached));
  await bench.until(id, 'ACTIVE');
  const from = await hostOf(id);
  return { id, from, to: other(from), disk: from.driver.diskOf(id), volume: volume.id };
}

/** What Placement counts, by the name of the host. */
const claims = (): readonly string[] =>
  [...bench.placement.allocations.values()]
    .map(
      ({ provider, amounts }) =>
        `${bench.placement.providers.get(provider)?.name ?? ''} ${String(amounts['MEMORY_MB'])}`,
    )
    .sort();

const migrationsOf = async (id: string) =>
  (await bench.call('GET', `/os-migrations?instance_uuid=${id}`, { as: admin(), version: '2.80' })).json[
    'migrations'
  ] as readonly Record<string, unknown>[];

/** Everything of the server is on the host: guest, disk, volume, port. */
async function isOn(id: string, host: BenchHost, about: { disk: unknown; volume: string }): Promise<void> {
  const server = await bench.show(id, { as: admin() });
  expect([server?.['OS-EXT-SRV-ATTR:host'], server?.['OS-EXT-SRV-ATTR:hypervisor_hostname']]).toEqual([
    host.name,
    host.name,
  ]);
  expect(host.driver.diskOf(id)).toBe(about.disk);
  expect(bench.volumes.of(about.volume)).toMatchObject([{ attached: true, connector: { host: host.name } }]);
  expect(bench.networks.of(id).map((port) => port.host)).toEqual([host.name]);
}

async function remove(id: string): Promise<void> {
  await bench.call('DELETE', `/servers/${id}`);
  await bench.until(id, 'GONE');
  expect(await bench.leftovers()).toEqual([]);
}

describe('a move', () => {
  it('is over when neutron says that the ports work, and fails when it does not', async () => {
    const { id, from, to } = await active();
    const { plugged } = bench.networks;
    const silent: Parameters<typeof plugged>[0][] = [];
    bench.networks.plugged = (port) => void silent.push(port);
    try {
      expect((await migrate(id)).status).toBe(202);
      await until('the guest is there', async () =>
        (await to.driver.guests()).some(({ uuid, power }) => uuid === id && power === 1),
      );
      expect(await bench.show(id, { as: admin() })).toMatchObject({
        status: 'RESIZE',
        'OS-EXT-STS:task_state': 'resize_finish',
      });
      for (const port of silent.splice(0)) plugged(port);
      await bench.until(id, 'VERIFY_RESIZE');
      expect((await act(id, { revertResize: null })).status).toBe(202);
      expect((await bench.until(id, 'ERROR'))['fault']).toMatchObject({ message: 'Virtual Interface creation failed' });
      expect((await hostOf(id)).name).toBe(from.name);
    } finally {
      bench.networks.plugged = plugged;
    }
    await remove(id);
  }, 30_000);
});

describe('a resize to another host', () => {
  it('takes disk, volumes and ports along, holds both hosts, and lets go of the old one when it is confirmed', async () => {
    const made = await active();
    const { id, from, to } = made;
    expect((await act(id, { resize: { flavorRef: large } })).status).toBe(202);
    await bench.until(id, 'VERIFY_RESIZE');
    await isOn(id, to, made);
    expect(claims()).toEqual([`${from.name} 64`, `${to.name} 128`].sort());
    expect(from.driver.diskOf(id)).toBeNull();
    expect(await migrationsOf(id)).toMatchObject([
      {
        status: 'finished',
        migration_type: 'resize',
        source_compute: from.name,
        dest_compute: to.name,
        dest_host: '127.0.0.1',
      },
    ]);
    // A host that restarts keeps what may have to be taken back.
    const returned = await bench.restartHost(from);
    expect(returned.driver.diskOf(id)).toBeNull();
    expect((await act(id, { confirmResize: null })).status).toBe(204);
    await bench.until(id, 'ACTIVE');
    expect(claims()).toEqual([`${to.name} 128`]);
    expect(returned.driver.diskOf(id)).toBeUndefined();
    const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
    const [, { request_id: request } = { request_id: '' }] = json['instanceActions'] as { request_id: string }[];
    const shown = await bench.call('GET', `/servers/${id}/os-instance-actions/${request}`, { as: admin() });
    const events = (shown.json['instanceAction'] as { events: { event: string }[] }).events.map(({ event }) => event);
    for (const event of ['cold_migrate', 'compute_prep_resize', 'compute_resize_instance', 'compute_finish_resize'])
      expect(events).toContain(event);
    await remove(id);
  }, 60_000);

  it('that is reverted brings everything back', async () => {
    const made = await active();
    const { id, from, to } = made;
    await act(id, { resize: { flavorRef: large } });
    await bench.until(id, 'VERIFY_RESIZE');
    expect((await act(id, { revertResize: null })).status).toBe(202);
    const server = await bench.until(id, 'ACTIVE');
    expect((server['flavor'] as { id: string }).id).toBe(bench.flavor);
    await isOn(id, from, made);
    expect(claims()).toEqual([`${from.name} 64`]);
    expect(to.driver.diskOf(id)).toBeUndefined();
    expect(await migrationsOf(id)).toMatchObject([{ status: 'reverted' }]);
    await remove(id);
  }, 60_000);

  it.each(['resize', 'finish_resize'] as const)(
    'that a host refuses at %s leaves the server where and as it was',
    async (operation) => {
      const made = await active();
      const { id, from, to } = made;
      for (const { behaviour } of bench.hosts) behaviour.failures = { [operation]: 100 };
      await act(id, { resize: { flavorRef: large } });
      await until('it is over', async () => (await migrationsOf(id))[0]?.['status'] === 'error');
      expect((await bench.until(id, 'ACTIVE'))['OS-EXT-STS:power_state']).toBe(1);
      await isOn(id, from, made);
      expect([claims(), to.driver.diskOf(id)]).toEqual([[`${from.name} 64`], undefined]);
      await remove(id);
    },
    60_000,
  );

  it('of a server that is deleted before it is confirmed leaves nothing on either host', async () => {
    const { id } = await active();
    await act(id, { resize: { flavorRef: large } });
    await bench.until(id, 'VERIFY_RESIZE');
    await remove(id);
    expect(await migrationsOf(id)).toMatchObject([{ status: 'confirmed' }]);
  }, 60_000);
});

describe('a host that dies', () => {
  /** Begins a migration that stops where the ports are to follow: the guest has left, and has not arrived. */
  async function halfWay() {
    const made = await active();
    const go = bench.networks.faults.hold('ensurePorts');
    await migrate(made.id);
    await until('the guest has left', () => made.from.driver.diskOf(made.id) === null);
    await until('its ports are to follow', () => bench.networks.faults.count('ensurePorts') > 1);
    return { ...made, go };
  }

  it('while a guest comes to it leaves the guest where it was; returned, it has nothing of it', async () => {
    const made = await halfWay();
    await made.to.stop();
    await made.to.forceDown(true);
    made.go();
    await until('it is over', async () => (await migrationsOf(made.id))[0]?.['status'] === 'error');
    expect((await bench.until(made.id, 'ACTIVE'))['OS-EXT-STS:power_state']).toBe(1);
    await isOn(made.id, made.from, made);
    expect(claims()).toEqual([`${made.from.name} 64`]);
    const returned = await bench.restartHost(made.to);
    await returned.forceDown(false);
    await until('the late command is refused', () => returned.driver.diskOf(made.id) === undefined);
    expect((await migrate(made.id)).status).toBe(202);
    await bench.until(made.id, 'VERIFY_RESIZE');
    await isOn(made.id, returned, made);
    await remove(made.id);
  }, 90_000);

  it('after a guest has left it has the guest again when it returns', async () => {
    const made = await halfWay();
    await made.from.stop();
    await made.from.forceDown(true);
    made.go();
    await until('it is over', async () => (await migrationsOf(made.id))[0]?.['status'] === 'error', 30_000);
    expect(claims()).toEqual([`${made.from.name} 64`]);
    expect(made.to.driver.diskOf(made.id)).toBeUndefined();
    const returned = await bench.restartHost(made.from);
    await returned.forceDown(false);
    await until('its guest runs', async () => (await returned.driver.guests()).some(({ power }) => power === 1));
    await bench.until(made.id, 'ACTIVE');
    await isOn(made.id, returned, made);
    await remove(made.id);
  }, 90_000);

  it('before its guest is taken back leaves the server to be confirmed or reverted later', async () => {
    const made = await active();
    await migrate(made.id);
    await bench.until(made.id, 'VERIFY_RESIZE');
    await made.from.stop();
    await made.from.forceDown(true);
    expect((await act(made.id, { confirmResize: null })).json['conflictingRequest']).toMatchObject({
      message: 'Service is unavailable at this time.',
    });
    expect((await act(made.id, { revertResize: null })).status).toBe(202);
    await bench.until(made.id, 'VERIFY_RESIZE');
    await isOn(made.id, made.to, made);
    const returned = await bench.restartHost(made.from);
    await returned.forceDown(false);
    expect((await act(made.id, { revertResize: null })).status).toBe(202);
    await bench.until(made.id, 'ACTIVE');
    await isOn(made.id, returned, made);
    await remove(made.id);
  }, 90_000);

  it('that had taken a guest gives it back without being asked', async () => {
    const made = await active();
    await migrate(made.id);
    await bench.until(made.id, 'VERIFY_RESIZE');
    await made.to.stop();
    await made.to.forceDown(true);
    expect((await act(made.id, { revertResize: null })).status).toBe(202);
    await bench.until(made.id, 'ACTIVE');
    await isOn(made.id, made.from, made);
    const returned = await bench.restartHost(made.to);
    await returned.forceDown(false);
    await until('nothing is left there', () => returned.driver.diskOf(made.id) === undefined);
    await remove(made.id);
  }, 90_000);

  it('and returns before an operation is over that has passed it by has nothing of the guest in the end', async () => {
    const made = await active();
    await migrate(made.id);
    await bench.until(made.id, 'VERIFY_RESIZE');
    await made.to.stop();
    await made.to.forceDown(true);
    const calls = bench.networks.faults.count('ensurePorts');
    const go = bench.networks.faults.hold('ensurePorts');
    expect((await act(made.id, { revertResize: null })).status).toBe(202);
    await until('its ports are to follow', () => bench.networks.faults.count('ensurePorts') > calls);
    const returned = await bench.restartHost(made.to);
    await returned.forceDown(false);
    expect(returned.driver.diskOf(made.id)).toBe(made.disk);
    go();
    await bench.until(made.id, 'ACTIVE');
    await until('nothing is left there', () => returned.driver.diskOf(made.id) === undefined);
    await isOn(made.id, made.from, made);
    await remove(made.id);
  }, 90_000);
});

describe('a cold migration', () => {
  it('moves a server with its flavor, to the host that is named', async () => {
    const made = await active();
    const { id, from, to } = made;
    const answer = await migrate(id, to.name);
    expect([answer.status, answer.text]).toEqual([202, '']);
    const server = await bench.until(id, 'VERIFY_RESIZE');
    expect((server['flavor'] as { id: string }).id).toBe(bench.flavor);
    await isOn(id, to, made);
    expect(await migrationsOf(id)).toMatchObject([{ migration_type: 'migration', status: 'finished' }]);
    await act(id, { revertResize: null });
    await bench.until(id, 'ACTIVE');
    await isOn(id, from, made);
    expect((await migrate(id)).status).toBe(202);
    await bench.until(id, 'VERIFY_RESIZE');
    await act(id, { confirmResize: null });
    await bench.until(id, 'ACTIVE');
    await isOn(id, to, made);
    expect(claims()).toEqual([`${to.name} 64`]);
    const { json } = await bench.call('GET', `/servers/${id}/os-instance-actions`);
    const actions = (json['instanceActions'] as { action: string }[]).map(({ action }) => action);
    expect(actions.slice(0, 4)).toEqual(['confirmResize', 'migrate', 'revertResize', 'migrate']);
    await remove(id);
  }, 60_000);

  it('of a stopped server leaves it stopped', async () => {
    const made = await active();
    await act(made.id, { 'os-stop': null });
    await bench.until(made.id, 'SHUTOFF');
    await migrate(made.id);
    expect((await bench.until(made.id, 'VERIFY_RESIZE'))['OS-EXT-STS:power_state']).toBe(4);
    await act(made.id, { confirmResize: null });
    await bench.until(made.id, 'SHUTOFF');
    await isOn(made.id, made.to, made);
    await remove(made.id);
  }, 60_000);

  it('is for administrators, of servers that are at rest, to other hosts that there are', async () => {
    const { id, from, to } = await active();
    expect((await migrate(id, null, { as: bench.project })).status).toBe(403);
    expect((await migrate(id, to.name, { as: bench.project })).status).toBe(403);
    expect((await migrate(newUuid())).status).toBe(404);
    expect((await migrate(id, from.name)).json['badRequest']).toMatchObject({
      message: 'Cannot migrate to the host where the server exists.',
    });
    expect((await migrate(id, 'nowhere')).json['badRequest']).toMatchObject({
      message: 'Compute host nowhere could not be found.',
    });
    expect((await act(id, { migrate: { host: to.name, force: true } }, { as: admin(), version: '2.56' })).status).toBe(
      400,
    );
    await act(id, { pause: null });
    await bench.until(id, 'PAUSED');
    expect((await migrate(id)).json['conflictingRequest']).toMatchObject({
      message: `Cannot 'migrate' instance ${id} while it is in vm_state paused`,
    });
    await act(id, { unpause: null });
    await bench.until(id, 'ACTIVE');
    await from.forceDown(true);
    expect((await migrate(id)).json['conflictingRequest']).toMatchObject({
      message: 'Service is unavailable at this time.',
    });
    await from.forceDown(false);
    // Before 2.56 whatever stands in the body is passed over.
    expect((await act(id, { migrate: { host: from.name } }, { as: admin(), version: '2.55' })).status).toBe(202);
    await bench.until(id, 'VERIFY_RESIZE');
    expect((await hostOf(id)).name).toBe(to.name);
    await remove(id);
  }, 60_000);

  it('that no host can take leaves the server where it is, with its claim', async () => {
    const { id, from, to } = await active();
    to.behaviour.failures = { prep_resize: 100 };
    await migrate(id);
    await until('it is over', async () => (await migrationsOf(id))[0]?.['status'] === 'error');
    await bench.until(id, 'ACTIVE');
    expect([(await hostOf(id)).name, claims()]).toEqual([from.name, [`${from.name} 64`]]);
    await remove(id);
  }, 60_000);

  it('asks the next host when one cannot take the guest', async () => {
    const third = await bench.startHost(`host-3-${newUuid().slice(0, 6)}`);
    const { id, to } = await active();
    to.behaviour.failures = { prep_resize: 100 };
    await migrate(id);
    await bench.until(id, 'VERIFY_RESIZE');
    expect((await hostOf(id)).name).toBe(third.name);
    await remove(id);
    await third.stop();
    bench.hosts.splice(bench.hosts.indexOf(third), 1);
    for (const [uuid, { name }] of bench.placement.providers)
      if (name === third.name) bench.placement.providers.delete(uuid);
  }, 60_000);
});
