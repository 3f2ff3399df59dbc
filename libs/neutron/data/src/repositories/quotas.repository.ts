import type { Tx } from '@nestack/kernel/context';
import { execute, sql } from '@nestack/kernel/db';
import type { QuotaResource } from '@nestack/neutron/contract';
import type { QuotaRepository } from '@nestack/neutron/domain';

type Some = Partial<Record<QuotaResource, number>>;

/** Limits and usage in PostgreSQL; usage is kept by triggers. */
export class QuotasRepository implements QuotaRepository {
  async limits(tx: Tx, projectId: string): Promise<Some> {
    const rows = await sql<{ resource: QuotaResource; value: number }>(
      tx,
      'SELECT resource, hard_limit AS value FROM quota WHERE project_id = $1',
      [projectId],
    );
    return Object.fromEntries(rows.map((row) => [row.resource, row.value]));
  }

  async allLimits(tx: Tx): Promise<ReadonlyMap<string, Some>> {
    const rows = await sql<{ project_id: string; resource: QuotaResource; value: number }>(
      tx,
      'SELECT project_id, resource, hard_limit AS value FROM quota ORDER BY project_id',
    );
    const all = new Map<string, Some>();
    for (const row of rows) all.set(row.project_id, { ...all.get(row.project_id), [row.resource]: row.value });
    return all;
  }

  async usage(tx: Tx, projectId: string): Promise<Some> {
    const rows = await sql<{ resource: QuotaResource; value: number }>(
      tx,
      'SELECT resource, used AS value FROM quota_usage WHERE project_id = $1',
      [projectId],
    );
    return Object.fromEntries(rows.map((row) => [row.resource, row.value]));
  }

  async setLimits(tx: Tx, projectId: string, limits: Some): Promise<void> {
    await execute(
      tx,
      `INSERT INTO quota (project_id, resource, hard_limit)
       SELECT $1, q.resource, q.value FROM unnest($2::text[], $3::integer[]) AS q (resource, value)
       ON CONFLICT (project_id, resource) DO UPDATE SET hard_limit = excluded.hard_limit`,
      [projectId, Object.keys(limits), Object.values(limits)],
    );
  }

  async removeLimits(tx: Tx, projectId: string): Promise<boolean> {
    return (await execute(tx, 'DELETE FROM quota WHERE project_id = $1', [projectId])) > 0;
  }

  async standing(tx: Tx, projectId: string, resources: readonly QuotaResource[]) {
    return sql<{ resource: QuotaResource; used: number; limit: number | null }>(
      tx,
      `SELECT u.resource, u.used, q.hard_limit AS "limit" FROM quota_usage u
         LEFT JOIN quota q ON q.project_id = u.project_id AND q.resource = u.resource
       WHERE u.project_id = $1 AND u.resource = ANY($2::text[]) ORDER BY u.resource`,
      [projectId, resources],
    );
  }
}
