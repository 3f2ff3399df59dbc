import { defineSaga, type SagaDefinition, type SagaRun } from '@nestack/kernel/saga';
import { NovaError, NovaSagas, type Nic, type PowerState } from '@nestack/nova/contract';
import { isHostDown, isRefusal, load, loadInstance, onHost, reachable, type SagaDeps } from './deps';
import {
  bindPortsBack,
  claimOf,
  connectorOf,
  loadMoving,
  moveVolumesBack,
  ran,
  recordVolumes,
  specOf,
  vmStateOf,
  zoneOf,
  type Connected,
  type Connector,
  type MoveParams,
} from './move-parts';
import { moveSaga } from './server-move.saga';
import { endTask, faultOf } from './server-power.sagas';
import { VIF_FAILED, VIF_PLUGGED, vifPlugged } from './vif-plugged';

/** `server.confirm_resize`: only forward. What a host that is down keeps of the guest it removes when it returns. */
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
          const { migration, instance } = await loadMoving(deps, run.params);
          const host = migration.source_compute;
          if (!(await reachable(deps, host))) return;
          const command = {
            instance_uuid: instance.uuid,
            nics: [...instance.nics],
            migration_uuid: migration.uuid,
            dest_host: migration.dest_compute ?? host,
          };
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
          const vm_state = vmStateOf(instance.power_state);
          await deps.instances.update(tx, instance.uuid, { vm_state, ...endTask(instance), fault: null });
        },
      },
    ],
  });
}

type Returned =
  | { readonly ok: true; readonly power_state: PowerState; readonly running?: boolean }
  | { readonly ok: false; readonly message: string };

/**
 * `server.revert_resize`: the guest leaves the new host, and is on the old one with the disks and sizes that it had. From
 * the moment when the new host has removed it there is only forward: when the old one cannot have it back the server is in
 * ERROR there. upstream: revert_resize and finish_revert_resize of nova/compute/manager.py
 */
