import type { RequestContext } from '@nestack/kernel/context';
import { asDomainError, DomainError, retryable } from '@nestack/kernel/errors';
import { defineSaga, type SagaRun, type SagaStep } from '@nestack/kernel/saga';
import {
  NovaError,
  NovaSagas,
  POWER_STATE,
  type ConnectionInfo,
  type Nic,
  type RequestSpec,
  type Selection,
} from '@nestack/nova/contract';
import { toInstanceSpec, type Instance, type NetworkRequest } from '@nestack/nova/domain';
import { expectLate } from './late-reservation.saga';
import { chooseHost, type ChosenHost } from './choose-host';
import { vifPlugged } from './vif-plugged';
import { endHold, isHostDown, load, loadInstance, onHost, terminate, type SagaDeps } from './deps';

interface Params {
  readonly instance_uuid: string;
}
type Run = SagaRun<Params>;
type Step = SagaStep<Params>;

interface Connected {
  readonly bdm_id: number;
  readonly attachment_id: string;
  readonly connection_info: ConnectionInfo;
}
/** Ports of the attempt's host, or why they cannot be there. */
type Ports = readonly Nic[] | { readonly failed: string };
type Built =
  | { readonly ok: true; readonly power_state: number; readonly root_device_name: string }
  | { readonly ok: false; readonly host: string; readonly message: string };

/**
 * `server.create`: schedule and claim, bind ports, connect volumes, build on the host, wait for the network, ACTIVE. A host
 * that cannot build it, or where neutron cannot bind its ports, makes the next one be tried. Undone, nothing is held anywhere and the server is in ERROR with its
 * fault, unless a delete takes it over.
 */
export function createServerSaga(deps: SagaDeps) {
  const steps: Step[] = [];
  for (const attempt of attemptsOf(deps)) steps.push(...attemptSteps(deps, attempt));
  steps.push(
    {
      type: 'tx',
      name: 'spawned',
      do: async (_ctx, tx, run) => {
        const built = attemptsOf(deps)
          .map((n) => run.maybe<Built>(`build_${n}`))
          .find((one) => one?.ok === true);
        if (built?.ok !== true) {
          const last = attemptsOf(deps)
            .map((n) => failureOf(run, n))
            .findLast((one) => one !== null);
          throw NovaError.NoValidHost({
            reason: `Exceeded maximum number of retries. Last exception: ${last?.message ?? 'none'}`,
          });
        }
        await deps.instances.update(tx, run.params.instance_uuid, {
          root_device_name: built.root_device_name,
          power_state: POWER_STATE.running,
        });
      },
    },
    {
      type: 'effect',
      name: 'complete_volumes',
      when: (run) => attemptsOf(deps).some((n) => (run.maybe<Connected[]>(`connect_volumes_${n}`)?.length ?? 0) > 0),
      do: async (ctx, run) => {
        const { devices } = await load(deps, run.params.instance_uuid);
        for (const device of devices)
          if (device.attachment_id !== null) await deps.volumes.complete(ctx, device.attachment_id);
      },
    },
    vifPlugged(deps),
    {
      type: 'tx',
      name: 'active',
      pivot: true,
      do: async (_ctx, tx, run) => {
        for (const device of await deps.devices.ofInstance(tx, run.params.instance_uuid))
          await deps.devices.update(tx, device.id, { state: 'attached' });
        await deps.instances.transition(
          tx,
          run.params.instance_uuid,
          { vm_states: ['building'] },
          {
            vm_state: 'active',
            task_state: null,
            power_state: POWER_STATE.running,
            launched_at: deps.clock.now(),
            progress: 100,
            fault: null,
          },
        );
      },
    },
  );
  return defineSaga({
    kind: NovaSagas.serverCreate.kind,
    version: 3,
    continues: [1, 2],
    params: NovaSagas.serverCreate.params,
    steps,
    onUnwound: async (ctx, tx, run) => {
      const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
      if (instance === null) return;
      await deps.events.forget(tx, instance.uuid);
      await endHold(deps, tx, instance);
      const asked = attemptsOf(deps).some((n) => (run.maybe<{ volumes: number }>(`placed_${n}`)?.volumes ?? 0) > 0);
      for (const device of await deps.devices.ofInstance(tx, instance.uuid)) {
        await deps.devices.update(tx, device.id, { attachment_id: null, connection_info: null });
        if (asked && device.volume_id !== null)
          await expectLate(ctx, tx, deps, { instance_uuid: instance.uuid, volume_id: device.volume_id });
      }
      const freed = { host: null, node: null, nics: [], progress: 0, power_state: POWER_STATE.nostate };
      if (instance.task_state === 'deleting') {
        await deps.instances.update(tx, instance.uuid, freed);
        return;
      }
      await deps.instances.update(tx, instance.uuid, {
        ...freed,
        vm_state: 'error',
        task_state: null,
        fault: {
          code: 500,
          message: run.failure?.message ?? 'Build of instance aborted.',
          details: run.failure?.code ?? null,
          created: deps.clock.now().toISOString(),
        },
      });
    },
  });
}

