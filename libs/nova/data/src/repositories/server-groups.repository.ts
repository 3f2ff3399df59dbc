import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { GroupPlaces, ServerGroup, ServerGroupItem, ServerGroupRepository } from '@nestack/nova/domain';
import { isId } from './ids';

const COLUMNS = 'g.uuid, g.project_id, g.user_id, g.name, g.policy, g.rules, g.created_at';
const MEMBERS = `ARRAY(SELECT m.instance_uuid::text FROM server_group_member m JOIN instance i ON i.uuid = m.instance_uuid
  WHERE m.group_uuid = g.uuid ORDER BY i.created_at, i.uuid) AS members`;

/** Server groups in PostgreSQL. */
export class ServerGroupsRepository implements ServerGroupRepository {
  async insert(tx: Tx, group: ServerGroup): Promise<void> {
    await execute(
      tx,
      `INSERT INTO server_group (uuid, project_id, user_id, name, policy, rules, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [
        group.uuid,
        group.project_id,
        group.user_id,
        group.name,
        group.policy,
        JSON.stringify(group.rules),
        group.created_at,
      ],
    );
  }

  async find(tx: Tx, uuid: string, { lock = false }: { lock?: boolean } = {}): Promise<ServerGroupItem | null> {
    if (!isId(uuid)) return null;
    // The members are read once the lock is held, not as they were before.
    if (lock) await this.lock(tx, uuid);
    return sqlOne<ServerGroupItem>(tx, `SELECT ${COLUMNS}, ${MEMBERS} FROM server_group g WHERE g.uuid = $1::uuid`, [
      uuid,
    ]);
  }

  list(
    tx: Tx,
    query: { project_id: string | null; limit: number; offset: number },
  ): Promise<readonly ServerGroupItem[]> {
    return sql<ServerGroupItem>(
      tx,
      `SELECT ${COLUMNS}, ${MEMBERS} FROM server_group g WHERE $1::text IS NULL OR g.project_id = $1
       ORDER BY g.id LIMIT $2 OFFSET $3`,
      [query.project_id, query.limit, query.offset],
    );
  }

  async remove(tx: Tx, uuid: string): Promise<void> {
    await execute(tx, 'DELETE FROM server_group WHERE uuid = $1::uuid', [uuid]);
  }

  async count(tx: Tx, projectId: string, userId: string | null = null): Promise<number> {
    const row = await sqlOne<{ count: string }>(
      tx,
      'SELECT count(*) AS count FROM server_group WHERE project_id = $1 AND ($2::text IS NULL OR user_id = $2)',
      [projectId, userId],
    );
    return Number(row?.count ?? 0);
  }

  async countMembers(tx: Tx, uuid: string, userId: string): Promise<number> {
    const row = await sqlOne<{ count: string }>(
      tx,
      `SELECT count(*) AS count FROM server_group_member m JOIN instance i ON i.uuid = m.instance_uuid
       WHERE m.group_uuid = $1::uuid AND i.user_id = $2 AND i.deleted_at IS NULL`,
      [uuid, userId],
    );
    return Number(row?.count ?? 0);
  }

  async lockCount(tx: Tx, projectId: string): Promise<number> {
    await execute(tx, "SELECT pg_advisory_xact_lock(hashtextextended('server_groups:' || $1, 0))", [projectId]);
    return this.count(tx, projectId);
  }

  async join(tx: Tx, uuid: string, instanceUuid: string): Promise<void> {
    await execute(tx, 'INSERT INTO server_group_member (instance_uuid, group_uuid) VALUES ($1::uuid, $2::uuid)', [
      instanceUuid,
      uuid,
    ]);
  }

  async leave(tx: Tx, instanceUuid: string): Promise<void> {
    await execute(tx, 'DELETE FROM server_group_member WHERE instance_uuid = $1::uuid', [instanceUuid]);
  }

  async places(tx: Tx, uuid: string, { lock = false }: { lock?: boolean } = {}): Promise<GroupPlaces | null> {
    if (!isId(uuid)) return null;
    if (lock) await this.lock(tx, uuid);
    const group = await sqlOne<GroupPlaces['group']>(
      tx,
      'SELECT uuid, policy, rules FROM server_group WHERE uuid = $1::uuid',
      [uuid],
    );
    if (group === null) return null;
    // What is held counts only while something is under way: who holds it may have been cut off.
    const rows = await sql<{ host: string; members: string[] }>(
      tx,
      `SELECT h.host, array_agg(DISTINCT m.instance_uuid::text) AS members
       FROM server_group_member m JOIN instance i ON i.uuid = m.instance_uuid AND i.deleted_at IS NULL
       CROSS JOIN LATERAL (
         SELECT i.host UNION SELECT m.held_host WHERE i.task_state IS NOT NULL
         UNION SELECT unnest(ARRAY[s.source_compute, s.dest_compute]) FROM server_migration s
           WHERE s.instance_uuid = i.uuid AND s.status NOT IN ('confirmed', 'reverted', 'error')
       ) h
       WHERE m.group_uuid = $1::uuid AND h.host IS NOT NULL GROUP BY h.host`,
      [uuid],
    );
    return { group, hosts: new Map(rows.map(({ host, members }) => [host, new Set(members)])) };
  }

  async hold(tx: Tx, instanceUuid: string, host: string | null): Promise<void> {
    await execute(tx, 'UPDATE server_group_member SET held_host = $2 WHERE instance_uuid = $1::uuid', [
      instanceUuid,
      host,
    ]);
  }

  private async lock(tx: Tx, uuid: string): Promise<void> {
    await execute(tx, 'SELECT 1 FROM server_group WHERE uuid = $1::uuid FOR UPDATE', [uuid]);
  }
}
