import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any, Links, LooseBoolean, NonNegativeInteger, Nullable, PositiveInteger, Strict, versions } from './common';
import { AnyText, Page, Word, closedSince275 } from './queries';

const Flavor = Type.Record(Type.String(), Any);
const ExtraSpecs = Type.Record(
  Type.String({ pattern: '^[a-zA-Z0-9-_:. ]{1,255}$' }),
  Type.Union([Type.String({ maxLength: 255 }), Type.Number()]),
  { additionalProperties: false },
);
const ListQuery = closedSince275({
  ...Page,
  is_public: AnyText,
  minRam: AnyText,
  minDisk: AnyText,
  sort_key: Word([
    'created_at',
    'description',
    'disabled',
    'ephemeral_gb',
    'flavorid',
    'id',
    'is_public',
    'memory_mb',
    'name',
    'root_gb',
    'rxtx_factor',
    'swap',
    'updated_at',
    'vcpu_weight',
    'vcpus',
  ]),
  sort_dir: Word(['asc', 'desc']),
});

export const listFlavors = operation({
  id: 'listFlavors',
  summary: 'List flavors',
  method: 'GET',
  path: '/flavors',
  status: 200,
  query: ListQuery,
  response: Type.Object({ flavors: Type.Array(Flavor), flavors_links: Type.Optional(Links) }),
  policy: 'os_compute_api:flavors',
});
export const listFlavorsDetail = operation({
  id: 'listFlavorsDetail',
  summary: 'List flavors with details',
  method: 'GET',
  path: '/flavors/detail',
  status: 200,
  query: ListQuery,
  response: Type.Object({ flavors: Type.Array(Flavor), flavors_links: Type.Optional(Links) }),
  policy: 'os_compute_api:flavors',
});
export const showFlavor = operation({
  id: 'showFlavor',
  summary: 'Show a flavor',
  method: 'GET',
  path: '/flavors/{flavor_id}',
  status: 200,
  response: Type.Object({ flavor: Flavor }),
  policy: 'os_compute_api:flavors',
  errors: ['FlavorNotFound'],
});

