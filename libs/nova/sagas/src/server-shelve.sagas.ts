import type { RequestContext, Tx } from '@nestack/kernel/context';
import { defineSaga, type SagaDefinition } from '@nestack/kernel/saga';
import { NovaError, NovaSagas, POWER_STATE, type TaskState } from '@nestack/nova/contract';
import { toInstanceSpec, type Instance } from '@nestack/nova/domain';
import { isHostDown, isRefusal, load, onHost, reachable, terminate, type SagaDeps } from './deps';
import { endTask, faultOf } from './server-power.sagas';
import { unshelveSaga } from './server-unshelve.saga';

async function setTask(deps: SagaDeps, tx: Tx, uuid: string, task: TaskState): Promise<void> {
  const instance = await deps.instances.find(tx, uuid, { lock: true });
  if (instance !== null) await deps.instances.update(tx, uuid, { ...endTask(instance), ...taskOf(instance, task) });
}

/** A delete that waits for its turn keeps its task. */
function taskOf(instance: Instance, task: TaskState) {
  return instance.task_state === 'deleting' ? {} : { task_state: task };
}

/**
 * `server.shelve`: the guest is shut down and its disk becomes an image; from there on only forward: it leaves its host,
 * which keeps nothing of it, and its volumes and ports wait for it unconnected.
 */
