import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { EVERYTHING, type Subnet, type SubnetRepository } from '@nestack/neutron/domain';
import { subnetTable } from '../tables/tables';
import { TableRepository } from './table.repository';

/** Subnets in PostgreSQL. */
export class SubnetsRepository extends TableRepository<Subnet> implements SubnetRepository {
  constructor() {
    super(subnetTable);
  }

  async ofNetwork(tx: Tx, networkId: string): Promise<Subnet[]> {
    return this.table.list(tx, EVERYTHING, {
      filters: new Map([['network_id', [networkId]]]),
      sort: [{ key: 'created_at', direction: 'asc' }],
      limit: null,
      marker: null,
      reverse: false,
    });
  }

  async setPools(
    tx: Tx,
    subnetId: string,
    pools: readonly { readonly start: string; readonly end: string }[],
  ): Promise<void> {
    await execute(tx, 'DELETE FROM allocation_pool WHERE subnet_id = $1', [subnetId]);
    await execute(
      tx,
      `INSERT INTO allocation_pool (subnet_id, ordinal, first_ip, last_ip)
       SELECT $1, p.ordinal, p.first_ip, p.last_ip
       FROM unnest($2::inet[], $3::inet[]) WITH ORDINALITY AS p (first_ip, last_ip, ordinal)`,
      [subnetId, pools.map((one) => one.start), pools.map((one) => one.end)],
    );
  }

  async users(tx: Tx, subnetId: string) {
    return sql<{ port_id: string; device_owner: string; ip_address: string }>(
      tx,
      `SELECT i.port_id, p.device_owner, host(i.ip_address) AS ip_address
       FROM ip_allocation i JOIN port p ON p.id = i.port_id WHERE i.subnet_id = $1`,
      [subnetId],
    );
  }

  async holder(tx: Tx, subnetId: string, ip: string): Promise<string | null> {
    const row = await sqlOne<{ port_id: string }>(
      tx,
      'SELECT port_id FROM ip_allocation WHERE subnet_id = $1 AND ip_address = $2::inet',
      [subnetId, ip],
    );
    return row?.port_id ?? null;
  }

  async prefixesOfPool(tx: Tx, poolId: string) {
    await execute(tx, 'SELECT 1 FROM subnetpool WHERE id = $1 FOR NO KEY UPDATE', [poolId]);
    return sql<{ cidr: string; project_id: string }>(
      tx,
      'SELECT cidr::text AS cidr, project_id FROM subnet WHERE subnetpool_id = $1',
      [poolId],
    );
  }
}
