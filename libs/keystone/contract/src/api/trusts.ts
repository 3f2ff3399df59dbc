import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Id, ListLinks, Nullable, SelfLink, filters, text } from './common';
import { Role } from './roles';

const TrustRole = Type.Object({ id: Type.Optional(Type.String()), name: Type.Optional(Type.String()) });
export const Trust = Type.Object({
  id: Type.String(),
  trustor_user_id: Type.String(),
  trustee_user_id: Type.String(),
  project_id: Nullable(Type.String()),
  impersonation: Type.Boolean(),
  expires_at: Nullable(Type.String()),
  deleted_at: Type.Null(),
  remaining_uses: Nullable(Type.Integer()),
  redelegation_count: Type.Integer(),
  redelegated_trust_id: Type.Optional(Type.String()),
  roles: Type.Optional(Type.Array(Type.Unknown())),
  roles_links: Type.Optional(ListLinks),
  links: SelfLink,
});

const trusts = '/OS-TRUST/trusts';
const one = `${trusts}/{trust_id}`;
export const listTrusts = operation({
  id: 'listTrusts',
  summary: 'List trusts',
  method: 'GET',
  path: trusts,
  query: filters({ trustor_user_id: text, trustee_user_id: text }),
  response: Type.Object({ trusts: Type.Array(Trust), links: ListLinks }),
  status: 200,
});
export const createTrust = operation({
  id: 'createTrust',
  summary: 'Let another user act with some of the own roles',
  method: 'POST',
  path: trusts,
  body: Type.Object({
    trust: Type.Object({
      trustor_user_id: Id,
      trustee_user_id: Id,
      impersonation: Type.Boolean(),
      project_id: Type.Optional(Nullable(Id)),
      remaining_uses: Type.Optional(Nullable(Type.Integer({ minimum: 1 }))),
      expires_at: Type.Optional(Nullable(Type.String())),
      allow_redelegation: Type.Optional(Nullable(Type.Boolean())),
      redelegation_count: Type.Optional(Nullable(Type.Integer({ minimum: 0 }))),
      roles: Type.Optional(Type.Array(TrustRole)),
    }),
  }),
  response: Type.Object({ trust: Trust }),
  status: 201,
  errors: ['ForbiddenAction', 'UserNotFound', 'RoleNotFound'],
});
export const showTrust = operation({
  id: 'showTrust',
  summary: 'Show a trust',
  method: 'GET',
  path: one,
  response: Type.Object({ trust: Trust }),
  status: 200,
  errors: ['TrustNotFound'],
});
export const deleteTrust = operation({
  id: 'deleteTrust',
  summary: 'End a trust',
  method: 'DELETE',
  path: one,
  status: 204,
  errors: ['TrustNotFound'],
});
export const listTrustRoles = operation({
  id: 'listTrustRoles',
  summary: 'List the roles that a trust gives',
  method: 'GET',
  path: `${one}/roles`,
  response: Type.Object({ roles: Type.Array(Role), links: ListLinks }),
  status: 200,
});
export const showTrustRole = operation({
  id: 'showTrustRole',
  summary: 'Show one of the roles that a trust gives',
  method: 'GET',
  path: `${one}/roles/{role_id}`,
  response: Type.Object({ role: Role }),
  status: 200,
});

export const trustOperations = [listTrusts, createTrust, showTrust, deleteTrust, listTrustRoles, showTrustRole];
