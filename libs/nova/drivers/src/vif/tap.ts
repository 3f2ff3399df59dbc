import { existsSync } from 'node:fs';
import { run, tryRun, type RunResult } from '@nestack/kernel/process';

const TIMEOUT_MS = 20_000;

/**
 * Makes a guest's tap in a network namespace (null: ours), up, with its MTU; one that is there is kept. The network agent
 * wires it when it appears, so it is made before the guest.
 */
export async function ensureTap(namespace: string | null, name: string, mtu: number): Promise<void> {
  if ((await inside(namespace, ['ip', 'link', 'show', 'dev', name])).code !== 0) {
    const made = await inside(namespace, ['ip', 'tuntap', 'add', 'dev', name, 'mode', 'tap', 'vnet_hdr']);
    if (made.code !== 0 && (await inside(namespace, ['ip', 'link', 'show', 'dev', name])).code !== 0)
      throw new Error(`the tap ${name} cannot be made: ${made.stderr.trim()}`);
  }
  const [command, ...args] = words(namespace, ['ip', 'link', 'set', 'dev', name, 'mtu', String(mtu), 'up']);
  await run(command, args, { timeoutMs: TIMEOUT_MS });
}

/** Removes a guest's tap; none there is fine. */
export async function absentTap(namespace: string | null, name: string): Promise<void> {
  if (namespace !== null && !existsSync(`/run/netns/${namespace}`)) return;
  const removed = await inside(namespace, ['ip', 'link', 'delete', 'dev', name]);
  if (removed.code === 0) return;
  if ((await inside(namespace, ['ip', 'link', 'show', 'dev', name])).code === 0)
    throw new Error(`the tap ${name} cannot be removed: ${removed.stderr.trim()}`);
}

/** The words that run a command in a named network namespace. */
export function words(
  namespace: string | null,
  command: readonly [string, ...string[]],
): readonly [string, ...string[]] {
  return namespace === null ? command : ['nsenter', `--net=/run/netns/${namespace}`, '--', ...command];
}

function inside(namespace: string | null, command: readonly [string, ...string[]]): Promise<RunResult> {
  const [program, ...args] = words(namespace, command);
  return tryRun(program, args, { timeoutMs: TIMEOUT_MS });
}
