import type { Tx } from '@nestack/kernel/context';
import { sql, sqlOne } from '@nestack/kernel/db';
import type { Network, NetworkRepository } from '@nestack/neutron/domain';
import { networkTable } from '../tables/tables';
import { TableRepository } from './table.repository';

/** How many tunnel ids are tried at random before all are looked through. */
const GUESSES = 16;

/** Networks in PostgreSQL. */
export class NetworksRepository extends TableRepository<Network> implements NetworkRepository {
  constructor() {
    super(networkTable);
  }

  async freeTunnel(tx: Tx, range: { readonly from: number; readonly to: number }): Promise<number | null> {
    const span = range.to - range.from + 1;
    // A wide range has free ids nearly everywhere: looking at a few costs the same however many networks there are.
    if (span > 4096) {
      const guesses = Array.from({ length: GUESSES }, () => range.from + Math.floor(Math.random() * span));
      const found = await sqlOne<{ id: number }>(
        tx,
        `SELECT g.id FROM unnest($1::integer[]) g(id) WHERE NOT EXISTS (SELECT 1 FROM network n
           WHERE n.provider_network_type = 'vxlan' AND n.provider_segmentation_id = g.id) LIMIT 1`,
        [guesses],
      );
      if (found !== null) return found.id;
    }
    return this.lowestFree(tx, 'vxlan', null, range);
  }

  async freeVlan(
    tx: Tx,
    physicalNetwork: string,
    range: { readonly from: number; readonly to: number },
  ): Promise<number | null> {
    return this.lowestFree(tx, 'vlan', physicalNetwork, range);
  }

  /** One creation at a time looks here, since all would find the same. */
  private async lowestFree(
    tx: Tx,
    type: string,
    physical: string | null,
    range: { readonly from: number; readonly to: number },
  ): Promise<number | null> {
    await sql(tx, "SELECT pg_advisory_xact_lock(hashtext('neutron.segments'), hashtext($1))", [
      `${type} ${physical ?? ''}`,
    ]);
    const row = await sqlOne<{ id: number }>(
      tx,
      `SELECT g.id FROM generate_series($3::integer, $4::integer) g(id) WHERE NOT EXISTS (SELECT 1 FROM network n
         WHERE n.provider_network_type = $1 AND n.provider_physical_network IS NOT DISTINCT FROM $2::text
           AND n.provider_segmentation_id = g.id) LIMIT 1`,
      [type, physical, range.from, range.to],
    );
    return row?.id ?? null;
  }

  async usedByOthers(tx: Tx, networkId: string, projectId: string): Promise<boolean> {
    const row = await sqlOne<{ used: boolean }>(
      tx,
      `SELECT EXISTS (SELECT 1 FROM port WHERE network_id = $1 AND project_id NOT IN ($2, '')
           AND NOT EXISTS (SELECT 1 FROM rbac_policy r WHERE r.object_id = $1 AND r.action = 'access_as_shared'
             AND r.target_tenant = port.project_id))
         OR EXISTS (SELECT 1 FROM subnet WHERE network_id = $1 AND project_id <> $2) AS used`,
      [networkId, projectId],
    );
    return row?.used === true;
  }

  async hasGateways(tx: Tx, networkId: string): Promise<boolean> {
    const row = await sqlOne<{ used: boolean }>(
      tx,
      `SELECT EXISTS (SELECT 1 FROM router WHERE gateway_network_id = $1)
         OR EXISTS (SELECT 1 FROM floatingip WHERE floating_network_id = $1) AS used`,
      [networkId],
    );
    return row?.used === true;
  }

  async tunnelEndpoints(tx: Tx, networkIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const rows = await sql<{ network_id: string; endpoints: string[] }>(
      tx,
      `SELECT p.network_id, array_agg(DISTINCT a.configurations->>'tunneling_ip') AS endpoints
       FROM port p JOIN agent a ON a.host = p.binding_host_id
       WHERE p.network_id = ANY($1::uuid[]) AND p.binding_host_id <> '' AND a.configurations->>'tunneling_ip' <> ''
       GROUP BY p.network_id`,
      [networkIds],
    );
    return new Map(rows.map((row) => [row.network_id, row.endpoints]));
  }

  async availability(tx: Tx, networkIds: readonly string[]) {
    return sql<{
      network_id: string;
      subnet_id: string;
      subnet_name: string;
      cidr: string;
      ip_version: number;
      used_ips: number;
      pools: { start: string; end: string }[];
    }>(
      tx,
      `SELECT s.network_id, s.id AS subnet_id, s.name AS subnet_name, s.cidr::text AS cidr, s.ip_version,
         (SELECT count(*)::integer FROM ip_allocation i WHERE i.subnet_id = s.id) AS used_ips,
         (SELECT coalesce(json_agg(json_build_object('start', host(a.first_ip), 'end', host(a.last_ip))), '[]')
            FROM allocation_pool a WHERE a.subnet_id = s.id) AS pools
       FROM subnet s WHERE s.network_id = ANY($1::uuid[]) ORDER BY s.created_at, s.id`,
      [networkIds],
    );
  }
}
