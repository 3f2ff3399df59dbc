import { MAX_INT } from '@nestack/placement/contract';
import type { NewInventory } from '@nestack/placement/domain';

/** An inventory as requests have it, with upstream's defaults for what is absent. */
export function inventoryOf(
  resourceClass: string,
  record: {
    readonly total: number;
    readonly reserved?: number | undefined;
    readonly min_unit?: number | undefined;
    readonly max_unit?: number | undefined;
    readonly step_size?: number | undefined;
    readonly allocation_ratio?: number | undefined;
  },
): NewInventory {
  return {
    resource_class: resourceClass,
    total: record.total,
    reserved: record.reserved ?? 0,
    min_unit: record.min_unit ?? 1,
    max_unit: record.max_unit ?? MAX_INT,
    step_size: record.step_size ?? 1,
    allocation_ratio: record.allocation_ratio ?? 1,
  };
}
