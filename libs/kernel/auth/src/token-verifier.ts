import { createHash } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify, errors, type CryptoKey } from 'jose';
import { DomainError } from '@nestack/kernel/errors';
import { PublicKeys, TOKEN_ALGORITHM } from './key-store';
import { Lru } from './lru';
import type { TokenClaims } from './surface';

/** Signatures that are remembered: of the tokens in use, each is asked about many times. */
const REMEMBERED = 5000;

/** Verifies tokens by their signature alone. */
export class TokenVerifier {
  readonly #keys: PublicKeys;
  /** Claims whose signature was good, by the hash of the whole token. */
  readonly #good = new Lru<TokenClaims>(REMEMBERED);

  constructor(publicKeysDirectory: string) {
    this.#keys = new PublicKeys(publicKeysDirectory);
  }

  /** The claims of a token that one of our keys signed and that has not expired (unless `allowExpired`). Else `unauthenticated`. */
  async verify(token: string, options: { readonly allowExpired?: boolean } = {}): Promise<TokenClaims> {
    try {
      const header = decodeProtectedHeader(token);
      const key = typeof header.kid === 'string' ? await this.#keys.get(header.kid) : null;
      if (key === null) throw invalidToken();
      const claims = await this.#signed(token, key);
      if (options.allowExpired !== true && claims.exp * 1000 <= Date.now()) throw invalidToken();
      return claims;
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) throw invalidToken(error);
      throw error;
    }
  }

  /** The claims when the signature is good; whether they have expired is not looked at. */
  async #signed(token: string, key: CryptoKey): Promise<TokenClaims> {
    const hash = createHash('sha256').update(token).digest('base64');
    const known = this.#good.get(hash);
    if (known !== undefined) return known;
    const { payload } = await jwtVerify(token, key, {
      algorithms: [TOKEN_ALGORITHM],
      requiredClaims: ['sub', 'iat', 'exp'],
      currentDate: new Date(0),
    });
    if (!Array.isArray(payload['openstack_audit_ids']) || !Array.isArray(payload['openstack_methods']))
      throw invalidToken();
    const claims = payload as unknown as TokenClaims;
    this.#good.set(hash, claims);
    return claims;
  }
}

/** Whether the text has a JWS' form (fernet tokens do not, keystone alone can read those). */
export function looksLikeJws(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
}

/** The one answer to any token that is not good. */
export function invalidToken(cause?: unknown): DomainError {
  return new DomainError({
    kind: 'unauthenticated',
    code: 'Unauthorized',
    message: 'The request you have made requires authentication.',
    ...(cause === undefined ? {} : { cause }),
  });
}
