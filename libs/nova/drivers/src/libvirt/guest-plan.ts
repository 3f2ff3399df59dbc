import { existsSync } from 'node:fs';
import type { ImageSnapshotWire } from '@nestack/nova/contract';
import { rescueDeviceOf, type GuestSpec, type RescueDevice } from '@nestack/nova/domain';
import type { DomainPlan, VolumePlan } from './domain-xml';
import type { GuestFiles } from './guest-files';
import { freeTarget, hardwareOf, rootTarget, type DiskBus } from './hardware';

const EMULATOR = '/usr/bin/qemu-system-x86_64';
/** What a kernel is told that is started without a boot loader. upstream: nova/virt/libvirt/driver.py, CONSOLE */
const CONSOLES = 'console=tty0 console=ttyS0';

export interface HostPlan {
  readonly virtType: 'kvm' | 'qemu';
  readonly vncSocket: string | null;
}

/** The first disk as the guest is told of it: `/dev/vda`. */
export function rootDeviceOf(spec: GuestSpec): string {
  return `/dev/${rootTarget(hardwareOf(ownProperties(spec)).diskBus)}`;
}

/** Of its image, be it on a local disk or on a volume. */
function ownProperties(spec: GuestSpec): Readonly<Record<string, unknown>> {
  return spec.image?.properties ?? spec.rootImageProperties ?? {};
}

/**
 * Which file or volume becomes which of the guest's devices. Throws UnsupportedHardware, TooManyDiskDevices. In a rescue the
 * root is a disk of the rescue's image, and the guest's own comes right behind it; or, where the image says so, all disks
 * stay what they are and the rescue's is a further one, which is booted.
 */
export function planOf(spec: GuestSpec, files: GuestFiles, host: HostPlan): DomainPlan {
  const added = spec.rescue === null ? null : rescueDeviceOf(spec.rescue.properties);
  const { diskBus, nicModel, kernelId, ramdiskId, commandLine } = hardwareOf(
    added === null ? (spec.rescue?.properties ?? ownProperties(spec)) : ownProperties(spec),
  );
  const replaced = spec.rescue !== null && added === null;
  const kernelFile = replaced ? files.rescueKernel : files.kernel;
  const taken: string[] = [];
  const take = (wanted: string, bus: DiskBus = diskBus): string => {
    const target = freeTarget(wanted, taken, bus);
    taken.push(target);
    return target;
  };
  const extraDisks: { file: string; target: string; format?: 'qcow2' }[] = [];
  if (replaced) extraDisks.push({ file: files.disk, target: take(''), format: 'qcow2' });
  const volumes = spec.disks.map((disk): VolumePlan => ({
    volumeId: disk.volumeId,
    connection: disk.connection,
    target: disk.boot && spec.image === null ? rootTarget(diskBus) : take(disk.device),
    bus: diskBus,
  }));
  // By the names that no volume has, as the API tells it.
  for (const index of spec.ephemerals.keys()) extraDisks.push({ file: files.ephemeral(index), target: take('') });
  if (spec.flavor.swap_mb > 0) extraDisks.push({ file: files.swap, target: take('') });
  const root = rootDeviceOf(spec);
  return {
    uuid: spec.uuid,
    name: spec.name,
    vcpus: spec.flavor.vcpus,
    memoryMb: spec.flavor.memory_mb,
    virtType: host.virtType,
    emulator: EMULATOR,
    rootDisk: replaced ? files.rescueDisk : spec.image === null ? null : files.disk,
    rescueDisk: added === null ? null : { file: files.rescueDisk, ...added, target: rescueTarget(added, take) },
    diskBus,
    nicModel,
    extraDisks,
    kernel:
      added !== null || kernelId === null || !existsSync(kernelFile)
        ? null
        : {
            file: kernelFile,
            ramdisk: ramdiskId === null ? null : replaced ? files.rescueRamdisk : files.ramdisk,
            commandLine: `root=${root} ${commandLine ?? CONSOLES}`,
          },
    configDrive: spec.configDrive === null ? null : files.configDrive,
    consoleLog: files.console,
    vncSocket: host.vncSocket,
    volumes,
    nics: spec.nics,
  };
}

/** A name for the rescue's disk behind those of all others on its bus. */
function rescueTarget(added: RescueDevice, take: (wanted: string, bus?: DiskBus) => string): string {
  if (added.bus === 'fdc') return 'fda';
  return take('', added.bus);
}

/** Bytes that a flavor's root disk has; null when it takes the image's size. */
export function roomOf(rootGib: number): number | null {
  return rootGib === 0 ? null : rootGib * 1024 ** 3;
}

/** A kernel or RAM disk: of these the guest's specification has the id alone. */
export function plainImage(id: string): ImageSnapshotWire {
  return {
    id,
    disk_format: 'aki',
    container_format: 'aki',
    size: 0,
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    min_disk: 0,
    properties: {},
  };
}
