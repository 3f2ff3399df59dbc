import { randomBytes } from 'node:crypto';
import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import type { ApplicationCredential, Scope, TokenView } from './model';
import type { Claims, PasswordHasher, ProjectInDomain, Stores, TokenCodec, UserInDomain } from './ports';

interface DomainRequest {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
}
interface NamedRequest {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly domain?: DomainRequest | undefined;
}

/** The body's `auth` object. */
export interface AuthRequest {
  readonly identity: {
    readonly methods: readonly string[];
    readonly password?: { readonly user: NamedRequest & { readonly password?: string | undefined } } | undefined;
    readonly token?: { readonly id: string } | undefined;
    readonly application_credential?:
      | {
          readonly id?: string | undefined;
          readonly name?: string | undefined;
          readonly secret: string;
          readonly user?: NamedRequest | undefined;
        }
      | undefined;
  };
  readonly scope?:
    | string
    | {
        readonly project?: NamedRequest | undefined;
        readonly domain?: DomainRequest | undefined;
        readonly system?: { readonly all?: boolean | undefined } | undefined;
        readonly unscoped?: object | undefined;
        readonly 'OS-TRUST:trust'?: object | undefined;
      }
    | undefined;
}

interface Proven {
  readonly found: UserInDomain;
  readonly methods: readonly string[];
  /** Of the token that this one comes from. */
  readonly parent: Claims | null;
  readonly appCred: ApplicationCredential | null;
}

const METHODS = ['password', 'token', 'application_credential'];
/** How long after its end a token still speaks for what a service began for it. upstream: [token] allow_expired_window */
const EXPIRED_WINDOW_S = 48 * 3600;

export interface TokenSettings {
  /** Seconds. */
  readonly lifetime: number;
}

