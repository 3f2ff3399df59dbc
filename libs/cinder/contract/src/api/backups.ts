import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { BooleanLike, Metadata, NullableMetadata, NullableText, Uuid } from './common';

const Closed = { additionalProperties: false } as const;
const NullableUuid = Type.Union([Uuid, Type.Null()]);
/** A directory's name, when the backup driver shall not choose one. */
const Container = Type.Union([Type.String({ pattern: '^[^/]{0,255}$' }), Type.Null()]);
const created = {
  volume_id: Uuid,
  container: Type.Optional(Container),
  description: Type.Optional(NullableText),
  incremental: Type.Optional(BooleanLike),
  force: Type.Optional(BooleanLike),
  name: Type.Optional(NullableText),
  snapshot_id: Type.Optional(NullableUuid),
};
const withMetadata = { ...created, metadata: Type.Optional(NullableMetadata) };
const names = { name: Type.Optional(NullableText), description: Type.Optional(NullableText) };

export const listBackups = operation({
  id: 'listBackups',
  summary: 'Lists backups',
  method: 'GET',
  path: '/backups',
  status: 200,
  policy: 'backup:get_all',
});
export const listBackupsDetail = operation({
  id: 'listBackupsDetail',
  summary: 'Lists backups with details',
  method: 'GET',
  path: '/backups/detail',
  status: 200,
  policy: 'backup:get_all',
});
export const createBackup = operation({
  id: 'createBackup',
  summary: 'Backs a volume or a snapshot up, all of it or what has changed since the last backup',
  method: 'POST',
  path: '/backups',
  body: [
    { since: '3.0', schema: Type.Object({ backup: Type.Object(created, Closed) }) },
    { since: '3.43', schema: Type.Object({ backup: Type.Object(withMetadata, Closed) }) },
    {
      since: '3.51',
      schema: Type.Object({
        backup: Type.Object({ ...withMetadata, availability_zone: Type.Optional(NullableText) }, Closed),
      }),
    },
  ],
  status: 202,
});
export const showBackup = operation({
  id: 'showBackup',
  summary: 'Shows a backup',
  method: 'GET',
  path: '/backups/{backup_id}',
  status: 200,
});
export const updateBackup = operation({
  id: 'updateBackup',
  summary: 'Describes a backup anew',
  method: 'PUT',
  path: '/backups/{backup_id}',
  minVersion: '3.9',
  body: [
    { since: '3.9', schema: Type.Object({ backup: Type.Object(names, Closed) }) },
    {
      since: '3.43',
      schema: Type.Object({ backup: Type.Object({ ...names, metadata: Type.Optional(Metadata) }, Closed) }),
    },
  ],
  status: 200,
});
export const deleteBackup = operation({
  id: 'deleteBackup',
  summary: 'Deletes a backup',
  method: 'DELETE',
  path: '/backups/{backup_id}',
  status: 202,
});
export const restoreBackup = operation({
  id: 'restoreBackup',
  summary: 'Restores a backup to a new volume or to an existing one',
  method: 'POST',
  path: '/backups/{backup_id}/restore',
  body: Type.Object({
    restore: Type.Union([
      Type.Object({ volume_id: Type.Optional(NullableUuid), name: Type.Optional(NullableText) }, Closed),
      Type.Null(),
    ]),
  }),
  status: 202,
});
export const exportBackup = operation({
  id: 'exportBackup',
  summary: 'Tells what is needed to import a backup elsewhere',
  method: 'GET',
  path: '/backups/{backup_id}/export_record',
  status: 200,
});
export const importBackup = operation({
  id: 'importBackup',
  summary: 'Imports what an export has told',
  method: 'POST',
  path: '/backups/import_record',
  body: Type.Object({
    'backup-record': Type.Object(
      {
        backup_service: Type.String({ minLength: 1, maxLength: 255 }),
        backup_url: Type.String({ minLength: 1 }),
      },
      Closed,
    ),
  }),
  status: 201,
  policy: 'backup:backup-import',
});
export const resetBackupStatus = operation({
  id: 'resetBackupStatus',
  summary: 'Sets the status of a backup',
  method: 'POST',
  path: '/backups/{backup_id}/action',
  action: 'os-reset_status',
  body: Type.Object({ 'os-reset_status': Type.Object({ status: Type.String({ minLength: 1 }) }, Closed) }),
  status: 202,
});
export const forceDeleteBackup = operation({
  id: 'forceDeleteBackup',
  summary: 'Deletes a backup in any state',
  method: 'POST',
  path: '/backups/{backup_id}/action',
  action: 'os-force_delete',
  body: Type.Object({ 'os-force_delete': Type.Union([Type.Null(), Type.Object({}), Type.String()]) }),
  status: 202,
});

export const backupOperations = [
  listBackups,
  listBackupsDetail,
  createBackup,
  showBackup,
  updateBackup,
  deleteBackup,
  restoreBackup,
  exportBackup,
  importBackup,
  resetBackupStatus,
  forceDeleteBackup,
];