const CreateFields = {
  name: Type.String({ minLength: 1, maxLength: 255, format: 'name' }),
  id: Type.Optional(
    Nullable(
      Type.Union([
        Type.String({ minLength: 1, maxLength: 255, pattern: '^(?! )[a-zA-Z0-9. _-]+(?<! )$' }),
        Type.Integer(),
      ]),
    ),
  ),
  ram: PositiveInteger,
  vcpus: PositiveInteger,
  disk: NonNegativeInteger,
  'OS-FLV-EXT-DATA:ephemeral': Type.Optional(NonNegativeInteger),
  swap: Type.Optional(NonNegativeInteger),
  rxtx_factor: Type.Optional(Type.Union([Type.Number(), Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?$' })])),
  'os-flavor-access:is_public': Type.Optional(LooseBoolean),
};
const Description = Type.Optional(Nullable(Type.String({ maxLength: 65_535 })));
export const createFlavor = operation({
  id: 'createFlavor',
  summary: 'Create a flavor',
  method: 'POST',
  path: '/flavors',
  status: 200,
  body: versions<Type.TObject<{ flavor: Type.TObject<typeof CreateFields & { description: typeof Description }> }>>([
    { since: '2.1', schema: Strict({ flavor: Strict({ ...CreateFields, description: Type.Optional(Type.Never()) }) }) },
    { since: '2.55', schema: Strict({ flavor: Strict({ ...CreateFields, description: Description }) }) },
  ]),
  response: Type.Object({ flavor: Flavor }),
  policy: 'os_compute_api:os-flavor-manage:create',
  errors: ['FlavorExists', 'FlavorIdExists'],
});
export const updateFlavor = operation({
  id: 'updateFlavor',
  summary: 'Update a flavor',
  method: 'PUT',
  path: '/flavors/{flavor_id}',
  status: 200,
  minVersion: '2.55',
  body: Strict({ flavor: Strict({ description: Nullable(Type.String({ maxLength: 65_535 })) }) }),
  response: Type.Object({ flavor: Flavor }),
  policy: 'os_compute_api:os-flavor-manage:update',
  errors: ['FlavorNotFound'],
});
export const deleteFlavor = operation({
  id: 'deleteFlavor',
  summary: 'Delete a flavor',
  method: 'DELETE',
  path: '/flavors/{flavor_id}',
  status: 202,
  policy: 'os_compute_api:os-flavor-manage:delete',
  errors: ['FlavorNotFound'],
});

const specs = '/flavors/{flavor_id}/os-extra_specs';
const Specs = Type.Object({ extra_specs: Type.Record(Type.String(), Type.String()) });
export const listExtraSpecs = operation({
  id: 'listExtraSpecs',
  summary: 'List extra specs',
  method: 'GET',
  path: specs,
  status: 200,
  response: Specs,
  policy: 'os_compute_api:os-flavor-extra-specs:index',
});
export const createExtraSpecs = operation({
  id: 'createExtraSpecs',
  summary: 'Create extra specs',
  method: 'POST',
  path: specs,
  status: 200,
  body: Strict({ extra_specs: ExtraSpecs }),
  response: Specs,
  policy: 'os_compute_api:os-flavor-extra-specs:create',
});
export const showExtraSpec = operation({
  id: 'showExtraSpec',
  summary: 'Show an extra spec',
  method: 'GET',
  path: `${specs}/{key}`,
  status: 200,
  response: Type.Record(Type.String(), Type.String()),
  policy: 'os_compute_api:os-flavor-extra-specs:show',
  errors: ['FlavorExtraSpecsNotFound'],
});
export const updateExtraSpec = operation({
  id: 'updateExtraSpec',
  summary: 'Set an extra spec',
  method: 'PUT',
  path: `${specs}/{key}`,
  status: 200,
  body: ExtraSpecs,
  response: Type.Record(Type.String(), Type.String()),
  policy: 'os_compute_api:os-flavor-extra-specs:update',
});
export const deleteExtraSpec = operation({
  id: 'deleteExtraSpec',
  summary: 'Delete an extra spec',
  method: 'DELETE',
  path: `${specs}/{key}`,
  status: 200,
  policy: 'os_compute_api:os-flavor-extra-specs:delete',
  errors: ['FlavorExtraSpecsNotFound'],
});

const Access = Type.Object({
  flavor_access: Type.Array(Type.Object({ flavor_id: Type.String(), tenant_id: Type.String() })),
});
export const listFlavorAccess = operation({
  id: 'listFlavorAccess',
  summary: 'List projects with access',
  method: 'GET',
  path: '/flavors/{flavor_id}/os-flavor-access',
  status: 200,
  response: Access,
  policy: 'os_compute_api:os-flavor-access',
});
const Tenant = Strict({ tenant: Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-]*$' }) });
export const addTenantAccess = operation({
  id: 'addTenantAccess',
  summary: 'Give a project access',
  method: 'POST',
  path: '/flavors/{flavor_id}/action',
  action: 'addTenantAccess',
  status: 200,
  body: Strict({ addTenantAccess: Tenant }),
  response: Access,
  policy: 'os_compute_api:os-flavor-access:add_tenant_access',
});
export const removeTenantAccess = operation({
  id: 'removeTenantAccess',
  summary: 'Take access away',
  method: 'POST',
  path: '/flavors/{flavor_id}/action',
  action: 'removeTenantAccess',
  status: 200,
  body: Strict({ removeTenantAccess: Tenant }),
  response: Access,
  policy: 'os_compute_api:os-flavor-access:remove_tenant_access',
});

export const flavorOperations = [
  listFlavors,
  listFlavorsDetail,
  showFlavor,
  createFlavor,
  updateFlavor,
  deleteFlavor,
  listExtraSpecs,
  createExtraSpecs,
  showExtraSpec,
  updateExtraSpec,
  deleteExtraSpec,
  listFlavorAccess,
  addTenantAccess,
  removeTenantAccess,
];
