import { createHash, randomUUID } from 'node:crypto';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaError } from '@nestack/nova/contract';
import type { Instance } from '../instance';
import type { ConsoleConnection, ConsoleTokenRepository } from '../ports';

export interface ConsoleTokensDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly tokens: ConsoleTokenRepository;
  /** Seconds. upstream: [consoleauth] token_ttl */
  readonly ttlS: number;
  /** Page that shows a console; the token is given to it. upstream: [vnc] novncproxy_base_url */
  readonly novncUrl: string;
}

/** Where a host leads to a guest's screen. */
export type ConsoleAddress = Pick<ConsoleConnection, 'host' | 'port' | 'internal_access_path'>;

/**
 * Tokens that open a server's console. Each opens it once, soon, and as long as the server stays what and where it was when
 * the token was made; the database knows their digests alone.
 */
export class ConsoleTokens {
  constructor(private readonly deps: ConsoleTokensDeps) {}

  /** Makes a token for the console; answers the address that a browser shows it at. */
  authorize(
    instance: Pick<Instance, 'uuid'> & { readonly host: string },
    consoleType: string,
    address: ConsoleAddress,
  ): Promise<string> {
    const { clock, tokens, ttlS, novncUrl } = this.deps;
    const token = randomUUID();
    return this.deps.tx.run('console.authorize', async (tx) => {
      const now = clock.now();
      await tokens.removeExpired(tx, now);
      await tokens.insert(tx, {
        digest: digestOf(token),
        console_type: consoleType,
        instance_uuid: instance.uuid,
        compute_host: instance.host,
        access_url_base: novncUrl,
        ...address,
        expires_at: new Date(now.getTime() + ttlS * 1000),
      });
      // The page takes it as the path of its WebSocket. upstream: nova/objects/console_auth_token.py, access_url
      return `${novncUrl}${novncUrl.includes('?') ? '&' : '?'}path=${encodeURIComponent(`?token=${token}`)}`;
    });
  }

  /** What a token leads to. Throws ConsoleTokenNotFound for those that open nothing (any more). */
  show(_ctx: RequestContext, token: string): Promise<ConsoleConnection> {
    return this.deps.tx.read('console.show', async (tx) => {
      const found = await this.deps.tokens.find(tx, digestOf(token), this.deps.clock.now());
      if (found === null) throw NovaError.ConsoleTokenNotFound();
      return found;
    });
  }
}

/** Lets those in who come with a token; it is used up by that. */
export class ConsoleRedemption {
  constructor(private readonly deps: Pick<ConsoleTokensDeps, 'tx' | 'clock' | 'tokens'>) {}

  /** What the token leads to; null when it opens nothing (any more). Of several who come with it one gets in. */
  redeem(token: string): Promise<ConsoleConnection | null> {
    return this.deps.tx.run('console.redeem', (tx) =>
      this.deps.tokens.take(tx, digestOf(token), this.deps.clock.now()),
    );
  }
}

/** As tokens are kept: they are random, so a plain digest tells nothing of them. */
function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
