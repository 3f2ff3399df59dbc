import type { Tx } from '@nestack/kernel/context';
import { execute, isUniqueViolation, sql, sqlOne } from '@nestack/kernel/db';
import { NovaError } from '@nestack/nova/contract';
import type { Flavor, FlavorQuery, FlavorRepository } from '@nestack/nova/domain';

const NAMES = [
  'flavor_id',
  'name',
  'vcpus',
  'memory_mb',
  'root_gb',
  'ephemeral_gb',
  'swap_mb',
  'rxtx_factor',
  'is_public',
  'disabled',
  'description',
  'extra_specs',
  'created_at',
  'updated_at',
] as const;
const COLUMNS = NAMES.join(', ');
/** Sort keys of the wire. upstream: nova/api/openstack/compute/flavors.py */
const SORT: Readonly<Record<string, string>> = {
  flavorid: 'flavor_id',
  id: 'flavor_id',
  name: 'name',
  memory_mb: 'memory_mb',
  vcpus: 'vcpus',
  root_gb: 'root_gb',
  ephemeral_gb: 'ephemeral_gb',
  swap: 'swap_mb',
  rxtx_factor: 'rxtx_factor',
  is_public: 'is_public',
  disabled: 'disabled',
  created_at: 'created_at',
  updated_at: "COALESCE(updated_at, '-infinity')",
  description: "COALESCE(description, '')",
  // Flavors of today have no weight.
  vcpu_weight: '0::int',
};

/** Flavors in PostgreSQL. */
export class FlavorsRepository implements FlavorRepository {
  async insert(tx: Tx, flavor: Flavor): Promise<void> {
    try {
      await execute(
        tx,
        `INSERT INTO flavor (${COLUMNS}) VALUES (${NAMES.map((_, at) => `$${at + 1}`).join(', ')})`,
        NAMES.map((name) => (name === 'extra_specs' ? JSON.stringify(flavor.extra_specs) : flavor[name])),
      );
    } catch (error) {
      if (isUniqueViolation(error, 'flavor_name')) throw NovaError.FlavorExists({ name: flavor.name });
      if (isUniqueViolation(error)) throw NovaError.FlavorIdExists({ flavor_id: flavor.flavor_id });
      throw error;
    }
  }

  find(tx: Tx, flavorId: string): Promise<Flavor | null> {
    return sqlOne<Flavor>(tx, `SELECT ${COLUMNS} FROM flavor WHERE flavor_id = $1`, [flavorId]);
  }

  async list(tx: Tx, query: FlavorQuery): Promise<readonly Flavor[]> {
    const column = SORT[query.sort_key];
    if (column === undefined) throw NovaError.InvalidSortKey();
    const params: unknown[] = [];
    const where: string[] = [];
    const put = (value: unknown): string => `$${params.push(value)}`;
    if (query.is_public === true && query.project_id !== null) {
      where.push(
        `(is_public OR EXISTS (SELECT 1 FROM flavor_access a WHERE a.flavor_id = flavor.flavor_id AND a.project_id = ${put(query.project_id)}))`,
      );
    } else if (query.is_public !== null) {
      where.push(`is_public = ${put(query.is_public)}`);
    }
    if (query.min_disk !== undefined) where.push(`root_gb >= ${put(query.min_disk)}`);
    if (query.min_ram !== undefined) where.push(`memory_mb >= ${put(query.min_ram)}`);
    const dir = query.sort_dir === 'desc' ? 'DESC' : 'ASC';
    if (query.marker !== undefined) {
      const marker = await this.find(tx, query.marker);
      if (marker === null) throw NovaError.ListMarkerNotFound({ marker: query.marker });
      const m = put(query.marker);
      where.push(
        `(${column}, flavor_id) ${dir === 'ASC' ? '>' : '<'} (SELECT ${column}, flavor_id FROM flavor WHERE flavor_id = ${m})`,
      );
    }
    return sql<Flavor>(
      tx,
      `SELECT ${COLUMNS} FROM flavor WHERE ${where.length === 0 ? 'TRUE' : where.join(' AND ')} ORDER BY ${column} ${dir}, flavor_id ${dir} LIMIT ${put(query.limit)}`,
      params,
    );
  }

  update(
    tx: Tx,
    flavorId: string,
    patch: Partial<Pick<Flavor, 'description' | 'extra_specs'>>,
  ): Promise<Flavor | null> {
    const params: unknown[] = [flavorId];
    const set: string[] = ['updated_at = clock_timestamp()'];
    if ('description' in patch) set.push(`description = $${params.push(patch.description ?? null)}`);
    if (patch.extra_specs !== undefined) set.push(`extra_specs = $${params.push(JSON.stringify(patch.extra_specs))}`);
    return sqlOne<Flavor>(tx, `UPDATE flavor SET ${set.join(', ')} WHERE flavor_id = $1 RETURNING ${COLUMNS}`, params);
  }

  async remove(tx: Tx, flavorId: string): Promise<boolean> {
    return (await execute(tx, 'DELETE FROM flavor WHERE flavor_id = $1', [flavorId])) > 0;
  }

  async access(tx: Tx, flavorId: string): Promise<readonly string[]> {
    const rows = await sql<{ project_id: string }>(
      tx,
      'SELECT project_id FROM flavor_access WHERE flavor_id = $1 ORDER BY project_id',
      [flavorId],
    );
    return rows.map((row) => row.project_id);
  }

  async addAccess(tx: Tx, flavorId: string, projectId: string): Promise<boolean> {
    return (
      (await execute(tx, 'INSERT INTO flavor_access (flavor_id, project_id) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
        flavorId,
        projectId,
      ])) > 0
    );
  }

  async removeAccess(tx: Tx, flavorId: string, projectId: string): Promise<boolean> {
    return (
      (await execute(tx, 'DELETE FROM flavor_access WHERE flavor_id = $1 AND project_id = $2', [flavorId, projectId])) >
      0
    );
  }
}
