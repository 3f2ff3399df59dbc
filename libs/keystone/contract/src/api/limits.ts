import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Description, Id, ListLinks, Nullable, SelfLink, filters, text } from './common';

const ResourceName = Type.String({ minLength: 1, maxLength: 255 });
const Amount = Type.Integer({ minimum: -1, maximum: 0x7fffffff });
const links = { links: SelfLink };

export const RegisteredLimit = Type.Object({
  id: Type.String(),
  service_id: Type.String(),
  region_id: Nullable(Type.String()),
  resource_name: Type.String(),
  default_limit: Type.Integer(),
  description: Nullable(Type.String()),
  ...links,
});
export const Limit = Type.Object({
  id: Type.String(),
  project_id: Nullable(Type.String()),
  domain_id: Nullable(Type.String()),
  service_id: Type.String(),
  region_id: Nullable(Type.String()),
  resource_name: Type.String(),
  resource_limit: Type.Integer(),
  description: Nullable(Type.String()),
  ...links,
});

const registeredPath = '/registered_limits';
const oneRegistered = `${registeredPath}/{registered_limit_id}`;
const registered = {
  service_id: Id,
  region_id: Type.Optional(Nullable(Type.String())),
  resource_name: ResourceName,
  default_limit: Amount,
  description: Description,
};
const limitQuery = { service_id: text, region_id: text, resource_name: text };

export const listRegisteredLimits = operation({
  id: 'listRegisteredLimits',
  summary: 'List the default limits of services',
  method: 'GET',
  path: registeredPath,
  query: filters(limitQuery),
  response: Type.Object({ registered_limits: Type.Array(RegisteredLimit), links: ListLinks }),
  status: 200,
  policy: 'identity:list_registered_limits',
});
export const createRegisteredLimits = operation({
  id: 'createRegisteredLimits',
  summary: 'Create default limits of services',
  method: 'POST',
  path: registeredPath,
  body: Type.Object({ registered_limits: Type.Array(Type.Object(registered), { minItems: 1 }) }),
  response: Type.Object({ registered_limits: Type.Array(RegisteredLimit) }),
  status: 201,
  policy: 'identity:create_registered_limits',
});
export const showRegisteredLimit = operation({
  id: 'showRegisteredLimit',
  summary: 'Show a default limit',
  method: 'GET',
  path: oneRegistered,
  response: Type.Object({ registered_limit: RegisteredLimit }),
  status: 200,
  policy: 'identity:get_registered_limit',
});
export const updateRegisteredLimit = operation({
  id: 'updateRegisteredLimit',
  summary: 'Change a default limit that no limit refers to, or its amount and description',
  method: 'PATCH',
  path: oneRegistered,
  body: Type.Object({ registered_limit: Type.Partial(Type.Object(registered), { minProperties: 1 }) }),
  response: Type.Object({ registered_limit: RegisteredLimit }),
  status: 200,
  policy: 'identity:update_registered_limit',
});
export const deleteRegisteredLimit = operation({
  id: 'deleteRegisteredLimit',
  summary: 'Delete a default limit that no limit refers to',
  method: 'DELETE',
  path: oneRegistered,
  status: 204,
  policy: 'identity:delete_registered_limit',
});

const limitsPath = '/limits';
const oneLimit = `${limitsPath}/{limit_id}`;
export const showLimitModel = operation({
  id: 'showLimitModel',
  summary: 'Show how limits of projects relate to each other',
  method: 'GET',
  path: `${limitsPath}/model`,
  response: Type.Object({ model: Type.Object({ name: Type.String(), description: Type.String() }) }),
  status: 200,
  policy: 'identity:get_limit_model',
});
export const listLimits = operation({
  id: 'listLimits',
  summary: 'List limits of projects and domains',
  method: 'GET',
  path: limitsPath,
  query: filters({ ...limitQuery, project_id: text, domain_id: text }),
  response: Type.Object({ limits: Type.Array(Limit), links: ListLinks }),
  status: 200,
});
export const createLimits = operation({
  id: 'createLimits',
  summary: 'Create limits of projects and domains that differ from the default ones',
  method: 'POST',
  path: limitsPath,
  body: Type.Object({
    limits: Type.Array(
      Type.Object({
        project_id: Type.Optional(Nullable(Id)),
        domain_id: Type.Optional(Nullable(Id)),
        service_id: Id,
        region_id: Type.Optional(Nullable(Type.String())),
        resource_name: ResourceName,
        resource_limit: Amount,
        description: Description,
      }),
      { minItems: 1 },
    ),
  }),
  response: Type.Object({ limits: Type.Array(Limit) }),
  status: 201,
  policy: 'identity:create_limits',
});
export const showLimit = operation({
  id: 'showLimit',
  summary: 'Show a limit',
  method: 'GET',
  path: oneLimit,
  response: Type.Object({ limit: Limit }),
  status: 200,
});
export const updateLimit = operation({
  id: 'updateLimit',
  summary: "Change a limit's amount or description",
  method: 'PATCH',
  path: oneLimit,
  body: Type.Object({
    limit: Type.Object(
      { resource_limit: Type.Optional(Amount), description: Description },
      { minProperties: 1, additionalProperties: false },
    ),
  }),
  response: Type.Object({ limit: Limit }),
  status: 200,
  policy: 'identity:update_limit',
});
export const deleteLimit = operation({
  id: 'deleteLimit',
  summary: 'Delete a limit',
  method: 'DELETE',
  path: oneLimit,
  status: 204,
  policy: 'identity:delete_limit',
});

export const limitOperations = [
  listRegisteredLimits,
  createRegisteredLimits,
  showRegisteredLimit,
  updateRegisteredLimit,
  deleteRegisteredLimit,
  showLimitModel,
  listLimits,
  createLimits,
  showLimit,
  updateLimit,
  deleteLimit,
];
