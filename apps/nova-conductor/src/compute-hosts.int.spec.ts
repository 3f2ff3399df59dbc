import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@nestack/kernel/clock';
import { SYSTEM_ACTOR, newContext } from '@nestack/kernel/context';
import { execute, sqlOne } from '@nestack/kernel/db';
import { newUuid } from '@nestack/kernel/ids';
import { createSagas } from '@nestack/kernel/saga';
import { createTestDatabase, type TestDatabase } from '@nestack/kernel/testing';
import { POWER_STATE, type HostFacts, type PowerState } from '@nestack/nova/contract';
import {
  BlockDevicesRepository,
  ComputeNodesRepository,
  InstancesRepository,
  MigrationsRepository,
  ServicesRepository,
  novaMigrations,
} from '@nestack/nova/data';
import { ComputeHosts, type Instance } from '@nestack/nova/domain';
import { FakePlacement, anInstance } from '@nestack/nova/testing';

const ctx = newContext({ actor: SYSTEM_ACTOR });
const HOST = 'host-1';
const FACTS: HostFacts = {
  hypervisor_hostname: HOST,
  host_ip: '127.0.0.1',
  hypervisor_type: 'fake',
  hypervisor_version: 1,
  vcpus: 8,
  memory_mb: 4096,
  local_gb: 100,
  vcpus_used: 0,
  memory_mb_used: 0,
  local_gb_used: 0,
  running_vms: 0,
  cpu_info: {},
  supported_instances: [],
  traits: ['HW_CPU_X86_AVX'],
  uptime: null,
};

let test: TestDatabase;
let placement: FakePlacement;
let hosts: ComputeHosts;
const instances = new InstancesRepository();
const services = new ServicesRepository();
const sagas = createSagas(() => undefined);

beforeAll(async () => {
  test = await createTestDatabase('nova', novaMigrations);
});

afterAll(() => test.close());

beforeEach(async () => {
  await test.database.run('clean', (tx) => execute(tx, 'TRUNCATE instance, service, compute_node, saga CASCADE'));
  placement = new FakePlacement();
  hosts = new ComputeHosts({
    tx: test.database,
    clock: systemClock,
    instances,
    services,
    nodes: new ComputeNodesRepository(),
    devices: new BlockDevicesRepository(),
    migrations: new MigrationsRepository(),
    operations: sagas,
    placement,
  });
});

async function insert(fields: Partial<Instance>): Promise<Instance> {
  const instance = anInstance({ host: HOST, node: HOST, ...fields });
  await test.database.run('insert', (tx) => instances.insert(tx, instance));
  return instance;
}

const show = (uuid: string) => test.database.read('show', (tx) => instances.find(tx, uuid, { deleted: true }));

describe('a host that comes up', () => {
  it('becomes a service, a compute node and a resource provider of one uuid, as it counts itself', async () => {
    const uuid = await hosts.up(ctx, HOST, {
      ...FACTS,
      accounting: {
        cpu_allocation_ratio: 2,
        ram_allocation_ratio: 1.5,
        disk_allocation_ratio: 1,
        reserved_host_cpus: 1,
        reserved_host_memory_mb: 1024,
        reserved_host_disk_mb: 1500,
      },
    });
    expect(placement.providers.get(uuid)).toMatchObject({
      name: HOST,
      traits: ['HW_CPU_X86_AVX'],
      inventory: {
        VCPU: { total: 8, reserved: 1, allocation_ratio: 2, max_unit: 8 },
        MEMORY_MB: { total: 4096, reserved: 1024, allocation_ratio: 1.5, max_unit: 4096 },
        DISK_GB: { total: 100, reserved: 2, allocation_ratio: 1, max_unit: 100 },
      },
    });
    expect(await hosts.up(ctx, HOST, { ...FACTS, vcpus: 16, local_gb: 0 })).toBe(uuid);
    expect(placement.providers.size).toBe(1);
    expect(placement.providers.get(uuid)?.inventory).toMatchObject({ VCPU: { total: 16, allocation_ratio: 4 } });
    expect(placement.providers.get(uuid)?.inventory).not.toHaveProperty('DISK_GB');
  });

  it('stays disabled when an operator disabled it', async () => {
    const uuid = await hosts.up(ctx, HOST, FACTS);
    await test.database.run('disable', async (tx) => {
      const [service] = await services.list(tx, { host: HOST });
      await services.update(tx, service?.uuid ?? '', { disabled: true });
    });
    await hosts.up(ctx, HOST, FACTS);
    expect(placement.providers.get(uuid)?.disabled).toBe(true);
  });
});

