import type { Tx } from '@nestack/kernel/context';
import { execute, sql } from '@nestack/kernel/db';
import type { QuotaRepository } from '@nestack/nova/domain';

type Row = { readonly resource: string; readonly hard_limit: number };
const toLimits = (rows: readonly Row[]): Record<string, number> =>
  Object.fromEntries(rows.map((row) => [row.resource, row.hard_limit]));

/** Quota limits in PostgreSQL. */
export class QuotasRepository implements QuotaRepository {
  async limits(tx: Tx, projectId: string, userId: string | null): ReturnType<QuotaRepository['limits']> {
    const rows = await sql<Row & { readonly of_user: boolean }>(
      tx,
      `SELECT resource, hard_limit, false AS of_user FROM quota WHERE project_id = $1
       UNION ALL SELECT c.resource, c.hard_limit, false FROM quota_class c WHERE c.class_name = 'default'
         AND NOT EXISTS (SELECT 1 FROM quota q WHERE q.project_id = $1 AND q.resource = c.resource)
       UNION ALL SELECT resource, hard_limit, true FROM quota_of_user WHERE project_id = $1 AND user_id = $2`,
      [projectId, userId],
    );
    const of = (user: boolean) => toLimits(rows.filter((row) => row.of_user === user));
    return { project: of(false), user: of(true) };
  }

  async givenToUsers(tx: Tx, projectId: string): Promise<Readonly<Record<string, number>>> {
    return toLimits(
      await sql<Row>(
        tx,
        'SELECT resource, sum(hard_limit)::int AS hard_limit FROM quota_of_user WHERE project_id = $1 GROUP BY resource',
        [projectId],
      ),
    );
  }

  async classLimits(tx: Tx, className: string): Promise<Readonly<Record<string, number>>> {
    return toLimits(
      await sql<Row>(tx, 'SELECT resource, hard_limit FROM quota_class WHERE class_name = $1', [className]),
    );
  }

  async set(tx: Tx, projectId: string, userId: string | null, limits: Readonly<Record<string, number>>): Promise<void> {
    if (userId === null) {
      await execute(
        tx,
        `INSERT INTO quota (project_id, resource, hard_limit) SELECT $1, key, value::int FROM jsonb_each_text($2::jsonb)
         ON CONFLICT (project_id, resource) DO UPDATE SET hard_limit = EXCLUDED.hard_limit`,
        [projectId, JSON.stringify(limits)],
      );
      return;
    }
    await execute(
      tx,
      `INSERT INTO quota_of_user (project_id, user_id, resource, hard_limit)
       SELECT $1, $2, key, value::int FROM jsonb_each_text($3::jsonb)
       ON CONFLICT (project_id, user_id, resource) DO UPDATE SET hard_limit = EXCLUDED.hard_limit`,
      [projectId, userId, JSON.stringify(limits)],
    );
  }

  async setClass(tx: Tx, className: string, limits: Readonly<Record<string, number>>): Promise<void> {
    await execute(
      tx,
      `INSERT INTO quota_class (class_name, resource, hard_limit) SELECT $1, key, value::int FROM jsonb_each_text($2::jsonb)
       ON CONFLICT (class_name, resource) DO UPDATE SET hard_limit = EXCLUDED.hard_limit`,
      [className, JSON.stringify(limits)],
    );
  }

  async clear(tx: Tx, projectId: string, userId: string | null): Promise<void> {
    if (userId === null) await execute(tx, 'DELETE FROM quota WHERE project_id = $1', [projectId]);
    await execute(tx, 'DELETE FROM quota_of_user WHERE project_id = $1 AND ($2::text IS NULL OR user_id = $2)', [
      projectId,
      userId,
    ]);
  }
}
