import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError, type VolumeStatus } from '@nestack/cinder/contract';
import type {
  Attachment,
  HostUse,
  ListQuery,
  NewVolume,
  Scope,
  Volume,
  VolumeRepository,
} from '@nestack/cinder/domain';
import { assignments, filterConditions, ordering, Params, type ListColumns } from './list-sql';

const OWN = [
  'id',
  'project_id',
  'user_id',
  'name',
  'description',
  'size',
  'status',
  'availability_zone',
  'host',
  'bootable',
  'multiattach',
  'readonly',
  'connected',
  'migration_status',
  'volume_type_id',
  'snapshot_id',
  'source_volid',
  'group_id',
  'image_id',
  'metadata',
  'image_metadata',
] as const satisfies readonly (keyof NewVolume)[];
const JSON_COLUMNS = new Set<string>(['metadata', 'image_metadata']);

const SELECT = `SELECT ${OWN.map((one) => `v.${one}`).join(', ')}, v.created_at, v.updated_at, t.name AS volume_type,
  (SELECT COALESCE(jsonb_agg(to_jsonb(a) ORDER BY a.created_at, a.id), '[]'::jsonb) FROM attachment a WHERE a.volume_id = v.id) AS attachments
  FROM volume v JOIN volume_type t ON t.id = v.volume_type_id`;

const LISTED: ListColumns = {
  id: { sql: 'v.id', type: 'uuid' },
  project_id: { sql: 'v.project_id', type: 'text' },
  user_id: { sql: 'v.user_id', type: 'text' },
  name: { sql: 'v.name', type: 'text', nullable: true },
  description: { sql: 'v.description', type: 'text', nullable: true },
  size: { sql: 'v.size', type: 'integer' },
  status: { sql: 'v.status', type: 'text' },
  availability_zone: { sql: 'v.availability_zone', type: 'text' },
  host: { sql: 'v.host', type: 'text', nullable: true },
  bootable: { sql: 'v.bootable', type: 'boolean' },
  multiattach: { sql: 'v.multiattach', type: 'boolean' },
  volume_type_id: { sql: 'v.volume_type_id', type: 'uuid' },
  volume_type: { sql: 't.name', type: 'text' },
  snapshot_id: { sql: 'v.snapshot_id', type: 'uuid', nullable: true },
  source_volid: { sql: 'v.source_volid', type: 'uuid', nullable: true },
  attach_status: {
    sql: `CASE WHEN EXISTS (SELECT 1 FROM attachment a WHERE a.volume_id = v.id AND a.attach_status = 'attached') THEN 'attached' ELSE 'detached' END`,
    type: 'text',
  },
  migration_status: { sql: 'v.migration_status', type: 'text', nullable: true },
  group_id: { sql: 'v.group_id', type: 'uuid', nullable: true },
  created_at: { sql: 'v.created_at', type: 'timestamptz' },
  updated_at: { sql: 'v.updated_at', type: 'timestamptz', nullable: true },
};

type Row = Omit<Volume, 'attachments'> & {
  readonly attachments: readonly (Omit<Attachment, 'attach_time' | 'created_at'> & {
    readonly attach_time: string | null;
    readonly created_at: string;
  })[];
};

function toVolume(row: Row): Volume {
  return {
    ...row,
    attachments: row.attachments.map((one) => ({
      ...one,
      attach_time: one.attach_time === null ? null : new Date(one.attach_time),
      created_at: new Date(one.created_at),
    })),
  };
}

/** Volumes in PostgreSQL, each with its type's name and its attachments in one statement. */
export class VolumesRepository implements VolumeRepository {
  async insert(tx: Tx, volume: NewVolume): Promise<Date> {
    const params = new Params();
    const values = OWN.map((column) => {
      const value = volume[column];
      return params.add(JSON_COLUMNS.has(column) && value !== null ? JSON.stringify(value) : value);
    });
    const row = await sqlOne<{ created_at: Date }>(
      tx,
      `INSERT INTO volume (${OWN.join(', ')}) VALUES (${values.join(', ')}) RETURNING created_at`,
      params.values,
    );
    return row?.created_at ?? new Date();
  }

