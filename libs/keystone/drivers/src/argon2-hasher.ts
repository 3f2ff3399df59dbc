import { hash, verify } from '@node-rs/argon2';
import { DomainError } from '@nestack/kernel/errors';
import type { PasswordHasher } from '@nestack/keystone/domain';

/** OWASP's minimum for argon2id: 19 MiB, two passes, one lane. */
const STRENGTH = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Some hash that no secret has: checked against where there is none, so that both take the same time. */
const NOBODY = '$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3MgaGFzaC4uLg$X8xyUDu1wxGmbVuiXVhqJyURk2WAXBWHf0yf3ZKlQ1M';

export interface Argon2Options {
  /** Hashes at a time: each takes a thread of the pool and 19 MiB. */
  readonly concurrency?: number;
  /** Requests that may wait for their turn; more are refused as `unavailable`. */
  readonly waiting?: number;
}

/** Argon2id in the thread pool, a few at a time: logins neither block the event loop nor fill the memory. */
export class Argon2Hasher implements PasswordHasher {
  readonly #concurrency: number;
  readonly #limit: number;
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(options: Argon2Options = {}) {
    this.#concurrency = options.concurrency ?? 2;
    this.#limit = options.waiting ?? 2000;
  }

  /** The secret's hash in PHC form. */
  hash(secret: string): Promise<string> {
    return this.#inTurn(() => hash(secret, STRENGTH));
  }

  async verify(stored: string | null, secret: string): Promise<boolean> {
    const right = await this.#inTurn(() => verify(stored ?? NOBODY, secret));
    return stored !== null && right;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#concurrency) {
      if (this.#queue.length >= this.#limit) {
        throw new DomainError({ kind: 'unavailable', code: 'TooManyLogins', message: 'Too many logins at once.' });
      }
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else this.#running += 1;
    try {
      return await work();
    } finally {
      // The turn goes to the next one; nobody else can take it in between.
      const next = this.#queue.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
