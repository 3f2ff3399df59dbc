import type { ConnectionInfo, Nic } from '@nestack/nova/contract';
import { DomainError } from '@nestack/kernel/errors';
import { guestName } from '@nestack/nova/domain';
import { rootTarget, type DiskBus } from './hardware';

/** Memory for translated code; QEMU would let an emulated guest have a gigabyte of it. upstream: libvirt/tb_cache_size */
const TB_CACHE_MIB = 128;

/** A server of volumes that is restarted costs guests a pause instead of errors; known to libvirt since 9.1, passed over before. */
const RECONNECT = `<reconnect delay='60'/>`;

/** Everything that a guest's definition says; files exist already. */
export interface DomainPlan {
  readonly uuid: string;
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMb: number;
  readonly virtType: 'kvm' | 'qemu';
  readonly emulator: string;
  /** Null when the guest boots from a volume. */
  readonly rootDisk: string | null;
  readonly diskBus: DiskBus;
  readonly nicModel: string;
  /** The flavor's further disks. */
  readonly extraDisks: readonly { readonly file: string; readonly target: string; readonly format?: 'qcow2' }[];
  /** The disk of a rescue that is booted while all others stay what they are. */
  readonly rescueDisk: {
    readonly file: string;
    readonly target: string;
    readonly bus: string;
    readonly device: 'disk' | 'cdrom' | 'floppy';
  } | null;
  /** A kernel that is started in place of the disk's boot loader. */
  readonly kernel: { readonly file: string; readonly ramdisk: string | null; readonly commandLine: string } | null;
  readonly configDrive: string | null;
  readonly consoleLog: string;
  /** Socket of its screen; null: none. */
  readonly vncSocket: string | null;
  readonly volumes: readonly VolumePlan[];
  readonly nics: readonly Nic[];
}

export interface VolumePlan {
  readonly volumeId: string;
  readonly connection: ConnectionInfo;
  /** `vdb` */
  readonly target: string;
  readonly bus: DiskBus;
}

/** A volume as libvirt shows it in a definition. */
export interface DefinedDisk {
  readonly volumeId: string;
  readonly target: string;
  readonly xml: string;
}

/** A guest's definition. */
export function domainXml(plan: DomainPlan): string {
  const lines = [
    `<domain type='${plan.virtType}'>`,
    `<name>${guestName(plan.uuid)}</name>`,
    `<uuid>${escaped(plan.uuid)}</uuid>`,
    `<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>`,
    `<nova:name>${escaped(plan.name)}</nova:name></nova:instance></metadata>`,
    `<memory unit='MiB'>${plan.memoryMb}</memory>`,
    `<vcpu>${plan.vcpus}</vcpu>`,
    `<sysinfo type='smbios'><system><entry name='manufacturer'>OpenStack Foundation</entry>`,
    `<entry name='product'>OpenStack Nova</entry><entry name='serial'>${escaped(plan.uuid)}</entry>`,
    `<entry name='uuid'>${escaped(plan.uuid)}</entry><entry name='family'>Virtual Machine</entry></system></sysinfo>`,
    `<os><type arch='x86_64' machine='pc'>hvm</type>${kernelXml(plan)}${plan.rescueDisk === null ? `<boot dev='hd'/>` : ''}<smbios mode='sysinfo'/></os>`,
    `<features><acpi/><apic/>`,
    plan.virtType === 'kvm' ? '' : `<tcg><tb-cache unit='MiB'>${TB_CACHE_MIB}</tb-cache></tcg>`,
    `</features>`,
    plan.virtType === 'kvm'
      ? `<cpu mode='host-model'/>`
      : `<cpu mode='custom' match='exact' check='none'><model fallback='allow'>qemu64</model></cpu>`,
    `<clock offset='utc'>${plan.virtType === 'kvm' ? `<timer name='pit' tickpolicy='delay'/>` : ''}`,
    `<timer name='rtc' tickpolicy='catchup'/><timer name='hpet' present='no'/></clock>`,
    `<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>`,
    `<devices>`,
    `<emulator>${escaped(plan.emulator)}</emulator>`,
    plan.diskBus === 'scsi' || plan.rescueDisk?.bus === 'scsi'
      ? `<controller type='scsi' index='0' model='virtio-scsi'/>`
      : '',
    ...(plan.rootDisk === null ? [] : [fileDiskXml(plan.rootDisk, 'qcow2', rootTarget(plan.diskBus), plan.diskBus)]),
    ...plan.extraDisks.map(({ file, target, format }) => fileDiskXml(file, format ?? 'raw', target, plan.diskBus)),
    ...plan.volumes.map(volumeXml),
    ...(plan.rescueDisk === null ? [] : [rescueDiskXml(plan.rescueDisk)]),
    ...(plan.configDrive === null ? [] : [configDriveXml(plan.configDrive, plan.diskBus)]),
    ...plan.nics.map((nic) => interfaceXml(nic, plan.nicModel)),
    `<serial type='pty'><log file='${escaped(plan.consoleLog)}' append='on'/><target port='0'/></serial>`,
    `<console type='pty'><target type='serial' port='0'/></console>`,
    ...(plan.vncSocket === null ? [] : [`<graphics type='vnc' socket='${escaped(plan.vncSocket)}'/>`]),
    `<video><model type='vga' vram='16384'/></video>`,
    `<memballoon model='virtio' autodeflate='on' freePageReporting='on'/>`,
    `<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>`,
    `</devices>`,
    `</domain>`,
  ];
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}

