import { defineSaga, type SagaDefinition, type SagaRun } from '@nestack/kernel/saga';
import { NovaError, NovaSagas, POWER_STATE, type PowerState } from '@nestack/nova/contract';
import { toInstanceSpec, type Instance, type ServerMigration } from '@nestack/nova/domain';
import { isHostDown, isRefusal, load, onHost, reachable, type Loaded, type SagaDeps } from './deps';
import { requestSpec } from './server-create.saga';
import { endTask, faultOf } from './server-power.sagas';

interface Params {
  readonly instance_uuid: string;
  readonly migration_uuid: string;
}
type Run = SagaRun<Params>;

async function loadBoth(deps: SagaDeps, { params }: Run): Promise<Loaded & { readonly migration: ServerMigration }> {
  const [loaded, migration] = await Promise.all([
    load(deps, params.instance_uuid),
    deps.tx.read('saga.migration', (tx) => deps.migrations.find(tx, params.migration_uuid)),
  ]);
  if (migration === null) throw NovaError.NotResized();
  return { ...loaded, migration };
}

const running = ({ old_vm_state: state }: ServerMigration): boolean => state === 'active';
const of = (migration: ServerMigration, flavor: 'old_flavor' | 'new_flavor', { instance, devices }: Loaded) =>
  toInstanceSpec({ ...instance, flavor: migration[flavor] }, devices);

/** Whose the old flavor's claim is: the migration's while both are held. */
function moved(run: Run, instance: Instance, from: 'instance' | 'migration') {
  const { instance_uuid: server, migration_uuid: migration } = run.params;
  const { project_id, user_id } = instance;
  return from === 'instance'
    ? { from: server, to: migration, type: 'MIGRATION' as const, project_id, user_id }
    : { from: migration, to: server, type: 'INSTANCE' as const, project_id, user_id };
}

/**
 * `server.resize`: the migration takes over the old claim, the new flavor is claimed on the same host, then the host
 * makes it so. Undone, the guest is as it was and holds what it held.
 */
function resize(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.serverResize.kind,
    version: 1,
    params: NovaSagas.serverResize.params,
    steps: [
      {
        type: 'effect',
        name: 'hold_old',
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          for (const one of run.params.stale) await deps.placement.release(ctx, one);
          await deps.placement.moveAllocation(ctx, moved(run, instance, 'instance'));
        },
        undo: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          await deps.placement.moveAllocation(ctx, moved(run, instance, 'migration'));
        },
      },
      {
        type: 'effect',
        name: 'schedule',
        do: async (ctx, run) => {
          const { instance, migration } = await loadBoth(deps, run);
          const spec = requestSpec({ ...instance, flavor: migration.new_flavor }, []);
          await deps.scheduler.select_destinations(ctx, { request_spec: { ...spec, force_host: instance.host } });
        },
      },
      {
        type: 'tx',
        name: 'migrating',
        do: async (_ctx, tx, run) => {
          await deps.instances.transition(
            tx,
            run.params.instance_uuid,
            { task_states: ['resize_prep'] },
            { task_state: 'resize_migrating' },
          );
        },
      },
      {
        type: 'effect',
        name: 'resize',
        retryForMs: 600_000,
        do: async (ctx, run) => {
          const { migration, ...loaded } = await loadBoth(deps, run);
          const host = migration.dest_compute;
          const command = {
            instance: of(migration, 'new_flavor', loaded),
            migration_uuid: migration.uuid,
            running: running(migration),
            timeout_s: deps.shutdownTimeoutS,
          };
          return onHost(deps, host, deps.compute.resize_instance(ctx, command, { host, messageId: run.messageId }));
        },
        undo: async (ctx, run) => {
          const { migration, ...loaded } = await loadBoth(deps, run);
          const host = migration.source_compute;
          if (!(await reachable(deps, host))) return;
          const command = {
            instance: of(migration, 'old_flavor', loaded),
            migration_uuid: migration.uuid,
            // What is to be deleted need not be started before.
            running: running(migration) && loaded.instance.task_state !== 'deleting',
          };
          try {
            const to = { host, messageId: `${run.messageId}:undo` };
            await onHost(deps, host, deps.compute.revert_resize(ctx, command, to));
          } catch (error) {
            // A guest that does not start is shown by its power state.
            if (!isRefusal(error) && !isHostDown(error)) throw error;
          }
        },
      },
      {
        type: 'tx',
        name: 'resized',
        do: async (_ctx, tx, run) => {
          const { power_state: power } = run.out<{ power_state: PowerState }>('resize');
          const migration = await deps.migrations.find(tx, run.params.migration_uuid);
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null || migration === null) return;
          await deps.migrations.setStatus(tx, migration.uuid, 'finished');
          await deps.instances.update(tx, instance.uuid, {
            vm_state: 'resized',
            ...endTask(instance),
            flavor: migration.new_flavor,
            power_state: power,
            launched_at: deps.clock.now(),
            progress: 100,
            fault: null,
          });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      await deps.migrations.setStatus(tx, run.params.migration_uuid, 'error');
      const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
      if (instance === null) return;
      await deps.instances.update(tx, instance.uuid, {
        ...endTask(instance),
        progress: 100,
        fault: faultOf(deps, run),
      });
    },
  });
}