/** Issues, validates and revokes tokens. Nothing is stored for a token; what it says is looked up each time. */
export class Tokens {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    private readonly hasher: PasswordHasher,
    private readonly codec: TokenCodec,
    private readonly clock: Clock,
    private readonly settings: TokenSettings,
  ) {}

  /** A new token. Whatever is wrong with the proof is the same `Unauthorized`. upstream: keystone/api/auth.py */
  async issue(_ctx: RequestContext, auth: AuthRequest): Promise<{ readonly token: string; readonly view: TokenView }> {
    const proven = await this.prove(auth);
    return this.db.read('tokens.issue', async (tx) => {
      const scope = await this.scopeOf(tx, auth, proven);
      const now = this.clock.now();
      const expires = proven.parent === null ? this.expiry(now, proven) : new Date(proven.parent.exp * 1000);
      const claims = makeClaims(proven, scope, now, expires);
      const view = await this.look(tx, claims, proven.found);
      return { token: await this.codec.sign(claims), view };
    });
  }

  /** What a token says now. Throws `Unauthorized` when it is not, or no longer, good. */
  async validate(token: string, allowExpired = false): Promise<TokenView> {
    const claims = await this.codec.verify(token, { allowExpired });
    if (allowExpired && claims.exp + EXPIRED_WINDOW_S < this.clock.now().getTime() / 1000)
      throw KeystoneError.Unauthorized();
    return this.db.read('tokens.validate', async (tx) => {
      const found = await this.stores.users.inDomain(tx, { id: claims.sub });
      if (found === null) throw KeystoneError.Unauthorized();
      return this.look(tx, claims, found);
    });
  }

  /** Ends a token, here and in all services. */
  async revoke(view: TokenView): Promise<void> {
    await this.db.run('tokens.revoke', (tx) =>
      this.stores.revocations.record(tx, {
        auditId: view.audit_ids[0] ?? '',
        userId: null,
        projectId: null,
        domainId: null,
        roleId: null,
        issuedBefore: this.clock.now().toISOString(),
      }),
    );
  }

  /** Checks user, scope, revocations and roles, and gathers what the token says. */
  private async look(tx: Tx, claims: Claims, found: UserInDomain): Promise<TokenView> {
    const { user, domain: userDomain } = found;
    if (!user.enabled || !userDomain.enabled) throw KeystoneError.Unauthorized();
    const scope = scopeOfClaims(claims);
    const target = scope.type === 'project' || scope.type === 'domain' ? await this.target(tx, scope) : null;
    const appCred = await this.liveAppCred(tx, claims, user.id);
    const revoked = await this.stores.revocations.isRevoked(tx, {
      auditId: claims.openstack_audit_ids[0] ?? '',
      userId: user.id,
      projectId: scope.type === 'project' ? scope.id : null,
      domainIds: [userDomain.id, ...(target === null ? [] : [target.domain.id])],
      issuedAt: new Date(claims.iat * 1000),
    });
    if (revoked) throw KeystoneError.Unauthorized();
    let roles: TokenView['roles'] =
      scope.type === 'unscoped' ? [] : await this.stores.assignments.rolesOf(tx, user.id, scope);
    if (appCred !== null) roles = await this.restrict(tx, roles, appCred);
    if (scope.type !== 'unscoped' && roles.length === 0) throw KeystoneError.Unauthorized();
    return {
      methods: claims.openstack_methods,
      user: {
        id: user.id,
        name: user.name,
        domain: { id: userDomain.id, name: userDomain.name },
        password_expires_at: user.password_expires_at,
      },
      scope,
      project:
        scope.type === 'project' && target !== null
          ? {
              id: target.project.id,
              name: target.project.name,
              domain: { id: target.domain.id, name: target.domain.name },
              is_domain: target.project.is_domain,
            }
          : null,
      domain: scope.type === 'domain' && target !== null ? { id: target.domain.id, name: target.domain.name } : null,
      roles,
      audit_ids: claims.openstack_audit_ids,
      issued_at: new Date(claims.iat * 1000),
      expires_at: new Date(claims.exp * 1000),
      application_credential:
        appCred === null ? null : { id: appCred.id, name: appCred.name, restricted: !appCred.unrestricted },
    };
  }

  private async target(tx: Tx, scope: { type: 'project' | 'domain'; id: string }): Promise<ProjectInDomain> {
    const target = await this.stores.projects.inDomain(tx, scope.id);
    if (target === null || !target.project.enabled || !target.domain.enabled) throw KeystoneError.Unauthorized();
    if (scope.type === 'domain' && !target.project.is_domain) throw KeystoneError.Unauthorized();
    return target;
  }

  private async liveAppCred(tx: Tx, claims: Claims, userId: string): Promise<ApplicationCredential | null> {
    const id = claims.openstack_app_cred_id;
    if (id === undefined) return null;
    const appCred = await this.stores.applicationCredentials.find(tx, id);
    const ended = appCred?.expires_at !== null && appCred !== null && appCred.expires_at <= this.clock.now();
    if (appCred === null || appCred.user_id !== userId || ended) throw KeystoneError.Unauthorized();
    return appCred;
  }

  /** An application credential's roles that the user still has, with those that they imply. */
  private async restrict(
    tx: Tx,
    roles: TokenView['roles'],
    appCred: ApplicationCredential,
  ): Promise<TokenView['roles']> {
    const allowed = new Set(appCred.role_ids);
    const implied = await this.stores.assignments.implied(tx);
    for (let size = -1; size !== allowed.size;) {
      size = allowed.size;
      for (const rule of implied) if (allowed.has(rule.prior_role_id)) allowed.add(rule.implied_role_id);
    }
    return roles.filter((role) => allowed.has(role.id));
  }

  private async prove(auth: AuthRequest): Promise<Proven> {
    const { identity } = auth;
    const methods = [...new Set(identity.methods)];
    if (methods.length === 0) throw KeystoneError.ValidationError({ attribute: 'methods', target: 'identity' });
    if (methods.some((method) => !METHODS.includes(method))) throw KeystoneError.AuthMethodNotSupported();
    const proofs: Proven[] = [];
    for (const method of methods) {
      if (method === 'password') proofs.push(await this.byPassword(identity.password?.user));
      else if (method === 'token') proofs.push(await this.byToken(identity.token?.id));
      else proofs.push(await this.byAppCred(identity.application_credential));
    }
    const [first] = proofs;
    if (first === undefined || proofs.some((one) => one.found.user.id !== first.found.user.id)) {
      throw KeystoneError.Unauthorized();
    }
    return {
      found: first.found,
      methods: [...new Set(proofs.flatMap((one) => one.methods))],
      parent: proofs.find((one) => one.parent !== null)?.parent ?? null,
      appCred: proofs.find((one) => one.appCred !== null)?.appCred ?? null,
    };
  }

  private async byPassword(
    given: (NamedRequest & { readonly password?: string | undefined }) | undefined,
  ): Promise<Proven> {
    if (given === undefined) throw KeystoneError.ValidationError({ attribute: 'password', target: 'identity' });
    if (given.password === undefined) throw KeystoneError.ValidationError({ attribute: 'password', target: 'user' });
    const found = await this.db.read('tokens.user', (tx) => this.findUser(tx, given));
    const right = await this.hasher.verify(found?.user.password_hash ?? null, given.password);
    if (found === null || !right || !found.user.enabled || !found.domain.enabled) throw KeystoneError.Unauthorized();
    const expires = found.user.password_expires_at;
    if (expires !== null && expires <= this.clock.now())
      throw KeystoneError.PasswordExpired({ user_id: found.user.id });
    return { found, methods: ['password'], parent: null, appCred: null };
  }

  private async findUser(tx: Tx, given: NamedRequest): Promise<UserInDomain | null> {
    if (given.id !== undefined) return this.stores.users.inDomain(tx, { id: given.id });
    if (given.name === undefined) throw KeystoneError.ValidationError({ attribute: 'id or name', target: 'user' });
    if (given.domain?.id === undefined && given.domain?.name === undefined) {
      throw KeystoneError.ValidationError({ attribute: 'domain', target: 'user' });
    }
    return this.stores.users.byName(tx, given.name, strip(given.domain));
  }

  private async byToken(token: string | undefined): Promise<Proven> {
    if (token === undefined) throw KeystoneError.ValidationError({ attribute: 'token', target: 'identity' });
    const claims = await this.codec.verify(token, { allowExpired: false });
    const view = await this.validate(token);
    if (view.application_credential !== null)
      throw KeystoneError.ForbiddenAction({ action: 'rescope a token of an application credential' });
    const found = await this.db.read('tokens.user', (tx) => this.stores.users.inDomain(tx, { id: view.user.id }));
    if (found === null) throw KeystoneError.Unauthorized();
    return { found, methods: [...new Set(['token', ...view.methods])], parent: claims, appCred: null };
  }

  private async byAppCred(given: AuthRequest['identity']['application_credential']): Promise<Proven> {
    if (given === undefined)
      throw KeystoneError.ValidationError({ attribute: 'application_credential', target: 'identity' });
    const { appCred, found } = await this.db.read('tokens.application_credential', async (tx) => {
      let wanted: ApplicationCredential | null = null;
      if (given.id !== undefined) wanted = await this.stores.applicationCredentials.find(tx, given.id);
      else if (given.name !== undefined && given.user !== undefined) {
        const owner = await this.findUser(tx, given.user);
        wanted = owner === null ? null : await this.stores.applicationCredentials.byName(tx, owner.user.id, given.name);
      } else throw KeystoneError.ValidationError({ attribute: 'id or name', target: 'application_credential' });
      return {
        appCred: wanted,
        found: wanted === null ? null : await this.stores.users.inDomain(tx, { id: wanted.user_id }),
      };
    });
    const right = await this.hasher.verify(appCred?.secret_hash ?? null, given.secret);
    if (appCred === null || found === null || !right) throw KeystoneError.Unauthorized();
    if (appCred.expires_at !== null && appCred.expires_at <= this.clock.now()) throw KeystoneError.Unauthorized();
    return { found, methods: ['application_credential'], parent: null, appCred };
  }

  private async scopeOf(tx: Tx, auth: AuthRequest, proven: Proven): Promise<Scope> {
    const { scope } = auth;
    if (proven.appCred !== null) {
      if (scope !== undefined && scope !== 'unscoped' && typeof scope === 'object' && Object.keys(scope).length > 0) {
        const asked = scope.project === undefined ? null : await this.projectOf(tx, scope.project);
        if (asked?.project.id !== proven.appCred.project_id) throw KeystoneError.Unauthorized();
      }
      return { type: 'project', id: proven.appCred.project_id };
    }
    if (scope === undefined) return this.defaultScope(tx, proven);
    if (typeof scope === 'string') return { type: 'unscoped' };
    const kinds = Object.keys(scope);
    if (kinds.length !== 1) {
      throw KeystoneError.ValidationError({
        attribute: 'one of: project, domain, OS-TRUST:trust or unscoped',
        target: 'scope',
      });
    }
    if (scope.project !== undefined) {
      const found = await this.projectOf(tx, scope.project);
      if (found === null) throw KeystoneError.Unauthorized();
      return { type: 'project', id: found.project.id };
    }
    if (scope.domain !== undefined) return { type: 'domain', id: await this.domainOf(tx, scope.domain) };
    if (scope.system !== undefined) return { type: 'system' };
    if (scope.unscoped !== undefined) return { type: 'unscoped' };
    throw KeystoneError.Unauthorized();
  }

  /** Without a scope: the user's default project when he can work there. upstream: keystone/api/_shared/authentication.py */
  private async defaultScope(tx: Tx, proven: Proven): Promise<Scope> {
    const id = proven.parent === null ? proven.found.user.default_project_id : null;
    if (id === null) return { type: 'unscoped' };
    const target = await this.stores.projects.inDomain(tx, id);
    if (target === null || !target.project.enabled || !target.domain.enabled) return { type: 'unscoped' };
    const roles = await this.stores.assignments.rolesOf(tx, proven.found.user.id, { type: 'project', id });
    return roles.length === 0 ? { type: 'unscoped' } : { type: 'project', id };
  }

  private async projectOf(tx: Tx, given: NamedRequest): Promise<ProjectInDomain | null> {
    if (given.id !== undefined) return this.stores.projects.inDomain(tx, given.id);
    if (given.name === undefined) throw KeystoneError.ValidationError({ attribute: 'id or name', target: 'project' });
    if (given.domain?.id === undefined && given.domain?.name === undefined) {
      throw KeystoneError.ValidationError({ attribute: 'domain', target: 'project' });
    }
    return this.stores.projects.byName(tx, given.name, strip(given.domain));
  }

  private async domainOf(tx: Tx, given: DomainRequest): Promise<string> {
    if (given.id !== undefined) return given.id;
    if (given.name === undefined) throw KeystoneError.ValidationError({ attribute: 'id or name', target: 'domain' });
    const [domain] = await this.stores.projects.list(tx, [
      { field: 'is_domain', op: 'eq', value: true },
      { field: 'name', op: 'eq', value: given.name },
    ]);
    if (domain === undefined) throw KeystoneError.Unauthorized();
    return domain.id;
  }

  private expiry(now: Date, proven: Proven): Date {
    const regular = now.getTime() + this.settings.lifetime * 1000;
    const credential = proven.appCred?.expires_at?.getTime() ?? Number.POSITIVE_INFINITY;
    return new Date(Math.floor(Math.min(regular, credential) / 1000) * 1000);
  }
}

