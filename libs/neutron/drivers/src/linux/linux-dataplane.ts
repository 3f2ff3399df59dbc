import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Logger } from '@nestack/kernel/log';
import { bridgeName } from '@nestack/neutron/contract';
import type { Dataplane } from '@nestack/neutron/domain';
import { UnixMetadataProxy } from '../metadata/metadata-proxy';
import { absentBridgedForwarding } from './forward-policy';
import { NetworkNamespace } from './host';
import { LinuxBridge } from './linux-bridge';
import { LinuxDhcp } from './linux-dhcp';
import { LinuxRouters } from './linux-routers';
import { NftFirewall } from './nft-firewall';

export interface LinuxDataplaneOptions {
  /** Network namespace of the compute host; null is the agent's own. */
  readonly namespace: string | null;
  readonly stateDir: string;
  readonly localIp: string | null;
  readonly vxlanPort: number;
  readonly bridgeMappings: Readonly<Record<string, string>>;
  /** Name of the nftables tables. */
  readonly table: string;
  readonly dnsDomain: string;
  readonly dnsServers: readonly string[];
  readonly metadata: { readonly novaHost: string; readonly novaPort: number; readonly sharedSecret: string };
  readonly log: Logger;
}

/** The real data plane of a Linux host. Needs root, iproute2, nftables, dnsmasq and haproxy. */
export function createLinuxDataplane(options: LinuxDataplaneOptions): Dataplane {
  const { log, stateDir } = options;
  const namespace = new NetworkNamespace(options.namespace, log);
  const socket = socketPath(path.join(stateDir, 'metadata.sock'));
  return {
    l2: new LinuxBridge({
      namespace,
      stateDir,
      localIp: options.localIp,
      vxlanPort: options.vxlanPort,
      bridgeMappings: options.bridgeMappings,
      log,
    }),
    firewall: new NftFirewall(namespace, options.table, log),
    dhcp: new LinuxDhcp({
      namespace,
      stateDir,
      metadataSocket: socket,
      dnsmasq: { domain: options.dnsDomain, servers: options.dnsServers },
      log,
    }),
    routers: new LinuxRouters({ namespace, stateDir, metadataSocket: socket, log }),
    metadata: new UnixMetadataProxy({ socket, ...options.metadata, log }),
  };
}

/** Takes away what an agent has made on its host, and guests' taps on its networks, guided by its state directory; the agent must have ended. */
export async function absentHostWires(
  options: Pick<LinuxDataplaneOptions, 'namespace' | 'stateDir' | 'table' | 'log'>,
): Promise<void> {
  const plane = createLinuxDataplane({
    ...options,
    localIp: null,
    vxlanPort: 0,
    bridgeMappings: {},
    dnsDomain: '',
    dnsServers: [],
    metadata: { novaHost: '', novaPort: 0, sharedSecret: '' },
  });
  await plane.routers.sweep(new Set());
  await plane.dhcp.sweep(new Set());
  const namespace = new NetworkNamespace(options.namespace, options.log);
  const taps = namespace.exists()
    ? (await namespace.links()).filter((link) => /^tap[0-9a-f]{8}-/.test(link.ifname))
    : [];
  for (const id of await plane.l2.networks()) {
    for (const tap of taps) if (tap.master === bridgeName(id)) await namespace.try('ip', ['link', 'del', tap.ifname]);
    await plane.l2.absentNetwork(id);
  }
  if (!namespace.exists()) return;
  await absentBridgedForwarding(namespace);
  for (const family of ['bridge', 'inet']) await namespace.try('nft', ['delete', 'table', family, options.table]);
}

/** Paths of unix sockets end at 108 bytes on Linux: a longer one becomes a short one that is always the same. */
function socketPath(wanted: string): string {
  if (Buffer.byteLength(wanted) <= 100) return wanted;
  const digest = createHash('sha256').update(wanted).digest('hex').slice(0, 16);
  return path.join(tmpdir(), `nestack-metadata-${digest}.sock`);
}
