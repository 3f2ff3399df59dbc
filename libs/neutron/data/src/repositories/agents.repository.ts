import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike, newUuid } from '@nestack/kernel/ids';
import { AGENT_TYPE } from '@nestack/neutron/contract';
import type { Agent, AgentRepository } from '@nestack/neutron/domain';

/** Whether the agent's host is on a physical network: only such hosts can lead routers outside, so these come first. */
const ON_A_PHYSICAL_NETWORK = `EXISTS (SELECT 1 FROM agent h WHERE h.host = a.host
  AND jsonb_typeof(h.configurations->'bridge_mappings') = 'object' AND h.configurations->'bridge_mappings' <> '{}'::jsonb)`;

/** Whether the agent's host is on the physical network $3; true for networks that need none. */
const ON_THIS_NETWORK = `($3::text IS NULL OR EXISTS (SELECT 1 FROM agent h WHERE h.host = a.host
  AND jsonb_typeof(h.configurations->'bridge_mappings') = 'object' AND h.configurations->'bridge_mappings' ? $3))`;

interface Served {
  readonly type: string;
  readonly table: 'network_dhcp_agent' | 'router_l3_agent';
  /** What is preferred before few things served, in SQL; it may use $3. */
  readonly first: string;
}

const DHCP: Served = { type: AGENT_TYPE.dhcp, table: 'network_dhcp_agent', first: ON_THIS_NETWORK };
const L3: Served = { type: AGENT_TYPE.l3, table: 'router_l3_agent', first: ON_A_PHYSICAL_NETWORK };

/** Agents and what they serve, in PostgreSQL. */
export class AgentsRepository implements AgentRepository {
  private readonly columns: string;
  private readonly living: string;
  private readonly deadAmongLiving: string;

  /** `downTime`: seconds after which a silent agent counts as dead. */
  constructor(downTime: number) {
    this.living = `a.heartbeat_timestamp > clock_timestamp() - interval '${String(Math.ceil(downTime))} seconds'`;
    this.deadAmongLiving = `NOT (${this.living}) AND EXISTS (SELECT 1 FROM agent b WHERE b.agent_type = a.agent_type
      AND b.admin_state_up AND ${this.living.replace('a.', 'b.')})`;
    this.columns = `a.id, a.agent_type, a."binary", a.topic, a.host, a.availability_zone, a.admin_state_up, a.description,
      a.configurations, a.created_at, a.started_at, a.heartbeat_timestamp, ${this.living} AS alive`;
  }

  async report(tx: Tx, state: Parameters<AgentRepository['report']>[1]) {
    const before = await sqlOne<{ id: string; alive: boolean; configurations: Record<string, unknown> }>(
      tx,
      `SELECT a.id, a.configurations, ${this.living} AS alive FROM agent a WHERE a.agent_type = $1 AND a.host = $2`,
      [state.agent_type, state.host],
    );
    const row = await sqlOne<{ id: string }>(
      tx,
      `INSERT INTO agent (id, agent_type, "binary", topic, host, availability_zone, configurations, created_at, started_at,
         heartbeat_timestamp)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8)
       ON CONFLICT (agent_type, host) DO UPDATE SET "binary" = excluded."binary", topic = excluded.topic,
         availability_zone = excluded.availability_zone, configurations = excluded.configurations,
         heartbeat_timestamp = excluded.heartbeat_timestamp,
         started_at = CASE WHEN $9 THEN excluded.started_at ELSE agent.started_at END
       RETURNING id`,
      [
        newUuid(),
        state.agent_type,
        state.binary,
        state.topic,
        state.host,
        state.availability_zone,
        JSON.stringify(state.configurations),
        state.heartbeat_timestamp,
        state.starts,
      ],
    );
    const moved = before?.configurations['tunneling_ip'] !== state.configurations['tunneling_ip'];
    return { id: row?.id ?? '', changed: before === null || !before.alive || state.starts || moved };
  }

  async list(tx: Tx): Promise<Agent[]> {
    return sql<Agent>(tx, `SELECT ${this.columns} FROM agent a ORDER BY a.id`);
  }

  async find(tx: Tx, id: string): Promise<Agent | null> {
    if (!isUuidLike(id)) return null;
    return sqlOne<Agent>(tx, `SELECT ${this.columns} FROM agent a WHERE a.id = $1`, [id]);
  }

  async update(
    tx: Tx,
    id: string,
    patch: { readonly admin_state_up?: boolean; readonly description?: string | null },
  ): Promise<void> {
    await execute(
      tx,
      `UPDATE agent SET admin_state_up = coalesce($2, admin_state_up),
         description = CASE WHEN $3 THEN $4 ELSE description END WHERE id = $1`,
      [id, patch.admin_state_up ?? null, patch.description !== undefined, patch.description ?? null],
    );
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM agent WHERE id = $1', [id]);
  }

  async wirerOn(
    tx: Tx,
    type: string,
    host: string,
    networkId: string,
  ): Promise<{ readonly living: boolean; readonly reaches: boolean }> {
    const row = await sqlOne<{ living: boolean; reaches: boolean }>(
      tx,
      `SELECT ${this.living} AS living, n.provider_physical_network IS NULL
         OR COALESCE(jsonb_typeof(a.configurations->'bridge_mappings') = 'object'
           AND a.configurations->'bridge_mappings' ? n.provider_physical_network, false) AS reaches
       FROM agent a LEFT JOIN network n ON n.id = $3::uuid WHERE a.agent_type = $1 AND a.host = $2`,
      [type, host, networkId],
    );
    return row ?? { living: false, reaches: true };
  }

