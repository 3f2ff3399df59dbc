import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync, appendFileSync } from 'node:fs';
import path from 'node:path';
import { run, tryRun, waitFor } from '@nestack/kernel/process';
import type { ProcessSpec } from '../supervisor/protocol';
import { findProgram } from '../install/needs';
import type { Layout } from './layout';

/** Folders that libvirt has compiled in, and what stands for each inside a daemon's own mount namespace. */
const PRIVATE = { etc: '/etc/libvirt', lib: '/var/lib/libvirt', run: '/run/libvirt', cache: '/var/cache/libvirt' };

/** The user that libvirt's QEMU driver insists on, though guests run as root here. */
const QEMU_USER = { name: 'libvirt-qemu', id: 64_055 };

/** Folder of one host's libvirt. */
export function libvirtDir(layout: Layout, host: string): string {
  return path.join(layout.host(host), 'libvirt');
}

/** The URI of one host's private libvirt. */
export function libvirtUri(layout: Layout, host: string): string {
  return `qemu+unix:///system?socket=${path.join(libvirtDir(layout, host), 'run', 'libvirt-sock')}`;
}

/**
 * Prepares a libvirt daemon of one host's own: configuration, state and socket below the state directory, whatever the
 * machine itself has in /etc/libvirt. Hosts in a network namespace have theirs in it, so that their guests are, too.
 */
export function prepareLibvirt(
  layout: Layout,
  options: { readonly host: string; readonly hostUuid: string; readonly cli: string; readonly netns: string | null },
): ProcessSpec {
  const dir = libvirtDir(layout, options.host);
  for (const sub of Object.keys(PRIVATE)) mkdirSync(path.join(dir, sub), { recursive: true });
  for (const sub of ['log', 'qemu']) mkdirSync(path.join(dir, sub), { recursive: true });
  writeFileSync(
    path.join(dir, 'etc', 'libvirtd.conf'),
    [
      'unix_sock_group = "root"',
      'unix_sock_rw_perms = "0700"',
      'auth_unix_rw = "none"',
      'auth_unix_ro = "none"',
      'log_outputs = "3:stderr"',
      `host_uuid = "${options.hostUuid}"`,
      '',
    ].join('\n'),
  );
  writeFileSync(
    path.join(dir, 'etc', 'qemu.conf'),
    [
      'user = "root"',
      'group = "root"',
      'dynamic_ownership = 0',
      'remember_owner = 0',
      'security_driver = "none"',
      'namespaces = []',
      'cgroup_controllers = []',
      'clear_emulator_capabilities = 0',
      'stdio_handler = "file"',
      'vnc_listen = "127.0.0.1"',
      '',
    ].join('\n'),
  );
  for (const file of ['passwd', 'group']) copyFileSync(`/etc/${file}`, path.join(dir, file));
  if (!readFileSync(path.join(dir, 'passwd'), 'utf8').includes(`${QEMU_USER.name}:`)) {
    appendFileSync(
      path.join(dir, 'passwd'),
      `${QEMU_USER.name}:x:${QEMU_USER.id}:${QEMU_USER.id}::/var/lib/libvirt:/usr/sbin/nologin\n`,
    );
    appendFileSync(path.join(dir, 'group'), `${QEMU_USER.name}:x:${QEMU_USER.id}:\n`);
  }
  const inside = [
    'unshare',
    '--mount',
    '--propagation',
    'private',
    process.execPath,
    options.cli,
    'libvirtd',
    '--dir',
    dir,
  ];
  const [command, ...args] = options.netns === null ? inside : ['ip', 'netns', 'exec', options.netns, ...inside];
  return {
    name: `libvirtd-${options.host}`,
    command: command ?? '',
    args,
    cwd: dir,
    env: process.env,
    graceMs: 20_000,
  };
}

/**
 * Becomes libvirtd, inside the mount namespace that `prepareLibvirt` asks for: binds the private folders over libvirt's
 * own and replaces this process by the daemon. Does not return.
 */
export async function becomeLibvirtd(dir: string): Promise<never> {
  for (const file of ['passwd', 'group']) await run('mount', ['--bind', path.join(dir, file), `/etc/${file}`]);
  for (const [name, target] of Object.entries(PRIVATE)) {
    mkdirSync(target, { recursive: true });
    await run('mount', ['--bind', path.join(dir, name), target]);
  }
  mkdirSync('/var/log/libvirt/qemu', { recursive: true });
  const libvirtd = findProgram('libvirtd');
  if (libvirtd === null || process.execve === undefined) throw new Error('libvirtd cannot be started');
  const args = ['--config', '/etc/libvirt/libvirtd.conf', '--pid-file', path.join(dir, 'libvirtd.pid')];
  return process.execve(libvirtd, ['libvirtd', ...args], process.env as Record<string, string>);
}

/** Waits until a host's libvirt answers. */
export async function waitForLibvirt(layout: Layout, host: string): Promise<void> {
  const uri = libvirtUri(layout, host);
  await waitFor(`libvirt of ${host}`, async () => (await virsh(uri, ['version'])).code === 0, 60_000, 200);
}

/** How long guests may take to shut down on request, in milliseconds. */
const GUEST_GRACE_MS = 20_000;

/**
 * Shuts all guests of a host down, those that do not obey by force. Their disks and definitions stay: nova-compute starts
 * those again that shall run. Returns how many ran.
 */
export async function shutGuestsDown(layout: Layout, host: string): Promise<number> {
  if (!existsSync(path.join(libvirtDir(layout, host), 'run', 'libvirt-sock'))) return 0;
  const uri = libvirtUri(layout, host);
  const listed = await virsh(uri, ['list', '--uuid']);
  const guests = listed.code === 0 ? listed.stdout.split('\n').filter((line) => line.trim() !== '') : [];
  await Promise.all(
    guests.map(async (guest) => {
      await virsh(uri, ['shutdown', guest, '--mode', 'acpi']);
      await waitFor('the guest', () => isOff(uri, guest), GUEST_GRACE_MS, 500).catch(() =>
        virsh(uri, ['destroy', guest]),
      );
    }),
  );
  return guests.length;
}

/** Ends all guests of a host at once and forgets them. */
export async function removeGuests(layout: Layout, host: string): Promise<void> {
  const uri = libvirtUri(layout, host);
  const listed = await virsh(uri, ['list', '--all', '--uuid']);
  if (listed.code !== 0) return;
  for (const guest of listed.stdout.split('\n').filter((line) => line.trim() !== '')) {
    await virsh(uri, ['destroy', guest]);
    await virsh(uri, ['undefine', guest, '--managed-save', '--nvram', '--snapshots-metadata']);
  }
}

async function isOff(uri: string, guest: string): Promise<boolean> {
  const state = await virsh(uri, ['domstate', guest]);
  return state.code !== 0 || state.stdout.trim() === 'shut off';
}

function virsh(uri: string, args: readonly string[]): ReturnType<typeof tryRun> {
  return tryRun('virsh', ['-c', uri, ...args], { timeoutMs: 30_000, env: { ...process.env, LC_ALL: 'C' } });
}
