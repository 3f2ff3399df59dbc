import { KeystoneError } from '@nestack/keystone/contract';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import type { StoredPolicy } from './model';
import type { Stores } from './ports';
import { Shelf } from './shelf';

/** Documents kept for others. upstream: keystone/policy */
export class Policies extends Shelf<StoredPolicy> {
  constructor(db: TransactionRunner, stores: Stores) {
    super(db, stores.policies, 'policies', (id) => KeystoneError.PolicyNotFound({ policy_id: id }));
  }

  create(_ctx: RequestContext, fields: Omit<StoredPolicy, 'id'>): Promise<StoredPolicy> {
    return this.db.run('policies.create', (tx) => this.store.insert(tx, { ...fields, id: newHexId() }));
  }

  update(_ctx: RequestContext, id: string, fields: Partial<Omit<StoredPolicy, 'id'>>): Promise<StoredPolicy> {
    return this.db.run('policies.update', (tx) => this.change(tx, id, fields));
  }
}
