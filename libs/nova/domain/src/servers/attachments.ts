import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { NovaError, NovaSagas, type Nic, type VmState } from '@nestack/nova/contract';
import type { BlockDevice, Instance, NetworkRequest } from '../instance';
import type {
  BlockDeviceRepository,
  ExternalEventRepository,
  InstanceRepository,
  NetworkPort,
  Operations,
  VolumePort,
  VolumeSummary,
} from '../ports';
import { assertMayAttach } from './boot-request';
import { nextDevice } from './create-servers';
import { localDevices, localSizes } from './local-disks';
import { assertUnlocked, checkStates, enter, visible } from './gate';
import { reserveFor, soon } from './reservations';
import { VOLUME_SWAP } from './volume-swaps';

export interface AttachmentsDeps {
  readonly tx: TransactionRunner;
  readonly instances: InstanceRepository;
  readonly devices: BlockDeviceRepository;
  readonly events: ExternalEventRepository;
  readonly clock: Clock;
  readonly operations: Operations;
  readonly volumes: VolumePort;
  readonly networks: NetworkPort;
}

/** Under this name a request tells the operation that it started how the reservation of the volume went: its attachment's id. */
export const RESERVATION = 'volume-reservation';

/**
 * Under this name a request tells the operation that it started which port it made: its id. The tag is the key of the request,
 * and there as long as the port is being attached.
 */
export const INTERFACE_REQUEST = 'interface-request';
export const INTERFACE_PENDING = 'pending';
export const INTERFACE_REFUSED = 'refused';

/** One key for all operations on a server's interfaces, since the port that one makes has no id yet when it starts. */
const interfacesOf = (id: string): string => `${id}/interfaces`;

/** States in which disks come and go. upstream: nova/compute/api.py attach_volume */
const DISK_STATES: readonly VmState[] = ['active', 'paused', 'stopped', 'resized', 'suspended', 'soft-delete'];
/** From 2.20 on. */
const SHELVED_DISK_STATES: readonly VmState[] = [...DISK_STATES, 'shelved_offloaded'];
const NIC_STATES: readonly VmState[] = ['active', 'paused', 'stopped'];

/** Throws InvalidVolume unless a server has the volume. upstream: nova/volume/cinder.py check_attached */
export function assertInUse(volume: Pick<VolumeSummary, 'id' | 'status'>): void {
  if (volume.status !== 'in-use')
    throw NovaError.InvalidVolume({
      reason: `volume '${volume.id}' status must be 'in-use'. Currently in '${volume.status}' status`,
    });
}

/** What an API version lets its callers do with volumes: from 2.20 on with shelved servers, from 2.60 on several servers with one. */
export interface VolumeVersion {
  readonly shelved: boolean;
  readonly multiattach: boolean;
}

/** Volumes and interfaces of servers after boot. */
export class Attachments {
  constructor(private readonly deps: AttachmentsDeps) {}

  volumes(ctx: RequestContext, id: string): Promise<readonly BlockDevice[]> {
    return this.deps.tx.read('volume_attachments.list', async (tx) => {
      const instance = visible(ctx, await this.deps.instances.find(tx, id), id);
      return (await this.deps.devices.ofInstance(tx, instance.uuid)).filter((device) => device.volume_id !== null);
    });
  }

  async volume(ctx: RequestContext, id: string, volumeId: string): Promise<BlockDevice> {
    const found = (await this.volumes(ctx, id)).find((device) => device.volume_id === volumeId);
    if (found === undefined) throw NovaError.VolumeAttachmentNotFound({ volume_id: volumeId });
    return found;
  }

