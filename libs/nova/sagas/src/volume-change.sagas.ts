import { isDeepStrictEqual } from 'node:util';
import type { RequestContext } from '@nestack/kernel/context';
import { defineSaga, type SagaDefinition } from '@nestack/kernel/saga';
import { NovaError, NovaSagas, type ConnectionInfo } from '@nestack/nova/contract';
import { load, onHost, type SagaDeps } from './deps';

interface Grown {
  readonly bdm_id: number;
  readonly host: string;
  /** GiB */
  readonly size: number;
  readonly connection_info: ConnectionInfo;
}

/**
 * `server.extend_volume`: the guest sees that a volume of its has grown. Backends may serve the new size under another name
 * for as long as the former one is in use: so the guest is given its connection, and then, when nobody uses the former one any
 * more, the one that is to stay. A server that does not have the volume there (any more) has nothing to see.
 * upstream: nova/compute/manager.py extend_volume
 */
function extendVolume(deps: SagaDeps) {
  interface Params {
    readonly instance_uuid: string;
    readonly volume_id: string;
  }
  const connect = async (ctx: RequestContext, { instance_uuid, volume_id }: Params): Promise<Grown | null> => {
    const { instance, devices } = await load(deps, instance_uuid);
    const device = devices.find((one) => one.volume_id === volume_id);
    const { host } = instance;
    if (instance.deleted_at !== null || host === null || device === undefined) return null;
    if (device.attachment_id === null || device.connection_info === null) return null;
    const volume = await deps.volumes.get(ctx, volume_id, 'service');
    if (volume === null) throw NovaError.VolumeNotFound({ volume_id });
    const { connector } = await onHost(deps, host, deps.compute.get_volume_connector(ctx, {}, { host }));
    const { attachment_id: id, device_name } = device;
    const connection_info = await deps.volumes.connect(ctx, id, connector, device_name);
    return { bdm_id: device.id, host, size: volume.size, connection_info };
  };
  const see = async (ctx: RequestContext, params: Params, grown: Grown, messageId: string): Promise<void> => {
    const { host, size, connection_info } = grown;
    const { instance_uuid, volume_id } = params;
    const args = { instance_uuid, volume_id, connection_info, new_size: size * 1024 ** 3 };
    await onHost(deps, host, deps.compute.extend_volume(ctx, args, { host, messageId }));
  };
  return defineSaga({
    kind: NovaSagas.extendVolume.kind,
    version: 1,
    params: NovaSagas.extendVolume.params,
    steps: [
      { type: 'effect', name: 'connect', do: (ctx, run) => connect(ctx, run.params) },
      {
        type: 'effect',
        name: 'extend',
        when: (run) => run.maybe<Grown | null>('connect') !== null,
        do: (ctx, run) => see(ctx, run.params, run.out<Grown>('connect'), run.messageId),
      },
      {
        type: 'effect',
        name: 'settle',
        when: (run) => run.maybe<Grown | null>('connect') !== null,
        do: (ctx, run) => connect(ctx, run.params),
      },
      {
        type: 'effect',
        name: 'move',
        when: (run) => (run.maybe<Grown | null>('settle') ?? null) !== null,
        do: async (ctx, run) => {
          const settled = run.out<Grown>('settle');
          if (!isDeepStrictEqual(settled.connection_info, run.out<Grown>('connect').connection_info))
            await see(ctx, run.params, settled, run.messageId);
        },
      },
      {
        type: 'tx',
        name: 'extended',
        do: async (_ctx, tx, run) => {
          const settled = run.maybe<Grown | null>('settle') ?? null;
          if (settled === null) return;
          const { bdm_id: id, size, connection_info } = settled;
          await deps.devices.update(tx, id, { volume_size: size, connection_info });
        },
      },
    ],
  });
}

export function volumeChangeSagas(deps: SagaDeps): readonly SagaDefinition[] {
  return [extendVolume(deps)] as unknown as readonly SagaDefinition[];
}
