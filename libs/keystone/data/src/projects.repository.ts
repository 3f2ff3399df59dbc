import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { Project, ProjectInDomain, ProjectStore } from '@nestack/keystone/domain';
import { TableStore } from './table-store';

type Row = Project & { readonly d_id: string; readonly d_name: string; readonly d_enabled: boolean };

/** Projects and domains in PostgreSQL. */
export class ProjectsRepository extends TableStore<Project> implements ProjectStore {
  constructor() {
    super({
      table: 'project',
      kind: 'project',
      columns: [
        'id',
        'name',
        'domain_id',
        'parent_id',
        'is_domain',
        'enabled',
        'description',
        'tags',
        'options',
        'extra',
      ],
      json: ['options', 'extra'],
      clash: (row) =>
        `name ${row.name ?? ''}${row.domain_id === undefined || row.domain_id === null ? '' : ` at domain ID ${row.domain_id}`}`,
    });
  }

  async inDomain(tx: Tx, id: string): Promise<ProjectInDomain | null> {
    return this.joined(await sqlOne<Row>(tx, `${this.selected()} WHERE project.id = $1`, [id]));
  }

  async byName(
    tx: Tx,
    name: string,
    domain: { readonly id?: string; readonly name?: string },
  ): Promise<ProjectInDomain | null> {
    const row = await sqlOne<Row>(
      tx,
      `${this.selected()} WHERE project.name = $1 AND NOT project.is_domain
         AND ($2::text IS NULL OR d.id = $2) AND ($3::text IS NULL OR d.name = $3)`,
      [name, domain.id ?? null, domain.name ?? null],
    );
    return this.joined(row);
  }

  /** Users lose it as their default project. */
  override async remove(tx: Tx, id: string): Promise<boolean> {
    await execute(tx, 'UPDATE local_user SET default_project_id = NULL WHERE default_project_id = $1', [id]);
    return super.remove(tx, id);
  }

  async hasChildren(tx: Tx, id: string): Promise<boolean> {
    return (await sqlOne(tx, 'SELECT 1 FROM project WHERE parent_id = $1 LIMIT 1', [id])) !== null;
  }

  async ancestors(tx: Tx, id: string): Promise<Project[]> {
    return sql<Project>(
      tx,
      `WITH RECURSIVE lineage AS (
         SELECT id, parent_id, 0 AS distance FROM project WHERE id = $1
         UNION ALL SELECT p.id, p.parent_id, l.distance + 1 FROM project p JOIN lineage l ON p.id = l.parent_id
       )
       SELECT ${this.columns} FROM lineage JOIN project USING (id) WHERE distance > 0 ORDER BY distance`,
      [id],
    );
  }

  async descendants(tx: Tx, id: string): Promise<Project[]> {
    return sql<Project>(
      tx,
      `WITH RECURSIVE tree AS (
         SELECT id, 1 AS depth FROM project WHERE parent_id = $1
         UNION ALL SELECT p.id, t.depth + 1 FROM project p JOIN tree t ON p.parent_id = t.id
       )
       SELECT ${this.columns} FROM tree JOIN project USING (id) ORDER BY depth, seq`,
      [id],
    );
  }

  async emptyDomain(tx: Tx, id: string): Promise<void> {
    await execute(
      tx,
      `DELETE FROM assignment WHERE
         actor_id IN (SELECT id FROM local_user WHERE domain_id = $1 UNION ALL SELECT id FROM local_group WHERE domain_id = $1)
         OR target_id IN (SELECT id FROM project WHERE domain_id = $1)`,
      [id],
    );
    await execute(tx, 'DELETE FROM local_group WHERE domain_id = $1', [id]);
    await execute(tx, 'DELETE FROM local_user WHERE domain_id = $1', [id]);
    await execute(
      tx,
      `UPDATE local_user SET default_project_id = NULL WHERE default_project_id IN (SELECT id FROM project WHERE domain_id = $1)`,
      [id],
    );
    // All at once, so that no order of parents and children matters.
    await execute(tx, 'DELETE FROM project WHERE domain_id = $1', [id]);
    await execute(tx, 'DELETE FROM role WHERE domain_id = $1', [id]);
  }

  tree(
    tx: Tx,
  ): Promise<{ readonly id: string; readonly parent_id: string | null; readonly domain_id: string | null }[]> {
    return sql(tx, 'SELECT id, parent_id, domain_id FROM project');
  }

  private selected(): string {
    return `SELECT ${this.columns}, d.id AS d_id, d.name AS d_name, d.enabled AS d_enabled
            FROM project JOIN project d ON d.id = COALESCE(project.domain_id, project.id)`;
  }

  private joined(row: Row | null): ProjectInDomain | null {
    if (row === null) return null;
    const { d_id, d_name, d_enabled, ...project } = row;
    return { project, domain: { id: d_id, name: d_name, enabled: d_enabled } };
  }
}
