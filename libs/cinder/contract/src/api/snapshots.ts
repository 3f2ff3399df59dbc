import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { BooleanLike, Metadata, NullableMetadata, NullableRef, NullableText } from './common';
import {
  ChangedSnapshotResponse,
  MetadataItemResponse,
  MetadataResponse,
  SnapshotResponse,
  SnapshotsDetailResponse,
  SnapshotsResponse,
} from './views';

export const listSnapshots = operation({
  id: 'listSnapshots',
  summary: 'Lists snapshots',
  method: 'GET',
  path: '/snapshots',
  response: SnapshotsResponse,
  status: 200,
  policy: 'volume:get_all_snapshots',
});
export const listSnapshotsDetail = operation({
  id: 'listSnapshotsDetail',
  summary: 'Lists snapshots with details',
  method: 'GET',
  path: '/snapshots/detail',
  response: SnapshotsDetailResponse,
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
        // Upstream looks for the volume `None`.
        volume_id: NullableRef,
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
  response: ChangedSnapshotResponse,
  status: 202,
});
export const showSnapshot = operation({
  id: 'showSnapshot',
  summary: 'Shows a snapshot',
  method: 'GET',
  path: '/snapshots/{snapshot_id}',
  response: SnapshotResponse,
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
  response: ChangedSnapshotResponse,
  status: 200,
});
export const deleteSnapshot = operation({
  id: 'deleteSnapshot',
  summary: 'Deletes a snapshot',
  method: 'DELETE',
  path: '/snapshots/{snapshot_id}',
  status: 202,
});

const MetadataBody = Type.Object({ metadata: Metadata }, { additionalProperties: false });
export const showSnapshotMetadata = operation({
  id: 'showSnapshotMetadata',
  summary: 'Shows the metadata of a snapshot',
  method: 'GET',
  path: '/snapshots/{snapshot_id}/metadata',
  response: MetadataResponse,
  status: 200,
});
export const addSnapshotMetadata = operation({
  id: 'addSnapshotMetadata',
  summary: 'Adds metadata to a snapshot',
  method: 'POST',
  path: '/snapshots/{snapshot_id}/metadata',
  body: MetadataBody,
  response: MetadataResponse,
  status: 200,
});
export const replaceSnapshotMetadata = operation({
  id: 'replaceSnapshotMetadata',
  summary: 'Replaces the metadata of a snapshot',
  method: 'PUT',
  path: '/snapshots/{snapshot_id}/metadata',
  body: MetadataBody,
  response: MetadataResponse,
  status: 200,
});
export const showSnapshotMetadataItem = operation({
  id: 'showSnapshotMetadataItem',
  summary: 'Shows one metadata item',
  method: 'GET',
  path: '/snapshots/{snapshot_id}/metadata/{key}',
  response: MetadataItemResponse,
  status: 200,
});
export const setSnapshotMetadataItem = operation({
  id: 'setSnapshotMetadataItem',
  summary: 'Sets one metadata item',
  method: 'PUT',
  path: '/snapshots/{snapshot_id}/metadata/{key}',
  body: Type.Object({ meta: Metadata }, { additionalProperties: false }),
  response: MetadataItemResponse,
  status: 200,
});
export const deleteSnapshotMetadataItem = operation({
  id: 'deleteSnapshotMetadataItem',
  summary: 'Deletes one metadata item',
  method: 'DELETE',
  path: '/snapshots/{snapshot_id}/metadata/{key}',
  status: 200,
});
export const resetSnapshotStatus = operation({
  id: 'resetSnapshotStatus',
  summary: 'Sets the status of a snapshot',
  method: 'POST',
  path: '/snapshots/{snapshot_id}/action',
  action: 'os-reset_status',
  body: Type.Object({ 'os-reset_status': Type.Object({ status: Type.String({ minLength: 1, maxLength: 255 }) }) }),
  status: 202,
});
export const forceDeleteSnapshot = operation({
  id: 'forceDeleteSnapshot',
  summary: 'Deletes a snapshot in any state',
  method: 'POST',
  path: '/snapshots/{snapshot_id}/action',
  action: 'os-force_delete',
  body: Type.Object({ 'os-force_delete': Type.Union([Type.Null(), Type.Object({}), Type.String()]) }),
  status: 202,
});
export const updateSnapshotStatus = operation({
  id: 'updateSnapshotStatus',
  summary: 'Says how far a snapshot is that a server makes',
  method: 'POST',
  path: '/snapshots/{snapshot_id}/action',
  action: 'os-update_snapshot_status',
  body: Type.Object({
    'os-update_snapshot_status': Type.Object({
      status: Type.String({ minLength: 1, maxLength: 255 }),
      progress: Type.Optional(NullableText),
    }),
  }),
  status: 202,
});

export const snapshotOperations = [
  showSnapshotMetadata,
  addSnapshotMetadata,
  replaceSnapshotMetadata,
  showSnapshotMetadataItem,
  setSnapshotMetadataItem,
  deleteSnapshotMetadataItem,
  resetSnapshotStatus,
  forceDeleteSnapshot,
  updateSnapshotStatus,
  listSnapshots,
  listSnapshotsDetail,
  createSnapshot,
  showSnapshot,
  updateSnapshot,
  deleteSnapshot,
];