  async find(tx: Tx, id: string, scope: Scope, options: { readonly lock?: boolean } = {}): Promise<Volume | null> {
    // Locked first: what hangs on a volume must be read after those have ended who held it.
    if (options.lock === true) await execute(tx, 'SELECT 1 FROM volume WHERE id = $1 FOR UPDATE', [id]);
    const row = await sqlOne<Row>(tx, `${SELECT} WHERE v.id = $1 AND ($2::text IS NULL OR v.project_id = $2)`, [
      id,
      scope,
    ]);
    return row === null ? null : toVolume(row);
  }

  async list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Volume[]> {
    const marker = isUuidLike(query.marker) ? await this.find(tx, query.marker, scope) : null;
    if (query.marker !== null && marker === null) throw CinderError.VolumeNotFound({ volume_id: query.marker });
    const params = new Params();
    const where = conditions(scope, query, params);
    const { order, after } = ordering(LISTED, query.sort, marker as Record<string, unknown> | null, params);
    if (after !== null) where.push(after);
    const rows = await sql<Row>(
      tx,
      `${SELECT} WHERE ${where.join(' AND ')} ORDER BY ${order} LIMIT ${params.add(query.limit)} OFFSET ${params.add(query.offset)}`,
      params.values,
    );
    return rows.map(toVolume);
  }

  async count(tx: Tx, scope: Scope, query: ListQuery): Promise<number> {
    const params = new Params();
    const where = conditions(scope, query, params);
    const row = await sqlOne<{ count: number }>(
      tx,
      `SELECT count(*)::int AS count FROM volume v JOIN volume_type t ON t.id = v.volume_type_id WHERE ${where.join(' AND ')}`,
      params.values,
    );
    return row?.count ?? 0;
  }

  async summary(tx: Tx, scope: Scope, query: ListQuery) {
    const params = new Params();
    const where = conditions(scope, query, params).join(' AND ');
    const row = await sqlOne<{ count: number; size: number; metadata: Record<string, string[]> | null }>(
      tx,
      `WITH seen AS (SELECT v.size, v.metadata FROM volume v JOIN volume_type t ON t.id = v.volume_type_id WHERE ${where})
       SELECT (SELECT count(*) FROM seen)::int AS count, (SELECT COALESCE(sum(size), 0) FROM seen)::float8 AS size,
         (SELECT jsonb_object_agg(key, vals) FROM (
            SELECT key, jsonb_agg(DISTINCT value) AS vals FROM seen, jsonb_each(seen.metadata) GROUP BY key) m) AS metadata`,
      params.values,
    );
    return { count: row?.count ?? 0, size: row?.size ?? 0, metadata: row?.metadata ?? {} };
  }

  async update(tx: Tx, id: string, changes: Partial<Omit<NewVolume, 'id'>>): Promise<void> {
    const params = new Params();
    const set = assignments(changes, JSON_COLUMNS, params);
    set.push('updated_at = clock_timestamp()');
    await execute(tx, `UPDATE volume SET ${set.join(', ')} WHERE id = ${params.add(id)}`, params.values);
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM volume WHERE id = $1', [id]);
  }

  async exported(tx: Tx, backend: string): Promise<readonly Volume[]> {
    const rows = await sql<Row>(
      tx,
      `${SELECT} WHERE split_part(v.host, '#', 1) = $1 AND v.status <> 'deleting'
         AND (v.connected OR EXISTS (SELECT 1 FROM attachment a WHERE a.volume_id = v.id AND a.connector IS NOT NULL)) ORDER BY v.id`,
      [backend],
    );
    return rows.map(toVolume);
  }

  async provisioned(tx: Tx): Promise<ReadonlyMap<string, number>> {
    const rows = await sql<{ host: string; provisioned: number }>(
      tx,
      'SELECT host, provisioned::float8 AS provisioned FROM pool',
    );
    return new Map(rows.map((row) => [row.host, row.provisioned]));
  }

