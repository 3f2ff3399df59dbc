import { createHash } from 'node:crypto';
import { Agent, request, type Dispatcher } from 'undici';
import { DomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import { Lru } from './lru';
import type { ServiceSession } from './service-session';
import type { Authenticator, RevocationEvent, VerifiedToken } from './surface';
import { verifiedTokenOf, type TokenBody } from './token-body';
import { invalidToken, looksLikeJws, TokenVerifier } from './token-verifier';

export interface RemoteAuthenticatorOptions {
  /** The service's own login: its token asks keystone about others. */
  readonly session: ServiceSession;
  readonly publicKeysDirectory: string;
  /** Keystone's URL for clients (`WWW-Authenticate`); the one that we use when absent. */
  readonly authUri?: string | undefined;
  readonly log: Logger;
  readonly cacheSize?: number;
  /** How long keystone's word is believed while revocations reach us, milliseconds. */
  readonly trustMs?: number;
  /** The same while they do not: the backstop is then keystone itself, about once a second for each token. */
  readonly trustWithoutFeedMs?: number;
  readonly dispatcher?: Dispatcher;
}

interface Cached {
  readonly token: VerifiedToken;
  readonly checkedAt: number;
}

/**
 * The token filter of every service but keystone. A forged or expired JWS is refused by its signature, without asking
 * anybody; what a good one stands for (roles, names) comes from keystone once and is then kept. Revocations purge what is kept
 * (keystone decides anew), so that an old token is dead everywhere as soon as its revocation has arrived.
 */
export class RemoteAuthenticator implements Authenticator {
  readonly authUri: string;
  readonly #verifier: TokenVerifier;
  readonly #cache: Lru<Cached>;
  /** Tokens that keystone refused, for a moment: a client in a loop must not become keystone's load. */
  readonly #refused = new Lru<number>(2000);
  /** Audit ids that were revoked outright. */
  readonly #revoked = new Lru<true>(50_000);
  readonly #fetching = new Map<string, Promise<VerifiedToken>>();
  readonly #dispatcher: Dispatcher;
  #feedAlive = false;
  /** Grows with each purge: an answer asked for before one is not kept. */
  #generation = 0;

  constructor(private readonly options: RemoteAuthenticatorOptions) {
    this.authUri = options.authUri ?? options.session.credentials.keystone_url.replace(/\/+$/, '');
    this.#verifier = new TokenVerifier(options.publicKeysDirectory);
    this.#cache = new Lru(options.cacheSize ?? 20_000);
    this.#dispatcher = options.dispatcher ?? new Agent({ connections: 16, keepAliveTimeout: 60_000 });
  }

  async authenticate(token: string, serviceToken: string | null): Promise<VerifiedToken> {
    if (serviceToken === null) return this.#check(token, false);
    const service = await this.#check(serviceToken, false);
    const roles = service.actor.roles;
    // A service may finish what a user began although his token has ended meanwhile. upstream: keystonemiddleware.
    const verified = await this.#check(token, roles.includes('service'));
    return { ...verified, serviceRoles: roles };
  }

  /** One revocation message of keystone. */
  revoke(event: RevocationEvent): void {
    this.#generation += 1;
    if (event.auditId !== null) this.#revoked.set(event.auditId, true);
    for (const [key, cached] of [...this.#cache.entries()]) {
      if (matches(event, cached.token)) this.#cache.delete(key);
    }
  }

  /** Says whether revocations reach us. What was kept while they did not may be stale: it is forgotten either way. */
  feed(alive: boolean): void {
    this.#feedAlive = alive;
    this.#generation += 1;
    this.#cache.clear();
    this.options.log.info(null, 'token_cache_purged', { revocations_connected: alive });
  }

  async #check(token: string, allowExpired: boolean): Promise<VerifiedToken> {
    if (token.length > 16_384) throw invalidToken();
    const key = `${allowExpired ? '+' : '-'}${createHash('sha256').update(token).digest('base64')}`;
    const now = Date.now();
    const trust = this.#feedAlive ? (this.options.trustMs ?? 300_000) : (this.options.trustWithoutFeedMs ?? 1000);
    const cached = this.#cache.get(key);
    // Kept under the whole token's hash, so its signature was good; a revocation would have removed it.
    if (cached !== undefined && now - cached.checkedAt < trust) {
      if (!allowExpired && cached.token.expiresAt.getTime() <= now) throw invalidToken();
      return cached.token;
    }
    if (looksLikeJws(token)) {
      const claims = await this.#verifier.verify(token, { allowExpired });
      if (claims.openstack_audit_ids.some((id) => this.#revoked.get(id) === true)) throw invalidToken();
    } else if (!token.startsWith('gAAAA')) throw invalidToken();
    const refusedAt = this.#refused.get(key);
    if (refusedAt !== undefined && now - refusedAt < 2000) throw invalidToken();
    let fetching = this.#fetching.get(key);
    if (fetching === undefined) {
      fetching = this.#fetch(token, key, allowExpired).finally(() => this.#fetching.delete(key));
      this.#fetching.set(key, fetching);
    }
    return fetching;
  }

  async #fetch(token: string, key: string, allowExpired: boolean): Promise<VerifiedToken> {
    for (let attempt = 0; ; attempt += 1) {
      const generation = this.#generation;
      const body = await this.#ask(token, allowExpired);
      if (body === null) {
        this.#refused.set(key, Date.now());
        throw invalidToken();
      }
      const verified = verifiedTokenOf(body);
      if (!allowExpired && verified.expiresAt.getTime() <= Date.now()) throw invalidToken();
      // A revocation came while keystone answered: its answer may be from before. Ask again, but not for ever.
      if (generation !== this.#generation && attempt < 3) continue;
      if (generation === this.#generation) this.#cache.set(key, { token: verified, checkedAt: Date.now() });
      return verified;
    }
  }

  /** Keystone's word on a token; null when it does not know it. */
  async #ask(token: string, allowExpired: boolean): Promise<TokenBody | null> {
    for (let attempt = 0; ; attempt += 1) {
      const own = await this.options.session.token();
      let status: number;
      let answer: unknown;
      try {
        const url = `${this.options.session.credentials.keystone_url.replace(/\/+$/, '')}/auth/tokens`;
        const response = await request(url, {
          dispatcher: this.#dispatcher,
          method: 'GET',
          query: { nocatalog: '', ...(allowExpired ? { allow_expired: '1' } : {}) },
          headers: {
            'x-auth-token': own,
            'x-subject-token': token,
            'x-nestack-service': this.options.session.service,
            // We look at access rules; without this keystone would not tell of a token that has some.
            'openstack-identity-access-rules': '1.0',
          },
          headersTimeout: 15_000,
          bodyTimeout: 15_000,
        });
        status = response.statusCode;
        answer = await response.body.json().catch(() => null);
      } catch (error) {
        if (attempt === 0) continue;
        throw new DomainError({
          kind: 'unavailable',
          code: 'KeystoneUnavailable',
          message: 'The identity service cannot be reached.',
          cause: error,
        });
      }
      if (status === 200) return (answer as { token: TokenBody }).token;
      if (status === 404) return null;
      if (status === 401 && attempt === 0) {
        this.options.session.invalidate(own);
        continue;
      }
      throw new DomainError({
        kind: 'unavailable',
        code: 'TokenValidationFailed',
        message: 'The identity service could not check the token.',
        detail: `GET /v3/auth/tokens: status ${String(status)}`,
      });
    }
  }
}

function matches(event: RevocationEvent, token: VerifiedToken): boolean {
  const actor = token.actor;
  if (event.auditId !== null && !token.auditIds.includes(event.auditId)) return false;
  if (event.userId !== null && event.userId !== actor.userId) return false;
  if (event.projectId !== null && event.projectId !== actor.projectId) return false;
  if (event.domainId !== null) {
    const domains = [actor.userDomain.id, actor.projectDomain?.id, actor.domainId];
    if (!domains.includes(event.domainId)) return false;
  }
  // Tokens name roles, events carry ids: any token may be meant, keystone is asked about all of them again.
  return true;
}
