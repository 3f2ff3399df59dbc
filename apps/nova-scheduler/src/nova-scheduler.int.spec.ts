import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DynamicModule } from '@nestjs/common';
import Type from 'typebox';
import { defineApp, kernelModule, startApp, type RunningApp } from '@nestack/kernel/app';
import { newContext } from '@nestack/kernel/context';
import { commonConfig } from '@nestack/kernel/config';
import { execute } from '@nestack/kernel/db';
import { newUuid } from '@nestack/kernel/ids';
import { silentLogger } from '@nestack/kernel/log';
import { acquireBroker, createRpcClients, releaseBroker, type RpcClient } from '@nestack/kernel/rpc';
import { createTestDatabase, testBrokerUrl, type TestDatabase } from '@nestack/kernel/testing';
import { SchedulerRpc, type HostFacts, type RequestSpec } from '@nestack/nova/contract';
import { ComputeNodesRepository, novaMigrations, ServicesRepository } from '@nestack/nova/data';
import { PLACEMENT_PORT } from '@nestack/nova/domain';
import { SchedulerHandler } from '@nestack/nova/rpc';
import { FakePlacement } from '@nestack/nova/testing';
import { schedulerProvider } from './nova-scheduler.providers';

const config = Type.Object({ ...commonConfig });
const services = new ServicesRepository();
const nodes = new ComputeNodesRepository();
const ctx = newContext();

let test: TestDatabase;
let placement: FakePlacement;
let schedulers: RunningApp[];
let rpc: RpcClient<typeof SchedulerRpc>;

class SchedulerTestModule {}

/** One nova-scheduler of several, on the same database, broker and Placement. */
function startScheduler(host: string): Promise<RunningApp> {
  const app = defineApp({
    name: 'nova-scheduler',
    config,
    module: (_config, { log }): DynamicModule => ({
      module: SchedulerTestModule,
      imports: [
        kernelModule({
          service: 'nova-scheduler',
          log,
          config: { host },
          database: { config: { url: test.url, schema: 'nova' }, migrations: novaMigrations },
          broker: { url: testBrokerUrl() },
        }),
      ],
      controllers: [SchedulerHandler],
      providers: [{ provide: PLACEMENT_PORT, useFactory: () => placement }, schedulerProvider({ host })],
    }),
  });
  return startApp(app, { host, log_level: 'error' });
}

beforeAll(async () => {
  test = await createTestDatabase('nova', novaMigrations);
  placement = new FakePlacement();
  schedulers = [await startScheduler('c1'), await startScheduler('c2')];
  rpc = createRpcClients(acquireBroker(testBrokerUrl(), silentLogger), silentLogger, 'test').client(SchedulerRpc);
});

afterAll(async () => {
  await Promise.all(schedulers.map((one) => one.close()));
  await releaseBroker(testBrokerUrl());
  await test.close();
});

beforeEach(async () => {
  placement.providers.clear();
  placement.allocations.clear();
  await test.database.run('reset', async (tx) => {
    await execute(tx, 'DELETE FROM compute_node');
    await execute(tx, 'DELETE FROM service');
  });
});

/** A host with places for so many servers; answers the uuid of its compute node. */
async function addHost(name: string, places: number, facts: Partial<HostFacts> = {}): Promise<string> {
  const uuid = newUuid();
  await test.database.run('host', async (tx) => {
    const service = await services.beat(tx, name, 'nova-compute', 'compute', new Date());
    await nodes.upsert(tx, {
      uuid,
      host: name,
      service_id: service.id,
      facts: {
        hypervisor_hostname: `${name}.example`,
        host_ip: '127.0.0.1',
        hypervisor_type: 'fake',
        hypervisor_version: 1,
        vcpus: 8,
        memory_mb: 8192,
        local_gb: 100,
        vcpus_used: 0,
        memory_mb_used: 0,
        local_gb_used: 0,
        running_vms: 0,
        cpu_info: {},
        supported_instances: [['x86_64', 'fake', 'hvm']],
        traits: [],
        uptime: null,
        ...facts,
      },
    });
  });
  const row = (total: number) => ({ total, reserved: 0, allocation_ratio: 1, max_unit: total });
  const inventory = { VCPU: row(places), MEMORY_MB: row(places * 64), DISK_GB: row(1000) };
  await placement.ensureProvider(ctx, { uuid, name, inventory, traits: [] });
  return uuid;
}

