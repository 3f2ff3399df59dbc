import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import type { QosRepository, QosSpec } from '@nestack/cinder/domain';

const COLUMNS = 'id, name, consumer, specs';

/** QoS specifications in PostgreSQL. */
export class QosSpecsRepository implements QosRepository {
  async insert(tx: Tx, qos: QosSpec): Promise<boolean> {
    const made = await execute(
      tx,
      'INSERT INTO qos_spec (id, name, consumer, specs) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING',
      [qos.id, qos.name, qos.consumer, JSON.stringify(qos.specs)],
    );
    return made === 1;
  }

  find(tx: Tx, id: string): Promise<QosSpec | null> {
    return sqlOne<QosSpec>(tx, `SELECT ${COLUMNS} FROM qos_spec WHERE id = $1`, [id]);
  }

  list(
    tx: Tx,
    page: { readonly limit: number; readonly offset: number; readonly marker: string | null },
  ): Promise<readonly QosSpec[]> {
    return sql<QosSpec>(
      tx,
      `SELECT ${COLUMNS} FROM qos_spec q WHERE $1::uuid IS NULL
         OR (q.created_at, q.id) < (SELECT m.created_at, m.id FROM qos_spec m WHERE m.id = $1)
       ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3`,
      [isUuidLike(page.marker) ? page.marker : null, page.limit, page.offset],
    );
  }

  async update(tx: Tx, qos: QosSpec): Promise<void> {
    await execute(tx, 'UPDATE qos_spec SET consumer = $2, specs = $3 WHERE id = $1', [
      qos.id,
      qos.consumer,
      JSON.stringify(qos.specs),
    ]);
  }

  async remove(tx: Tx, id: string): Promise<void> {
    await execute(tx, 'DELETE FROM qos_spec WHERE id = $1', [id]);
  }
}
