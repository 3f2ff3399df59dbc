import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { EndpointFilterStore, Restriction } from '@nestack/keystone/domain';

/**
 * The endpoints that project $1 was given: itself, or with a group whose filters they meet. An expression for a WITH
 * clause, named `picked`.
 */
export const PICKED = `picked AS (
    SELECT source_id AS id FROM project_endpoint WHERE project_id = $1 AND kind = 'endpoint'
    UNION
    SELECT e.id FROM project_endpoint l JOIN endpoint_group g ON l.kind = 'endpoint_group' AND g.id = l.source_id
      JOIN endpoint e ON COALESCE(g.filters->>'interface', e.interface) = e.interface
        AND COALESCE(g.filters->>'service_id', e.service_id) = e.service_id
        AND (g.filters->>'region_id' IS NULL OR g.filters->>'region_id' = e.region_id)
      WHERE l.project_id = $1
  )`;

/** Restrictions of projects' catalogues in PostgreSQL. */
export class EndpointFilterRepository implements EndpointFilterStore {
  async add(tx: Tx, kind: Restriction, id: string, projectId: string): Promise<void> {
    const text =
      'INSERT INTO project_endpoint (kind, source_id, project_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING';
    await execute(tx, text, [kind, id, projectId]);
  }

  async has(tx: Tx, kind: Restriction, id: string, projectId: string): Promise<boolean> {
    const text = 'SELECT 1 FROM project_endpoint WHERE kind = $1 AND source_id = $2 AND project_id = $3';
    return (await sqlOne(tx, text, [kind, id, projectId])) !== null;
  }

  async remove(tx: Tx, kind: Restriction, id: string, projectId: string): Promise<boolean> {
    const text = 'DELETE FROM project_endpoint WHERE kind = $1 AND source_id = $2 AND project_id = $3';
    return (await execute(tx, text, [kind, id, projectId])) > 0;
  }

  projectsOf(tx: Tx, kind: Restriction, id: string): Promise<string[]> {
    return ids(tx, 'SELECT project_id AS id FROM project_endpoint WHERE kind = $1 AND source_id = $2', [kind, id]);
  }

  endpointsOf(tx: Tx, projectId: string): Promise<string[]> {
    return ids(tx, `WITH ${PICKED} SELECT id FROM picked`, [projectId]);
  }

  groupsOf(tx: Tx, projectId: string): Promise<string[]> {
    const text = `SELECT source_id AS id FROM project_endpoint WHERE kind = 'endpoint_group' AND project_id = $1`;
    return ids(tx, text, [projectId]);
  }
}

async function ids(tx: Tx, text: string, params: readonly unknown[]): Promise<string[]> {
  return (await sql<{ id: string }>(tx, text, params)).map((row) => row.id);
}
