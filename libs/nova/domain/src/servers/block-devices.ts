import type { RequestContext } from '@nestack/kernel/context';
import { NovaError, isTrue, toInteger, type BlockDeviceFields, type CreateServerFields } from '@nestack/nova/contract';
import type { BlockDevice, Flavor, LocalDisks } from '../instance';
import type { ImagePort, VolumePort } from '../ports';

/** A disk wanted at boot, before the instance has an id. */
export type WantedDevice = Omit<BlockDevice, 'id' | 'instance_uuid'>;

/** The disks that a boot request means. */
export interface ResolvedDevices {
  /** Its volumes, in order. */
  readonly devices: readonly WantedDevice[];
  readonly rootIsVolume: boolean;
  /** The image of a local root disk that a mapping names. */
  readonly rootImage: string | null;
  /** Sizes of the local disks beside the root that differ from the flavor's. */
  readonly local: LocalDisks;
  /** What is known of the image on a root that is a volume. */
  readonly imageProperties: Readonly<Record<string, unknown>>;
}

/** Local disks of a server at most, its root among them. upstream: max_local_block_devices */
const MAX_LOCAL = 3;

/** upstream: nova/objects/fields.py DiskBus */
const DISK_BUSES = ['fdc', 'ide', 'sata', 'scsi', 'usb', 'virtio', 'xen', 'lxc', 'uml'];

const invalid = (details: string): Error => NovaError.InvalidBDMFormat({ details });
const present = <T>(value: T | null | undefined): value is T => value !== undefined && value !== null;

export interface DevicePorts {
  readonly volumes: VolumePort;
  readonly images: ImagePort;
}

/**
 * The disks that a boot request means, in its older or newer form, checked against cinder, glance and the flavor. The image as
 * its own local root disk is not a device. Throws upstream's InvalidBDM family. upstream: nova/block_device.py,
 * nova/compute/api.py _check_and_transform_bdm, _validate_bdm
 */
export async function resolveDevices(
  ctx: RequestContext,
  ports: DevicePorts,
  fields: CreateServerFields,
  about: { readonly flavor: Pick<Flavor, 'ephemeral_gb' | 'swap_mb'>; readonly multiattach: boolean },
): Promise<ResolvedDevices> {
  const { block_device_mapping: older, block_device_mapping_v2: newer } = fields;
  if (older !== undefined && newer !== undefined)
    throw NovaError.BadRequest({
      reason: 'Using different block_device_mapping syntaxes is not allowed in the same request.',
    });
  const hasImage = present(fields.imageRef) && fields.imageRef !== '';
  const given = (newer ?? (older ?? []).map(fromLegacy)).filter((one) => !isTrue(one.no_device ?? false));
  given.forEach((one) => assertForm(one, { hasImage, older: older !== undefined }));
  const blanks = given.filter((one) => one.source_type === 'blank' && placeOf(one) === 'local');
  const rootImages = given.filter((one) => one.source_type === 'image' && placeOf(one) === 'local');
  const wanted = given.filter((one) => placeOf(one) === 'volume');
  const rootIsVolume = wanted.some((one) => bootIndexOf(one) === 0);
  // Who names none of them in the newer form gets no root disk from the image. The older form has no such word.
  const byImage = rootImages.length > 0 || (hasImage && !rootIsVolume && (given.length === 0 || newer === undefined));
  assertBootOrder([...given.map(bootIndexOf), ...(byImage && rootImages.length === 0 ? [0] : [])], hasImage);
  const local = localDisks(blanks, about.flavor, byImage);
  const found = await Promise.all(
    wanted.map((one) => volumeDevice(ctx, ports, one, { multiattach: about.multiattach, hasImage })),
  );
  return {
    devices: found.map(({ device }) => device),
    rootIsVolume,
    rootImage: rootImages[0]?.uuid ?? null,
    local,
    imageProperties: found.find(({ device }) => device.boot_index === 0)?.imageProperties ?? {},
  };
}

const bootIndexOf = ({ boot_index: index }: BlockDeviceFields): number | null =>
  present(index) ? toInteger(index) : null;

function placeOf({ source_type: source, destination_type: place, boot_index }: BlockDeviceFields): 'volume' | 'local' {
  return place ?? (source === 'blank' || (source === 'image' && Number(boot_index) === 0) ? 'local' : 'volume');
}

