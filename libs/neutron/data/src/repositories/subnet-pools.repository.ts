import type { Tx } from '@nestack/kernel/context';
import { sqlOne } from '@nestack/kernel/db';
import {
  EVERYTHING,
  type AddressScope,
  type AddressScopeRepository,
  type SubnetPool,
  type SubnetPoolRepository,
} from '@nestack/neutron/domain';
import { addressScopeTable, subnetPoolTable } from '../tables/tables';
import { TableRepository } from './table.repository';

/** Subnet pools in PostgreSQL. */
export class SubnetPoolsRepository extends TableRepository<SubnetPool> implements SubnetPoolRepository {
  constructor() {
    super(subnetPoolTable);
  }

  async default(tx: Tx, version: 4 | 6): Promise<SubnetPool | null> {
    const [found] = await this.table.list(tx, EVERYTHING, {
      filters: new Map([
        ['is_default', ['true']],
        ['ip_version', [String(version)]],
      ]),
      sort: [],
      limit: 1,
      marker: null,
      reverse: false,
    });
    return found ?? null;
  }

  async ofScope(tx: Tx, scopeId: string): Promise<SubnetPool[]> {
    return this.table.list(tx, EVERYTHING, {
      filters: new Map([['address_scope_id', [scopeId]]]),
      sort: [],
      limit: null,
      marker: null,
      reverse: false,
    });
  }

  async inUse(tx: Tx, poolId: string): Promise<boolean> {
    const row = await sqlOne<{ used: boolean }>(
      tx,
      'SELECT EXISTS (SELECT 1 FROM subnet WHERE subnetpool_id = $1) AS used',
      [poolId],
    );
    return row?.used === true;
  }
}

/** Address scopes in PostgreSQL. */
export class AddressScopesRepository extends TableRepository<AddressScope> implements AddressScopeRepository {
  constructor() {
    super(addressScopeTable);
  }
}
