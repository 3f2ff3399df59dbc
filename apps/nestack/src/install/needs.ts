import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import type { CloudSettings } from '../cloud/settings';

/** Something that the machine must have, beside Node.js and our npm packages. */
export interface Need {
  /** Debian package. */
  readonly package: string;
  /** Program that proves it is there, or (with a slash) one of these files. */
  readonly proof: string | readonly string[];
  readonly why: string;
  /** What works without it. */
  readonly without: string;
}

/** The settings that decide what is needed. */
export type Wishes = Pick<CloudSettings, 'virt' | 'net' | 'volume' | 'brokerUrl'> & {
  readonly client: boolean;
  readonly image: boolean;
};

/** Administrators' programs are often outside of PATH. */
const FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/lib/rabbitmq/bin'];

/** The path of a program, or null. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), ...FOLDERS];
  for (const folder of folders) {
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return null;
}

function libvirtDriver(): string[] {
  const triplets = ['x86_64-linux-gnu', 'aarch64-linux-gnu'];
  return [...triplets.map((triplet) => `/usr/lib/${triplet}`), '/usr/lib64', '/usr/lib'].map(
    (folder) => `${folder}/libvirt/connection-driver/libvirt_driver_qemu.so`,
  );
}

const NO_GUESTS = 'real guests need it; the same API works with simulated ones: --virt fake --net fake --volume fake';
const NO_NETWORK = 'real networks need it; the same API works with simulated ones: --net fake';

/** What a cloud with these settings needs of the machine. */
export function needsOf(wishes: Wishes): Need[] {
  const needs: Need[] = [];
  if (wishes.brokerUrl === null) {
    needs.push({
      package: 'rabbitmq-server',
      proof: ['/usr/lib/rabbitmq/bin/rabbitmq-server'],
      why: 'carries messages between the services (a private instance; the system service stays off)',
      without: 'name a RabbitMQ that runs elsewhere: --broker-url amqp://user:password@host:5672/',
    });
  }
  if (wishes.virt === 'libvirt') {
    needs.push(
      {
        // Guests are x86 machines wherever they run; on other processors they are emulated.
        package: 'qemu-system-x86',
        proof: 'qemu-system-x86_64',
        why: 'runs the guests',
        without: NO_GUESTS,
      },
      { package: 'qemu-utils', proof: 'qemu-img', why: "makes the guests' disks", without: NO_GUESTS },
      { package: 'libvirt-daemon', proof: 'libvirtd', why: 'manages the guests', without: NO_GUESTS },
      { package: 'libvirt-daemon-driver-qemu', proof: libvirtDriver(), why: 'manages the guests', without: NO_GUESTS },
      { package: 'libvirt-clients', proof: 'virsh', why: 'speaks with libvirt', without: NO_GUESTS },
      { package: 'genisoimage', proof: 'genisoimage', why: 'writes config drives', without: NO_GUESTS },
    );
  }
  if (wishes.volume === 'nbd') {
    const without = 'simulated volumes: --volume fake';
    needs.push({
      package: 'qemu-system-common',
      proof: 'qemu-storage-daemon',
      why: 'serves volumes to guests',
      without,
    });
    if (wishes.virt !== 'libvirt')
      needs.push({ package: 'qemu-utils', proof: 'qemu-img', why: 'makes and copies volumes', without });
  }
  if (wishes.net === 'linuxbridge') {
    needs.push(
      { package: 'iproute2', proof: 'ip', why: 'makes bridges, taps and tunnels', without: NO_NETWORK },
      { package: 'procps', proof: 'sysctl', why: 'makes bridges, taps and tunnels', without: NO_NETWORK },
      { package: 'dnsmasq-base', proof: 'dnsmasq', why: 'DHCP and DNS of each network', without: NO_NETWORK },
      {
        package: 'dnsmasq-utils',
        proof: 'dhcp_release',
        why: 'DHCP and DNS of each network',
        without: NO_NETWORK,
      },
      { package: 'haproxy', proof: 'haproxy', why: 'leads guests to the metadata service', without: NO_NETWORK },
      { package: 'radvd', proof: 'radvd', why: 'advertises IPv6 routers', without: NO_NETWORK },
      { package: 'conntrack', proof: 'conntrack', why: 'security groups and anti-spoofing', without: NO_NETWORK },
      { package: 'nftables', proof: 'nft', why: 'security groups and anti-spoofing', without: NO_NETWORK },
    );
  }
  if (wishes.image) needs.push(...imageNeeds());
  if (wishes.client) {
    needs.push({
      package: 'python3-openstackclient',
      proof: 'openstack',
      why: 'the openstack command',
      without: 'any other OpenStack client, with clouds.yaml or openrc',
    });
    if (wishes.virt === 'libvirt') {
      const without = 'guests can be met over their consoles';
      needs.push(
        { package: 'iputils-ping', proof: 'ping', why: 'asks guests whether they are there', without },
        { package: 'openssh-client', proof: 'ssh', why: 'opens a shell in a guest', without },
      );
    }
  }
  return needs;
}

/** What the builder of the guest image needs. */
function imageNeeds(): Need[] {
  const without = 'the cloud comes up without its small Linux image; upload one of your own';
  const why = 'builds the small Linux image from packages of the distribution';
  return [
    { package: 'cpio', proof: 'cpio', why, without },
    { package: 'syslinux', proof: 'syslinux', why, without },
    { package: 'mtools', proof: 'mcopy', why, without },
    { package: 'dosfstools', proof: 'mkfs.vfat', why, without },
    { package: 'fdisk', proof: 'sfdisk', why, without },
    { package: 'qemu-utils', proof: 'qemu-img', why, without },
  ];
}

/** What the tests of real networks need beside what a cloud needs. */
export function networkTestNeeds(): Need[] {
  const why = 'stands for the guest on a network: a DHCP client, ARP and HTTP';
  return [{ package: 'busybox', proof: 'busybox', why, without: 'everything else' }];
}

/** What `nestack conformance` needs. */
export function conformanceNeeds(): Need[] {
  const why = "OpenStack's own integration tests";
  return [{ package: 'tempest', proof: 'tempest', why, without: 'everything else' }];
}

/** What `nestack fuzz` needs. */
export function fuzzNeeds(): Need[] {
  const without = 'everything else';
  return [
    { package: 'python3', proof: ['/usr/bin/python3'], why: 'makes random requests', without },
    {
      package: 'python3-venv',
      // The package of the default version is empty but for its documentation.
      proof: ['/usr/share/doc/python3-venv'],
      why: 'keeps the packages that make random requests apart',
      without,
    },
  ];
}

/** Those that the machine does not have. */
export function missingOf(needs: readonly Need[]): Need[] {
  return needs.filter((need) =>
    typeof need.proof === 'string' ? findProgram(need.proof) === null : !need.proof.some((file) => existsSync(file)),
  );
}