  /**
   * Takes a device name and starts the attachment, then reserves the volume in the caller's name, so that he hears at once
   * what cinder refuses. The operation goes on from the reservation, and makes it itself when this process dies before.
   */
  async attachVolume(
    ctx: RequestContext,
    id: string,
    wanted: {
      readonly volumeId: string;
      readonly device: string | null;
      readonly tag: string | null;
      readonly deleteOnTermination: boolean;
    },
    version: VolumeVersion,
  ): Promise<BlockDevice> {
    const { deps } = this;
    const gate = { action: 'attach_volume', vm_states: version.shelved ? SHELVED_DISK_STATES : DISK_STATES };
    const before = await deps.tx.read('volume_attachments.check', async (tx) => {
      const instance = visible(ctx, await deps.instances.find(tx, id), id);
      assertUnlocked(ctx, instance);
      checkStates(instance, gate);
      return instance;
    });
    const volume = await deps.volumes.get(ctx, wanted.volumeId, 'user');
    if (volume === null) throw NovaError.VolumeNotFound({ volume_id: wanted.volumeId });
    if (volume.multiattach && !version.multiattach) throw NovaError.MultiattachNotSupportedOldMicroversion();
    if (before.vm_state === 'shelved_offloaded') {
      if (volume.multiattach) throw NovaError.MultiattachToShelvedNotSupported();
      if (wanted.tag !== null) throw NovaError.VolumeTaggedAttachToShelvedNotSupported();
    }
    if (volume.attached_to.includes(id))
      throw NovaError.InvalidVolume({ reason: `volume ${volume.id} already attached` });
    if (volume.status !== 'available' && !(volume.multiattach && volume.status === 'in-use')) {
      throw NovaError.InvalidVolume({
        reason: `volume '${volume.id}' status must be 'available'. Currently in '${volume.status}'`,
      });
    }
    const device = await deps.tx.run('server.attach_volume', async (tx) => {
      await deps.operations.lock(tx, `${id}/${volume.id}`);
      const instance = await enter(ctx, tx, deps.instances, id, gate, {});
      const devices = await deps.devices.ofInstance(tx, instance.uuid);
      const swaps = await deps.events.of(tx, instance.uuid, VOLUME_SWAP);
      if (devices.some((device) => device.volume_id === volume.id) || swaps.has(volume.id)) {
        throw NovaError.InvalidVolume({ reason: `volume ${volume.id} already attached` });
      }
      const volumes = devices.map((device) => device.device_name);
      const local = localDevices(localSizes(instance.flavor, instance.request.local), volumes);
      const taken = new Set(['/dev/vda', instance.root_device_name, ...volumes, ...local.ephemerals, local.swap]);
      if (wanted.device !== null && taken.has(wanted.device)) throw NovaError.DevicePathInUse({ path: wanted.device });
      const device = await deps.devices.insert(tx, {
        instance_uuid: instance.uuid,
        source_type: 'volume',
        source_id: null,
        volume_id: volume.id,
        volume_size: volume.size,
        volume_type: null,
        attachment_id: null,
        connection_info: null,
        device_name: wanted.device ?? nextDevice(taken),
        boot_index: null,
        delete_on_termination: wanted.deleteOnTermination,
        tag: wanted.tag,
        state: 'reserved',
      });
      await deps.operations.start(ctx, tx, NovaSagas.attachVolume.kind, {
        params: { instance_uuid: instance.uuid, volume_id: volume.id, bdm_id: device.id },
        resourceId: instance.uuid,
        lockKey: `${instance.uuid}/${volume.id}`,
        mode: 'queue',
        action: NovaSagas.attachVolume.action,
      });
      return device;
    });
    await this.reserve(ctx, device, volume.id);
    return device;
  }

  private async reserve(ctx: RequestContext, device: BlockDevice, volumeId: string): Promise<void> {
    const { deps } = this;
    const tell = (status: string): Promise<void> =>
      deps.tx.run('server.attach_volume.reserved', async (tx) => {
        await deps.operations.signal(ctx, tx, device.instance_uuid);
        // An attachment that has ended meanwhile is told nothing.
        if ((await deps.devices.find(tx, device.id))?.state !== 'reserved') return;
        const event = { name: RESERVATION, tag: String(device.id), status, at: deps.clock.now() };
        await deps.events.record(tx, device.instance_uuid, event);
      });
    const within = soon(ctx, deps.clock);
    await reserveFor(() => deps.volumes.ensureAttachment(within, volumeId, device.instance_uuid, 'user'), tell);
  }

