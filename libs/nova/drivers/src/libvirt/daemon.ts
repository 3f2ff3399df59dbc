import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import type { Logger } from '@nestack/kernel/log';
import { alive, startDaemon, stopPid, waitFor } from '@nestack/kernel/process';

/** Linux' limit for the path of a unix socket, its end mark not counted. */
export const MAX_SOCKET_PATH = 107;

const START_MS = 60_000;

/** The user that libvirt's QEMU driver insists on, though guests run as root here. */
const QEMU_USER = { name: 'libvirt-qemu', id: 64_055 };

/** A daemon's own folders, and the places of the machine that they stand for. */
const PARTS = {
  etc: '/etc/libvirt',
  lib: '/var/lib/libvirt',
  run: '/run/libvirt',
  cache: '/var/cache/libvirt',
  log: '/var/log/libvirt',
} as const;

/**
 * Runs in a mount namespace of its own, with the folder as its only parameter: puts the folder's parts over the places
 * that libvirt has compiled in, and becomes the daemon.
 */
const BECOME_LIBVIRTD = [
  'set -e',
  'for file in passwd group; do mount --bind "$1/$file" "/etc/$file"; done',
  ...Object.entries(PARTS).map(([part, place]) => `mkdir -p ${place}; mount --bind "$1/${part}" ${place}`),
  'PATH="$PATH:/usr/sbin:/sbin"',
  'exec libvirtd --config /etc/libvirt/libvirtd.conf --pid-file "$1/libvirtd.pid"',
].join('\n');

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

/**
 * Prepares a libvirt daemon of our own, whatever the machine itself has: settings, state, sockets and logs lie below the
 * folder. Answers the command that becomes it, to be run in the network namespace where its guests shall be.
 */
export async function prepareLibvirtd(dir: string): Promise<readonly [string, ...string[]]> {
  if (Buffer.byteLength(libvirtSocket(dir)) > MAX_SOCKET_PATH)
    throw new Error(`the path ${libvirtSocket(dir)} is too long for a socket; use a shorter state directory`);
  for (const part of Object.keys(PARTS)) await mkdir(path.join(dir, part), { recursive: true });
  await mkdir(path.join(dir, 'log', 'qemu'), { recursive: true });
  await writeFile(
    path.join(dir, 'etc', 'libvirtd.conf'),
    [
      'unix_sock_group = "root"',
      'unix_sock_rw_perms = "0700"',
      'auth_unix_rw = "none"',
      'auth_unix_ro = "none"',
      'max_client_requests = 20',
      'log_outputs = "3:stderr"',
      // Hosts on one machine must differ, or migrations between them are refused.
      `host_uuid = "${uuidOf(dir)}"`,
      '',
    ].join('\n'),
  );
  await writeFile(path.join(dir, 'etc', 'qemu.conf'), QEMU_CONF);
  const { name, id } = QEMU_USER;
  await withEntry('/etc/passwd', path.join(dir, 'passwd'), `${name}:x:${id}:${id}::/var/lib/libvirt:/usr/sbin/nologin`);
  await withEntry('/etc/group', path.join(dir, 'group'), `${name}:x:${id}:`);
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', BECOME_LIBVIRTD, 'libvirtd', dir];
}

/** The socket of a daemon whose parts lie in a folder. */
export function libvirtSocket(dir: string): string {
  return path.join(dir, 'run', 'libvirt-sock');
}

/** The libvirt URI of such a daemon. */
export function libvirtUri(dir: string): string {
  return `qemu+unix:///system?socket=${encodeURI(libvirtSocket(dir))}`;
}

/** The socket that a local libvirt URI names; the machine's own libvirt when it names none. */
export function socketOfUri(uri: string): string {
  const named = /[?&]socket=([^&]+)/.exec(uri)?.[1];
  return named === undefined ? '/run/libvirt/libvirt-sock' : decodeURI(named);
}

/** Where the daemon behind a socket writes QEMU's logs. */
export function qemuLogDir(socket: string): string {
  const own = path.join(path.dirname(path.dirname(socket)), 'log', 'qemu');
  return existsSync(own) ? own : '/var/log/libvirt/qemu';
}

/**
 * Ensures that a libvirt daemon of our own serves the folder's socket; answers its path. One that answers is used as it
 * is, whoever started it; guests outlive it.
 */
export async function ensureLibvirtd(dir: string, log: Logger): Promise<string> {
  const socket = libvirtSocket(dir);
  if (await accepts(socket)) return socket;
  if ((await pidOf(dir)) === null) await start(dir, log);
  await waitFor(`libvirtd in ${dir}`, () => accepts(socket), START_MS, 100);
  return socket;
}

/** Ends a folder's libvirt daemon; its guests go on. */
export async function stopLibvirtd(dir: string): Promise<void> {
  const pid = await pidOf(dir);
  if (pid !== null) await stopPid(pid, { graceMs: 20_000 });
}

function accepts(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const attempt = connect(socket);
    attempt.once('connect', () => {
      attempt.destroy();
      resolve(true);
    });
    attempt.once('error', () => resolve(false));
  });
}

async function start(dir: string, log: Logger): Promise<void> {
  const [command, ...args] = await prepareLibvirtd(dir);
  const output = await open(path.join(dir, 'libvirtd.log'), 'a');
  try {
    const child = await startDaemon(command, args, { cwd: dir, env: process.env, logFd: output.fd });
    child.unref();
    log.info(null, 'libvirtd.started', { pid: child.pid, dir });
  } finally {
    await output.close();
  }
}

/** The same folder has the same UUID. */
function uuidOf(dir: string): string {
  const hex = createHash('sha256').update(dir).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
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
