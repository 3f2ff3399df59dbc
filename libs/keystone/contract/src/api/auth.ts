import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { ListLinks, NamedDomain, Nullable } from './common';
import { AccessRule } from './users';

const DomainRef = Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) });
const UserRef = Type.Object({
  id: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  domain: Type.Optional(DomainRef),
});
const ProjectRef = Type.Object({
  id: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  domain: Type.Optional(DomainRef),
});

/** Who asks for a token and how he proves it. */
export const Identity = Type.Object({
  methods: Type.Array(Type.String()),
  password: Type.Optional(
    Type.Object({ user: Type.Intersect([UserRef, Type.Object({ password: Type.Optional(Type.String()) })]) }),
  ),
  token: Type.Optional(Type.Object({ id: Type.String() })),
  oauth1: Type.Optional(Type.Object({})),
  application_credential: Type.Optional(
    Type.Object({
      id: Type.Optional(Type.String()),
      name: Type.Optional(Type.String()),
      secret: Type.String(),
      user: Type.Optional(UserRef),
    }),
  ),
});

/** What the token is for; the word `unscoped` is a form of its own. */
export const Scope = Type.Union([
  Type.Literal('unscoped'),
  Type.Object({
    project: Type.Optional(ProjectRef),
    domain: Type.Optional(DomainRef),
    system: Type.Optional(Type.Object({ all: Type.Optional(Type.Boolean()) })),
    unscoped: Type.Optional(Type.Object({})),
    'OS-TRUST:trust': Type.Optional(Type.Object({ id: Type.Optional(Type.String()) })),
  }),
]);

const RoleRef = Type.Object({ id: Type.String(), name: Type.String() });
const CatalogEndpoint = Type.Object({
  id: Type.String(),
  interface: Type.String(),
  region: Nullable(Type.String()),
  region_id: Nullable(Type.String()),
  url: Type.String(),
});
export const CatalogService = Type.Object({
  id: Type.String(),
  type: Type.String(),
  name: Type.String(),
  endpoints: Type.Array(CatalogEndpoint),
});

/** What a token says. upstream: keystone/common/render_token.py */
export const Token = Type.Object({
  methods: Type.Array(Type.String()),
  user: Type.Object({
    id: Type.String(),
    name: Type.String(),
    domain: NamedDomain,
    password_expires_at: Nullable(Type.String()),
  }),
  audit_ids: Type.Array(Type.String()),
  expires_at: Type.String(),
  issued_at: Type.String(),
  project: Type.Optional(Type.Object({ id: Type.String(), name: Type.String(), domain: NamedDomain })),
  is_domain: Type.Optional(Type.Boolean()),
  domain: Type.Optional(NamedDomain),
  system: Type.Optional(Type.Object({ all: Type.Boolean() })),
  roles: Type.Optional(Type.Array(RoleRef)),
  catalog: Type.Optional(Type.Array(CatalogService)),
  'OS-TRUST:trust': Type.Optional(
    Type.Object({
      id: Type.String(),
      impersonation: Type.Boolean(),
      trustor_user: Type.Object({ id: Type.String() }),
      trustee_user: Type.Object({ id: Type.String() }),
    }),
  ),
  'OS-OAUTH1': Type.Optional(Type.Object({ access_token_id: Type.String(), consumer_id: Type.String() })),
  application_credential: Type.Optional(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      restricted: Type.Boolean(),
      access_rules: Type.Optional(Type.Array(AccessRule)),
    }),
  ),
});
const TokenBody = Type.Object({ token: Token });
const TokenQuery = Type.Object({
  nocatalog: Type.Optional(Type.String()),
  allow_expired: Type.Optional(Type.String()),
});

export const createToken = operation({
  id: 'createToken',
  summary: 'Authenticate and get a token',
  method: 'POST',
  path: '/auth/tokens',
  query: TokenQuery,
  body: Type.Object({ auth: Type.Object({ identity: Identity, scope: Type.Optional(Scope) }) }),
  response: TokenBody,
  status: 201,
  public: true,
  errors: ['Unauthorized', 'PasswordExpired', 'AuthMethodNotSupported', 'ValidationError'],
});
export const validateToken = operation({
  id: 'validateToken',
  summary: 'Validate a token and show what it says',
  method: 'GET',
  path: '/auth/tokens',
  query: TokenQuery,
  response: TokenBody,
  status: 200,
  errors: ['TokenNotFound', 'ForbiddenAction'],
});
export const revokeToken = operation({
  id: 'revokeToken',
  summary: 'Revoke a token',
  method: 'DELETE',
  path: '/auth/tokens',
  status: 204,
  errors: ['TokenNotFound', 'ForbiddenAction'],
});
export const listAuthProjects = operation({
  id: 'listAuthProjects',
  summary: 'List the projects that a token can be scoped to',
  method: 'GET',
  path: '/auth/projects',
  response: Type.Object({ projects: Type.Array(Type.Unknown()), links: ListLinks }),
  status: 200,
});
export const listAuthDomains = operation({
  id: 'listAuthDomains',
  summary: 'List the domains that a token can be scoped to',
  method: 'GET',
  path: '/auth/domains',
  response: Type.Object({ domains: Type.Array(Type.Unknown()), links: ListLinks }),
  status: 200,
});
export const showAuthSystem = operation({
  id: 'showAuthSystem',
  summary: 'Show whether a token can be scoped to the system',
  method: 'GET',
  path: '/auth/system',
  response: Type.Object({ system: Type.Array(Type.Record(Type.String(), Type.Boolean())), links: ListLinks }),
  status: 200,
});
export const showAuthCatalog = operation({
  id: 'showAuthCatalog',
  summary: "Show the catalogue for the token's scope",
  method: 'GET',
  path: '/auth/catalog',
  response: Type.Object({ catalog: Type.Array(CatalogService), links: ListLinks }),
  status: 200,
});

export const authOperations = [
  createToken,
  validateToken,
  revokeToken,
  listAuthProjects,
  listAuthDomains,
  showAuthSystem,
  showAuthCatalog,
] as const;