describe('the guests of a host', () => {
  it('are those that belong there; what nova deleted or moved is to go, what it never made is not its own', async () => {
    const running = await insert({});
    const stopped = await insert({ vm_state: 'stopped', power_state: POWER_STATE.shutdown });
    const deleted = await insert({ vm_state: 'deleted', deleted_at: new Date() });
    const elsewhere = await insert({ host: 'host-2' });
    const failed = await insert({ host: null, vm_state: 'error' });
    const stranger = newUuid();
    const present = [running, stopped, deleted, elsewhere, failed].map(({ uuid }) => uuid);
    const { instances: wanted, orphans } = await hosts.guests(HOST, [...present, stranger]);
    expect(wanted.map((one) => [one.instance.uuid, one.should_run, one.busy])).toEqual([
      [running.uuid, true, false],
      [stopped.uuid, false, false],
    ]);
    expect(orphans.map(({ uuid }) => uuid)).toEqual([deleted.uuid, elsewhere.uuid, failed.uuid]);
  });

  it('are left to the operation that works on them', async () => {
    const building = await insert({ vm_state: 'building', host: null });
    const stopping = await insert({ task_state: 'powering-off' });
    for (const { uuid } of [building, stopping])
      await test.database.run('start', (tx) =>
        sagas.start(ctx, tx, 'server.stop', { params: { instance_uuid: uuid }, resourceId: uuid }),
      );
    const { instances: wanted, orphans, undecided } = await hosts.guests(HOST, [building.uuid, stopping.uuid]);
    expect(orphans).toEqual([]);
    expect([...undecided].sort()).toEqual([building.uuid, stopping.uuid].sort());
    expect(wanted).toMatchObject([{ instance: { uuid: stopping.uuid }, busy: true }]);
  });
});

describe('a guest whose power changes by itself', () => {
  const tell = (uuid: string, power: PowerState, at = new Date()) => hosts.powerChanged(ctx, HOST, uuid, power, at);

  it('is stopped when it ended', async () => {
    const { uuid } = await insert({});
    await tell(uuid, POWER_STATE.shutdown);
    expect(await show(uuid)).toMatchObject({ vm_state: 'stopped', power_state: 4, task_state: null });
  });

  it('is stopped again when it should be off', async () => {
    const { uuid } = await insert({ vm_state: 'stopped', power_state: POWER_STATE.shutdown });
    await tell(uuid, POWER_STATE.running);
    expect(await show(uuid)).toMatchObject({ vm_state: 'stopped', power_state: 1, task_state: 'powering-off' });
    const run = await test.database.read('saga', (tx) =>
      sqlOne<{ kind: string }>(tx, 'SELECT kind FROM saga WHERE resource_id = $1', [uuid]),
    );
    expect(run?.kind).toBe('server.stop');
  });

  it('is let alone while an operation is under way, on another host, or when the news is old', async () => {
    const busy = await insert({ task_state: 'rebooting' });
    await tell(busy.uuid, POWER_STATE.shutdown);
    expect(await show(busy.uuid)).toMatchObject({ vm_state: 'active' });
    const moved = await insert({ host: 'host-2' });
    await tell(moved.uuid, POWER_STATE.shutdown);
    expect(await show(moved.uuid)).toMatchObject({ vm_state: 'active' });
    const started = await insert({});
    await test.database.run('past', async (tx) => {
      await sagas.start(ctx, tx, 'server.start', { params: {}, resourceId: started.uuid });
      await execute(tx, "UPDATE saga SET state = 'done', updated_at = clock_timestamp()");
    });
    await tell(started.uuid, POWER_STATE.shutdown, new Date(Date.now() - 60_000));
    expect(await show(started.uuid)).toMatchObject({ vm_state: 'active' });
    await tell(newUuid(), POWER_STATE.shutdown);
  });
});

describe('whether a guest is wanted', () => {
  it('follows from its host and its end', async () => {
    const here = await insert({});
    const dying = await insert({ task_state: 'deleting' });
    const gone = await insert({ deleted_at: new Date() });
    const answers = await Promise.all([here, dying, gone].map(({ uuid }) => hosts.wants(HOST, uuid)));
    expect(answers).toEqual([true, false, false]);
    expect(await hosts.wants('host-2', here.uuid)).toBe(false);
  });
});
