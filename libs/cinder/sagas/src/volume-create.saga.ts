import { defineSaga } from '@nestack/kernel/saga';
import { queueHost } from '@nestack/cinder/domain';
import { SchedulerHints } from '@nestack/cinder/contract';
import Type from 'typebox';
import { findVolume, moveStatus, tellGroup, tellOwner, type SagaDeps } from './deps';

/**
 * `volume.create`: a backend is chosen, the data is made there, the volume becomes available. A failure leaves the volume
 * in `error` with its backend known, so that its deletion finds what there may be of it.
 */
export function createVolumeSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'volume.create',
    version: 1,
    params: Type.Object({
      volume_id: Type.String(),
      hints: Type.Optional(SchedulerHints),
      restoring: Type.Optional(Type.Boolean()),
    }),
    steps: [
      {
        type: 'effect',
        name: 'schedule',
        do: (ctx, run) => {
          const { volume_id, hints } = run.params;
          return deps.scheduler.create_volume(ctx, { volume_id, ...(hints === undefined ? {} : { hints }) });
        },
      },
      {
        type: 'tx',
        name: 'place',
        do: (_ctx, tx, run) => deps.volumes.place(tx, run.params.volume_id, run.out<{ host: string }>('schedule').host),
      },
      {
        type: 'effect',
        name: 'create',
        do: (ctx, run) =>
          deps.volume.create_volume(
            ctx,
            { volume_id: run.params.volume_id },
            { host: queueHost(run.out<{ host: string }>('schedule').host), messageId: run.messageId },
          ),
      },
      {
        type: 'tx',
        name: 'available',
        do: async (ctx, tx, run) => {
          await tellGroup(ctx, deps, tx, await deps.volumes.find(tx, run.params.volume_id, null));
          const { image_metadata } = run.out<{ image_metadata: Record<string, string> | null }>('create');
          await deps.volumes.transition(tx, run.params.volume_id, ['creating', 'downloading'], {
            // Nobody shall take it for what it is not yet.
            status: run.params.restoring === true ? 'restoring-backup' : 'available',
            ...(image_metadata === null ? {} : { bootable: true, image_metadata }),
          });
        },
      },
    ],
    onUnwound: async (ctx, tx, run) => {
      const volume = await moveStatus(deps, tx, run.params.volume_id, ['creating', 'downloading'], 'error');
      await tellGroup(ctx, deps, tx, volume);
      await tellOwner(ctx, deps, tx, run, volume);
    },
  });
}

/** `volume.delete`: data first, row and quota last. What cannot be deleted is left in `error_deleting`. */
export function deleteVolumeSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'volume.delete',
    version: 1,
    params: Type.Object({ volume_id: Type.String() }),
    steps: [
      {
        type: 'effect',
        name: 'delete_snapshots',
        do: async (ctx, run) => {
          const volume = await findVolume(deps, run.params.volume_id);
          if (volume === null || volume.host === null) return;
          const snapshots = await deps.tx.read('saga.snapshots', (tx) => deps.snapshots.ofVolume(tx, volume.id));
          for (const { id } of snapshots)
            await deps.volume.delete_snapshot(ctx, { snapshot_id: id }, { host: queueHost(volume.host) });
        },
      },
      {
        type: 'effect',
        name: 'delete',
        // A backend that is away is waited for: the data must not stay behind.
        retryForMs: Number.MAX_SAFE_INTEGER,
        do: async (ctx, run) => {
          const volume = await findVolume(deps, run.params.volume_id);
          if (volume === null || volume.host === null) return;
          await deps.volume.delete_volume(
            ctx,
            { volume_id: volume.id },
            { host: queueHost(volume.host), messageId: run.messageId },
          );
        },
      },
      {
        type: 'tx',
        name: 'gone',
        do: async (ctx, tx, run) => {
          const volume = await deps.volumes.find(tx, run.params.volume_id, null, { lock: true });
          if (volume === null) return;
          await tellGroup(ctx, deps, tx, volume);
          for (const snapshot of await deps.snapshots.ofVolume(tx, volume.id)) {
            await deps.snapshots.remove(tx, snapshot.id);
            await deps.quotas.release(tx, snapshot.project_id, {
              snapshots: 1,
              gigabytes: snapshot.volume_size,
              [`snapshots_${volume.volume_type}`]: 1,
              [`gigabytes_${volume.volume_type}`]: snapshot.volume_size,
            });
          }
          if (volume.host !== null) await deps.volumes.provision(tx, volume.host, -volume.size);
          await deps.quotas.release(tx, volume.project_id, {
            volumes: 1,
            gigabytes: volume.size,
            [`volumes_${volume.volume_type}`]: 1,
            [`gigabytes_${volume.volume_type}`]: volume.size,
          });
          await deps.volumes.remove(tx, volume.id);
        },
      },
    ],
    onUnwound: async (ctx, tx, run) => {
      const volume = await moveStatus(deps, tx, run.params.volume_id, ['deleting'], 'error_deleting');
      await tellGroup(ctx, deps, tx, volume);
      await tellOwner(ctx, deps, tx, run, volume);
      for (const snapshot of await deps.snapshots.ofVolume(tx, run.params.volume_id))
        if (snapshot.status === 'deleting') await deps.snapshots.update(tx, snapshot.id, { status: 'error_deleting' });
    },
  });
}
