import { defineSaga } from '@nestack/kernel/saga';
import { Readable } from 'node:stream';
import { NovaError, NovaSagas } from '@nestack/nova/contract';
import { load, type SagaDeps } from './deps';
import { endImage, imageSteps, setTask } from './server-image.steps';
import { faultOf } from './server-power.sagas';

/**
 * `server.create_volume_image`: snapshots of all volumes of a server that boots from one, and an image without data whose
 * property `block_device_mapping` names them. Undone, there is neither. upstream: nova/compute/api.py snapshot_volume_backed
 */
export function createVolumeImageSaga(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.createVolumeImage.kind,
    version: 1,
    params: NovaSagas.createVolumeImage.params,
    steps: [
      ...imageSteps(deps),
      {
        type: 'tx',
        name: 'copying',
        do: (_ctx, tx, run) => setTask(deps, tx, run.params.instance_uuid, 'image_snapshot'),
      },
      {
        type: 'effect',
        name: 'snapshots',
        retryForMs: 600_000,
        do: async (ctx, run) => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          const mapping: Record<string, unknown>[] = [];
          const name = `snapshot for ${String(run.params.image['name'])}`;
          for (const device of devices) {
            const { volume_id } = device;
            if (volume_id === null || device.state === 'reserved') continue;
            const made = await deps.volumes.ensureSnapshot(ctx, { volume_id, name, key: run.params.image_id });
            if (made.status === 'creating')
              throw NovaError.VolumeNotReady({ volume_id, status: `its snapshot is ${made.status}` });
            if (made.status !== 'available')
              throw NovaError.InvalidVolume({ reason: `its snapshot is ${made.status}` });
            mapping.push({
              source_type: 'snapshot',
              destination_type: 'volume',
              snapshot_id: made.id,
              volume_size: made.size,
              volume_type: device.volume_type,
              device_name: device.device_name,
              boot_index: device.boot_index,
              delete_on_termination: device.delete_on_termination,
              device_type: 'disk',
              disk_bus: 'virtio',
              image_id: null,
              volume_id: null,
              no_device: null,
              guest_format: null,
              tag: device.tag,
            });
          }
          return { root: instance.root_device_name ?? '/dev/vda', mapping };
        },
        undo: async (ctx, run) => {
          const { devices } = await load(deps, run.params.instance_uuid);
          for (const { volume_id } of devices) {
            if (volume_id === null) continue;
            const made = await deps.volumes.findSnapshot(ctx, volume_id, run.params.image_id);
            if (made !== null) await deps.volumes.deleteSnapshot(ctx, made.id);
          }
        },
      },
      {
        type: 'effect',
        name: 'publish',
        pivot: true,
        do: async (ctx, run) => {
          const { image_id: id } = run.params;
          const found = await deps.images.get(ctx, id, 'service');
          if (found === null) throw NovaError.ImageNotFoundApi();
          if (found.status === 'active') return;
          if (found.status === 'saving') throw NovaError.ImageIsBusy({ image_id: id });
          const { root, mapping } = run.out<{ root: string; mapping: unknown[] }>('snapshots');
          await deps.images.setProperties(ctx, id, {
            bdm_v2: 'True',
            root_device_name: root,
            block_device_mapping: JSON.stringify(mapping),
          });
          await deps.images.upload(ctx, id, Readable.from([]));
        },
      },
      {
        type: 'tx',
        name: 'states',
        do: (_ctx, tx, run) => endImage(deps, tx, run.params, {}),
      },
    ],
    onUnwound: (_ctx, tx, run) => endImage(deps, tx, run.params, { fault: faultOf(deps, run) }),
  });
}
