import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { BooleanLike, NullableMetadata, NullableText } from './common';

export const listSnapshots = operation({
  id: 'listSnapshots',
  summary: 'Lists snapshots',
  method: 'GET',
  path: '/snapshots',
  status: 200,
  policy: 'volume:get_all_snapshots',
});
export const listSnapshotsDetail = operation({
  id: 'listSnapshotsDetail',
  summary: 'Lists snapshots with details',
  method: 'GET',
  path: '/snapshots/detail',
  status: 200,
  policy: 'volume:get_all_snapshots',
});
export const createSnapshot = operation({
  id: 'createSnapshot',
  summary: 'Creates a snapshot of a volume',
  method: 'POST',
  path: '/snapshots',
  body: Type.Object({
    snapshot: Type.Object(
      {
        volume_id: Type.String(),
        name: Type.Optional(NullableText),
        display_name: Type.Optional(NullableText),
        description: Type.Optional(NullableText),
        display_description: Type.Optional(NullableText),
        force: Type.Optional(Type.Union([BooleanLike, Type.Null()])),
        metadata: Type.Optional(NullableMetadata),
      },
      { additionalProperties: false },
    ),
  }),
  status: 202,
});
export const showSnapshot = operation({
  id: 'showSnapshot',
  summary: 'Shows a snapshot',
  method: 'GET',
  path: '/snapshots/{snapshot_id}',
  status: 200,
});
export const updateSnapshot = operation({
  id: 'updateSnapshot',
  summary: 'Updates a snapshot',
  method: 'PUT',
  path: '/snapshots/{snapshot_id}',
  body: Type.Object({
    snapshot: Type.Object(
      {
        name: Type.Optional(NullableText),
        display_name: Type.Optional(NullableText),
        description: Type.Optional(NullableText),
        display_description: Type.Optional(NullableText),
      },
      { additionalProperties: false },
    ),
  }),
  status: 200,
});
export const deleteSnapshot = operation({
  id: 'deleteSnapshot',
  summary: 'Deletes a snapshot',
  method: 'DELETE',
  path: '/snapshots/{snapshot_id}',
  status: 202,
});

export const snapshotOperations = [
  listSnapshots,
  listSnapshotsDetail,
  createSnapshot,
  showSnapshot,
  updateSnapshot,
  deleteSnapshot,
];
