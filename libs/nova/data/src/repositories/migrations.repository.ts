import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { NovaError } from '@nestack/nova/contract';
import type { MigrationQuery, MigrationRepository, MigrationStatus, ServerMigration } from '@nestack/nova/domain';

const COLUMNS = `id, uuid, instance_uuid, project_id, user_id, migration_type, status, source_compute, source_node,
  dest_compute, dest_node, dest_host, old_flavor, new_flavor, old_vm_state, created_at, updated_at`;
const OPEN = "status NOT IN ('confirmed', 'reverted', 'error')";

type Row = Omit<ServerMigration, 'id'> & { readonly id: string | number };

function toMigration(row: Row): ServerMigration {
  return { ...row, id: Number(row.id) };
}

/** Migrations in PostgreSQL. */
export class MigrationsRepository implements MigrationRepository {
  async insert(tx: Tx, migration: Omit<ServerMigration, 'id' | 'updated_at'>): Promise<void> {
    await execute(
      tx,
      `INSERT INTO server_migration (uuid, instance_uuid, project_id, user_id, migration_type, status, source_compute, source_node,
         dest_compute, dest_node, dest_host, old_flavor, new_flavor, old_vm_state, created_at, updated_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15)`,
      [
        migration.uuid,
        migration.instance_uuid,
        migration.project_id,
        migration.user_id,
        migration.migration_type,
        migration.status,
        migration.source_compute,
        migration.source_node,
        migration.dest_compute,
        migration.dest_node,
        migration.dest_host,
        JSON.stringify(migration.old_flavor),
        JSON.stringify(migration.new_flavor),
        migration.old_vm_state,
        migration.created_at,
      ],
    );
  }

  async find(tx: Tx, uuid: string): Promise<ServerMigration | null> {
    if (!isUuidLike(uuid)) return null;
    const row = await sqlOne<Row>(tx, `SELECT ${COLUMNS} FROM server_migration WHERE uuid = $1::uuid`, [uuid]);
    return row === null ? null : toMigration(row);
  }

  async open(tx: Tx, instanceUuid: string): Promise<readonly ServerMigration[]> {
    const rows = await sql<Row>(
      tx,
      `SELECT ${COLUMNS} FROM server_migration WHERE instance_uuid = $1::uuid AND ${OPEN}`,
      [instanceUuid],
    );
    return rows.map(toMigration);
  }

  async setStatus(tx: Tx, uuid: string, status: MigrationStatus): Promise<void> {
    await execute(tx, 'UPDATE server_migration SET status = $2, updated_at = clock_timestamp() WHERE uuid = $1::uuid', [
      uuid,
      status,
    ]);
  }

  async setDestination(
    tx: Tx,
    uuid: string,
    to: Pick<ServerMigration, 'dest_compute' | 'dest_node' | 'dest_host'>,
  ): Promise<void> {
    await execute(
      tx,
      'UPDATE server_migration SET dest_compute = $2, dest_node = $3, dest_host = $4, updated_at = clock_timestamp() WHERE uuid = $1::uuid',
      [uuid, to.dest_compute, to.dest_node, to.dest_host],
    );
  }

  async leftHost(tx: Tx, host: string, instanceUuids: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await sql<{ instance_uuid: string }>(
      tx,
      `SELECT instance_uuid FROM server_migration WHERE instance_uuid = ANY($2::uuid[]) AND source_compute = $1 AND ${OPEN}`,
      [host, instanceUuids.filter(isUuidLike)],
    );
    return new Set(rows.map((row) => row.instance_uuid));
  }

  async unconfirmed(tx: Tx, before: Date, limit: number): Promise<readonly ServerMigration[]> {
    const rows = await sql<Row>(
      tx,
      `SELECT ${COLUMNS} FROM server_migration WHERE ${OPEN} AND status = 'finished' AND updated_at <= $1 ORDER BY updated_at LIMIT $2`,
      [before, limit],
    );
    return rows.map(toMigration);
  }

  async list(tx: Tx, query: MigrationQuery): Promise<readonly ServerMigration[]> {
    const params: unknown[] = [];
    const where: string[] = ['TRUE'];
    const add = (condition: (placeholder: string) => string, value: unknown): void => {
      if (value === undefined) return;
      params.push(value);
      where.push(condition(`$${params.length}`));
    };
    if (query.instance_uuid !== undefined && !isUuidLike(query.instance_uuid)) return [];
    add((p) => `instance_uuid = ${p}::uuid`, query.instance_uuid);
    add((p) => `status = ${p}`, query.status);
    add((p) => `(source_compute = ${p} OR dest_compute = ${p})`, query.host);
    add((p) => `source_compute = ${p}`, query.source_compute);
    add((p) => `migration_type = ${p}`, query.migration_type);
    add((p) => `user_id = ${p}`, query.user_id);
    add((p) => `project_id = ${p}`, query.project_id);
    add((p) => `updated_at >= ${p}`, query.changes_since);
    add((p) => `updated_at < date_trunc('second', ${p}::timestamptz) + interval '1 second'`, query.changes_before);
    if (query.marker !== undefined) {
      if ((await this.find(tx, query.marker)) === null) throw NovaError.MarkerNotFound({ marker: query.marker });
      add((p) => `id < (SELECT m.id FROM server_migration m WHERE m.uuid = ${p}::uuid)`, query.marker);
    }
    params.push(query.limit);
    const rows = await sql<Row>(
      tx,
      `SELECT ${COLUMNS} FROM server_migration WHERE ${where.join(' AND ')} ORDER BY id DESC LIMIT $${params.length}`,
      params,
    );
    return rows.map(toMigration);
  }
}
