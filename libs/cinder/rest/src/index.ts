export { AttachmentsController } from './attachments.controller';
export { InfoController } from './info.controller';
export { SnapshotsController } from './snapshots.controller';
export { TypesController } from './types.controller';
export { VolumeActionsController } from './volume-actions.controller';
export { VolumesController } from './volumes.controller';
export { cinderPolicies } from './policy-rules';
