import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { Inventory, InventoryRepository, NewInventory } from '@nestack/placement/domain';

// `used` is a bigint, which the driver would hand over as text.
const COLUMNS =
  'resource_class, total, reserved, min_unit, max_unit, step_size, allocation_ratio, used::float8 AS used, created_at, updated_at';

/** Inventories in PostgreSQL. */
export class InventoriesRepository implements InventoryRepository {
  async of(tx: Tx, providerId: number): Promise<readonly Inventory[]> {
    return sql<Inventory>(tx, `SELECT ${COLUMNS} FROM inventory WHERE provider_id = $1 ORDER BY resource_class`, [
      providerId,
    ]);
  }

  async find(tx: Tx, providerId: number, resourceClass: string): Promise<Inventory | null> {
    return sqlOne<Inventory>(tx, `SELECT ${COLUMNS} FROM inventory WHERE provider_id = $1 AND resource_class = $2`, [
      providerId,
      resourceClass,
    ]);
  }

  async put(tx: Tx, providerId: number, inventories: readonly NewInventory[]): Promise<void> {
    await execute(
      tx,
      `INSERT INTO inventory (provider_id, resource_class, total, reserved, min_unit, max_unit, step_size, allocation_ratio)
       SELECT $1, n.resource_class, n.total, n.reserved, n.min_unit, n.max_unit, n.step_size, n.allocation_ratio
       FROM jsonb_to_recordset($2::jsonb) AS n (resource_class text, total integer, reserved integer, min_unit integer,
         max_unit integer, step_size integer, allocation_ratio double precision)
       ON CONFLICT (provider_id, resource_class) DO UPDATE SET total = EXCLUDED.total, reserved = EXCLUDED.reserved,
         min_unit = EXCLUDED.min_unit, max_unit = EXCLUDED.max_unit, step_size = EXCLUDED.step_size,
         allocation_ratio = EXCLUDED.allocation_ratio, updated_at = clock_timestamp()`,
      [providerId, JSON.stringify(inventories)],
    );
  }

  async remove(tx: Tx, providerId: number, resourceClasses: readonly string[]): Promise<void> {
    await execute(tx, 'DELETE FROM inventory WHERE provider_id = $1 AND resource_class = ANY ($2::text[])', [
      providerId,
      resourceClasses,
    ]);
  }
}
