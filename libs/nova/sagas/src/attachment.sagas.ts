import { DomainError } from '@nestack/kernel/errors';
import { defineSaga, type SagaDefinition } from '@nestack/kernel/saga';
import { NovaError, NovaSagas, type ConnectionInfo } from '@nestack/nova/contract';
import { load, reachable, type SagaDeps } from './deps';

/** `server.attach_volume`: reserve, connect, hot-plug, complete; undone, the volume is available again. */
function attachVolume(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.attachVolume.kind,
    version: 1,
    params: NovaSagas.attachVolume.params,
    steps: [
      {
        type: 'effect',
        name: 'reserve',
        do: (ctx, run) => deps.volumes.ensureAttachment(ctx, run.params.volume_id, run.params.instance_uuid, 'service'),
        undo: async (ctx, run) => {
          const id =
            run.maybe<{ id: string }>('reserve')?.id ??
            (await deps.volumes.findAttachment(ctx, run.params.volume_id, run.params.instance_uuid));
          if (id !== null) await deps.volumes.deleteAttachment(ctx, id);
        },
      },
      {
        type: 'effect',
        name: 'connect',
        do: async (ctx, run): Promise<{ connection_info: ConnectionInfo; host: string; device: string | null }> => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          if (instance.host === null) throw NovaError.InstanceNotReady();
          const device = devices.find(({ id }) => id === run.params.bdm_id)?.device_name ?? null;
          const { connector } = await deps.compute.get_volume_connector(ctx, {}, { host: instance.host });
          return {
            connection_info: await deps.volumes.connect(ctx, run.out<{ id: string }>('reserve').id, connector, device),
            host: instance.host,
            device,
          };
        },
      },
      {
        type: 'tx',
        name: 'connected',
        do: (_ctx, tx, run) =>
          deps.devices.update(tx, run.params.bdm_id, {
            attachment_id: run.out<{ id: string }>('reserve').id,
            connection_info: run.out<{ connection_info: ConnectionInfo }>('connect').connection_info,
          }),
      },
      {
        type: 'effect',
        name: 'attach',
        do: async (ctx, run) => {
          const { connection_info, host, device } = run.out<{
            connection_info: ConnectionInfo;
            host: string;
            device: string | null;
          }>('connect');
          return deps.compute.attach_volume(
            ctx,
            { instance_uuid: run.params.instance_uuid, volume_id: run.params.volume_id, device, connection_info },
            { host, messageId: run.messageId },
          );
        },
        undo: async (ctx, run) => {
          const connected = run.maybe<{ connection_info: ConnectionInfo; host: string }>('connect');
          if (connected === undefined || !(await reachable(deps, connected.host))) return;
          await deps.compute.detach_volume(
            ctx,
            {
              instance_uuid: run.params.instance_uuid,
              volume_id: run.params.volume_id,
              connection_info: connected.connection_info,
            },
            { host: connected.host, messageId: `${run.messageId}:undo` },
          );
        },
      },
      {
        type: 'effect',
        name: 'complete',
        pivot: true,
        do: (ctx, run) => deps.volumes.complete(ctx, run.out<{ id: string }>('reserve').id),
      },
      {
        type: 'tx',
        name: 'attached',
        do: (_ctx, tx, run) =>
          deps.devices.update(tx, run.params.bdm_id, {
            state: 'attached',
            device_name: run.out<{ device: string }>('attach').device,
          }),
      },
    ],
    onUnwound: (_ctx, tx, run) => deps.devices.remove(tx, run.params.bdm_id),
  });
}

