import { defineSaga, type SagaDefinition } from '@nestack/kernel/saga';
import { NovaError, NovaSagas, type ConnectionInfo } from '@nestack/nova/contract';
import {
  INTERFACE_PENDING,
  INTERFACE_REFUSED,
  INTERFACE_REQUEST,
  RESERVATION,
  RESERVATION_REFUSED,
  RESERVATION_UNANSWERED,
  REQUEST_WAIT_MS,
  type BlockDevice,
} from '@nestack/nova/domain';
import { expectLate, isUnsure } from './late-reservation.saga';
import { isHostDown, isRefusal, load, onHost, reachable, type SagaDeps } from './deps';

interface Connected {
  readonly connection_info: ConnectionInfo;
  readonly host: string;
  readonly device: string | null;
}
/** What the request told of its port. */
interface Told {
  readonly status: string;
}
interface Taken {
  readonly port_id: string | null;
}
/** What the request told of its reservation; no id when cinder did not answer it. */
export interface Heard {
  readonly id: string | null;
}
interface Reserved {
  readonly id: string;
  /** The server is shelved: nobody connects the volume before it is brought back. */
  readonly shelved?: boolean;
}
const onAHost = (run: { maybe<T>(step: string): T | undefined }): boolean =>
  run.maybe<Reserved>('reserve')?.shelved !== true;

/**
 * `server.attach_volume`: reserve, connect, hot-plug, complete; undone, the volume is available again. The request itself
 * reserves the volume, so that its caller hears a refusal; should it die before, the run does it.
 */
function attachVolume(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.attachVolume.kind,
    version: 2,
    continues: [1],
    params: NovaSagas.attachVolume.params,
    steps: [
      {
        type: 'effect',
        name: 'hold',
        do: () => Promise.resolve(null),
        undo: async (ctx, run) => {
          const id = await deps.volumes.findAttachment(ctx, run.params.volume_id, run.params.instance_uuid);
          if (id !== null) await deps.volumes.deleteAttachment(ctx, id);
        },
      },
      {
        type: 'wait',
        name: 'reserved',
        timeoutMs: REQUEST_WAIT_MS,
        onTimeout: 'continue',
        check: async (_ctx, tx, run): Promise<Heard | undefined> => {
          const told = await deps.events.of(tx, run.params.instance_uuid, RESERVATION);
          const id = told.get(String(run.params.bdm_id));
          if (id === RESERVATION_REFUSED) throw NovaError.InvalidVolume({ reason: 'it could not be reserved' });
          return id === undefined ? undefined : { id: id === RESERVATION_UNANSWERED ? null : id };
        },
      },
      {
        type: 'effect',
        name: 'reserve',
        do: async (ctx, run): Promise<Reserved> => {
          const { volume_id, instance_uuid } = run.params;
          const id =
            run.maybe<Heard | null>('reserved')?.id ??
            (await deps.volumes.ensureAttachment(ctx, volume_id, instance_uuid, 'service')).id;
          const { instance } = await load(deps, instance_uuid);
          return { id, shelved: instance.vm_state === 'shelved_offloaded' };
        },
      },
      {
        type: 'effect',
        name: 'connect',
        when: onAHost,
        do: async (ctx, run): Promise<Connected> => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          const { host } = instance;
          if (instance.deleted_at !== null) throw NovaError.InstanceNotFound({ instance_id: instance.uuid });
          if (host === null) throw NovaError.InstanceNotReady();
          const device = devices.find(({ id }) => id === run.params.bdm_id)?.device_name ?? null;
          const { connector } = await onHost(deps, host, deps.compute.get_volume_connector(ctx, {}, { host }));
          const { id } = run.out<Reserved>('reserve');
          return { connection_info: await deps.volumes.connect(ctx, id, connector, device), host, device };
        },
      },
      {
        type: 'tx',
        name: 'connected',
        when: onAHost,
        do: (_ctx, tx, run) =>
          deps.devices.update(tx, run.params.bdm_id, {
            attachment_id: run.out<Reserved>('reserve').id,
            connection_info: run.out<Connected>('connect').connection_info,
          }),
      },
      {
        type: 'effect',
        name: 'attach',
        when: onAHost,
        do: async (ctx, run) => {
          const { connection_info, host, device } = run.out<Connected>('connect');
          const command = deps.compute.attach_volume(
            ctx,
            { instance_uuid: run.params.instance_uuid, volume_id: run.params.volume_id, device, connection_info },
            { host, messageId: run.messageId },
          );
          return onHost(deps, host, command);
        },
        undo: async (ctx, run) => {
          const connected = run.maybe<Connected>('connect');
          if (connected !== undefined)
            await takeOut(deps, connected.host, (host) =>
              deps.compute.detach_volume(
                ctx,
                {
                  instance_uuid: run.params.instance_uuid,
                  volume_id: run.params.volume_id,
                  connection_info: connected.connection_info,
                },
                { host, messageId: `${run.messageId}:undo` },
              ),
            );
        },
      },
      {
        type: 'effect',
        name: 'complete',
        // Of a shelved server as well, so that the volume is in use. upstream: _attach_volume_shelved_offloaded
        do: (ctx, run) => deps.volumes.complete(ctx, run.out<Reserved>('reserve').id),
      },
      {
        type: 'tx',
        name: 'attached',
        pivot: true,
        do: async (_ctx, tx, run) => {
          const attached = run.maybe<{ device: string }>('attach');
          await deps.devices.update(tx, run.params.bdm_id, {
            state: 'attached',
            attachment_id: run.out<Reserved>('reserve').id,
            ...(attached === undefined ? {} : { device_name: attached.device }),
          });
          await deps.events.forget(tx, run.params.instance_uuid, RESERVATION, String(run.params.bdm_id));
        },
      },
    ],
    onUnwound: async (ctx, tx, run) => {
      const { instance_uuid, volume_id, bdm_id } = run.params;
      const told = (await deps.events.of(tx, instance_uuid, RESERVATION)).get(String(bdm_id));
      if (isUnsure(told)) await expectLate(ctx, tx, deps, { instance_uuid, volume_id });
      await deps.devices.remove(tx, run.params.bdm_id);
      await deps.events.forget(tx, run.params.instance_uuid, RESERVATION, String(run.params.bdm_id));
    },
  });
}

