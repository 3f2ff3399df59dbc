import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any, LooseBoolean, Strict } from './common';
import { OffsetPage } from './queries';

/** Cinder's volumes and snapshots in nova's older words; they end with 2.35. upstream: compute/{volumes,snapshots}.py */
const maxVersion = '2.35';

const Item = Type.Record(Type.String(), Any);
const Page = Type.Object(OffsetPage);
const Text = Type.Optional(Type.String());

export const listVolumeProxies = operation({
  id: 'listVolumeProxies',
  summary: 'List volumes',
  method: 'GET',
  path: '/os-volumes',
  status: 200,
  maxVersion,
  query: Page,
  response: Type.Object({ volumes: Type.Array(Item) }),
  policy: 'os_compute_api:os-volumes:list',
});
export const listVolumeProxiesDetail = operation({
  id: 'listVolumeProxiesDetail',
  summary: 'List volumes with details',
  method: 'GET',
  path: '/os-volumes/detail',
  status: 200,
  maxVersion,
  query: Page,
  response: Type.Object({ volumes: Type.Array(Item) }),
  policy: 'os_compute_api:os-volumes:detail',
});
export const showVolumeProxy = operation({
  id: 'showVolumeProxy',
  summary: 'Show a volume',
  method: 'GET',
  path: '/os-volumes/{volume_id}',
  status: 200,
  maxVersion,
  response: Type.Object({ volume: Item }),
  policy: 'os_compute_api:os-volumes:show',
  errors: ['VolumeNotFound'],
});
export const createVolumeProxy = operation({
  id: 'createVolumeProxy',
  summary: 'Create a volume',
  method: 'POST',
  path: '/os-volumes',
  status: 200,
  maxVersion,
  body: Strict({
    volume: Strict({
      size: Type.Union([Type.Integer({ minimum: 1 }), Type.String({ pattern: '^[0-9]+$' })]),
      display_name: Text,
      display_description: Text,
      volume_type: Text,
      snapshot_id: Text,
      availability_zone: Text,
      metadata: Type.Optional(Item),
    }),
  }),
  response: Type.Object({ volume: Item }),
  policy: 'os_compute_api:os-volumes:create',
  errors: ['BadRequest', 'VolumeLimitExceeded', 'SnapshotNotFound'],
});
export const deleteVolumeProxy = operation({
  id: 'deleteVolumeProxy',
  summary: 'Delete a volume',
  method: 'DELETE',
  path: '/os-volumes/{volume_id}',
  status: 202,
  maxVersion,
  policy: 'os_compute_api:os-volumes:delete',
  errors: ['BadRequest', 'VolumeNotFound'],
});

export const listSnapshotProxies = operation({
  id: 'listSnapshotProxies',
  summary: 'List snapshots of volumes',
  method: 'GET',
  path: '/os-snapshots',
  status: 200,
  maxVersion,
  query: Page,
  response: Type.Object({ snapshots: Type.Array(Item) }),
  policy: 'os_compute_api:os-volumes:snapshots:list',
});
export const listSnapshotProxiesDetail = operation({
  id: 'listSnapshotProxiesDetail',
  summary: 'List snapshots of volumes with details',
  method: 'GET',
  path: '/os-snapshots/detail',
  status: 200,
  maxVersion,
  query: Page,
  response: Type.Object({ snapshots: Type.Array(Item) }),
  policy: 'os_compute_api:os-volumes:snapshots:detail',
});
export const showSnapshotProxy = operation({
  id: 'showSnapshotProxy',
  summary: 'Show a snapshot of a volume',
  method: 'GET',
  path: '/os-snapshots/{snapshot_id}',
  status: 200,
  maxVersion,
  response: Type.Object({ snapshot: Item }),
  policy: 'os_compute_api:os-volumes:snapshots:show',
  errors: ['SnapshotNotFound'],
});
export const createSnapshotProxy = operation({
  id: 'createSnapshotProxy',
  summary: 'Create a snapshot of a volume',
  method: 'POST',
  path: '/os-snapshots',
  status: 200,
  maxVersion,
  body: Strict({
    snapshot: Strict({
      volume_id: Type.String(),
      force: Type.Optional(LooseBoolean),
      display_name: Text,
      display_description: Text,
    }),
  }),
  response: Type.Object({ snapshot: Item }),
  policy: 'os_compute_api:os-volumes:snapshots:create',
  errors: ['BadRequest', 'VolumeLimitExceeded', 'VolumeNotFound'],
});
export const deleteSnapshotProxy = operation({
  id: 'deleteSnapshotProxy',
  summary: 'Delete a snapshot of a volume',
  method: 'DELETE',
  path: '/os-snapshots/{snapshot_id}',
  status: 202,
  maxVersion,
  policy: 'os_compute_api:os-volumes:snapshots:delete',
  errors: ['SnapshotNotFound'],
});

export const volumeProxyOperations = [
  listVolumeProxies,
  listVolumeProxiesDetail,
  showVolumeProxy,
  createVolumeProxy,
  deleteVolumeProxy,
  listSnapshotProxies,
  listSnapshotProxiesDetail,
  showSnapshotProxy,
  createSnapshotProxy,
  deleteSnapshotProxy,
];
