import { operation } from '@nestack/kernel/http';
import Type, { type TSchema } from 'typebox';
import { MAX_INT, RESOURCE_CLASS } from '../names';

const strict = { additionalProperties: false } as const;
const amount = (minimum: number) => Type.Integer({ minimum, maximum: MAX_INT });

/** Upstream's largest single-precision number. */
const MAX_RATIO = 3.402_82e38;

const fields = {
  total: amount(1),
  reserved: Type.Optional(amount(0)),
  min_unit: Type.Optional(amount(1)),
  max_unit: Type.Optional(amount(1)),
  step_size: Type.Optional(amount(1)),
  allocation_ratio: Type.Optional(Type.Number({ maximum: MAX_RATIO })),
};

/** One inventory in a request; absent fields have upstream's defaults. */
export const InventoryRecord = Type.Object(
  { ...fields, resource_provider_generation: Type.Optional(Type.Integer()) },
  strict,
);

/** All inventories of a provider, as PUT sets them. */
export const InventoriesBody = Type.Object(
  {
    resource_provider_generation: Type.Integer(),
    inventories: Type.Record(Type.String({ pattern: RESOURCE_CLASS }), InventoryRecord),
  },
  strict,
);

export const InventoryView = Type.Object({
  total: Type.Integer(),
  reserved: Type.Integer(),
  min_unit: Type.Integer(),
  max_unit: Type.Integer(),
  step_size: Type.Integer(),
  allocation_ratio: Type.Number(),
  resource_provider_generation: Type.Optional(Type.Integer()),
});

const InventoriesView = Type.Object({
  resource_provider_generation: Type.Integer(),
  inventories: Type.Record(Type.String(), InventoryView as TSchema),
});

const path = '/resource_providers/{uuid}/inventories';

export const listInventories = operation({
  id: 'listInventories',
  summary: 'Lists the inventories of a resource provider',
  method: 'GET',
  path,
  response: InventoriesView,
  status: 200,
  policy: 'placement:resource_providers:inventories:list',
});

export const createInventory = operation({
  id: 'createInventory',
  summary: 'Adds an inventory to a resource provider',
  method: 'POST',
  path,
  body: Type.Object(
    {
      ...fields,
      resource_class: Type.String({ pattern: RESOURCE_CLASS }),
      resource_provider_generation: Type.Optional(Type.Integer()),
    },
    strict,
  ),
  response: InventoryView,
  status: 201,
  policy: 'placement:resource_providers:inventories:create',
});

export const updateInventories = operation({
  id: 'updateInventories',
  summary: 'Sets all inventories of a resource provider',
  method: 'PUT',
  path,
  body: InventoriesBody,
  response: InventoriesView,
  status: 200,
  policy: 'placement:resource_providers:inventories:update',
});

/** Since 1.5; before, the method is not allowed, which its handler says. */
export const deleteInventories = operation({
  id: 'deleteInventories',
  summary: 'Takes all inventories from a resource provider',
  method: 'DELETE',
  path,
  status: 204,
  errors: ['MethodNotAllowed'],
  policy: 'placement:resource_providers:inventories:delete',
});

export const showInventory = operation({
  id: 'showInventory',
  summary: 'Shows an inventory of a resource provider',
  method: 'GET',
  path: `${path}/{resource_class}`,
  response: InventoryView,
  status: 200,
  policy: 'placement:resource_providers:inventories:show',
});

export const updateInventory = operation({
  id: 'updateInventory',
  summary: 'Changes an inventory of a resource provider',
  method: 'PUT',
  path: `${path}/{resource_class}`,
  body: Type.Object({ ...fields, resource_provider_generation: Type.Integer() }, strict),
  response: InventoryView,
  status: 200,
  policy: 'placement:resource_providers:inventories:update',
});

export const deleteInventory = operation({
  id: 'deleteInventory',
  summary: 'Takes an inventory from a resource provider',
  method: 'DELETE',
  path: `${path}/{resource_class}`,
  status: 204,
  policy: 'placement:resource_providers:inventories:delete',
});
