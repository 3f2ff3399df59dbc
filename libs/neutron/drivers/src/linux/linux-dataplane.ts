import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Logger } from '@nestack/kernel/log';
import type { Dataplane } from '@nestack/neutron/domain';
import { UnixMetadataProxy } from '../metadata/metadata-proxy';
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
    l2: new LinuxBridge({ namespace, stateDir, localIp: options.localIp, vxlanPort: options.vxlanPort, log }),
    firewall: new NftFirewall(namespace, options.table, log),
    dhcp: new LinuxDhcp({
      namespace,
      stateDir,
      metadataSocket: socket,
      dnsmasq: { domain: options.dnsDomain, servers: options.dnsServers },
      log,
    }),
    routers: new LinuxRouters({ namespace, stateDir, log }),
    metadata: new UnixMetadataProxy({ socket, ...options.metadata, log }),
  };
}

/** Paths of unix sockets end at 108 bytes on Linux: a longer one becomes a short one that is always the same. */
function socketPath(wanted: string): string {
  if (Buffer.byteLength(wanted) <= 100) return wanted;
  const digest = createHash('sha256').update(wanted).digest('hex').slice(0, 16);
  return path.join(tmpdir(), `nestack-metadata-${digest}.sock`);
}