function strip(domain: DomainRequest | undefined): { id?: string; name?: string } {
  return {
    ...(domain?.id === undefined ? {} : { id: domain.id }),
    ...(domain?.name === undefined ? {} : { name: domain.name }),
  };
}

function makeClaims(proven: Proven, scope: Scope, now: Date, expires: Date): Claims {
  const parentAudit = proven.parent?.openstack_audit_ids.at(-1);
  return {
    sub: proven.found.user.id,
    // With milliseconds: a token made right after a password change is not older than it.
    iat: now.getTime() / 1000,
    exp: expires.getTime() / 1000,
    openstack_methods: proven.methods,
    openstack_audit_ids: [randomBytes(16).toString('base64url'), ...(parentAudit === undefined ? [] : [parentAudit])],
    ...(scope.type === 'project' ? { openstack_project_id: scope.id } : {}),
    ...(scope.type === 'domain' ? { openstack_domain_id: scope.id } : {}),
    ...(scope.type === 'system' ? { openstack_system: 'all' } : {}),
    ...(proven.appCred === null ? {} : { openstack_app_cred_id: proven.appCred.id }),
  };
}

function scopeOfClaims(claims: Claims): Scope {
  if (claims.openstack_project_id !== undefined) return { type: 'project', id: claims.openstack_project_id };
  if (claims.openstack_domain_id !== undefined) return { type: 'domain', id: claims.openstack_domain_id };
  return claims.openstack_system === undefined ? { type: 'unscoped' } : { type: 'system' };
}
