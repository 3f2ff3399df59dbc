/** What each kind of tests needs of the machine: each function returns what is missing, in words. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Besides PATH: administrators' tools are often outside of a user's PATH. */
const MORE_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/lib/rabbitmq/bin'];

function has(command) {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), ...MORE_FOLDERS];
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, command), constants.X_OK);
      return true;
    } catch {
      // Not here; the next folder may have it.
      return false;
    }
  });
}

function missingCommands(packages) {
  return Object.entries(packages)
    .filter(([command]) => !has(command))
    .map(([command, name]) => `${command} is missing (Debian package ${name})`);
}

/** A private RabbitMQ, unless one is named. PostgreSQL comes with the npm packages. */
export function missingForIntegration() {
  if (process.env.NESTACK_TEST_AMQP_URL) return [];
  return missingCommands({ 'rabbitmq-server': 'rabbitmq-server' });
}

/** The above, and the real client. */
export function missingForE2e() {
  return [...missingForIntegration(), ...missingCommands({ openstack: 'python3-openstackclient' })];
}

/** A private RabbitMQ, and OpenStack's own tests. */
export function missingForConformance() {
  return [...missingForIntegration(), ...missingCommands({ tempest: 'tempest' })];
}

/** A private RabbitMQ, and Python for the package that sends the requests. */
export function missingForFuzz() {
  return [...missingForIntegration(), ...missingCommands({ python3: 'python3' })];
}

/** What end-to-end tests need, and a hypervisor, networking tools and the right to use them. */
export async function missingForGuests() {
  if (process.platform !== 'linux') return ['real guests need Linux'];
  const missing = [
    ...missingForE2e(),
    ...missingCommands({
      [process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64']: 'qemu-system',
      'qemu-img': 'qemu-utils',
      libvirtd: 'libvirt-daemon',
      dnsmasq: 'dnsmasq-base',
      nft: 'nftables',
      ip: 'iproute2',
      genisoimage: 'genisoimage',
      ping: 'iputils-ping',
      ssh: 'openssh-client',
    }),
  ];
  if (process.getuid?.() !== 0) missing.push('real guests need root');
  else if (!(await canMakeNamespaces())) missing.push('the kernel or container does not allow network namespaces');
  if (!existsSync('/dev/net/tun')) missing.push('/dev/net/tun is missing, so guests can have no network');
  return missing;
}

async function canMakeNamespaces() {
  try {
    await run('unshare', ['--net', 'true']);
    return true;
  } catch {
    // Whatever the reason, it does not work here.
    return false;
  }
}
