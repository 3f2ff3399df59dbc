import { defineErrors } from '@nestack/kernel/errors';

/** Glance's errors, with upstream's texts. */
export const GlanceError = defineErrors({
  ImageNotFound: { kind: 'notFound', template: 'No image found with ID {image_id}' },
  ImageIdTaken: { kind: 'conflict', template: 'Image ID {image_id} already exists!' },
  ImageProtected: { kind: 'forbidden', template: 'Image {image_id} is protected and cannot be deleted.' },
  ForbiddenOwner: { kind: 'forbidden', template: "You are not permitted to create images owned by '{owner}'" },
  Forbidden: { kind: 'forbidden', template: 'You are not authorized to complete {action} action.' },
  NotYours: { kind: 'forbidden', template: 'You are not permitted to {verb} this image.' },
  AttributeReadOnly: { kind: 'forbidden', template: "Attribute '{name}' is read-only." },
  AttributeReserved: { kind: 'forbidden', template: "Attribute '{name}' is reserved." },
  AttributeNotRemovable: { kind: 'forbidden', template: 'Property {name} may not be removed.' },
  FormatOnlyWhenQueued: { kind: 'forbidden', template: 'Attribute {name} can be only replaced for a queued image.' },
  PropertyMissing: { kind: 'conflict', template: 'Property {name} does not exist.' },
  LocationsForbidden: {
    kind: 'forbidden',
    template: "It's not allowed to {verb} locations if locations are invisible.",
  },
  InvalidPatch: { kind: 'badRequest', template: '{reason}' },
  InvalidInput: { kind: 'badRequest', template: '{reason}' },
  InvalidTransition: { kind: 'conflict', template: 'Image status transition from {from} to {to} is not allowed' },
  FormatsNotSet: {
    kind: 'badRequest',
    template: 'Properties disk_format, container_format must be set prior to saving data.',
  },
  NoData: { kind: 'notFound', template: 'Image {image_id} has no data.' },
  Deactivated: {
    kind: 'forbidden',
    template: 'The requested image has been deactivated. Image data download is forbidden.',
  },
  CannotDeactivate: { kind: 'forbidden', template: "Not allowed to deactivate image in status '{status}'" },
  CannotReactivate: { kind: 'forbidden', template: "Not allowed to reactivate image in status '{status}'" },
  DeletedDuringUpload: {
    kind: 'gone',
    template:
      'Image {image_id} could not be found after upload. The image may have been deleted during the upload, cleaning up the chunks uploaded.',
  },
  TooLarge: { kind: 'tooLarge', template: 'Denying attempt to upload image larger than {limit} bytes.' },
  StorageQuota: {
    kind: 'tooLarge',
    template: 'The size of the data {size} will exceed the limit. {remaining} bytes remaining.',
  },
  TooMany: {
    kind: 'tooLarge',
    template:
      'The limit has been exceeded on the number of allowed image {what}. Attempted: {attempted}, Maximum: {maximum}',
  },
  FormatMismatch: { kind: 'unsupportedMediaType', template: 'Image content does not match disk_format {declared}' },
  UnsafeFormat: { kind: 'unsupportedMediaType', template: 'Image does not pass safety check: {reason}' },
  UploadBroken: {
    kind: 'badRequest',
    template: 'Error occurred reading from backend store or client: the upload ended early.',
  },
  ChecksumMismatch: { kind: 'badRequest', template: 'The uploaded data has the MD5 sum {actual}, not {expected}.' },
  StoreFull: {
    kind: 'tooLarge',
    template: 'Image storage media is full: There is not enough disk space on the image storage media.',
  },
  RangeNotSatisfiable: {
    kind: 'badRequest',
    status: 416,
    template: 'The byte range passed in the Range header did not match any available byte range in the image file.',
  },
  OnlySharedHaveMembers: { kind: 'forbidden', template: 'Only shared images have members.' },
  MemberExists: {
    kind: 'conflict',
    template: 'The target member {member_id} is already associated with image {image_id}.',
  },
  MemberNotFound: { kind: 'notFound', template: '{member_id} not found in the member list of the image {image_id}.' },
  MembersNotYours: { kind: 'forbidden', template: 'You are not permitted to {verb} members for this image.' },
  MemberStatusNotYours: {
    kind: 'forbidden',
    template: "You are not permitted to modify 'status' on this image member.",
  },
  TagNotFound: { kind: 'notFound', template: 'Tag {tag} not found on the image.' },
  UnknownImportMethod: { kind: 'badRequest', template: "Unknown import method name '{name}'." },
  ImportUriNotAllowed: { kind: 'badRequest', template: 'URI for web-download does not pass filtering: {uri}' },
  NeedsStaging: { kind: 'conflict', template: "Image needs to be staged before 'glance-direct' method can be used" },
  NeedsQueued: { kind: 'conflict', template: "Image needs to be in 'queued' state to use 'web-download' method" },
  FormatNeededForImport: { kind: 'conflict', template: "'{name}' needs to be set before import" },
  TaskNotFound: { kind: 'notFound', template: 'Task not found for task_id {task_id}' },
  NamespaceNotFound: {
    kind: 'notFound',
    template: 'Metadata definition namespace={namespace} was not found.',
  },
  NamespaceUnknown: { kind: 'notFound', template: 'Namespace {namespace} not found' },
  NamespaceExists: { kind: 'conflict', template: 'The metadata definition namespace={namespace} already exists.' },
  NamespaceProtected: {
    kind: 'forbidden',
    template: 'Metadata definition namespace {namespace} is protected and cannot be deleted.',
  },
  MetadefNotFound: {
    kind: 'notFound',
    template: 'The metadata definition {what} with name={name} was not found in namespace={namespace}.',
  },
  MetadefExists: {
    kind: 'conflict',
    template: 'A metadata definition {what} with name={name} already exists in namespace={namespace}.',
  },
  MetadefTagExists: {
    kind: 'conflict',
    template:
      'A metadata tag with name={name} already exists in namespace={namespace}. (Please note that metadata tag names are case insensitive).',
  },
  MetadefProtected: {
    kind: 'forbidden',
    template: 'Metadata definition {what} {name} is protected and cannot be deleted.',
  },
  AssociationExists: {
    kind: 'conflict',
    template:
      'The metadata definition resource-type association of resource-type={name} to namespace={namespace} already exists.',
  },
  AssociationNotFound: {
    kind: 'notFound',
    template:
      'The metadata definition resource-type association of resource-type={name} to namespace={namespace}, was not found.',
  },
  AssociationUnknown: { kind: 'notFound', template: 'Failed to find resource type {name} to delete' },
  PropertyWithoutPrefix: {
    kind: 'notFound',
    template: "Property {name} does not start with the expected resource type association prefix of '{prefix}'.",
  },
  SchemaNotFound: { kind: 'notFound', template: 'The resource could not be found.' },
  StoresDisabled: { kind: 'notFound', template: 'Multi backend is not supported at this site.' },
  CacheDisabled: { kind: 'notFound', template: 'Caching via API is not supported at this site.' },
});
