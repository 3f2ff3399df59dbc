import type { Moment } from './moments';

/** Attributes that upstream does not know but keeps and shows. */
export type Extra = Readonly<Record<string, unknown>>;

export interface User {
  readonly id: string;
  readonly name: string;
  readonly domain_id: string;
  readonly enabled: boolean;
  readonly default_project_id: string | null;
  readonly description: string | null;
  /** argon2id in PHC form, or null for users that cannot log in by password. */
  readonly password_hash: string | null;
  readonly password_expires_at: Date | null;
  readonly options: Extra;
  readonly extra: Extra;
}

/** A project, or a domain: domains are projects at the top of the tree. upstream: keystone/resource */
export interface Project {
  readonly id: string;
  readonly name: string;
  /** Null for domains. */
  readonly domain_id: string | null;
  /** The domain for projects at the top, null for domains. */
  readonly parent_id: string | null;
  readonly is_domain: boolean;
  readonly enabled: boolean;
  readonly description: string;
  readonly tags: readonly string[];
  readonly options: Extra;
  readonly extra: Extra;
}

export interface Group {
  readonly id: string;
  readonly name: string;
  readonly domain_id: string;
  readonly description: string;
  readonly extra: Extra;
}

export interface Role {
  readonly id: string;
  readonly name: string;
  /** Null for roles that are assigned anywhere. */
  readonly domain_id: string | null;
  readonly description: string | null;
  readonly options: Extra;
  readonly extra: Extra;
}

export interface Service {
  readonly id: string;
  readonly type: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly enabled: boolean;
  readonly extra: Extra;
}

export interface Endpoint {
  readonly id: string;
  readonly service_id: string;
  readonly interface: string;
  readonly region_id: string | null;
  readonly url: string;
  readonly enabled: boolean;
  readonly extra: Extra;
}

export interface Region {
  readonly id: string;
  readonly description: string;
  readonly parent_region_id: string | null;
  readonly extra: Extra;
}

/** A group of endpoints: those that have all of the filters' values. */
export interface EndpointGroup {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly filters: Readonly<Partial<Record<'interface' | 'service_id' | 'region_id', string>>>;
}

/** How much of a service's resource every project may use. */
export interface RegisteredLimit {
  readonly id: string;
  readonly service_id: string;
  readonly region_id: string | null;
  readonly resource_name: string;
  readonly default_limit: number;
  readonly description: string | null;
}

/** How much one project or domain may use instead. */
export interface Limit {
  readonly id: string;
  readonly project_id: string | null;
  readonly domain_id: string | null;
  readonly service_id: string;
  readonly region_id: string | null;
  readonly resource_name: string;
  readonly resource_limit: number;
  readonly description: string | null;
}

/** A document kept for others. */
export interface StoredPolicy {
  readonly id: string;
  readonly type: string;
  readonly blob: string;
  readonly extra: Extra;
}

export interface Credential {
  readonly id: string;
  readonly type: string;
  /** As stored: sealed by the `Vault`. */
  readonly blob: string;
  readonly user_id: string;
  readonly project_id: string | null;
  readonly extra: Extra;
}

export interface ApplicationCredential {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly user_id: string;
  readonly project_id: string;
  readonly secret_hash: string;
  readonly role_ids: readonly string[];
  /** What its tokens may be used for; null for everything. */
  readonly access_rule_ids: readonly string[] | null;
  readonly expires_at: Moment | null;
  readonly unrestricted: boolean;
}

/** A request that an application credential may make, in words of a service's API. */
export interface AccessRule {
  readonly id: string;
  readonly user_id: string;
  /** Type of the service in the catalogue. */
  readonly service: string;
  /** With `*` for a part of the path, `**` for any rest, `{name}` for a part. */
  readonly path: string;
  readonly method: string;
}

/** What a user lets another do in his name, or with his roles. */
export interface Trust {
  readonly id: string;
  readonly trustor_user_id: string;
  readonly trustee_user_id: string;
  readonly project_id: string | null;
  /** Whether the trustee appears as the trustor. */
  readonly impersonation: boolean;
  readonly role_ids: readonly string[];
  readonly expires_at: Moment | null;
  /** How many tokens it still gives; null for any number. */
  readonly remaining_uses: number | null;
  readonly redelegation_count: number;
  /** The trust that it was passed on from. */
  readonly redelegated_trust_id: string | null;
}

/** A program that may ask users to let it work for them. */
export interface Consumer {
  readonly id: string;
  readonly description: string | null;
  /** As stored: sealed by the `Vault`. */
  readonly secret: string;
  readonly extra: Extra;
}

/** A consumer's question to a user, until it has its access token. */
export interface RequestToken {
  readonly id: string;
  readonly consumer_id: string;
  readonly requested_project_id: string;
  /** Sealed. */
  readonly secret: string;
  /** Once the user has authorized it. */
  readonly verifier: string | null;
  readonly authorizing_user_id: string | null;
  readonly role_ids: readonly string[];
  readonly expires_at: Moment;
}

/** What a user lets a consumer do in his name. */
export interface AccessToken {
  readonly id: string;
  readonly consumer_id: string;
  readonly project_id: string;
  readonly authorizing_user_id: string;
  /** Sealed. */
  readonly secret: string;
  readonly role_ids: readonly string[];
  readonly expires_at: Moment;
}

export type ActorType = 'user' | 'group';
export type TargetType = 'project' | 'domain' | 'system';

/** The target id of system assignments. */
export const SYSTEM = 'system';

/** A role of a user or group on something. */
export interface Assignment {
  readonly actor_type: ActorType;
  readonly actor_id: string;
  readonly target_type: TargetType;
  readonly target_id: string;
  readonly role_id: string;
  /** Holds for the projects below the target instead of the target. */
  readonly inherited: boolean;
}

export interface RoleRef {
  readonly id: string;
  readonly name: string;
  readonly domain_id: string | null;
}

/** What a token is for. */
export type Scope =
  | { readonly type: 'unscoped' }
  | { readonly type: 'project'; readonly id: string }
  | { readonly type: 'domain'; readonly id: string }
  | { readonly type: 'system' };

export interface NamedRef {
  readonly id: string;
  readonly name: string;
}

export type AccessRuleRef = Pick<AccessRule, 'id' | 'service' | 'path' | 'method'>;

/** All that a valid token says, looked up anew at each validation. */
export interface TokenView {
  readonly methods: readonly string[];
  readonly user: NamedRef & { readonly domain: NamedRef; readonly password_expires_at: Date | null };
  readonly scope: Scope;
  readonly project: (NamedRef & { readonly domain: NamedRef; readonly is_domain: boolean }) | null;
  readonly domain: NamedRef | null;
  readonly roles: readonly RoleRef[];
  readonly trust: Pick<Trust, 'id' | 'impersonation' | 'trustor_user_id' | 'trustee_user_id'> | null;
  /** What a consumer got it with. */
  readonly access_token: Pick<AccessToken, 'id' | 'consumer_id'> | null;
  readonly audit_ids: readonly string[];
  readonly issued_at: Date;
  readonly expires_at: Date;
  readonly application_credential:
    (NamedRef & { readonly restricted: boolean; readonly access_rules: readonly AccessRuleRef[] | null }) | null;
}

/** What is announced when tokens stop being valid; null matches everything. */
export interface Revocation {
  readonly auditId: string | null;
  readonly userId: string | null;
  readonly projectId: string | null;
  readonly domainId: string | null;
  readonly roleId: string | null;
  readonly issuedBefore: string;
}
