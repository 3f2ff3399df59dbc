import { decodeProtectedHeader, jwtVerify, errors } from 'jose';
import { DomainError } from '@nestack/kernel/errors';
import { PublicKeys, TOKEN_ALGORITHM } from './key-store';
import type { TokenClaims } from './surface';

/** Verifies tokens by their signature alone. */
export class TokenVerifier {
  readonly #keys: PublicKeys;

  constructor(publicKeysDirectory: string) {
    this.#keys = new PublicKeys(publicKeysDirectory);
  }

  /** The claims of a token that one of our keys signed and that has not expired (unless `allowExpired`). Else `unauthenticated`. */
  async verify(token: string, options: { readonly allowExpired?: boolean } = {}): Promise<TokenClaims> {
    try {
      const header = decodeProtectedHeader(token);
      const key = typeof header.kid === 'string' ? await this.#keys.get(header.kid) : null;
      if (key === null) throw invalidToken();
      const { payload } = await jwtVerify(token, key, {
        algorithms: [TOKEN_ALGORITHM],
        requiredClaims: ['sub', 'iat', 'exp'],
        ...(options.allowExpired === true ? { currentDate: new Date(0) } : {}),
      });
      if (!Array.isArray(payload['openstack_audit_ids']) || !Array.isArray(payload['openstack_methods']))
        throw invalidToken();
      return payload as unknown as TokenClaims;
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) throw invalidToken(error);
      throw error;
    }
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
