import { KeystoneError } from '@nestack/keystone/contract';
import type { Clock } from '@nestack/kernel/clock';
import type { TransactionRunner, Tx } from '@nestack/kernel/context';
import { domainRef, type NamedRequest, type Proofs } from './auth-request';
import type { AccessToken, ApplicationCredential } from './model';
import { timeOf } from './moments';
import type { SignedRequest } from './oauth-signature';
import { proveByOAuth } from './oauth1';
import type { Claims, PasswordHasher, Stores, TokenCodec, UserInDomain, Vault } from './ports';

/** Who someone has proven to be. */
export interface Proven {
  readonly userId: string;
  readonly defaultProjectId: string | null;
  readonly methods: readonly string[];
  /** Of the token that proved it. */
  readonly parent: Claims | null;
  readonly appCred: ApplicationCredential | null;
  /** What a consumer signed the request with. */
  readonly accessToken: AccessToken | null;
}

const METHODS = ['password', 'token', 'application_credential', 'oauth1'];

/** Checks what a client offers as proof of who it is. upstream: keystone/auth/plugins */
export class Authentication {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    private readonly hasher: PasswordHasher,
    private readonly vault: Vault,
    private readonly codec: TokenCodec,
    private readonly clock: Clock,
  ) {}

  /** All methods must prove the same user. Whatever is wrong is the same `Unauthorized`. */
  async prove(identity: Proofs, signed: SignedRequest): Promise<Proven> {
    const methods = [...new Set(identity.methods)];
    if (methods.length === 0) throw KeystoneError.ValidationError({ attribute: 'methods', target: 'identity' });
    if (methods.some((method) => !METHODS.includes(method))) throw KeystoneError.AuthMethodNotSupported();
    const proofs: Proven[] = [];
    for (const method of methods) {
      if (method === 'password') proofs.push(await this.byPassword(identity.password?.user));
      else if (method === 'token') proofs.push(await this.byToken(identity.token?.id));
      else if (method === 'oauth1') proofs.push(await this.byOAuth(signed));
      else proofs.push(await this.byAppCred(identity.application_credential));
    }
    const [first] = proofs;
    if (first === undefined || proofs.some((one) => one.userId !== first.userId)) throw KeystoneError.Unauthorized();
    return {
      ...first,
      methods: [...new Set(proofs.flatMap((one) => one.methods))],
      parent: proofs.find((one) => one.parent !== null)?.parent ?? null,
      appCred: proofs.find((one) => one.appCred !== null)?.appCred ?? null,
      accessToken: proofs.find((one) => one.accessToken !== null)?.accessToken ?? null,
    };
  }

  private async byPassword(
    given: (NamedRequest & { readonly password?: string | undefined }) | undefined,
  ): Promise<Proven> {
    if (given === undefined) throw KeystoneError.ValidationError({ attribute: 'password', target: 'identity' });
    const { password } = given;
    if (password === undefined) throw KeystoneError.ValidationError({ attribute: 'password', target: 'user' });
    const found = await this.db.read('auth.user', (tx) => this.findUser(tx, given));
    const right = await this.hasher.verify(found?.user.password_hash ?? null, password);
    if (found === null || !right || !found.user.enabled || !found.domain.enabled) throw KeystoneError.Unauthorized();
    const expires = found.user.password_expires_at;
    if (expires !== null && expires <= this.clock.now())
      throw KeystoneError.PasswordExpired({ user_id: found.user.id });
    return provenBy(found, ['password']);
  }

  private async findUser(tx: Tx, given: NamedRequest): Promise<UserInDomain | null> {
    if (given.id !== undefined) return this.stores.users.inDomain(tx, { id: given.id });
    if (given.name === undefined) throw KeystoneError.ValidationError({ attribute: 'id or name', target: 'user' });
    const domain = domainRef(given.domain);
    if (domain === null) throw KeystoneError.ValidationError({ attribute: 'domain', target: 'user' });
    return this.stores.users.byName(tx, given.name, domain);
  }

  /** The token itself is looked at when the new one is made: a revoked or outdated one gives none. */
  private async byToken(token: string | undefined): Promise<Proven> {
    if (token === undefined) throw KeystoneError.ValidationError({ attribute: 'token', target: 'identity' });
    const claims = await this.codec.verify(token, { allowExpired: false });
    if (claims.openstack_app_cred_id !== undefined) {
      throw KeystoneError.ForbiddenAction({ action: 'using the token of an application credential to create another' });
    }
    if (claims.openstack_trust_id !== undefined) {
      throw KeystoneError.ForbiddenAction({
        action: 'Using trust-scoped token to create another token. Create a new trust-scoped token instead',
      });
    }
    if (claims.openstack_access_token_id !== undefined) {
      throw KeystoneError.ForbiddenAction({
        action: 'Using OAuth-scoped token to create another token. Create a new OAuth-scoped token instead',
      });
    }
    const methods = ['token', ...claims.openstack_methods.filter((method) => method !== 'token')];
    return { ...nobody, userId: claims.sub, methods, parent: claims };
  }

  private async byOAuth(signed: SignedRequest): Promise<Proven> {
    const { accessToken, found } = await this.db.read('auth.oauth1', async (tx) => {
      const token = await proveByOAuth(tx, this.stores, this.vault, signed, this.clock.now());
      return { accessToken: token, found: await this.stores.users.inDomain(tx, { id: token.authorizing_user_id }) };
    });
    if (found === null) throw KeystoneError.Unauthorized();
    return { ...provenBy(found, ['oauth1']), accessToken };
  }

  private async byAppCred(given: Proofs['application_credential']): Promise<Proven> {
    if (given === undefined) {
      throw KeystoneError.ValidationError({ attribute: 'application_credential', target: 'identity' });
    }
    const { appCred, found } = await this.db.read('auth.application_credential', async (tx) => {
      const wanted = await this.findAppCred(tx, given);
      return {
        appCred: wanted,
        found: wanted === null ? null : await this.stores.users.inDomain(tx, { id: wanted.user_id }),
      };
    });
    const right = await this.hasher.verify(appCred?.secret_hash ?? null, given.secret);
    if (appCred === null || found === null || !right) throw KeystoneError.Unauthorized();
    if (appCred.expires_at !== null && timeOf(appCred.expires_at) <= this.clock.now().getTime()) {
      throw KeystoneError.Unauthorized();
    }
    return { ...provenBy(found, ['application_credential']), appCred };
  }

  private async findAppCred(
    tx: Tx,
    given: NonNullable<Proofs['application_credential']>,
  ): Promise<ApplicationCredential | null> {
    if (given.id !== undefined) return this.stores.applicationCredentials.find(tx, given.id);
    if (given.name === undefined || given.user === undefined) {
      throw KeystoneError.ValidationError({ attribute: 'id or name', target: 'application_credential' });
    }
    const owner = await this.findUser(tx, given.user);
    return owner === null ? null : this.stores.applicationCredentials.byName(tx, owner.user.id, given.name);
  }
}

const nobody = { defaultProjectId: null, parent: null, appCred: null, accessToken: null };

function provenBy(found: UserInDomain, methods: readonly string[]): Proven {
  return { ...nobody, userId: found.user.id, defaultProjectId: found.user.default_project_id, methods };
}
