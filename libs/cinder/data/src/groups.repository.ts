import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError, type GroupSnapshotStatus } from '@nestack/cinder/contract';
import type {
  Group,
  GroupRepository,
  GroupSnapshot,
  GroupSnapshotRepository,
  ListQuery,
  Scope,
} from '@nestack/cinder/domain';
import { assignments, filterConditions, ordering, Params, type ListColumns } from './list-sql';

const SELECT = `SELECT g.id, g.project_id, g.user_id, g.name, g.description, g.group_type_id, g.status, g.availability_zone, g.host,
  g.group_snapshot_id, g.source_group_id, g.created_at, g.updated_at,
  (SELECT COALESCE(jsonb_agg(t.volume_type_id ORDER BY t.at), '[]'::jsonb) FROM group_volume_type t WHERE t.group_id = g.id) AS volume_types
  FROM volume_group g`;

const LISTED: ListColumns = {
  id: { sql: 'g.id', type: 'uuid' },
  project_id: { sql: 'g.project_id', type: 'text' },
  user_id: { sql: 'g.user_id', type: 'text' },
  name: { sql: 'g.name', type: 'text', nullable: true },
  description: { sql: 'g.description', type: 'text', nullable: true },
  status: { sql: 'g.status', type: 'text' },
  availability_zone: { sql: 'g.availability_zone', type: 'text' },
  host: { sql: 'g.host', type: 'text', nullable: true },
  group_type_id: { sql: 'g.group_type_id', type: 'uuid' },
  group_snapshot_id: { sql: 'g.group_snapshot_id', type: 'uuid', nullable: true },
  source_group_id: { sql: 'g.source_group_id', type: 'uuid', nullable: true },
  created_at: { sql: 'g.created_at', type: 'timestamptz' },
  updated_at: { sql: 'g.updated_at', type: 'timestamptz', nullable: true },
};

/** Groups in PostgreSQL, each with the types of its volumes in one statement. */
export class GroupsRepository implements GroupRepository {
  async insert(tx: Tx, one: Omit<Group, 'created_at' | 'updated_at'>): Promise<void> {
    await execute(
      tx,
      `INSERT INTO volume_group (id, project_id, user_id, name, description, group_type_id, status, availability_zone, host,
         group_snapshot_id, source_group_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [
        one.id,
        one.project_id,
        one.user_id,
        one.name,
        one.description,
        one.group_type_id,
        one.status,
        one.availability_zone,
        one.host,
        one.group_snapshot_id,
        one.source_group_id,
      ],
    );
    await execute(
      tx,
      `INSERT INTO group_volume_type (group_id, volume_type_id, at)
       SELECT $1, id, at FROM unnest($2::uuid[]) WITH ORDINALITY AS one (id, at) ON CONFLICT DO NOTHING`,
      [one.id, [...one.volume_types]],
    );
  }

  find(tx: Tx, id: string, scope: Scope, options: { readonly lock?: boolean } = {}): Promise<Group | null> {
    return sqlOne<Group>(
      tx,
      `${SELECT} WHERE g.id = $1 AND ($2::text IS NULL OR g.project_id = $2)${options.lock === true ? ' FOR UPDATE OF g' : ''}`,
      [id, scope],
    );
  }

  async list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Group[]> {
    const marker = isUuidLike(query.marker) ? await this.find(tx, query.marker, scope) : null;
    if (query.marker !== null && marker === null) throw CinderError.GroupNotFound({ group_id: query.marker });
    const params = new Params();
    const where = ['true', ...filterConditions(LISTED, query, params)];
    if (scope !== null) where.push(`g.project_id = ${params.add(scope)}`);
    const { order, after } = ordering(LISTED, query.sort, marker as Record<string, unknown> | null, params);
    if (after !== null) where.push(after);
    return sql<Group>(
      tx,
      `${SELECT} WHERE ${where.join(' AND ')} ORDER BY ${order} LIMIT ${params.add(query.limit)} OFFSET ${params.add(query.offset)}`,
      params.values,
    );
  }

  async volumes(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const rows = await sql<{ group_id: string; ids: string[] }>(
      tx,
      `SELECT group_id, jsonb_agg(id ORDER BY created_at, id) AS ids FROM volume WHERE group_id = ANY ($1::uuid[]) GROUP BY group_id`,
      [[...ids]],
    );
    return new Map(rows.map((row) => [row.group_id, row.ids]));
  }

  async update(
    tx: Tx,
    id: string,
    changes: Partial<Pick<Group, 'name' | 'description' | 'status' | 'host'>>,
  ): Promise<void> {
    const params = new Params();
    const set = [...assignments(changes, new Set(), params), 'updated_at = clock_timestamp()'];
    await execute(tx, `UPDATE volume_group SET ${set.join(', ')} WHERE id = ${params.add(id)}`, params.values);
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM volume_group WHERE id = $1', [id]);
  }

  async isSource(tx: Tx, id: string): Promise<boolean> {
    const row = await sqlOne(
      tx,
      `SELECT 1 FROM volume_group WHERE status = 'creating' AND (group_snapshot_id = $1 OR source_group_id = $1) LIMIT 1`,
      [id],
    );
    return row !== null;
  }
}

const SNAPSHOT_COLUMNS =
  's.id, s.group_id, s.group_type_id, s.project_id, s.user_id, s.name, s.description, s.status, s.created_at, s.updated_at';
const SNAPSHOTS_LISTED: ListColumns = {
  id: { sql: 's.id', type: 'uuid' },
  group_id: { sql: 's.group_id', type: 'uuid' },
  group_type_id: { sql: 's.group_type_id', type: 'uuid' },
  project_id: { sql: 's.project_id', type: 'text' },
  user_id: { sql: 's.user_id', type: 'text' },
  name: { sql: 's.name', type: 'text', nullable: true },
  description: { sql: 's.description', type: 'text', nullable: true },
  status: { sql: 's.status', type: 'text' },
  created_at: { sql: 's.created_at', type: 'timestamptz' },
  updated_at: { sql: 's.updated_at', type: 'timestamptz', nullable: true },
};

/** Snapshots of groups in PostgreSQL. */
export class GroupSnapshotsRepository implements GroupSnapshotRepository {
  async insert(tx: Tx, one: Omit<GroupSnapshot, 'created_at' | 'updated_at'>): Promise<void> {
    await execute(
      tx,
      `INSERT INTO group_snapshot (id, group_id, group_type_id, project_id, user_id, name, description, status)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [one.id, one.group_id, one.group_type_id, one.project_id, one.user_id, one.name, one.description, one.status],
    );
  }

