import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestPlacement, told, type Answer, type CallOptions } from './test-app';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let placement: TestPlacement;
const call = (method: string, path: string, options?: CallOptions): Promise<Answer> =>
  placement.call(method, path, options);

beforeAll(async () => {
  placement = await TestPlacement.start();
});

afterAll(async () => {
  await placement.close();
});

describe('allocations', () => {
  it('are written, shown and deleted with the generation of their consumer', async () => {
    const uuid = await placement.provider('alloc');
    await placement.inventory(uuid, { VCPU: { total: 4, max_unit: 3 }, MEMORY_MB: { total: 4096, step_size: 64 } });
    const consumer = randomUUID();
    const resources = { VCPU: 2, MEMORY_MB: 512 };
    const early = await placement.allocate(consumer, { [uuid]: resources }, { consumer_generation: 1 });
    expect([early.status, told(early).code]).toEqual([409, 'placement.concurrent_update']);
    expect(told(early).detail).toContain('consumer generation conflict - expected null but got 1');
    expect((await call('GET', `/allocations/${consumer}`)).json).toEqual({ allocations: {} });
    expect((await placement.allocate(consumer, { [uuid]: resources })).status).toBe(204);
    const shown = (await call('GET', `/allocations/${consumer}`)).json;
    expect(shown).toEqual({
      allocations: { [uuid]: { generation: 2, resources } },
      project_id: 'p1',
      user_id: 'u1',
      consumer_generation: 1,
      consumer_type: 'INSTANCE',
    });
    const again = await placement.allocate(consumer, { [uuid]: resources });
    expect([again.status, told(again).detail]).toEqual([
      409,
      'There was a conflict when trying to complete your request.\n\n consumer generation conflict - expected 1 but got None  ',
    ]);
    expect((await call('GET', `/resource_providers/${uuid}/allocations`)).json).toEqual({
      resource_provider_generation: 2,
      allocations: { [consumer]: { resources, consumer_generation: 1 } },
    });
    const full = await placement.allocate(randomUUID(), { [uuid]: { VCPU: 3 } });
    expect([full.status, told(full).detail]).toEqual([
      409,
      `There was a conflict when trying to complete your request.\n\n Unable to allocate inventory: Unable to create allocation for 'VCPU' on resource provider '${uuid}'. The requested amount would exceed the capacity.  `,
    ]);
    expect(told(await placement.allocate(randomUUID(), { [uuid]: { MEMORY_MB: 65 } })).detail).toContain(
      'would violate inventory constraints',
    );
    expect(told(await placement.allocate(randomUUID(), { [uuid]: { DISK_GB: 1 } })).detail).toContain(
      `Inventory for 'DISK_GB' on resource provider '${uuid}' invalid`,
    );
    expect((await placement.allocate(randomUUID(), { [uuid]: { CUSTOM_NO: 1 } })).status).toBe(400);
    const nowhere = await placement.allocate(randomUUID(), { [randomUUID()]: { VCPU: 1 } });
    expect([nowhere.status, told(nowhere).detail.includes('that does not exist')]).toEqual([400, true]);
    expect((await placement.allocate('nothing', { [uuid]: { VCPU: 1 } })).status).toBe(400);
    const changed = await placement.allocate(consumer, { [uuid]: { VCPU: 3 } }, { consumer_generation: 1 });
    expect(changed.status).toBe(204);
    expect((await call('GET', `/resource_providers/${uuid}/usages`)).json['usages']).toEqual({ MEMORY_MB: 0, VCPU: 3 });
    expect((await placement.allocate(consumer, {}, { consumer_generation: 2 })).status).toBe(204);
    expect((await call('GET', `/allocations/${consumer}`)).json).toEqual({ allocations: {} });
    const nothing = await call('DELETE', `/allocations/${consumer}`);
    expect([nothing.status, told(nothing).detail.includes(`No allocations for consumer '${consumer}'`)]).toEqual([
      404,
      true,
    ]);
    expect((await call('GET', `/resource_providers/${uuid}/usages`)).json['usages']).toEqual({ MEMORY_MB: 0, VCPU: 0 });
  });

  it('keep the forms of older versions', async () => {
    const uuid = await placement.provider('alloc-old');
    await placement.inventory(uuid, { VCPU: { total: 4 } });
    const consumer = randomUUID();
    const list = [{ resource_provider: { uuid }, resources: { VCPU: 1 } }];
    const put = (body: unknown, version: string) => call('PUT', `/allocations/${consumer}`, { body, version });
    expect((await put({ allocations: list }, '1.0')).status).toBe(204);
    expect((await put({ allocations: list }, '1.8')).status).toBe(400);
    expect((await put({ allocations: list, project_id: 'a', user_id: 'b' }, '1.8')).status).toBe(204);
    const map = { [uuid]: { resources: { VCPU: 2 } } };
    expect((await put({ allocations: map, project_id: 'a', user_id: 'b' }, '1.12')).status).toBe(204);
    expect((await put({ allocations: {}, project_id: 'a', user_id: 'b' }, '1.12')).status).toBe(400);
    expect((await call('GET', `/allocations/${consumer}`, { version: '1.12' })).json).toMatchObject({
      project_id: 'a',
      user_id: 'b',
    });
    expect((await call('GET', `/allocations/${consumer}`)).json['consumer_type']).toBe('unknown');
    expect(Object.keys((await call('GET', `/allocations/${consumer}`, { version: '1.11' })).json)).toEqual([
      'allocations',
    ]);
    expect((await call('DELETE', `/allocations/${consumer}`)).status).toBe(204);
  });

  it('of several consumers change together or not at all', async () => {
    const [one, two] = [await placement.provider('many-1'), await placement.provider('many-2')];
    await placement.inventory(one, { VCPU: { total: 2 } });
    await placement.inventory(two, { VCPU: { total: 2 } });
    const [server, migration] = [randomUUID(), randomUUID()];
    expect((await placement.allocate(server, { [one]: { VCPU: 2 } })).status).toBe(204);
    const record = (uuid: string | null, consumerGeneration: number | null, amount = 2) => ({
      allocations: uuid === null ? {} : { [uuid]: { resources: { VCPU: amount } } },
      project_id: 'p1',
      user_id: 'u1',
      consumer_generation: consumerGeneration,
      consumer_type: 'INSTANCE',
    });
    const moved = await call('POST', '/allocations', {
      body: { [server]: record(two, 1), [migration]: { ...record(one, null), consumer_type: 'MIGRATION' } },
    });
    expect(moved.status).toBe(204);
    const tooMuch = await call('POST', '/allocations', {
      body: { [server]: record(null, 2), [migration]: record(two, 1, 3) },
    });
    expect(tooMuch.status).toBe(409);
    expect(Object.keys((await call('GET', `/allocations/${server}`)).json['allocations'] ?? {})).toEqual([two]);
    const usages = await call('GET', '/usages?project_id=p1');
    expect(usages.json['usages']).toEqual({
      INSTANCE: { VCPU: 2, consumer_count: 1 },
      MIGRATION: { VCPU: 2, consumer_count: 1 },
    });
    expect((await call('GET', '/usages?project_id=p1&consumer_type=all')).json['usages']).toEqual({
      all: { VCPU: 4, consumer_count: 2 },
    });
    expect((await call('GET', '/usages?project_id=p1&consumer_type=unknown')).json['usages']).toEqual({});
    expect((await call('GET', '/usages?project_id=p1&user_id=u1', { version: '1.9' })).json['usages']).toEqual({
      VCPU: 4,
    });
    expect((await call('GET', '/usages?project_id=p1', { version: '1.8' })).status).toBe(404);
    expect((await call('GET', '/usages')).status).toBe(400);
    const emptied = await call('POST', '/allocations', {
      body: { [server]: record(null, 2), [migration]: record(null, 1) },
    });
    expect(emptied.status).toBe(204);
  });

  it('never take more than there is, whoever comes at the same time', async () => {
    const uuid = await placement.provider(`contended-${randomUUID()}`);
    await placement.inventory(uuid, {
      VCPU: { total: 10, allocation_ratio: 2 },
      MEMORY_MB: { total: 2048, reserved: 48 },
    });
    const consumers = Array.from({ length: 50 }, () => randomUUID());
    const answers = await Promise.all(
      consumers.map((one) => placement.allocate(one, { [uuid]: { VCPU: 1, MEMORY_MB: 100 } })),
    );
    const statuses = answers.map((one) => one.status);
    expect(statuses.filter((one) => one === 204)).toHaveLength(20);
    const refused = answers.filter((one) => one.status !== 204);
    expect(refused.every((one) => one.status === 409 && told(one).detail.includes('exceed the capacity'))).toBe(true);
    expect((await call('GET', `/resource_providers/${uuid}/usages`)).json['usages']).toEqual({
      MEMORY_MB: 2000,
      VCPU: 20,
    });
    // One consumer, many at once: one is first, the others learn that it holds something already.
    await Promise.all(consumers.map((one) => call('DELETE', `/allocations/${one}`)));
    const same = randomUUID();
    const claims = await Promise.all(
      Array.from({ length: 20 }, () => placement.allocate(same, { [uuid]: { VCPU: 1, MEMORY_MB: 100 } })),
    );
    expect(claims.filter((one) => one.status === 204)).toHaveLength(1);
    expect(
      claims.filter((one) => one.status === 409).every((one) => told(one).code === 'placement.concurrent_update'),
    ).toBe(true);
    expect((await call('GET', `/resource_providers/${uuid}/usages`)).json['usages']).toEqual({
      MEMORY_MB: 100,
      VCPU: 1,
    });
  });

  it('across providers in opposite orders end all the same', async () => {
    const [one, two] = [await placement.provider('cross-1'), await placement.provider('cross-2')];
    await placement.inventory(one, { VCPU: { total: 30 } });
    await placement.inventory(two, { VCPU: { total: 30 } });
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => {
        const [first, second] = index % 2 === 0 ? [one, two] : [two, one];
        return placement.allocate(randomUUID(), { [first]: { VCPU: 1 }, [second]: { VCPU: 1 } });
      }),
    );
    expect(answers.filter((answer) => answer.status === 204)).toHaveLength(30);
    expect((await call('GET', `/resource_providers/${one}/usages`)).json['usages']).toEqual({ VCPU: 30 });
  });

  it('of a provider that became smaller may shrink, not grow', async () => {
    const uuid = await placement.provider('shrunk');
    await placement.inventory(uuid, { VCPU: { total: 8 } });
    const consumer = randomUUID();
    await placement.allocate(consumer, { [uuid]: { VCPU: 8 } });
    await placement.inventory(uuid, { VCPU: { total: 2 } });
    expect((await placement.allocate(consumer, { [uuid]: { VCPU: 9 } }, { consumer_generation: 1 })).status).toBe(409);
    expect((await placement.allocate(consumer, { [uuid]: { VCPU: 6 } }, { consumer_generation: 1 })).status).toBe(204);
    expect((await placement.allocate(randomUUID(), { [uuid]: { VCPU: 1 } })).status).toBe(409);
  });
});

