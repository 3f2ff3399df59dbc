import { defineSaga } from '@nestack/kernel/saga';
import { CinderError } from '@nestack/cinder/contract';
import { ofType, queueHost } from '@nestack/cinder/domain';
import Type from 'typebox';
import { findVolume, hostOf, moveSnapshot, moveStatus, tellOwner, type SagaDeps } from './deps';

/** `volume.revert`: the content of the latest snapshot takes the place of the volume's. */
export function revertVolumeSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'volume.revert',
    version: 1,
    params: Type.Object({ volume_id: Type.String(), snapshot_id: Type.String() }),
    steps: [
      {
        type: 'effect',
        name: 'revert',
        do: async (ctx, run) =>
          deps.volume.revert_to_snapshot(ctx, run.params, {
            host: await hostOf(deps, run.params.volume_id),
            messageId: run.messageId,
          }),
      },
      {
        type: 'tx',
        name: 'reverted',
        do: async (_ctx, tx, run) => {
          await moveStatus(deps, tx, run.params.volume_id, ['reverting'], 'available');
          await moveSnapshot(deps, tx, run.params.snapshot_id, 'restoring', 'available');
        },
      },
    ],
    onUnwound: async (ctx, tx, run) => {
      const volume = await moveStatus(deps, tx, run.params.volume_id, ['reverting'], 'error');
      await moveSnapshot(deps, tx, run.params.snapshot_id, 'restoring', 'available');
      await tellOwner(ctx, deps, tx, run, volume);
    },
  });
}

/** `volume.migrate`: the data are copied to another backend, the row follows, and the first copy goes. With another type or not. */
export function migrateVolumeSaga(deps: SagaDeps) {
  const Nullable = Type.Union([Type.String(), Type.Null()]);
  return defineSaga({
    kind: 'volume.migrate',
    version: 1,
    params: Type.Object({ volume_id: Type.String(), host: Nullable, volume_type_id: Nullable }),
    steps: [
      {
        type: 'effect',
        name: 'schedule',
        do: async (ctx, run) => {
          const { host } = await deps.scheduler.migrate_volume(ctx, run.params);
          const from = (await findVolume(deps, run.params.volume_id))?.host;
          if (from === null || from === undefined)
            throw CinderError.VolumeNotFound({ volume_id: run.params.volume_id });
          return { host, from };
        },
      },
      {
        type: 'effect',
        name: 'copy',
        do: (ctx, run) => {
          const { host } = run.out<Place>('schedule');
          const args = { volume_id: run.params.volume_id, host };
          return deps.volume.migrate_volume(ctx, args, { host: queueHost(host), messageId: run.messageId });
        },
        undo: async (ctx, run) => {
          const place = run.maybe<Place>('schedule');
          if (place !== undefined) await removeCopy(deps, ctx, run.params.volume_id, place.host);
        },
      },
      {
        type: 'tx',
        name: 'moved',
        pivot: true,
        do: async (_ctx, tx, run) => {
          const { host, from } = run.out<Place>('schedule');
          const { volume_id: id, volume_type_id } = run.params;
          const volume = await deps.volumes.find(tx, id, null, { lock: true });
          if (volume === null) return;
          const type = volume_type_id === null ? null : await deps.types.find(tx, volume_type_id, null);
          await deps.volumes.provision(tx, from, -volume.size);
          await deps.volumes.provision(tx, host, volume.size);
          const held = volume.status === 'maintenance' || volume.status === 'retyping';
          await deps.volumes.update(tx, id, {
            host,
            migration_status: 'success',
            ...(held ? { status: 'available' as const } : {}),
            ...(type === null
              ? {}
              : { volume_type_id: type.id, multiattach: /^<is>\s*true$/i.test(type.extra_specs['multiattach'] ?? '') }),
          });
        },
      },
      {
        type: 'effect',
        name: 'clean',
        do: (ctx, run) => removeCopy(deps, ctx, run.params.volume_id, run.out<Place>('schedule').from),
      },
    ],
    onUnwound: async (ctx, tx, run) => {
      const { volume_id: id, volume_type_id } = run.params;
      const volume = await moveStatus(deps, tx, id, ['maintenance', 'retyping'], 'available');
      await tellOwner(ctx, deps, tx, run, volume);
      if (volume === null) return;
      await deps.volumes.update(tx, id, { migration_status: volume_type_id === null ? 'error' : null });
      const type = volume_type_id === null ? null : await deps.types.find(tx, volume_type_id, null);
      if (type === null) return;
      await deps.quotas.release(tx, volume.project_id, ofType(volume, type.name));
      await deps.quotas.restore(tx, volume.project_id, ofType(volume, volume.volume_type));
    },
  });
}

interface Place {
  readonly host: string;
  readonly from: string;
}

async function removeCopy(
  deps: SagaDeps,
  ctx: Parameters<SagaDeps['volume']['delete_volume_copy']>[0],
  volumeId: string,
  host: string,
): Promise<void> {
  await deps.volume.delete_volume_copy(ctx, { volume_id: volumeId, host }, { host: queueHost(host) });
}

/** `volume.manage`: what is on a backend becomes a volume. Nothing of it is touched when it cannot. */
export function manageVolumeSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'volume.manage',
    version: 1,
    params: Type.Object({ volume_id: Type.String(), name: Type.String() }),
    steps: [
      {
        type: 'effect',
        name: 'size',
        do: async (ctx, run) => {
          const volume = await findVolume(deps, run.params.volume_id);
          if (volume === null || volume.host === null)
            throw CinderError.VolumeNotFound({ volume_id: run.params.volume_id });
          return deps.volume.manage_existing_get_size(
            ctx,
            { host: volume.host, name: run.params.name },
            { host: queueHost(volume.host) },
          );
        },
      },
      {
        type: 'tx',
        name: 'count',
        do: async (_ctx, tx, run) => {
          const { size } = run.out<{ size: number }>('size');
          const volume = await deps.volumes.find(tx, run.params.volume_id, null, { lock: true });
          if (volume === null) return;
          await deps.quotas.reserve(
            tx,
            volume.project_id,
            { gigabytes: size, [`gigabytes_${volume.volume_type}`]: size },
            size,
          );
          if (volume.host !== null) await deps.volumes.provision(tx, volume.host, size);
          await deps.volumes.update(tx, volume.id, { size });
        },
      },
      {
        type: 'effect',
        name: 'manage',
        pivot: true,
        do: async (ctx, run) =>
          deps.volume.manage_existing(ctx, run.params, { host: await hostOf(deps, run.params.volume_id) }),
      },
      {
        type: 'tx',
        name: 'available',
        do: async (_ctx, tx, run) => {
          await moveStatus(deps, tx, run.params.volume_id, ['managing'], 'available');
        },
      },
    ],
    // Its size stays counted if it was, and goes with the row.
    onUnwound: async (ctx, tx, run) =>
      tellOwner(ctx, deps, tx, run, await moveStatus(deps, tx, run.params.volume_id, ['managing'], 'error_managing')),
  });
}

/** `snapshot.manage`: the same for a snapshot of a volume. */
export function manageSnapshotSaga(deps: SagaDeps) {
  return defineSaga({
    kind: 'snapshot.manage',
    version: 1,
    params: Type.Object({ snapshot_id: Type.String(), volume_id: Type.String(), name: Type.String() }),
    steps: [
      {
        type: 'effect',
        name: 'manage',
        do: async (ctx, run) => {
          const { snapshot_id, name, volume_id } = run.params;
          return deps.volume.manage_existing_snapshot(
            ctx,
            { snapshot_id, name },
            { host: await hostOf(deps, volume_id) },
          );
        },
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
