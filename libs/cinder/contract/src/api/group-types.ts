import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { BooleanLike, NullableText } from './common';

const SINCE = { minVersion: '3.11' } as const;
const Specs = Type.Record(
  Type.String({ pattern: '^[a-zA-Z0-9\\-_:.]{1,255}$' }),
  Type.Union([Type.String({ maxLength: 255 }), Type.Null()]),
  { additionalProperties: false },
);

export const listGroupTypes = operation({
  id: 'listGroupTypes',
  summary: 'Lists group types',
  method: 'GET',
  path: '/group_types',
  ...SINCE,
  status: 200,
});
export const showGroupType = operation({
  id: 'showGroupType',
  summary: 'Shows a group type',
  method: 'GET',
  path: '/group_types/{group_type_id}',
  ...SINCE,
  status: 200,
});
export const createGroupType = operation({
  id: 'createGroupType',
  summary: 'Creates a group type',
  method: 'POST',
  path: '/group_types',
  ...SINCE,
  body: Type.Object({
    group_type: Type.Object(
      {
        name: Type.String({ minLength: 1, maxLength: 255 }),
        description: Type.Optional(NullableText),
        is_public: Type.Optional(BooleanLike),
        group_specs: Type.Optional(Type.Union([Specs, Type.Null()])),
      },
      { additionalProperties: false },
    ),
  }),
  status: 202,
  policy: 'group:group_types:create',
});
export const updateGroupType = operation({
  id: 'updateGroupType',
  summary: 'Updates a group type',
  method: 'PUT',
  path: '/group_types/{group_type_id}',
  ...SINCE,
  body: Type.Object({
    group_type: Type.Object(
      {
        name: Type.Optional(NullableText),
        description: Type.Optional(NullableText),
        is_public: Type.Optional(BooleanLike),
      },
      { additionalProperties: false },
    ),
  }),
  status: 200,
  policy: 'group:group_types:update',
});
export const deleteGroupType = operation({
  id: 'deleteGroupType',
  summary: 'Deletes a group type',
  method: 'DELETE',
  path: '/group_types/{group_type_id}',
  ...SINCE,
  status: 202,
  policy: 'group:group_types:delete',
});
export const listGroupSpecs = operation({
  id: 'listGroupSpecs',
  summary: 'Lists the specs of a group type',
  method: 'GET',
  path: '/group_types/{group_type_id}/group_specs',
  ...SINCE,
  status: 200,
  policy: 'group:group_types_specs:get_all',
});
export const createGroupSpecs = operation({
  id: 'createGroupSpecs',
  summary: 'Adds specs to a group type',
  method: 'POST',
  path: '/group_types/{group_type_id}/group_specs',
  ...SINCE,
  body: Type.Object({ group_specs: Specs }, { additionalProperties: false }),
  status: 202,
  policy: 'group:group_types_specs:create',
});
export const showGroupSpec = operation({
  id: 'showGroupSpec',
  summary: 'Shows one spec of a group type',
  method: 'GET',
  path: '/group_types/{group_type_id}/group_specs/{key}',
  ...SINCE,
  status: 200,
  policy: 'group:group_types_specs:get',
});
export const updateGroupSpec = operation({
  id: 'updateGroupSpec',
  summary: 'Sets one spec of a group type',
  method: 'PUT',
  path: '/group_types/{group_type_id}/group_specs/{key}',
  ...SINCE,
  body: Specs,
  status: 200,
  policy: 'group:group_types_specs:update',
});
export const deleteGroupSpec = operation({
  id: 'deleteGroupSpec',
  summary: 'Deletes one spec of a group type',
  method: 'DELETE',
  path: '/group_types/{group_type_id}/group_specs/{key}',
  ...SINCE,
  status: 202,
  policy: 'group:group_types_specs:delete',
});

export const groupTypeOperations = [
  listGroupTypes,
  showGroupType,
  createGroupType,
  updateGroupType,
  deleteGroupType,
  listGroupSpecs,
  createGroupSpecs,
  showGroupSpec,
  updateGroupSpec,
  deleteGroupSpec,
];