/** What can be said of one mapping by itself. upstream: BlockDeviceDict.from_api */
function assertForm(one: BlockDeviceFields, { hasImage, older }: { hasImage: boolean; older: boolean }): void {
  const { source_type: source, uuid, device_name: name, disk_bus: bus } = one;
  const place = placeOf(one);
  if (source === undefined) throw invalid('Some required fields are missing');
  if (source === 'blank' && present(uuid)) throw invalid('Invalid device UUID.');
  if (source !== 'blank' && (!present(uuid) || uuid === '')) throw invalid('Missing device UUID.');
  if (place === 'local' && source === 'image' && !(hasImage && bootIndexOf(one) === 0))
    throw invalid('Mapping image to local is not supported.');
  if (place === 'local' && (source === 'volume' || source === 'snapshot'))
    throw invalid(`Mapping ${source} to local is not supported.`);
  if (present(one.volume_type) && place === 'local')
    throw invalid('Specifying a volume_type with destination_type=local is not supported.');
  if (present(one.volume_type) && source === 'volume')
    throw invalid('Specifying volume type to existing volume is not supported.');
  if (present(name) && name === '') throw invalid('Device name empty or too long.');
  if (present(bus) && bus !== '' && !DISK_BUSES.includes(bus)) throw NovaError.InvalidBDMDiskBus({ disk_bus: bus });
  if (!older && hasImage && one.destination_type === 'volume' && present(name) && /^(\/dev\/)?vda$/.test(name))
    throw NovaError.BadRequest({
      reason: 'The volume cannot be assigned the same device name as the root device vda',
    });
}

/** Indexes that boot count up from 0, each once. */
function assertBootOrder(indexes: readonly (number | null)[], hasImage: boolean): void {
  const used = indexes.filter((index) => index !== null && index >= 0).sort((a, b) => Number(a) - Number(b));
  // Neither image nor mapping is told apart from a mapping that does not boot.
  if (indexes.length === 0 && !hasImage) return;
  if (used.length === 0 || used.some((index, at) => index !== at)) throw NovaError.InvalidBDMBootSequence();
}

/** A swap and ephemeral disks, in all as large as the flavor allows. */
function localDisks(
  blanks: readonly BlockDeviceFields[],
  flavor: Pick<Flavor, 'ephemeral_gb' | 'swap_mb'>,
  rootIsLocal: boolean,
): LocalDisks {
  const sizeOf = (one: BlockDeviceFields, otherwise: number): number =>
    present(one.volume_size) && toInteger(one.volume_size) > 0 ? toInteger(one.volume_size) : otherwise;
  const [swaps, ephemerals] = [true, false].map((swap) =>
    blanks.filter((one) => (one.guest_format === 'swap') === swap),
  );
  const ephemeral = (ephemerals ?? []).map((one) => sizeOf(one, flavor.ephemeral_gb));
  if (ephemeral.reduce((sum, size) => sum + size, 0) > flavor.ephemeral_gb) throw NovaError.InvalidBDMEphemeralSize();
  const swap = (swaps ?? []).map((one) => sizeOf(one, flavor.swap_mb));
  if (swap.length > 1) throw invalid('More than one swap drive requested.');
  if ((swap[0] ?? 0) > flavor.swap_mb) throw NovaError.InvalidBDMSwapSize();
  if (blanks.length + (rootIsLocal ? 1 : 0) > MAX_LOCAL) throw NovaError.InvalidBDMLocalsLimit();
  return {
    ...(ephemeral.length === 0 ? {} : { ephemerals: ephemeral }),
    ...(swap[0] === undefined ? {} : { swap_mb: swap[0] }),
  };
}

interface Found {
  readonly device: WantedDevice;
  readonly imageProperties: Readonly<Record<string, unknown>>;
}

