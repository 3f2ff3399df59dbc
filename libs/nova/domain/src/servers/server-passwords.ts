import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import type { InstanceRepository, ServerPasswordRepository } from '../ports';
import { visible } from './gate';

/** Bytes that a guest's encrypted password may have. upstream: nova/api/metadata/password.py */
export const PASSWORD_BYTES = 1020;

export interface ServerPasswordsDeps {
  readonly tx: TransactionRunner;
  readonly instances: InstanceRepository;
  readonly passwords: ServerPasswordRepository;
}

/** The password that a guest made for itself and told encrypted with its user's public key; nova only keeps it. */
export class ServerPasswords {
  constructor(private readonly deps: ServerPasswordsDeps) {}

  /** Empty when there is none. Throws InstanceNotFound. */
  show(ctx: RequestContext, id: string): Promise<string> {
    return this.deps.tx.read('server-password.show', async (tx) => {
      const { uuid } = visible(ctx, await this.deps.instances.find(tx, id), id);
      return (await this.deps.passwords.find(tx, uuid)) ?? '';
    });
  }

  /** Forgets it here; the guest keeps it. Throws InstanceNotFound. */
  clear(ctx: RequestContext, id: string): Promise<void> {
    return this.deps.tx.run('server-password.clear', async (tx) => {
      const { uuid } = visible(ctx, await this.deps.instances.find(tx, id), id);
      await this.deps.passwords.forget(tx, uuid);
    });
  }

  /** What the guest itself reads. */
  ofGuest(uuid: string): Promise<string | null> {
    return this.deps.tx.read('server-password.of-guest', (tx) => this.deps.passwords.find(tx, uuid));
  }

  /** What the guest tells, once; false when it has told before. */
  tell(uuid: string, password: string): Promise<boolean> {
    return this.deps.tx.run('server-password.tell', (tx) => this.deps.passwords.put(tx, uuid, password));
  }
}
