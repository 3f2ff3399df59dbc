import { asDomainError, retryable } from '@nestack/kernel/errors';
import { defineSaga, type SagaRun, type SagaStep } from '@nestack/kernel/saga';
import {
  type MoveParams,
  NovaError,
  type NovaSagas,
  type Nic,
  type PowerState,
  type Selection,
} from '@nestack/nova/contract';
import type { Instance, InstancePatch } from '@nestack/nova/domain';
import type { Static } from 'typebox';
import { endHold, isHostDown, isRefusal, load, loadInstance, onHost, reachable, type SagaDeps } from './deps';
import { chooseHost, type ChosenHost } from './choose-host';
import {
  bindPorts,
  bindPortsBack,
  claimOf,
  connectorOf,
  loadMoving,
  moveVolumes,
  moveVolumesBack,
  ran,
  recordVolumes,
  specOf,
  type Connected,
  type Connector,
} from './move-parts';
import { attemptsOf, requestSpec } from './server-create.saga';
import { endTask, faultOf } from './server-power.sagas';
import { VIF_PLUGGED, vifPlugged } from './vif-plugged';

type Params = Static<typeof MoveParams>;
type Run = SagaRun<Params>;
type Step = SagaStep<Params>;

type Prepared =
  | { readonly ok: true; readonly host_ip: string; readonly selection: Selection }
  | { readonly ok: false; readonly host: string; readonly message: string };

/** What the rest of a move goes by. */
interface Chosen {
  readonly source: { readonly host: string; readonly node: string; readonly availability_zone: string };
  readonly dest: { readonly host: string; readonly node: string; readonly availability_zone: string };
  readonly elsewhere: boolean;
  readonly volumes: number;
  /** Whether the guest runs there: only then its ports are plugged. */
  readonly running?: boolean;
}

/** How long disks may be on their way. */
const TRANSFER_MS = 12 * 3_600_000;

/**
 * `server.resize` and `server.migrate`: the migration takes over the claim on the old host, a host is chosen and claimed
 * for the new flavor (which may be the old host), says that it can, the guest is shut down and leaves, its volumes and
 * ports follow, it arrives. Undone, the guest is where and as it was. upstream: nova/conductor/tasks/migrate.py,
 * prep_resize, resize_instance and finish_resize of nova/compute/manager.py
 */
export function moveSaga(deps: SagaDeps, declaration: typeof NovaSagas.serverResize | typeof NovaSagas.serverMigrate) {
  const steps: Step[] = [
    {
      type: 'effect',
      name: 'hold_old',
      do: async (ctx, run) => {
        const instance = await loadInstance(deps, run.params.instance_uuid);
        for (const one of run.params.stale) await deps.placement.release(ctx, one);
        await deps.placement.moveAllocation(ctx, claimOf(run.params, instance, 'instance'));
      },
      undo: async (ctx, run) => {
        const instance = await loadInstance(deps, run.params.instance_uuid);
        await deps.placement.moveAllocation(ctx, claimOf(run.params, instance, 'migration'));
      },
    },
    ...attemptsOf(deps).flatMap((attempt) => attemptSteps(deps, attempt)),
    ...leaveSteps(deps),
    ...arriveSteps(deps),
  ];
  return defineSaga({
    kind: declaration.kind,
    version: 3,
    continues: [1, 2],
    params: declaration.params,
    steps,
    onUnwound: async (_ctx, tx, run) => {
      await deps.migrations.setStatus(tx, run.params.migration_uuid, 'error');
      const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
      if (instance === null) return;
      await endHold(deps, tx, instance);
      await deps.instances.update(tx, instance.uuid, {
        ...endTask(instance),
        progress: 100,
        fault: faultOf(deps, run),
      });
    },
  });
}

const chosen = (run: Run): Chosen => run.out<Chosen>('chosen');
const elsewhere = (run: Run): boolean => chosen(run).elsewhere;
const withVolumes = (run: Run): boolean => elsewhere(run) && chosen(run).volumes > 0;

