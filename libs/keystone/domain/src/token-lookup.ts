import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { Tx } from '@nestack/kernel/context';
import type { AccessToken, RoleRef, Scope, TokenView, Trust } from './model';
import { timeOf } from './moments';
import type { Claims, Stores, TokenFacts, TokenQuestion } from './ports';
import { hasEnded } from './trusts';

/** Finds out what a token says: its claims hold ids alone, everything else is looked up each time. */
export class TokenLookup {
  constructor(
    private readonly stores: Stores,
    private readonly clock: Clock,
  ) {}

  /** Throws `Unauthorized` where `find` answers null. */
  async require(tx: Tx, claims: Claims): Promise<TokenView> {
    const view = await this.find(tx, claims);
    if (view === null) throw KeystoneError.Unauthorized();
    return view;
  }

  /** Null unless user and scope are enabled, nothing is revoked, and a scoped token still has a role. */
  async find(tx: Tx, claims: Claims): Promise<TokenView | null> {
    const scope = scopeOf(claims);
    const question: TokenQuestion = {
      userId: claims.sub,
      scope,
      appCredId: claims.openstack_app_cred_id ?? null,
      auditId: claims.openstack_audit_ids[0] ?? '',
      issuedAt: new Date(Math.round(claims.iat * 1000)),
    };
    const facts = await this.stores.tokenFacts(tx, question);
    if (facts === null || !this.inOrder(facts, question)) return null;
    const trusted = claims.openstack_trust_id === undefined ? null : await this.trusted(tx, claims, facts, question);
    if (claims.openstack_trust_id !== undefined && trusted === null) return null;
    const granted = claims.openstack_access_token_id === undefined ? null : await this.granted(tx, claims, facts);
    if (claims.openstack_access_token_id !== undefined && granted === null) return null;
    const roles = trusted?.roles ?? granted?.roles ?? facts.roles;
    if (scope.type !== 'unscoped' && roles.length === 0) return null;
    return viewOf(claims, question, facts, roles, trusted?.trust ?? null, granted?.accessToken ?? null);
  }

  private inOrder(facts: TokenFacts, { scope, appCredId }: TokenQuestion): boolean {
    const { user, target, appCred } = facts;
    if (facts.revoked || !user.enabled || !user.domain.enabled) return false;
    if (appCredId !== null) {
      if (appCred === null || scope.type !== 'project' || appCred.project_id !== scope.id) return false;
      if (appCred.expires_at !== null && appCred.expires_at <= this.clock.now()) return false;
    }
    if (scope.type === 'unscoped' || scope.type === 'system') return true;
    if (target === null || !target.enabled || !target.domain.enabled) return false;
    return scope.type === 'project' || target.is_domain;
  }

  /**
   * The trust behind a token and the roles that it gives: those of the trust that the trustor still has. Null when the
   * trust has ended or one of its two users cannot log in any more.
   */
  private async trusted(
    tx: Tx,
    claims: Claims,
    facts: TokenFacts,
    question: TokenQuestion,
  ): Promise<{ readonly trust: Trust; readonly roles: readonly RoleRef[] } | null> {
    const trust = await this.stores.trusts.find(tx, claims.openstack_trust_id ?? '');
    // The last use of a trust gives a token that lives on.
    if (trust === null || hasEnded({ ...trust, remaining_uses: null }, this.clock.now())) return null;
    const shown = trust.impersonation ? trust.trustor_user_id : trust.trustee_user_id;
    if (claims.sub !== shown) return null;
    const otherId = trust.impersonation ? trust.trustee_user_id : trust.trustor_user_id;
    const other = otherId === shown ? facts : await this.stores.tokenFacts(tx, { ...question, userId: otherId });
    if (other === null || !this.inOrder(other, question)) return null;
    const allowed = await this.withImplied(tx, trust.role_ids);
    const held = trust.impersonation ? facts.roles : other.roles;
    return { trust, roles: held.filter((role) => allowed.has(role.id)) };
  }

  /** The access token behind a consumer's token, and those of its roles that the user still has; null when it has ended. */
  private async granted(
    tx: Tx,
    claims: Claims,
    facts: TokenFacts,
  ): Promise<{ readonly accessToken: AccessToken; readonly roles: readonly RoleRef[] } | null> {
    const accessToken = await this.stores.accessTokens.find(tx, claims.openstack_access_token_id ?? '');
    if (accessToken === null || timeOf(accessToken.expires_at) <= this.clock.now().getTime()) return null;
    if (accessToken.authorizing_user_id !== claims.sub || accessToken.project_id !== claims.openstack_project_id)
      return null;
    const allowed = await this.withImplied(tx, accessToken.role_ids);
    return { accessToken, roles: facts.roles.filter((role) => allowed.has(role.id)) };
  }

  private async withImplied(tx: Tx, roleIds: readonly string[]): Promise<ReadonlySet<string>> {
    const rules = await this.stores.assignments.implied(tx);
    const found = new Set(roleIds);
    for (const id of found) {
      for (const rule of rules) if (rule.prior_role_id === id) found.add(rule.implied_role_id);
    }
    return found;
  }
}

function viewOf(
  claims: Claims,
  { scope, issuedAt }: TokenQuestion,
  { user, target, appCred }: TokenFacts,
  roles: readonly RoleRef[],
  trust: Trust | null,
  accessToken: AccessToken | null,
): TokenView {
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
    roles: scope.type === 'unscoped' ? [] : roles,
    trust,
    access_token: accessToken === null ? null : { id: accessToken.id, consumer_id: accessToken.consumer_id },
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

function scopeOf(claims: Claims): Scope {
  if (claims.openstack_project_id !== undefined) return { type: 'project', id: claims.openstack_project_id };
  if (claims.openstack_domain_id !== undefined) return { type: 'domain', id: claims.openstack_domain_id };
  return claims.openstack_system === undefined ? { type: 'unscoped' } : { type: 'system' };
}
