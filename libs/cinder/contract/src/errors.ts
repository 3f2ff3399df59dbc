import { defineErrors } from '@nestack/kernel/errors';

/** Cinder's errors with upstream's texts. upstream: cinder/exception.py */
export const CinderError = defineErrors({
  VolumeNotFound: { kind: 'notFound', template: 'Volume {volume_id} could not be found.' },
  SnapshotNotFound: { kind: 'notFound', template: 'Snapshot {snapshot_id} could not be found.' },
  VolumeTypeNotFound: { kind: 'notFound', template: 'Volume type {volume_type_id} could not be found.' },
  VolumeTypeNotFoundByName: {
    kind: 'notFound',
    template: 'Volume type with name {volume_type_name} could not be found.',
  },
  GroupNotFound: { kind: 'notFound', template: 'Group {group_id} could not be found.' },
  VolumeSnapshotNotFound: { kind: 'badRequest', template: "Volume {volume_id} doesn't have any snapshots." },
  RevertRefused: { kind: 'conflict', template: '{reason}' },
  NotLatestSnapshot: {
    kind: 'badRequest',
    template: 'Specified snapshot {snapshot_id} is None or not the latest one of volume {volume_id}.',
  },
  RevertSizeDiffers: {
    kind: 'badRequest',
    template:
      "Can't revert volume {volume_id} to its latest snapshot {snapshot_id}. The volume size must be equal to the snapshot size.",
  },
  InvalidHost: { kind: 'badRequest', template: 'Invalid host: {reason}' },
  ServiceUnavailable: { kind: 'unavailable', template: '{reason}' },
  /** A host that a request names. upstream: cinder/exception.py has it among what is invalid, so it answers 400 */
  NamedHostUnavailable: { kind: 'badRequest', template: '{reason}' },
  ManageExistingInvalidReference: {
    kind: 'badRequest',
    template: 'Manage existing volume failed due to invalid backend reference {existing_ref}: {reason}',
  },
  ManageExistingAlreadyManaged: {
    kind: 'badRequest',
    template: 'Unable to manage existing volume. Volume {volume_ref} already managed.',
  },
  ClusterNotFound: { kind: 'notFound', template: 'Cluster {id} could not be found.' },
  BackupNotFound: { kind: 'notFound', template: 'Backup {backup_id} could not be found.' },
  InvalidBackup: { kind: 'badRequest', template: 'Invalid backup: {reason}' },
  BackupLimitExceeded: {
    kind: 'overQuota',
    status: 413,
    template: 'BackupLimitExceeded: Maximum number of backups allowed ({allowed}) exceeded',
  },
  VolumeBackupSizeExceedsAvailableQuota: {
    kind: 'overQuota',
    status: 413,
    template:
      'VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota. Requested {requested}G, quota is {quota}G and {consumed}G has been consumed.',
  },
  InvalidGroup: { kind: 'badRequest', template: 'Invalid Group: {reason}' },
  InvalidGroupStatus: { kind: 'badRequest', template: 'Invalid Group Status: {reason}' },
  InvalidGroupType: { kind: 'badRequest', template: 'Invalid group type: {reason}' },
  GroupSnapshotNotFound: { kind: 'notFound', template: 'GroupSnapshot {group_snapshot_id} could not be found.' },
  InvalidGroupSnapshot: { kind: 'badRequest', template: 'Invalid GroupSnapshot: {reason}' },
  InvalidGroupSnapshotStatus: { kind: 'badRequest', template: 'Invalid GroupSnapshot Status: {reason}' },
  GroupTypeNotFound: { kind: 'notFound', template: 'Group type {group_type_id} could not be found.' },
  GroupTypeNotFoundByName: {
    kind: 'notFound',
    template: 'Group type with name {group_type_name} could not be found.',
  },
  GroupTypeExists: { kind: 'conflict', template: 'Group Type {id} already exists.' },
  GroupTypeInUse: { kind: 'badRequest', template: 'Target group type is still in use.' },
  GroupTypeSpecsNotFound: {
    kind: 'notFound',
    template: 'Group Type {group_type_id} has no specs with key {group_specs_key}.',
  },
  GroupLimitExceeded: {
    kind: 'overQuota',
    status: 413,
    template: 'GroupLimitExceeded: Maximum number of groups allowed ({allowed}) exceeded',
  },
  VolumeTypeEncryptionExists: {
    kind: 'badRequest',
    template: 'Volume type encryption for type {type_id} already exists.',
  },
  VolumeTypeEncryptionNotFound: {
    kind: 'notFound',
    template: 'Volume type encryption for type {type_id} does not exist.',
  },
  EncryptedTypeInUse: {
    kind: 'badRequest',
    template: 'Cannot {verb} encryption specs. Volume type in use.',
  },
  // What upstream says where no key manager runs.
  KeyManagerError: { kind: 'badRequest', template: 'Key manager error' },
  VolumeAttachmentNotFound: {
    kind: 'notFound',
    template: 'Volume attachment could not be found with filter: attachment_id = {attachment_id}.',
  },
  VolumeMetadataNotFound: {
    kind: 'notFound',
    template: 'Volume {volume_id} has no metadata with key {metadata_key}.',
  },
  SnapshotMetadataNotFound: {
    kind: 'notFound',
    template: 'Snapshot {snapshot_id} has no metadata with key {metadata_key}.',
  },
  ExtraSpecsNotFound: {
    kind: 'notFound',
    template: 'Volume Type {volume_type_id} has no extra specs with key {extra_specs_key}.',
  },
  TransferNotFound: { kind: 'notFound', template: 'Transfer {transfer_id} could not be found.' },
  InvalidAuthKey: { kind: 'badRequest', template: 'Invalid auth key: Attempt to transfer with an invalid auth key.' },
  MessageNotFound: { kind: 'notFound', template: 'Message {message_id} could not be found.' },
  VolumeTypeProjectDefaultNotFound: {
    kind: 'notFound',
    template: 'Default type for project {project_id} not found.',
  },
  QoSSpecsNotFound: { kind: 'notFound', template: 'No such QoS spec {specs_id}.' },
  QoSSpecsExists: { kind: 'conflict', template: 'QoS Specs {specs_id} already exists.' },
  QoSSpecsInUse: { kind: 'badRequest', template: 'QoS Specs {specs_id} is still associated with entities.' },
  QoSSpecsKeyNotFound: { kind: 'notFound', template: 'QoS spec {specs_id} has no spec with key {specs_key}.' },
  InvalidQoSSpecs: { kind: 'badRequest', template: 'Invalid qos specs: {reason}' },
  ExtensionNotFound: { kind: 'notFound', template: 'The resource could not be found.' },
  ServiceNotFound: { kind: 'notFound', template: 'Service {service_id} could not be found on host {host}.' },
  HostNotFound: { kind: 'notFound', template: 'Host {host} could not be found.' },
  QuotaClassNotFound: { kind: 'notFound', template: 'Quota class {class_name} could not be found.' },
  InvalidVolume: { kind: 'badRequest', template: 'Invalid volume: {reason}' },
  InvalidSnapshot: { kind: 'badRequest', template: 'Invalid snapshot: {reason}' },
  InvalidInput: { kind: 'badRequest', template: 'Invalid input received: {reason}' },
  ImageNotFound: { kind: 'notFound', template: 'Image {image_id} could not be found.' },
  ReimageOfShared: {
    kind: 'conflict',
    template: 'Cannot re-image a volume which is attached to more than one server.',
  },
  InvalidImageRef: {
    kind: 'badRequest',
    template: 'Invalid image identifier or unable to access requested image.',
  },
  InvalidAvailabilityZone: { kind: 'badRequest', template: "Availability zone '{az}' is invalid." },
  InvalidVolumeType: { kind: 'badRequest', template: 'Invalid volume type: {reason}' },
  InvalidMetadata: { kind: 'badRequest', template: 'Invalid metadata: {reason}' },
  InvalidQuotaValue: {
    kind: 'badRequest',
    template: 'Change would make usage less than 0 for the following resources: {unders}',
  },
  VolumeTypeInUse: {
    kind: 'badRequest',
    template: 'Volume Type {volume_type_id} deletion is not allowed with volumes present with the type.',
  },
  VolumeTypeDefault: {
    kind: 'badRequest',
    template: 'The volume type {volume_type_id} is the default volume type and cannot be deleted.',
  },
  VolumeTypeExists: { kind: 'conflict', template: 'Volume Type {id} already exists.' },
  VolumeTypeAccessExists: {
    kind: 'conflict',
    template: 'Volume type access for {volume_type_id} / {project_id} combination already exists.',
  },
  VolumeTypeAccessNotFound: {
    kind: 'notFound',
    template: 'Volume type access not found for {volume_type_id} / {project_id} combination.',
  },
  VolumeTypeAccessPublic: { kind: 'notFound', template: 'Access list not available for public volume types.' },
  // Quota errors are told with their names. upstream: cinder/api/middleware/fault.py
  VolumeLimitExceeded: {
    kind: 'overQuota',
    status: 413,
    template: "VolumeLimitExceeded: Maximum number of volumes allowed ({allowed}) exceeded for quota '{name}'.",
  },
  SnapshotLimitExceeded: {
    kind: 'overQuota',
    status: 413,
    template: 'SnapshotLimitExceeded: Maximum number of snapshots allowed ({allowed}) exceeded',
  },
  VolumeSizeExceedsAvailableQuota: {
    kind: 'overQuota',
    status: 413,
    template:
      'VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed {name} quota. Requested {requested}G, quota is {quota}G and {consumed}G has been consumed.',
  },
  VolumeSizeExceedsLimit: {
    kind: 'overQuota',
    status: 413,
    template: 'VolumeSizeExceedsLimit: Requested volume size {size}G is larger than maximum allowed limit {limit}G.',
  },
  NoValidBackend: { kind: 'conflict', template: 'No valid backend was found. {reason}' },
  VolumeBackendAPIException: {
    kind: 'bug',
    template: 'Bad or unexpected response from the storage volume backend API: {data}',
  },
  ImageUnacceptable: { kind: 'badRequest', template: 'Image {image_id} is unacceptable: {reason}' },
  ImageCopyFailure: { kind: 'conflict', template: 'Failed to copy image to volume: {reason}' },
});
