import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@nestack/kernel/log';
import { alive, startDaemon, stopPid, tryRun, waitFor } from '@nestack/kernel/process';
import { words } from '../vif/tap';

/** Linux' limit for the path of a unix socket, its end mark not counted. */
export const MAX_SOCKET_PATH = 107;

const START_MS = 60_000;

/** The user that libvirt's QEMU driver insists on, though guests run as root here. */
const QEMU_USER = { name: 'libvirt-qemu', id: 64_055 };

/**
 * Runs in a mount namespace of its own, with the folder as its only parameter: puts the folder's parts over the places
 * that libvirt has compiled in, and becomes the daemon.
 */
const BECOME_LIBVIRTD = `
set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
for pair in etc:/etc/libvirt lib:/var/lib/libvirt run:/run/libvirt cache:/var/cache/libvirt log:/var/log/libvirt; do
  mkdir -p "\${pair#*:}"
  mount --bind "$1/\${pair%%:*}" "\${pair#*:}"
done
mkdir -p /var/log/libvirt/qemu
exec libvirtd --config /etc/libvirt/libvirtd.conf --pid-file "$1/libvirtd.pid"
`;

const QEMU_CONF = [
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
].join('\n');

/** The libvirt URI of a daemon whose parts lie in a folder. */
export function libvirtUri(dir: string): string {
  return `qemu+unix:///system?socket=${encodeURI(socketOf(dir))}`;
}

/**
 * Ensures that a libvirt daemon of our own serves the folder's socket, in a network namespace or in ours (null). One that
 * answers is used as it is, whoever started it; guests outlive it.
 */
export async function ensureLibvirtd(dir: string, namespace: string | null, log: Logger): Promise<void> {
  if (socketOf(dir).length > MAX_SOCKET_PATH)
    throw new Error(`the path ${socketOf(dir)} is too long for a socket; use a shorter state directory`);
  if (await answers(dir)) return;
  const running = await pidOf(dir);
  if (running === null) await start(dir, namespace, log);
  await waitFor(`libvirtd in ${dir}`, () => answers(dir), START_MS, 200);
}

/** Ends a folder's libvirt daemon; its guests go on. */
export async function stopLibvirtd(dir: string): Promise<void> {
  const pid = await pidOf(dir);
  if (pid !== null) await stopPid(pid, { graceMs: 20_000 });
}

function socketOf(dir: string): string {
  return path.join(dir, 'run', 'libvirt-sock');
}

async function answers(dir: string): Promise<boolean> {
  if (!existsSync(socketOf(dir))) return false;
  const asked = await tryRun('virsh', ['-c', libvirtUri(dir), 'version'], { timeoutMs: 30_000 });
  return asked.code === 0;
}

async function start(dir: string, namespace: string | null, log: Logger): Promise<void> {
  await prepare(dir);
  const output = await open(path.join(dir, 'libvirtd.log'), 'a');
  try {
    const [command, ...args] = words(namespace, [
      'unshare',
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      BECOME_LIBVIRTD,
      'libvirtd',
      dir,
    ]);
    const child = await startDaemon(command, args, {
      cwd: dir,
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
      logFd: output.fd,
    });
    child.unref();
    log.info(null, 'libvirtd.started', { pid: child.pid, dir, namespace });
  } finally {
    await output.close();
  }
}

async function prepare(dir: string): Promise<void> {
  for (const part of ['etc', 'lib', 'run', 'cache', 'log/qemu']) await mkdir(path.join(dir, part), { recursive: true });
  await rm(path.join(dir, 'libvirtd.pid'), { force: true });
  const config = path.join(dir, 'etc', 'libvirtd.conf');
  if (!existsSync(config)) {
    const lines = [
      'unix_sock_group = "root"',
      'unix_sock_rw_perms = "0700"',
      'auth_unix_rw = "none"',
      'auth_unix_ro = "none"',
      'log_outputs = "3:stderr"',
      // Hosts on one machine must differ, or migrations between them are refused.
      `host_uuid = "${randomUUID()}"`,
      '',
    ];
    await writeFile(config, lines.join('\n'));
  }
  await writeFile(path.join(dir, 'etc', 'qemu.conf'), QEMU_CONF);
  const { name, id } = QEMU_USER;
  await withEntry('/etc/passwd', path.join(dir, 'passwd'), `${name}:x:${id}:${id}::/var/lib/libvirt:/usr/sbin/nologin`);
  await withEntry('/etc/group', path.join(dir, 'group'), `${name}:x:${id}:`);
}

async function withEntry(from: string, to: string, entry: string): Promise<void> {
  const text = await readFile(from, 'utf8');
  const known = text.split('\n').some((line) => line.startsWith(`${QEMU_USER.name}:`));
  await writeFile(to, known ? text : `${text.trimEnd()}\n${entry}\n`);
}

async function pidOf(dir: string): Promise<number | null> {
  const text = await readFile(path.join(dir, 'libvirtd.pid'), 'utf8').catch(() => '');
  const pid = Number(text.trim());
  if (!Number.isInteger(pid) || pid <= 0 || !alive(pid)) return null;
  // Another process may have got the number since.
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  return name.trim() === 'libvirtd' ? pid : null;
}
