import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execute } from '@nestack/kernel/db';
import { newUuid } from '@nestack/kernel/ids';
import { createTestDatabase, type TestDatabase } from '@nestack/kernel/testing';
import {
  AggregatesRepository,
  ComputeNodesRepository,
  HostStatesRepository,
  novaMigrations,
  ServicesRepository,
} from './index';

let test: TestDatabase;
const hosts = new HostStatesRepository();

beforeAll(async () => {
  test = await createTestDatabase('nova', novaMigrations);
});

afterAll(() => test.close());

async function addHost(name: string): Promise<string> {
  const uuid = newUuid();
  await test.database.run('host', async (tx) => {
    const service = await new ServicesRepository().beat(tx, name, 'nova-compute', 'compute', new Date());
    const facts = { hypervisor_hostname: name } as Parameters<ComputeNodesRepository['upsert']>[1]['facts'];
    await new ComputeNodesRepository().upsert(tx, { uuid, host: name, service_id: service.id, facts });
  });
  return uuid;
}

describe('hosts, as the scheduler reads them', () => {
  it('have their aggregates, their servers, and how many of these are worked on', async () => {
    const [busy, idle] = [await addHost('busy'), await addHost('idle')];
    const states = [
      ['active', null, false],
      ['building', 'spawning', false],
      ['active', 'image_snapshot', false],
      ['active', 'powering-off', false],
      ['shelved', 'unshelving', false],
      ['active', 'rebuilding', true],
    ];
    const aggregates = new AggregatesRepository();
    await test.database.run('fill', async (tx) => {
      for (const state of states)
        await execute(
          tx,
          `INSERT INTO instance (uuid, project_id, user_id, display_name, hostname, vm_state, task_state, reservation_id, flavor, request, host, created_at, updated_at, deleted_at)
           VALUES (gen_random_uuid(), 'p', 'u', 'vm', 'vm', $1, $2, 'r', '{}', '{}', 'busy', now(), now(), CASE WHEN $3 THEN now() END)`,
          state,
        );
      for (const [name, members] of [
        ['one', ['busy', 'idle']],
        ['two', ['busy', 'elsewhere']],
        ['three', []],
      ] as const)
        await aggregates.insert(tx, {
          uuid: newUuid(),
          name,
          hosts: members,
          metadata: { name },
          created_at: new Date(),
        });
    });
    const found = await test.database.read('hosts', (tx) => hosts.byNodes(tx, [busy, idle, newUuid()]));
    const seen = found.map(({ host, num_instances, num_io_ops, aggregates: of }) => [
      host,
      num_instances,
      num_io_ops,
      of.map(({ name }) => name),
    ]);
    expect(seen.sort()).toEqual([
      ['busy', 5, 3, ['one', 'two']],
      ['idle', 0, 0, ['one']],
    ]);
    expect(await test.database.read('host', (tx) => hosts.byName(tx, 'BUSY'))).toMatchObject({ num_instances: 5 });
  });
});