/** `server.detach_volume`: only forward. */
function detachVolume(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.detachVolume.kind,
    version: 1,
    params: NovaSagas.detachVolume.params,
    steps: [
      {
        type: 'tx',
        name: 'begin',
        pivot: true,
        do: async (_ctx, tx, run) => {
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { deleted: true });
          const device = await deps.devices.find(tx, run.params.bdm_id);
          return {
            host: instance?.host ?? null,
            attachment_id: device?.attachment_id ?? null,
            connection_info: device?.connection_info ?? null,
          };
        },
      },
      {
        type: 'effect',
        name: 'begin_detaching',
        do: (ctx, run) => ignoreRefusal(deps.volumes.beginDetaching(ctx, run.params.volume_id, 'service')),
      },
      {
        type: 'effect',
        name: 'detach',
        do: async (ctx, run) => {
          const { host, connection_info } = run.out<{ host: string | null; connection_info: ConnectionInfo | null }>(
            'begin',
          );
          if (host === null || !(await reachable(deps, host))) return;
          await deps.compute.detach_volume(
            ctx,
            { instance_uuid: run.params.instance_uuid, volume_id: run.params.volume_id, connection_info },
            { host, messageId: run.messageId },
          );
        },
      },
      {
        type: 'effect',
        name: 'delete_attachment',
        do: async (ctx, run) => {
          const { attachment_id: id } = run.out<{ attachment_id: string | null }>('begin');
          if (id !== null) await deps.volumes.deleteAttachment(ctx, id);
        },
      },
      { type: 'tx', name: 'detached', do: (_ctx, tx, run) => deps.devices.remove(tx, run.params.bdm_id) },
    ],
  });
}

/** The status is a courtesy to who looks; the detachment goes on when cinder finds it unfitting. */
async function ignoreRefusal(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (
      error instanceof DomainError &&
      (error.kind === 'badRequest' || error.kind === 'conflict' || error.kind === 'notFound')
    )
      return;
    throw error;
  }
}

function attachInterface(deps: SagaDeps) {
  const nicOf = async (uuid: string, port: string) => {
    const { instance } = await load(deps, uuid);
    return { host: instance.host, nic: instance.nics.find((one) => one.port_id === port) ?? null };
  };
  return defineSaga({
    kind: NovaSagas.attachInterface.kind,
    version: 1,
    params: NovaSagas.attachInterface.params,
    steps: [
      {
        type: 'effect',
        name: 'plug',
        do: async (ctx, run) => {
          const { host, nic } = await nicOf(run.params.instance_uuid, run.params.port_id);
          if (host === null || nic === null)
            throw NovaError.InterfaceNotFound({ port_id: run.params.port_id, instance_uuid: run.params.instance_uuid });
          await deps.compute.attach_interface(
            ctx,
            { instance_uuid: run.params.instance_uuid, nic },
            { host, messageId: run.messageId },
          );
        },
        undo: async (ctx, run) => {
          const { host, nic } = await nicOf(run.params.instance_uuid, run.params.port_id);
          if (nic === null) return;
          if (host !== null && (await reachable(deps, host))) {
            await deps.compute.detach_interface(
              ctx,
              { instance_uuid: run.params.instance_uuid, nic },
              { host, messageId: `${run.messageId}:undo` },
            );
          }
          await deps.networks.releasePort(ctx, run.params.instance_uuid, nic);
        },
      },
    ],
    onUnwound: (_ctx, tx, run) => dropNic(deps, tx, run.params.instance_uuid, run.params.port_id),
  });
}

function detachInterface(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.detachInterface.kind,
    version: 1,
    params: NovaSagas.detachInterface.params,
    steps: [
      {
        type: 'effect',
        name: 'unplug',
        pivot: true,
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          const nic = instance.nics.find((one) => one.port_id === run.params.port_id);
          if (nic === undefined || instance.host === null) return;
          if (await reachable(deps, instance.host)) {
            await deps.compute.detach_interface(
              ctx,
              { instance_uuid: instance.uuid, nic },
              { host: instance.host, messageId: run.messageId },
            );
          }
        },
      },
      {
        type: 'effect',
        name: 'release_port',
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          const nic = instance.nics.find((one) => one.port_id === run.params.port_id);
          if (nic !== undefined) await deps.networks.releasePort(ctx, instance.uuid, nic);
        },
      },
      {
        type: 'tx',
        name: 'detached',
        do: (_ctx, tx, run) => dropNic(deps, tx, run.params.instance_uuid, run.params.port_id),
      },
    ],
  });
}

async function dropNic(
  deps: SagaDeps,
  tx: Parameters<SagaDeps['instances']['find']>[0],
  uuid: string,
  port: string,
): Promise<void> {
  const instance = await deps.instances.find(tx, uuid, { lock: true });
  if (instance !== null)
    await deps.instances.update(tx, uuid, { nics: instance.nics.filter((nic) => nic.port_id !== port) });
}

export function attachmentSagas(deps: SagaDeps): readonly SagaDefinition[] {
  return [
    attachVolume(deps),
    detachVolume(deps),
    attachInterface(deps),
    detachInterface(deps),
  ] as unknown as readonly SagaDefinition[];
}
