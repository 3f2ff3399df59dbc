import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import type { FixedIp } from '@nestack/neutron/contract';
import { EVERYTHING, type Port, type PortBinding, type PortRepository } from '@nestack/neutron/domain';
import { portTable } from '../tables/tables';
import { TableRepository } from './table.repository';

const BINDING = 'port_id, host, vnic_type, profile, vif_type, vif_details';

/** Ports in PostgreSQL. */
export class PortsRepository extends TableRepository<Port> implements PortRepository {
  constructor() {
    super(portTable);
  }

  async takeAddress(tx: Tx, subnetId: string, portId: string, ordinal: number): Promise<string | null> {
    const row = await sqlOne<{ ip: string | null }>(tx, 'SELECT take_address($1, $2, $3) AS ip', [
      subnetId,
      portId,
      ordinal,
    ]);
    return row?.ip ?? null;
  }

  async takeThisAddress(tx: Tx, subnetId: string, portId: string, ordinal: number, ip: string): Promise<boolean> {
    // Whoever takes the next address must not meet this one half taken.
    await execute(tx, 'SELECT 1 FROM subnet WHERE id = $1 FOR NO KEY UPDATE', [subnetId]);
    const taken = await execute(
      tx,
      `INSERT INTO ip_allocation (subnet_id, ip_address, port_id, ordinal) VALUES ($1, $2::inet, $3, $4)
       ON CONFLICT DO NOTHING`,
      [subnetId, ip, portId, ordinal],
    );
    return taken === 1;
  }

  async releaseAddress(tx: Tx, portId: string, subnetId: string, ip: string): Promise<void> {
    await execute(tx, 'DELETE FROM ip_allocation WHERE port_id = $1 AND subnet_id = $2 AND ip_address = $3::inet', [
      portId,
      subnetId,
      ip,
    ]);
  }

  async setOrdinals(tx: Tx, portId: string, ips: readonly FixedIp[]): Promise<void> {
    await execute(
      tx,
      `UPDATE ip_allocation i SET ordinal = o.ordinal
       FROM unnest($2::uuid[], $3::inet[]) WITH ORDINALITY AS o (subnet_id, ip_address, ordinal)
       WHERE i.port_id = $1 AND i.subnet_id = o.subnet_id AND i.ip_address = o.ip_address`,
      [portId, ips.map((one) => one.subnet_id), ips.map((one) => one.ip_address)],
    );
  }

  async setSecurityGroups(tx: Tx, portId: string, groupIds: readonly string[]): Promise<void> {
    await execute(
      tx,
      'DELETE FROM port_security_group WHERE port_id = $1 AND NOT security_group_id = ANY($2::uuid[])',
      [portId, groupIds],
    );
    await this.addSecurityGroups(tx, portId, groupIds);
  }

  async addSecurityGroups(tx: Tx, portId: string, groupIds: readonly string[]): Promise<void> {
    if (groupIds.length === 0) return;
    await execute(
      tx,
      `INSERT INTO port_security_group (port_id, security_group_id, ordinal)
       SELECT $1, g.id, g.ordinal FROM unnest($2::uuid[]) WITH ORDINALITY AS g (id, ordinal)
       ON CONFLICT (port_id, security_group_id) DO UPDATE SET ordinal = excluded.ordinal`,
      [portId, groupIds],
    );
  }

  async audience(
    tx: Tx,
    about: {
      readonly network_id: string;
      readonly port_id: string;
      readonly groups: readonly string[];
      readonly hosts: readonly string[];
    },
  ) {
    const row = await sqlOne<{ dhcpHosts: string[]; groups: string[]; spread: boolean }>(
      tx,
      `SELECT
         ARRAY(SELECT a.host FROM network_dhcp_agent d JOIN agent a ON a.id = d.agent_id WHERE d.network_id = $1) AS "dhcpHosts",
         ARRAY(SELECT g.id::text FROM unnest($2::uuid[]) g(id)
           WHERE EXISTS (SELECT 1 FROM security_group_rule r WHERE r.remote_group_id = g.id)) AS groups,
         EXISTS (SELECT 1 FROM unnest($3::text[]) h(host) WHERE NOT EXISTS (SELECT 1 FROM port p
           WHERE p.network_id = $1 AND p.binding_host_id = h.host AND p.id <> $4)) AS spread`,
      [about.network_id, about.groups, about.hosts, about.port_id],
    );
    return row ?? { dhcpHosts: [], groups: [], spread: false };
  }

  async onNetwork(tx: Tx, networkId: string, owner?: string): Promise<Port[]> {
    const filters = new Map([['network_id', [networkId]]]);
    if (owner !== undefined) filters.set('device_owner', [owner]);
    return this.table.list(tx, EVERYTHING, { filters, sort: [], limit: null, marker: null, reverse: false });
  }

  async setStatus(tx: Tx, portId: string, host: string, status: 'ACTIVE' | 'DOWN', at: Date): Promise<Port | null> {
    if (!isUuidLike(portId)) return null;
    const changed = await execute(
      tx,
      `UPDATE port SET status = $3, updated_at = $4, revision_number = revision_number + 1
       WHERE id = $1 AND binding_host_id = $2 AND status <> $3`,
      [portId, host, status, at],
    );
    return changed === 0 ? null : this.table.find(tx, portId, EVERYTHING);
  }

  async bindings(tx: Tx, portId: string): Promise<PortBinding[]> {
    return sql<PortBinding>(tx, `SELECT ${BINDING} FROM port_binding WHERE port_id = $1 ORDER BY host`, [portId]);
  }

  async insertBinding(tx: Tx, binding: PortBinding): Promise<boolean> {
    const inserted = await execute(
      tx,
      `INSERT INTO port_binding (${BINDING}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
      valuesOf(binding),
    );
    return inserted === 1;
  }

  async updateBinding(tx: Tx, binding: PortBinding): Promise<void> {
    await execute(
      tx,
      `UPDATE port_binding SET vnic_type = $3, profile = $4, vif_type = $5, vif_details = $6 WHERE port_id = $1 AND host = $2`,
      valuesOf(binding),
    );
  }

  async removeBinding(tx: Tx, portId: string, host: string): Promise<boolean> {
    return (await execute(tx, 'DELETE FROM port_binding WHERE port_id = $1 AND host = $2', [portId, host])) === 1;
  }
}

function valuesOf(binding: PortBinding): unknown[] {
  return [
    binding.port_id,
    binding.host,
    binding.vnic_type,
    JSON.stringify(binding.profile),
    binding.vif_type,
    JSON.stringify(binding.vif_details),
  ];
}