/** One host's try. All but the first run only when the host before could not take the guest. */
function attemptSteps(deps: SagaDeps, attempt: number): Step[] {
  const when = (run: Run): boolean => attempt === 1 || run.maybe<Prepared>(`prep_${attempt - 1}`)?.ok === false;
  return [
    {
      type: 'effect',
      name: `schedule_${attempt}`,
      when,
      do: async (ctx, run): Promise<ChosenHost> => {
        const { instance, migration } = await loadMoving(deps, run.params);
        const failed = attemptsOf(deps).flatMap((n) => {
          const prepared = run.maybe<Prepared>(`prep_${n}`);
          return prepared !== undefined && !prepared.ok ? [prepared.host] : [];
        });
        const { requested_host: requested } = run.params;
        const request_spec = {
          ...requestSpec({ ...instance, flavor: migration.new_flavor }, [...run.params.ignore_hosts, ...failed]),
          // Where it was first made to go binds it no longer.
          force_host: null,
          ...(requested === null ? {} : { requested_host: requested }),
        };
        const before = run.maybe<ChosenHost>(`schedule_${attempt - 1}`);
        return chooseHost(ctx, deps, request_spec, { attempt, before });
      },
      undo: (ctx, run) => deps.placement.release(ctx, run.params.instance_uuid),
    },
    {
      type: 'effect',
      name: `prep_${attempt}`,
      when,
      do: async (ctx, run): Promise<Prepared> => {
        const selection = run.out<Selection>(`schedule_${attempt}`);
        const { service_host: host } = selection;
        const command = {
          instance: specOf(await loadMoving(deps, run.params), 'new_flavor'),
          migration_uuid: run.params.migration_uuid,
        };
        try {
          const answer = await onHost(
            deps,
            host,
            deps.compute.prep_resize(ctx, command, { host, messageId: run.messageId }),
          );
          return { ok: true, ...answer, selection };
        } catch (thrown) {
          const error = asDomainError(thrown);
          if (retryable(error.kind) && !isHostDown(error)) throw error;
          return { ok: false, host, message: error.message };
        }
      },
    },
  ];
}

/** From the choice to the moment when nothing of the server is at work on its old host. */
function leaveSteps(deps: SagaDeps): Step[] {
  return [
    {
      type: 'tx',
      name: 'chosen',
      do: async (_ctx, tx, run): Promise<Chosen> => {
        const last = attemptsOf(deps)
          .map((n) => run.maybe<Prepared>(`prep_${n}`))
          .findLast((one) => one !== undefined);
        if (last === undefined || !last.ok)
          throw NovaError.NoValidHost({
            reason: `Exceeded maximum number of retries. Last exception: ${last?.message ?? 'none'}`,
          });
        const { service_host: host, nodename: node, availability_zone } = last.selection;
        const { instance_uuid: uuid, migration_uuid: migration } = run.params;
        await deps.migrations.setDestination(tx, migration, {
          dest_compute: host,
          dest_node: node,
          dest_host: last.host_ip,
        });
        await deps.migrations.setStatus(tx, migration, 'migrating');
        const moved = await deps.migrations.find(tx, migration);
        const instance = await patchMoving(deps, tx, run, { task_state: 'resize_migrating' });
        return {
          source: {
            host: instance.host ?? '',
            node: instance.node ?? '',
            availability_zone: instance.availability_zone ?? availability_zone,
          },
          dest: { host, node, availability_zone },
          elsewhere: host !== instance.host,
          volumes: (await deps.devices.ofInstance(tx, uuid)).filter((device) => device.volume_id !== null).length,
          running: moved !== null && ran(moved),
        };
      },
    },
    {
      type: 'effect',
      name: 'connectors',
      when: withVolumes,
      do: async (ctx, run): Promise<{ source: Connector; dest: Connector }> => {
        const [source, dest] = await Promise.all([
          connectorOf(ctx, deps, chosen(run).source.host),
          connectorOf(ctx, deps, chosen(run).dest.host),
        ]);
        return { source, dest };
      },
    },
    {
      type: 'effect',
      name: 'resize',
      retryForMs: 600_000,
      do: async (ctx, run) => {
        const instance = await loadInstance(deps, run.params.instance_uuid);
        const { source, dest } = chosen(run);
        const command = {
          instance_uuid: instance.uuid,
          nics: [...instance.nics],
          migration_uuid: run.params.migration_uuid,
          dest_host: dest.host,
          timeout_s: deps.shutdownTimeoutS,
        };
        const to = { host: source.host, messageId: run.messageId };
        await onHost(deps, source.host, deps.compute.resize_instance(ctx, command, to));
      },
      undo: async (ctx, run) => {
        const moving = await loadMoving(deps, run.params);
        const host = moving.migration.source_compute;
        if (!(await reachable(deps, host))) return;
        const command = {
          instance: specOf(moving, 'old_flavor'),
          migration_uuid: run.params.migration_uuid,
          // What is to be deleted need not be started before.
          running: ran(moving.migration) && moving.instance.task_state !== 'deleting',
        };
        try {
          const to = { host, messageId: `${run.messageId}:undo` };
          await onHost(deps, host, deps.compute.finish_revert_resize(ctx, command, to));
        } catch (error) {
          // A guest that does not start is shown by its power state.
          if (!isRefusal(error) && !isHostDown(error)) throw error;
        }
      },
    },
    {
      type: 'effect',
      name: 'move_volumes',
      when: withVolumes,
      retryForMs: 300_000,
      do: async (ctx, run): Promise<readonly Connected[]> => {
        const loaded = await load(deps, run.params.instance_uuid);
        return moveVolumes(ctx, deps, loaded, run.out<{ dest: Connector }>('connectors').dest);
      },
      undo: async (ctx, run) => {
        const { source } = run.out<{ source: Connector }>('connectors');
        const back = await moveVolumesBack(ctx, deps, await load(deps, run.params.instance_uuid), source);
        await deps.tx.run('saga.volumes_back', (tx) => recordVolumes(deps, tx, back));
      },
    },
    {
      type: 'tx',
      name: 'left',
      do: async (_ctx, tx, run) => {
        await recordVolumes(deps, tx, run.maybe<Connected[] | null>('move_volumes') ?? []);
        await deps.migrations.setStatus(tx, run.params.migration_uuid, 'post-migrating');
        const instance = await patchMoving(deps, tx, run, { ...chosen(run).dest, task_state: 'resize_migrated' });
        await endHold(deps, tx, instance);
        if (elsewhere(run)) await deps.events.forget(tx, run.params.instance_uuid, VIF_PLUGGED);
      },
      undo: async (_ctx, tx, run) => {
        await deps.instances.update(tx, run.params.instance_uuid, chosen(run).source);
      },
    },
  ];
}