function kernelXml({ kernel }: DomainPlan): string {
  if (kernel === null) return '';
  const initrd = kernel.ramdisk === null ? '' : `<initrd>${escaped(kernel.ramdisk)}</initrd>`;
  return `<kernel>${escaped(kernel.file)}</kernel>${initrd}<cmdline>${escaped(kernel.commandLine)}</cmdline>`;
}

/** Where a volume is served, as QEMU's NBD client takes it. Throws InvalidVolume. */
export function nbdAddress(
  volumeId: string,
  connection: ConnectionInfo,
): {
  readonly server:
    | { readonly type: 'unix'; readonly path: string }
    | { readonly type: 'inet'; readonly host: string; readonly port: string };
  readonly export?: string;
} {
  const { driver_volume_type: type, data } = connection;
  if (type !== 'nbd') throw unusable(volumeId, `this host cannot use volumes of the type ${type}`);
  const socket = textOf(data['socket']) ?? textOf(data['unix_socket']);
  const host = textOf(data['host']);
  const port = typeof data['port'] === 'number' ? String(data['port']) : textOf(data['port']);
  const name = textOf(data['export']) ?? textOf(data['name']);
  const named = name === null ? {} : { export: name };
  if (socket !== null) return { server: { type: 'unix', path: socket }, ...named };
  if (host !== null && port !== null) return { server: { type: 'inet', host, port }, ...named };
  throw unusable(volumeId, 'its connection names neither a socket nor a host');
}

/** A volume's disk: NBD over a unix socket or TCP, served by the host that has the volume. */
export function volumeXml(volume: VolumePlan): string {
  const { server, export: name } = nbdAddress(volume.volumeId, volume.connection);
  const address =
    server.type === 'unix'
      ? `<host transport='unix' socket='${escaped(server.path)}'/>`
      : `<host name='${escaped(server.host)}' port='${escaped(server.port)}'/>`;
  return [
    `<disk type='network' device='disk'>`,
    `<driver name='qemu' type='raw' cache='none' discard='unmap'/>`,
    `<source protocol='nbd'${name === undefined ? '' : ` name='${escaped(name)}'`}>${address}${RECONNECT}</source>`,
    `<target dev='${escaped(volume.target)}' bus='${volume.bus}'/>`,
    volume.connection.data['access_mode'] === 'ro' ? `<readonly/>` : '',
    `<serial>${escaped(volume.volumeId)}</serial>`,
    `</disk>`,
  ].join('');
}

/** A NIC on a tap that exists already. */
export function interfaceXml(nic: Nic, model = 'virtio'): string {
  return [
    `<interface type='ethernet'>`,
    `<mac address='${escaped(nic.mac_address)}'/>`,
    `<target dev='${escaped(nic.devname)}' managed='no'/>`,
    `<model type='${escaped(model)}'/>`,
    `<mtu size='${nic.mtu}'/>`,
    `</interface>`,
  ].join('');
}