  async dhcpNetworks(tx: Tx, agentId: string): Promise<string[]> {
    if (!isUuidLike(agentId)) return [];
    const rows = await sql<{ id: string }>(
      tx,
      'SELECT network_id AS id FROM network_dhcp_agent WHERE agent_id = $1 ORDER BY network_id',
      [agentId],
    );
    return rows.map((row) => row.id);
  }

  async dhcpAgents(tx: Tx, networkId: string): Promise<Agent[]> {
    if (!isUuidLike(networkId)) return [];
    return sql<Agent>(
      tx,
      `SELECT ${this.columns} FROM network_dhcp_agent d JOIN agent a ON a.id = d.agent_id WHERE d.network_id = $1 ORDER BY a.id`,
      [networkId],
    );
  }

  async bindDhcp(tx: Tx, networkId: string, agentId: string): Promise<boolean> {
    const made = await execute(
      tx,
      'INSERT INTO network_dhcp_agent (network_id, agent_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [networkId, agentId],
    );
    return made === 1;
  }

  async unbindDhcp(tx: Tx, networkId: string, agentId: string): Promise<boolean> {
    const gone = await execute(tx, 'DELETE FROM network_dhcp_agent WHERE network_id = $1 AND agent_id = $2', [
      networkId,
      agentId,
    ]);
    return gone === 1;
  }

  async networksWithoutDhcp(tx: Tx): Promise<string[]> {
    const rows = await sql<{ id: string }>(
      tx,
      `SELECT DISTINCT s.network_id AS id FROM subnet s WHERE s.enable_dhcp
         AND NOT EXISTS (SELECT 1 FROM network_dhcp_agent d WHERE d.network_id = s.network_id) ORDER BY 1`,
    );
    return rows.map((row) => row.id);
  }

  async pickDhcp(tx: Tx, zones: readonly string[], physicalNetwork: string | null): Promise<Agent | null> {
    return this.pick(tx, DHCP, zones, physicalNetwork);
  }

  async lockScheduling(tx: Tx): Promise<void> {
    await sql(tx, "SELECT pg_advisory_xact_lock(hashtext('neutron.scheduling'))");
  }

  private async pick(
    tx: Tx,
    served: Served,
    zones: readonly string[],
    physicalNetwork?: string | null,
  ): Promise<Agent | null> {
    const known = await this.best(tx, served, zones, physicalNetwork);
    if (known !== null) return known;
    // One that reports just now either is seen after this lock, or sees what we leave behind after our commit.
    await sql(tx, "SELECT pg_advisory_xact_lock_shared(hashtext('neutron.scheduling'))");
    return this.best(tx, served, zones, physicalNetwork);
  }

  private async best(
    tx: Tx,
    { type, table, first }: Served,
    zones: readonly string[],
    physicalNetwork?: string | null,
  ): Promise<Agent | null> {
    return sqlOne<Agent>(
      tx,
      `SELECT ${this.columns} FROM agent a WHERE a.agent_type = $1 AND a.admin_state_up AND ${this.living}
         AND (cardinality($2::text[]) = 0 OR a.availability_zone = ANY($2::text[]))
       ORDER BY ${first} DESC, (SELECT count(*) FROM ${table} b WHERE b.agent_id = a.id), a.id LIMIT 1`,
      [type, zones, ...(physicalNetwork === undefined ? [] : [physicalNetwork])],
    );
  }

  async dhcpOfDead(tx: Tx) {
    return sql<{ network_id: string; agent_id: string }>(
      tx,
      `SELECT d.network_id, d.agent_id FROM network_dhcp_agent d JOIN agent a ON a.id = d.agent_id
       WHERE ${this.deadAmongLiving} ORDER BY d.network_id`,
    );
  }

  async l3OfDead(tx: Tx) {
    return sql<{ router_id: string; agent_id: string }>(
      tx,
      `SELECT l.router_id, l.agent_id FROM router_l3_agent l JOIN agent a ON a.id = l.agent_id
       WHERE ${this.deadAmongLiving} ORDER BY l.router_id`,
    );
  }

  async l3Routers(tx: Tx, agentId: string): Promise<string[]> {
    if (!isUuidLike(agentId)) return [];
    const rows = await sql<{ id: string }>(
      tx,
      'SELECT router_id AS id FROM router_l3_agent WHERE agent_id = $1 ORDER BY router_id',
      [agentId],
    );
    return rows.map((row) => row.id);
  }

  async l3Agent(tx: Tx, routerId: string): Promise<Agent | null> {
    if (!isUuidLike(routerId)) return null;
    return sqlOne<Agent>(
      tx,
      `SELECT ${this.columns} FROM router_l3_agent l JOIN agent a ON a.id = l.agent_id WHERE l.router_id = $1`,
      [routerId],
    );
  }

  async bindL3(tx: Tx, routerId: string, agentId: string): Promise<boolean> {
    const made = await execute(
      tx,
      'INSERT INTO router_l3_agent (router_id, agent_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [routerId, agentId],
    );
    return made === 1;
  }

  async unbindL3(tx: Tx, routerId: string): Promise<void> {
    await execute(tx, 'DELETE FROM router_l3_agent WHERE router_id = $1', [routerId]);
  }

  async routersWithoutL3(tx: Tx): Promise<string[]> {
    const rows = await sql<{ id: string }>(
      tx,
      `SELECT r.id FROM router r WHERE NOT EXISTS (SELECT 1 FROM router_l3_agent l WHERE l.router_id = r.id)
         AND (r.gateway_port_id IS NOT NULL OR EXISTS (SELECT 1 FROM router_interface f WHERE f.router_id = r.id)) ORDER BY r.id`,
    );
    return rows.map((row) => row.id);
  }

  async pickL3(tx: Tx, zones: readonly string[]): Promise<Agent | null> {
    return this.pick(tx, L3, zones);
  }
}
