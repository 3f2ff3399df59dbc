import type { Logger } from '@nestack/kernel/log';
import type { NetworkNamespace } from './host';

const FAMILIES = [
  ['ip', 'iptables'],
  ['ip6', 'ip6tables'],
] as const;

/** Frames between ports of our bridges; whether they may pass is for our own tables to say. */
const RULE = ['-i', 'brq+', '-m', 'physdev', '--physdev-is-bridged', '-j', 'ACCEPT'];

/**
 * Docker and ufw drop by default what the host forwards, and with bridges calling the filters that is guests' traffic too. Where
 * it is so, bridged frames are let through to our own filters.
 */
export async function ensureBridgedForwarding(namespace: NetworkNamespace, log: Logger): Promise<void> {
  for (const [family, program] of FAMILIES) {
    const chain = await namespace.try('nft', ['list', 'chain', family, 'filter', 'FORWARD']);
    if (chain.code !== 0 || !/policy drop/.test(chain.stdout)) continue;
    if ((await namespace.try(program, ['-w', '-C', 'FORWARD', ...RULE])).code === 0) continue;
    const added = await namespace.try(program, ['-w', '-I', 'FORWARD', ...RULE]);
    if (added.code === 0) log.info(null, 'forward_policy.opened', { family });
    else log.warn(null, 'forward_policy.closed', { family, error: added.stderr.trim() });
  }
}

/** Takes the rule back. */
export async function absentBridgedForwarding(namespace: NetworkNamespace): Promise<void> {
  for (const [family, program] of FAMILIES) {
    const chain = await namespace.try('nft', ['list', 'chain', family, 'filter', 'FORWARD']);
    if (chain.code === 0 && chain.stdout.includes('brq'))
      await namespace.try(program, ['-w', '-D', 'FORWARD', ...RULE]);
  }
}
