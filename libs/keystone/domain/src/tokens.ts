import { randomBytes } from 'node:crypto';
import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { domainRef, type AuthRequest, type NamedRequest } from './auth-request';
import { Authentication, type Proven } from './authentication';
import type { Scope, TokenView } from './model';
import { timeOf, type Moment } from './moments';
import type { Claims, PasswordHasher, Stores, TokenCodec, TokenFacts } from './ports';
import { revocation } from './revocations';

/** How long after its end a token still speaks for what a service began for it. upstream: [token] allow_expired_window */
const EXPIRED_WINDOW_S = 48 * 3600;

export interface TokenSettings {
  /** Seconds. */
  readonly lifetime: number;
}

/** Issues, validates and revokes tokens. Nothing is stored for a token; what it says is looked up each time. */
export class Tokens {
  private readonly authentication: Authentication;

  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    hasher: PasswordHasher,
    private readonly codec: TokenCodec,
    private readonly clock: Clock,
    private readonly settings: TokenSettings,
  ) {
    this.authentication = new Authentication(db, stores, hasher, codec, clock);
  }

  /** A new token. Throws `Unauthorized` for whatever is wrong with proof or scope. upstream: keystone/api/auth.py */
  async issue(_ctx: RequestContext, auth: AuthRequest): Promise<{ readonly token: string; readonly view: TokenView }> {
    if (auth.identity.methods.includes('application_credential') && auth.scope !== undefined) {
      throw KeystoneError.AppCredScope();
    }
    const proven = await this.authentication.prove(auth.identity);
    return this.db.read('tokens.issue', async (tx) => {
      if (proven.parent !== null) await this.look(tx, proven.parent);
      const now = this.clock.now();
      const claims = (scope: Scope) => this.claimsOf(proven, scope, now);
      const wanted = await this.scopeOf(tx, auth, proven);
      if (wanted !== null) {
        const made = claims(wanted);
        return { view: await this.look(tx, made), token: await this.codec.sign(made) };
      }
      // The default project counts only when the user can work there.
      const { defaultProjectId } = proven;
      const preferred = defaultProjectId === null ? null : claims({ type: 'project', id: defaultProjectId });
      const view = preferred === null ? null : await this.lookOrNull(tx, preferred);
      if (preferred !== null && view !== null) return { view, token: await this.codec.sign(preferred) };
      const unscoped = claims({ type: 'unscoped' });
      return { view: await this.look(tx, unscoped), token: await this.codec.sign(unscoped) };
    });
  }

  /**
   * What a token says now. Throws `Unauthorized` when it is not ours, has ended (a while ago, with `allowExpired`), is
   * revoked, or when its user, scope or roles are gone.
   */
  async validate(token: string, options: { readonly allowExpired?: boolean } = {}): Promise<TokenView> {
    const allowExpired = options.allowExpired === true;
    const claims = await this.codec.verify(token, { allowExpired });
    if (allowExpired && (claims.exp + EXPIRED_WINDOW_S) * 1000 < this.clock.now().getTime()) {
      throw KeystoneError.Unauthorized();
    }
    return this.db.read('tokens.validate', (tx) => this.look(tx, claims));
  }

  /** Ends a token, here and in all services. */
  async revoke(view: TokenView): Promise<void> {
    const auditId = view.audit_ids[0] ?? '';
    await this.db.run('tokens.revoke', (tx) =>
      this.stores.revocations.record(tx, revocation(this.clock.now(), { auditId })),
    );
  }

  /** Forgets revocations of tokens that have ended since, whatever was allowed for them. */
  async pruneRevocations(): Promise<number> {
    const age = (this.settings.lifetime + EXPIRED_WINDOW_S) * 1000;
    return this.db.run('tokens.prune', (tx) =>
      this.stores.revocations.prune(tx, new Date(this.clock.now().getTime() - age)),
    );
  }

  private async look(tx: Tx, claims: Claims): Promise<TokenView> {
    const view = await this.lookOrNull(tx, claims);
    if (view === null) throw KeystoneError.Unauthorized();
    return view;
  }

  /** What the token says if it holds: user and scope enabled, not revoked, with a role where it is scoped. */
  private async lookOrNull(tx: Tx, claims: Claims): Promise<TokenView | null> {
    const scope = scopeOfClaims(claims);
    const appCredId = claims.openstack_app_cred_id ?? null;
    const issuedAt = new Date(Math.round(claims.iat * 1000));
    const facts = await this.stores.tokenFacts(tx, {
      userId: claims.sub,
      scope,
      appCredId,
      auditId: claims.openstack_audit_ids[0] ?? '',
      issuedAt,
    });
    if (facts === null || facts.revoked || !this.alive(facts, scope, appCredId)) return null;
    const { user, target, appCred, roles } = facts;
    return {
      methods: claims.openstack_methods,
      user: {
        id: user.id,
        name: user.name,
        domain: { id: user.domain.id, name: user.domain.name },
        password_expires_at: user.password_expires_at,
      },
      scope,
      project:
        scope.type === 'project' && target !== null
          ? {
              id: target.id,
              name: target.name,
              domain: { id: target.domain.id, name: target.domain.name },
              is_domain: target.is_domain,
            }
          : null,
      domain: scope.type === 'domain' && target !== null ? { id: target.id, name: target.name } : null,
      roles,
      audit_ids: claims.openstack_audit_ids,
      issued_at: issuedAt,
      expires_at: new Date(claims.exp * 1000),
      application_credential:
        appCred === null
          ? null
          : {
              id: appCred.id,
              name: appCred.name,
              restricted: !appCred.unrestricted,
              access_rules: appCred.access_rules,
            },
    };
  }

  private alive(facts: TokenFacts, scope: Scope, appCredId: string | null): boolean {
    const { user, target, appCred, roles } = facts;
    if (!user.enabled || !user.domain.enabled) return false;
    if (appCredId !== null) {
      if (appCred === null || scope.type !== 'project' || appCred.project_id !== scope.id) return false;
      if (appCred.expires_at !== null && appCred.expires_at <= this.clock.now()) return false;
    }
    if (scope.type === 'unscoped') return true;
    if (scope.type !== 'system') {
      if (target === null || !target.enabled || !target.domain.enabled) return false;
      if (scope.type === 'domain' && !target.is_domain) return false;
    }
    return roles.length > 0;
  }

  /** The scope that was asked for, or null when none was and the user's default decides. */
  private async scopeOf(tx: Tx, auth: AuthRequest, proven: Proven): Promise<Scope | null> {
    const { scope } = auth;
    if (proven.appCred !== null) return { type: 'project', id: proven.appCred.project_id };
    if (scope === undefined) return null;
    if (typeof scope === 'string') return { type: 'unscoped' };
    if (Object.keys(scope).length !== 1) {
      throw KeystoneError.ValidationError({
        attribute: 'one of: project, domain, OS-TRUST:trust or unscoped',
        target: 'scope',
      });
    }
    const fromSystem = proven.parent?.openstack_system !== undefined;
    if (fromSystem && (scope.project !== undefined || scope.domain !== undefined)) {
      throw KeystoneError.ForbiddenAction({
        action:
          'Using method token with system-scoped token can not be used to create a project or domain scoped token',
      });
    }
    if (scope.project !== undefined) return { type: 'project', id: await this.projectOf(tx, scope.project) };
    if (scope.domain !== undefined) return { type: 'domain', id: await this.domainOf(tx, scope.domain) };
    if (scope.system !== undefined) return { type: 'system' };
    if (scope.unscoped !== undefined) return { type: 'unscoped' };
    throw KeystoneError.Unauthorized();
  }

  private async projectOf(tx: Tx, given: NamedRequest): Promise<string> {
    if (given.id !== undefined) return given.id;
    if (given.name === undefined) throw KeystoneError.ValidationError({ attribute: 'id or name', target: 'project' });
    const domain = domainRef(given.domain);
    if (domain === null) throw KeystoneError.ValidationError({ attribute: 'domain', target: 'project' });
    const found = await this.stores.projects.byName(tx, given.name, domain);
    if (found === null) throw KeystoneError.Unauthorized();
    return found.project.id;
  }

  private async domainOf(tx: Tx, given: NamedRequest): Promise<string> {
    if (given.id !== undefined) return given.id;
    if (given.name === undefined) throw KeystoneError.ValidationError({ attribute: 'id or name', target: 'domain' });
    const [domain] = await this.stores.projects.list(tx, [
      { field: 'is_domain', op: 'eq', value: true },
      { field: 'name', op: 'eq', value: given.name },
    ]);
    if (domain === undefined) throw KeystoneError.Unauthorized();
    return domain.id;
  }

  private claimsOf(proven: Proven, scope: Scope, now: Date): Claims {
    const { parent, appCred } = proven;
    const parentAudit = parent?.openstack_audit_ids.at(-1);
    return {
      sub: proven.userId,
      // With milliseconds: a token made right after a password change is not older than it.
      iat: now.getTime() / 1000,
      exp: parent?.exp ?? this.expiry(now, appCred?.expires_at ?? null),
      openstack_methods: proven.methods,
      openstack_audit_ids: [randomBytes(16).toString('base64url'), ...(parentAudit === undefined ? [] : [parentAudit])],
      ...(scope.type === 'project' ? { openstack_project_id: scope.id } : {}),
      ...(scope.type === 'domain' ? { openstack_domain_id: scope.id } : {}),
      ...(scope.type === 'system' ? { openstack_system: 'all' } : {}),
      ...(appCred === null ? {} : { openstack_app_cred_id: appCred.id }),
    };
  }

  /** Seconds since the epoch; a token does not outlive the credential that it was got with. */
  private expiry(now: Date, credentialEnd: Moment | null): number {
    const regular = now.getTime() + this.settings.lifetime * 1000;
    return Math.floor(
      Math.min(regular, credentialEnd === null ? Number.POSITIVE_INFINITY : timeOf(credentialEnd)) / 1000,
    );
  }
}

function scopeOfClaims(claims: Claims): Scope {
  if (claims.openstack_project_id !== undefined) return { type: 'project', id: claims.openstack_project_id };
  if (claims.openstack_domain_id !== undefined) return { type: 'domain', id: claims.openstack_domain_id };
  return claims.openstack_system === undefined ? { type: 'unscoped' } : { type: 'system' };
}
