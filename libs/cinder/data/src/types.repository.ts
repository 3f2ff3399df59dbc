import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import {
  DEFAULT_TYPE,
  type EncryptionFields,
  type Scope,
  type TypeEncryption,
  type TypeQuery,
  type TypeRepository,
  type VolumeType,
} from '@nestack/cinder/domain';
import { ordering, Params, type ListColumns } from './list-sql';

const COLUMNS = 't.id, t.name, t.description, t.is_public, t.extra_specs, t.qos_spec_id AS qos_specs_id, t.created_at';
const LISTED: ListColumns = {
  id: { sql: 't.id', type: 'uuid' },
  name: { sql: 't.name', type: 'text' },
  created_at: { sql: 't.created_at', type: 'timestamptz' },
};

/** Volume types in PostgreSQL. */
export class TypesRepository implements TypeRepository {
  async find(tx: Tx, idOrName: string, scope: Scope): Promise<VolumeType | null> {
    const params = new Params();
    const key = isUuidLike(idOrName)
      ? `(t.id = ${params.add(idOrName)}::uuid OR t.name = ${params.add(idOrName)})`
      : `t.name = ${params.add(idOrName)}`;
    return sqlOne<VolumeType>(
      tx,
      `SELECT ${COLUMNS} FROM volume_type t WHERE ${key} AND ${visible(scope, params)} ORDER BY (t.name = ${params.add(idOrName)}) LIMIT 1`,
      params.values,
    );
  }

  async list(tx: Tx, query: TypeQuery): Promise<readonly VolumeType[]> {
    const params = new Params();
    const where = [visible(query.scope, params)];
    if (query.is_public !== null) {
      const access =
        query.is_public && query.accessible_to !== null
          ? ` OR t.id IN (SELECT volume_type_id FROM volume_type_access WHERE project_id = ${params.add(query.accessible_to)})`
          : '';
      where.push(`(t.is_public = ${params.add(query.is_public)}${access})`);
    }
    if (query.extra_specs !== null)
      where.push(`t.extra_specs @> ${params.add(JSON.stringify(query.extra_specs))}::jsonb`);
    let marker: VolumeType | null = null;
    if (query.marker !== null) {
      marker = await this.find(tx, query.marker, query.scope);
      if (marker === null) throw CinderError.VolumeTypeNotFound({ volume_type_id: query.marker });
    }
    const { order, after } = ordering(LISTED, query.sort, marker as Record<string, unknown> | null, params);
    if (after !== null) where.push(after);
    return sql<VolumeType>(
      tx,
      `SELECT ${COLUMNS} FROM volume_type t WHERE ${where.join(' AND ')} ORDER BY ${order}
       LIMIT ${params.add(query.limit)} OFFSET ${params.add(query.offset)}`,
      params.values,
    );
  }

  async names(tx: Tx): Promise<readonly string[]> {
    return (await sql<{ name: string }>(tx, 'SELECT name FROM volume_type ORDER BY created_at, id')).map(
      (row) => row.name,
    );
  }

  async insert(tx: Tx, type: Omit<VolumeType, 'created_at'>): Promise<boolean> {
    const made = await execute(
      tx,
      `INSERT INTO volume_type (id, name, description, is_public, extra_specs, qos_spec_id) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (name) DO NOTHING`,
      [type.id, type.name, type.description, type.is_public, JSON.stringify(type.extra_specs), type.qos_specs_id],
    );
    return made === 1;
  }