function revert(deps: SagaDeps) {
  type Run = SagaRun<MoveParams>;
  const begun = (run: Run) => run.out<{ elsewhere: boolean; connector: Connector | null }>('ask');
  const elsewhere = (run: Run): boolean => begun(run).elsewhere;
  return defineSaga({
    kind: NovaSagas.revertResize.kind,
    version: 2,
    continues: [1],
    params: NovaSagas.revertResize.params,
    steps: [
      {
        type: 'effect',
        name: 'ask',
        do: async (ctx, run) => {
          const { migration, devices } = await loadMoving(deps, run.params);
          const host = migration.source_compute;
          if (!(await reachable(deps, host))) throw NovaError.ComputeServiceUnavailable({ host });
          const away = migration.dest_compute !== host;
          const volumes = devices.some((device) => device.volume_id !== null);
          return { elsewhere: away, connector: away && volumes ? await connectorOf(ctx, deps, host) : null };
        },
      },
      {
        type: 'effect',
        name: 'revert',
        retryForMs: 600_000,
        pivot: true,
        do: async (ctx, run) => {
          const { migration, instance } = await loadMoving(deps, run.params);
          const host = migration.dest_compute ?? migration.source_compute;
          if (!(await reachable(deps, host))) return;
          const command = {
            instance_uuid: instance.uuid,
            nics: [...instance.nics],
            migration_uuid: migration.uuid,
            source_host: migration.source_compute,
          };
          try {
            await onHost(deps, host, deps.compute.revert_resize(ctx, command, { host, messageId: run.messageId }));
          } catch (error) {
            if (!isHostDown(error)) throw error;
          }
        },
      },
      {
        type: 'effect',
        name: 'move_volumes',
        when: (run) => begun(run).connector !== null,
        do: async (ctx, run): Promise<readonly Connected[]> =>
          moveVolumesBack(ctx, deps, await load(deps, run.params.instance_uuid), begun(run).connector ?? {}),
      },
      {
        type: 'tx',
        name: 'left',
        do: async (_ctx, tx, run) => {
          await recordVolumes(deps, tx, run.maybe<Connected[] | null>('move_volumes') ?? []);
          const migration = await deps.migrations.find(tx, run.params.migration_uuid);
          if (migration === null) throw NovaError.NotResized();
          const to = {
            host: migration.source_compute,
            node: migration.source_node,
            availability_zone: await zoneOf(deps, tx, migration.source_compute),
          };
          await deps.instances.update(tx, run.params.instance_uuid, { ...to, flavor: migration.old_flavor });
          if (elsewhere(run)) await deps.events.forget(tx, run.params.instance_uuid, VIF_PLUGGED);
          return to;
        },
      },
      {
        type: 'effect',
        name: 'bind_ports',
        when: elsewhere,
        do: async (ctx, run): Promise<readonly Nic[]> => {
          const { host, availability_zone: zone } = run.out<{ host: string; availability_zone: string | null }>('left');
          const instance = await loadInstance(deps, run.params.instance_uuid);
          return bindPortsBack(ctx, deps, instance, { host, availability_zone: zone ?? 'nova' });
        },
      },
      {
        type: 'effect',
        name: 'hold_old',
        do: async (ctx, run) => {
          const instance = await loadInstance(deps, run.params.instance_uuid);
          await deps.placement.moveAllocation(ctx, claimOf(run.params, instance, 'migration'));
        },
      },
      {
        type: 'effect',
        name: 'finish_revert',
        do: async (ctx, run): Promise<Returned> => {
          const moving = await loadMoving(deps, run.params);
          const { source_compute: host, uuid: migration_uuid } = moving.migration;
          const running = ran(moving.migration) && moving.instance.task_state !== 'deleting';
          const command = { instance: specOf(moving, 'old_flavor'), migration_uuid, running };
          try {
            const to = { host, messageId: run.messageId };
            const answer = await onHost(deps, host, deps.compute.finish_revert_resize(ctx, command, to));
            return { ok: true, power_state: answer.power_state as PowerState, running };
          } catch (error) {
            if (!(error instanceof Error) || (!isRefusal(error) && !isHostDown(error))) throw error;
            return { ok: false, message: error.message };
          }
        },
      },
      vifPlugged<MoveParams>(deps, {
        when: (run) => {
          const returned = run.out<Returned>('finish_revert');
          return elsewhere(run) && returned.ok && returned.running === true;
        },
        onTimeout: 'continue',
      }),
      {
        type: 'tx',
        name: 'reverted',
        do: async (_ctx, tx, run) => {
          const returned: Returned =
            run.maybe('vif_plugged') === null ? { ok: false, message: VIF_FAILED } : run.out<Returned>('finish_revert');
          const nics = run.maybe<Nic[] | null>('bind_ports') ?? null;
          const migration = await deps.migrations.find(tx, run.params.migration_uuid);
          const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
          if (instance === null || migration === null) return;
          await deps.migrations.setStatus(tx, migration.uuid, returned.ok ? 'reverted' : 'error');
          await deps.instances.update(tx, instance.uuid, {
            ...endTask(instance),
            ...(nics === null ? {} : { nics }),
            ...(returned.ok
              ? {
                  vm_state: migration.old_vm_state,
                  power_state: returned.power_state,
                  launched_at: deps.clock.now(),
                  fault: null,
                }
              : {
                  vm_state: 'error',
                  fault: faultOf(deps, {
                    failure: { kind: 'conflict', code: 'ResizeError', message: returned.message },
                  }),
                }),
          });
        },
      },
    ],
    onUnwound: async (_ctx, tx, run) => {
      await deps.migrations.setStatus(tx, run.params.migration_uuid, 'finished');
      const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
      if (instance === null) return;
      await deps.instances.update(tx, instance.uuid, { ...endTask(instance), fault: faultOf(deps, run) });
    },
  });
}

export function resizeSagas(deps: SagaDeps): readonly SagaDefinition[] {
  return [
    moveSaga(deps, NovaSagas.serverResize),
    moveSaga(deps, NovaSagas.serverMigrate),
    confirm(deps),
    revert(deps),
  ] as unknown as readonly SagaDefinition[];
}
