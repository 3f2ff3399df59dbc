import { operation, type Operation } from '@nestack/kernel/http';
import Type from 'typebox';
import {
  Description,
  Id,
  ListLinks,
  Name,
  Nullable,
  Options,
  SelfLink,
  allOf,
  crudOperations,
  filters,
  text,
  Extensible,
} from './common';

export const Role = Extensible({
  id: Type.String(),
  name: Type.String(),
  domain_id: Nullable(Type.String()),
  description: Nullable(Type.String()),
  options: Type.Record(Type.String(), Type.Unknown()),
  links: SelfLink,
});
export const roles = crudOperations({
  noun: 'Role',
  plural: 'Roles',
  key: 'role',
  collection: 'roles',
  query: filters({ name: text, domain_id: text }),
  create: Type.Object({
    name: Name,
    domain_id: Type.Optional(Nullable(Id)),
    description: Description,
    options: Options,
  }),
  update: Type.Object(
    { name: Type.Optional(Name), domain_id: Type.Optional(Nullable(Id)), description: Description, options: Options },
    { minProperties: 1 },
  ),
  resource: Role,
  policies: {
    list: 'identity:list_roles',
    get: 'identity:get_role',
    create: 'identity:create_role',
    update: 'identity:update_role',
    delete: 'identity:delete_role',
  },
});

const ImpliedRole = Type.Object({ id: Type.String(), name: Type.String(), links: SelfLink });
const Inferences = Type.Object({ prior_role: ImpliedRole, implies: Type.Array(ImpliedRole) });
const Inference = Type.Object({
  role_inference: Type.Object({ prior_role: ImpliedRole, implies: ImpliedRole }),
  links: SelfLink,
});

const implies = '/roles/{prior_role_id}/implies';
export const listImpliedRoles = operation({
  id: 'listImpliedRoles',
  summary: 'List the roles that a role implies',
  method: 'GET',
  path: implies,
  response: Type.Object({ role_inference: Inferences, links: SelfLink }),
  status: 200,
  policy: 'identity:list_implied_roles',
});
export const createImpliedRole = operation({
  id: 'createImpliedRole',
  summary: 'Let a role imply another',
  method: 'PUT',
  path: `${implies}/{implied_role_id}`,
  response: Inference,
  status: 201,
  policy: 'identity:create_implied_role',
});
export const showImpliedRole = operation({
  id: 'showImpliedRole',
  summary: 'Show that a role implies another',
  method: 'GET',
  path: `${implies}/{implied_role_id}`,
  response: Inference,
  status: 200,
  policy: 'identity:get_implied_role',
});
/** HEAD answers 204 where GET answers 200. */
export const checkImpliedRole = operation({
  id: 'checkImpliedRole',
  summary: 'Check that a role implies another',
  method: 'HEAD',
  path: `${implies}/{implied_role_id}`,
  status: 204,
  policy: 'identity:check_implied_role',
});
export const deleteImpliedRole = operation({
  id: 'deleteImpliedRole',
  summary: 'Let a role no longer imply another',
  method: 'DELETE',
  path: `${implies}/{implied_role_id}`,
  status: 204,
  policy: 'identity:delete_implied_role',
});
export const listRoleInferences = operation({
  id: 'listRoleInferences',
  summary: 'List all implied roles',
  method: 'GET',
  path: '/role_inferences',
  response: Type.Object({ role_inferences: Type.Array(Inferences), links: SelfLink }),
  status: 200,
  policy: 'identity:list_role_inference_rules',
});
export const listRoleAssignments = operation({
  id: 'listRoleAssignments',
  summary: 'List role assignments',
  method: 'GET',
  path: '/role_assignments',
  query: filters({
    'user.id': text,
    'group.id': text,
    'role.id': text,
    'scope.project.id': text,
    'scope.domain.id': text,
    'scope.system': text,
    'scope.OS-INHERIT:inherited_to': text,
    effective: text,
    include_names: text,
    include_subtree: text,
  }),
  response: Type.Object({ role_assignments: Type.Array(Type.Unknown()), links: ListLinks }),
  status: 200,
});

/** Where a role is granted, to whom, and whether for the target itself or for the projects below it. */
export interface GrantKind {
  readonly target: 'project' | 'domain' | 'system';
  readonly actor: 'user' | 'group';
  readonly inherited: boolean;
}

export interface GrantOperations extends GrantKind {
  readonly list: Operation;
  readonly add: Operation;
  readonly check: Operation;
  readonly remove: Operation;
}

function grantOperationsOf(kind: GrantKind): GrantOperations {
  const { target, actor, inherited } = kind;
  const place = target === 'system' ? '/system' : `/${target}s/{${target}_id}`;
  const base = `${inherited ? '/OS-INHERIT' : ''}${place}/${actor}s/{${actor}_id}/roles`;
  const list = inherited ? `${base}/inherited_to_projects` : base;
  const one = `${base}/{role_id}${inherited ? '/inherited_to_projects' : ''}`;
  const id = `${target[0]?.toUpperCase()}${target.slice(1)}${actor[0]?.toUpperCase()}${actor.slice(1)}${inherited ? 'Inherited' : ''}Role`;
  const what = `${actor}'s roles on the ${target}${inherited ? ' for the projects below it' : ''}`;
  return {
    ...kind,
    list: operation({
      id: `list${id}s`,
      summary: `List a ${what}`,
      method: 'GET',
      path: list,
      response: Type.Object({ roles: Type.Array(Role), links: ListLinks }),
      status: 200,
    }),
    add: operation({ id: `grant${id}`, summary: `Add to a ${what}`, method: 'PUT', path: one, status: 204 }),
    check: operation({ id: `check${id}`, summary: `Check one of a ${what}`, method: 'GET', path: one, status: 204 }),
    remove: operation({
      id: `revoke${id}`,
      summary: `Take one of a ${what}`,
      method: 'DELETE',
      path: one,
      status: 204,
    }),
  };
}

/** Grants on projects, domains and the system, to users and groups, direct and inherited. */
export const grants: readonly GrantOperations[] = (['project', 'domain', 'system'] as const).flatMap((target) =>
  (['user', 'group'] as const).flatMap((actor) =>
    (target === 'system' ? [false] : [false, true]).map((inherited) => grantOperationsOf({ target, actor, inherited })),
  ),
);

export const roleOperations: readonly Operation[] = [
  ...allOf(roles),
  listImpliedRoles,
  createImpliedRole,
  showImpliedRole,
  checkImpliedRole,
  deleteImpliedRole,
  listRoleInferences,
  listRoleAssignments,
  ...grants.flatMap((grant) => [grant.list, grant.add, grant.check, grant.remove]),
];
