import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Description, Extensible, Id, ListLinks, Name, Nullable, SelfLink, allOf, crudOperations } from './common';
import { Role } from './roles';

const Consumer = Extensible({
  id: Type.String(),
  description: Nullable(Type.String()),
  /** Told once, when it is made. */
  secret: Type.Optional(Type.String()),
  links: SelfLink,
});

/** Programs that users let work for them. upstream: keystone/oauth1/schema.py */
export const consumers = crudOperations({
  noun: 'Consumer',
  plural: 'Consumers',
  key: 'consumer',
  collection: 'consumers',
  path: '/OS-OAUTH1/consumers',
  create: Extensible({ description: Description }),
  update: Type.Object(
    { description: Description, secret: Type.Optional(Type.Never()) },
    { additionalProperties: true, minProperties: 1 },
  ),
  resource: Consumer,
  query: Type.Object({}),
  policies: {
    list: 'identity:list_consumers',
    get: 'identity:get_consumer',
    create: 'identity:create_consumer',
    update: 'identity:update_consumer',
    delete: 'identity:delete_consumer',
  },
});

/** What a consumer gets: a token and its secret, form-encoded. */
export const FORM = 'application/x-www-form-urlencoded';
export const createRequestToken = operation({
  id: 'createRequestToken',
  summary: 'Ask, as a consumer, to work for a user in a project',
  method: 'POST',
  path: '/OS-OAUTH1/request_token',
  response: Type.String(),
  responseType: FORM,
  status: 201,
  public: true,
  errors: ['Unauthorized', 'ValidationError', 'InvalidInput', 'ConsumerNotFound', 'ProjectNotFound'],
});
export const authorizeRequestToken = operation({
  id: 'authorizeRequestToken',
  summary: 'Let a consumer work with some of the own roles',
  method: 'PUT',
  path: '/OS-OAUTH1/authorize/{request_token_id}',
  body: Type.Object({
    roles: Type.Array(
      Type.Union([
        Type.Object({ id: Id }, { additionalProperties: false }),
        Type.Object({ name: Name }, { additionalProperties: false }),
      ]),
    ),
  }),
  response: Type.Object({ token: Type.Object({ oauth_verifier: Type.String() }) }),
  status: 200,
  policy: 'identity:authorize_request_token',
  errors: ['Unauthorized', 'Forbidden', 'RequestTokenNotFound', 'RoleNotFound'],
});
export const createAccessToken = operation({
  id: 'createAccessToken',
  summary: 'Get, as a consumer, what a user has authorized',
  method: 'POST',
  path: '/OS-OAUTH1/access_token',
  response: Type.String(),
  responseType: FORM,
  status: 201,
  public: true,
  errors: ['Unauthorized', 'ValidationError', 'InvalidInput', 'RequestTokenNotFound'],
});

const AccessToken = Type.Object({
  id: Type.String(),
  consumer_id: Type.String(),
  project_id: Type.String(),
  authorizing_user_id: Type.String(),
  expires_at: Nullable(Type.String()),
  links: Type.Object({ self: Type.String(), roles: Type.String() }),
});
const tokens = '/users/{user_id}/OS-OAUTH1/access_tokens';
const one = `${tokens}/{access_token_id}`;
export const listAccessTokens = operation({
  id: 'listAccessTokens',
  summary: 'List what consumers a user lets work for him',
  method: 'GET',
  path: tokens,
  response: Type.Object({ access_tokens: Type.Array(AccessToken), links: ListLinks }),
  status: 200,
  policy: 'identity:list_access_tokens',
});
export const showAccessToken = operation({
  id: 'showAccessToken',
  summary: 'Show an access token',
  method: 'GET',
  path: one,
  response: Type.Object({ access_token: AccessToken }),
  status: 200,
  policy: 'identity:get_access_token',
  errors: ['AccessTokenNotFound'],
});
export const deleteAccessToken = operation({
  id: 'deleteAccessToken',
  summary: 'End what a consumer may do',
  method: 'DELETE',
  path: one,
  status: 204,
  errors: ['AccessTokenNotFound', 'Unauthorized'],
});
export const listAccessTokenRoles = operation({
  id: 'listAccessTokenRoles',
  summary: 'List the roles that an access token gives',
  method: 'GET',
  path: `${one}/roles`,
  response: Type.Object({ roles: Type.Array(Role), links: ListLinks }),
  status: 200,
  policy: 'identity:list_access_token_roles',
  errors: ['AccessTokenNotFound'],
});
export const showAccessTokenRole = operation({
  id: 'showAccessTokenRole',
  summary: 'Show one of the roles that an access token gives',
  method: 'GET',
  path: `${one}/roles/{role_id}`,
  response: Type.Object({ role: Role }),
  status: 200,
  policy: 'identity:get_access_token_role',
  errors: ['AccessTokenNotFound', 'RoleNotFound', 'Unauthorized'],
});

export const oauth1Operations = [
  ...allOf(consumers),
  createRequestToken,
  authorizeRequestToken,
  createAccessToken,
  listAccessTokens,
  showAccessToken,
  deleteAccessToken,
  listAccessTokenRoles,
  showAccessTokenRole,
];
