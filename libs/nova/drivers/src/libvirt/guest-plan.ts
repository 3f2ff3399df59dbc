import { existsSync } from 'node:fs';
import type { GuestSpec } from '@nestack/nova/domain';
import type { DomainPlan, VolumePlan } from './domain-xml';
import type { GuestFiles } from './guest-files';
import { freeTarget, hardwareOf, rootTarget } from './hardware';

const EMULATOR = '/usr/bin/qemu-system-x86_64';
/** What a kernel is told that is started without a boot loader. upstream: nova/virt/libvirt/driver.py, CONSOLE */
const CONSOLES = 'console=tty0 console=ttyS0';

export interface HostPlan {
  readonly virtType: 'kvm' | 'qemu';
  readonly vncSocket: string | null;
}

/** The first disk as the guest is told of it: `/dev/vda`. */
export function rootDeviceOf(spec: GuestSpec): string {
  return `/dev/${rootTarget(hardwareOf(spec.image?.properties ?? {}).diskBus)}`;
}

/** Which file or volume becomes which of the guest's devices. Throws UnsupportedHardware, TooManyDiskDevices. */
export function planOf(spec: GuestSpec, files: GuestFiles, host: HostPlan): DomainPlan {
  const { diskBus, nicModel, kernelId, ramdiskId, commandLine } = hardwareOf(spec.image?.properties ?? {});
  const taken: string[] = [];
  const take = (wanted: string): string => {
    const target = freeTarget(wanted, taken, diskBus);
    taken.push(target);
    return target;
  };
  const extraDisks: { file: string; target: string }[] = [];
  if (spec.flavor.ephemeral_gb > 0) extraDisks.push({ file: files.ephemeral, target: take('') });
  if (spec.flavor.swap_mb > 0) extraDisks.push({ file: files.swap, target: take('') });
  const volumes = spec.disks.map((disk): VolumePlan => ({
    volumeId: disk.volumeId,
    connection: disk.connection,
    target: disk.boot && spec.image === null ? rootTarget(diskBus) : take(disk.device),
    bus: diskBus,
  }));
  const root = rootDeviceOf(spec);
  return {
    uuid: spec.uuid,
    name: spec.name,
    vcpus: spec.flavor.vcpus,
    memoryMb: spec.flavor.memory_mb,
    virtType: host.virtType,
    emulator: EMULATOR,
    rootDisk: spec.image === null ? null : files.disk,
    diskBus,
    nicModel,
    extraDisks,
    kernel:
      kernelId === null || !existsSync(files.kernel)
        ? null
        : {
            file: files.kernel,
            ramdisk: ramdiskId === null ? null : files.ramdisk,
            commandLine: `root=${root} ${commandLine ?? CONSOLES}`,
          },
    configDrive: spec.configDrive === null ? null : files.configDrive,
    consoleLog: files.console,
    vncSocket: host.vncSocket,
    volumes,
    nics: spec.nics,
  };
}
