import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Name, PositiveInteger, Strict, Any, versions } from './common';
import { AnyText, OffsetPage, closedSince275 } from './queries';

/** Policies of server groups; the soft ones count from 2.15 on. */
export const GROUP_POLICIES = ['anti-affinity', 'affinity', 'soft-anti-affinity', 'soft-affinity'] as const;
export type GroupPolicy = (typeof GROUP_POLICIES)[number];

/** A group as shown; its attributes vary with the microversion. */
const Group = Type.Record(Type.String(), Any);
const oneOf = (policies: readonly GroupPolicy[]) =>
  Strict({
    server_group: Strict({
      name: Name,
      policies: Type.Array(Type.Enum([...policies]), { minItems: 1, maxItems: 1, uniqueItems: true }),
    }),
  });

export const listServerGroups = operation({
  id: 'listServerGroups',
  summary: 'List server groups',
  method: 'GET',
  path: '/os-server-groups',
  status: 200,
  query: closedSince275({ all_projects: AnyText, ...OffsetPage }),
  response: Type.Object({ server_groups: Type.Array(Group) }),
  policy: 'os_compute_api:os-server-groups:index',
});
export const createServerGroup = operation({
  id: 'createServerGroup',
  summary: 'Create a server group',
  method: 'POST',
  path: '/os-server-groups',
  status: 200,
  body: versions<Type.TObject>([
    { since: '2.1', schema: oneOf(['anti-affinity', 'affinity']) },
    { since: '2.15', schema: oneOf(GROUP_POLICIES) },
    {
      since: '2.64',
      schema: Strict({
        server_group: Strict({
          name: Name,
          policy: Type.Enum([...GROUP_POLICIES]),
          rules: Type.Optional(Strict({ max_server_per_host: Type.Optional(PositiveInteger) })),
        }),
      }),
    },
  ]),
  response: Type.Object({ server_group: Group }),
  policy: 'os_compute_api:os-server-groups:create',
  errors: ['ServerGroupLimitExceeded', 'GroupRulesNotSupported'],
});
export const showServerGroup = operation({
  id: 'showServerGroup',
  summary: 'Show a server group',
  method: 'GET',
  path: '/os-server-groups/{server_group_id}',
  status: 200,
  response: Type.Object({ server_group: Group }),
  policy: 'os_compute_api:os-server-groups:show',
  errors: ['InstanceGroupNotFound'],
});
export const deleteServerGroup = operation({
  id: 'deleteServerGroup',
  summary: 'Delete a server group',
  method: 'DELETE',
  path: '/os-server-groups/{server_group_id}',
  status: 204,
  policy: 'os_compute_api:os-server-groups:delete',
  errors: ['InstanceGroupNotFound'],
});

export const serverGroupOperations = [listServerGroups, createServerGroup, showServerGroup, deleteServerGroup];
