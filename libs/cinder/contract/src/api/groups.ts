import { operation } from '@nestack/kernel/http';
import Type, { type TSchema } from 'typebox';
import { BooleanLike, NullableText, Uuid } from './common';

const SINCE = { minVersion: '3.13' } as const;
const SNAPSHOTS_SINCE = { minVersion: '3.14' } as const;

export const listGroups = operation({
  id: 'listGroups',
  summary: 'Lists groups of volumes',
  method: 'GET',
  path: '/groups',
  ...SINCE,
  status: 200,
  policy: 'group:get_all',
});
export const listGroupsDetail = operation({
  id: 'listGroupsDetail',
  summary: 'Lists groups of volumes with details',
  method: 'GET',
  path: '/groups/detail',
  ...SINCE,
  status: 200,
  policy: 'group:get_all',
});
export const createGroup = operation({
  id: 'createGroup',
  summary: 'Creates a group of volumes',
  method: 'POST',
  path: '/groups',
  ...SINCE,
  body: Type.Object(
    {
      group: Type.Object(
        {
          name: Type.Optional(NullableText),
          description: Type.Optional(NullableText),
          group_type: Type.String({ minLength: 1, maxLength: 255 }),
          volume_types: Type.Array(Type.String({ maxLength: 255 }), { minItems: 1, uniqueItems: true }),
          availability_zone: Type.Optional(NullableText),
        },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
  status: 202,
  policy: 'group:create',
});
export const createGroupFromSource = operation({
  id: 'createGroupFromSource',
  summary: 'Creates a group from another one or from a group snapshot',
  method: 'POST',
  path: '/groups/action',
  action: 'create-from-src',
  ...SNAPSHOTS_SINCE,
  body: Type.Object({
    'create-from-src': Type.Object(
      {
        name: Type.Optional(NullableText),
        description: Type.Optional(NullableText),
        group_snapshot_id: Type.Optional(Uuid),
        source_group_id: Type.Optional(Uuid),
      },
      { additionalProperties: false },
    ),
  }),
  status: 202,
  policy: 'group:create',
});
export const showGroup = operation({
  id: 'showGroup',
  summary: 'Shows a group of volumes',
  method: 'GET',
  path: '/groups/{group_id}',
  ...SINCE,
  status: 200,
});
export const updateGroup = operation({
  id: 'updateGroup',
  summary: 'Renames a group, adds and removes volumes',
  method: 'PUT',
  path: '/groups/{group_id}',
  ...SINCE,
  body: Type.Object(
    {
      group: Type.Object(
        {
          name: Type.Optional(NullableText),
          description: Type.Optional(NullableText),
          add_volumes: Type.Optional(Type.Union([Type.String(), Type.Null()])),
          remove_volumes: Type.Optional(Type.Union([Type.String(), Type.Null()])),
        },
        { additionalProperties: false, minProperties: 1 },
      ),
    },
    { additionalProperties: false },
  ),
  status: 202,
});

function action<const Name extends string, const Body extends TSchema>(
  id: string,
  name: Name,
  summary: string,
  minVersion: string,
  body: Body,
  status: number,
) {
  return operation({
    id,
    summary,
    method: 'POST',
    path: '/groups/{group_id}/action',
    action: name,
    minVersion,
    body: Type.Object({ [name]: body } as Record<Name, Body>, { additionalProperties: false }),
    status,
  });
}

const Closed = { additionalProperties: false } as const;
export const deleteGroup = action(
  'deleteGroup',
  'delete',
  'Deletes a group, with its volumes if wanted',
  '3.13',
  Type.Object({ 'delete-volumes': Type.Optional(BooleanLike) }, Closed),
  202,
);
export const resetGroupStatus = action(
  'resetGroupStatus',
  'reset_status',
  'Sets the status of a group',
  '3.20',
  Type.Object({ status: Type.String() }, Closed),
  202,
);
export const enableGroupReplication = action(
  'enableGroupReplication',
  'enable_replication',
  'Enables replication of a group: no backend has it',
  '3.38',
  Type.Object({}),
  202,
);
export const disableGroupReplication = action(
  'disableGroupReplication',
  'disable_replication',
  'Disables replication of a group: no backend has it',
  '3.38',
  Type.Object({}),
  202,
);
export const failoverGroupReplication = action(
  'failoverGroupReplication',
  'failover_replication',
  'Fails over a replicated group: no backend has it',
  '3.38',
  Type.Object(
    { allow_attached_volume: Type.Optional(BooleanLike), secondary_backend_id: Type.Optional(NullableText) },
    Closed,
  ),
  202,
);
export const listGroupReplicationTargets = action(
  'listGroupReplicationTargets',
  'list_replication_targets',
  'Lists replication targets of a group: no backend has any',
  '3.38',
  Type.Object({}),
  200,
);

export const listGroupSnapshots = operation({
  id: 'listGroupSnapshots',
  summary: 'Lists snapshots of groups',
  method: 'GET',
  path: '/group_snapshots',
  ...SNAPSHOTS_SINCE,
  status: 200,
  policy: 'group:get_all_group_snapshots',
});
export const listGroupSnapshotsDetail = operation({
  id: 'listGroupSnapshotsDetail',
  summary: 'Lists snapshots of groups with details',
  method: 'GET',
  path: '/group_snapshots/detail',
  ...SNAPSHOTS_SINCE,
  status: 200,
  policy: 'group:get_all_group_snapshots',
});
export const createGroupSnapshot = operation({
  id: 'createGroupSnapshot',
  summary: 'Creates a snapshot of all volumes of a group, at one moment',
  method: 'POST',
  path: '/group_snapshots',
  ...SNAPSHOTS_SINCE,
  body: Type.Object(
    {
      group_snapshot: Type.Object(
        { group_id: Uuid, name: Type.Optional(NullableText), description: Type.Optional(NullableText) },
        Closed,
      ),
    },
    Closed,
  ),
  status: 202,
});
export const showGroupSnapshot = operation({
  id: 'showGroupSnapshot',
  summary: 'Shows a snapshot of a group',
  method: 'GET',
  path: '/group_snapshots/{group_snapshot_id}',
  ...SNAPSHOTS_SINCE,
  status: 200,
});
export const deleteGroupSnapshot = operation({
  id: 'deleteGroupSnapshot',
  summary: 'Deletes a snapshot of a group',
  method: 'DELETE',
  path: '/group_snapshots/{group_snapshot_id}',
  ...SNAPSHOTS_SINCE,
  status: 202,
});
export const resetGroupSnapshotStatus = operation({
  id: 'resetGroupSnapshotStatus',
  summary: 'Sets the status of a snapshot of a group',
  method: 'POST',
  path: '/group_snapshots/{group_snapshot_id}/action',
  action: 'reset_status',
  minVersion: '3.19',
  body: Type.Object({ reset_status: Type.Object({ status: Type.String() }, Closed) }, Closed),
  status: 202,
});

export const groupOperations = [
  listGroups,
  listGroupsDetail,
  createGroup,
  createGroupFromSource,
  showGroup,
  updateGroup,
  deleteGroup,
  resetGroupStatus,
  enableGroupReplication,
  disableGroupReplication,
  failoverGroupReplication,
  listGroupReplicationTargets,
  listGroupSnapshots,
  listGroupSnapshotsDetail,
  createGroupSnapshot,
  showGroupSnapshot,
  deleteGroupSnapshot,
  resetGroupSnapshotStatus,
];
