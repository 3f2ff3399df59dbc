import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { BooleanLike, IntegerLike, NullableText } from './common';
import {
  ChangedTypeResponse,
  DefaultTypeResponse,
  DefaultTypesResponse,
  EncryptionResponse,
  ExtraSpecResponse,
  ExtraSpecsResponse,
  TypeAccessResponse,
  TypeResponse,
  TypesResponse,
} from './views';

const Specs = Type.Record(Type.String({ pattern: '^[a-zA-Z0-9\\-_:. ]{1,255}$' }), Type.String({ maxLength: 255 }), {
  additionalProperties: false,
});

export const listTypes = operation({
  id: 'listTypes',
  summary: 'Lists volume types',
  method: 'GET',
  path: '/types',
  response: TypesResponse,
  status: 200,
});
export const showType = operation({
  id: 'showType',
  summary: 'Shows a volume type; `default` is the default one',
  method: 'GET',
  path: '/types/{type_id}',
  response: TypeResponse,
  status: 200,
});
export const createType = operation({
  id: 'createType',
  summary: 'Creates a volume type',
  method: 'POST',
  path: '/types',
  body: Type.Object({
    volume_type: Type.Object(
      {
        name: Type.String({ minLength: 1, maxLength: 255 }),
        description: Type.Optional(NullableText),
        extra_specs: Type.Optional(Type.Union([Specs, Type.Null()])),
        'os-volume-type-access:is_public': Type.Optional(BooleanLike),
      },
      { additionalProperties: false },
    ),
  }),
  response: TypeResponse,
  status: 200,
  policy: 'volume_extension:type_create',
});
export const updateType = operation({
  id: 'updateType',
  summary: 'Updates a volume type',
  method: 'PUT',
  path: '/types/{type_id}',
  body: Type.Object({
    volume_type: Type.Object(
      {
        name: Type.Optional(NullableText),
        description: Type.Optional(NullableText),
        is_public: Type.Optional(BooleanLike),
      },
      { additionalProperties: false },
    ),
  }),
  response: ChangedTypeResponse,
  status: 200,
  policy: 'volume_extension:type_update',
});
export const deleteType = operation({
  id: 'deleteType',
  summary: 'Deletes a volume type',
  method: 'DELETE',
  path: '/types/{type_id}',
  status: 202,
  policy: 'volume_extension:type_delete',
});
export const listExtraSpecs = operation({
  id: 'listExtraSpecs',
  summary: 'Lists the extra specs of a volume type',
  method: 'GET',
  path: '/types/{type_id}/extra_specs',
  response: ExtraSpecsResponse,
  status: 200,
  policy: 'volume_extension:types_extra_specs:index',
});
export const createExtraSpecs = operation({
  id: 'createExtraSpecs',
  summary: 'Adds extra specs to a volume type',
  method: 'POST',
  path: '/types/{type_id}/extra_specs',
  body: Type.Object({ extra_specs: Specs }, { additionalProperties: false }),
  response: ExtraSpecsResponse,
  status: 200,
  policy: 'volume_extension:types_extra_specs:create',
});
export const showExtraSpec = operation({
  id: 'showExtraSpec',
  summary: 'Shows one extra spec',
  method: 'GET',
  path: '/types/{type_id}/extra_specs/{key}',
  response: ExtraSpecResponse,
  status: 200,
  policy: 'volume_extension:types_extra_specs:index',
});
export const updateExtraSpec = operation({
  id: 'updateExtraSpec',
  summary: 'Sets one extra spec',
  method: 'PUT',
  path: '/types/{type_id}/extra_specs/{key}',
  body: Specs,
  response: ExtraSpecResponse,
  status: 200,
  policy: 'volume_extension:types_extra_specs:create',
});
export const deleteExtraSpec = operation({
  id: 'deleteExtraSpec',
  summary: 'Deletes one extra spec',
  method: 'DELETE',
  path: '/types/{type_id}/extra_specs/{key}',
  status: 202,
  policy: 'volume_extension:types_extra_specs:create',
});

export const listTypeAccess = operation({
  id: 'listTypeAccess',
  summary: 'Lists projects with access to a private volume type',
  method: 'GET',
  path: '/types/{type_id}/os-volume-type-access',
  response: TypeAccessResponse,
  status: 200,
  policy: 'volume_extension:volume_type_access:get_all_for_type',
});
const projectBody = () => Type.Object({ project: Type.String({ minLength: 1, maxLength: 255 }) });
const access = <const Name extends string>(id: string, name: Name, policy: string) =>
  operation({
    id,
    summary: `Changes access to a private volume type: ${name}`,
    method: 'POST',
    path: '/types/{type_id}/action',
    action: name,
    body: Type.Object({ [name]: projectBody() } as Record<Name, ReturnType<typeof projectBody>>),
    status: 202,
    policy,
  });
