import { describe, expect, it } from '@jest/globals';
import type { Nic } from '@nestack/nova/contract';
import {
  definedInterface,
  definedTaps,
  definedTargets,
  definedVolumes,
  domainXml,
  escaped,
  volumeXml,
  type DomainPlan,
} from './domain-xml';
import { freeTarget, hardwareOf } from './hardware';

const nic: Nic = {
  port_id: 'p1',
  network_id: 'n1',
  network_label: 'net',
  mac_address: 'fa:16:3e:00:00:0A',
  devname: 'tap0123456789a',
  bridge: 'brq1',
  mtu: 1450,
  vif_type: 'bridge',
  fixed_ips: [],
  subnets: [],
  tag: null,
  created_by_nova: true,
};

const plan: DomainPlan = {
  uuid: '00112233-4455-6677-8899-aabbccddeeff',
  name: `</nova:name><evil x='"&`,
  vcpus: 2,
  memoryMb: 512,
  virtType: 'qemu',
  emulator: '/usr/bin/qemu-system-x86_64',
  rootDisk: '/i/disk',
  diskBus: 'virtio',
  nicModel: 'virtio',
  rescueDisk: null,
  extraDisks: [{ file: '/i/disk.swap', target: 'vdc' }],
  kernel: null,
  configDrive: '/i/disk.config',
  consoleLog: '/i/console.log',
  vncSocket: null,
  volumes: [
    {
      volumeId: 'v1',
      connection: { driver_volume_type: 'nbd', data: { host: '10.0.0.1', port: 10809, export: 'v1' } },
      target: 'vdb',
      bus: 'virtio',
    },
  ],
  nics: [nic],
};

describe("a guest's definition", () => {
  it('holds its disks, devices and names', () => {
    const xml = domainXml(plan);
    expect(definedTargets(xml)).toEqual(['vda', 'vdc', 'vdb', 'hda']);
    expect(definedVolumes(xml).map(({ volumeId, target }) => [volumeId, target])).toEqual([['v1', 'vdb']]);
    expect(definedTaps(xml)).toEqual(['tap0123456789a']);
    expect(definedInterface(xml, 'FA:16:3E:00:00:0a')).toContain(nic.devname);
    expect(definedInterface(xml, 'fa:16:3e:00:00:0b')).toBeNull();
    expect(xml).toContain("<domain type='qemu'>");
    expect(xml).toContain("<host name='10.0.0.1' port='10809'/>");
  });

  it('takes names as text, whatever is in them', () => {
    const xml = domainXml(plan);
    expect(xml).not.toContain('<evil');
    expect(xml).toContain('&lt;/nova:name&gt;&lt;evil x=&apos;&quot;&amp;');
    expect(escaped('a\u0000b\u001b\ufffe\tc\n')).toBe('ab\tc\n');
  });

  it('reaches volumes through a socket, too, and refuses what it cannot use', () => {
    const connection = { driver_volume_type: 'nbd', data: { socket: '/s', access_mode: 'ro' } };
    const xml = volumeXml({ volumeId: 'v', target: 'vdb', bus: 'virtio', connection });
    expect(xml).toContain("<host transport='unix' socket='/s'/>");
    expect(xml).toContain('<readonly/>');
    expect(() =>
      volumeXml({ volumeId: 'v', target: 'vdb', bus: 'virtio', connection: { driver_volume_type: 'iscsi', data: {} } }),
    ).toThrow('Invalid volume: v');
  });

  it('gives disks the name that is asked for, or the next free one', () => {
    expect(freeTarget('/dev/vdc', ['vda'])).toBe('vdc');
    expect(freeTarget('/dev/sdb', ['vda', 'vdb'])).toBe('vdc');
    expect(freeTarget('auto', [])).toBe('vdb');
    expect(freeTarget('/dev/vdb', ['sdb'], 'scsi')).toBe('sdc');
    const all = [...'bcdefghijklmnopqrstuvwxyz'].map((letter) => `vd${letter}`);
    expect(() => freeTarget('/dev/vdb', all)).toThrow();
  });

  it("follows the image's properties", () => {
    const asked = hardwareOf({ hw_disk_bus: 'scsi', hw_vif_model: 'e1000', kernel_id: 'k' });
    expect(asked).toMatchObject({ diskBus: 'scsi', nicModel: 'e1000', kernelId: 'k', ramdiskId: null });
    const kernel = { file: '/i/kernel', ramdisk: '/i/ramdisk', commandLine: 'root=/dev/sda' };
    const xml = domainXml({ ...plan, ...asked, kernel });
    expect(xml).toContain("<target dev='sda' bus='scsi'/>");
    expect(xml).toContain("<controller type='scsi'");
    expect(xml).toContain("<model type='e1000'/>");
    expect(xml).toContain('<kernel>/i/kernel</kernel><initrd>/i/ramdisk</initrd><cmdline>root=/dev/sda</cmdline>');
    expect(() => hardwareOf({ hw_disk_bus: 'uml' })).toThrow("Requested hardware 'uml' is not supported");
  });

  it('boots a rescue from a disk besides all others', () => {
    const rescueDisk = { file: '/i/disk.rescue', target: 'hdb', bus: 'ide', device: 'cdrom' as const };
    const xml = domainXml({ ...plan, rescueDisk });
    expect(xml).not.toContain("<boot dev='hd'/>");
    expect(xml).toMatch(/device='cdrom'>.*disk\.rescue.*<target dev='hdb' bus='ide'\/><readonly\/><boot order='1'\/>/s);
    expect(xml).toContain("<target dev='vda' bus='virtio'/>");
    expect(domainXml(plan)).toContain("<boot dev='hd'/>");
  });
});