  async lock(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'SELECT 1 FROM volume_type WHERE id = $1 FOR UPDATE', [id]);
  }

  async update(tx: Tx, type: VolumeType): Promise<void> {
    await execute(
      tx,
      `UPDATE volume_type SET name = $2, description = $3, is_public = $4, extra_specs = $5, qos_spec_id = $6,
         updated_at = clock_timestamp() WHERE id = $1`,
      [type.id, type.name, type.description, type.is_public, JSON.stringify(type.extra_specs), type.qos_specs_id],
    );
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM volume_type WHERE id = $1', [id]);
  }

  async inUse(tx: Tx, id: string): Promise<boolean> {
    if (await this.hasVolumes(tx, id)) return true;
    return (await sqlOne(tx, 'SELECT 1 FROM group_volume_type WHERE volume_type_id = $1 LIMIT 1', [id])) !== null;
  }

  async hasVolumes(tx: Tx, id: string): Promise<boolean> {
    return (await sqlOne(tx, 'SELECT 1 FROM volume WHERE volume_type_id = $1 LIMIT 1', [id])) !== null;
  }

  encryption(tx: Tx, id: string): Promise<TypeEncryption | null> {
    return sqlOne<TypeEncryption>(
      tx,
      `SELECT volume_type_id, encryption_id, provider, control_location, cipher, key_size, created_at, updated_at
       FROM volume_type_encryption WHERE volume_type_id = $1`,
      [id],
    );
  }

  async setEncryption(tx: Tx, id: string, encryption: EncryptionFields | null): Promise<void> {
    await (encryption === null
      ? execute(tx, 'DELETE FROM volume_type_encryption WHERE volume_type_id = $1', [id])
      : execute(
          tx,
          `INSERT INTO volume_type_encryption (volume_type_id, provider, control_location, cipher, key_size)
           VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (volume_type_id) DO UPDATE SET provider = EXCLUDED.provider, control_location = EXCLUDED.control_location,
             cipher = EXCLUDED.cipher, key_size = EXCLUDED.key_size, updated_at = clock_timestamp()`,
          [id, encryption.provider, encryption.control_location, encryption.cipher, encryption.key_size],
        ));
  }

  async access(tx: Tx, id: string): Promise<readonly string[]> {
    const rows = await sql<{ project_id: string }>(
      tx,
      'SELECT project_id FROM volume_type_access WHERE volume_type_id = $1 ORDER BY project_id',
      [id],
    );
    return rows.map((row) => row.project_id);
  }

  async addAccess(tx: Tx, id: string, projectId: string): Promise<boolean> {
    return (
      (await execute(
        tx,
        'INSERT INTO volume_type_access (volume_type_id, project_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
        [id, projectId],
      )) === 1
    );
  }

  async removeAccess(tx: Tx, id: string, projectId: string): Promise<boolean> {
    return (
      (await execute(tx, 'DELETE FROM volume_type_access WHERE volume_type_id = $1 AND project_id = $2', [
        id,
        projectId,
      ])) === 1
    );
  }

  async defaults(tx: Tx): Promise<ReadonlyMap<string, string>> {
    const rows = await sql<{ project_id: string; volume_type_id: string }>(
      tx,
      'SELECT project_id, volume_type_id FROM default_volume_type ORDER BY project_id',
    );
    return new Map(rows.map((row) => [row.project_id, row.volume_type_id]));
  }

  defaultOf(tx: Tx, projectId: string): Promise<VolumeType | null> {
    return sqlOne<VolumeType>(
      tx,
      `SELECT ${COLUMNS} FROM default_volume_type d JOIN volume_type t ON t.id = d.volume_type_id WHERE d.project_id = $1`,
      [projectId],
    );
  }

  defaultFor(tx: Tx, projectId: string): Promise<VolumeType | null> {
    return sqlOne<VolumeType>(
      tx,
      `SELECT ${COLUMNS} FROM volume_type t LEFT JOIN default_volume_type d ON d.volume_type_id = t.id AND d.project_id = $1
       WHERE d.project_id IS NOT NULL OR t.name = $2 ORDER BY d.project_id NULLS LAST LIMIT 1`,
      [projectId, DEFAULT_TYPE],
    );
  }

  async setDefault(tx: Tx, projectId: string, id: string | null): Promise<void> {
    await (id === null
      ? execute(tx, 'DELETE FROM default_volume_type WHERE project_id = $1', [projectId])
      : execute(
          tx,
          `INSERT INTO default_volume_type (project_id, volume_type_id) VALUES ($1, $2)
           ON CONFLICT (project_id) DO UPDATE SET volume_type_id = EXCLUDED.volume_type_id`,
          [projectId, id],
        ));
  }

  async ofQos(tx: Tx, qosId: string): Promise<readonly VolumeType[]> {
    return sql<VolumeType>(
      tx,
      `SELECT ${COLUMNS} FROM volume_type t WHERE t.qos_spec_id = $1 ORDER BY t.created_at, t.id`,
      [qosId],
    );
  }
}

function visible(scope: Scope, params: Params): string {
  if (scope === null) return 'true';
  return `(t.is_public OR t.id IN (SELECT volume_type_id FROM volume_type_access WHERE project_id = ${params.add(scope)}))`;
}
