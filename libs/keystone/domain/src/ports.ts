import type { Tx } from '@nestack/kernel/context';
import type { DomainSettings } from './domain-config';
import type {
  AccessRule,
  AccessRuleRef,
  AccessToken,
  ApplicationCredential,
  Assignment,
  Consumer,
  Credential,
  Endpoint,
  EndpointGroup,
  Group,
  Limit,
  NamedRef,
  Project,
  Region,
  RegisteredLimit,
  RequestToken,
  Revocation,
  Role,
  RoleRef,
  Scope,
  Service,
  StoredPolicy,
  Trust,
  User,
} from './model';

/** One condition of a list: equality, or one of keystone's inexact comparisons (`name__contains`). */
export interface Filter {
  readonly field: string;
  readonly op:
    | 'eq'
    | 'ne'
    | 'lt'
    | 'lte'
    | 'gt'
    | 'gte'
    | 'contains'
    | 'startswith'
    | 'endswith'
    /** Equal to one of the value's items. */
    | 'in'
    /** Of a list-valued field: holds all, or any, of the value's items, or not. */
    | 'has-all'
    | 'has-any'
    | 'not-all'
    | 'not-any';
  readonly ignoreCase?: boolean;
  readonly value: unknown;
}

/** The rows of one kind. Inserting or renaming onto a taken name throws `Duplicate`. */
export interface Store<T extends { readonly id: string }> {
  /** With `lock` nobody else changes the row before the transaction ends. */
  find(tx: Tx, id: string, options?: { readonly lock?: boolean }): Promise<T | null>;
  list(tx: Tx, filters?: readonly Filter[]): Promise<T[]>;
  insert(tx: Tx, row: T): Promise<T>;
  /** The row as it is afterwards, or null when there is none. */
  update(tx: Tx, id: string, fields: Partial<T>): Promise<T | null>;
  remove(tx: Tx, id: string): Promise<boolean>;
}

/** A user as authentication needs him: with his domain. */
export interface UserInDomain {
  readonly user: User;
  readonly domain: NamedRef & { readonly enabled: boolean };
}

export interface UserStore extends Store<User> {
  inDomain(tx: Tx, by: { readonly id: string }): Promise<UserInDomain | null>;
  byName(tx: Tx, name: string, domain: { readonly id?: string; readonly name?: string }): Promise<UserInDomain | null>;
}

/** A project with its domain (a domain with itself). */
export interface ProjectInDomain {
  readonly project: Project;
  readonly domain: NamedRef & { readonly enabled: boolean };
}

export interface ProjectStore extends Store<Project> {
  inDomain(tx: Tx, id: string): Promise<ProjectInDomain | null>;
  byName(
    tx: Tx,
    name: string,
    domain: { readonly id?: string; readonly name?: string },
  ): Promise<ProjectInDomain | null>;
  hasChildren(tx: Tx, id: string): Promise<boolean>;
  /** What a project lies in, nearest first; the domain is the last. */
  ancestors(tx: Tx, id: string): Promise<Project[]>;
  /** Everything below a project or domain, parents before their children. */
  descendants(tx: Tx, id: string): Promise<Project[]>;
  /** Deletes all that belongs to a domain, with its assignments. */
  emptyDomain(tx: Tx, id: string): Promise<void>;
  /** Id, parent and domain of every project. */
  tree(
    tx: Tx,
  ): Promise<{ readonly id: string; readonly parent_id: string | null; readonly domain_id: string | null }[]>;
}

export interface GroupStore extends Store<Group> {
  addMember(tx: Tx, groupId: string, userId: string): Promise<void>;
  removeMember(tx: Tx, groupId: string, userId: string): Promise<boolean>;
  isMember(tx: Tx, groupId: string, userId: string): Promise<boolean>;
  members(tx: Tx, groupIds: readonly string[]): Promise<{ readonly group_id: string; readonly user_id: string }[]>;
  usersOf(tx: Tx, groupId: string): Promise<User[]>;
  groupsOf(tx: Tx, userId: string): Promise<Group[]>;
}