/** The NIC of a server that named no network: its project's own, which stays when the server cannot be built. */
async function autoRequest(ctx: RequestContext, deps: SagaDeps, instance: Instance): Promise<NetworkRequest> {
  const network_id = await deps.networks.autoAllocated(ctx, instance.project_id);
  return { network_id, port_id: null, fixed_ip: null, tag: null };
}

/** One host's try. All but the first run only when the one before could not build. */
function attemptSteps(deps: SagaDeps, attempt: number): Step[] {
  const when = (run: Run): boolean => attempt === 1 || failureOf(run, attempt - 1) !== null;
  const bound = (run: Run): boolean => Array.isArray(run.maybe<Ports>(`ports_${attempt}`));
  const withVolumes = (run: Run): boolean =>
    bound(run) && (run.maybe<{ volumes: number }>(`placed_${attempt}`)?.volumes ?? 0) > 0;
  const selection = (run: Run): Selection => run.out<Selection>(`schedule_${attempt}`);
  return [
    {
      type: 'effect',
      name: `schedule_${attempt}`,
      when,
      do: async (ctx, run) => {
        const instance = await loadInstance(deps, run.params.instance_uuid);
        const ignore = attemptsOf(deps).flatMap((n) => failureOf(run, n)?.host ?? []);
        const before = run.maybe<ChosenHost>(`schedule_${attempt - 1}`);
        const { requested_host: requested } = instance.request;
        const spec = {
          ...requestSpec(instance, ignore),
          ...(requested === undefined ? {} : { requested_host: requested }),
        };
        return chooseHost(ctx, deps, spec, { attempt, before });
      },
      undo: (ctx, run) => deps.placement.release(ctx, run.params.instance_uuid),
    },
    {
      type: 'tx',
      name: `placed_${attempt}`,
      when,
      do: async (_ctx, tx, run) => {
        const { service_host: host, nodename: node, availability_zone } = selection(run);
        const placed = await deps.instances.update(tx, run.params.instance_uuid, {
          host,
          node,
          availability_zone,
          ...(await keepTask(deps, tx, run, 'networking')),
        });
        await endHold(deps, tx, placed);
        return { volumes: (await deps.devices.ofInstance(tx, run.params.instance_uuid)).length };
      },
    },
    {
      type: 'effect',
      name: `ports_${attempt}`,
      when,
      do: async (ctx, run): Promise<Ports> => {
        const instance = await loadInstance(deps, run.params.instance_uuid);
        const { networks } = instance.request;
        if (networks === 'none' || networks.length === 0) return [];
        const { service_host: host, availability_zone } = selection(run);
        const wanted = deps.networks.ensurePorts(ctx, {
          instance_uuid: instance.uuid,
          project_id: instance.project_id,
          hostname: instance.hostname,
          host,
          availability_zone,
          requests: networks === 'auto' ? [await autoRequest(ctx, deps, instance)] : networks,
          security_groups: instance.request.security_groups,
        });
        return wanted.catch((error: unknown) => {
          // Neutron cannot have it on this host; perhaps on another.
          if (error instanceof DomainError && error.code === 'PortBindingFailed') return { failed: error.message };
          throw error;
        });
      },
      undo: async (ctx, run) => {
        const instance = await loadInstance(deps, run.params.instance_uuid);
        const ports = run.maybe<Ports>(`ports_${attempt}`);
        await deps.networks.releasePorts(ctx, instance, Array.isArray(ports) ? ports : instance.nics);
      },
    },
    {
      type: 'tx',
      name: `networked_${attempt}`,
      when: bound,
      do: async (_ctx, tx, run) => {
        await deps.instances.update(tx, run.params.instance_uuid, {
          nics: run.out<Nic[]>(`ports_${attempt}`),
          ...(await keepTask(deps, tx, run, 'spawning')),
        });
      },
    },
    {
      type: 'effect',
      name: `connect_volumes_${attempt}`,
      when: withVolumes,
      retryForMs: 300_000,
      do: async (ctx, run): Promise<readonly Connected[]> => {
        const { instance, devices } = await load(deps, run.params.instance_uuid);
        const { service_host: host } = selection(run);
        const { connector } = await onHost(deps, host, deps.compute.get_volume_connector(ctx, {}, { host }));
        const connected: Connected[] = [];
        for (const device of devices) {
          if (device.volume_id === null) continue;
          await assertAvailable(ctx, deps, device.volume_id);
          const { id } = await deps.volumes.ensureAttachment(ctx, device.volume_id, instance.uuid, 'service');
          connected.push({
            bdm_id: device.id,
            attachment_id: id,
            connection_info: await deps.volumes.connect(ctx, id, connector, device.device_name),
          });
        }
        return connected;
      },
      undo: async (ctx, run) => {
        const { devices } = await load(deps, run.params.instance_uuid);
        for (const device of devices) {
          if (device.volume_id === null) continue;
          const id =
            device.attachment_id ??
            (await deps.volumes.findAttachment(ctx, device.volume_id, run.params.instance_uuid));
          if (id !== null) await deps.volumes.deleteAttachment(ctx, id);
        }
      },
    },
    {
      type: 'tx',
      name: `volumes_${attempt}`,
      when: withVolumes,
      do: async (_ctx, tx, run) => {
        for (const { bdm_id: id, attachment_id, connection_info } of run.out<Connected[]>(
          `connect_volumes_${attempt}`,
        )) {
          await deps.devices.update(tx, id, { attachment_id, connection_info });
        }
      },
    },
    {
      type: 'effect',
      name: `build_${attempt}`,
      when: bound,
      retryForMs: 600_000,
      do: async (ctx, run): Promise<Built> => {
        const loaded = await load(deps, run.params.instance_uuid);
        const { service_host: host } = selection(run);
        try {
          const command = deps.compute.build_and_run_instance(
            ctx,
            { instance: toInstanceSpec(loaded.instance, loaded.devices) },
            { host, messageId: run.messageId },
          );
          return { ok: true, ...(await onHost(deps, host, command)) };
        } catch (thrown) {
          const error = asDomainError(thrown);
          if (retryable(error.kind) && !isHostDown(error)) throw error;
          await terminate(ctx, deps, host, loaded, `${run.messageId}:failed`);
          return { ok: false, host, message: error.message };
        }
      },
      undo: async (ctx, run) => {
        const chosen = run.maybe<Selection>(`schedule_${attempt}`);
        if (chosen !== undefined)
          await terminate(
            ctx,
            deps,
            chosen.service_host,
            await load(deps, run.params.instance_uuid),
            `${run.messageId}:undo`,
          );
      },
    },
  ];
}

