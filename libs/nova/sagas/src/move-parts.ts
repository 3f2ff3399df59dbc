import type { RequestContext, Tx } from '@nestack/kernel/context';
import { NovaError, POWER_STATE, type ConnectionInfo, type Nic, type PowerState } from '@nestack/nova/contract';
import { toInstanceSpec, type BlockDevice, type Instance, type ServerMigration } from '@nestack/nova/domain';
import { isRefusal, load, onHost, type Loaded, type SagaDeps } from './deps';

/** What every operation of a move is told. */
export interface MoveParams {
  readonly instance_uuid: string;
  readonly migration_uuid: string;
}

export interface Moving extends Loaded {
  readonly migration: ServerMigration;
}

/** A volume's connection to one of the hosts; nothing when another has taken the volume. */
export interface Connected {
  readonly bdm_id: number;
  readonly attachment_id: string | null;
  readonly connection_info: ConnectionInfo | null;
}

export type Connector = Readonly<Record<string, unknown>>;

/** Server, disks and migration as they are now. */
export async function loadMoving(deps: SagaDeps, params: MoveParams): Promise<Moving> {
  const [loaded, migration] = await Promise.all([
    load(deps, params.instance_uuid),
    deps.tx.read('saga.migration', (tx) => deps.migrations.find(tx, params.migration_uuid)),
  ]);
  if (migration === null) throw NovaError.NotResized();
  return { ...loaded, migration };
}

/** Whether the guest ran when the move began: one that was stopped stays so. */
export const ran = ({ old_vm_state: state }: ServerMigration): boolean => state === 'active';

/** The guest with one of the migration's flavors. */
export function specOf({ instance, devices, migration }: Moving, flavor: 'old_flavor' | 'new_flavor') {
  return toInstanceSpec({ ...instance, flavor: migration[flavor] }, devices);
}

/** Whose the old host's claim is: the migration's while both hosts are held. */
export function claimOf(params: MoveParams, instance: Instance, from: 'instance' | 'migration') {
  const { instance_uuid: server, migration_uuid: migration } = params;
  const { project_id, user_id } = instance;
  return from === 'instance'
    ? { from: server, to: migration, type: 'MIGRATION' as const, project_id, user_id }
    : { from: migration, to: server, type: 'INSTANCE' as const, project_id, user_id };
}

/** What cinder needs to know of a host. */
export async function connectorOf(ctx: RequestContext, deps: SagaDeps, host: string): Promise<Connector> {
  return (await onHost(deps, host, deps.compute.get_volume_connector(ctx, {}, { host }))).connector;
}

/**
 * Ends the volumes' connections to the host where they are and connects them to another: each has one attachment at the
 * end. May be cut and begun again. upstream: _terminate_volume_connections, _update_volume_attachments
 */
export async function moveVolumes(
  ctx: RequestContext,
  deps: SagaDeps,
  { instance, devices }: Loaded,
  connector: Connector,
): Promise<readonly Connected[]> {
  const connected: Connected[] = [];
  for (const device of devices)
    if (device.volume_id !== null) connected.push(await moveVolume(ctx, deps, instance, device, connector));
  return connected;
}

/** The same on the way back, where nothing may fail for good: a volume that is lost to the server is left out. */
export async function moveVolumesBack(
  ctx: RequestContext,
  deps: SagaDeps,
  { instance, devices }: Loaded,
  connector: Connector,
): Promise<readonly Connected[]> {
  const connected: Connected[] = [];
  for (const device of devices) {
    if (device.volume_id === null) continue;
    try {
      const one = await moveVolume(ctx, deps, instance, device, connector);
      if (one.attachment_id !== null) await deps.volumes.complete(ctx, one.attachment_id);
      connected.push(one);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      connected.push({ bdm_id: device.id, attachment_id: null, connection_info: null });
    }
  }
  return connected;
}

async function moveVolume(
  ctx: RequestContext,
  deps: SagaDeps,
  instance: Instance,
  device: BlockDevice,
  connector: Connector,
): Promise<Connected> {
  const { attachment_id: old } = device;
  const volumeId = device.volume_id ?? '';
  // The next one before the old one ends, so that nobody takes the volume in between.
  const { id } = await (old === null
    ? deps.volumes.ensureAttachment(ctx, volumeId, instance.uuid, 'service')
    : deps.volumes.ensureFurtherAttachment(ctx, volumeId, instance.uuid, old));
  if (old !== null) await deps.volumes.deleteAttachment(ctx, old);
  const connection_info = await deps.volumes.connect(ctx, id, connector, device.device_name);
  return { bdm_id: device.id, attachment_id: id, connection_info };
}

/** Keeps what the volumes are connected by. */
export async function recordVolumes(deps: SagaDeps, tx: Tx, connected: readonly Connected[]): Promise<void> {
  for (const { bdm_id: id, attachment_id, connection_info } of connected)
    await deps.devices.update(tx, id, { attachment_id, connection_info });
}

/** Binds the server's ports to a host. */
export function bindPorts(
  ctx: RequestContext,
  deps: SagaDeps,
  instance: Instance,
  to: { readonly host: string; readonly availability_zone: string },
): Promise<readonly Nic[]> {
  if (instance.nics.length === 0) return Promise.resolve([]);
  return deps.networks.ensurePorts(ctx, {
    instance_uuid: instance.uuid,
    project_id: instance.project_id,
    hostname: instance.hostname,
    ...to,
    requests: instance.nics.map(({ network_id, port_id, tag }) => ({ network_id, port_id, fixed_ip: null, tag })),
    security_groups: [],
  });
}

/** The same on the way back: a port that is gone is no reason to stop there. */
export async function bindPortsBack(
  ctx: RequestContext,
  deps: SagaDeps,
  instance: Instance,
  to: { readonly host: string; readonly availability_zone: string },
): Promise<readonly Nic[]> {
  try {
    return await bindPorts(ctx, deps, instance, to);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return instance.nics;
  }
}

/** The zone that a host is in now. */
export async function zoneOf(deps: SagaDeps, tx: Tx, host: string): Promise<string | null> {
  const [service] = await deps.services.list(tx, { host, binary: 'nova-compute' });
  return service?.availability_zone ?? null;
}

/** The state that a guest's power says. */
export function vmStateOf(power: PowerState): 'active' | 'stopped' {
  return power === POWER_STATE.running ? 'active' : 'stopped';
}