export interface AssignmentFilter {
  readonly actors?: readonly string[];
  readonly actor_type?: string;
  readonly target_type?: string;
  readonly targets?: readonly string[];
  readonly role_id?: string;
  readonly inherited?: boolean;
}

export interface AssignmentStore {
  /** Whether it is new. */
  add(tx: Tx, assignment: Assignment): Promise<boolean>;
  remove(tx: Tx, assignment: Assignment): Promise<boolean>;
  has(tx: Tx, assignment: Assignment): Promise<boolean>;
  list(tx: Tx, filter: AssignmentFilter): Promise<Assignment[]>;
  /** Everything of a user or group, of a target, or of a role: when it is deleted. */
  forget(tx: Tx, what: { readonly actor?: string; readonly target?: string; readonly role?: string }): Promise<void>;
  /** A user's roles on a scope: direct, through groups, inherited and implied. Domain-specific roles only imply. */
  rolesOf(tx: Tx, userId: string, scope: Scope): Promise<RoleRef[]>;
  /** Projects and domains on which a user has any role, and whether he has one on the system. */
  scopesOf(
    tx: Tx,
    userId: string,
  ): Promise<{ readonly projects: Project[]; readonly domains: Project[]; readonly system: boolean }>;
  implied(tx: Tx): Promise<{ readonly prior_role_id: string; readonly implied_role_id: string }[]>;
  addImplied(tx: Tx, prior: string, implied: string): Promise<void>;
  removeImplied(tx: Tx, prior: string, implied: string): Promise<boolean>;
}

export interface ApplicationCredentialStore extends Store<ApplicationCredential> {
  byName(tx: Tx, userId: string, name: string): Promise<ApplicationCredential | null>;
}

export interface AccessRuleStore extends Store<AccessRule> {
  /** Whether an application credential has the rule. */
  inUse(tx: Tx, id: string): Promise<boolean>;
}

/** What projects' catalogues are restricted to. */
export interface EndpointFilterStore {
  add(tx: Tx, kind: 'endpoint' | 'endpoint_group', id: string, projectId: string): Promise<void>;
  has(tx: Tx, kind: 'endpoint' | 'endpoint_group', id: string, projectId: string): Promise<boolean>;
  remove(tx: Tx, kind: 'endpoint' | 'endpoint_group', id: string, projectId: string): Promise<boolean>;
  projectsOf(tx: Tx, kind: 'endpoint' | 'endpoint_group', id: string): Promise<string[]>;
  /** Ids of all endpoints, those of groups included. */
  endpointsOf(tx: Tx, projectId: string): Promise<string[]>;
  groupsOf(tx: Tx, projectId: string): Promise<string[]>;
}

export interface DomainConfigStore {
  /** Null for a domain without any. */
  read(tx: Tx, domainId: string): Promise<DomainSettings | null>;
  write(tx: Tx, domainId: string, settings: DomainSettings): Promise<void>;
}

export interface TrustStore extends Store<Trust> {
  /** The trust and all that it was passed on as; empty when it does not exist. */
  withRedelegated(tx: Tx, id: string): Promise<Trust[]>;
  /** Counts one use; false when none is left. Trusts without a limit have always one. */
  use(tx: Tx, id: string): Promise<boolean>;
}

export interface RequestTokenStore extends Store<RequestToken> {
  /** Forgets those that have expired before; how many. */
  prune(tx: Tx, before: Date): Promise<number>;
}

/** Recorded and announced ends of tokens. */
export interface RevocationStore {
  /** Tells all services to look anew at what matches (and at tokens of trusts with that user), with the commit. */
  announce(tx: Tx, ...revocations: readonly Revocation[]): Promise<void>;
  /** Records that matching tokens issued before the moment are dead, and announces it. */
  record(tx: Tx, revocation: Revocation): Promise<void>;
  /** Forgets records older than the longest life of a token. */
  prune(tx: Tx, before: Date): Promise<number>;
}

