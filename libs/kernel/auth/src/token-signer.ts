import { SignJWT, type CryptoKey } from 'jose';
import { createKey, currentKid, privateKey, pruneKeys, TOKEN_ALGORITHM } from './key-store';
import type { TokenClaims } from './surface';

/** How many private keys stay (a downgrade of the newest is possible), and public ones, for tokens still alive. */
const KEEP_PRIVATE = 2;
const KEEP_PUBLIC = 6;

/** Signs tokens with the newest key of a directory; keystone's side of the token verifier. */
export class TokenSigner {
  #kid: string | null = null;
  #key: CryptoKey | null = null;
  #lookedAt = 0;

  constructor(
    readonly privateDirectory: string,
    readonly publicDirectory: string,
    /** How long a rotated key may go unnoticed by other processes, milliseconds. */
    private readonly rereadMs = 5000,
  ) {}

  /** Makes the first key when there is none. */
  async ensureKey(): Promise<void> {
    if ((await currentKid(this.privateDirectory)) === null)
      await createKey(this.privateDirectory, this.publicDirectory);
  }

  /** Makes a new current key and forgets the oldest; call it at most every token lifetime. Returns its kid. */
  async rotate(): Promise<string> {
    const kid = await createKey(this.privateDirectory, this.publicDirectory);
    await pruneKeys(this.privateDirectory, KEEP_PRIVATE);
    await pruneKeys(this.publicDirectory, KEEP_PUBLIC);
    this.#lookedAt = 0;
    return kid;
  }

  /** The token: a compact JWS. Throws when no key was ever made. */
  async sign(claims: TokenClaims): Promise<string> {
    const { kid, key } = await this.#current();
    return new SignJWT({ ...claims }).setProtectedHeader({ alg: TOKEN_ALGORITHM, typ: 'JWT', kid }).sign(key);
  }

  async #current(): Promise<{ kid: string; key: CryptoKey }> {
    if (this.#key === null || Date.now() - this.#lookedAt > this.rereadMs) {
      const kid = await currentKid(this.privateDirectory);
      if (kid === null) throw new Error(`no signing key in ${this.privateDirectory}`);
      if (kid !== this.#kid) {
        this.#key = await privateKey(this.privateDirectory, kid);
        this.#kid = kid;
      }
      this.#lookedAt = Date.now();
    }
    if (this.#key === null || this.#kid === null) throw new Error('unreachable');
    return { kid: this.#kid, key: this.#key };
  }
}
