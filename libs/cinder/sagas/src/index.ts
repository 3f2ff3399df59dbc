import type { SagaDefinition } from '@nestack/kernel/saga';
import type { SagaDeps } from './deps';
import { createBackupSaga, deleteBackupSaga, restoreBackupSaga } from './backup.sagas';
import {
  createGroupFromSourceSaga,
  createGroupSaga,
  createGroupSnapshotSaga,
  deleteGroupSaga,
  deleteGroupSnapshotSaga,
} from './group.sagas';
import { createSnapshotSaga, deleteSnapshotSaga } from './snapshot.sagas';
import { extendVolumeSaga, reimageVolumeSaga, uploadImageSaga } from './volume-change.sagas';
import { createVolumeSaga, deleteVolumeSaga } from './volume-create.saga';
import { manageSnapshotSaga, manageVolumeSaga, migrateVolumeSaga, revertVolumeSaga } from './volume-move.sagas';

export type { SagaDeps } from './deps';

/** All of cinder's long operations, for a scheduler to register. */
export function cinderSagas(deps: SagaDeps): readonly SagaDefinition[] {
  return [
    createVolumeSaga(deps),
    deleteVolumeSaga(deps),
    extendVolumeSaga(deps),
    uploadImageSaga(deps),
    reimageVolumeSaga(deps),
    createSnapshotSaga(deps),
    deleteSnapshotSaga(deps),
    revertVolumeSaga(deps),
    migrateVolumeSaga(deps),
    manageVolumeSaga(deps),
    manageSnapshotSaga(deps),
    createBackupSaga(deps),
    restoreBackupSaga(deps),
    deleteBackupSaga(deps),
    createGroupSaga(deps),
    createGroupFromSourceSaga(deps),
    deleteGroupSaga(deps),
    createGroupSnapshotSaga(deps),
    deleteGroupSnapshotSaga(deps),
  ] as unknown as readonly SagaDefinition[];
}
