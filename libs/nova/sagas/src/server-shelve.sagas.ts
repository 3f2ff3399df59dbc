import type { RequestContext, Tx } from '@nestack/kernel/context';
import { defineSaga, type SagaDefinition, type SagaRun, type SagaStep } from '@nestack/kernel/saga';
import { NovaError, NovaSagas, POWER_STATE, type PowerState, type TaskState } from '@nestack/nova/contract';
import { toInstanceSpec, type Instance } from '@nestack/nova/domain';
import { isHostDown, isRefusal, load, onHost, reachable, terminate, type SagaDeps } from './deps';
import { unlessRefused } from './server-delete.saga';
import { endTask, faultOf } from './server-power.sagas';
import { unshelveSaga } from './server-unshelve.saga';
import { VIF_PLUGGED } from './vif-plugged';

async function setTask(deps: SagaDeps, tx: Tx, uuid: string, task: TaskState): Promise<void> {
  const instance = await deps.instances.find(tx, uuid, { lock: true });
  if (instance !== null) await deps.instances.update(tx, uuid, { ...endTask(instance), ...taskOf(instance, task) });
}

/** A delete that waits for its turn keeps its task. */
function taskOf(instance: Instance, task: TaskState) {
  return instance.task_state === 'deleting' ? {} : { task_state: task };
}

interface Target {
  readonly instance_uuid: string;
}
/** Where it was shelved, and whether it leaves at once; always so in version 1. */
interface Shelved {
  readonly host: string | null;
  readonly leaves?: boolean;
}

/** What its host may be asked while it is there; a host that refuses or is down puts itself in order. */
async function back(
  deps: SagaDeps,
  run: { readonly params: Target },
  command: (host: string, instance: Instance) => Promise<unknown>,
): Promise<void> {
  const { instance } = await load(deps, run.params.instance_uuid);
  const { host } = instance;
  if (host === null || !(await reachable(deps, host))) return;
  try {
    await onHost(deps, host, command(host, instance));
  } catch (error) {
    if (!isRefusal(error) && !isHostDown(error)) throw error;
  }
}

/**
 * `server.shelve`: the guest is shut down and its disk becomes an image; from there on only forward. At once or later
 * (`server.shelve_offload`) it leaves its host, which keeps nothing of it, and its volumes and ports wait for it unconnected.
 */
function shelve(deps: SagaDeps) {
  type Run = {
    readonly params: { readonly instance_uuid: string; readonly image_id: string | null; readonly was: string };
    readonly messageId: string;
  };
  const withImage = ({ params }: Run): boolean => params.image_id !== null;

  const leaves = (run: SagaRun<Target>): boolean => run.out<Shelved>('shelved').leaves !== false;

  const removeCopy = (ctx: RequestContext, run: Run, messageId: string): Promise<void> =>
    back(deps, run, (host, { uuid }) =>
      deps.compute.remove_snapshot(
        ctx,
        { instance_uuid: uuid, image_id: run.params.image_id ?? '', running: false },
        { host, messageId },
      ),
    );

  return defineSaga({
    kind: NovaSagas.serverShelve.kind,
    version: 2,
    continues: [1],
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
        undo: (ctx, run) => removeCopy(ctx, run, `${run.messageId}:undo`),
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
          // A server whose root is a volume has nothing there that is worth keeping.
          const leaving = deps.offloadsAtOnce || !withImage(run);
          const at = deps.clock.now().toISOString();
          await deps.instances.update(tx, instance.uuid, {
            vm_state: 'shelved',
            ...(leaving ? taskOf(instance, 'shelving_offloading') : { ...endTask(instance), fault: null }),
            power_state: POWER_STATE.shutdown,
            request: { ...instance.request, shelved: { image_id: run.params.image_id, at } },
          });
          return { host: instance.host, leaves: leaving };
        },
      },
      {
        type: 'effect',
        name: 'remove_copy',
        when: (run) => withImage(run) && !leaves(run),
        do: (ctx, run) => removeCopy(ctx, run, run.messageId),
      },
      ...offloadSteps(deps, leaves),
    ],
    onUnwound: async (_ctx, tx, run) => {
      const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
      if (instance === null) return;
      await deps.instances.update(tx, instance.uuid, { ...endTask(instance), fault: faultOf(deps, run) });
    },
  });
}