async function change(host: string, patch: Parameters<ServicesRepository['update']>[2]): Promise<void> {
  await test.database.run('change', async (tx) => {
    const [service] = await services.list(tx, { host });
    if (service !== undefined) await services.update(tx, service.uuid, patch);
  });
}

function spec(fields: Partial<RequestSpec> = {}): RequestSpec {
  return {
    instance_uuid: newUuid(),
    project_id: 'p',
    user_id: 'u',
    flavor: {
      id: '1',
      name: 'tiny',
      vcpus: 1,
      memory_mb: 64,
      root_gb: 1,
      ephemeral_gb: 0,
      swap_mb: 0,
      extra_specs: {},
      description: null,
    },
    root_gb_on_host: 1,
    image_properties: {},
    availability_zone: null,
    force_host: null,
    ignore_hosts: [],
    scheduler_hints: {},
    ...fields,
  };
}

async function select(request: RequestSpec) {
  return (await rpc.select_destinations(ctx, { request_spec: request })).selection;
}

describe('nova-scheduler', () => {
  it('selects a host that is up and claims its resources', async () => {
    const uuid = await addHost('h1', 4);
    await addHost('h2', 4);
    await addHost('h3', 4);
    await change('h2', { disabled: true });
    await change('h3', { forced_down: true });
    const request = spec();
    expect(await select(request)).toEqual({
      service_host: 'h1',
      nodename: 'h1.example',
      compute_node_uuid: uuid,
      availability_zone: 'nova',
    });
    expect(placement.allocations.get(request.instance_uuid)?.provider).toBe(uuid);
    expect(await select(request)).toMatchObject({ service_host: 'h1' });
    expect(placement.allocations.size).toBe(1);
  });

  it('finds no valid host with upstream’s words, which cross the broker', async () => {
    await addHost('h1', 1);
    await expect(select(spec({ availability_zone: 'elsewhere' }))).rejects.toMatchObject({
      code: 'NoValidHost',
      message: 'No valid host was found. There are not enough hosts available.',
    });
    await select(spec());
    await expect(select(spec())).rejects.toMatchObject({ code: 'NoValidHost', message: 'No valid host was found. ' });
    expect(placement.allocations.size).toBe(1);
  });

  it('leaves out hosts that failed, and takes a named one past the filters', async () => {
    await addHost('h1', 4);
    await addHost('h2', 4);
    expect(await select(spec({ ignore_hosts: ['h1'] }))).toMatchObject({ service_host: 'h2' });
    await change('h1', { disabled: true });
    expect(await select(spec({ force_host: 'H1' }))).toMatchObject({ service_host: 'h1' });
  });

  it('fills all hosts and not one place more, however many ask at once', async () => {
    await addHost('h1', 10);
    await addHost('h2', 10);
    await addHost('h3', 10);
    const requests = Array.from({ length: 40 }, () => spec());
    const outcomes = await Promise.allSettled([...requests, ...requests].map(select));
    expect(placement.allocations.size).toBe(30);
    const chosen = new Map<string, Set<string>>();
    outcomes.forEach((outcome, index) => {
      const { instance_uuid: uuid } = requests[index % 40] as RequestSpec;
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toMatchObject({ code: 'NoValidHost' });
        return;
      }
      chosen.set(uuid, (chosen.get(uuid) ?? new Set()).add(outcome.value.compute_node_uuid));
      expect(placement.allocations.get(uuid)?.provider).toBe(outcome.value.compute_node_uuid);
    });
    // A request that came twice got the same host twice.
    expect([...chosen.values()].every((hosts) => hosts.size === 1)).toBe(true);
  });
});