async function volumeDevice(
  ctx: RequestContext,
  ports: DevicePorts,
  one: BlockDeviceFields,
  about: { readonly multiattach: boolean; readonly hasImage: boolean },
): Promise<Found> {
  const source = one.source_type ?? 'blank';
  const id = one.uuid ?? '';
  const asked = present(one.volume_size) ? toInteger(one.volume_size) : 0;
  const { size, imageProperties } = await sourceOf(ctx, ports, one, { ...about, asked });
  return {
    device: {
      source_type: source,
      source_id: source === 'volume' || source === 'blank' ? null : id,
      volume_id: source === 'volume' ? id : null,
      volume_size: size,
      volume_type: one.volume_type ?? null,
      attachment_id: null,
      connection_info: null,
      device_name: one.device_name ?? null,
      boot_index: bootIndexOf(one),
      delete_on_termination: isTrue(one.delete_on_termination ?? false),
      tag: one.tag ?? null,
      state: 'reserved',
    },
    imageProperties,
  };
}

/** What a volume is, or is made from. */
async function sourceOf(
  ctx: RequestContext,
  { volumes, images }: DevicePorts,
  one: BlockDeviceFields,
  about: { readonly asked: number; readonly multiattach: boolean; readonly hasImage: boolean },
): Promise<{ readonly size: number; readonly imageProperties: Readonly<Record<string, unknown>> }> {
  const id = one.uuid ?? '';
  const { asked, multiattach, hasImage } = about;
  switch (one.source_type) {
    case 'volume': {
      const volume = await volumes.get(ctx, id, 'user');
      if (volume === null) throw NovaError.InvalidBDMVolume({ id });
      if (volume.multiattach && !multiattach) throw NovaError.MultiattachNotSupportedOldMicroversion();
      if (volume.status !== 'available' && !(volume.multiattach && volume.status === 'in-use'))
        throw NovaError.InvalidVolume({
          reason: `Invalid input received: Invalid volume: Volume ${id} status must be available or downloading to reserve, but the current status is ${volume.status}.`,
        });
      // Who names an image as well is taken at his word. upstream: get_bdm_image_metadata, which is asked only without image
      if (bootIndexOf(one) === 0 && !hasImage && !volume.bootable)
        throw NovaError.BadRequest({ reason: `Block Device ${id} is not bootable.` });
      return { size: volume.size, imageProperties: volume.image_metadata };
    }
    case 'snapshot': {
      const snapshot = await volumes.snapshot(ctx, id);
      if (snapshot === null) throw NovaError.InvalidBDMSnapshot({ id });
      return { size: asked > 0 ? asked : snapshot.size, imageProperties: {} };
    }
    case 'image': {
      const image = await images.get(ctx, id, 'user');
      if (image === null) throw NovaError.InvalidBDMImage({ id });
      if (asked === 0)
        throw NovaError.InvalidBDMText({
          reason: "Images with destination_type 'volume' need to have a non-zero size specified",
        });
      return { size: asked, imageProperties: image.image.properties };
    }
    default:
      if (asked === 0)
        throw NovaError.InvalidBDMText({
          reason: "Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size",
        });
      return { size: asked, imageProperties: {} };
  }
}

/** The older `block_device_mapping` in the newer form; the root is `vda`. upstream: nova/block_device.py from_legacy */
function fromLegacy(one: Readonly<Record<string, unknown>>): BlockDeviceFields {
  const textOf = (key: string): string | null => (typeof one[key] === 'string' && one[key] !== '' ? one[key] : null);
  const device = textOf('device_name');
  const name = textOf('virtual_name') ?? '';
  const size = typeof one['volume_size'] === 'number' ? one['volume_size'] : textOf('volume_size');
  const common = {
    device_name: device === null || device.startsWith('/dev/') ? device : `/dev/${device}`,
    ...(size === null ? {} : { volume_size: size }),
  };
  if (isTrue(one['no_device'] ?? false)) return { ...common, no_device: true };
  if (name === 'swap' || /^ephemeral(\d|[1-9]\d+)$/.test(name))
    return {
      ...common,
      source_type: 'blank',
      destination_type: 'local',
      delete_on_termination: true,
      ...(name === 'swap' ? { guest_format: 'swap' } : {}),
    };
  const snapshot = textOf('snapshot_id');
  const volume = textOf('volume_id');
  if (snapshot === null && volume === null) throw invalid('Unrecognized legacy format.');
  return {
    ...common,
    source_type: snapshot === null ? 'volume' : 'snapshot',
    uuid: snapshot ?? volume,
    destination_type: 'volume',
    boot_index: device !== null && /^(\/dev\/)?vda$/.test(device) ? 0 : null,
    delete_on_termination: one['delete_on_termination'] ?? false,
  };
}
