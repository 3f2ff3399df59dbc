import { defineErrors, DomainError } from '@nestack/kernel/errors';
import { placementEnvelope, type ErrorEnvelope } from '@nestack/kernel/http';

/** Placement's errors with upstream's texts. */
export const PlacementError = defineErrors({
  ProviderNotFound: { kind: 'notFound', template: 'No resource provider with uuid {uuid} found{tail}' },
  ProviderOfAllocationsNotFound: {
    kind: 'notFound',
    template: "Resource provider '{uuid}' not found: No resource provider with uuid {uuid} found",
  },
  ProviderExists: { kind: 'conflict', template: 'Conflicting resource provider {duplicate} already exists.' },
  ProviderNotCreated: {
    kind: 'badRequest',
    template: 'Unable to create resource provider "{name}", {uuid}: Object action create failed because: {reason}',
  },
  ProviderNotSaved: {
    kind: 'badRequest',
    template: 'Unable to save resource provider {uuid}: Object action {action} failed because: {reason}',
  },
  ProviderInUse: {
    kind: 'conflict',
    template: 'Unable to delete resource provider {uuid}: Resource provider has allocations.',
  },
  ProviderHasChildren: {
    kind: 'conflict',
    template: 'Unable to delete parent resource provider {uuid}: It has child resource providers.',
  },
  InventoryGenerationConflict: { kind: 'conflict', template: 'resource provider generation conflict' },
  GenerationConflict: {
    kind: 'conflict',
    template: "Resource provider's generation already changed. Please update the generation and try again.",
  },
  ReshapeGenerationConflict: {
    kind: 'conflict',
    template: 'resource provider generation conflict for provider {uuid}: actual: {actual}, given: {given}',
  },
  ReshapeProviderNotFound: {
    kind: 'badRequest',
    template: 'Resource provider {uuid} in inventories not found: No resource provider with uuid {uuid} found',
  },
  ReshapeMalformed: { kind: 'badRequest', template: 'malformed reshaper data: {reason}' },
  ConsumerGenerationConflict: {
    kind: 'conflict',
    template: 'consumer generation conflict - expected {expected} but got {got}',
  },
  InventoryExists: {
    kind: 'conflict',
    template: 'Update conflict: the provider {uuid} already has an inventory of {resource_class}.',
  },
  InventoryNotFound: { kind: 'notFound', template: 'No inventory of class {resource_class} for {uuid}' },
  InventoryNotFoundForDelete: {
    kind: 'notFound',
    template: 'No inventory of class {resource_class} found for delete: {reason}',
  },
  InventoryNotCreated: {
    kind: 'badRequest',
    template: 'Unable to create inventory for resource provider {uuid}: {reason}',
  },
  InventoryNotUpdated: {
    kind: 'badRequest',
    template: 'Unable to update inventory for resource provider {uuid}: {reason}',
  },
  InventoryMissing: {
    kind: 'badRequest',
    template:
      'No inventory record with resource class for resource provider {uuid}: No inventory of class {resource_class} found.',
  },
  InventoryClassUnknown: {
    kind: 'badRequest',
    template: 'Unknown resource class in inventory for resource provider {uuid}: No such resource class {name}.',
  },
  InventoryInUse: {
    kind: 'conflict',
    template: "update conflict: Inventory for '{classes}' on resource provider '{uuid}' in use.",
  },
  InventoriesInUse: { kind: 'conflict', template: "Inventory for '{classes}' on resource provider '{uuid}' in use." },
  InventoryInUseForDelete: {
    kind: 'conflict',
    template:
      "Unable to delete inventory of class {classes}: Inventory for '{classes}' on resource provider '{uuid}' in use.",
  },
  MethodNotAllowed: { kind: 'methodNotAllowed', template: 'The method is not allowed for this resource.' },
  NotAcceptable: { kind: 'notAcceptable', template: 'Only application/json is provided' },
  ResourceClassNotFound: { kind: 'notFound', template: 'No such resource class {name}.' },
  ResourceClassExists: { kind: 'conflict', template: 'Conflicting resource class already exists: {name}' },
  ResourceClassTaken: { kind: 'conflict', template: 'Resource class already exists: {name}' },
  ResourceClassStandard: {
    kind: 'badRequest',
    template: 'Error in delete resource class: Cannot delete standard resource class {name}.',
  },
  ResourceClassNotRenamable: { kind: 'badRequest', template: 'Cannot update standard resource class {name}' },
  ResourceClassInUse: {
    kind: 'conflict',
    template: 'Error in delete resource class: Cannot delete resource class {name}. Class is in use in inventory.',
  },
  ResourceClassInvalid: {
    kind: 'badRequest',
    template: "JSON does not validate: '{name}' does not match '^CUSTOM_[A-Z0-9_]+$'",
  },
  TraitNotFound: { kind: 'notFound', template: 'No such trait(s): {name}.' },
  TraitInvalid: {
    kind: 'badRequest',
    template:
      'The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix "CUSTOM_" and use following characters: "A"-"Z", "0"-"9" and "_"',
  },
  TraitStandard: { kind: 'badRequest', template: 'Cannot delete standard trait {name}.' },
  TraitInUse: { kind: 'conflict', template: 'The trait {name} is in use by a resource provider.' },
  TraitsUnknown: { kind: 'badRequest', template: 'No such trait {names}' },
  AllocationProviderUnknown: {
    kind: 'badRequest',
    template: "Allocation for resource provider '{uuid}' that does not exist.",
  },
  ConsumerMalformed: { kind: 'badRequest', template: 'Malformed consumer_uuid: {consumer_uuid}' },
  NoAllocations: { kind: 'notFound', template: "No allocations for consumer '{consumer_uuid}'" },
  AllocationClassUnknown: {
    kind: 'badRequest',
    template: 'Unable to allocate inventory{whom} No such resource class {name}.',
  },
  AllocationInventoryInvalid: {
    kind: 'conflict',
    template: "Unable to allocate inventory: Inventory for '{classes}' on resource provider '{uuid}' invalid.",
  },
  AllocationExceedsCapacity: {
    kind: 'conflict',
    template:
      "Unable to allocate inventory: Unable to create allocation for '{resource_class}' on resource provider '{uuid}'. The requested amount would exceed the capacity.",
  },
  AllocationViolatesConstraints: {
    kind: 'conflict',
    template:
      "Unable to allocate inventory: Unable to create allocation for '{resource_class}' on resource provider '{uuid}'. The requested amount would violate inventory constraints.",
  },
  BadQuery: { kind: 'badRequest', template: '{reason}' },
  BadQueryValue: { kind: 'badRequest', template: '{reason}' },
  MissingQueryValue: { kind: 'badRequest', template: '{reason}' },
  DuplicateQueryKey: { kind: 'badRequest', template: '{reason}' },
});

