import { randomBytes } from 'node:crypto';
import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import type { AuthRequest } from './auth-request';
import { Authentication, type Proven } from './authentication';
import type { TokenView } from './model';
import { timeOf, type Moment } from './moments';
import type { SignedRequest } from './oauth-signature';
import type { Claims, PasswordHasher, Stores, TokenCodec, Vault } from './ports';
import { revocation } from './revocations';
import { wantedScope, type Wanted } from './scope-request';
import { TokenLookup } from './token-lookup';

/** How long after its end a token still speaks for what a service began for it. upstream: [token] allow_expired_window */
const EXPIRED_WINDOW_S = 48 * 3600;

export interface TokenSettings {
  /** Seconds. */
  readonly lifetime: number;
}

export interface IssuedToken {
  readonly token: string;
  readonly view: TokenView;
}

/** Issues, validates and revokes tokens. Nothing is stored for a token. */
export class Tokens {
  private readonly authentication: Authentication;
  private readonly lookup: TokenLookup;

  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    hasher: PasswordHasher,
    vault: Vault,
    private readonly codec: TokenCodec,
    private readonly clock: Clock,
    private readonly settings: TokenSettings,
  ) {
    this.authentication = new Authentication(db, stores, hasher, vault, codec, clock);
    this.lookup = new TokenLookup(stores, clock);
  }

  /**
   * A new token; `signed` is the request itself, which a consumer may have signed. Throws `Unauthorized` for whatever is wrong
   * with proof or scope. upstream: keystone/api/auth.py
   */
  async issue(_ctx: RequestContext, auth: AuthRequest, signed: SignedRequest): Promise<IssuedToken> {
    if (auth.identity.methods.includes('application_credential') && auth.scope !== undefined) {
      throw KeystoneError.AppCredScope();
    }
    // Before the proof is looked at: what ends the user's tokens meanwhile ends this one, too.
    const now = this.clock.now();
    const proven = await this.authentication.prove(auth.identity, signed);
    const { issued, wanted } = await this.db.read('tokens.issue', async (tx) => {
      if (proven.parent !== null) await this.lookup.require(tx, proven.parent);
      const asked = await wantedScope(tx, this.stores, auth, proven, now);
      const found = asked === null ? await this.byDefault(tx, proven, now) : await this.make(tx, proven, asked, now);
      return { issued: found, wanted: asked };
    });
    if (wanted?.trust !== null && wanted?.trust !== undefined) await this.use(wanted.trust.id);
    return issued;
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
    return this.db.read('tokens.validate', (tx) => this.lookup.require(tx, claims));
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

  private async make(tx: Tx, proven: Proven, wanted: Wanted, now: Date): Promise<IssuedToken> {
    const claims = this.claimsOf(proven, wanted, now);
    return { view: await this.lookup.require(tx, claims), token: await this.codec.sign(claims) };
  }

  /** A token for the user's default project when he can work there, else for nothing. */
  private async byDefault(tx: Tx, proven: Proven, now: Date): Promise<IssuedToken> {
    const id = proven.defaultProjectId;
    if (id !== null) {
      const claims = this.claimsOf(proven, { scope: { type: 'project', id }, trust: null }, now);
      const view = await this.lookup.find(tx, claims);
      if (view !== null) return { view, token: await this.codec.sign(claims) };
    }
    return this.make(tx, proven, { scope: { type: 'unscoped' }, trust: null }, now);
  }

  private async use(trustId: string): Promise<void> {
    const used = await this.db.run('tokens.use_trust', (tx) => this.stores.trusts.use(tx, trustId));
    if (!used) throw KeystoneError.Forbidden({ reason: `No remaining uses for trust: ${trustId}.` });
  }

  private claimsOf(proven: Proven, { scope, trust }: Wanted, now: Date): Claims {
    const { parent, appCred, accessToken } = proven;
    const parentAudit = parent?.openstack_audit_ids.at(-1);
    const ends = [appCred?.expires_at ?? null, trust?.expires_at ?? null, accessToken?.expires_at ?? null];
    return {
      sub: trust?.impersonation === true ? trust.trustor_user_id : proven.userId,
      // With milliseconds: a token made right after a password change is not older than it.
      iat: now.getTime() / 1000,
      exp: Math.min(parent?.exp ?? Number.POSITIVE_INFINITY, this.expiry(now, ends)),
      openstack_methods: proven.methods,
      openstack_audit_ids: [randomBytes(16).toString('base64url'), ...(parentAudit === undefined ? [] : [parentAudit])],
      ...(scope.type === 'project' ? { openstack_project_id: scope.id } : {}),
      ...(scope.type === 'domain' ? { openstack_domain_id: scope.id } : {}),
      ...(scope.type === 'system' ? { openstack_system: 'all' } : {}),
      ...(appCred === null ? {} : { openstack_app_cred_id: appCred.id }),
      ...(trust === null ? {} : { openstack_trust_id: trust.id }),
      ...(accessToken === null ? {} : { openstack_access_token_id: accessToken.id }),
    };
  }

  /** Seconds since the epoch; a token does not outlive what it was got with. */
  private expiry(now: Date, ends: readonly (Moment | null)[]): number {
    const regular = now.getTime() + this.settings.lifetime * 1000;
    return Math.floor(Math.min(regular, ...ends.flatMap((end) => (end === null ? [] : [timeOf(end)]))) / 1000);
  }
}
