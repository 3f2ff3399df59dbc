import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { BooleanLike, Metadata, NullableText, Uuid } from './common';

const Specs = Type.Union([Metadata, Type.Null()]);
const Ref = Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.String(), Type.Null()]);

/** The same operations have two paths; the newer one exists since 3.8. */
function manageOperations<const Base extends string>(base: Base, suffix: string, minVersion?: string) {
  const since = minVersion === undefined ? {} : { minVersion };
  return {
    list: operation({
      id: `listManageableVolumes${suffix}`,
      summary: "Lists a backend's volumes, cinder's or not",
      method: 'GET',
      path: base,
      ...since,
      status: 200,
      policy: 'volume_extension:list_manageable',
    }),
    listDetail: operation({
      id: `listManageableVolumesDetail${suffix}`,
      summary: "Lists a backend's volumes with details",
      method: 'GET',
      path: `${base}/detail`,
      ...since,
      status: 200,
      policy: 'volume_extension:list_manageable',
    }),
    manage: operation({
      id: `manageVolume${suffix}`,
      summary: "Makes what is on a backend a volume of cinder's",
      method: 'POST',
      path: base,
      ...since,
      body: Type.Object(
        {
          volume: Type.Object(
            {
              host: Type.Optional(Type.Union([Type.String({ maxLength: 255 }), Type.Null()])),
              cluster: Type.Optional(NullableText),
              ref: Ref,
              name: Type.Optional(NullableText),
              description: Type.Optional(NullableText),
              volume_type: Type.Optional(NullableText),
              metadata: Type.Optional(Specs),
              availability_zone: Type.Optional(NullableText),
              bootable: Type.Optional(BooleanLike),
            },
            { additionalProperties: false },
          ),
        },
        { additionalProperties: false },
      ),
      status: 202,
      policy: 'volume_extension:volume_manage',
    }),
  };
}

function manageSnapshotOperations<const Base extends string>(base: Base, suffix: string, minVersion?: string) {
  const since = minVersion === undefined ? {} : { minVersion };
  return {
    list: operation({
      id: `listManageableSnapshots${suffix}`,
      summary: "Lists a backend's snapshots, cinder's or not",
      method: 'GET',
      path: base,
      ...since,
      status: 200,
      policy: 'snapshot_extension:list_manageable',
    }),
    listDetail: operation({
      id: `listManageableSnapshotsDetail${suffix}`,
      summary: "Lists a backend's snapshots with details",
      method: 'GET',
      path: `${base}/detail`,
      ...since,
      status: 200,
      policy: 'snapshot_extension:list_manageable',
    }),
    manage: operation({
      id: `manageSnapshot${suffix}`,
      summary: "Makes what is on a backend a snapshot of cinder's",
      method: 'POST',
      path: base,
      ...since,
      body: Type.Object(
        {
          snapshot: Type.Object(
            {
              volume_id: Uuid,
              ref: Ref,
              name: Type.Optional(NullableText),
              description: Type.Optional(NullableText),
              metadata: Type.Optional(Specs),
            },
            { additionalProperties: false },
          ),
        },
        { additionalProperties: false },
      ),
      status: 202,
    }),
  };
}

export const osVolumeManage = manageOperations('/os-volume-manage', 'Os');
export const manageableVolumes = manageOperations('/manageable_volumes', '', '3.8');
export const osSnapshotManage = manageSnapshotOperations('/os-snapshot-manage', 'Os');
export const manageableSnapshots = manageSnapshotOperations('/manageable_snapshots', '', '3.8');

const Nothing = Type.Union([Type.Null(), Type.Object({}), Type.String()]);
export const unmanageVolume = operation({
  id: 'unmanageVolume',
  summary: 'Forgets a volume and leaves its data where they are',
  method: 'POST',
  path: '/volumes/{volume_id}/action',
  action: 'os-unmanage',
  body: Type.Object({ 'os-unmanage': Nothing }),
  status: 202,
});
export const unmanageSnapshot = operation({
  id: 'unmanageSnapshot',
  summary: 'Forgets a snapshot and leaves its data where they are',
  method: 'POST',
  path: '/snapshots/{snapshot_id}/action',
  action: 'os-unmanage',
  body: Type.Object({ 'os-unmanage': Nothing }),
  status: 202,
});

export const manageOperationsList = [
  ...Object.values(osVolumeManage),
  ...Object.values(manageableVolumes),
  ...Object.values(osSnapshotManage),
  ...Object.values(manageableSnapshots),
  unmanageVolume,
  unmanageSnapshot,
];
