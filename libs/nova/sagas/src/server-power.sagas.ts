import type { RequestContext } from '@nestack/kernel/context';
import { defineSaga, type SagaDefinition, type SagaRun } from '@nestack/kernel/saga';
import { NovaSagas, type PowerState, type VmState } from '@nestack/nova/contract';
import { toInstanceSpec, type Instance, type InstanceFault } from '@nestack/nova/domain';
import type { TSchema } from 'typebox';
import { load, onHost, type Loaded, type SagaDeps } from './deps';

interface Target {
  readonly instance_uuid: string;
}

/** One command to the guest's host, then its states. When it cannot be done the task ends and the fault is shown. */
function hostAction<S extends TSchema>(
  deps: SagaDeps,
  declaration: { readonly kind: string; readonly params: S },
  command: (
    ctx: RequestContext,
    loaded: Loaded,
    run: SagaRun<unknown>,
    to: { readonly host: string; readonly messageId: string },
  ) => Promise<{ readonly power_state: number }>,
  states: { readonly done: VmState; readonly failed?: VmState },
): SagaDefinition<S> {
  const uuid = (run: SagaRun<unknown>): string => (run.params as Target).instance_uuid;
  return defineSaga<TSchema>({
    kind: declaration.kind,
    version: 1,
    params: declaration.params,
    steps: [
      {
        type: 'effect',
        name: 'command',
        do: async (ctx, run) => {
          const loaded = await load(deps, uuid(run));
          const host = loaded.instance.host ?? '';
          return onHost(deps, host, command(ctx, loaded, run, { host, messageId: run.messageId }));
        },
      },
      {
        type: 'tx',
        name: 'states',
        do: async (_ctx, tx, run) => {
          const { power_state: power } = run.out<{ power_state: PowerState }>('command');
          const instance = await deps.instances.find(tx, uuid(run), { lock: true });
          if (instance === null) return;
          await deps.instances.update(tx, instance.uuid, {
            vm_state: states.done,
            ...endTask(instance),
            power_state: power,
            ...(states.done === 'active' ? { fault: null } : {}),
          });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const instance = await deps.instances.find(tx, uuid(run), { lock: true });
      if (instance === null) return;
      const fault = faultOf(deps, run);
      await deps.instances.update(tx, instance.uuid, {
        ...endTask(instance),
        ...(states.failed === undefined ? {} : { vm_state: states.failed }),
        fault,
      });
    },
  }) as unknown as SagaDefinition<S>;
}

/** What made a run unwind, as the server's `fault` shows it. */
export function faultOf(deps: SagaDeps, { failure }: Pick<SagaRun<unknown>, 'failure'>): InstanceFault {
  return {
    code: 500,
    message: failure?.message ?? 'The operation failed.',
    details: failure?.code ?? null,
    created: deps.clock.now().toISOString(),
  };
}

/** A delete that waits for its turn keeps its task. */
export function endTask(instance: Instance) {
  return instance.task_state === 'deleting' ? {} : { task_state: null };
}

/** `server.trigger_crash_dump`: its states stay, whatever the guest does then. */
function crashDumpSaga(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.crashDump.kind,
    version: 1,
    params: NovaSagas.crashDump.params,
    steps: [
      {
        type: 'effect',
        name: 'interrupt',
        do: async (ctx, run) => {
          const { instance_uuid } = run.params;
          const { instance } = await load(deps, instance_uuid);
          const host = instance.host ?? '';
          const to = { host, messageId: run.messageId };
          await onHost(deps, host, deps.compute.trigger_crash_dump(ctx, { instance_uuid }, to));
        },
      },
    ],
  });
}

export function powerSagas(deps: SagaDeps): readonly SagaDefinition[] {
  const { compute } = deps;
  const spec = ({ instance, devices }: Loaded) => toInstanceSpec(instance, devices);
  return [
    hostAction(
      deps,
      NovaSagas.serverStart,
      (ctx, loaded, _run, to) => compute.start_instance(ctx, { instance: spec(loaded) }, to),
      { done: 'active' },
    ),
    hostAction(
      deps,
      NovaSagas.serverStop,
      (ctx, { instance }, _run, to) =>
        compute.stop_instance(
          ctx,
          { instance_uuid: instance.uuid, clean_shutdown: true, timeout_s: deps.shutdownTimeoutS },
          to,
        ),
      { done: 'stopped' },
    ),
    hostAction(
      deps,
      NovaSagas.serverReboot,
      (ctx, loaded, run, to) =>
        compute.reboot_instance(
          ctx,
          {
            instance: spec(loaded),
            reboot_type: (run.params as { type: 'SOFT' | 'HARD' }).type,
            timeout_s: deps.shutdownTimeoutS,
          },
          to,
        ),
      { done: 'active', failed: 'error' },
    ),
    hostAction(
      deps,
      NovaSagas.serverPause,
      (ctx, { instance }, _run, to) => compute.pause_instance(ctx, { instance_uuid: instance.uuid }, to),
      { done: 'paused' },
    ),
    hostAction(
      deps,
      NovaSagas.serverUnpause,
      (ctx, { instance }, _run, to) => compute.unpause_instance(ctx, { instance_uuid: instance.uuid }, to),
      { done: 'active' },
    ),
    hostAction(
      deps,
      NovaSagas.serverSuspend,
      (ctx, { instance }, _run, to) => compute.suspend_instance(ctx, { instance_uuid: instance.uuid }, to),
      { done: 'suspended' },
    ),
    crashDumpSaga(deps) as unknown as SagaDefinition,
    hostAction(
      deps,
      NovaSagas.serverResume,
      (ctx, loaded, _run, to) => compute.resume_instance(ctx, { instance: spec(loaded) }, to),
      { done: 'active' },
    ),
  ];
}
