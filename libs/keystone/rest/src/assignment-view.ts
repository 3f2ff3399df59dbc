import type { NameTable, ShownAssignment } from '@nestack/keystone/domain';

/** An assignment on the wire, with names when a table of them is given. upstream: keystone/api/role_assignments.py */
export function assignmentView(base: string, one: ShownAssignment, names: NameTable | null): Record<string, unknown> {
  return {
    [one.actor_type]: reference(one.actor_id, names, true),
    role: reference(one.role_id, names, false),
    scope: scopeView(one, names),
    links: linksOf(base, one),
  };
}

function reference(id: string, names: NameTable | null, always: boolean): Record<string, unknown> {
  const known = names?.get(id);
  if (known === undefined) return { id };
  const domain = known.domain_id === null ? null : { id: known.domain_id, name: known.domain_name ?? '' };
  return { id, name: known.name, ...(domain === null && !always ? {} : domain === null ? {} : { domain }) };
}

function scopeView(one: ShownAssignment, names: NameTable | null): Record<string, unknown> {
  const inherited = one.inherited || one.from !== undefined ? { 'OS-INHERIT:inherited_to': 'projects' } : {};
  if (one.target_type === 'system') return { system: { all: true } };
  return { [one.target_type]: reference(one.target_id, names, false), ...inherited };
}

/** Where the assignment was made, and what made it an effective one. */
function linksOf(base: string, one: ShownAssignment): Record<string, string> {
  const from = one.from ?? { type: one.target_type, id: one.target_id };
  const inherited = one.inherited || one.from !== undefined;
  const actor = one.through_group === undefined ? `${one.actor_type}s/${one.actor_id}` : `groups/${one.through_group}`;
  const place = from.type === 'system' ? 'system' : `${from.type}s/${from.id}`;
  const role = `roles/${one.granted_role ?? one.role_id}`;
  return {
    assignment: inherited
      ? `${base}/OS-INHERIT/${place}/${actor}/${role}/inherited_to_projects`
      : `${base}/${place}/${actor}/${role}`,
    ...(one.through_group === undefined
      ? {}
      : { membership: `${base}/groups/${one.through_group}/users/${one.actor_id}` }),
    ...(one.prior_role === undefined
      ? {}
      : { prior_role: `${base}/prior_role/${one.prior_role}/implies/${one.role_id}` }),
  };
}