/** A shelved server leaves the host that the step `shelved` tells of. Only forward. */
function offloadSteps(deps: SagaDeps, when: (run: SagaRun<Target>) => boolean): readonly SagaStep<Target>[] {
  return [
    {
      type: 'effect',
      name: 'terminate',
      when,
      do: async (ctx, run) => {
        const { host } = run.out<Shelved>('shelved');
        if (host !== null) await terminate(ctx, deps, host, await load(deps, run.params.instance_uuid), run.messageId);
      },
    },
    {
      type: 'effect',
      name: 'disconnect',
      when,
      do: async (ctx, run): Promise<readonly Disconnected[]> => {
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
      when,
      do: (ctx, run) => deps.placement.release(ctx, run.params.instance_uuid),
    },
    {
      type: 'tx',
      name: 'offloaded',
      when,
      do: async (_ctx, tx, run) => {
        for (const { bdm_id: id, attachment_id } of run.out<Disconnected[]>('disconnect'))
          await deps.devices.update(tx, id, { attachment_id, connection_info: null });
        await deps.events.forget(tx, run.params.instance_uuid, VIF_PLUGGED);
        const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
        if (instance === null) return;
        const gone = { vm_state: 'shelved_offloaded', host: null, node: null } as const;
        await deps.instances.update(tx, instance.uuid, { ...gone, ...endTask(instance), fault: null });
      },
    },
  ];
}

/** `server.shelve_offload`: one that was kept on its host leaves it. upstream: nova/compute/manager.py shelve_offload_instance */
function shelveOffload(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.shelveOffload.kind,
    version: 1,
    params: NovaSagas.shelveOffload.params,
    steps: [
      {
        type: 'tx',
        name: 'shelved',
        pivot: true,
        do: async (_ctx, tx, run): Promise<Shelved> => {
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          return { host: instance?.host ?? null };
        },
      },
      ...offloadSteps(deps, () => true),
    ],
  });
}

/**
 * `server.unshelve_kept`: a server that is kept on its host starts there, and its image goes. Undone, it is shelved as before.
 * upstream: nova/compute/manager.py start_instance
 */
function unshelveKept(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.unshelveKept.kind,
    version: 1,
    params: NovaSagas.unshelveKept.params,
    steps: [
      {
        type: 'effect',
        name: 'start',
        pivot: true,
        do: async (ctx, run) => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          const host = instance.host ?? '';
          const command = { instance: toInstanceSpec(instance, devices) };
          return onHost(deps, host, deps.compute.start_instance(ctx, command, { host, messageId: run.messageId }));
        },
        undo: (ctx, run) =>
          back(deps, run, (host, { uuid: instance_uuid }) =>
            deps.compute.stop_instance(
              ctx,
              { instance_uuid, clean_shutdown: true, timeout_s: deps.shutdownTimeoutS },
              { host, messageId: `${run.messageId}:undo` },
            ),
          ),
      },
      {
        type: 'effect',
        name: 'delete_image',
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          const image = instance.request.shelved?.image_id ?? null;
          if (image !== null) await unlessRefused(deps.images.remove(ctx, image));
        },
      },
      {
        type: 'tx',
        name: 'active',
        do: async (_ctx, tx, run) => {
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null) return;
          const { shelved: _, ...request } = instance.request;
          await deps.instances.update(tx, instance.uuid, {
            vm_state: 'active',
            ...endTask(instance),
            power_state: run.out<{ power_state: PowerState }>('start').power_state,
            launched_at: deps.clock.now(),
            request,
            fault: null,
          });
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

interface Disconnected {
  readonly bdm_id: number;
  readonly attachment_id: string | null;
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
  return [
    shelve(deps),
    shelveOffload(deps),
    unshelveKept(deps),
    unshelveSaga(deps),
  ] as unknown as readonly SagaDefinition[];
}