export const addTypeAccess = access(
  'addTypeAccess',
  'addProjectAccess',
  'volume_extension:volume_type_access:add_project_access',
);
export const removeTypeAccess = access(
  'removeTypeAccess',
  'removeProjectAccess',
  'volume_extension:volume_type_access:remove_project_access',
);
const ControlLocation = Type.Union([Type.Literal('front-end'), Type.Literal('back-end')]);
const Provider = Type.String({ maxLength: 255 });
const encryptionFields = {
  cipher: Type.Optional(NullableText),
  key_size: Type.Optional(Type.Union([IntegerLike, Type.Null()])),
};
export const showTypeEncryption = operation({
  id: 'showTypeEncryption',
  summary: 'Shows the encryption of a volume type; nothing when it has none',
  method: 'GET',
  path: '/types/{type_id}/encryption',
  response: EncryptionResponse,
  status: 200,
  policy: 'volume_extension:volume_type_encryption:get',
});
export const showTypeEncryptionItem = operation({
  id: 'showTypeEncryptionItem',
  summary: 'Shows one item of the encryption of a volume type',
  method: 'GET',
  path: '/types/{type_id}/encryption/{key}',
  status: 200,
  policy: 'volume_extension:volume_type_encryption:get',
});
export const createTypeEncryption = operation({
  id: 'createTypeEncryption',
  summary: 'Makes a volume type encrypted',
  method: 'POST',
  path: '/types/{type_id}/encryption',
  body: Type.Object({
    encryption: Type.Object({ provider: Provider, control_location: ControlLocation, ...encryptionFields }),
  }),
  status: 200,
  policy: 'volume_extension:volume_type_encryption:create',
});
export const updateTypeEncryption = operation({
  id: 'updateTypeEncryption',
  summary: 'Changes the encryption of a volume type',
  method: 'PUT',
  path: '/types/{type_id}/encryption/{key}',
  body: Type.Object({
    encryption: Type.Object({
      provider: Type.Optional(Provider),
      control_location: Type.Optional(ControlLocation),
      ...encryptionFields,
    }),
  }),
  status: 200,
  policy: 'volume_extension:volume_type_encryption:update',
});
export const deleteTypeEncryption = operation({
  id: 'deleteTypeEncryption',
  summary: 'Makes a volume type unencrypted',
  method: 'DELETE',
  path: '/types/{type_id}/encryption/{key}',
  status: 202,
  policy: 'volume_extension:volume_type_encryption:delete',
});
export const showDefaultType = operation({
  id: 'showDefaultType',
  summary: "Shows a project's own default volume type",
  method: 'GET',
  path: '/default-types/{target_project_id}',
  minVersion: '3.62',
  response: DefaultTypeResponse,
  status: 200,
  policy: 'volume_extension:default_get',
});
export const listDefaultTypes = operation({
  id: 'listDefaultTypes',
  summary: 'Lists the default volume types of projects',
  method: 'GET',
  path: '/default-types',
  minVersion: '3.62',
  response: DefaultTypesResponse,
  status: 200,
  policy: 'volume_extension:default_get_all',
});
export const setDefaultType = operation({
  id: 'setDefaultType',
  summary: 'Sets the default volume type of a project',
  method: 'PUT',
  path: '/default-types/{target_project_id}',
  minVersion: '3.62',
  body: Type.Object({ default_type: Type.Object({ volume_type: Type.String({ minLength: 1, maxLength: 255 }) }) }),
  response: DefaultTypeResponse,
  status: 200,
  policy: 'volume_extension:default_set_or_update',
});
export const unsetDefaultType = operation({
  id: 'unsetDefaultType',
  summary: 'Removes the default volume type of a project',
  method: 'DELETE',
  path: '/default-types/{target_project_id}',
  minVersion: '3.62',
  status: 204,
  policy: 'volume_extension:default_unset',
});

export const typeOperations = [
  listTypeAccess,
  addTypeAccess,
  removeTypeAccess,
  showTypeEncryption,
  showTypeEncryptionItem,
  createTypeEncryption,
  updateTypeEncryption,
  deleteTypeEncryption,
  showDefaultType,
  listDefaultTypes,
  setDefaultType,
  unsetDefaultType,
  listTypes,
  showType,
  createType,
  updateType,
  deleteType,
  listExtraSpecs,
  createExtraSpecs,
  showExtraSpec,
  updateExtraSpec,
  deleteExtraSpec,
];