/** `server.detach_volume`: the guest gives the disk back or keeps it, as before; once it has, only forward. */
function detachVolume(deps: SagaDeps) {
  type Begin = Pick<BlockDevice, 'attachment_id' | 'connection_info'> & { readonly host: string | null };
  return defineSaga({
    kind: NovaSagas.detachVolume.kind,
    version: 1,
    params: NovaSagas.detachVolume.params,
    steps: [
      {
        type: 'tx',
        name: 'begin',
        do: async (_ctx, tx, run): Promise<Begin> => {
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
        // The status is a courtesy to who looks; the detachment goes on when cinder finds it unfitting.
        do: (ctx, run) => unlessRefused(deps.volumes.beginDetaching(ctx, run.params.volume_id, 'service')),
        undo: (ctx, run) => unlessRefused(deps.volumes.rollDetaching(ctx, run.params.volume_id)),
      },
      {
        type: 'effect',
        name: 'detach',
        pivot: true,
        do: async (ctx, run) => {
          const { host: from, connection_info } = run.out<Begin>('begin');
          const { instance_uuid, volume_id } = run.params;
          await takeOut(deps, from, (host) =>
            deps.compute.detach_volume(
              ctx,
              { instance_uuid, volume_id, connection_info },
              { host, messageId: run.messageId },
            ),
          );
        },
      },
      {
        type: 'effect',
        name: 'delete_attachment',
        do: async (ctx, run) => {
          const { attachment_id: id } = run.out<Begin>('begin');
          if (id !== null) await unlessRefused(deps.volumes.deleteAttachment(ctx, id));
        },
      },
      { type: 'tx', name: 'detached', do: (_ctx, tx, run) => deps.devices.remove(tx, run.params.bdm_id) },
    ],
    onUnwound: (_ctx, tx, run) => deps.devices.update(tx, run.params.bdm_id, { state: 'attached' }),
  });
}

/** `server.attach_interface`: take the port that the request makes, hot-plug; undone, the port is let go whoever made it. */
function attachInterface(deps: SagaDeps) {
  const nicOf = async (uuid: string, port: string | undefined) => {
    const { instance } = await load(deps, uuid);
    return { instance, nic: instance.nics.find((one) => one.port_id === port) ?? null };
  };
  return defineSaga({
    kind: NovaSagas.attachInterface.kind,
    version: 2,
    // Journals once said 1 of every run; those of another form than these parameters are not taken up.
    continues: [1],
    params: NovaSagas.attachInterface.params,
    steps: [
      {
        type: 'effect',
        name: 'hold',
        do: () => Promise.resolve(null),
        undo: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          await deps.networks.releaseRequested(ctx, instance, run.params.key);
        },
      },
      {
        type: 'wait',
        name: 'port',
        timeoutMs: REQUEST_WAIT_MS,
        onTimeout: 'continue',
        check: async (_ctx, tx, run): Promise<Told | undefined> => {
          const told = await deps.events.of(tx, run.params.instance_uuid, INTERFACE_REQUEST);
          const status = told.get(run.params.key);
          return status === undefined || status === INTERFACE_PENDING ? undefined : { status };
        },
      },
      {
        type: 'tx',
        name: 'take',
        do: async (_ctx, tx, run): Promise<Taken> => {
          const { instance_uuid, key } = run.params;
          const status = (await deps.events.of(tx, instance_uuid, INTERFACE_REQUEST)).get(key);
          if (status === undefined || status === INTERFACE_PENDING || status === INTERFACE_REFUSED) {
            // From now on the request hears that it is too late.
            await deps.events.forget(tx, instance_uuid, INTERFACE_REQUEST, key);
            return { port_id: null };
          }
          return { port_id: status };
        },
      },
      {
        type: 'effect',
        name: 'plug',
        do: async (ctx, run) => {
          const { instance_uuid } = run.params;
          const { port_id } = run.out<Taken>('take');
          if (port_id === null) throw NovaError.InterfaceAttachFailed({ instance_uuid });
          const { instance, nic } = await nicOf(instance_uuid, port_id);
          const { host } = instance;
          if (instance.deleted_at !== null || host === null || nic === null)
            throw NovaError.InterfaceNotFound({ port_id, instance_uuid });
          const command = deps.compute.attach_interface(
            ctx,
            { instance_uuid, nic },
            { host, messageId: run.messageId },
          );
          await onHost(deps, host, command);
        },
        undo: async (ctx, run) => {
          const { instance_uuid } = run.params;
          const { instance, nic } = await nicOf(instance_uuid, run.maybe<Taken>('take')?.port_id ?? undefined);
          if (nic === null) return;
          await takeOut(deps, instance.host, (host) =>
            deps.compute.detach_interface(ctx, { instance_uuid, nic }, { host, messageId: `${run.messageId}:undo` }),
          );
        },
      },
      {
        type: 'tx',
        name: 'attached',
        pivot: true,
        do: (_ctx, tx, run) => deps.events.forget(tx, run.params.instance_uuid, INTERFACE_REQUEST, run.params.key),
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const { instance_uuid, key } = run.params;
      await deps.events.forget(tx, instance_uuid, INTERFACE_REQUEST, key);
      const port = run.maybe<Taken>('take')?.port_id ?? null;
      if (port !== null) await dropNic(deps, tx, instance_uuid, port);
    },
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
          if (nic === undefined) return;
          await takeOut(deps, instance.host, (host) =>
            deps.compute.detach_interface(
              ctx,
              { instance_uuid: instance.uuid, nic },
              { host, messageId: run.messageId },
            ),
          );
        },
      },
      {
        type: 'effect',
        name: 'release_port',
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          const nic = instance.nics.find((one) => one.port_id === run.params.port_id);
          if (nic !== undefined) await deps.networks.releasePort(ctx, instance, nic);
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

/** Takes a device out of a guest. A host that is down is left out: its guest is given the right devices when it returns. */
export async function takeOut(
  deps: SagaDeps,
  host: string | null,
  command: (host: string) => Promise<unknown>,
): Promise<void> {
  if (host === null || !(await reachable(deps, host))) return;
  try {
    await onHost(deps, host, command(host));
  } catch (error) {
    if (!isHostDown(error)) throw error;
  }
}

export async function unlessRefused(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
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
