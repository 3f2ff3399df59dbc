import { defineSaga } from '@nestack/kernel/saga';
import { queueHost } from '@nestack/cinder/domain';
import Type from 'typebox';
import { findVolume, hostOf, moveSnapshot, tellOwner, type SagaDeps } from './deps';

const Params = Type.Object({ snapshot_id: Type.String(), volume_id: Type.String() });

/** `snapshot.create`: the content as it is when the backend is asked. */
export function createSnapshotSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'snapshot.create',
    version: 1,
    params: Params,
    steps: [
      {
        type: 'effect',
        name: 'create',
        do: async (ctx, run) =>
          deps.volume.create_snapshot(
            ctx,
            { snapshot_id: run.params.snapshot_id },
            { host: await hostOf(deps, run.params.volume_id), messageId: run.messageId },
          ),
      },
      {
        type: 'tx',
        name: 'available',
        do: async (_ctx, tx, run) => {
          await moveSnapshot(deps, tx, run.params.snapshot_id, 'creating', 'available');
        },
      },
    ],
    onUnwound: async (ctx, tx, run) =>
      tellOwner(ctx, deps, tx, run, await moveSnapshot(deps, tx, run.params.snapshot_id, 'creating', 'error')),
  });
}

/** `snapshot.delete`: data first, row and quota last. */
export function deleteSnapshotSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'snapshot.delete',
    version: 1,
    params: Params,
    steps: [
      {
        type: 'effect',
        name: 'delete',
        retryForMs: Number.MAX_SAFE_INTEGER,
        do: async (ctx, run) => {
          const volume = await findVolume(deps, run.params.volume_id);
          if (volume === null || volume.host === null) return;
          await deps.volume.delete_snapshot(
            ctx,
            { snapshot_id: run.params.snapshot_id },
            { host: queueHost(volume.host), messageId: run.messageId },
          );
        },
      },
      {
        type: 'tx',
        name: 'gone',
        do: async (_ctx, tx, run) => {
          const snapshot = await deps.snapshots.find(tx, run.params.snapshot_id, null, { lock: true });
          if (snapshot === null) return;
          const volume = await deps.volumes.find(tx, snapshot.volume_id, null);
          await deps.snapshots.remove(tx, snapshot.id);
          await deps.quotas.release(tx, snapshot.project_id, {
            snapshots: 1,
            gigabytes: snapshot.volume_size,
            ...(volume === null
              ? {}
              : {
                  [`snapshots_${volume.volume_type}`]: 1,
                  [`gigabytes_${volume.volume_type}`]: snapshot.volume_size,
                }),
          });
        },
      },
    ],
    onUnwound: async (ctx, tx, run) =>
      tellOwner(ctx, deps, tx, run, await moveSnapshot(deps, tx, run.params.snapshot_id, 'deleting', 'error_deleting')),
  });
}
