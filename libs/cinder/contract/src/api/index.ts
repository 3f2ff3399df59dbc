import { cinderEnvelope, defineApi } from '@nestack/kernel/http';
import { CinderError } from '../errors';
import * as attachments from './attachments';
import * as backups from './backups';
import * as clusters from './clusters';
import * as groupTypes from './group-types';
import * as groups from './groups';
import * as info from './info';
import * as manage from './manage';
import * as qos from './qos';
import * as snapshots from './snapshots';
import * as transfers from './transfers';
import * as types from './types';
import * as actions from './volume-actions';
import * as volumes from './volumes';
import { MAX_VERSION, MIN_VERSION, versionsDocument } from './versions';

export * from './attachments';
export * from './backups';
export * from './clusters';
export * from './group-types';
export * from './groups';
export * from './info';
export * from './manage';
export * from './qos';
export * from './snapshots';
export * from './transfers';
export * from './types';
export * from './volume-actions';
export * from './volumes';
export { versionsDocument } from './versions';

/** Cinder's API. */
export const cinderApi = defineApi({
  service: 'cinder',
  type: 'block-storage',
  title: 'Block Storage API',
  prefixes: ['/v3/{project_id}', '/v3'],
  microversions: { min: MIN_VERSION, max: MAX_VERSION, default: MIN_VERSION, service: 'volume' },
  envelope: cinderEnvelope,
  errors: CinderError.declarations,
  operations: [
    ...volumes.volumeOperations,
    ...actions.volumeActionOperations,
    ...attachments.attachmentOperations,
    ...snapshots.snapshotOperations,
    ...types.typeOperations,
    ...transfers.volumeTransferOperations,
    ...qos.qosOperations,
    ...groupTypes.groupTypeOperations,
    ...groups.groupOperations,
    ...backups.backupOperations,
    ...manage.manageOperationsList,
    ...clusters.clusterOperations,
    ...info.infoOperations,
  ],
  documents: {
    '/': ({ rootUrl }) => ({ status: 300, body: versionsDocument(rootUrl) }),
  },
});
