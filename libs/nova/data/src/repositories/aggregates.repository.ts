import type { Tx } from '@nestack/kernel/context';
import { execute, isUniqueViolation, sql, sqlOne } from '@nestack/kernel/db';
import { NovaError } from '@nestack/nova/contract';
import type { Aggregate, AggregateRepository } from '@nestack/nova/domain';

const COLUMNS = 'id, uuid, name, hosts, metadata, created_at, updated_at';
type Row = Omit<Aggregate, 'id'> & { readonly id: string | number };
const toAggregate = (row: Row): Aggregate => ({ ...row, id: Number(row.id) });

/** Host aggregates in PostgreSQL. */
export class AggregatesRepository implements AggregateRepository {
  async list(tx: Tx): Promise<readonly Aggregate[]> {
    return (await sql<Row>(tx, `SELECT ${COLUMNS} FROM host_aggregate ORDER BY id`)).map(toAggregate);
  }

  async find(tx: Tx, id: string, lock: boolean): Promise<Aggregate | null> {
    // One change at a time: the zone of a host follows from all aggregates.
    if (lock) await execute(tx, 'LOCK TABLE host_aggregate IN SHARE ROW EXCLUSIVE MODE');
    const row = await sqlOne<Row>(tx, `SELECT ${COLUMNS} FROM host_aggregate WHERE id::text = $1`, [id]);
    return row === null ? null : toAggregate(row);
  }

  async insert(tx: Tx, aggregate: Omit<Aggregate, 'id' | 'updated_at'>): Promise<Aggregate> {
    const { uuid, name, hosts, metadata, created_at: at } = aggregate;
    return this.named(name, () =>
      sqlOne<Row>(
        tx,
        `INSERT INTO host_aggregate (uuid, name, hosts, metadata, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING ${COLUMNS}`,
        [uuid, name, JSON.stringify(hosts), JSON.stringify(metadata), at],
      ),
    );
  }

  async update(tx: Tx, id: number, patch: Partial<Pick<Aggregate, 'name' | 'hosts' | 'metadata'>>): Promise<Aggregate> {
    const params: unknown[] = [id];
    const set = ['updated_at = clock_timestamp()'];
    if (patch.name !== undefined) set.push(`name = $${params.push(patch.name)}`);
    if (patch.hosts !== undefined) set.push(`hosts = $${params.push(JSON.stringify(patch.hosts))}`);
    if (patch.metadata !== undefined) set.push(`metadata = $${params.push(JSON.stringify(patch.metadata))}`);
    return this.named(patch.name ?? '', () =>
      sqlOne<Row>(tx, `UPDATE host_aggregate SET ${set.join(', ')} WHERE id = $1 RETURNING ${COLUMNS}`, params),
    );
  }

  async remove(tx: Tx, id: number): Promise<void> {
    await execute(tx, 'DELETE FROM host_aggregate WHERE id = $1', [id]);
  }

  private async named(name: string, write: () => Promise<Row | null>): Promise<Aggregate> {
    try {
      const row = await write();
      if (row === null) throw new Error('the statement returned no row');
      return toAggregate(row);
    } catch (error) {
      if (isUniqueViolation(error)) throw NovaError.AggregateNameExists({ aggregate_name: name });
      throw error;
    }
  }
}