/** `server.confirm_resize`: only forward. A host that is down keeps the old disks until the guest goes, or is resized again. */
function confirm(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.confirmResize.kind,
    version: 1,
    params: NovaSagas.confirmResize.params,
    steps: [
      {
        type: 'effect',
        name: 'confirm',
        pivot: true,
        do: async (ctx, run) => {
          const { migration } = await loadBoth(deps, run);
          const host = migration.source_compute;
          if (!(await reachable(deps, host))) return;
          const command = { instance_uuid: migration.instance_uuid, migration_uuid: migration.uuid };
          try {
            const to = { host, messageId: run.messageId };
            await onHost(deps, host, deps.compute.confirm_resize(ctx, command, to));
          } catch (error) {
            if (!isRefusal(error) && !isHostDown(error)) throw error;
          }
        },
      },
      {
        type: 'effect',
        name: 'release_old',
        do: (ctx, run) => deps.placement.release(ctx, run.params.migration_uuid),
      },
      {
        type: 'tx',
        name: 'confirmed',
        do: async (_ctx, tx, run) => {
          await deps.migrations.setStatus(tx, run.params.migration_uuid, 'confirmed');
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null) return;
          const vmState = instance.power_state === POWER_STATE.running ? 'active' : 'stopped';
          await deps.instances.update(tx, instance.uuid, { vm_state: vmState, ...endTask(instance), fault: null });
        },
      },
    ],
  });
}

/** `server.revert_resize`: the old disks and sizes. When the host cannot, the server is in ERROR; both flavors are held until it is deleted. */
function revert(deps: SagaDeps) {
  return defineSaga({
    kind: NovaSagas.revertResize.kind,
    version: 1,
    params: NovaSagas.revertResize.params,
    steps: [
      {
        type: 'effect',
        name: 'revert',
        retryForMs: 600_000,
        do: async (ctx, run) => {
          const { migration, ...loaded } = await loadBoth(deps, run);
          const host = migration.source_compute;
          const command = {
            instance: of(migration, 'old_flavor', loaded),
            migration_uuid: migration.uuid,
            running: running(migration),
          };
          return onHost(deps, host, deps.compute.revert_resize(ctx, command, { host, messageId: run.messageId }));
        },
      },
      {
        type: 'effect',
        name: 'hold_old',
        pivot: true,
        do: async (ctx, run) => {
          const { instance } = await load(deps, run.params.instance_uuid);
          await deps.placement.moveAllocation(ctx, moved(run, instance, 'migration'));
        },
      },
      {
        type: 'tx',
        name: 'reverted',
        do: async (_ctx, tx, run) => {
          const { power_state: power } = run.out<{ power_state: PowerState }>('revert');
          const migration = await deps.migrations.find(tx, run.params.migration_uuid);
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null || migration === null) return;
          await deps.migrations.setStatus(tx, migration.uuid, 'reverted');
          await deps.instances.update(tx, instance.uuid, {
            vm_state: migration.old_vm_state,
            ...endTask(instance),
            flavor: migration.old_flavor,
            power_state: power,
            launched_at: deps.clock.now(),
            fault: null,
          });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
      if (instance === null) return;
      const fault = faultOf(deps, run);
      await deps.instances.update(tx, instance.uuid, { vm_state: 'error', ...endTask(instance), fault });
    },
  });
}

export function resizeSagas(deps: SagaDeps): readonly SagaDefinition[] {
  return [resize(deps), confirm(deps), revert(deps)] as unknown as readonly SagaDefinition[];
}
