import { defineSaga } from '@nestack/kernel/saga';
import { NovaError, NovaSagas, type PowerState } from '@nestack/nova/contract';
import { toInstanceSpec, type BootRequest } from '@nestack/nova/domain';
import { load, loadInstance, onHost, type SagaDeps } from './deps';
import { requestSpec } from './server-create.saga';
import { REIMAGED, reimages, reimageSteps, type Reserved } from './server-reimage.steps';
import { endTask, faultOf } from './server-power.sagas';

/**
 * `server.rebuild`: fresh disks; there is no way back to the old ones, so what fails leaves the server in ERROR with its fault.
 * With another image the scheduler is asked before whether the host may have it; when not, the server keeps its image, and is
 * in ERROR all the same. upstream: nova/conductor/manager.py rebuild_instance
 */
export function rebuildSaga(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.serverRebuild.kind,
    version: 2,
    continues: [1],
    params: NovaSagas.serverRebuild.params,
    steps: [
      {
        type: 'tx',
        name: 'begin',
        do: async (_ctx, tx, run) => {
          if (run.params.preserve_ephemeral) throw NovaError.PreserveEphemeralNotSupported();
          await deps.events.forget(tx, run.params.instance_uuid, REIMAGED);
        },
      },
      {
        type: 'effect',
        name: 'check',
        when: (run) => run.params.former !== undefined,
        do: async (ctx, run) => {
          const instance = await loadInstance(deps, run.params.instance_uuid);
          const request_spec = {
            ...requestSpec(instance, []),
            ...(run.params.reimage === undefined ? {} : { image_id: run.params.reimage.image_id }),
            requested_host: instance.host ?? '',
            check_type: 'rebuild' as const,
          };
          await deps.scheduler.select_destinations(ctx, { request_spec });
          return { checked: true };
        },
      },
      ...reimageSteps(deps),
      {
        type: 'tx',
        name: 'spawning',
        do: async (_ctx, tx, run) => {
          const { instance_uuid: uuid } = run.params;
          await deps.instances.transition(
            tx,
            uuid,
            { task_states: ['rebuilding'] },
            { task_state: 'rebuild_spawning' },
          );
        },
      },
      {
        type: 'effect',
        name: 'rebuild',
        retryForMs: 600_000,
        do: async (ctx, run) => {
          const { instance, devices } = await load(deps, run.params.instance_uuid);
          const host = instance.host ?? '';
          const command = { instance: toInstanceSpec(instance, devices) };
          return onHost(deps, host, deps.compute.rebuild_instance(ctx, command, { host, messageId: run.messageId }));
        },
      },
      {
        type: 'effect',
        name: 'complete',
        when: reimages,
        do: (ctx, run) => deps.volumes.complete(ctx, run.out<Reserved>('reserve').id),
      },
      {
        type: 'effect',
        name: 'stop',
        when: (run) => run.params.stopped,
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          const host = instance.host ?? '';
          const command = { instance_uuid: instance.uuid, clean_shutdown: true, timeout_s: deps.shutdownTimeoutS };
          return onHost(deps, host, deps.compute.stop_instance(ctx, command, { host, messageId: run.messageId }));
        },
      },
      {
        type: 'tx',
        name: 'states',
        do: async (_ctx, tx, run) => {
          const rebuilt = run.out<{ power_state: PowerState; root_device_name: string }>('rebuild');
          const stopped = run.maybe<{ power_state: PowerState } | null>('stop') ?? null;
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null) return;
          await deps.instances.update(tx, instance.uuid, {
            vm_state: stopped === null ? 'active' : 'stopped',
            ...endTask(instance),
            power_state: stopped?.power_state ?? rebuilt.power_state,
            root_device_name: rebuilt.root_device_name,
            launched_at: deps.clock.now(),
            progress: 100,
            fault: null,
          });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
      if (instance === null) return;
      const { former } = run.params;
      await deps.instances.update(tx, instance.uuid, {
        ...(former === undefined || run.maybe('check') !== undefined
          ? {}
          : { image: former.image, request: requestBefore(instance.request, former) }),
        vm_state: 'error',
        ...endTask(instance),
        fault: faultOf(deps, run),
      });
    },
  });
}

/** What is kept of the request, with what was known of the image on a root that is a volume. */
function requestBefore(request: BootRequest, former: Pick<BootRequest, 'root_image_properties'>): BootRequest {
  const { root_image_properties: properties } = former;
  return properties === undefined ? request : { ...request, root_image_properties: properties };
}
