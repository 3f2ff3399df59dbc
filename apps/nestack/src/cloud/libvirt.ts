import { cpSync, existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { tryRun, waitFor } from '@nestack/kernel/process';
import * as daemon from '@nestack/nova/drivers';
import type { ProcessSpec } from '../supervisor/protocol';
import type { Layout } from './layout';

/** Folder of one host's libvirt. */
function dirOf(layout: Layout, host: string): string {
  return path.join(layout.host(host), 'libvirt');
}

function capabilitiesOf(layout: Layout, host: string): string {
  return path.join(dirOf(layout, host), 'cache', 'qemu', 'capabilities');
}

/** The URI of one host's private libvirt. */
export function libvirtUri(layout: Layout, host: string): string {
  return daemon.libvirtUri(dirOf(layout, host));
}

/**
 * Prepares a libvirt daemon of one host's own: configuration, state and socket below the state directory, whatever the
 * machine itself has in /etc/libvirt. Hosts in a network namespace have theirs in it, so that their guests are, too.
 */
export async function prepareLibvirt(
  layout: Layout,
  options: { readonly host: string; readonly netns: string | null },
): Promise<ProcessSpec> {
  const dir = dirOf(layout, options.host);
  // What QEMU can do is found out once for all hosts of the machine; libvirt sees by itself when that has changed.
  const known = path.join(layout.root, 'hosts');
  const other = existsSync(known)
    ? readdirSync(known).find((host) => host !== options.host && existsSync(capabilitiesOf(layout, host)))
    : undefined;
  if (other !== undefined && !existsSync(capabilitiesOf(layout, options.host)))
    cpSync(capabilitiesOf(layout, other), capabilitiesOf(layout, options.host), { recursive: true });
  const become = await daemon.prepareLibvirtd(dir);
  const [command, ...args] =
    options.netns === null ? become : ['nsenter', `--net=/run/netns/${options.netns}`, '--', ...become];
  return {
    name: `libvirtd-${options.host}`,
    command: command ?? '',
    args,
    cwd: dir,
    env: process.env,
    graceMs: 20_000,
  };
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
  if (!existsSync(daemon.libvirtSocket(dirOf(layout, host)))) return 0;
  const uri = libvirtUri(layout, host);
  const guests = await guestsOf(uri, ['list', '--uuid']);
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
  if (!existsSync(daemon.libvirtSocket(dirOf(layout, host)))) return;
  const uri = libvirtUri(layout, host);
  for (const guest of await guestsOf(uri, ['list', '--all', '--uuid'])) {
    await virsh(uri, ['destroy', guest]);
    await virsh(uri, ['undefine', guest, '--managed-save', '--nvram', '--snapshots-metadata']);
  }
}

async function guestsOf(uri: string, list: readonly string[]): Promise<readonly string[]> {
  const listed = await virsh(uri, list);
  return listed.code === 0 ? listed.stdout.split('\n').filter((line) => line.trim() !== '') : [];
}

async function isOff(uri: string, guest: string): Promise<boolean> {
  const state = await virsh(uri, ['domstate', guest]);
  return state.code !== 0 || state.stdout.trim() === 'shut off';
}

function virsh(uri: string, args: readonly string[]): ReturnType<typeof tryRun> {
  return tryRun('virsh', ['-c', uri, ...args], { timeoutMs: 30_000, env: { ...process.env, LC_ALL: 'C' } });
}