/** Which token's standing is asked for. */
export interface TokenQuestion {
  readonly userId: string;
  readonly scope: Scope;
  readonly appCredId: string | null;
  readonly auditId: string;
  readonly issuedAt: Date;
}

interface Switched extends NamedRef {
  readonly enabled: boolean;
}

/** What the tables say about a token's user, scope, roles and revocation. */
export interface TokenFacts {
  readonly user: Switched & { readonly domain: Switched; readonly password_expires_at: Date | null };
  /** The project or domain that it is scoped to, if it exists. */
  readonly target: (Switched & { readonly is_domain: boolean; readonly domain: Switched }) | null;
  /** The user's application credential of that id. */
  readonly appCred:
    | (NamedRef & {
        readonly project_id: string;
        readonly unrestricted: boolean;
        readonly expires_at: Date | null;
        readonly access_rules: readonly AccessRuleRef[] | null;
      })
    | null;
  /** The user's roles on the scope, implied ones included; of those the application credential's. */
  readonly roles: readonly RoleRef[];
  readonly revoked: boolean;
}

export interface CatalogRow {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly endpoints: readonly {
    readonly id: string;
    readonly interface: string;
    readonly region_id: string | null;
    readonly url: string;
  }[];
}

export interface Stores {
  readonly users: UserStore;
  readonly projects: ProjectStore;
  readonly groups: GroupStore;
  readonly roles: Store<Role>;
  readonly assignments: AssignmentStore;
  readonly services: Store<Service>;
  readonly endpoints: Store<Endpoint>;
  readonly regions: Store<Region>;
  readonly credentials: Store<Credential>;
  readonly applicationCredentials: ApplicationCredentialStore;
  readonly accessRules: AccessRuleStore;
  readonly trusts: TrustStore;
  readonly consumers: Store<Consumer>;
  readonly requestTokens: RequestTokenStore;
  readonly accessTokens: Store<AccessToken>;
  readonly policies: Store<StoredPolicy>;
  readonly registeredLimits: Store<RegisteredLimit>;
  readonly limits: Store<Limit>;
  readonly endpointGroups: Store<EndpointGroup>;
  readonly endpointFilter: EndpointFilterStore;
  readonly domainConfig: DomainConfigStore;
  readonly revocations: RevocationStore;
  /** In one statement; null when the user is gone. */
  tokenFacts(tx: Tx, question: TokenQuestion): Promise<TokenFacts | null>;
  /** Enabled services with their enabled endpoints (of those that the project was given, if any), in one statement. */
  catalog(tx: Tx, projectId: string | null): Promise<CatalogRow[]>;
  /** Makes concurrent bootstraps wait for each other. */
  lockBootstrap(tx: Tx): Promise<void>;
}

/** Hashes secrets off the event loop. */
export interface PasswordHasher {
  hash(secret: string): Promise<string>;
  /** False also when there is no hash; it takes as long as with one, so that nobody learns who exists. */
  verify(hash: string | null, secret: string): Promise<boolean>;
}

export interface Claims {
  readonly sub: string;
  readonly iat: number;
  readonly exp: number;
  readonly openstack_methods: readonly string[];
  readonly openstack_audit_ids: readonly string[];
  readonly openstack_project_id?: string;
  readonly openstack_domain_id?: string;
  readonly openstack_system?: string;
  readonly openstack_app_cred_id?: string;
  readonly openstack_trust_id?: string;
  readonly openstack_access_token_id?: string;
}

/** Makes and reads tokens. */
export interface TokenCodec {
  sign(claims: Claims): Promise<string>;
  /** Throws `unauthenticated` for what we did not sign or what has expired (unless allowed). */
  verify(token: string, options: { readonly allowExpired: boolean }): Promise<Claims>;
}

/** Seals secrets that must be read again (credentials' blobs). */
export interface Vault {
  seal(text: string): string;
  open(sealed: string): string;
}
