import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any, Fqdn, Name, Nullable, Strict, Uuid, ZoneName } from './common';

const Aggregate = Type.Record(Type.String(), Any);
const Zone = Type.Optional(Nullable(ZoneName));
const One = Type.Object({ aggregate: Aggregate });
const Host = Strict({ host: Fqdn });

export const listAggregates = operation({
  id: 'listAggregates',
  summary: 'List host aggregates',
  method: 'GET',
  path: '/os-aggregates',
  status: 200,
  response: Type.Object({ aggregates: Type.Array(Aggregate) }),
  policy: 'os_compute_api:os-aggregates:index',
});
export const createAggregate = operation({
  id: 'createAggregate',
  summary: 'Create a host aggregate',
  method: 'POST',
  path: '/os-aggregates',
  status: 200,
  body: Strict({ aggregate: Strict({ name: Name, availability_zone: Zone }) }),
  response: One,
  policy: 'os_compute_api:os-aggregates:create',
  errors: ['AggregateNameExists'],
});
export const showAggregate = operation({
  id: 'showAggregate',
  summary: 'Show a host aggregate',
  method: 'GET',
  path: '/os-aggregates/{aggregate_id}',
  status: 200,
  response: One,
  policy: 'os_compute_api:os-aggregates:show',
  errors: ['AggregateNotFound'],
});
export const updateAggregate = operation({
  id: 'updateAggregate',
  summary: 'Rename a host aggregate or move it to another zone',
  method: 'PUT',
  path: '/os-aggregates/{aggregate_id}',
  status: 200,
  body: Strict({
    aggregate: Type.Object(
      { name: Type.Optional(Type.String({ minLength: 1, maxLength: 255, pattern: '\\S' })), availability_zone: Zone },
      { additionalProperties: false, minProperties: 1 },
    ),
  }),
  response: One,
  policy: 'os_compute_api:os-aggregates:update',
  errors: ['AggregateNotFound', 'AggregateNameExists', 'InvalidAggregateActionUpdate'],
});
export const deleteAggregate = operation({
  id: 'deleteAggregate',
  summary: 'Delete a host aggregate',
  method: 'DELETE',
  path: '/os-aggregates/{aggregate_id}',
  status: 200,
  policy: 'os_compute_api:os-aggregates:delete',
  errors: ['AggregateNotFound', 'InvalidAggregateActionDelete'],
});

const action = <const S extends Type.TSchema>(key: string, id: string, summary: string, value: S) =>
  operation({
    id,
    summary,
    method: 'POST',
    path: '/os-aggregates/{aggregate_id}/action',
    action: key,
    status: 200,
    body: Type.Object({ [key]: value } as Record<string, S>, { additionalProperties: false }),
    response: One,
    policy: `os_compute_api:os-aggregates:${key}`,
    errors: ['AggregateNotFound'],
  });
export const addAggregateHost = action('add_host', 'addAggregateHost', 'Add a host to an aggregate', Host);
export const removeAggregateHost = action(
  'remove_host',
  'removeAggregateHost',
  'Take a host out of an aggregate',
  Host,
);
export const setAggregateMetadata = action(
  'set_metadata',
  'setAggregateMetadata',
  'Change the metadata of an aggregate; null removes a key',
  Strict({
    metadata: Type.Record(
      Type.String({ pattern: '^[a-zA-Z0-9-_:. ]{1,255}$' }),
      Nullable(Type.String({ maxLength: 255 })),
      { additionalProperties: false },
    ),
  }),
);

/** upstream: nova/api/openstack/compute/schemas/aggregate_images.py */
export const cacheAggregateImages = operation({
  id: 'cacheAggregateImages',
  summary: 'Have the hosts of an aggregate fetch images before servers need them',
  method: 'POST',
  path: '/os-aggregates/{aggregate_id}/images',
  minVersion: '2.81',
  status: 202,
  body: Strict({ cache: Type.Array(Strict({ id: Uuid }), { minItems: 1 }) }),
  policy: 'compute:aggregates:images',
  errors: ['AggregateNotFound'],
});

export const aggregateOperations = [
  listAggregates,
  createAggregate,
  showAggregate,
  updateAggregate,
  deleteAggregate,
  addAggregateHost,
  removeAggregateHost,
  setAggregateMetadata,
  cacheAggregateImages,
];
