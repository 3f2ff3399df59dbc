import { DomainError } from '@nestack/kernel/errors';

/** Buses of disks, with the letters that their names begin with. */
const DISK_BUSES = { virtio: 'vd', scsi: 'sd', sata: 'sd', ide: 'hd', usb: 'sd' } as const;
export type DiskBus = keyof typeof DISK_BUSES;

const NIC_MODELS = new Set(['virtio', 'e1000', 'e1000e', 'rtl8139', 'ne2k_pci', 'pcnet', 'vmxnet3']);

/** What an image asks of its guests' hardware. */
export interface Hardware {
  readonly diskBus: DiskBus;
  readonly nicModel: string;
  /** Ids of the images that are started in place of the disk's boot loader. */
  readonly kernelId: string | null;
  readonly ramdiskId: string | null;
  readonly commandLine: string | null;
}

/** Reads an image's properties. Throws UnsupportedHardware. upstream: nova/objects/image_meta.py, nova/virt/libvirt/blockinfo.py */
export function hardwareOf(properties: Readonly<Record<string, unknown>>): Hardware {
  const text = (name: string): string | null => {
    const value = properties[name];
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const diskBus = text('hw_disk_bus') ?? 'virtio';
  if (!Object.hasOwn(DISK_BUSES, diskBus)) throw unsupported(diskBus);
  const nicModel = text('hw_vif_model') ?? 'virtio';
  if (!NIC_MODELS.has(nicModel)) throw unsupported(nicModel);
  return {
    diskBus: diskBus as DiskBus,
    nicModel,
    kernelId: text('kernel_id'),
    ramdiskId: text('ramdisk_id'),
    commandLine: text('os_command_line'),
  };
}

/** The wanted disk name as the bus has it, or the next that is free; the first is the root's. Throws TooManyDiskDevices. */
export function freeTarget(device: string, taken: readonly string[], bus: DiskBus = 'virtio'): string {
  const prefix = DISK_BUSES[bus];
  const letters = bus === 'ide' ? 'bcd' : 'bcdefghijklmnopqrstuvwxyz';
  const wanted = device.replace(/^\/dev\//, '').replace(/^(vd|sd|hd|xvd)(?=[a-z]$)/, prefix);
  const names = [...letters].map((letter) => `${prefix}${letter}`);
  const found = [wanted, ...names].find((name) => names.includes(name) && !taken.includes(name));
  if (found !== undefined) return found;
  throw new DomainError({
    kind: 'forbidden',
    code: 'TooManyDiskDevices',
    message: `The maximum allowed number of disk devices (${names.length + 1}) to attach to a single instance has been exceeded.`,
    args: { maximum: names.length + 1 },
  });
}

/** The first disk's name on a bus. */
export function rootTarget(bus: DiskBus): string {
  return `${DISK_BUSES[bus]}a`;
}

/** The bus of a disk in a definition that is known by its name; the root's tells that of all. */
export function busOfDefinition(xml: string): DiskBus {
  const disk = /<disk [^>]*device='disk'[\s\S]*?<target dev='[a-z]+' bus='([a-z]+)'/.exec(xml)?.[1];
  return disk !== undefined && Object.hasOwn(DISK_BUSES, disk) ? (disk as DiskBus) : 'virtio';
}

/** upstream: nova/exception.py, UnsupportedHardware */
function unsupported(model: string): DomainError {
  return new DomainError({
    kind: 'badRequest',
    code: 'UnsupportedHardware',
    message: `Requested hardware '${model}' is not supported by the 'qemu' virt driver`,
    args: { model, virt: 'qemu' },
  });
}
