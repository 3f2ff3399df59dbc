import type { Tx } from '@nestack/kernel/context';
import { sql } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { tapName, type DeviceDetails, type SecurityGroupInfo } from '@nestack/neutron/contract';
import type { HostRepository } from '@nestack/neutron/domain';

type Row = Omit<DeviceDetails, 'device' | 'network'> & {
  readonly network_id: string;
  readonly network_project: string;
  readonly network_type: string;
  readonly segmentation_id: number | null;
  readonly physical_network: string | null;
  readonly mtu: number;
  readonly network_up: boolean;
  readonly tunnel_endpoints: string[];
};

/** What agents read, each in one statement. */
export class HostsRepository implements HostRepository {
  async devices(tx: Tx, host: string, names: readonly string[] | null): Promise<DeviceDetails[]> {
    const ids = names?.filter((name) => isUuidLike(name)) ?? [];
    const taps = names?.filter((name) => !isUuidLike(name)) ?? [];
    const rows = await sql<Row>(
      tx,
      `WITH bound AS (
         SELECT * FROM port p WHERE p.binding_host_id = $1 AND p.binding_vif_type = 'bridge'
           AND ($2 OR p.id = ANY($3::uuid[]) OR 'tap' || left(p.id::text, 11) = ANY($4::text[]))
       ), ends AS (
         SELECT c.network_id, array_agg(DISTINCT a.configurations->>'tunneling_ip') AS list
         FROM port c JOIN agent a ON a.host = c.binding_host_id
         WHERE c.network_id IN (SELECT network_id FROM bound) AND c.binding_host_id <> ''
           AND a.configurations->>'tunneling_ip' <> ''
         GROUP BY c.network_id
       )
       SELECT p.id AS port_id, p.project_id, p.mac_address, p.admin_state_up, p.device_id, p.device_owner,
         p.port_security_enabled, p.allowed_address_pairs, n.id AS network_id, n.project_id AS network_project,
         n.provider_network_type AS network_type, n.provider_segmentation_id AS segmentation_id,
         n.provider_physical_network AS physical_network, n.mtu, n.admin_state_up AS network_up,
         coalesce(e.list, '{}') AS tunnel_endpoints,
         (SELECT coalesce(json_agg(json_build_object('subnet_id', i.subnet_id, 'ip_address', host(i.ip_address))
            ORDER BY i.ordinal), '[]') FROM ip_allocation i WHERE i.port_id = p.id) AS fixed_ips,
         ARRAY(SELECT g.security_group_id::text FROM port_security_group g WHERE g.port_id = p.id ORDER BY g.ordinal)
           AS security_groups
       FROM bound p JOIN network n ON n.id = p.network_id LEFT JOIN ends e ON e.network_id = n.id ORDER BY p.id`,
      [host, names === null, ids, taps],
    );
    return rows.map((row) => ({
      port_id: row.port_id,
      device: tapName(row.port_id),
      network: {
        id: row.network_id,
        project_id: row.network_project,
        network_type: row.network_type,
        segmentation_id: row.segmentation_id,
        physical_network: row.physical_network,
        mtu: row.mtu,
        admin_state_up: row.network_up,
        tunnel_endpoints: row.tunnel_endpoints,
      },
      project_id: row.project_id,
      mac_address: row.mac_address,
      admin_state_up: row.admin_state_up,
      fixed_ips: row.fixed_ips,
      device_id: row.device_id,
      device_owner: row.device_owner,
      port_security_enabled: row.port_security_enabled,
      allowed_address_pairs: row.allowed_address_pairs,
      security_groups: row.security_groups,
    }));
  }

  async groups(tx: Tx, groupIds: readonly string[]): Promise<SecurityGroupInfo[]> {
    const ids = groupIds.filter((id) => isUuidLike(id));
    if (ids.length === 0) return [];
    return sql<SecurityGroupInfo>(
      tx,
      `SELECT g.id,
         (SELECT coalesce(json_agg(json_build_object('direction', r.direction, 'ethertype', r.ethertype,
            'protocol', r.protocol, 'port_range_min', r.port_range_min, 'port_range_max', r.port_range_max,
            'remote_ip_prefix', r.remote_ip_prefix, 'remote_group_id', r.remote_group_id) ORDER BY r.id), '[]')
          FROM security_group_rule r WHERE r.security_group_id = g.id) AS rules,
         ARRAY(SELECT host(i.ip_address) FROM port_security_group m JOIN ip_allocation i ON i.port_id = m.port_id
           WHERE m.security_group_id = g.id
           UNION SELECT pair->>'ip_address' FROM port_security_group m JOIN port p ON p.id = m.port_id,
             jsonb_array_elements(p.allowed_address_pairs) pair WHERE m.security_group_id = g.id
           ORDER BY 1) AS members
       FROM security_group g WHERE g.id = ANY($1::uuid[]) ORDER BY g.id`,
      [ids],
    );
  }
}