  async provision(tx: Tx, host: string, delta: number): Promise<number> {
    const row = await sqlOne<{ provisioned: number }>(
      tx,
      `INSERT INTO pool (host, provisioned) VALUES ($1, GREATEST($2, 0))
       ON CONFLICT (host) DO UPDATE SET provisioned = GREATEST(pool.provisioned + $2, 0) RETURNING provisioned::float8 AS provisioned`,
      [host, delta],
    );
    return row?.provisioned ?? 0;
  }

  async transition(
    tx: Tx,
    id: string,
    from: readonly VolumeStatus[],
    changes: Partial<Omit<NewVolume, 'id'>>,
  ): Promise<boolean> {
    const params = new Params();
    const set = [...assignments(changes, JSON_COLUMNS, params), 'updated_at = clock_timestamp()'];
    const changed = await execute(
      tx,
      `UPDATE volume SET ${set.join(', ')} WHERE id = ${params.add(id)} AND status = ANY (${params.add([...from])}::text[])`,
      params.values,
    );
    return changed === 1;
  }

  async place(tx: Tx, id: string, host: string): Promise<void> {
    await execute(
      tx,
      `WITH placed AS (UPDATE volume SET host = $2, updated_at = clock_timestamp(),
         status = CASE WHEN image_id IS NOT NULL AND status = 'creating' THEN 'downloading' ELSE status END
         WHERE id = $1 AND host IS NULL RETURNING size)
       INSERT INTO pool (host, provisioned) SELECT $2, size FROM placed
       ON CONFLICT (host) DO UPDATE SET provisioned = pool.provisioned + EXCLUDED.provisioned`,
      [id, host],
    );
  }

  useOfHost(tx: Tx, host: string): Promise<readonly HostUse[]> {
    return sql<HostUse>(
      tx,
      `SELECT v.project_id, count(*)::int AS volume_count, sum(v.size)::float8 AS total_volume_gb,
         COALESCE(sum(s.count), 0)::int AS snapshot_count, COALESCE(sum(s.size), 0)::float8 AS total_snapshot_gb
       FROM volume v LEFT JOIN LATERAL (SELECT count(*) AS count, sum(volume_size) AS size FROM snapshot WHERE volume_id = v.id) s ON true
       WHERE split_part(v.host, '#', 1) = $1 OR split_part(v.host, '@', 1) = $1 GROUP BY v.project_id ORDER BY v.project_id`,
      [host],
    );
  }

  async known(tx: Tx, kind: 'volume' | 'snapshot', names: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await sql<{ id: string }>(
      tx,
      `SELECT id FROM ${kind === 'volume' ? 'volume' : 'snapshot'} WHERE id::text = ANY ($1::text[])`,
      [[...names]],
    );
    return new Set(rows.map((row) => row.id));
  }

  async ofGroup(tx: Tx, groupId: string, options: { readonly lock?: boolean } = {}): Promise<readonly Volume[]> {
    if (options.lock === true)
      await execute(tx, 'SELECT 1 FROM volume WHERE group_id = $1 ORDER BY id FOR UPDATE', [groupId]);
    const rows = await sql<Row>(tx, `${SELECT} WHERE v.group_id = $1 ORDER BY v.created_at, v.id`, [groupId]);
    return rows.map(toVolume);
  }

  async setStatus(tx: Tx, id: string, status: VolumeStatus): Promise<void> {
    await execute(tx, 'UPDATE volume SET status = $2, updated_at = clock_timestamp() WHERE id = $1', [id, status]);
  }
}

function conditions(scope: Scope, query: ListQuery, params: Params): string[] {
  const where = ['true', ...filterConditions(LISTED, query, params)];
  if (scope !== null) where.push(`v.project_id = ${params.add(scope)}`);
  if (query.metadata !== null) where.push(`v.metadata @> ${params.add(JSON.stringify(query.metadata))}::jsonb`);
  if (query.imageMetadata !== null)
    where.push(`v.image_metadata @> ${params.add(JSON.stringify(query.imageMetadata))}::jsonb`);
  return where;
}
