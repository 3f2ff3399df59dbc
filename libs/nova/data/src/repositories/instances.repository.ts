import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { Tx } from '@nestack/kernel/context';
import type {
  Instance,
  InstanceListItem,
  InstanceName,
  InstancePatch,
  InstanceQuery,
  InstanceRepository,
  Usage,
} from '@nestack/nova/domain';
import { NovaError, type VmState } from '@nestack/nova/contract';
import { isId } from './ids';
import { instanceFilters, instanceOrder } from './instance-filters';
import { INSTANCE_COLUMNS, assignments, toColumn } from './instance-rows';
import { fromListed, LISTED_COLUMNS, type ListedRow } from './listed-rows';
import { ROW_VERSION, SeenInstances } from './seen-instances';

const COLUMNS = INSTANCE_COLUMNS.join(', ');
const LISTED = INSTANCE_COLUMNS.map((column) => `i.${column}`).join(', ');
/** The volumes of a row in the same statement, so that a list has no query per server. */
const VOLUMES = `COALESCE((SELECT jsonb_agg(jsonb_build_object('id', b.volume_id, 'delete_on_termination', b.delete_on_termination) ORDER BY b.id)
  FROM block_device_mapping b WHERE b.instance_uuid = i.uuid AND b.volume_id IS NOT NULL), '[]'::jsonb) AS volumes`;

const GROUPS = `ARRAY(SELECT m.group_uuid::text FROM server_group_member m WHERE m.instance_uuid = i.uuid) AS server_groups`;

type ItemRow = Instance & Required<Pick<InstanceListItem, 'volumes' | 'server_groups'>>;

function toItem({ volumes, server_groups, ...instance }: ItemRow): InstanceListItem {
  return { instance, volumes, server_groups };
}

/** What a list asks of each row; the rest is known where the version is. */
type ListRow = Pick<InstanceListItem, 'volumes'> & {
  readonly uuid: string;
  readonly version: string;
  readonly user_data: string | null;
};

/** Servers in PostgreSQL. */
export class InstancesRepository implements InstanceRepository {
  private readonly seen = new SeenInstances();

  async insert(tx: Tx, instance: Instance): Promise<void> {
    const values = INSTANCE_COLUMNS.map((column) => toColumn(column, instance[column]));
    await execute(
      tx,
      `INSERT INTO instance (${COLUMNS}) VALUES (${values.map((_, at) => `$${at + 1}`).join(', ')})`,
      values,
    );
  }

  find(
    tx: Tx,
    uuid: string,
    options: { readonly deleted?: boolean; readonly lock?: boolean } = {},
  ): Promise<Instance | null> {
    if (!isId(uuid)) return Promise.resolve(null);
    return sqlOne<Instance>(
      tx,
      `SELECT ${COLUMNS} FROM instance WHERE uuid = $1::uuid${options.deleted === true ? '' : ' AND deleted_at IS NULL'}${options.lock === true ? ' FOR UPDATE' : ''}`,
      [uuid],
    );
  }

  async findItem(tx: Tx, uuid: string, options: { readonly deleted?: boolean } = {}): Promise<InstanceListItem | null> {
    if (!isId(uuid)) return null;
    const row = await sqlOne<ItemRow>(
      tx,
      `SELECT ${LISTED}, ${VOLUMES}, ${GROUPS} FROM instance i WHERE i.uuid = $1::uuid${options.deleted === true ? '' : ' AND i.deleted_at IS NULL'}`,
      [uuid],
    );
    return row === null ? null : toItem(row);
  }

  async list(tx: Tx, query: InstanceQuery): Promise<readonly InstanceListItem[]> {
    const userData = query.with_user_data === true ? 'i.user_data' : 'NULL::text AS user_data';
    const rows = await this.select<ListRow>(tx, `i.uuid, ${ROW_VERSION} AS version, ${userData}, ${VOLUMES}`, query);
    const instances = await this.inVersions(tx, rows);
    return rows.flatMap(({ uuid, user_data, volumes }) => {
      const instance = instances.get(uuid);
      if (instance === undefined) return [];
      return [{ instance: user_data === null ? instance : { ...instance, user_data }, volumes }];
    });
  }

  /** The rows of a list without their user data: in one more statement those that are not known in this version. */
  private async inVersions(tx: Tx, rows: readonly ListRow[]): Promise<ReadonlyMap<string, Instance>> {
    const instances = new Map<string, Instance>();
    const unknown: string[] = [];
    for (const { uuid, version } of rows) {
      const known = this.seen.get(uuid, version);
      if (known === undefined) unknown.push(uuid);
      else instances.set(uuid, known);
    }
    if (unknown.length === 0) return instances;
    const read = await sql<ListedRow & { version: string }>(
      tx,
      `SELECT ${ROW_VERSION} AS version, ${LISTED_COLUMNS} FROM instance i WHERE i.uuid = ANY($1::uuid[])`,
      [unknown],
    );
    for (const { version, ...row } of read) {
      const instance = fromListed(row);
      this.seen.put(version, instance);
      instances.set(instance.uuid, instance);
    }
    return instances;
  }

  listNames(tx: Tx, query: InstanceQuery): Promise<readonly InstanceName[]> {
    return this.select<InstanceName>(tx, 'i.uuid, i.display_name', query);
  }

