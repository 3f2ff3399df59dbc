import { operation } from '@nestack/kernel/http';
import Type, { type TSchema } from 'typebox';

const strict = { additionalProperties: false } as const;
const uuid = Type.String({ format: 'uuid' });
const Parent = Type.Optional(Type.Union([uuid, Type.Null()]));
const Name = Type.String({ maxLength: 200 });

/** A resource provider; `parent_provider_uuid` and `root_provider_uuid` since 1.14. */
export const ProviderView = Type.Object({
  uuid: Type.String(),
  name: Type.String(),
  generation: Type.Integer(),
  parent_provider_uuid: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  root_provider_uuid: Type.Optional(Type.String()),
  links: Type.Array(Type.Object({ rel: Type.String(), href: Type.String() })),
});

const listQuery = { name: Type.Optional(Type.String()), uuid: Type.Optional(uuid) };
const listQuery13 = { ...listQuery, member_of: Type.Optional(Type.String()) };
const listQuery14 = { ...listQuery13, resources: Type.Optional(Type.String()) };
const listQuery114 = { ...listQuery14, in_tree: Type.Optional(uuid) };
const listQuery118 = { ...listQuery114, required: Type.Optional(Type.String()) };

export const listResourceProviders = operation({
  id: 'listResourceProviders',
  summary: 'Lists resource providers',
  method: 'GET',
  path: '/resource_providers',
  query: [
    { since: '1.0', schema: Type.Object(listQuery, strict) },
    { since: '1.3', schema: Type.Object(listQuery13, strict) },
    { since: '1.4', schema: Type.Object(listQuery14, strict) },
    { since: '1.14', schema: Type.Object(listQuery114, strict) },
    { since: '1.18', schema: Type.Object(listQuery118, strict) },
  ],
  response: Type.Object({ resource_providers: Type.Array(ProviderView) }),
  status: 200,
  policy: 'placement:resource_providers:list',
});

export const createResourceProvider = operation({
  id: 'createResourceProvider',
  summary: 'Creates a resource provider',
  method: 'POST',
  path: '/resource_providers',
  body: [
    { since: '1.0', schema: Type.Object({ name: Name, uuid: Type.Optional(uuid) }, strict) },
    {
      since: '1.14',
      schema: Type.Object({ name: Name, uuid: Type.Optional(uuid), parent_provider_uuid: Parent }, strict),
    },
  ],
  // Before, the answer is empty and only its Location says where the provider is.
  response: [{ since: '1.20', schema: ProviderView }],
  status: [201, 200],
  policy: 'placement:resource_providers:create',
});

export const showResourceProvider = operation({
  id: 'showResourceProvider',
  summary: 'Shows a resource provider',
  method: 'GET',
  path: '/resource_providers/{uuid}',
  response: ProviderView,
  status: 200,
  policy: 'placement:resource_providers:show',
});

export const updateResourceProvider = operation({
  id: 'updateResourceProvider',
  summary: 'Renames a resource provider or gives it another parent',
  method: 'PUT',
  path: '/resource_providers/{uuid}',
  body: [
    { since: '1.0', schema: Type.Object({ name: Name }, strict) },
    { since: '1.14', schema: Type.Object({ name: Name, parent_provider_uuid: Parent }, strict) },
  ],
  response: ProviderView,
  status: 200,
  policy: 'placement:resource_providers:update',
});

export const deleteResourceProvider = operation({
  id: 'deleteResourceProvider',
  summary: 'Deletes a resource provider',
  method: 'DELETE',
  path: '/resource_providers/{uuid}',
  status: 204,
  policy: 'placement:resource_providers:delete',
});

const Aggregates = Type.Array(uuid, { uniqueItems: true });

export const listProviderAggregates = operation({
  id: 'listProviderAggregates',
  summary: 'Lists the aggregates of a resource provider',
  method: 'GET',
  path: '/resource_providers/{uuid}/aggregates',
  minVersion: '1.1',
  response: Type.Object({
    aggregates: Type.Array(Type.String()),
    resource_provider_generation: Type.Optional(Type.Integer()),
  }),
  status: 200,
  policy: 'placement:resource_providers:aggregates:list',
});

export const updateProviderAggregates = operation({
  id: 'updateProviderAggregates',
  summary: 'Sets the aggregates of a resource provider',
  method: 'PUT',
  path: '/resource_providers/{uuid}/aggregates',
  minVersion: '1.1',
  body: [
    { since: '1.1', schema: Aggregates },
    {
      since: '1.19',
      schema: Type.Object({ aggregates: Aggregates, resource_provider_generation: Type.Integer() }, strict),
    },
  ] as readonly { since: string; schema: TSchema }[],
  response: Type.Object({
    aggregates: Type.Array(Type.String()),
    resource_provider_generation: Type.Optional(Type.Integer()),
  }),
  status: 200,
  policy: 'placement:resource_providers:aggregates:update',
});

const ProviderTraits = Type.Object({
  traits: Type.Array(Type.String()),
  resource_provider_generation: Type.Integer(),
});

export const listProviderTraits = operation({
  id: 'listProviderTraits',
  summary: 'Lists the traits of a resource provider',
  method: 'GET',
  path: '/resource_providers/{uuid}/traits',
  minVersion: '1.6',
  response: ProviderTraits,
  status: 200,
  policy: 'placement:resource_providers:traits:list',
});

export const updateProviderTraits = operation({
  id: 'updateProviderTraits',
  summary: 'Sets the traits of a resource provider',
  method: 'PUT',
  path: '/resource_providers/{uuid}/traits',
  minVersion: '1.6',
  body: Type.Object(
    {
      traits: Type.Array(Type.String({ minLength: 1, maxLength: 255 })),
      resource_provider_generation: Type.Integer(),
    },
    strict,
  ),
  response: ProviderTraits,
  status: 200,
  policy: 'placement:resource_providers:traits:update',
});

export const deleteProviderTraits = operation({
  id: 'deleteProviderTraits',
  summary: 'Takes all traits from a resource provider',
  method: 'DELETE',
  path: '/resource_providers/{uuid}/traits',
  minVersion: '1.6',
  status: 204,
  policy: 'placement:resource_providers:traits:delete',
});
