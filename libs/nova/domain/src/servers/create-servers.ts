import { newUuid } from '@nestack/kernel/ids';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import {
  NovaError,
  NovaSagas,
  isTrue,
  toInteger,
  type CreateServerFields,
  type FlavorSnapshot,
} from '@nestack/nova/contract';
import { isUp, type Flavor, type ImageSnapshot, type Instance } from '../instance';
import type { Quotas } from '../quotas/quotas';
import type {
  BlockDeviceRepository,
  FlavorRepository,
  ImagePort,
  InstanceRepository,
  KeyPairRepository,
  NetworkPort,
  Operations,
  ServerGroupRepository,
  ServiceRepository,
  VolumePort,
} from '../ports';
import {
  assertBase64,
  bootRequest,
  hostnameOf,
  isNoRootImage,
  mappingOf,
  parseZone,
  resolveImage,
  resolveNetworks,
  resolveSecurityGroups,
  shownGroups,
} from './boot-request';
import { resolveDevices, type WantedDevice } from './block-devices';
import { groupHint } from '../server-groups/group-policy';
import { groupToJoin } from '../server-groups/server-groups';
import { callerOf } from './gate';
import { firstFree, localDevices, localSizes, type LocalSizes } from './local-disks';

export interface CreateServersDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly instances: InstanceRepository;
  readonly devices: BlockDeviceRepository;
  readonly flavors: FlavorRepository;
  readonly keyPairs: KeyPairRepository;
  readonly services: ServiceRepository;
  readonly groups: ServerGroupRepository;
  readonly quotas: Quotas;
  readonly images: ImagePort;
  readonly networks: NetworkPort;
  readonly volumes: VolumePort;
  readonly operations: Operations;
}

/** The disks of one server, and which of their volumes were made for it. */
interface Prepared {
  readonly devices: readonly WantedDevice[];
  readonly made: readonly string[];
}

/** What a create request makes: rows in BUILD and a durable operation for each, in one transaction. */
export class CreateServers {
  constructor(private readonly deps: CreateServersDeps) {}

