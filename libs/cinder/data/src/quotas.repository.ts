import type { Tx } from '@nestack/kernel/context';
import { execute, sql } from '@nestack/kernel/db';
import type { QuotaRepository } from '@nestack/cinder/domain';

/** Under this name the limits of all projects are kept that have none of their own. */
const DEFAULT = 'default';

/** Limits and their use in PostgreSQL. */
export class QuotasRepository implements QuotaRepository {
  async limits(tx: Tx, projectId: string): Promise<Readonly<Record<string, number>>> {
    const rows = await sql<{ project_id: string; resource: string; hard_limit: number }>(
      tx,
      `SELECT resource, hard_limit::float8 AS hard_limit FROM quota_limit WHERE project_id IN ($1, $2) ORDER BY (project_id = $1)`,
      [projectId, DEFAULT],
    );
    return Object.fromEntries(rows.map((row) => [row.resource, row.hard_limit]));
  }

  async setLimits(tx: Tx, projectId: string, limits: Readonly<Record<string, number>>): Promise<void> {
    const resources = Object.keys(limits).sort();
    await execute(
      tx,
      `INSERT INTO quota_limit (project_id, resource, hard_limit)
       SELECT $1, resource, hard_limit FROM unnest($2::text[], $3::bigint[]) AS one (resource, hard_limit)
       ON CONFLICT (project_id, resource) DO UPDATE SET hard_limit = EXCLUDED.hard_limit`,
      [projectId, resources, resources.map((resource) => limits[resource])],
    );
  }

  async clear(tx: Tx, projectId: string): Promise<void> {
    await execute(tx, 'DELETE FROM quota_limit WHERE project_id = $1', [projectId]);
  }

  async usage(tx: Tx, projectId: string): Promise<Readonly<Record<string, number>>> {
    const rows = await sql<{ resource: string; in_use: number }>(
      tx,
      'SELECT resource, in_use::float8 AS in_use FROM quota_usage WHERE project_id = $1',
      [projectId],
    );
    return Object.fromEntries(rows.map((row) => [row.resource, row.in_use]));
  }

  async add(
    tx: Tx,
    projectId: string,
    deltas: Readonly<Record<string, number>>,
  ): Promise<Readonly<Record<string, number>>> {
    // One order for all, so that two requests never wait for each other.
    const resources = Object.keys(deltas).sort();
    const rows = await sql<{ resource: string; in_use: number }>(
      tx,
      `INSERT INTO quota_usage (project_id, resource, in_use)
       SELECT $1, resource, GREATEST(delta, 0) FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS one (resource, delta, at) ORDER BY at
       ON CONFLICT (project_id, resource) DO UPDATE SET in_use = GREATEST(quota_usage.in_use + ($4::jsonb->>EXCLUDED.resource)::bigint, 0)
       RETURNING resource, in_use::float8 AS in_use`,
      [projectId, resources, resources.map((resource) => deltas[resource]), JSON.stringify(deltas)],
    );
    return Object.fromEntries(rows.map((row) => [row.resource, row.in_use]));
  }

  async rename(tx: Tx, from: string, to: string): Promise<void> {
    for (const table of ['quota_limit', 'quota_usage'])
      await execute(tx, `UPDATE ${table} SET resource = $2 WHERE resource = $1`, [from, to]);
  }
}