  /** Starts the detachment; asked again while it is under way it is refused with 400, which Terraform's polling needs. */
  detachVolume(ctx: RequestContext, id: string, volumeId: string, version: VolumeVersion): Promise<void> {
    const { deps } = this;
    return deps.tx.run('server.detach_volume', async (tx) => {
      await deps.operations.lock(tx, `${id}/${volumeId}`);
      const instance = visible(ctx, await deps.instances.find(tx, id, { lock: true }), id);
      const device = await deps.devices.byVolume(tx, instance.uuid, volumeId);
      if (device === null) throw NovaError.VolumeAttachmentNotFound({ volume_id: volumeId });
      if (device.boot_index === 0) throw NovaError.VolumeIsRoot();
      if (device.state === 'detaching') throw NovaError.VolumeIsDetaching({ volume_id: volumeId });
      if (device.state === 'reserved')
        throw NovaError.InvalidVolume({ reason: `volume ${volumeId} is still being attached` });
      assertUnlocked(ctx, instance);
      const vm_states = version.shelved ? SHELVED_DISK_STATES : DISK_STATES;
      checkStates(instance, { action: 'detach_volume', vm_states });
      await deps.devices.update(tx, device.id, { state: 'detaching' });
      await deps.operations.start(ctx, tx, NovaSagas.detachVolume.kind, {
        params: { instance_uuid: instance.uuid, volume_id: volumeId, bdm_id: device.id },
        resourceId: instance.uuid,
        lockKey: `${instance.uuid}/${volumeId}`,
        mode: 'queue',
        action: NovaSagas.detachVolume.action,
      });
    });
  }

  /** Interfaces as neutron knows them now, in the server's order. */
  async interfaces(
    ctx: RequestContext,
    id: string,
  ): Promise<readonly { readonly nic: Nic; readonly status: string }[]> {
    const instance = await this.deps.tx.read('interfaces.list', async (tx) =>
      visible(ctx, await this.deps.instances.find(tx, id), id),
    );
    return this.deps.networks.current(ctx, instance, instance.nics);
  }

  /**
   * Starts the operation that plugs the interface, then makes or takes the port, so that the caller hears a refusal and the
   * answer has its address. The operation lets the port go when it cannot be plugged or this process dies.
   */
  async attachInterface(ctx: RequestContext, id: string, request: NetworkRequest): Promise<Nic> {
    const { deps } = this;
    const gate = { action: 'attach_interface', vm_states: NIC_STATES };
    const before = await deps.tx.read('interfaces.check', async (tx) => {
      const found = visible(ctx, await deps.instances.find(tx, id), id);
      assertUnlocked(ctx, found);
      checkStates(found, gate);
      return found;
    });
    const network = await this.networkFor(ctx, before, request);
    const key = network.port_id ?? newUuid();
    const instance = await deps.tx.run('server.attach_interface', async (tx) => {
      const lockKey = interfacesOf(id);
      await deps.operations.lock(tx, lockKey);
      const entered = await enter(ctx, tx, deps.instances, id, gate, {});
      const requests = await deps.events.of(tx, entered.uuid, INTERFACE_REQUEST);
      if (requests.has(key) || entered.nics.some((nic) => nic.port_id === key))
        throw NovaError.PortInUse({ port_id: key });
      const event = { name: INTERFACE_REQUEST, tag: key, status: INTERFACE_PENDING, at: deps.clock.now() };
      await deps.events.record(tx, entered.uuid, event);
      await deps.operations.start(ctx, tx, NovaSagas.attachInterface.kind, {
        params: { instance_uuid: entered.uuid, key },
        resourceId: entered.uuid,
        lockKey,
        mode: 'queue',
        action: NovaSagas.attachInterface.action,
      });
      return entered;
    });
    return this.makePort(ctx, instance, network, key);
  }