/** From there to the guest on its new host. */
function arriveSteps(deps: SagaDeps): Step[] {
  return [
    {
      type: 'effect',
      name: 'bind_ports',
      when: elsewhere,
      do: async (ctx, run): Promise<readonly Nic[]> =>
        bindPorts(ctx, deps, await loadInstance(deps, run.params.instance_uuid), chosen(run).dest),
      undo: async (ctx, run) => {
        await bindPortsBack(ctx, deps, await loadInstance(deps, run.params.instance_uuid), chosen(run).source);
      },
    },
    {
      type: 'tx',
      name: 'bound',
      do: async (_ctx, tx, run) => {
        const nics = run.maybe<Nic[] | null>('bind_ports') ?? null;
        await patchMoving(deps, tx, run, { task_state: 'resize_finish', ...(nics === null ? {} : { nics }) });
      },
    },
    {
      type: 'effect',
      name: 'finish',
      retryForMs: TRANSFER_MS,
      do: async (ctx, run) => {
        const moving = await loadMoving(deps, run.params);
        const { source, dest } = chosen(run);
        const command = {
          instance: specOf(moving, 'new_flavor'),
          migration_uuid: run.params.migration_uuid,
          source_host: source.host,
          running: ran(moving.migration),
        };
        const to = { host: dest.host, messageId: run.messageId };
        const arrival = onHost(deps, dest.host, deps.compute.finish_resize(ctx, command, to));
        // Disks that can be read no more are waited for in vain.
        return onHost(deps, source.host, arrival);
      },
      undo: async (ctx, run) => {
        const { source, dest } = chosen(run);
        if (!(await reachable(deps, dest.host))) return;
        const instance = await loadInstance(deps, run.params.instance_uuid);
        const command = {
          instance_uuid: instance.uuid,
          nics: [...instance.nics],
          migration_uuid: run.params.migration_uuid,
          source_host: source.host,
        };
        try {
          const to = { host: dest.host, messageId: `${run.messageId}:undo` };
          await onHost(deps, dest.host, deps.compute.revert_resize(ctx, command, to));
        } catch (error) {
          if (!isHostDown(error)) throw error;
        }
      },
    },
    vifPlugged(deps, { when: (run) => elsewhere(run) && chosen(run).running === true }),
    {
      type: 'effect',
      name: 'complete_volumes',
      when: withVolumes,
      do: async (ctx, run) => {
        for (const { attachment_id: id } of run.out<Connected[]>('move_volumes'))
          if (id !== null) await deps.volumes.complete(ctx, id);
      },
    },
    {
      type: 'tx',
      name: 'resized',
      do: async (_ctx, tx, run) => {
        const { power_state: power } = run.out<{ power_state: PowerState }>('finish');
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
  ];
}

/** Changes the server; a delete that waits for its turn keeps its task. */
async function patchMoving(
  deps: SagaDeps,
  tx: Parameters<SagaDeps['instances']['find']>[0],
  run: Run,
  { task_state, ...patch }: InstancePatch,
): Promise<Instance> {
  const { instance_uuid: uuid } = run.params;
  const instance = await deps.instances.find(tx, uuid, { lock: true });
  if (instance === null) throw NovaError.InstanceNotFound({ instance_id: uuid });
  await deps.instances.update(tx, uuid, {
    ...patch,
    ...(instance.task_state === 'deleting' || task_state === undefined ? {} : { task_state }),
  });
  return instance;
}
