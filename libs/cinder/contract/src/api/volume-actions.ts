import { operation } from '@nestack/kernel/http';
import Type, { type TSchema } from 'typebox';
import { BooleanLike, IntegerLike, NullableRef, NullableText } from './common';
import { ConnectionResponse, MetadataResponse, UploadedImageResponse } from './views';

function action<const Name extends string, const Body extends TSchema>(
  id: string,
  name: Name,
  summary: string,
  status: number,
  body: Body,
  response?: TSchema,
  minVersion?: string,
) {
  return operation({
    id,
    summary,
    method: 'POST',
    path: '/volumes/{volume_id}/action',
    action: name,
    body: Type.Object({ [name]: body } as Record<Name, Body>, { additionalProperties: false }),
    ...(response === undefined ? {} : { response }),
    status,
    ...(minVersion === undefined ? {} : { minVersion }),
  });
}

const Nothing = Type.Union([Type.Null(), Type.Object({}), Type.String()]);
const Connector = Type.Object({ connector: Type.Record(Type.String(), Type.Unknown()) });

export const reserveVolume = action('reserveVolume', 'os-reserve', 'Reserves a volume', 202, Nothing);
export const unreserveVolume = action('unreserveVolume', 'os-unreserve', 'Ends a reservation', 202, Nothing);
export const beginDetaching = action('beginDetaching', 'os-begin_detaching', 'Marks as detaching', 202, Nothing);
export const rollDetaching = action('rollDetaching', 'os-roll_detaching', 'Marks as in use again', 202, Nothing);
export const attachVolume = action(
  'attachVolume',
  'os-attach',
  'Records an attachment',
  202,
  Type.Object({
    instance_uuid: Type.Optional(NullableRef),
    host_name: Type.Optional(NullableText),
    mountpoint: Type.Optional(NullableText),
    mode: Type.Optional(Type.Union([Type.Literal('rw'), Type.Literal('ro'), Type.Null()])),
  }),
);
export const detachVolume = action(
  'detachVolume',
  'os-detach',
  'Removes the record of an attachment',
  202,
  Type.Union([Type.Null(), Type.Object({ attachment_id: Type.Optional(NullableRef) })]),
);
export const forceDetachVolume = action(
  'forceDetachVolume',
  'os-force_detach',
  'Detaches whatever the state',
  202,
  Type.Object({
    attachment_id: Type.Optional(NullableRef),
    connector: Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])),
  }),
);
export const initializeConnection = action(
  'initializeConnection',
  'os-initialize_connection',
  'Exports a volume to a host',
  200,
  Connector,
  ConnectionResponse,
);
export const terminateConnection = action(
  'terminateConnection',
  'os-terminate_connection',
  'Ends the export to a host',
  202,
  Connector,
);
export const extendVolume = action(
  'extendVolume',
  'os-extend',
  'Makes a volume larger',
  202,
  Type.Object({ new_size: IntegerLike }),
);
export const resetVolumeStatus = action(
  'resetVolumeStatus',
  'os-reset_status',
  'Sets the status',
  202,
  Type.Object({
    status: Type.Optional(NullableText),
    attach_status: Type.Optional(NullableText),
    migration_status: Type.Optional(NullableText),
  }),
);
export const forceDeleteVolume = action('forceDeleteVolume', 'os-force_delete', 'Deletes in any state', 202, Nothing);
export const setBootable = action(
  'setBootable',
  'os-set_bootable',
  'Says whether it can be booted from',
  200,
  Type.Object({ bootable: BooleanLike }),
);
export const setReadonly = action(
  'setReadonly',
  'os-update_readonly_flag',
  'Sets the read-only flag',
  202,
  Type.Object({ readonly: BooleanLike }),
);
export const retypeVolume = action(
  'retypeVolume',
  'os-retype',
  'Changes the type',
  202,
  Type.Object({ new_type: Type.String(), migration_policy: Type.Optional(NullableText) }),
);
export const revertVolume = operation({
  id: 'revertVolume',
  summary: 'Goes back to the latest snapshot',
  method: 'POST',
  path: '/volumes/{volume_id}/action',
  action: 'revert',
  minVersion: '3.40',
  body: Type.Object(
    { revert: Type.Object({ snapshot_id: Type.Optional(NullableRef) }, { additionalProperties: false }) },
    { additionalProperties: false },
  ),
  status: 202,
});
export const migrateVolume = action(
  'migrateVolume',
  'os-migrate_volume',
  'Moves a volume to another backend',
  202,
  Type.Object({
    host: Type.Optional(Type.Union([Type.String({ maxLength: 255 }), Type.Null()])),
    cluster: Type.Optional(NullableText),
    force_host_copy: Type.Optional(BooleanLike),
    lock_volume: Type.Optional(BooleanLike),
  }),
);
export const completeVolumeMigration = action(
  'completeVolumeMigration',
  'os-migrate_volume_completion',
  'Ends a migration by which a server moved to another volume: cinder starts none',
  200,
  Type.Object({ new_volume: Type.String(), error: Type.Optional(BooleanLike) }),
);
export const uploadVolumeImage = action(
  'uploadVolumeImage',
  'os-volume_upload_image',
  'Makes an image of a volume',
  202,
  Type.Object({
    image_name: Type.String({ minLength: 1, maxLength: 255 }),
    force: Type.Optional(BooleanLike),
    disk_format: Type.Optional(Type.String()),
    container_format: Type.Optional(Type.String()),
    visibility: Type.Optional(Type.String()),
    protected: Type.Optional(BooleanLike),
  }),
  UploadedImageResponse,
);
export const setImageMetadata = action(
  'setImageMetadata',
  'os-set_image_metadata',
  'Sets image properties of a volume',
  200,
  Type.Object({ metadata: Type.Record(Type.String(), Type.String()) }),
  MetadataResponse,
);
export const showImageMetadata = action(
  'showImageMetadata',
  'os-show_image_metadata',
  'Shows image properties of a volume',
  200,
  Nothing,
  MetadataResponse,
);
export const unsetImageMetadata = action(
  'unsetImageMetadata',
  'os-unset_image_metadata',
  'Removes an image property of a volume',
  200,
  Type.Object({ key: Type.String() }),
);
export const reimageVolume = action(
  'reimageVolume',
  'os-reimage',
  "Replaces the volume's content by an image's",
  202,
  Type.Object(
    { image_id: Type.String({ format: 'uuid' }), reimage_reserved: Type.Optional(BooleanLike) },
    { additionalProperties: false },
  ),
  undefined,
  '3.68',
);

export const volumeActionOperations = [
  reserveVolume,
  unreserveVolume,
  beginDetaching,
  rollDetaching,
  attachVolume,
  detachVolume,
  forceDetachVolume,
  initializeConnection,
  terminateConnection,
  extendVolume,
  resetVolumeStatus,
  forceDeleteVolume,
  setBootable,
  setReadonly,
  retypeVolume,
  revertVolume,
  migrateVolume,
  completeVolumeMigration,
  uploadVolumeImage,
  setImageMetadata,
  showImageMetadata,
  unsetImageMetadata,
  reimageVolume,
];
