import { operation } from '@nestack/kernel/http';
import Type, { type TSchema } from 'typebox';
import { GROUP_SUFFIX, RESOURCE_CLASS, UUID_KEY } from '../names';
import { InventoriesBody } from './inventories';

const strict = { additionalProperties: false } as const;
const uuid = Type.String({ format: 'uuid' });
const id = Type.String({ minLength: 1, maxLength: 255 });
const byUuid = Type.String({ pattern: UUID_KEY });

const Resources = Type.Record(Type.String({ pattern: RESOURCE_CLASS }), Type.Integer({ minimum: 1 }), {
  minProperties: 1,
  ...strict,
});

const listForm = Type.Array(
  Type.Object({ resource_provider: Type.Object({ uuid }, strict), resources: Resources }, strict),
  { minItems: 1 },
);
const mapForm = (minProperties: number) =>
  Type.Record(byUuid, Type.Object({ generation: Type.Optional(Type.Integer()), resources: Resources }, strict), {
    minProperties,
    ...strict,
  });

const owner = { project_id: id, user_id: id };
const consumer112 = { allocations: mapForm(1), ...owner };
const consumer113 = { allocations: mapForm(0), ...owner };
const consumer128 = { ...consumer113, consumer_generation: Type.Union([Type.Integer(), Type.Null()]) };
const consumer134 = {
  ...consumer128,
  mappings: Type.Optional(
    // The group without a name has an empty suffix.
    Type.Record(Type.String({ pattern: `^(${GROUP_SUFFIX})?$` }), Type.Array(uuid, { minItems: 1 }), {
      minProperties: 1,
    }),
  ),
};
const consumer138 = {
  ...consumer134,
  consumer_type: Type.String({ pattern: RESOURCE_CLASS, minLength: 1, maxLength: 255 }),
};

/** A consumer's allocations as the newest version writes them; older forms become it. */
export const ConsumerBody = Type.Object(consumer138, strict);

const many = (one: Record<string, TSchema>, minProperties = 1) =>
  Type.Record(byUuid, Type.Object(one, strict), { minProperties, ...strict });

export const ConsumerView = Type.Object({
  allocations: Type.Record(
    Type.String(),
    Type.Object({ generation: Type.Integer(), resources: Type.Record(Type.String(), Type.Integer()) }),
  ),
  project_id: Type.Optional(Type.String()),
  user_id: Type.Optional(Type.String()),
  consumer_generation: Type.Optional(Type.Integer()),
  consumer_type: Type.Optional(Type.String()),
});

export const listProviderAllocations = operation({
  id: 'listProviderAllocations',
  summary: 'Lists the allocations against a resource provider',
  method: 'GET',
  path: '/resource_providers/{uuid}/allocations',
  response: Type.Object({
    resource_provider_generation: Type.Integer(),
    allocations: Type.Record(
      Type.String(),
      Type.Object({
        resources: Type.Record(Type.String(), Type.Integer()),
        consumer_generation: Type.Optional(Type.Integer()),
      }),
    ),
  }),
  status: 200,
  policy: 'placement:resource_providers:allocations:list',
});

export const showAllocations = operation({
  id: 'showAllocations',
  summary: 'Shows the allocations of a consumer',
  method: 'GET',
  path: '/allocations/{consumer_uuid}',
  response: ConsumerView,
  status: 200,
  policy: 'placement:allocations:list',
});

export const updateAllocations = operation({
  id: 'updateAllocations',
  summary: 'Sets the allocations of a consumer',
  method: 'PUT',
  path: '/allocations/{consumer_uuid}',
  body: [
    { since: '1.0', schema: Type.Object({ allocations: listForm }, strict) },
    { since: '1.8', schema: Type.Object({ allocations: listForm, ...owner }, strict) },
    { since: '1.12', schema: Type.Object(consumer112, strict) },
    { since: '1.28', schema: Type.Object(consumer128, strict) },
    { since: '1.34', schema: Type.Object(consumer134, strict) },
    { since: '1.38', schema: ConsumerBody },
  ] as readonly { since: string; schema: TSchema }[],
  status: 204,
  policy: 'placement:allocations:update',
});

export const deleteAllocations = operation({
  id: 'deleteAllocations',
  summary: 'Deletes the allocations of a consumer',
  method: 'DELETE',
  path: '/allocations/{consumer_uuid}',
  status: 204,
  policy: 'placement:allocations:delete',
});

export const manageAllocations = operation({
  id: 'manageAllocations',
  summary: 'Sets the allocations of several consumers at once',
  method: 'POST',
  path: '/allocations',
  minVersion: '1.13',
  body: [
    { since: '1.13', schema: many(consumer113) },
    { since: '1.28', schema: many(consumer128) },
    { since: '1.34', schema: many(consumer134) },
    { since: '1.38', schema: many(consumer138) },
  ] as readonly { since: string; schema: TSchema }[],
  status: 204,
  policy: 'placement:allocations:manage',
});

const reshape = (one: Record<string, TSchema>) =>
  Type.Object(
    {
      inventories: Type.Record(byUuid, InventoriesBody as TSchema, { minProperties: 1, ...strict }),
      allocations: many(one, 0),
    },
    strict,
  );

export const reshapeProviders = operation({
  id: 'reshapeProviders',
  summary: 'Moves inventories and the allocations against them between resource providers',
  method: 'POST',
  path: '/reshaper',
  minVersion: '1.30',
  body: [
    { since: '1.30', schema: reshape(consumer128) },
    { since: '1.34', schema: reshape(consumer134) },
    { since: '1.38', schema: reshape(consumer138) },
  ] as readonly { since: string; schema: TSchema }[],
  status: 204,
  policy: 'placement:reshaper:reshape',
});
