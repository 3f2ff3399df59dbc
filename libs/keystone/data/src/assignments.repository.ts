import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { Assignment, AssignmentFilter, AssignmentStore, Project, RoleRef, Scope } from '@nestack/keystone/domain';
import type { ProjectsRepository } from './projects.repository';
import { ROLES_OF, scopeParams } from './roles-of';
import { Params } from './table-store';

const COLUMNS = 'actor_type, actor_id, target_type, target_id, role_id, inherited';

/** Who has which role where, in PostgreSQL. */
export class AssignmentsRepository implements AssignmentStore {
  constructor(private readonly projects: ProjectsRepository) {}

  async add(tx: Tx, one: Assignment): Promise<boolean> {
    const added = await execute(
      tx,
      `INSERT INTO assignment (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
      valuesOf(one),
    );
    return added > 0;
  }

  async remove(tx: Tx, one: Assignment): Promise<boolean> {
    return (
      (await execute(tx, `DELETE FROM assignment WHERE (${COLUMNS}) = ($1, $2, $3, $4, $5, $6)`, valuesOf(one))) > 0
    );
  }

  async has(tx: Tx, one: Assignment): Promise<boolean> {
    const text = `SELECT 1 FROM assignment WHERE (${COLUMNS}) = ($1, $2, $3, $4, $5, $6)`;
    return (await sqlOne(tx, text, valuesOf(one))) !== null;
  }

  async list(tx: Tx, filter: AssignmentFilter): Promise<Assignment[]> {
    const params = new Params();
    const where: string[] = [];
    if (filter.actors !== undefined) where.push(`actor_id = ANY (${params.add(filter.actors)}::text[])`);
    if (filter.targets !== undefined) where.push(`target_id = ANY (${params.add(filter.targets)}::text[])`);
    for (const field of ['actor_type', 'target_type', 'role_id', 'inherited'] as const) {
      if (filter[field] !== undefined) where.push(`${field} = ${params.add(filter[field])}`);
    }
    return sql<Assignment>(
      tx,
      `SELECT ${COLUMNS} FROM assignment ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`} ORDER BY seq`,
      params.values,
    );
  }

  async forget(
    tx: Tx,
    what: { readonly actor?: string; readonly target?: string; readonly role?: string },
  ): Promise<void> {
    await execute(
      tx,
      'DELETE FROM assignment WHERE ($1::text IS NULL OR actor_id = $1) AND ($2::text IS NULL OR target_id = $2) AND ($3::text IS NULL OR role_id = $3)',
      [what.actor ?? null, what.target ?? null, what.role ?? null],
    );
  }

  async rolesOf(tx: Tx, userId: string, scope: Scope): Promise<RoleRef[]> {
    if (scope.type === 'unscoped') return [];
    return sql<RoleRef>(
      tx,
      `WITH RECURSIVE ${ROLES_OF}
       SELECT r.id, r.name, r.domain_id FROM role r JOIN held ON held.role_id = r.id WHERE r.domain_id IS NULL ORDER BY r.seq`,
      [userId, ...scopeParams(scope)],
    );
  }

  async scopesOf(
    tx: Tx,
    userId: string,
  ): Promise<{ readonly projects: Project[]; readonly domains: Project[]; readonly system: boolean }> {
    const rows = await sql<Project & { readonly target_type: string }>(
      tx,
      `WITH RECURSIVE actor AS (
         SELECT $1::text AS id UNION ALL SELECT group_id FROM membership WHERE user_id = $1
       ), granted AS (
         SELECT DISTINCT a.target_type, a.target_id, a.inherited FROM assignment a JOIN actor ON actor.id = a.actor_id
       ), reached AS (
         SELECT p.id FROM project p JOIN granted g ON g.inherited AND p.parent_id = g.target_id
         UNION SELECT p.id FROM project p JOIN reached ON p.parent_id = reached.id
       ), target AS (
         SELECT target_type, target_id FROM granted WHERE NOT inherited AND target_type <> 'system'
         UNION SELECT 'project', id FROM reached
       )
       SELECT target.target_type, ${this.projects.columnsOf('p')} FROM target JOIN project p ON p.id = target.target_id ORDER BY p.seq`,
      [userId],
    );
    const system = await this.rolesOf(tx, userId, { type: 'system' });
    const of = (type: string): Project[] =>
      rows.filter((row) => row.target_type === type).map(({ target_type: _, ...project }) => project);
    return { projects: of('project'), domains: of('domain'), system: system.length > 0 };
  }

  implied(tx: Tx): Promise<{ readonly prior_role_id: string; readonly implied_role_id: string }[]> {
    return sql(tx, 'SELECT prior_role_id, implied_role_id FROM implied_role');
  }

  async addImplied(tx: Tx, prior: string, implied: string): Promise<void> {
    await execute(
      tx,
      'INSERT INTO implied_role (prior_role_id, implied_role_id) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [prior, implied],
    );
  }

  async removeImplied(tx: Tx, prior: string, implied: string): Promise<boolean> {
    const text = 'DELETE FROM implied_role WHERE prior_role_id = $1 AND implied_role_id = $2';
    return (await execute(tx, text, [prior, implied])) > 0;
  }
}

function valuesOf(one: Assignment): unknown[] {
  return [one.actor_type, one.actor_id, one.target_type, one.target_id, one.role_id, one.inherited];
}
