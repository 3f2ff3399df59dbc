/** A volume's `status` on the wire. */
export type VolumeStatus =
  | 'creating'
  | 'downloading'
  | 'available'
  | 'reserved'
  | 'attaching'
  | 'detaching'
  | 'in-use'
  | 'maintenance'
  | 'deleting'
  | 'extending'
  | 'retyping'
  | 'uploading'
  | 'error'
  | 'error_deleting'
  | 'error_extending'
  | 'error_restoring'
  | 'error_managing'
  | 'restoring-backup'
  | 'backing-up'
  | 'awaiting-transfer'
  | 'managing'
  | 'reverting';

export type SnapshotStatus =
  'creating' | 'available' | 'deleting' | 'error' | 'error_deleting' | 'restoring' | 'backing-up';

export type BackupStatus = 'creating' | 'available' | 'deleting' | 'restoring' | 'error' | 'error_deleting';

/** `attach_status` of an attachment. */
export type AttachStatus = 'reserved' | 'attaching' | 'attached' | 'detaching' | 'error_attaching';

export type GroupStatus =
  'creating' | 'available' | 'updating' | 'in-use' | 'deleting' | 'deleted' | 'error' | 'error_deleting';

export type GroupSnapshotStatus = Exclude<GroupStatus, 'in-use'>;
