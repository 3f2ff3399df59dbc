import { isoMicros, isoMicrosZ } from '@nestack/kernel/clock';
import type {
  AccessRule,
  CatalogEntry,
  Consumer,
  Credential,
  Endpoint,
  EndpointGroup,
  Group,
  Limit,
  Project,
  Region,
  RegisteredLimit,
  Role,
  Service,
  ShownCredential,
  StoredPolicy,
  TokenView,
  User,
} from '@nestack/keystone/domain';

const self = (base: string, collection: string, id: string) => ({
  links: { self: `${base}/${collection}/${encodeURIComponent(id)}` },
});

/** Attributes that are null are left out, as upstream's unknown ones. */
function given(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

export function userView(base: string, user: User) {
  return {
    ...user.extra,
    id: user.id,
    name: user.name,
    domain_id: user.domain_id,
    enabled: user.enabled,
    ...given({ default_project_id: user.default_project_id, description: user.description }),
    password_expires_at: user.password_expires_at === null ? null : isoMicros(user.password_expires_at),
    options: user.options,
    ...self(base, 'users', user.id),
  };
}

export function projectView(base: string, project: Project) {
  return {
    ...project.extra,
    id: project.id,
    name: project.name,
    domain_id: project.domain_id,
    parent_id: project.parent_id,
    is_domain: project.is_domain,
    enabled: project.enabled,
    description: project.description,
    tags: [...project.tags],
    options: project.options,
    ...self(base, 'projects', project.id),
  };
}

export function domainView(base: string, domain: Project) {
  return {
    ...domain.extra,
    id: domain.id,
    name: domain.name,
    enabled: domain.enabled,
    description: domain.description,
    tags: [...domain.tags],
    options: domain.options,
    ...self(base, 'domains', domain.id),
  };
}

export function groupView(base: string, group: Group) {
  return {
    ...group.extra,
    id: group.id,
    name: group.name,
    domain_id: group.domain_id,
    description: group.description,
    ...self(base, 'groups', group.id),
  };
}

export function roleView(base: string, role: Role) {
  return {
    ...role.extra,
    id: role.id,
    name: role.name,
    domain_id: role.domain_id,
    description: role.description,
    options: role.options,
    ...self(base, 'roles', role.id),
  };
}

/** A role within a rule of implied roles. */
export function impliedRoleView(base: string, role: Role) {
  return { id: role.id, name: role.name, ...self(base, 'roles', role.id) };
}

export function serviceView(base: string, service: Service) {
  return {
    ...service.extra,
    id: service.id,
    type: service.type,
    ...given({ name: service.name, description: service.description }),
    enabled: service.enabled,
    ...self(base, 'services', service.id),
  };
}

export function endpointView(base: string, endpoint: Endpoint) {
  return {
    ...endpoint.extra,
    id: endpoint.id,
    service_id: endpoint.service_id,
    interface: endpoint.interface,
    region: endpoint.region_id,
    region_id: endpoint.region_id,
    url: endpoint.url,
    enabled: endpoint.enabled,
    ...self(base, 'endpoints', endpoint.id),
  };
}

export function regionView(base: string, region: Region) {
  return {
    ...region.extra,
    id: region.id,
    description: region.description,
    parent_region_id: region.parent_region_id,
    ...self(base, 'regions', region.id),
  };
}

export function credentialView(base: string, credential: Credential) {
  return {
    ...credential.extra,
    id: credential.id,
    type: credential.type,
    blob: credential.blob,
    user_id: credential.user_id,
    project_id: credential.project_id,
    ...self(base, 'credentials', credential.id),
  };
}

/** Without the secret. */
export function consumerView(base: string, consumer: Consumer) {
  return {
    ...consumer.extra,
    id: consumer.id,
    description: consumer.description,
    ...self(base, 'OS-OAUTH1/consumers', consumer.id),
  };
}

export function applicationCredentialView(base: string, credential: ShownCredential) {
  return {
    id: credential.id,
    name: credential.name,
    description: credential.description,
    project_id: credential.project_id,
    user_id: credential.user_id,
    roles: credential.roles.map((role) => ({ id: role.id, name: role.name, domain_id: role.domain_id })),
    expires_at: credential.expires_at,
    unrestricted: credential.unrestricted,
    ...(credential.access_rules === null ? {} : { access_rules: credential.access_rules.map(accessRuleView) }),
    ...self(base, `users/${credential.user_id}/application_credentials`, credential.id),
  };
}

export function accessRuleView(rule: Pick<AccessRule, 'id' | 'service' | 'path' | 'method'>) {
  return { id: rule.id, service: rule.service, path: rule.path, method: rule.method };
}

export function policyView(base: string, policy: StoredPolicy) {
  return { ...policy.extra, id: policy.id, type: policy.type, blob: policy.blob, ...self(base, 'policies', policy.id) };
}

export function endpointGroupView(base: string, group: EndpointGroup) {
  return { ...group, ...self(base, 'OS-EP-FILTER/endpoint_groups', group.id) };
}

export function registeredLimitView(base: string, limit: RegisteredLimit) {
  return { ...limit, ...self(base, 'registered_limits', limit.id) };
}

export function limitView(base: string, limit: Limit) {
  return { ...limit, ...self(base, 'limits', limit.id) };
}

/** A token's body; `catalog` is null when it was not asked for. upstream: keystone/common/render_token.py */
export function tokenBody(view: TokenView, catalog: readonly CatalogEntry[] | null) {
  const scoped = view.scope.type !== 'unscoped';
  return {
    methods: [...view.methods],
    user: {
      id: view.user.id,
      name: view.user.name,
      domain: { ...view.user.domain },
      password_expires_at: view.user.password_expires_at === null ? null : isoMicros(view.user.password_expires_at),
    },
    audit_ids: [...view.audit_ids],
    expires_at: isoMicrosZ(view.expires_at),
    issued_at: isoMicrosZ(view.issued_at),
    ...(view.project === null
      ? {}
      : {
          project: { id: view.project.id, name: view.project.name, domain: { ...view.project.domain } },
          is_domain: view.project.is_domain,
        }),
    ...(view.domain === null ? {} : { domain: { ...view.domain } }),
    ...(view.scope.type === 'system' ? { system: { all: true } } : {}),
    ...(scoped ? { roles: view.roles.map((role) => ({ id: role.id, name: role.name })) } : {}),
    ...(view.trust === null
      ? {}
      : {
          'OS-TRUST:trust': {
            id: view.trust.id,
            impersonation: view.trust.impersonation,
            trustor_user: { id: view.trust.trustor_user_id },
            trustee_user: { id: view.trust.trustee_user_id },
          },
        }),
    ...(view.access_token === null
      ? {}
      : { 'OS-OAUTH1': { access_token_id: view.access_token.id, consumer_id: view.access_token.consumer_id } }),
    ...(view.application_credential === null ? {} : { application_credential: usedCredential(view) }),
    ...(scoped && catalog !== null ? { catalog: catalogView(catalog) } : {}),
  };
}

function usedCredential({ application_credential: used }: TokenView) {
  return {
    id: used?.id ?? '',
    name: used?.name ?? '',
    restricted: used?.restricted ?? true,
    ...(used === null || used.access_rules === null ? {} : { access_rules: used.access_rules.map(accessRuleView) }),
  };
}

export function catalogView(catalog: readonly CatalogEntry[]) {
  return catalog.map((service) => ({ ...service, endpoints: service.endpoints.map((one) => ({ ...one })) }));
}