describe('the reshaper', () => {
  it('moves inventory and what is allocated of it at once', async () => {
    const as = 'service:service';
    const root = await placement.provider('reshape');
    const child = await placement.provider('reshape-child', { parent_provider_uuid: root });
    await placement.inventory(root, { VCPU: { total: 8 }, VGPU: { total: 2 } });
    const consumer = randomUUID();
    await placement.allocate(consumer, { [root]: { VCPU: 1, VGPU: 1 } });
    const reshape = (rootGeneration: number) =>
      call('POST', '/reshaper', {
        as,
        body: {
          inventories: {
            [root]: { resource_provider_generation: rootGeneration, inventories: { VCPU: { total: 8 } } },
            [child]: { resource_provider_generation: 0, inventories: { VGPU: { total: 2 } } },
          },
          allocations: {
            [consumer]: {
              allocations: { [root]: { resources: { VCPU: 1 } }, [child]: { resources: { VGPU: 1 } } },
              project_id: 'p1',
              user_id: 'u1',
              consumer_generation: 1,
              consumer_type: 'INSTANCE',
            },
          },
        },
      });
    const stale = await reshape(0);
    expect([stale.status, told(stale).code]).toEqual([409, 'placement.concurrent_update']);
    expect((await reshape(await placement.generation(root))).status).toBe(204);
    const { json } = await call('GET', `/allocations/${consumer}`);
    expect(json['allocations']).toMatchObject({
      [root]: { resources: { VCPU: 1 } },
      [child]: { resources: { VGPU: 1 } },
    });
    expect((await call('GET', `/resource_providers/${root}/usages`)).json['usages']).toEqual({ VCPU: 1 });
    expect((await call('GET', `/resource_providers/${child}/usages`)).json['usages']).toEqual({ VGPU: 1 });
  });
});