  private async makePort(ctx: RequestContext, instance: Instance, request: NetworkRequest, key: string): Promise<Nic> {
    const { deps } = this;
    const tell = (nic: Nic | null): Promise<boolean> =>
      deps.tx.run('server.attach_interface.port', async (tx) => {
        await deps.operations.lock(tx, interfacesOf(instance.uuid));
        await deps.operations.signal(ctx, tx, instance.uuid);
        const found = await deps.instances.find(tx, instance.uuid, { lock: true });
        const requests = await deps.events.of(tx, instance.uuid, INTERFACE_REQUEST);
        // The operation waits no longer.
        if (requests.get(key) !== INTERFACE_PENDING) return false;
        const made = found === null ? null : nic;
        const status = made?.port_id ?? INTERFACE_REFUSED;
        await deps.events.record(tx, instance.uuid, {
          name: INTERFACE_REQUEST,
          tag: key,
          status,
          at: deps.clock.now(),
        });
        if (found === null || made === null) return false;
        const nics = [...found.nics.filter((one) => one.port_id !== made.port_id), made];
        await deps.instances.update(tx, found.uuid, { nics });
        return true;
      });
    const about = {
      instance_uuid: instance.uuid,
      project_id: instance.project_id,
      hostname: instance.hostname,
      host: instance.host ?? '',
      availability_zone: instance.availability_zone ?? 'nova',
      request,
      security_groups: [],
      key,
    };
    try {
      const nic = await deps.networks.ensurePort(soon(ctx, deps.clock), about, 'service');
      if (await tell(nic)) return nic;
    } catch (error) {
      await tell(null);
      throw error;
    }
    await deps.networks.releaseRequested(ctx, instance, key);
    throw NovaError.InterfaceAttachFailed({ instance_uuid: instance.uuid });
  }

  async detachInterface(ctx: RequestContext, id: string, portId: string): Promise<void> {
    const { deps } = this;
    await deps.tx.run('server.detach_interface', async (tx) => {
      const lockKey = interfacesOf(id);
      await deps.operations.lock(tx, lockKey);
      const instance = await enter(
        ctx,
        tx,
        deps.instances,
        id,
        { action: 'detach_interface', vm_states: NIC_STATES },
        {},
      );
      if (!instance.nics.some((nic) => nic.port_id === portId))
        throw NovaError.InterfaceNotFound({ port_id: portId, instance_uuid: instance.uuid });
      await deps.operations.start(ctx, tx, NovaSagas.detachInterface.kind, {
        params: { instance_uuid: instance.uuid, port_id: portId },
        resourceId: instance.uuid,
        lockKey,
        mode: 'queue',
        action: NovaSagas.detachInterface.action,
      });
    });
  }

  /** Unknown networks and ports are 404 here, 400 at boot. upstream: nova/api/openstack/compute/attach_interfaces.py */
  private async networkFor(ctx: RequestContext, server: Instance, request: NetworkRequest): Promise<NetworkRequest> {
    if (request.port_id !== null) {
      const port = await this.deps.networks.port(ctx, request.port_id, 'user');
      if (port === null) throw NovaError.InterfacePortNotFound({ port_id: request.port_id });
      if (port.project_id !== server.project_id)
        throw NovaError.PortNotUsable({ port_id: request.port_id, instance: server.uuid });
      if (port.device_id !== '') throw NovaError.PortInUse({ port_id: request.port_id });
      assertMayAttach(ctx, await this.deps.networks.network(ctx, port.network_id));
      return { ...request, network_id: port.network_id };
    }
    if (request.network_id !== null) {
      const network = await this.deps.networks.network(ctx, request.network_id);
      if (network === null) throw NovaError.InterfaceNetworkNotFound({ network_id: request.network_id });
      if (network.subnets.length === 0) throw NovaError.NetworkRequiresSubnet({ network_uuid: request.network_id });
      assertMayAttach(ctx, network);
      return request;
    }
    const available = await this.deps.networks.available(ctx);
    const [first] = available;
    if (first === undefined) throw NovaError.BadRequest({ reason: 'No network available for the interface.' });
    if (available.length > 1) throw NovaError.NetworkAmbiguous();
    assertMayAttach(ctx, first);
    return { ...request, network_id: first.id };
  }
}
