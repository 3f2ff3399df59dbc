import { describe, expect, it } from '@jest/globals';
import { capacityOf, meetsUnits, planAllocations, type LockedInventory } from './capacity';
import type { ConsumerRequest } from './model';

const providers = new Map([
  ['p1', { id: 1, uuid: 'p1' }],
  ['p2', { id: 2, uuid: 'p2' }],
]);

function inventory(fields: Partial<LockedInventory> = {}): LockedInventory {
  return {
    provider_id: 1,
    provider_uuid: 'p1',
    resource_class: 'VCPU',
    total: 4,
    reserved: 0,
    min_unit: 1,
    max_unit: 100,
    step_size: 1,
    allocation_ratio: 1,
    used: 0,
    held: 0,
    ...fields,
  };
}

function request(consumer: string, allocations: Record<string, Record<string, number>>): ConsumerRequest {
  return {
    consumer_uuid: consumer,
    project_id: 'p',
    user_id: 'u',
    consumer_type: undefined,
    generation: null,
    allocations: new Map(Object.entries(allocations)),
  };
}

describe('capacity', () => {
  it('is what is not reserved times the ratio, rounded down', () => {
    expect(capacityOf({ total: 10, reserved: 1, allocation_ratio: 1.5 })).toBe(13);
    expect(capacityOf({ total: 10, reserved: 10, allocation_ratio: 16 })).toBe(0);
  });

  it('is taken in allowed units', () => {
    const units = { min_unit: 2, max_unit: 8, step_size: 2 };
    expect([1, 2, 3, 8, 10].map((amount) => meetsUnits(units, amount))).toEqual([false, true, false, true, false]);
  });
});

describe('a plan', () => {
  it('counts all consumers of a request together', () => {
    const both = [request('c1', { p1: { VCPU: 2 } }), request('c2', { p1: { VCPU: 2 } })];
    const plan = planAllocations(both, providers, [inventory()]);
    expect(plan).toEqual({
      wanted: [
        { consumer_uuid: 'c1', provider_id: 1, resource_class: 'VCPU', used: 2 },
        { consumer_uuid: 'c2', provider_id: 1, resource_class: 'VCPU', used: 2 },
      ],
      deltas: [{ provider_id: 1, resource_class: 'VCPU', delta: 4 }],
      touched: [1],
    });
    expect(() => planAllocations(both, providers, [inventory({ used: 1 })])).toThrow('would exceed the capacity');
  });

  it('counts what the consumers give back', () => {
    const moved = [request('c1', { p2: { VCPU: 2 } })];
    const inventories = [inventory({ used: 4, held: 2 }), inventory({ provider_id: 2, provider_uuid: 'p2', used: 2 })];
    expect(planAllocations(moved, providers, inventories).deltas).toEqual([
      { provider_id: 1, resource_class: 'VCPU', delta: -2 },
      { provider_id: 2, resource_class: 'VCPU', delta: 2 },
    ]);
    expect(planAllocations([request('c1', {})], providers, [inventory({ used: 4, held: 4 })])).toMatchObject({
      wanted: [],
      deltas: [{ delta: -4 }],
      touched: [],
    });
  });

  it('lets what is too full already change for the better only', () => {
    const over = [inventory({ total: 2, used: 8, held: 6 })];
    expect(planAllocations([request('c1', { p1: { VCPU: 5 } })], providers, over).deltas).toEqual([
      { provider_id: 1, resource_class: 'VCPU', delta: -1 },
    ]);
    expect(() => planAllocations([request('c1', { p1: { VCPU: 7 } })], providers, over)).toThrow('exceed the capacity');
  });

  it('refuses units that are not allowed and what is not offered', () => {
    const ask = (resources: Record<string, number>) => () =>
      planAllocations([request('c1', { p1: resources })], providers, [inventory({ max_unit: 2, step_size: 2 })]);
    expect(ask({ VCPU: 3 })).toThrow('violate inventory constraints');
    expect(ask({ DISK_GB: 1 })).toThrow("Inventory for 'DISK_GB' on resource provider 'p1' invalid");
    expect(() => planAllocations([request('c1', { p9: { VCPU: 1 } })], providers, [])).toThrow('does not exist');
  });
});