/** What upstream calls errors from microversion 1.23 on, where it tells them from others of their status. */
const CODES: Readonly<Record<string, string>> = {
  ProviderExists: 'placement.duplicate_name',
  ProviderInUse: 'placement.resource_provider.inuse',
  ProviderHasChildren: 'placement.resource_provider.cannot_delete_parent',
  ReshapeProviderNotFound: 'placement.resource_provider.not_found',
  InventoryGenerationConflict: 'placement.concurrent_update',
  GenerationConflict: 'placement.concurrent_update',
  ReshapeGenerationConflict: 'placement.concurrent_update',
  ConsumerGenerationConflict: 'placement.concurrent_update',
  InventoryExists: 'placement.concurrent_update',
  InventoryInUse: 'placement.inventory.inuse',
  InventoriesInUse: 'placement.inventory.inuse',
  InventoryInUseForDelete: 'placement.concurrent_update',
  BadQueryValue: 'placement.query.bad_value',
  MissingQueryValue: 'placement.query.missing_value',
  DuplicateQueryKey: 'placement.query.duplicate_key',
};

/** Placement's envelope with the codes of its own errors. */
export const envelope: ErrorEnvelope = (error, status, requestId, request) => {
  const code = CODES[error.code] ?? error.code;
  const told = new DomainError({ kind: error.kind, code, message: messageOf(error), args: error.args });
  return placementEnvelope(told, status, requestId, request);
};

/** Two texts of the kernel that placement has its own for. */
function messageOf(error: DomainError): string {
  // Upstream says nothing more about operations that a version does not have yet.
  if (error.code === 'VersionNotFoundForAPIMethod') return 'The resource could not be found.';
  if (error.code === 'PolicyNotAuthorized')
    return `Policy does not allow ${String(error.args['action'])} to be performed.`;
  return error.message;
}
