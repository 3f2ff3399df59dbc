import { defineSaga, type SagaDefinition } from '@nestack/kernel/saga';
import { NovaSagas, POWER_STATE, type PowerState } from '@nestack/nova/contract';
import { toInstanceSpec, type Instance } from '@nestack/nova/domain';
import { isHostDown, isRefusal, load, onHost, reachable, type SagaDeps } from './deps';
import { endTask, faultOf } from './server-power.sagas';

/** `server.rescue`: the guest runs from the rescue's disk, or as before. */
function rescue(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.serverRescue.kind,
    version: 1,
    params: NovaSagas.serverRescue.params,
    steps: [
      {
        type: 'effect',
        name: 'rescue',
        do: async (ctx, run) => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          const host = instance.host ?? '';
          const command = { instance: toInstanceSpec(instance, devices) };
          return onHost(deps, host, deps.compute.rescue_instance(ctx, command, { host, messageId: run.messageId }));
        },
        undo: async (ctx, run) => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          const { host } = instance;
          if (host === null || !(await reachable(deps, host))) return;
          const to = (what: string) => ({ host, messageId: `${run.messageId}:${what}` });
          try {
            const command = { instance: toInstanceSpec(withoutRescue(instance), devices) };
            await onHost(deps, host, deps.compute.unrescue_instance(ctx, command, to('undo')));
            if (run.params.was !== 'stopped') return;
            const stop = { instance_uuid: instance.uuid, clean_shutdown: false, timeout_s: 0 };
            await onHost(deps, host, deps.compute.stop_instance(ctx, stop, to('stop')));
          } catch (error) {
            // A guest that does not start is shown by its power state.
            if (!isRefusal(error) && !isHostDown(error)) throw error;
          }
        },
      },
      {
        type: 'tx',
        name: 'states',
        do: async (_ctx, tx, run) => {
          const { power_state: power } = run.out<{ power_state: PowerState }>('rescue');
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null) return;
          await deps.instances.update(tx, instance.uuid, {
            vm_state: 'rescued',
            ...endTask(instance),
            power_state: power,
            launched_at: deps.clock.now(),
          });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
      if (instance === null) return;
      const { request } = withoutRescue(instance);
      await deps.instances.update(tx, instance.uuid, { ...endTask(instance), request, fault: faultOf(deps, run) });
    },
  });
}

/** `server.unrescue`: the guest runs from its own disk; when it cannot, the server stays in RESCUE with its fault. */
function unrescue(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.serverUnrescue.kind,
    version: 1,
    params: NovaSagas.serverUnrescue.params,
    steps: [
      {
        type: 'effect',
        name: 'unrescue',
        do: async (ctx, run) => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          const host = instance.host ?? '';
          const command = { instance: toInstanceSpec(withoutRescue(instance), devices) };
          return onHost(deps, host, deps.compute.unrescue_instance(ctx, command, { host, messageId: run.messageId }));
        },
      },
      {
        type: 'tx',
        name: 'states',
        do: async (_ctx, tx, run) => {
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null) return;
          await deps.instances.update(tx, instance.uuid, {
            vm_state: 'active',
            ...endTask(instance),
            power_state: POWER_STATE.running,
            request: withoutRescue(instance).request,
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

function withoutRescue(instance: Instance): Instance {
  const { rescue: _, ...request } = instance.request;
  return { ...instance, request };
}

export function rescueSagas(deps: SagaDeps): readonly SagaDefinition[] {
  return [rescue(deps), unrescue(deps)] as unknown as readonly SagaDefinition[];
}
