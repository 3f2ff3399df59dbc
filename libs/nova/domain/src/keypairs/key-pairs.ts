import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaError } from '@nestack/nova/contract';
import type { KeyPair } from '../instance';
import type { KeyPairRepository } from '../ports';
import type { Quotas } from '../quotas/quotas';
import { certificateFingerprint, fingerprint, generateSshKey } from './ssh-keys';

export interface KeyPairsDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly keyPairs: KeyPairRepository;
  readonly quotas: Quotas;
}

/** Key pairs of users. */
export class KeyPairs {
  constructor(private readonly deps: KeyPairsDeps) {}

  list(userId: string, page: { readonly limit: number; readonly marker?: string }): Promise<readonly KeyPair[]> {
    return this.deps.tx.read('keypair.list', (tx) => this.deps.keyPairs.list(tx, userId, page));
  }

  async show(userId: string, name: string): Promise<KeyPair> {
    const found = await this.deps.tx.read('keypair.show', (tx) => this.deps.keyPairs.find(tx, userId, name));
    if (found === null) throw NovaError.KeypairNotFound({ name, user_id: userId });
    return found;
  }

  /**
   * Imports the given public key, or makes a pair and answers its private key this once. Users' pairs are counted, by the limit of
   * the caller. Throws KeypairLimitExceeded, KeyPairExists, InvalidKeypair. upstream: nova/quota.py limit_check_project_and_user
   */
  async create(
    ctx: RequestContext,
    userId: string,
    wanted: { readonly name: string; readonly type: 'ssh' | 'x509'; readonly publicKey: string | null },
  ): Promise<{ readonly keyPair: KeyPair; readonly privateKey: string | null }> {
    if (!/^[\w@. -]+$/.test(wanted.name) || wanted.name.trim() === '') {
      throw NovaError.InvalidKeypair({ reason: 'Keypair name contains unsafe characters' });
    }
    const generated = wanted.publicKey === null ? await this.generate(wanted.type, userId) : null;
    const publicKey = generated?.public_key ?? wanted.publicKey ?? '';
    const print = wanted.type === 'ssh' ? fingerprint(publicKey) : certificateFingerprint(publicKey);
    const keyPair = await this.deps.tx.run('keypair.create', async (tx) => {
      const limit = (await this.deps.quotas.allowed(ctx, tx))['key_pairs'] ?? -1;
      const used = await this.deps.keyPairs.lockCount(tx, userId);
      if (limit >= 0 && used >= limit) throw NovaError.KeypairLimitExceeded();
      return this.deps.keyPairs.insert(tx, {
        user_id: userId,
        name: wanted.name,
        type: wanted.type,
        fingerprint: print,
        public_key: publicKey,
        created_at: this.deps.clock.now(),
      });
    });
    return { keyPair, privateKey: generated?.private_key ?? null };
  }

  private async generate(type: 'ssh' | 'x509', userId: string) {
    if (type === 'ssh') return generateSshKey();
    // Seldom asked for: loaded when it is.
    const { generateX509 } = await import('./x509-keys');
    return generateX509(userId, this.deps.clock.now());
  }

  async delete(userId: string, name: string): Promise<void> {
    const gone = await this.deps.tx.run('keypair.delete', (tx) => this.deps.keyPairs.remove(tx, userId, name));
    if (!gone) throw NovaError.KeypairNotFound({ name, user_id: userId });
  }
}
