import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError, type SnapshotStatus } from '@nestack/cinder/contract';
import type { ListQuery, Metadata, Scope, Snapshot, SnapshotRepository } from '@nestack/cinder/domain';
import { assignments, filterConditions, ordering, Params, type ListColumns } from './list-sql';

const COLUMNS =
  's.id, s.volume_id, s.project_id, s.user_id, s.name, s.description, s.volume_size, s.status, s.progress, s.group_snapshot_id, s.metadata, s.created_at, s.updated_at';

const LISTED: ListColumns = {
  id: { sql: 's.id', type: 'uuid' },
  volume_id: { sql: 's.volume_id', type: 'uuid' },
  project_id: { sql: 's.project_id', type: 'text' },
  user_id: { sql: 's.user_id', type: 'text' },
  name: { sql: 's.name', type: 'text', nullable: true },
  description: { sql: 's.description', type: 'text', nullable: true },
  size: { sql: 's.volume_size', type: 'integer' },
  volume_size: { sql: 's.volume_size', type: 'integer' },
  status: { sql: 's.status', type: 'text' },
  availability_zone: {
    sql: '(SELECT v.availability_zone FROM volume v WHERE v.id = s.volume_id)',
    type: 'text',
    nullable: true,
  },
  created_at: { sql: 's.created_at', type: 'timestamptz' },
  updated_at: { sql: 's.updated_at', type: 'timestamptz', nullable: true },
};
const JSON_COLUMNS = new Set(['metadata']);

/** Snapshots in PostgreSQL. */
export class SnapshotsRepository implements SnapshotRepository {
  async insert(tx: Tx, one: Omit<Snapshot, 'progress' | 'created_at' | 'updated_at'>): Promise<void> {
    await execute(
      tx,
      `INSERT INTO snapshot (id, volume_id, project_id, user_id, name, description, volume_size, status, group_snapshot_id, metadata)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        one.id,
        one.volume_id,
        one.project_id,
        one.user_id,
        one.name,
        one.description,
        one.volume_size,
        one.status,
        one.group_snapshot_id,
        JSON.stringify(one.metadata),
      ],
    );
  }

  find(tx: Tx, id: string, scope: Scope, options: { readonly lock?: boolean } = {}): Promise<Snapshot | null> {
    return sqlOne<Snapshot>(
      tx,
      `SELECT ${COLUMNS} FROM snapshot s WHERE s.id = $1 AND ($2::text IS NULL OR s.project_id = $2)${options.lock === true ? ' FOR UPDATE' : ''}`,
      [id, scope],
    );
  }

  async list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Snapshot[]> {
    const marker = isUuidLike(query.marker) ? await this.find(tx, query.marker, scope) : null;
    if (query.marker !== null && marker === null) throw CinderError.SnapshotNotFound({ snapshot_id: query.marker });
    const params = new Params();
    const where = conditions(scope, query, params);
    const sorted = ordering(
      LISTED,
      query.sort,
      marker === null ? null : { ...marker, size: marker.volume_size },
      params,
    );
    if (sorted.after !== null) where.push(sorted.after);
    return sql<Snapshot>(
      tx,
      `SELECT ${COLUMNS} FROM snapshot s WHERE ${where.join(' AND ')} ORDER BY ${sorted.order}
       LIMIT ${params.add(query.limit)} OFFSET ${params.add(query.offset)}`,
      params.values,
    );
  }

  async count(tx: Tx, scope: Scope, query: ListQuery): Promise<number> {
    const params = new Params();
    const where = conditions(scope, query, params);
    const row = await sqlOne<{ count: number }>(
      tx,
      `SELECT count(*)::int AS count FROM snapshot s WHERE ${where.join(' AND ')}`,
      params.values,
    );
    return row?.count ?? 0;
  }

  async ofVolume(tx: Tx, volumeId: string): Promise<readonly Snapshot[]> {
    return sql<Snapshot>(tx, `SELECT ${COLUMNS} FROM snapshot s WHERE s.volume_id = $1 ORDER BY s.created_at, s.id`, [
      volumeId,
    ]);
  }

  async ofGroupSnapshot(tx: Tx, groupSnapshotId: string): Promise<readonly Snapshot[]> {
    return sql<Snapshot>(
      tx,
      `SELECT ${COLUMNS} FROM snapshot s WHERE s.group_snapshot_id = $1 ORDER BY s.created_at, s.id`,
      [groupSnapshotId],
    );
  }

  async update(
    tx: Tx,
    id: string,
    changes: {
      status?: SnapshotStatus;
      progress?: string | null;
      name?: string | null;
      description?: string | null;
      metadata?: Metadata;
      project_id?: string;
      user_id?: string;
    },
  ): Promise<void> {
    const params = new Params();
    const set = assignments(changes, JSON_COLUMNS, params);
    set.push('updated_at = clock_timestamp()');
    await execute(tx, `UPDATE snapshot SET ${set.join(', ')} WHERE id = ${params.add(id)}`, params.values);
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM snapshot WHERE id = $1', [id]);
  }
}

function conditions(scope: Scope, query: ListQuery, params: Params): string[] {
  const where = ['true', ...filterConditions(LISTED, query, params)];
  if (scope !== null) where.push(`s.project_id = ${params.add(scope)}`);
  if (query.metadata !== null) where.push(`s.metadata @> ${params.add(JSON.stringify(query.metadata))}::jsonb`);
  return where;
}
