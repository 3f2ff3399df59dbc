import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import {
  EVERYTHING,
  where,
  type FloatingIp,
  type FloatingIpRepository,
  type Port,
  type PortForwarding,
  type PortForwardingRepository,
  type Router,
  type RouterRepository,
} from '@nestack/neutron/domain';
import { floatingIpTable, portForwardingTable, portTable, routerTable } from '../tables/tables';
import { TableRepository } from './table.repository';

/** Routers in PostgreSQL. */
export class RoutersRepository extends TableRepository<Router> implements RouterRepository {
  constructor() {
    super(routerTable);
  }

  async interfaces(tx: Tx, routerId: string): Promise<Port[]> {
    return this.ports(tx, 'SELECT port_id AS id FROM router_interface WHERE router_id = $1', routerId);
  }

  async allPorts(tx: Tx, routerId: string): Promise<Port[]> {
    return this.ports(
      tx,
      `SELECT port_id AS id FROM router_interface WHERE router_id = $1
       UNION SELECT gateway_port_id FROM router WHERE id = $1 AND gateway_port_id IS NOT NULL`,
      routerId,
    );
  }

  private async ports(tx: Tx, text: string, routerId: string): Promise<Port[]> {
    const rows = await sql<{ id: string }>(tx, text, [routerId]);
    return portTable.findAll(
      tx,
      rows.map((row) => row.id),
      EVERYTHING,
    );
  }

  async addInterface(tx: Tx, routerId: string, portId: string): Promise<void> {
    await execute(tx, 'INSERT INTO router_interface (router_id, port_id) VALUES ($1, $2)', [routerId, portId]);
  }

  async removeInterface(tx: Tx, portId: string): Promise<void> {
    await execute(tx, 'DELETE FROM router_interface WHERE port_id = $1', [portId]);
  }

  async ofPort(tx: Tx, portId: string): Promise<string | null> {
    const row = await sqlOne<{ id: string }>(
      tx,
      `SELECT router_id AS id FROM router_interface WHERE port_id = $1
       UNION ALL SELECT id FROM router WHERE gateway_port_id = $1 LIMIT 1`,
      [portId],
    );
    return row?.id ?? null;
  }

  async betweenSubnetAndNetwork(tx: Tx, subnetId: string, externalNetworkId: string): Promise<string | null> {
    const row = await sqlOne<{ id: string }>(
      tx,
      `SELECT r.id FROM router r JOIN router_interface f ON f.router_id = r.id
         JOIN ip_allocation i ON i.port_id = f.port_id JOIN subnet s ON s.id = i.subnet_id
       WHERE i.subnet_id = $1 AND r.gateway_network_id = $2
       ORDER BY (s.gateway_ip = i.ip_address) DESC NULLS LAST, r.created_at LIMIT 1`,
      [subnetId, externalNetworkId],
    );
    return row?.id ?? null;
  }

  async onSubnet(tx: Tx, subnetId: string): Promise<string[]> {
    const rows = await sql<{ id: string }>(
      tx,
      `SELECT f.router_id AS id FROM router_interface f JOIN ip_allocation i ON i.port_id = f.port_id WHERE i.subnet_id = $1
       UNION SELECT r.id FROM router r JOIN ip_allocation i ON i.port_id = r.gateway_port_id WHERE i.subnet_id = $1`,
      [subnetId],
    );
    return rows.map((row) => row.id);
  }
}

/** Floating IPs in PostgreSQL. */
export class FloatingIpsRepository extends TableRepository<FloatingIp> implements FloatingIpRepository {
  constructor() {
    super(floatingIpTable);
  }

  async ofPort(tx: Tx, portId: string): Promise<FloatingIp[]> {
    return this.by(tx, 'port_id', portId);
  }

  async ofRouter(tx: Tx, routerId: string): Promise<FloatingIp[]> {
    return this.by(tx, 'router_id', routerId);
  }

  private async by(tx: Tx, name: string, value: string): Promise<FloatingIp[]> {
    return this.table.list(tx, EVERYTHING, {
      filters: new Map([[name, [value]]]),
      sort: [],
      limit: null,
      marker: null,
      reverse: false,
    });
  }
}

/** Port forwardings in PostgreSQL. */
export class PortForwardingsRepository extends TableRepository<PortForwarding> implements PortForwardingRepository {
  constructor() {
    super(portForwardingTable);
  }

  async ofFloatingIps(tx: Tx, ids: readonly string[]): Promise<PortForwarding[]> {
    return ids.length === 0 ? [] : this.table.list(tx, EVERYTHING, where({ floatingip_id: ids }));
  }

  async ofPort(tx: Tx, portId: string): Promise<PortForwarding[]> {
    return this.table.list(tx, EVERYTHING, where({ internal_port_id: portId }));
  }
}
