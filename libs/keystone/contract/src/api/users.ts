import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import {
  Description,
  Enabled,
  Id,
  ListLinks,
  Name,
  Nullable,
  Options,
  SelfLink,
  allOf,
  crudOperations,
  filters,
  text,
  Extensible,
} from './common';

const Password = Nullable(Type.String());

export const User = Extensible({
  id: Type.String(),
  name: Type.String(),
  domain_id: Type.String(),
  enabled: Type.Boolean(),
  password_expires_at: Nullable(Type.String()),
  options: Type.Record(Type.String(), Type.Unknown()),
  default_project_id: Type.Optional(Type.String()),
  description: Type.Optional(Nullable(Type.String())),
  links: SelfLink,
});

/** Users; unknown attributes (`email`) are kept and shown, as upstream. */
export const users = crudOperations({
  noun: 'User',
  plural: 'Users',
  key: 'user',
  collection: 'users',
  query: filters({ name: text, domain_id: text, enabled: text, password_expires_at: text }),
  create: Type.Object({
    name: Name,
    domain_id: Type.Optional(Nullable(Id)),
    default_project_id: Type.Optional(Nullable(Id)),
    password: Type.Optional(Password),
    enabled: Enabled,
    description: Description,
    options: Options,
  }),
  update: Type.Object(
    {
      name: Type.Optional(Name),
      domain_id: Type.Optional(Nullable(Id)),
      default_project_id: Type.Optional(Nullable(Id)),
      password: Type.Optional(Password),
      enabled: Enabled,
      description: Description,
      options: Options,
    },
    { minProperties: 1 },
  ),
  resource: User,
});

export const changePassword = operation({
  id: 'changePassword',
  summary: "Change one's own password",
  method: 'POST',
  path: '/users/{user_id}/password',
  body: Type.Object({ user: Type.Object({ original_password: Type.String(), password: Type.String() }) }),
  status: 204,
  public: true,
  errors: ['Unauthorized'],
});
export const listUserProjects = operation({
  id: 'listUserProjects',
  summary: 'List the projects a user has a role on',
  method: 'GET',
  path: '/users/{user_id}/projects',
  query: filters({ name: text, domain_id: text, enabled: text }),
  response: Type.Object({ projects: Type.Array(Type.Unknown()), links: ListLinks }),
  status: 200,
});
export const listUserGroups = operation({
  id: 'listUserGroups',
  summary: 'List the groups a user is in',
  method: 'GET',
  path: '/users/{user_id}/groups',
  query: filters({ name: text }),
  response: Type.Object({ groups: Type.Array(Type.Unknown()), links: ListLinks }),
  status: 200,
});

const Method = Type.Enum(['CONNECT', 'OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE']);
export const AccessRule = Type.Object({
  id: Type.String(),
  service: Type.String(),
  path: Type.String(),
  method: Type.String(),
});
const AccessRuleRequest = Type.Object({
  id: Type.Optional(Type.String()),
  service: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  path: Type.Optional(Type.String({ minLength: 1, maxLength: 128, pattern: '^/' })),
  method: Type.Optional(Method),
});

const AppCredRole = Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) });
export const ApplicationCredential = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Nullable(Type.String()),
  project_id: Type.String(),
  user_id: Type.String(),
  roles: Type.Array(Type.Object({ id: Type.String(), name: Type.String(), domain_id: Nullable(Type.String()) })),
  expires_at: Nullable(Type.String()),
  unrestricted: Type.Boolean(),
  access_rules: Type.Optional(Type.Array(AccessRule)),
  secret: Type.Optional(Type.String()),
  links: SelfLink,
});
export const listApplicationCredentials = operation({
  id: 'listApplicationCredentials',
  summary: "List a user's application credentials",
  method: 'GET',
  path: '/users/{user_id}/application_credentials',
  query: filters({ name: text }),
  response: Type.Object({ application_credentials: Type.Array(ApplicationCredential), links: ListLinks }),
  status: 200,
});
export const createApplicationCredential = operation({
  id: 'createApplicationCredential',
  summary: 'Create an application credential for the scoped project',
  method: 'POST',
  path: '/users/{user_id}/application_credentials',
  body: Type.Object({
    application_credential: Type.Object({
      name: Name,
      description: Description,
      secret: Type.Optional(Nullable(Type.String())),
      expires_at: Type.Optional(Nullable(Type.String())),
      unrestricted: Type.Optional(Nullable(Type.Boolean())),
      roles: Type.Optional(Type.Array(AppCredRole)),
      access_rules: Type.Optional(Type.Array(AccessRuleRequest)),
    }),
  }),
  response: Type.Object({ application_credential: ApplicationCredential }),
  status: 201,
});
export const showApplicationCredential = operation({
  id: 'showApplicationCredential',
  summary: 'Show an application credential',
  method: 'GET',
  path: '/users/{user_id}/application_credentials/{application_credential_id}',
  response: Type.Object({ application_credential: ApplicationCredential }),
  status: 200,
});
export const deleteApplicationCredential = operation({
  id: 'deleteApplicationCredential',
  summary: 'Delete an application credential',
  method: 'DELETE',
  path: '/users/{user_id}/application_credentials/{application_credential_id}',
  status: 204,
});

const rulesPath = '/users/{user_id}/access_rules';
export const listAccessRules = operation({
  id: 'listAccessRules',
  summary: "List a user's access rules",
  method: 'GET',
  path: rulesPath,
  query: filters({ service: text, path: text, method: text }),
  response: Type.Object({ access_rules: Type.Array(AccessRule), links: ListLinks }),
  status: 200,
});
export const showAccessRule = operation({
  id: 'showAccessRule',
  summary: 'Show an access rule',
  method: 'GET',
  path: `${rulesPath}/{access_rule_id}`,
  response: Type.Object({ access_rule: AccessRule }),
  status: 200,
});
export const deleteAccessRule = operation({
  id: 'deleteAccessRule',
  summary: 'Delete an access rule that no application credential has',
  method: 'DELETE',
  path: `${rulesPath}/{access_rule_id}`,
  status: 204,
});

export const userOperations = [
  ...allOf(users),
  changePassword,
  listUserProjects,
  listUserGroups,
  listApplicationCredentials,
  createApplicationCredential,
  showApplicationCredential,
  deleteApplicationCredential,
  listAccessRules,
  showAccessRule,
  deleteAccessRule,
];
