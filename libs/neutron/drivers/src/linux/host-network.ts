import { createHash } from 'node:crypto';
import type { Logger } from '@nestack/kernel/log';
import { absentNamespace, ensureNamespace, NetworkNamespace } from './host';

/** The underlay's own MTU: VXLAN's 50 bytes come off for guests. */
const UNDERLAY_MTU = 1500;
/** The end of a host's underlay cable inside of its namespace. */
const UNDERLAY_DEVICE = 'underlay0';

export interface HostNetworkSpec {
  /** Name of the cloud; hosts of one cloud share an underlay. */
  readonly cloud: string;
  readonly host: string;
  /** The host's underlay address with its prefix length, `10.254.0.2/24`: one per host of the cloud. */
  readonly address: string;
}

export interface HostNetwork {
  /** Network namespace of the host. */
  readonly namespace: string;
  /** Tunnel address for the agent's `local_ip`. */
  readonly local_ip: string;
}

export function hostNamespace(cloud: string, host: string): string {
  return `nestack-${cloud}-${host}`;
}

/** The bridge that connects the hosts of a cloud on this machine; 15 characters at most. */
export function underlayBridge(cloud: string): string {
  return `nsul-${digest(cloud)}`;
}

function cable(cloud: string, host: string): string {
  return `nsv-${digest(`${cloud}/${host}`)}`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

/** The bridge between the hosts; `address` is this machine's own place on it, for an agent without a namespace. */
export async function ensureUnderlay(cloud: string, address: string | null, log: Logger): Promise<string> {
  const root = new NetworkNamespace(null, log);
  const bridge = underlayBridge(cloud);
  if ((await root.link(bridge)) === null) {
    await root.ip(['link', 'add', 'name', bridge, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0']);
  }
  await root.ip(['link', 'set', bridge, 'mtu', String(UNDERLAY_MTU), 'addrgenmode', 'none', 'up']);
  if (address !== null) await ensureAddresses(root, bridge, [address]);
  return bridge;
}

/** A compute host on this machine: a network namespace with a cable to the cloud's underlay. May be repeated. */
export async function ensureHostNetwork(spec: HostNetworkSpec, log: Logger): Promise<HostNetwork> {
  const root = new NetworkNamespace(null, log);
  const bridge = await ensureUnderlay(spec.cloud, null, log);
  const name = hostNamespace(spec.cloud, spec.host);
  const namespace = await ensureNamespace(name, log);
  const outer = cable(spec.cloud, spec.host);
  if ((await namespace.link(UNDERLAY_DEVICE)) === null) {
    if ((await root.link(outer)) !== null) await root.ip(['link', 'del', outer]);
    await root.ip(['link', 'add', outer, 'type', 'veth', 'peer', 'name', UNDERLAY_DEVICE, 'netns', name]);
  }
  await root.ip(['link', 'set', outer, 'master', bridge, 'mtu', String(UNDERLAY_MTU), 'addrgenmode', 'none', 'up']);
  await namespace.ip(['link', 'set', UNDERLAY_DEVICE, 'mtu', String(UNDERLAY_MTU), 'up']);
  await ensureAddresses(namespace, UNDERLAY_DEVICE, [spec.address]);
  return { namespace: name, local_ip: spec.address.split('/')[0] ?? spec.address };
}

/** Removes a compute host's namespace and cable; the processes in it must have ended. */
export async function absentHostNetwork(cloud: string, host: string, log: Logger): Promise<void> {
  await absentNamespace(hostNamespace(cloud, host), log);
  const root = new NetworkNamespace(null, log);
  const outer = cable(cloud, host);
  // The kernel takes it away with the namespace, a little later.
  await root.try('ip', ['link', 'del', outer]);
}

/** Removes the bridge between the hosts of a cloud. */
export async function absentUnderlay(cloud: string, log: Logger): Promise<void> {
  const root = new NetworkNamespace(null, log);
  const bridge = underlayBridge(cloud);
  if ((await root.link(bridge)) !== null) await root.ip(['link', 'del', bridge]);
}

/** Gives the device these addresses (with prefix lengths) and takes other global ones away. */
export async function ensureAddresses(
  namespace: NetworkNamespace,
  device: string,
  wanted: readonly string[],
): Promise<void> {
  const present = (await namespace.addresses(device)).filter((one) => !one.local.startsWith('fe80:'));
  const known = new Set(present.map((one) => `${one.local}/${one.prefixlen}`));
  const commands: string[][] = [];
  for (const one of known) if (!wanted.includes(one)) commands.push(['addr', 'del', one, 'dev', device]);
  for (const one of wanted) {
    if (!known.has(one)) commands.push(['addr', 'add', one, 'dev', device, ...(one.includes(':') ? ['nodad'] : [])]);
  }
  await namespace.ip(...commands);
}
