import { randomInt } from 'node:crypto';
import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import type { AccessToken, Consumer, Extra, Role, TokenView } from './model';
import { momentOf, timeOf, type Moment } from './moments';
import { assertSignable, isSecret, isSigned, oauthParams, type SignedRequest } from './oauth-signature';
import type { Stores, Vault } from './ports';
import { revocation } from './revocations';

/** How long what a consumer got can be used, seconds. upstream: [oauth1] request_token_duration, access_token_duration */
const REQUEST_TOKEN_S = 28_800;
const ACCESS_TOKEN_S = 86_400;
/** Letters and digits that nobody takes for others. */
const VERIFIER_LETTERS = 'abcdefghkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const VERIFIER_LENGTH = 8;

export interface ConsumerFields {
  readonly description?: string | null;
  readonly extra: Extra;
}

/** What a consumer gets, with the secret that it signs with from then on. */
export interface TokenWithSecret {
  readonly id: string;
  readonly secret: string;
  readonly expires_at: Moment;
}

/** Programs that work for users without their passwords, after OAuth 1.0a. upstream: keystone/api/os_oauth1.py, keystone/oauth1 */
export class OAuth1 {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    private readonly vault: Vault,
    private readonly clock: Clock,
  ) {}

  listConsumers(_ctx: RequestContext): Promise<Consumer[]> {
    return this.db.read('consumers.list', (tx) => this.stores.consumers.list(tx));
  }

  /** Throws ConsumerNotFound. */
  showConsumer(_ctx: RequestContext, id: string): Promise<Consumer> {
    return this.db.read('consumers.show', (tx) => this.consumer(tx, id));
  }

  /** Its secret is told here and never again. */
  async createConsumer(
    _ctx: RequestContext,
    fields: ConsumerFields,
  ): Promise<{ readonly consumer: Consumer; readonly secret: string }> {
    const secret = newHexId();
    const row = {
      id: newHexId(),
      description: fields.description ?? null,
      secret: this.vault.seal(secret),
      extra: fields.extra,
    };
    return { consumer: await this.db.run('consumers.create', (tx) => this.stores.consumers.insert(tx, row)), secret };
  }

  /** Throws ConsumerNotFound. */
  updateConsumer(_ctx: RequestContext, id: string, { description, extra }: ConsumerFields): Promise<Consumer> {
    return this.db.run('consumers.update', async (tx) => {
      const before = await this.stores.consumers.find(tx, id, { lock: true });
      const changes = {
        ...(description === undefined ? {} : { description }),
        extra: { ...before?.extra, ...extra },
      };
      const after = await this.stores.consumers.update(tx, id, changes);
      if (after === null) throw KeystoneError.ConsumerNotFound();
      return after;
    });
  }

  /** Ends what users let it do, too. Throws ConsumerNotFound. */
  async removeConsumer(_ctx: RequestContext, id: string): Promise<void> {
    await this.db.run('consumers.remove', async (tx) => {
      const granted = await this.stores.accessTokens.list(tx, [{ field: 'consumer_id', op: 'eq', value: id }]);
      if (!(await this.stores.consumers.remove(tx, id))) throw KeystoneError.ConsumerNotFound();
      await this.tellOf(tx, granted);
    });
  }

  /**
   * A consumer asks to work in a project. Throws ValidationError (no header, consumer or project), ProjectNotFound,
   * ConsumerNotFound, InvalidInput, Unauthorized (the signature).
   */
  async requestToken(
    _ctx: RequestContext,
    request: SignedRequest,
    projectId: string | undefined,
  ): Promise<TokenWithSecret> {
    const { all, oauth_consumer_key: consumerId } = oauthParams(request, 'oauth_consumer_key');
    if (projectId === undefined || projectId === '')
      throw KeystoneError.ValidationError({ attribute: 'Requested-Project-Id', target: 'request' });
    const now = this.clock.now();
    const secret = newHexId();
    return this.db.run('oauth1.request_token', async (tx) => {
      if ((await this.stores.projects.find(tx, projectId)) === null)
        throw KeystoneError.ProjectNotFound({ project_id: projectId });
      const consumer = await this.consumer(tx, consumerId);
      assertSignable(all, now);
      if (!isSigned(request, all, this.vault.open(consumer.secret), '')) throw KeystoneError.Unauthorized();
      const made = await this.stores.requestTokens.insert(tx, {
        id: newHexId(),
        consumer_id: consumer.id,
        requested_project_id: projectId,
        secret: this.vault.seal(secret),
        verifier: null,
        authorizing_user_id: null,
        role_ids: [],
        expires_at: after(now, REQUEST_TOKEN_S),
      });
      return { id: made.id, secret, expires_at: made.expires_at };
    });
  }

  /**
   * The user lets the consumer work with roles that he has in the project. Answers the verifier that the consumer needs.
   * Throws Forbidden for a token that is delegated itself, RequestTokenNotFound, RoleNotFound, Unauthorized.
   */
  authorize(
    _ctx: RequestContext,
    id: string,
    roles: readonly { readonly id?: string; readonly name?: string }[],
    token: TokenView,
  ): Promise<string> {
    assertOwn(token);
    return this.db.run('oauth1.authorize', async (tx) => {
      const asked = await this.stores.requestTokens.find(tx, id, { lock: true });
      if (asked === null) throw KeystoneError.RequestTokenNotFound();
      if (timeOf(asked.expires_at) <= this.clock.now().getTime()) throw KeystoneError.Unauthorized();
      const wanted = await Promise.all(roles.map((role) => this.roleId(tx, role)));
      const scope = { type: 'project', id: asked.requested_project_id } as const;
      const held = new Set((await this.stores.assignments.rolesOf(tx, token.user.id, scope)).map((role) => role.id));
      if (wanted.some((role) => !held.has(role))) throw KeystoneError.Unauthorized();
      const verifier = Array.from(
        { length: VERIFIER_LENGTH },
        () => VERIFIER_LETTERS[randomInt(VERIFIER_LETTERS.length)],
      ).join('');
      await this.stores.requestTokens.update(tx, id, {
        verifier,
        authorizing_user_id: token.user.id,
        role_ids: [...new Set(wanted)],
      });
      return verifier;
    });
  }

  /**
   * The consumer gets what was authorized; the request token is used up by it. Throws ValidationError, RequestTokenNotFound,
   * InvalidInput, Unauthorized.
   */
  async accessToken(_ctx: RequestContext, request: SignedRequest): Promise<TokenWithSecret> {
    const given = oauthParams(request, 'oauth_consumer_key', 'oauth_token', 'oauth_verifier');
    const now = this.clock.now();
    const secret = newHexId();
    return this.db.run('oauth1.access_token', async (tx) => {
      const asked = await this.stores.requestTokens.find(tx, given.oauth_token, { lock: true });
      if (asked === null) throw KeystoneError.RequestTokenNotFound();
      assertSignable(given.all, now);
      const consumer = await this.stores.consumers.find(tx, given.oauth_consumer_key);
      const { authorizing_user_id: user } = asked;
      if (
        consumer === null ||
        consumer.id !== asked.consumer_id ||
        timeOf(asked.expires_at) <= now.getTime() ||
        user === null ||
        asked.verifier === null ||
        !isSecret(given.oauth_verifier, asked.verifier) ||
        !isSigned(request, given.all, this.vault.open(consumer.secret), this.vault.open(asked.secret))
      )
        throw KeystoneError.Unauthorized();
      await this.stores.requestTokens.remove(tx, asked.id);
      const made = await this.stores.accessTokens.insert(tx, {
        id: newHexId(),
        consumer_id: consumer.id,
        project_id: asked.requested_project_id,
        authorizing_user_id: user,
        secret: this.vault.seal(secret),
        role_ids: asked.role_ids,
        expires_at: after(now, ACCESS_TOKEN_S),
      });
      return { id: made.id, secret, expires_at: made.expires_at };
    });
  }

  /** Forgets requests that nobody has answered or used in time: a consumer may make any number of them. */
  pruneRequestTokens(): Promise<number> {
    return this.db.run('oauth1.prune', (tx) => this.stores.requestTokens.prune(tx, this.clock.now()));
  }

  /** What a user lets consumers do. Throws Forbidden for a token that is delegated itself. */
  list(_ctx: RequestContext, userId: string, token: TokenView): Promise<AccessToken[]> {
    assertOwn(token);
    return this.db.read('oauth1.list', (tx) =>
      this.stores.accessTokens.list(tx, [{ field: 'authorizing_user_id', op: 'eq', value: userId }]),
    );
  }

  /** Throws AccessTokenNotFound, for other users' as well, and Forbidden for a token that is delegated itself. */
  show(_ctx: RequestContext, userId: string, id: string, token: TokenView): Promise<AccessToken> {
    assertOwn(token);
    return this.db.read('oauth1.show', (tx) => this.own(tx, userId, id));
  }

  /** Ends it and its tokens. Throws AccessTokenNotFound, Unauthorized (another user's), Forbidden. */
  async remove(_ctx: RequestContext, userId: string, id: string, token: TokenView): Promise<void> {
    assertOwn(token);
    await this.db.run('oauth1.remove', async (tx) => {
      const found = await this.stores.accessTokens.find(tx, id, { lock: true });
      if (found === null) throw KeystoneError.AccessTokenNotFound();
      if (found.authorizing_user_id !== userId) throw KeystoneError.Unauthorized();
      await this.stores.accessTokens.remove(tx, id);
      await this.tellOf(tx, [found]);
    });
  }

  /** The roles that it gives. Throws AccessTokenNotFound. */
  roles(_ctx: RequestContext, userId: string, id: string): Promise<Role[]> {
    return this.db.read('oauth1.roles', async (tx) => {
      const { role_ids: ids } = await this.own(tx, userId, id);
      return ids.length === 0 ? [] : this.stores.roles.list(tx, [{ field: 'id', op: 'in', value: ids }]);
    });
  }

  private async own(tx: Tx, userId: string, id: string): Promise<AccessToken> {
    const found = await this.stores.accessTokens.find(tx, id);
    if (found?.authorizing_user_id !== userId) throw KeystoneError.AccessTokenNotFound();
    return found;
  }

  private async consumer(tx: Tx, id: string): Promise<Consumer> {
    const found = await this.stores.consumers.find(tx, id);
    if (found === null) throw KeystoneError.ConsumerNotFound();
    return found;
  }

  private async roleId(tx: Tx, role: { readonly id?: string; readonly name?: string }): Promise<string> {
    if (role.id !== undefined) return role.id;
    const [found] = await this.stores.roles.list(tx, [
      { field: 'name', op: 'eq', value: role.name ?? '' },
      { field: 'domain_id', op: 'eq', value: null },
    ]);
    if (found === undefined) throw KeystoneError.RoleNotFound({ role_id: role.name ?? '' });
    return found.id;
  }

  /** Lets services look anew at the tokens of what has ended. */
  private async tellOf(tx: Tx, ended: readonly AccessToken[]): Promise<void> {
    const users = new Set(ended.map((one) => one.authorizing_user_id));
    const now = this.clock.now();
    await this.stores.revocations.announce(tx, ...[...users].map((userId) => revocation(now, { userId })));
  }
}

