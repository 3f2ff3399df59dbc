import { createHash } from 'node:crypto';
import { run, tryRun } from '@nestack/kernel/process';
import type { Layout } from './layout';
import type { CloudSettings } from './settings';

/**
 * The network between the compute hosts of one machine: a bridge, and a namespace per further host, with one leg in the bridge and
 * one in the physical network of external networks.
 */
export interface Underlay {
  readonly bridge: string;
  /** Tells clouds on one machine apart. */
  readonly tag: string;
  readonly prefix: string;
  /** What stands for the physical network of external networks: a bridge of this name on each host; the controller is the next hop there. */
  readonly external: { readonly bridge: string; readonly cidr: string; readonly gateway: string };
  /** The namespace of a host, or null for the controller's own. */
  netns(host: string): string | null;
  /** A host's address, which its tunnels end at. */
  address(host: string): string;
}

/** The underlay of a cloud; names and addresses tell clouds on one machine apart. */
export function underlayOf(layout: Layout, settings: Pick<CloudSettings, 'hosts' | 'net'>): Underlay {
  const digest = createHash('sha256').update(layout.root).digest();
  const tag = digest.toString('hex').slice(0, 6);
  const prefix = `172.${16 + ((digest[3] ?? 0) % 15)}.${digest[4] ?? 0}`;
  const outside = `172.31.${digest[5] ?? 0}`;
  return {
    bridge: `nst${tag}`,
    tag,
    prefix,
    external: { bridge: `nsx${tag}`, cidr: `${outside}.0/24`, gateway: `${outside}.1` },
    // Simulated networks need no namespaces.
    netns: (host) => (host === settings.hosts[0] || settings.net === 'fake' ? null : `nestack-${tag}-${host}`),
    address: (host) => `${prefix}.${hostNumber(settings, host)}`,
  };
}

function hostNumber(settings: Pick<CloudSettings, 'hosts'>, host: string): number {
  const index = settings.hosts.indexOf(host);
  if (index < 0) throw new Error(`${host} is no host of this cloud`);
  return index + 1;
}

/** Makes what is missing of the underlay for all hosts. */
export async function ensureUnderlay(underlay: Underlay, hosts: readonly string[]): Promise<void> {
  const { bridge } = underlay;
  await ensureBridge(bridge);
  const [first] = hosts;
  if (first !== undefined) await run('ip', ['address', 'replace', `${underlay.address(first)}/24`, 'dev', bridge]);
  await ensureExternal(underlay);
  for (const host of hosts) {
    const netns = underlay.netns(host);
    if (netns !== null) await ensureHost(underlay, host, netns);
  }
}

/** Makes a bridge where it is missing, on the controller or in a host's namespace. */
async function ensureBridge(name: string, inside: readonly string[] = []): Promise<void> {
  if ((await tryRun('ip', [...inside, 'link', 'show', 'dev', name])).code !== 0) {
    await run('ip', [...inside, 'link', 'add', 'name', name, 'type', 'bridge']);
  }
  await run('ip', [...inside, 'link', 'set', name, 'up']);
}

/** The controller is the next hop of external networks, and leads what comes from there out under its own address. */
async function ensureExternal(underlay: Underlay): Promise<void> {
  const { bridge, cidr, gateway } = underlay.external;
  await ensureBridge(bridge);
  await run('ip', ['address', 'replace', `${gateway}/${cidr.split('/')[1] ?? '24'}`, 'dev', bridge]);
  await run('sysctl', ['-q', '-w', 'net.ipv4.ip_forward=1']);
  const table = externalTable(underlay);
  const rules = [
    `add table ip ${table}`,
    `delete table ip ${table}`,
    `table ip ${table} {`,
    '  chain outward { type nat hook postrouting priority 100; policy accept;',
    // Only what is routed: what bridges pass on goes through here as well.
    `    ip saddr ${cidr} oifname != "${bridge}" oifname != "brq*" masquerade; }`,
    '}',
    '',
  ];
  await run('nft', ['-f', '-'], { input: rules.join('\n') });
}

function externalTable(underlay: Underlay): string {
  return `nestack_${underlay.tag}`;
}

async function ensureHost(underlay: Underlay, host: string, netns: string): Promise<void> {
  const existing = (await run('ip', ['netns', 'list'])).split('\n').map((line) => line.split(' ')[0]);
  if (!existing.includes(netns)) await run('ip', ['netns', 'add', netns]);
  const inside = ['-n', netns];
  await run('ip', [...inside, 'link', 'set', 'lo', 'up']);
  const { bridge, external } = underlay;
  await ensureLeg(bridge, legName(underlay, bridge, host), netns, 'underlay');
  await run('ip', [...inside, 'address', 'replace', `${underlay.address(host)}/24`, 'dev', 'underlay']);
  await ensureBridge(external.bridge, inside);
  await ensureLeg(external.bridge, legName(underlay, external.bridge, host), netns, 'external');
  await run('ip', [...inside, 'link', 'set', 'external', 'master', external.bridge]);
}

/** A wire from a bridge of the controller into a namespace, where it has the name `end`. */
async function ensureLeg(bridge: string, outside: string, netns: string, end: string): Promise<void> {
  const inside = ['-n', netns];
  if ((await tryRun('ip', [...inside, 'link', 'show', 'dev', end])).code !== 0) {
    await tryRun('ip', ['link', 'delete', outside]);
    await run('ip', ['link', 'add', outside, 'type', 'veth', 'peer', 'name', end, 'netns', netns]);
    await run('ip', ['link', 'set', outside, 'master', bridge]);
  }
  await run('ip', ['link', 'set', outside, 'up']);
  await run('ip', [...inside, 'link', 'set', end, 'up']);
}

/** Interface names have 15 characters at most. */
function legName(underlay: Underlay, bridge: string, host: string): string {
  return `${bridge}-${underlay.address(host).split('.')[3] ?? '0'}`;
}

/** Removes one host's legs and namespace with all that is in it. */
export async function removeLeg(underlay: Underlay, host: string): Promise<void> {
  const netns = underlay.netns(host);
  if (netns === null) return;
  for (const bridge of [underlay.bridge, underlay.external.bridge])
    await tryRun('ip', ['link', 'delete', legName(underlay, bridge, host)]);
  await tryRun('ip', ['netns', 'delete', netns]);
}

/** Removes the underlay of all hosts. */
export async function removeUnderlay(underlay: Underlay, hosts: readonly string[]): Promise<void> {
  for (const host of hosts) await removeLeg(underlay, host);
  for (const bridge of [underlay.bridge, underlay.external.bridge]) await tryRun('ip', ['link', 'delete', bridge]);
  await tryRun('nft', ['delete', 'table', 'ip', externalTable(underlay)]);
}
