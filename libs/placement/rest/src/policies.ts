import type { PolicyRule } from '@nestack/kernel/policy';

/** What administrators and services alone may do, which is nearly everything. upstream: placement/policies/ */
const ADMIN_OR_SERVICE = [
  'allocation_candidates:list',
  'allocations:delete',
  'allocations:list',
  'allocations:manage',
  'allocations:update',
  'resource_classes:create',
  'resource_classes:delete',
  'resource_classes:list',
  'resource_classes:show',
  'resource_classes:update',
  'resource_providers:aggregates:list',
  'resource_providers:aggregates:update',
  'resource_providers:allocations:list',
  'resource_providers:create',
  'resource_providers:delete',
  'resource_providers:inventories:create',
  'resource_providers:inventories:delete',
  'resource_providers:inventories:list',
  'resource_providers:inventories:show',
  'resource_providers:inventories:update',
  'resource_providers:list',
  'resource_providers:show',
  'resource_providers:traits:delete',
  'resource_providers:traits:list',
  'resource_providers:traits:update',
  'resource_providers:update',
  'resource_providers:usages',
  'traits:delete',
  'traits:list',
  'traits:show',
  'traits:update',
];

/** Placement's rules. */
export const placementPolicies: readonly PolicyRule[] = [
  ...ADMIN_OR_SERVICE.map((name) => ({ name: `placement:${name}`, check: 'rule:admin_or_service_api' })),
  { name: 'placement:reshaper:reshape', check: 'rule:service_api' },
  { name: 'placement:usages', check: 'role:admin or rule:project_reader_api or role:service' },
];
