import type { TokenSigner, TokenVerifier } from '@nestack/kernel/auth';
import type { Claims, TokenCodec } from '@nestack/keystone/domain';

/** Tokens as JWS: every service can verify them with the public key alone. */
export class JwsCodec implements TokenCodec {
  constructor(
    private readonly signer: TokenSigner,
    private readonly verifier: TokenVerifier,
  ) {}

  sign(claims: Claims): Promise<string> {
    return this.signer.sign(claims);
  }

  async verify(token: string, options: { readonly allowExpired: boolean }): Promise<Claims> {
    return this.verifier.verify(token, options);
  }
}
