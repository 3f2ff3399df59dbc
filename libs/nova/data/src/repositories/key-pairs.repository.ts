import type { Tx } from '@nestack/kernel/context';
import { execute, isUniqueViolation, sql, sqlOne } from '@nestack/kernel/db';
import { NovaError } from '@nestack/nova/contract';
import type { KeyPair, KeyPairRepository } from '@nestack/nova/domain';

const COLUMNS = 'id, user_id, name, type, fingerprint, public_key, created_at';
type Row = Omit<KeyPair, 'id'> & { readonly id: string | number };
const toKeyPair = (row: Row): KeyPair => ({ ...row, id: Number(row.id) });

/** Key pairs in PostgreSQL; private keys are never stored. */
export class KeyPairsRepository implements KeyPairRepository {
  async insert(tx: Tx, keyPair: Omit<KeyPair, 'id'>): Promise<KeyPair> {
    try {
      const row = await sqlOne<Row>(
        tx,
        `INSERT INTO key_pair (user_id, name, type, fingerprint, public_key, created_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${COLUMNS}`,
        [keyPair.user_id, keyPair.name, keyPair.type, keyPair.fingerprint, keyPair.public_key, keyPair.created_at],
      );
      if (row === null) throw new Error('the insert returned no row');
      return toKeyPair(row);
    } catch (error) {
      if (isUniqueViolation(error)) throw NovaError.KeyPairExists({ key_name: keyPair.name });
      throw error;
    }
  }

  async find(tx: Tx, userId: string, name: string): Promise<KeyPair | null> {
    const row = await sqlOne<Row>(tx, `SELECT ${COLUMNS} FROM key_pair WHERE user_id = $1 AND name = $2`, [
      userId,
      name,
    ]);
    return row === null ? null : toKeyPair(row);
  }

  async list(
    tx: Tx,
    userId: string,
    page: { readonly limit: number; readonly marker?: string },
  ): Promise<readonly KeyPair[]> {
    if (page.marker !== undefined && (await this.find(tx, userId, page.marker)) === null)
      throw NovaError.MarkerNotFound({ marker: page.marker });
    const rows = await sql<Row>(
      tx,
      `SELECT ${COLUMNS} FROM key_pair WHERE user_id = $1 AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3`,
      [userId, page.marker ?? null, page.limit],
    );
    return rows.map(toKeyPair);
  }

  async remove(tx: Tx, userId: string, name: string): Promise<boolean> {
    return (await execute(tx, 'DELETE FROM key_pair WHERE user_id = $1 AND name = $2', [userId, name])) > 0;
  }

  async lockCount(tx: Tx, userId: string): Promise<number> {
    await execute(tx, "SELECT pg_advisory_xact_lock(hashtextextended('keypairs:' || $1, 0))", [userId]);
    const row = await sqlOne<{ count: string }>(tx, 'SELECT count(*) AS count FROM key_pair WHERE user_id = $1', [
      userId,
    ]);
    return Number(row?.count ?? 0);
  }
}