  /**
   * Volumes for several servers are taken with `multiattach`. Validates against the other services first, then takes quota, inserts and starts in one transaction. Throws
   * upstream's errors; nothing is left of a refused request.
   */
  async create(
    ctx: RequestContext,
    fields: CreateServerFields,
    hints: Readonly<Record<string, unknown>>,
    multiattach: boolean,
  ): Promise<readonly Instance[]> {
    const { deps } = this;
    const min = fields.min_count === undefined ? 1 : toInteger(fields.min_count);
    const count = Math.max(fields.max_count === undefined ? min : toInteger(fields.max_count), 1);
    if (min > count) throw NovaError.BadRequest({ reason: 'min_count must be <= max_count' });
    if (fields.user_data !== undefined && fields.user_data !== null) assertBase64(fields.user_data);

    const flavorId = String(fields.flavorRef).replace(/^.*\//, '');
    const keyName = fields.key_name ?? null;
    const target = targetOf(ctx, fields);
    const groupId = groupHint(hints);
    const { flavor, keyData } = await deps.tx.read('server.create.lookup', async (tx) => {
      if (target.zone !== null || target.host !== null || target.requested !== null)
        await this.assertTarget(tx, target);
      if (groupId !== null) await groupToJoin(ctx, tx, deps.groups, groupId);
      await deps.quotas.assertInjectedFiles(ctx, tx, fields.personality ?? []);
      return this.lookUp(ctx, tx, flavorId, keyName);
    });
    const { zone, host, requested } = target;

    const remapped = await this.remapped(ctx, fields);
    if (remapped !== null) return this.create(ctx, remapped, hints, multiattach);
    const resolved = await resolveDevices(ctx, deps, fields, { flavor, multiattach });
    const { devices, rootIsVolume, rootImage } = resolved;
    const imageRef =
      fields.imageRef === undefined || fields.imageRef === '' ? rootImage : fields.imageRef.replace(/^.*\//, '');
    if (imageRef === null && !rootIsVolume) throw NovaError.InvalidImageRef();
    if (rootIsVolume && (fields.trusted_image_certificates ?? []).length > 0) throw NovaError.CertificatesOfVolume();
    if (count > 1 && devices.some((device) => device.source_type === 'volume')) {
      throw NovaError.BadRequest({ reason: 'Cannot attach one or more volumes to multiple instances' });
    }
    if (imageRef !== null && !rootIsVolume && flavor.root_gb === 0 && !callerOf(ctx).isAdmin)
      throw NovaError.BootFromVolumeRequiredForZeroDiskFlavor();
    const [found, networks, groups] = await Promise.all([
      imageRef === null ? null : resolveImage(ctx, deps.images, imageRef, flavor, !rootIsVolume),
      resolveNetworks(ctx, deps.networks, fields, count),
      resolveSecurityGroups(ctx, deps.networks, fields.security_groups),
    ]);
    // Beside a root that is a volume, an image is only what the guest's devices are chosen by.
    const image = rootIsVolume ? null : found;
    if (image !== null && mappingOf(image) !== null)
      return this.create(ctx, withMappingOf(image, fields), hints, multiattach);
    const request = bootRequest(
      fields,
      {
        networks,
        security_groups: groups.ids,
        security_group_names: await shownGroups(ctx, deps.networks, networks, groups.names),
        availability_zone: zone,
        force_host: host,
        ...(requested === null ? {} : { requested_host: requested }),
        local: resolved.local,
        ...(rootIsVolume ? { root_image_properties: found?.properties ?? resolved.imageProperties } : {}),
      },
      hints,
    );
    const wanted = {
      min,
      max: count,
      vcpus: flavor.vcpus,
      ram: flavor.memory_mb,
      metadataItems: Object.keys(fields.metadata ?? {}).length,
    };
    const prepared = await this.volumesFor(ctx, named(devices, localSizes(flavor, resolved.local)), wanted);
    const now = deps.clock.now();
    const reservation = `r-${newUuid().replaceAll('-', '').slice(0, 8)}`;
    const made = await this.begin(ctx, prepared, async (tx) => {
      const granted = await deps.quotas.takeInstances(ctx, tx, wanted);
      const group = groupId === null ? null : await groupToJoin(ctx, tx, deps.groups, groupId, { lock: true });
      if (group !== null) await deps.quotas.assertGroupMembers(ctx, tx, group.uuid, granted);
      const instances: Instance[] = [];
      for (let index = 0; index < granted; index += 1) {
        const uuid = newUuid();
        const name = count > 1 ? `${fields.name}-${index + 1}` : fields.name;
        const instance: Instance = {
          uuid,
          project_id: ctx.actor?.projectId ?? '',
          user_id: ctx.actor?.userId ?? '',
          display_name: name.trim(),
          hostname:
            fields.hostname === undefined
              ? hostnameOf(name, uuid)
              : count > 1
                ? `${fields.hostname}-${index + 1}`
                : fields.hostname,
          display_description: fields.description ?? null,
          vm_state: 'building',
          task_state: 'scheduling',
          power_state: 0,
          progress: 0,
          host: null,
          node: null,
          availability_zone: zone,
          launch_index: index,
          reservation_id: reservation,
          flavor: snapshot(flavor),
          image,
          key_name: keyName,
          key_data: keyData,
          user_data: fields.user_data ?? null,
          config_drive: isTrue(fields.config_drive ?? false),
          metadata: { ...(fields.metadata ?? {}) },
          tags: [...(fields.tags ?? [])],
          access_ip_v4: fields.accessIPv4 ?? null,
          access_ip_v6: fields.accessIPv6 ?? null,
          disk_config: fields['OS-DCF:diskConfig'] ?? 'MANUAL',
          locked_by: null,
          locked_reason: null,
          root_device_name: null,
          nics: [],
          fault: null,
          request,
          created_at: now,
          updated_at: now,
          launched_at: null,
          terminated_at: null,
          deleted_at: null,
        };
        await deps.instances.insert(tx, instance);
        if (group !== null) await deps.groups.join(tx, group.uuid, uuid);
        for (const device of prepared[index]?.devices ?? [])
          await deps.devices.insert(tx, { ...device, instance_uuid: uuid });
        await deps.operations.start(ctx, tx, NovaSagas.serverCreate.kind, {
          params: { instance_uuid: uuid },
          resourceId: uuid,
          action: NovaSagas.serverCreate.action,
        });
        instances.push(instance);
      }
      return instances;
    });
    return made;
  }

  /** Runs the transaction that makes the servers; volumes that were made for servers that were not are deleted. */
  private async begin(
    ctx: RequestContext,
    prepared: readonly Prepared[],
    make: (tx: Tx) => Promise<readonly Instance[]>,
  ): Promise<readonly Instance[]> {
    let made: readonly Instance[] = [];
    try {
      made = await this.deps.tx.run('server.create', make);
      return made;
    } finally {
      await Promise.all(prepared.slice(made.length).flatMap((one) => one.made.map((id) => this.dropVolume(ctx, id))));
    }
  }

  /** Cinder deletes no volume that it is still making, so it is waited for a little. */
  private async dropVolume(ctx: RequestContext, id: string): Promise<void> {
    const { volumes, clock } = this.deps;
    for (let tries = 0; tries < 20; tries += 1) {
      const volume = await volumes.get(ctx, id, 'service');
      if (volume === null) return;
      if (!['creating', 'downloading'].includes(volume.status)) break;
      await clock.sleep(250);
    }
    await volumes.deleteVolume(ctx, id);
  }

  /**
   * Volumes that the boot is to make are the caller's own, so they are made in his name, before the servers; for a request
   * that the quota refuses none is made.
   */
  private async volumesFor(
    ctx: RequestContext,
    devices: readonly WantedDevice[],
    wanted: Parameters<Quotas['takeInstances']>[2],
  ): Promise<readonly Prepared[]> {
    const { deps } = this;
    if (devices.some((device) => device.volume_id === null))
      await deps.tx.run('server.create.quota', (tx) => deps.quotas.takeInstances(ctx, tx, wanted));
    return Promise.all(
      Array.from({ length: wanted.max }, async () => {
        const made: string[] = [];
        const filled = devices.map(async (device) => {
          if (device.volume_id !== null) return device;
          const { id } = await deps.volumes.createVolume(ctx, {
            size: device.volume_size ?? 1,
            image_id: device.source_type === 'image' ? device.source_id : null,
            snapshot_id: device.source_type === 'snapshot' ? device.source_id : null,
            volume_type: device.volume_type,
            availability_zone: null,
          });
          made.push(id);
          return { ...device, volume_id: id };
        });
        return { devices: await Promise.all(filled), made };
      }),
    );
  }

  /** A request whose mapping has no disk to boot from, but whose image names one; null otherwise. */
  private async remapped(ctx: RequestContext, fields: CreateServerFields): Promise<CreateServerFields | null> {
    const { imageRef = '', block_device_mapping_v2: given = [] } = fields;
    if (imageRef === '' || given.length === 0 || given.some((one) => Number(one.boot_index ?? -1) === 0)) return null;
    const found = await this.deps.images.get(ctx, imageRef.replace(/^.*\//, ''), 'user');
    return found === null || mappingOf(found.image) === null ? null : withMappingOf(found.image, fields);
  }

  private async lookUp(ctx: RequestContext, tx: Tx, flavorId: string, keyName: string | null) {
    const { deps } = this;
    const flavor = await deps.flavors.find(tx, flavorId);
    const projectId = ctx.actor?.projectId ?? '';
    if (
      flavor === null ||
      (!flavor.is_public && !callerOf(ctx).isAdmin && !(await deps.flavors.access(tx, flavorId)).includes(projectId))
    ) {
      throw NovaError.FlavorBadRequest({ flavor_id: flavorId });
    }
    const keyPair = keyName === null ? null : await deps.keyPairs.find(tx, ctx.actor?.userId ?? '', keyName);
    if (keyName !== null && keyPair === null) throw NovaError.KeypairUnknown();
    return { flavor, keyData: keyPair?.public_key ?? null };
  }

  /** Throws when there is no such zone, or no such host that is up. */
  private async assertTarget(tx: Tx, { zone, ...target }: Target): Promise<void> {
    const { services, clock } = this.deps;
    const known = await services.list(tx, { binary: 'nova-compute' });
    if (zone !== null && !known.some((service) => service.availability_zone === zone))
      throw NovaError.AvailabilityZoneNotFound();
    const now = clock.now();
    const { host, requested, node } = target;
    if (host !== null && !known.some((service) => service.host === host && isUp(service, now)))
      throw NovaError.ComputeHostNotFound({ host });
    // The scheduler judges whether a host is up that is only wanted of it. A host is its own and only node.
    if (
      requested !== null &&
      (!known.some((service) => service.host === requested) || (node ?? requested) !== requested)
    )
      throw NovaError.ComputeHostNotFound({ host: requested });
  }
}

/** The request with the disks that its image names in place of the image. */
function withMappingOf(image: ImageSnapshot, fields: CreateServerFields): CreateServerFields {
  const { imageRef: _, ...rest } = fields;
  const mapping = [...(mappingOf(image) ?? []), ...(fields.block_device_mapping_v2 ?? [])];
  return { ...rest, block_device_mapping_v2: mapping.filter(isNoRootImage) };
}

/** Where a server shall be, as far as its request says. */
interface Target {
  readonly zone: string | null;
  /** Forced, past the scheduler's filters. */
  readonly host: string | null;
  /** Wanted of the scheduler. */
  readonly requested: string | null;
  /** The node that it shall be there. */
  readonly node: string | null;
}

/** Where a request wants its servers. upstream: nova/api/openstack/compute/servers.py _process_hosts_for_create */
function targetOf(ctx: RequestContext, fields: CreateServerFields): Target {
  const { zone, host } = parseZone(fields.availability_zone);
  const requested = fields.host ?? fields.hypervisor_hostname ?? null;
  const { isAdmin } = callerOf(ctx);
  if (host !== null && !isAdmin) throw NovaError.PolicyForbidden({ rule: 'os_compute_api:servers:create:forced_host' });
  if (requested !== null && !isAdmin)
    throw NovaError.PolicyForbidden({ rule: 'compute:servers:create:requested_destination' });
  if (requested !== null && host !== null)
    throw NovaError.BadRequest({
      reason:
        'One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are mutually exclusive.',
    });
  return { zone, host, requested, node: fields.hypervisor_hostname ?? null };
}

/** Devices with names: the root is vda, the others follow in order behind the local disks; names that the user gave stay. */
function named(devices: readonly WantedDevice[], local: LocalSizes): readonly WantedDevice[] {
  const given = devices.map((device) => device.device_name);
  const { ephemerals, swap } = localDevices(local, given);
  const taken = new Set(['/dev/vda', ...given, ...ephemerals, swap]);
  return devices.map((device) => {
    if (device.boot_index === 0) return { ...device, device_name: '/dev/vda' };
    if (device.device_name !== null) return device;
    const name = nextDevice(taken);
    taken.add(name);
    return { ...device, device_name: name };
  });
}

/** The first free `/dev/vdX` after the root; `taken` holds the names in use. */
export function nextDevice(taken: ReadonlySet<string | null>): string {
  const name = firstFree(taken);
  if (name !== null) return name;
  throw NovaError.BadRequest({ reason: "No free disk device names for prefix 'vd'" });
}

/** A flavor as an instance keeps it. */
export function snapshot(flavor: Flavor): FlavorSnapshot {
  return {
    id: flavor.flavor_id,
    name: flavor.name,
    vcpus: flavor.vcpus,
    memory_mb: flavor.memory_mb,
    root_gb: flavor.root_gb,
    ephemeral_gb: flavor.ephemeral_gb,
    swap_mb: flavor.swap_mb,
    extra_specs: { ...flavor.extra_specs },
    description: flavor.description,
  };
}
