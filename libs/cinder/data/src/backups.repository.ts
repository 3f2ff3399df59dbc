import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import type { Backup, BackupRepository, ListQuery, NewBackup, Scope } from '@nestack/cinder/domain';
import { assignments, filterConditions, ordering, Params, type ListColumns } from './list-sql';

const OWN = [
  'id',
  'project_id',
  'user_id',
  'name',
  'description',
  'volume_id',
  'snapshot_id',
  'parent_id',
  'status',
  'size',
  'object_count',
  'availability_zone',
  'container',
  'host',
  'service',
  'service_metadata',
  'fail_reason',
  'data_timestamp',
  'metadata',
  'of_copy',
  'restore_volume_id',
] as const satisfies readonly (keyof NewBackup)[];
const JSON_COLUMNS = new Set<string>(['metadata']);
const SELECT = `SELECT ${OWN.map((one) => `b.${one}`).join(', ')}, b.created_at, b.updated_at, b.parent_id IS NOT NULL AS is_incremental,
  EXISTS (SELECT 1 FROM backup c WHERE c.parent_id = b.id) AS has_dependent_backups FROM backup b`;

const LISTED: ListColumns = {
  id: { sql: 'b.id', type: 'uuid' },
  project_id: { sql: 'b.project_id', type: 'text' },
  user_id: { sql: 'b.user_id', type: 'text' },
  name: { sql: 'b.name', type: 'text', nullable: true },
  description: { sql: 'b.description', type: 'text', nullable: true },
  volume_id: { sql: 'b.volume_id', type: 'uuid' },
  snapshot_id: { sql: 'b.snapshot_id', type: 'uuid', nullable: true },
  status: { sql: 'b.status', type: 'text' },
  size: { sql: 'b.size', type: 'integer' },
  host: { sql: 'b.host', type: 'text', nullable: true },
  availability_zone: { sql: 'b.availability_zone', type: 'text', nullable: true },
  container: { sql: 'b.container', type: 'text', nullable: true },
  created_at: { sql: 'b.created_at', type: 'timestamptz' },
  updated_at: { sql: 'b.updated_at', type: 'timestamptz', nullable: true },
  data_timestamp: { sql: 'b.data_timestamp', type: 'timestamptz', nullable: true },
};

/** Backups in PostgreSQL. */
export class BackupsRepository implements BackupRepository {
  async insert(tx: Tx, backup: NewBackup): Promise<void> {
    const params = new Params();
    const values = OWN.map((column) =>
      params.add(JSON_COLUMNS.has(column) ? JSON.stringify(backup[column]) : backup[column]),
    );
    await execute(tx, `INSERT INTO backup (${OWN.join(', ')}) VALUES (${values.join(', ')})`, params.values);
    // Data that are read now are of now.
    await execute(tx, 'UPDATE backup SET data_timestamp = created_at WHERE id = $1 AND data_timestamp IS NULL', [
      backup.id,
    ]);
  }

  find(tx: Tx, id: string, scope: Scope, options: { readonly lock?: boolean } = {}): Promise<Backup | null> {
    return sqlOne<Backup>(
      tx,
      `${SELECT} WHERE b.id = $1 AND ($2::text IS NULL OR b.project_id = $2)${options.lock === true ? ' FOR UPDATE OF b' : ''}`,
      [id, scope],
    );
  }

  async list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Backup[]> {
    const marker = isUuidLike(query.marker) ? await this.find(tx, query.marker, scope) : null;
    if (query.marker !== null && marker === null) throw CinderError.BackupNotFound({ backup_id: query.marker });
    const params = new Params();
    const where = conditions(scope, query, params);
    const { order, after } = ordering(LISTED, query.sort, marker as Record<string, unknown> | null, params);
    if (after !== null) where.push(after);
    return sql<Backup>(
      tx,
      `${SELECT} WHERE ${where.join(' AND ')} ORDER BY ${order} LIMIT ${params.add(query.limit)} OFFSET ${params.add(query.offset)}`,
      params.values,
    );
  }

  async count(tx: Tx, scope: Scope, query: ListQuery): Promise<number> {
    const params = new Params();
    const where = conditions(scope, query, params);
    const row = await sqlOne<{ count: number }>(
      tx,
      `SELECT count(*)::int AS count FROM backup b WHERE ${where.join(' AND ')}`,
      params.values,
    );
    return row?.count ?? 0;
  }

  latest(tx: Tx, volumeId: string, projectId: string, before: Date | null): Promise<Backup | null> {
    return sqlOne<Backup>(
      tx,
      `${SELECT} WHERE b.volume_id = $1 AND b.project_id = $2 AND b.status = 'available'
         AND ($3::timestamptz IS NULL OR b.data_timestamp < $3) ORDER BY b.data_timestamp DESC, b.created_at DESC LIMIT 1`,
      [volumeId, projectId, before],
    );
  }

  async update(tx: Tx, id: string, changes: Partial<Omit<NewBackup, 'id'>>): Promise<void> {
    const params = new Params();
    const set = [...assignments(changes, JSON_COLUMNS, params), 'updated_at = clock_timestamp()'];
    await execute(tx, `UPDATE backup SET ${set.join(', ')} WHERE id = ${params.add(id)}`, params.values);
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM backup WHERE id = $1', [id]);
  }
}

function conditions(scope: Scope, query: ListQuery, params: Params): string[] {
  const where = ['true', ...filterConditions(LISTED, query, params)];
  if (scope !== null) where.push(`b.project_id = ${params.add(scope)}`);
  if (query.metadata !== null) where.push(`b.metadata @> ${params.add(JSON.stringify(query.metadata))}::jsonb`);
  return where;
}
