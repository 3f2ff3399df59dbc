import { PlacementError } from '@nestack/placement/contract';
import type { ConsumerRequest, InventoryFields } from './model';

/** What can be allocated of an inventory: what is not reserved, times the ratio, rounded down. */
export function capacityOf(inventory: Pick<InventoryFields, 'total' | 'reserved' | 'allocation_ratio'>): number {
  return Math.trunc((inventory.total - inventory.reserved) * inventory.allocation_ratio);
}

/** Whether one allocation of this size is allowed at all, however much is free. */
export function meetsUnits(
  inventory: Pick<InventoryFields, 'min_unit' | 'max_unit' | 'step_size'>,
  amount: number,
): boolean {
  return amount >= inventory.min_unit && amount <= inventory.max_unit && amount % inventory.step_size === 0;
}

/** An inventory as it stands while its provider is locked. */
export interface LockedInventory extends InventoryFields {
  readonly provider_id: number;
  readonly provider_uuid: string;
  readonly resource_class: string;
  readonly used: number;
  /** Of `used`, what the consumers of this request hold now and give back. */
  readonly held: number;
}

export interface WantedAllocation {
  readonly consumer_uuid: string;
  readonly provider_id: number;
  readonly resource_class: string;
  readonly used: number;
}

/** What a request changes: the rows that its consumers hold afterwards, and by how much inventories become fuller. */
export interface AllocationPlan {
  readonly wanted: readonly WantedAllocation[];
  readonly deltas: readonly {
    readonly provider_id: number;
    readonly resource_class: string;
    readonly delta: number;
  }[];
  /** Providers whose generation rises: those that are allocated from, and those of consumers that give all back. */
  readonly touched: readonly number[];
}

interface LockedProvider {
  readonly id: number;
  readonly uuid: string;
}

/**
 * Decides whether the consumers of a request can hold what they want instead of what they hold. An inventory that is over
 * its capacity already may still change for the better. Throws upstream's errors for what does not fit.
 * upstream: placement/objects/allocation.py _check_capacity_exceeded
 */
export function planAllocations(
  requests: readonly ConsumerRequest[],
  providers: ReadonlyMap<string, LockedProvider>,
  inventories: readonly LockedInventory[],
): AllocationPlan {
  const byKey = new Map(inventories.map((one) => [keyOf(one.provider_id, one.resource_class), one]));
  const sums = new Map<string, number>();
  const wanted: WantedAllocation[] = [];
  const touched = new Set<number>();
  for (const request of requests) {
    for (const [uuid, resources] of request.allocations) {
      const provider = providers.get(uuid);
      if (provider === undefined) throw PlacementError.AllocationProviderUnknown({ uuid });
      for (const [resource_class, used] of Object.entries(resources)) {
        const key = keyOf(provider.id, resource_class);
        const inventory = byKey.get(key);
        if (inventory === undefined)
          throw PlacementError.AllocationInventoryInvalid({ classes: resource_class, uuid: provider.uuid });
        if (!meetsUnits(inventory, used))
          throw PlacementError.AllocationViolatesConstraints({ resource_class, uuid: provider.uuid });
        sums.set(key, (sums.get(key) ?? 0) + used);
        wanted.push({ consumer_uuid: request.consumer_uuid, provider_id: provider.id, resource_class, used });
        touched.add(provider.id);
      }
    }
  }
  const deltas = [];
  for (const inventory of inventories) {
    const { provider_id, resource_class } = inventory;
    const sum = sums.get(keyOf(provider_id, resource_class)) ?? 0;
    const after = inventory.used - inventory.held + sum;
    if (sum > 0 && after > capacityOf(inventory) && after > inventory.used)
      throw PlacementError.AllocationExceedsCapacity({ resource_class, uuid: inventory.provider_uuid });
    if (sum !== inventory.held) deltas.push({ provider_id, resource_class, delta: sum - inventory.held });
  }
  return { wanted, deltas, touched: [...touched] };
}

function keyOf(providerId: number, resourceClass: string): string {
  return `${String(providerId)}/${resourceClass}`;
}
