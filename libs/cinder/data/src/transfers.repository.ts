import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { CinderError } from '@nestack/cinder/contract';
import type { ListQuery, Scope, Transfer, TransferRepository } from '@nestack/cinder/domain';
import { filterConditions, ordering, Params, type ListColumns } from './list-sql';

const COLUMNS = 'id, volume_id, name, salt, key_hash, source_project_id, no_snapshots, created_at';
const LISTED: ListColumns = {
  id: { sql: 'id', type: 'uuid' },
  name: { sql: 'name', type: 'text', nullable: true },
  volume_id: { sql: 'volume_id', type: 'uuid' },
  created_at: { sql: 'created_at', type: 'timestamptz' },
};

/** Offers of volumes in PostgreSQL. */
export class TransfersRepository implements TransferRepository {
  async insert(tx: Tx, one: Omit<Transfer, 'created_at'>): Promise<void> {
    await execute(
      tx,
      `INSERT INTO transfer (id, volume_id, name, salt, key_hash, source_project_id, no_snapshots) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [one.id, one.volume_id, one.name, one.salt, one.key_hash, one.source_project_id, one.no_snapshots],
    );
  }

  find(tx: Tx, id: string, scope: Scope, options: { readonly lock?: boolean } = {}): Promise<Transfer | null> {
    return sqlOne<Transfer>(
      tx,
      `SELECT ${COLUMNS} FROM transfer WHERE id = $1 AND ($2::text IS NULL OR source_project_id = $2)${options.lock === true ? ' FOR UPDATE' : ''}`,
      [id, scope],
    );
  }

  async list(tx: Tx, scope: Scope, query: ListQuery): Promise<readonly Transfer[]> {
    const marker = isUuidLike(query.marker) ? await this.find(tx, query.marker, scope) : null;
    if (query.marker !== null && marker === null) throw CinderError.TransferNotFound({ transfer_id: query.marker });
    const params = new Params();
    const where = ['true', ...filterConditions(LISTED, query, params)];
    if (scope !== null) where.push(`source_project_id = ${params.add(scope)}`);
    const { order, after } = ordering(LISTED, query.sort, marker as Record<string, unknown> | null, params);
    if (after !== null) where.push(after);
    return sql<Transfer>(
      tx,
      `SELECT ${COLUMNS} FROM transfer WHERE ${where.join(' AND ')} ORDER BY ${order}
       LIMIT ${params.add(query.limit)} OFFSET ${params.add(query.offset)}`,
      params.values,
    );
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM transfer WHERE id = $1', [id]);
  }
}