  /** One page; one statement, and one more to tell an unknown marker from an end. */
  private async select<Row>(tx: Tx, columns: string, query: InstanceQuery): Promise<Row[]> {
    const params: unknown[] = [];
    const where = instanceFilters(query, params);
    let before = '';
    if (query.marker !== undefined) {
      if ((await this.find(tx, query.marker, { deleted: true })) === null)
        throw NovaError.ListMarkerNotFound({ marker: query.marker });
      params.push(query.marker);
      before = `WITH marker AS (SELECT * FROM instance WHERE uuid = $${params.length}::uuid) `;
    }
    const { order, after } = instanceOrder(query.sort, query.marker !== undefined);
    params.push(query.limit);
    return sql<Row>(
      tx,
      `${before}SELECT ${columns} FROM instance i WHERE ${where} AND ${after} ORDER BY ${order} LIMIT $${params.length}`,
      params,
    );
  }

  update(tx: Tx, uuid: string, patch: InstancePatch): Promise<Instance | null> {
    const params: unknown[] = [uuid];
    const set = assignments(patch, params);
    return sqlOne<Instance>(tx, `UPDATE instance SET ${set} WHERE uuid = $1::uuid RETURNING ${COLUMNS}`, params);
  }

  transition(
    tx: Tx,
    uuid: string,
    expected: { readonly vm_states?: readonly VmState[]; readonly task_states?: readonly (string | null)[] },
    patch: InstancePatch,
  ): Promise<Instance | null> {
    const params: unknown[] = [uuid];
    const set = assignments(patch, params);
    const conditions: string[] = [];
    if (expected.vm_states !== undefined) {
      params.push(expected.vm_states);
      conditions.push(`vm_state = ANY($${params.length}::text[])`);
    }
    if (expected.task_states !== undefined) {
      params.push(expected.task_states.filter((state) => state !== null));
      const named = `task_state = ANY($${params.length}::text[])`;
      conditions.push(expected.task_states.includes(null) ? `(task_state IS NULL OR ${named})` : named);
    }
    return sqlOne<Instance>(
      tx,
      `UPDATE instance SET ${set} WHERE uuid = $1::uuid AND deleted_at IS NULL${conditions.map((one) => ` AND ${one}`).join('')} RETURNING ${COLUMNS}`,
      params,
    );
  }

  byHost(tx: Tx, host: string): Promise<readonly Instance[]> {
    return sql<Instance>(tx, `SELECT ${COLUMNS} FROM instance WHERE host = $1 AND deleted_at IS NULL`, [host]);
  }

  async keptSince(tx: Tx, before: Date, limit: number): Promise<readonly string[]> {
    const rows = await sql<{ uuid: string }>(
      tx,
      `SELECT uuid FROM instance WHERE vm_state = 'shelved' AND deleted_at IS NULL AND task_state IS NULL
         AND COALESCE((request->'shelved'->>'at')::timestamptz, '-infinity') <= $1
       ORDER BY request->'shelved'->>'at', uuid LIMIT $2`,
      [before, limit],
    );
    return rows.map(({ uuid }) => uuid);
  }

  ofHost(tx: Tx, host: string, uuids: readonly string[]): Promise<readonly Instance[]> {
    return sql<Instance>(
      tx,
      `SELECT ${COLUMNS} FROM instance WHERE (host = $1 AND deleted_at IS NULL) OR uuid = ANY($2::uuid[]) ORDER BY created_at, uuid`,
      [host, uuids.filter(isId)],
    );
  }

  async lockUsage(tx: Tx, projectId: string): Promise<Usage> {
    await execute(tx, "SELECT pg_advisory_xact_lock(hashtextextended('quota:' || $1, 0))", [projectId]);
    return this.usage(tx, projectId);
  }

  async usage(tx: Tx, projectId: string, userId: string | null = null): Promise<Usage> {
    const row = await sqlOne<{ instances: string; cores: string; ram: string }>(
      tx,
      `SELECT count(*) AS instances,
         COALESCE(sum(GREATEST((i.flavor->>'vcpus')::int, (m.new_flavor->>'vcpus')::int)), 0) AS cores,
         COALESCE(sum(GREATEST((i.flavor->>'memory_mb')::int, (m.new_flavor->>'memory_mb')::int)), 0) AS ram
       FROM instance i LEFT JOIN server_migration m ON m.instance_uuid = i.uuid
         AND m.status IN ('pre-migrating', 'migrating', 'post-migrating')
       WHERE i.project_id = $1 AND i.deleted_at IS NULL AND i.vm_state <> 'soft-delete'
         AND ($2::text IS NULL OR i.user_id = $2)`,
      [projectId, userId],
    );
    return { instances: Number(row?.instances ?? 0), cores: Number(row?.cores ?? 0), ram: Number(row?.ram ?? 0) };
  }

  async onHosts(tx: Tx): Promise<ReadonlyMap<string, readonly Instance[]>> {
    const rows = await sql<Instance>(
      tx,
      `SELECT ${COLUMNS} FROM instance WHERE deleted_at IS NULL AND host IS NOT NULL`,
    );
    return Map.groupBy(rows, (row) => row.host ?? '');
  }
}