/** The access token that a consumer has signed a request with. Throws ValidationError, AccessTokenNotFound, InvalidInput, Unauthorized. */
export async function proveByOAuth(
  tx: Tx,
  stores: Stores,
  vault: Vault,
  request: SignedRequest,
  now: Date,
): Promise<AccessToken> {
  const {
    all,
    oauth_consumer_key: consumerId,
    oauth_token: id,
  } = oauthParams(request, 'oauth_consumer_key', 'oauth_token');
  const found = await stores.accessTokens.find(tx, id);
  if (found === null) throw KeystoneError.AccessTokenNotFound();
  assertSignable(all, now);
  const consumer = await stores.consumers.find(tx, found.consumer_id);
  if (
    consumer === null ||
    consumer.id !== consumerId ||
    timeOf(found.expires_at) <= now.getTime() ||
    !isSigned(request, all, vault.open(consumer.secret), vault.open(found.secret))
  )
    throw KeystoneError.Unauthorized();
  return found;
}

function after(now: Date, seconds: number): Moment {
  return momentOf(new Date(now.getTime() + seconds * 1000).toISOString());
}

/** Throws Forbidden for tokens that somebody else was given to work with. */
function assertOwn(token: TokenView): void {
  if (token.trust !== null || token.access_token !== null || token.application_credential !== null)
    throw KeystoneError.Forbidden({
      reason: 'Cannot work with request or access tokens with a token issued via delegation.',
    });
}
