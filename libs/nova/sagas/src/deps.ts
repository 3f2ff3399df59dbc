import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { DomainError, retryable } from '@nestack/kernel/errors';
import type { RpcClient } from '@nestack/kernel/rpc';
import { NovaError, type ComputeRpc, type SchedulerRpc } from '@nestack/nova/contract';
import {
  groupHint,
  isUp,
  toGuestVolumes,
  type BlockDevice,
  type BlockDeviceRepository,
  type ExternalEventRepository,
  type ImagePort,
  type Instance,
  type InstanceRepository,
  type MigrationRepository,
  type NetworkPort,
  type Operations,
  type PlacementPort,
  type ServerGroupRepository,
  type ServiceRepository,
  type VolumePort,
} from '@nestack/nova/domain';

/** What nova's sagas work with. */
export interface SagaDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly instances: InstanceRepository;
  readonly devices: BlockDeviceRepository;
  readonly migrations: MigrationRepository;
  readonly groups: ServerGroupRepository;
  readonly events: ExternalEventRepository;
  readonly operations: Pick<Operations, 'start'>;
  readonly services: ServiceRepository;
  readonly compute: RpcClient<typeof ComputeRpc>;
  readonly scheduler: RpcClient<typeof SchedulerRpc>;
  readonly networks: NetworkPort;
  readonly volumes: VolumePort;
  readonly images: ImagePort;
  readonly placement: PlacementPort;
  /** Seconds that a guest gets to power itself off. upstream: shutdown_timeout */
  readonly shutdownTimeoutS: number;
  /** Hosts that are tried for a server. upstream: max_attempts */
  readonly maxAttempts: number;
  /** Whether a shelved server leaves its host at once. upstream: shelved_offload_time is 0 */
  readonly offloadsAtOnce: boolean;
  /** How long a boot waits for its ports. upstream: vif_plugging_timeout */
  readonly vifPluggingTimeoutMs: number;
}

export interface Loaded {
  readonly instance: Instance;
  readonly devices: readonly BlockDevice[];
}

/** The instance as it is now, its end met again or not. */
export async function loadInstance(deps: SagaDeps, uuid: string): Promise<Instance> {
  return deps.tx.read('saga.instance', async (tx) => {
    const instance = await deps.instances.find(tx, uuid, { deleted: true });
    if (instance === null) throw NovaError.InstanceNotFound({ instance_id: uuid });
    return instance;
  });
}

/** The instance with its disks as they are now; deleted ones too, since a run may meet its own end again. */
export async function load(deps: SagaDeps, uuid: string): Promise<Loaded> {
  return deps.tx.read('saga.instance', async (tx) => {
    const instance = await deps.instances.find(tx, uuid, { deleted: true });
    if (instance === null) throw NovaError.InstanceNotFound({ instance_id: uuid });
    return { instance, devices: await deps.devices.ofInstance(tx, uuid) };
  });
}

/**
 * The server itself says from now on where it is, or that it is nowhere: what the scheduler holds for it in its group ends, in
 * the same transaction.
 */
export async function endHold(deps: SagaDeps, tx: Tx, instance: Instance | null): Promise<void> {
  if (instance !== null && groupHint(instance.request.scheduler_hints) !== null)
    await deps.groups.hold(tx, instance.uuid, null);
}

/** Whether a host's nova-compute can be asked. A host that is down is skipped where upstream deletes locally: it puts itself in order when it returns. */
export async function reachable(deps: SagaDeps, host: string): Promise<boolean> {
  const services = await deps.tx.read('saga.service', (tx) => deps.services.list(tx, { host, binary: 'nova-compute' }));
  return services.some((service) => isUp(service, deps.clock.now()));
}

/** How often the life of a host is looked at while it is waited for. */
const WATCH_MS = 5000;

/**
 * The answer of a host to a command. When the host goes down meanwhile the wait ends with ComputeServiceUnavailable: what
 * the command left there, or still does, the host puts in order when it returns.
 */
export async function onHost<T>(deps: SagaDeps, host: string, command: Promise<T>): Promise<T> {
  const done = new AbortController();
  const watch = async (): Promise<T> => {
    for (;;) {
      await deps.clock.sleep(WATCH_MS, done.signal);
      if (done.signal.aborted) return command;
      // A look that fails says nothing about the host.
      if (!(await reachable(deps, host).catch(() => true))) throw NovaError.ComputeServiceUnavailable({ host });
    }
  };
  try {
    return await Promise.race([command, watch()]);
  } finally {
    done.abort();
  }
}

/** Whether an error says that the host of a command is down. */
export function isHostDown(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'ComputeServiceUnavailable';
}

/** Whether asking again would be answered the same: what the other side refuses. */
export function isRefusal(error: unknown): boolean {
  return error instanceof DomainError && !retryable(error.kind) && error.kind !== 'bug';
}

/** Removes the guest from a host, unless the host is down. */
export async function terminate(
  ctx: RequestContext,
  deps: SagaDeps,
  host: string,
  { instance, devices }: Loaded,
  messageId: string,
): Promise<void> {
  if (!(await reachable(deps, host))) return;
  const command = deps.compute.terminate_instance(
    ctx,
    { instance_uuid: instance.uuid, nics: [...instance.nics], volumes: toGuestVolumes(devices) },
    { host, messageId },
  );
  try {
    await onHost(deps, host, command);
  } catch (error) {
    if (!isHostDown(error)) throw error;
  }
}
