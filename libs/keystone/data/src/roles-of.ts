import { SYSTEM, type Scope } from '@nestack/keystone/domain';

/**
 * Common table expressions that end in `held`: the roles of user $1 on the target $3 of type $2: direct ones, those of the
 * user's groups, those inherited from above, and what all these imply.
 */
export const ROLES_OF = `
  actor AS (
    SELECT $1::text AS id UNION ALL SELECT group_id FROM membership WHERE user_id = $1
  ), lineage AS (
    SELECT parent_id AS id FROM project WHERE id = $3 AND $2::text = 'project'
    UNION ALL SELECT p.parent_id FROM project p JOIN lineage ON p.id = lineage.id
  ), granted AS (
    SELECT a.role_id FROM assignment a JOIN actor ON actor.id = a.actor_id
    WHERE a.target_type = $2 AND a.target_id = $3 AND NOT a.inherited
    UNION
    SELECT a.role_id FROM assignment a JOIN actor ON actor.id = a.actor_id JOIN lineage ON lineage.id = a.target_id
    WHERE a.inherited
  ), held AS (
    SELECT role_id FROM granted
    UNION SELECT i.implied_role_id FROM implied_role i JOIN held ON held.role_id = i.prior_role_id
  )`;

/** The values of $2 and $3. */
export function scopeParams(scope: Scope): [string, string] {
  switch (scope.type) {
    case 'project':
    case 'domain':
      return [scope.type, scope.id];
    case 'system':
      return [scope.type, SYSTEM];
    case 'unscoped':
      return ['', ''];
  }
}
