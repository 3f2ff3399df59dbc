import { createHash } from 'node:crypto';
import { KeystoneError } from '@nestack/keystone/contract';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import type { Credential } from './model';
import type { Stores, Vault } from './ports';

export interface Ec2Credential {
  readonly access: string;
  readonly secret: string;
  readonly user_id: string;
  readonly tenant_id: string | null;
}

/** The id under which the credential of an access key is kept. upstream: keystone/common/utils.py hash_access_key */
export function idOfAccess(access: string): string {
  return createHash('sha256').update(access).digest('hex');
}

/** The access key in an EC2 credential's blob. Throws when the blob is no JSON object with one. */
export function accessOf(blob: string): string {
  let parsed: unknown = null;
  try {
    parsed = JSON.parse(blob);
  } catch (cause) {
    throw KeystoneError.InvalidInput({ reason: 'Invalid blob in credential' }, { cause });
  }
  const access = typeof parsed === 'object' && parsed !== null && 'access' in parsed ? parsed.access : null;
  if (typeof access !== 'string') throw KeystoneError.InvalidInput({ reason: 'Invalid blob in credential' });
  return access;
}

/** Pairs of keys in Amazon's style, kept among the users' credentials. upstream: keystone/api/_shared/EC2_S3_Resource.py */
export class Ec2Credentials {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
    private readonly vault: Vault,
  ) {}

  list(_ctx: RequestContext, userId: string): Promise<Ec2Credential[]> {
    return this.db.read('ec2.list', async (tx) => {
      const found = await this.stores.credentials.list(tx, [
        { field: 'user_id', op: 'eq', value: userId },
        { field: 'type', op: 'eq', value: 'ec2' },
      ]);
      return found.map((one) => this.opened(one));
    });
  }

  create(_ctx: RequestContext, userId: string, projectId: string): Promise<Ec2Credential> {
    return this.db.run('ec2.create', async (tx) => {
      if ((await this.stores.projects.find(tx, projectId)) === null) {
        throw KeystoneError.ProjectNotFound({ project_id: projectId });
      }
      const access = newHexId();
      const blob = this.vault.seal(JSON.stringify({ access, secret: newHexId(), trust_id: null }));
      const row = { id: idOfAccess(access), type: 'ec2', blob, user_id: userId, project_id: projectId, extra: {} };
      return this.opened(await this.stores.credentials.insert(tx, row));
    });
  }

  show(_ctx: RequestContext, userId: string, access: string): Promise<Ec2Credential> {
    return this.db.read('ec2.show', async (tx) => this.opened(await this.require(tx, userId, access)));
  }

  async remove(_ctx: RequestContext, userId: string, access: string): Promise<void> {
    await this.db.run('ec2.remove', async (tx) => {
      const { id } = await this.require(tx, userId, access);
      if (!(await this.stores.credentials.remove(tx, id)))
        throw KeystoneError.CredentialNotFound({ credential_id: access });
    });
  }

  private async require(tx: Tx, userId: string, access: string): Promise<Credential> {
    const found = await this.stores.credentials.find(tx, idOfAccess(access));
    if (found === null || found.user_id !== userId || found.type !== 'ec2') {
      throw KeystoneError.CredentialNotFound({ credential_id: access });
    }
    return found;
  }

  private opened(credential: Credential): Ec2Credential {
    const { access, secret } = JSON.parse(this.vault.open(credential.blob)) as { access: string; secret: string };
    return { access, secret, user_id: credential.user_id, tenant_id: credential.project_id };
  }
}