/** The volumes in a definition as libvirt prints it. */
export function definedVolumes(xml: string): readonly DefinedDisk[] {
  return [...xml.matchAll(/<disk [^>]*device='disk'[\s\S]*?<\/disk>/g)].flatMap(([disk]) => {
    const volumeId = sourceVolume(disk) ?? /<serial>([^<]*)<\/serial>/.exec(disk)?.[1];
    const target = /<target dev='([^']*)'/.exec(disk)?.[1];
    return volumeId === undefined || target === undefined ? [] : [{ volumeId, target, xml: disk }];
  });
}

/** A copy of a disk that is under way, and whether both are equal by now. */
export function definedCopy(disk: string): { readonly volumeId: string | null; readonly ready: boolean } | null {
  const mirror = /<mirror [\s\S]*?<\/mirror>/.exec(disk)?.[0];
  return mirror === undefined
    ? null
    : { volumeId: volumeNamed(mirror), ready: /<mirror [^>]*ready='yes'/.test(mirror) };
}

/** The volume that a disk's connection names. The serial number, which the guest knows, stays that of the first one. */
function sourceVolume(disk: string): string | null {
  return volumeNamed(disk.replace(/<mirror [\s\S]*?<\/mirror>/, ''));
}

function volumeNamed(xml: string): string | null {
  return /<source protocol='nbd' name='(?:volume-)?([0-9a-f-]{36})[.']/.exec(xml)?.[1] ?? null;
}

/** Names of all disks in a definition: `vda`, `vdb`. */
export function definedTargets(xml: string): readonly string[] {
  return [...xml.matchAll(/<disk [\s\S]*?<\/disk>/g)].flatMap(([disk]) => {
    const target = /<target dev='([^']*)'/.exec(disk)?.[1];
    return target === undefined ? [] : [target];
  });
}

/** The NIC with this MAC address in a definition, as XML; null when there is none. */
export function definedInterface(xml: string, mac: string): string | null {
  for (const [nic] of xml.matchAll(/<interface [\s\S]*?<\/interface>/g)) {
    if (/<mac address='([^']*)'/.exec(nic)?.[1]?.toLowerCase() === mac.toLowerCase()) return nic;
  }
  return null;
}

/** Host devices of all NICs in a definition that are taps of ours. */
export function definedTaps(xml: string): readonly string[] {
  return [...xml.matchAll(/<interface [\s\S]*?<\/interface>/g)].flatMap(([nic]) => {
    const tap = /<target dev='(tap[^']*)'/.exec(nic)?.[1];
    return tap === undefined ? [] : [tap];
  });
}

/** Text for an element or an attribute; characters that XML cannot have are dropped. */
export function escaped(text: string): string {
  const possible = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '');
  return possible
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/'/g, '&apos;');
}

function fileDiskXml(file: string, format: 'qcow2' | 'raw', target: string, bus: DiskBus): string {
  return [
    `<disk type='file' device='disk'><driver name='qemu' type='${format}' cache='writeback' discard='unmap'/>`,
    `<source file='${escaped(file)}'/><target dev='${target}' bus='${bus}'/></disk>`,
  ].join('');
}

function rescueDiskXml({ file, target, bus, device }: NonNullable<DomainPlan['rescueDisk']>): string {
  return [
    `<disk type='file' device='${device}'><driver name='qemu' type='qcow2' cache='writeback' discard='unmap'/>`,
    `<source file='${escaped(file)}'/><target dev='${target}' bus='${bus}'/>`,
    device === 'cdrom' ? `<readonly/>` : '',
    `<boot order='1'/></disk>`,
  ].join('');
}

/** On the last name of its bus, behind all that disks may have. */
function configDriveXml(file: string, diskBus: DiskBus): string {
  return [
    `<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>`,
    `<source file='${escaped(file)}'/><target dev='${diskBus === 'ide' ? 'hdd' : 'hda'}' bus='ide'/><readonly/></disk>`,
  ].join('');
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function unusable(volumeId: string, reason: string): DomainError {
  return new DomainError({
    kind: 'badRequest',
    code: 'InvalidVolume',
    message: `Invalid volume: ${volumeId}: ${reason}`,
    args: { reason: `${volumeId}: ${reason}` },
  });
}
