import { randomUUID } from 'node:crypto';
import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { ComputeNode, ComputeNodeRepository, ComputeService, ServiceRepository } from '@nestack/nova/domain';

const SERVICE = `id, uuid, host, binary_name AS "binary", topic, availability_zone, disabled, disabled_reason, forced_down, last_seen_up, created_at, updated_at`;
type ServiceRow = Omit<ComputeService, 'id'> & { readonly id: string | number };
const toService = (row: ServiceRow): ComputeService => ({ ...row, id: Number(row.id) });

/** Services in PostgreSQL. */
export class ServicesRepository implements ServiceRepository {
  async beat(tx: Tx, host: string, binary: string, topic: string, at: Date): Promise<ComputeService> {
    const row = await sqlOne<ServiceRow>(
      tx,
      `INSERT INTO service (uuid, host, binary_name, topic, availability_zone, last_seen_up, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $6)
       ON CONFLICT ON CONSTRAINT service_host_binary DO UPDATE SET last_seen_up = GREATEST(service.last_seen_up, EXCLUDED.last_seen_up),
         topic = EXCLUDED.topic, updated_at = EXCLUDED.last_seen_up
       RETURNING ${SERVICE}`,
      [randomUUID(), host, binary, topic, binary === 'nova-compute' ? 'nova' : 'internal', at],
    );
    if (row === null) throw new Error('the upsert returned no row');
    return toService(row);
  }

  async list(
    tx: Tx,
    filter: { readonly host?: string; readonly binary?: string } = {},
  ): Promise<readonly ComputeService[]> {
    const rows = await sql<ServiceRow>(
      tx,
      `SELECT ${SERVICE} FROM service WHERE ($1::text IS NULL OR host = $1) AND ($2::text IS NULL OR binary_name = $2) ORDER BY id`,
      [filter.host ?? null, filter.binary ?? null],
    );
    return rows.map(toService);
  }

  async find(tx: Tx, uuid: string): Promise<ComputeService | null> {
    const row = await sqlOne<ServiceRow>(tx, `SELECT ${SERVICE} FROM service WHERE uuid::text = $1 OR id::text = $1`, [
      uuid,
    ]);
    return row === null ? null : toService(row);
  }

  async update(
    tx: Tx,
    uuid: string,
    patch: Partial<Pick<ComputeService, 'disabled' | 'disabled_reason' | 'forced_down'>>,
  ): Promise<ComputeService | null> {
    const params: unknown[] = [uuid];
    const set: string[] = ['updated_at = clock_timestamp()'];
    for (const column of ['disabled', 'disabled_reason', 'forced_down'] as const) {
      if (column in patch) set.push(`${column} = $${params.push(patch[column] ?? null)}`);
    }
    const row = await sqlOne<ServiceRow>(
      tx,
      `UPDATE service SET ${set.join(', ')} WHERE uuid::text = $1 RETURNING ${SERVICE}`,
      params,
    );
    return row === null ? null : toService(row);
  }

  async setZone(tx: Tx, host: string, zone: string): Promise<void> {
    await execute(
      tx,
      "UPDATE service SET availability_zone = $2, updated_at = clock_timestamp() WHERE host = $1 AND binary_name = 'nova-compute'",
      [host, zone],
    );
  }

  async remove(tx: Tx, uuid: string): Promise<boolean> {
    return (await execute(tx, 'DELETE FROM service WHERE uuid::text = $1', [uuid])) > 0;
  }
}

const NODE = 'id, uuid, host, facts, service_id, created_at, updated_at';
type NodeRow = Omit<ComputeNode, 'id' | 'service_id'> & {
  readonly id: string | number;
  readonly service_id: string | number;
};
const toNode = (row: NodeRow): ComputeNode => ({ ...row, id: Number(row.id), service_id: Number(row.service_id) });

/** Hypervisors in PostgreSQL. */
export class ComputeNodesRepository implements ComputeNodeRepository {
  async upsert(
    tx: Tx,
    node: {
      readonly uuid: string;
      readonly host: string;
      readonly facts: ComputeNode['facts'];
      readonly service_id: number;
    },
  ): Promise<ComputeNode> {
    const row = await sqlOne<NodeRow>(
      tx,
      `INSERT INTO compute_node (uuid, host, facts, service_id, created_at) VALUES ($1, $2, $3, $4, clock_timestamp())
       ON CONFLICT (host) DO UPDATE SET facts = EXCLUDED.facts, service_id = EXCLUDED.service_id, updated_at = clock_timestamp()
       RETURNING ${NODE}`,
      [node.uuid, node.host, JSON.stringify(node.facts), node.service_id],
    );
    if (row === null) throw new Error('the upsert returned no row');
    return toNode(row);
  }

  async list(tx: Tx): Promise<readonly ComputeNode[]> {
    return (await sql<NodeRow>(tx, `SELECT ${NODE} FROM compute_node ORDER BY id`)).map(toNode);
  }

  async find(tx: Tx, id: string): Promise<ComputeNode | null> {
    const row = await sqlOne<NodeRow>(tx, `SELECT ${NODE} FROM compute_node WHERE uuid::text = $1 OR id::text = $1`, [
      id,
    ]);
    return row === null ? null : toNode(row);
  }

  async byHost(tx: Tx, host: string): Promise<ComputeNode | null> {
    const row = await sqlOne<NodeRow>(tx, `SELECT ${NODE} FROM compute_node WHERE host = $1`, [host]);
    return row === null ? null : toNode(row);
  }

  async removeOfService(tx: Tx, serviceId: number): Promise<void> {
    await execute(tx, 'DELETE FROM compute_node WHERE service_id = $1', [serviceId]);
  }
}