function shelve(deps: SagaDeps) {
  type Run = {
    readonly params: { readonly instance_uuid: string; readonly image_id: string | null; readonly was: string };
    readonly messageId: string;
  };
  const withImage = ({ params }: Run): boolean => params.image_id !== null;

  /** What its host may be asked while it is there; a host that refuses or is down puts itself in order. */
  async function back(deps: SagaDeps, run: Run, command: (host: string, instance: Instance) => Promise<unknown>) {
    const { instance } = await load(deps, run.params.instance_uuid);
    const { host } = instance;
    if (host === null || !(await reachable(deps, host))) return;
    try {
      await onHost(deps, host, command(host, instance));
    } catch (error) {
      if (!isRefusal(error) && !isHostDown(error)) throw error;
    }
  }

  return defineSaga({
    kind: NovaSagas.serverShelve.kind,
    version: 1,
    params: NovaSagas.serverShelve.params,
    steps: [
      {
        type: 'effect',
        name: 'create_image',
        when: withImage,
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          const image = { ...run.params.image, id: run.params.image_id ?? '', owner: instance.project_id };
          await deps.images.ensure(ctx, image, 'service');
        },
        undo: (ctx, run) => deps.images.remove(ctx, run.params.image_id ?? ''),
      },
      {
        type: 'effect',
        name: 'power_off',
        when: (run) => run.params.was === 'active',
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          const host = instance.host ?? '';
          const command = { instance_uuid: instance.uuid, clean_shutdown: true, timeout_s: deps.shutdownTimeoutS };
          await onHost(deps, host, deps.compute.stop_instance(ctx, command, { host, messageId: run.messageId }));
        },
        undo: async (ctx, run) => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          // What is to be deleted need not be started before.
          if (instance.task_state === 'deleting') return;
          const command = { instance: toInstanceSpec(instance, devices) };
          await back(deps, run, (host) =>
            deps.compute.start_instance(ctx, command, { host, messageId: `${run.messageId}:undo` }),
          );
        },
      },
      {
        type: 'tx',
        name: 'copying',
        do: (_ctx, tx, run) => setTask(deps, tx, run.params.instance_uuid, 'shelving_image_pending_upload'),
      },
      {
        type: 'effect',
        name: 'snapshot',
        when: withImage,
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          const host = instance.host ?? '';
          const command = { instance_uuid: instance.uuid, image_id: run.params.image_id ?? '', running: false };
          await onHost(deps, host, deps.compute.snapshot_instance(ctx, command, { host, messageId: run.messageId }));
        },
        undo: (ctx, run) =>
          back(deps, run, (host, { uuid }) =>
            deps.compute.remove_snapshot(
              ctx,
              { instance_uuid: uuid, image_id: run.params.image_id ?? '', running: false },
              { host, messageId: `${run.messageId}:undo` },
            ),
          ),
      },
      {
        type: 'tx',
        name: 'uploading',
        do: (_ctx, tx, run) => setTask(deps, tx, run.params.instance_uuid, 'shelving_image_uploading'),
      },
      {
        type: 'effect',
        name: 'upload',
        when: withImage,
        retryForMs: 600_000,
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          const host = instance.host ?? '';
          const command = { instance_uuid: instance.uuid, image_id: run.params.image_id ?? '' };
          await onHost(deps, host, deps.compute.upload_snapshot(ctx, command, { host, messageId: run.messageId }));
        },
      },
      {
        type: 'tx',
        name: 'shelved',
        pivot: true,
        do: async (_ctx, tx, run) => {
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null) throw NovaError.InstanceNotFound({ instance_id: run.params.instance_uuid });
          await deps.instances.update(tx, instance.uuid, {
            vm_state: 'shelved',
            ...taskOf(instance, 'shelving_offloading'),
            power_state: POWER_STATE.shutdown,
            request: { ...instance.request, shelved: { image_id: run.params.image_id } },
          });
          return { host: instance.host };
        },
      },
      {
        type: 'effect',
        name: 'terminate',
        do: async (ctx, run) => {
          const { host } = run.out<{ host: string | null }>('shelved');
          if (host !== null)
            await terminate(ctx, deps, host, await load(deps, run.params.instance_uuid), run.messageId);
        },
      },
      {
        type: 'effect',
        name: 'disconnect',
        do: async (
          ctx,
          run,
        ): Promise<readonly { readonly bdm_id: number; readonly attachment_id: string | null }[]> => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          await deps.networks.unbindPorts(ctx, instance);
          return Promise.all(
            devices.map(async (device) => ({
              bdm_id: device.id,
              attachment_id: await reserveAnew(ctx, deps, instance, device.volume_id, device.attachment_id),
            })),
          );
        },
      },
      {
        type: 'effect',
        name: 'release_allocations',
        do: (ctx, run) => deps.placement.release(ctx, run.params.instance_uuid),
      },
      {
        type: 'tx',
        name: 'offloaded',
        do: async (_ctx, tx, run) => {
          const devices = run.out<{ bdm_id: number; attachment_id: string | null }[]>('disconnect');
          for (const { bdm_id: id, attachment_id } of devices)
            await deps.devices.update(tx, id, { attachment_id, connection_info: null });
          await deps.events.forget(tx, run.params.instance_uuid, 'network-vif-plugged');
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null) return;
          const gone = { vm_state: 'shelved_offloaded', host: null, node: null } as const;
          await deps.instances.update(tx, instance.uuid, { ...gone, ...endTask(instance), fault: null });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
      if (instance === null) return;
      await deps.instances.update(tx, instance.uuid, { ...endTask(instance), fault: faultOf(deps, run) });
    },
  });
}

/** Ends the connection of a volume and reserves it again; what another took in between is lost to the server. */
async function reserveAnew(
  ctx: RequestContext,
  deps: SagaDeps,
  instance: Instance,
  volumeId: string | null,
  attachmentId: string | null,
): Promise<string | null> {
  if (volumeId === null) return null;
  try {
    if (attachmentId !== null) await deps.volumes.deleteAttachment(ctx, attachmentId);
    return (await deps.volumes.ensureAttachment(ctx, volumeId, instance.uuid, 'service')).id;
  } catch (error) {
    if (isRefusal(error)) return null;
    throw error;
  }
}

export function shelveSagas(deps: SagaDeps): readonly SagaDefinition[] {
  return [shelve(deps), unshelveSaga(deps)] as unknown as readonly SagaDefinition[];
}