/** The numbers of the hosts that are tried, from 1. */
export function attemptsOf({ maxAttempts }: Pick<SagaDeps, 'maxAttempts'>): readonly number[] {
  return Array.from({ length: maxAttempts }, (_, at) => at + 1);
}

/** Why a host could not have the server; null when it has it, or was not tried. */
function failureOf(run: Run, attempt: number): { readonly host: string; readonly message: string } | null {
  const ports = run.maybe<Ports>(`ports_${attempt}`);
  if (ports !== undefined && 'failed' in ports)
    return { host: run.out<Selection>(`schedule_${attempt}`).service_host, message: ports.failed };
  const built = run.maybe<Built>(`build_${attempt}`);
  return built === undefined || built.ok ? null : built;
}

/** A boot under deletion keeps showing so. */
async function keepTask(
  deps: SagaDeps,
  tx: Parameters<SagaDeps['instances']['find']>[0],
  run: Run,
  task: 'networking' | 'spawning',
) {
  const instance = await deps.instances.find(tx, run.params.instance_uuid, { lock: true });
  return instance?.task_state === 'deleting' ? {} : { task_state: task };
}

/** A volume that is still being made is waited for; one that failed ends the boot. */
export async function assertAvailable(
  ctx: Parameters<SagaDeps['volumes']['get']>[0],
  deps: SagaDeps,
  volumeId: string,
): Promise<void> {
  const volume = await deps.volumes.get(ctx, volumeId, 'service');
  if (volume === null) throw NovaError.InvalidBDMVolume({ id: volumeId });
  if (['creating', 'downloading'].includes(volume.status))
    throw NovaError.VolumeNotReady({ volume_id: volumeId, status: volume.status });
  if (volume.status.startsWith('error')) throw NovaError.InvalidBDMVolume({ id: volumeId });
}

/** What the scheduler is told of a server. */
export function requestSpec(instance: Instance, ignore: readonly string[]): RequestSpec {
  return {
    instance_uuid: instance.uuid,
    project_id: instance.project_id,
    user_id: instance.user_id,
    flavor: instance.flavor,
    root_gb_on_host: instance.image === null ? 0 : instance.flavor.root_gb,
    image_id: instance.image?.id ?? null,
    image_properties: instance.image?.properties ?? instance.request.root_image_properties ?? {},
    availability_zone: instance.request.availability_zone,
    force_host: instance.request.force_host,
    ignore_hosts: [...ignore],
    scheduler_hints: { ...instance.request.scheduler_hints },
  };
}
