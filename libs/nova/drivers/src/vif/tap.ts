import { run, tryRun } from '@nestack/kernel/process';
import type { Nic } from '@nestack/nova/contract';

const TIMEOUT_MS = 20_000;

/**
 * Makes a guest's tap, up, with its MTU; one that is there is kept. The network agent wires it when it appears, so it is
 * made before the guest.
 */
async function ensureTap(name: string, mtu: number): Promise<void> {
  if (!(await exists(name))) {
    const made = await ip('tuntap', 'add', 'dev', name, 'mode', 'tap', 'vnet_hdr');
    if (made.code !== 0 && !(await exists(name)))
      throw new Error(`the tap ${name} cannot be made: ${made.stderr.trim()}`);
  }
  await run('ip', ['link', 'set', 'dev', name, 'mtu', String(mtu), 'up'], { timeoutMs: TIMEOUT_MS });
}

/** Makes the taps of a guest. */
export async function ensureTaps(nics: readonly Pick<Nic, 'devname' | 'mtu'>[]): Promise<void> {
  await Promise.all(nics.map((nic) => ensureTap(nic.devname, nic.mtu)));
}

/** Removes a guest's tap; none there is fine. */
export async function absentTap(name: string): Promise<void> {
  const removed = await ip('link', 'delete', 'dev', name);
  if (removed.code !== 0 && (await exists(name)))
    throw new Error(`the tap ${name} cannot be removed: ${removed.stderr.trim()}`);
}

async function exists(name: string): Promise<boolean> {
  return (await ip('link', 'show', 'dev', name)).code === 0;
}

function ip(...args: readonly string[]) {
  return tryRun('ip', args, { timeoutMs: TIMEOUT_MS });
}
