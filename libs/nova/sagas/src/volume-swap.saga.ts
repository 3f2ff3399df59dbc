import type { RequestContext } from '@nestack/kernel/context';
import { defineSaga } from '@nestack/kernel/saga';
import { NovaError, NovaSagas, type ConnectionInfo } from '@nestack/nova/contract';
import {
  REQUEST_WAIT_MS,
  RESERVATION_REFUSED,
  RESERVATION_UNANSWERED,
  SWAP_PENDING,
  VOLUME_SWAP,
} from '@nestack/nova/domain';
import { expectLate, isUnsure } from './late-reservation.saga';
import { takeOut, unlessRefused, type Heard } from './attachment.sagas';
import { load, onHost, type SagaDeps } from './deps';

interface Reserved {
  readonly id: string;
}
interface Connected {
  readonly host: string;
  /** Of the new volume. */
  readonly connection_info: ConnectionInfo;
  /** GiB */
  readonly size: number;
  /** Of the old one. */
  readonly before: { readonly connection_info: ConnectionInfo; readonly size: number; readonly attachment_id: string };
}

/**
 * `server.swap_volume`: reserve and connect the new volume, let the guest's disk move there, and give the old one back.
 * Undone, the guest has the old volume and the new one is available again. upstream: nova/compute/manager.py swap_volume
 */
export function swapVolumeSaga(deps: SagaDeps) {
  type Params = { readonly instance_uuid: string; readonly volume_id: string; readonly new_volume_id: string };
  const move = (
    ctx: RequestContext,
    { instance_uuid, volume_id, new_volume_id }: Params,
    { connected, back, messageId }: { connected: Connected; back: boolean; messageId: string },
  ): Promise<unknown> => {
    const { connection_info, size } = back ? connected.before : connected;
    const args = {
      instance_uuid,
      old_volume_id: back ? new_volume_id : volume_id,
      new_volume_id: back ? volume_id : new_volume_id,
      connection_info,
      new_size: size * 1024 ** 3,
    };
    return deps.compute.swap_volume(ctx, args, { host: connected.host, messageId });
  };
  return defineSaga({
    kind: NovaSagas.swapVolume.kind,
    version: 2,
    continues: [1],
    params: NovaSagas.swapVolume.params,
    steps: [
      {
        type: 'effect',
        name: 'hold',
        do: () => Promise.resolve(null),
        undo: async (ctx, run) => {
          const id = await deps.volumes.findAttachment(ctx, run.params.new_volume_id, run.params.instance_uuid);
          if (id !== null) await deps.volumes.deleteAttachment(ctx, id);
          await unlessRefused(deps.volumes.rollDetaching(ctx, run.params.volume_id));
        },
      },
      {
        type: 'wait',
        name: 'reserved',
        timeoutMs: REQUEST_WAIT_MS,
        onTimeout: 'continue',
        check: async (_ctx, tx, run): Promise<Heard | undefined> => {
          const told = await deps.events.of(tx, run.params.instance_uuid, VOLUME_SWAP);
          const id = told.get(run.params.new_volume_id) ?? SWAP_PENDING;
          if (id === RESERVATION_REFUSED)
            throw NovaError.InvalidVolume({ reason: 'the new volume could not be reserved' });
          if (id === SWAP_PENDING) return undefined;
          return { id: id === RESERVATION_UNANSWERED ? null : id };
        },
      },
      {
        type: 'effect',
        name: 'reserve',
        do: async (ctx, run): Promise<Reserved> => {
          const { volume_id, new_volume_id, instance_uuid } = run.params;
          const told = run.maybe<Heard | null>('reserved')?.id ?? null;
          if (told !== null) return { id: told };
          await unlessRefused(deps.volumes.beginDetaching(ctx, volume_id, 'service'));
          return deps.volumes.ensureAttachment(ctx, new_volume_id, instance_uuid, 'service');
        },
      },
      {
        type: 'effect',
        name: 'connect',
        do: async (ctx, run): Promise<Connected> => {
          const { instance_uuid, new_volume_id, bdm_id } = run.params;
          const { instance, devices } = await load(deps, instance_uuid);
          const { host } = instance;
          if (instance.deleted_at !== null) throw NovaError.InstanceNotFound({ instance_id: instance.uuid });
          if (host === null) throw NovaError.InstanceNotReady();
          const device = devices.find(({ id }) => id === bdm_id);
          if (device === undefined || device.connection_info === null || device.attachment_id === null)
            throw NovaError.VolumeBdmNotFound({ volume_id: run.params.volume_id });
          const volume = await deps.volumes.get(ctx, new_volume_id, 'service');
          if (volume === null) throw NovaError.VolumeNotFound({ volume_id: new_volume_id });
          const { connector } = await onHost(deps, host, deps.compute.get_volume_connector(ctx, {}, { host }));
          const { id } = run.out<Reserved>('reserve');
          const connection_info = await deps.volumes.connect(ctx, id, connector, device.device_name);
          const { connection_info: former, attachment_id } = device;
          const before = { connection_info: former, attachment_id, size: device.volume_size ?? volume.size };
          return { host, connection_info, size: volume.size, before };
        },
      },
      {
        type: 'effect',
        name: 'swap',
        retryForMs: 600_000,
        do: async (ctx, run) => {
          const connected = run.out<Connected>('connect');
          const command = move(ctx, run.params, { connected, back: false, messageId: run.messageId });
          await onHost(deps, connected.host, command);
        },
        undo: async (ctx, run) => {
          const connected = run.out<Connected>('connect');
          const messageId = `${run.messageId}:undo`;
          await takeOut(deps, connected.host, () => move(ctx, run.params, { connected, back: true, messageId }));
        },
      },
      {
        type: 'effect',
        name: 'complete',
        do: (ctx, run) => deps.volumes.complete(ctx, run.out<Reserved>('reserve').id),
      },
      {
        type: 'tx',
        name: 'swapped',
        pivot: true,
        do: async (_ctx, tx, run) => {
          const { instance_uuid, new_volume_id, bdm_id } = run.params;
          const { connection_info, size } = run.out<Connected>('connect');
          await deps.devices.update(tx, bdm_id, {
            volume_id: new_volume_id,
            volume_size: size,
            attachment_id: run.out<Reserved>('reserve').id,
            connection_info,
            state: 'attached',
          });
          await deps.events.forget(tx, instance_uuid, VOLUME_SWAP, new_volume_id);
        },
      },
      {
        type: 'effect',
        name: 'release',
        do: (ctx, run) =>
          unlessRefused(deps.volumes.deleteAttachment(ctx, run.out<Connected>('connect').before.attachment_id)),
      },
    ],
    onUnwound: async (ctx, tx, run) => {
      const { instance_uuid, new_volume_id, bdm_id } = run.params;
      const told = (await deps.events.of(tx, instance_uuid, VOLUME_SWAP)).get(new_volume_id);
      if (told === SWAP_PENDING || isUnsure(told))
        await expectLate(ctx, tx, deps, { instance_uuid, volume_id: new_volume_id });
      await deps.devices.update(tx, bdm_id, { state: 'attached' });
      await deps.events.forget(tx, instance_uuid, VOLUME_SWAP, new_volume_id);
    },
  });
}
