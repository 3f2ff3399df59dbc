import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import type { GroupType, GroupTypeQuery, GroupTypeRepository } from '@nestack/cinder/domain';
import { ordering, Params, type ListColumns } from './list-sql';

const COLUMNS = 't.id, t.name, t.description, t.is_public, t.group_specs, t.created_at';
const LISTED: ListColumns = {
  id: { sql: 't.id', type: 'uuid' },
  name: { sql: 't.name', type: 'text' },
  created_at: { sql: 't.created_at', type: 'timestamptz' },
};

/** Group types in PostgreSQL. */
export class GroupTypesRepository implements GroupTypeRepository {
  find(tx: Tx, idOrName: string): Promise<GroupType | null> {
    return sqlOne<GroupType>(
      tx,
      `SELECT ${COLUMNS} FROM group_type t WHERE ${isUuidLike(idOrName) ? 't.id = $1::uuid OR ' : ''}t.name = $1::text
       ORDER BY (t.name = $1::text) LIMIT 1`,
      [idOrName],
    );
  }

  async list(tx: Tx, query: GroupTypeQuery): Promise<readonly GroupType[]> {
    const params = new Params();
    const where = ['true'];
    if (query.is_public !== null) where.push(`t.is_public = ${params.add(query.is_public)}`);
    const marker = query.marker === null ? null : await this.find(tx, query.marker);
    if (query.marker !== null && marker === null) throw CinderError.GroupTypeNotFound({ group_type_id: query.marker });
    const { order, after } = ordering(LISTED, query.sort, marker as Record<string, unknown> | null, params);
    if (after !== null) where.push(after);
    return sql<GroupType>(
      tx,
      `SELECT ${COLUMNS} FROM group_type t WHERE ${where.join(' AND ')} ORDER BY ${order}
       LIMIT ${params.add(query.limit)} OFFSET ${params.add(query.offset)}`,
      params.values,
    );
  }

  async insert(tx: Tx, type: Omit<GroupType, 'created_at'>): Promise<boolean> {
    const made = await execute(
      tx,
      `INSERT INTO group_type (id, name, description, is_public, group_specs) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (name) DO NOTHING`,
      [type.id, type.name, type.description, type.is_public, JSON.stringify(type.group_specs)],
    );
    return made === 1;
  }

  async lock(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'SELECT 1 FROM group_type WHERE id = $1 FOR UPDATE', [id]);
  }

  async update(tx: Tx, type: GroupType): Promise<void> {
    await execute(
      tx,
      `UPDATE group_type SET name = $2, description = $3, is_public = $4, group_specs = $5, updated_at = clock_timestamp()
       WHERE id = $1`,
      [type.id, type.name, type.description, type.is_public, JSON.stringify(type.group_specs)],
    );
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM group_type WHERE id = $1', [id]);
  }

  async inUse(tx: Tx, id: string): Promise<boolean> {
    return (await sqlOne(tx, 'SELECT 1 FROM volume_group WHERE group_type_id = $1 LIMIT 1', [id])) !== null;
  }
}