  find(tx: Tx, id: string, scope: Scope, options: { readonly lock?: boolean } = {}): Promise<GroupSnapshot | null> {
    return sqlOne<GroupSnapshot>(
      tx,
      `SELECT ${SNAPSHOT_COLUMNS} FROM group_snapshot s WHERE s.id = $1 AND ($2::text IS NULL OR s.project_id = $2)${options.lock === true ? ' FOR UPDATE' : ''}`,
      [id, scope],
    );
  }

  async list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly GroupSnapshot[]> {
    const marker = isUuidLike(query.marker) ? await this.find(tx, query.marker, scope) : null;
    if (query.marker !== null && marker === null)
      throw CinderError.GroupSnapshotNotFound({ group_snapshot_id: query.marker });
    const params = new Params();
    const where = ['true', ...filterConditions(SNAPSHOTS_LISTED, query, params)];
    if (scope !== null) where.push(`s.project_id = ${params.add(scope)}`);
    const { order, after } = ordering(SNAPSHOTS_LISTED, query.sort, marker as Record<string, unknown> | null, params);
    if (after !== null) where.push(after);
    return sql<GroupSnapshot>(
      tx,
      `SELECT ${SNAPSHOT_COLUMNS} FROM group_snapshot s WHERE ${where.join(' AND ')} ORDER BY ${order}
       LIMIT ${params.add(query.limit)} OFFSET ${params.add(query.offset)}`,
      params.values,
    );
  }

  async ofGroup(tx: Tx, groupId: string): Promise<boolean> {
    return (await sqlOne(tx, 'SELECT 1 FROM group_snapshot WHERE group_id = $1 LIMIT 1', [groupId])) !== null;
  }

  async update(tx: Tx, id: string, status: GroupSnapshotStatus): Promise<void> {
    await execute(tx, 'UPDATE group_snapshot SET status = $2, updated_at = clock_timestamp() WHERE id = $1', [
      id,
      status,
    ]);
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM group_snapshot WHERE id = $1', [id]);
  }
}
