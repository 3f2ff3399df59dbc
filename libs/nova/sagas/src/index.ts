import type { SagaDefinition } from '@nestack/kernel/saga';
import { attachmentSagas } from './attachment.sagas';
import type { SagaDeps } from './deps';
import { createServerSaga } from './server-create.saga';
import { deleteServerSaga } from './server-delete.saga';
import { lateReservationSaga } from './late-reservation.saga';
import { powerSagas } from './server-power.sagas';
import { rebuildSaga } from './server-rebuild.saga';
import { rescueSagas } from './server-rescue.sagas';
import { resizeSagas } from './server-resize.sagas';
import { shelveSagas } from './server-shelve.sagas';
import { createBackupSaga, createImageSaga } from './server-snapshot.saga';
import { createVolumeImageSaga } from './server-volume-snapshot.saga';
import { volumeChangeSagas } from './volume-change.sagas';
import { swapVolumeSaga } from './volume-swap.saga';

export type { SagaDeps } from './deps';

/** All of nova's long operations, for a conductor to register. */
export function novaSagas(deps: SagaDeps): readonly SagaDefinition[] {
  return [
    createServerSaga(deps),
    deleteServerSaga(deps),
    ...powerSagas(deps),
    ...attachmentSagas(deps),
    ...volumeChangeSagas(deps),
    swapVolumeSaga(deps),
    lateReservationSaga(deps),
    ...rescueSagas(deps),
    ...resizeSagas(deps),
    ...shelveSagas(deps),
    rebuildSaga(deps),
    createImageSaga(deps),
    createBackupSaga(deps),
    createVolumeImageSaga(deps),
  ] as unknown as readonly SagaDefinition[];
}
