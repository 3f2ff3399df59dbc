import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@nestack/kernel/log';
import { bridgeName, vxlanName, type DeviceDetails, type NetworkInfo } from '@nestack/neutron/contract';
import type { DataplaneEvents, L2Dataplane } from '@nestack/neutron/domain';
import type { Link, NetworkNamespace } from './host';
import { LinkMonitor } from './link-monitor';

export interface LinuxBridgeOptions {
  readonly namespace: NetworkNamespace;
  /** Where the names of networks on this host are kept, so that leftovers are found after a crash. */
  readonly stateDir: string;
  /** This host's tunnel address; without one networks stay on the host. */
  readonly localIp: string | null;
  readonly vxlanPort: number;
  /** The host's own bridge onto each physical network that it has. */
  readonly bridgeMappings: Readonly<Record<string, string>>;
  readonly log: Logger;
}

/** Where frames go whose receiver is not known yet: one such entry per other host. */
const FLOOD = '00:00:00:00:00:00';

/** Linux bridges: one per network, with a VXLAN device to the other hosts and a tap per port. */
export class LinuxBridge implements L2Dataplane {
  private monitor: LinkMonitor | null = null;

  constructor(private readonly options: LinuxBridgeOptions) {}

  async start(events: DataplaneEvents): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    this.monitor = new LinkMonitor(this.options.namespace, this.options.log, events);
    await this.monitor.start();
  }

  async close(): Promise<void> {
    this.monitor?.close();
  }

  async devices(): Promise<readonly string[]> {
    const links = await this.options.namespace.links();
    return links.map((link) => link.ifname).filter((name) => /^tap[0-9a-f]{8}-[0-9a-f]{2}$/.test(name));
  }

  async ensureNetwork(network: NetworkInfo): Promise<void> {
    const { namespace, localIp, vxlanPort } = this.options;
    const bridge = bridgeName(network.id);
    const mtu = String(network.mtu);
    const state = network.admin_state_up ? 'up' : 'down';
    const vni = network.network_type === 'vxlan' ? network.segmentation_id : null;
    await mkdir(this.dir, { recursive: true });
    await writeFile(path.join(this.dir, network.id), '');
    const links = new Map((await namespace.links()).map((link) => [link.ifname, link]));
    const commands: string[][] = [];
    if (!links.has(bridge)) {
      commands.push(
        `link add name ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0 ageing_time 30000`.split(' '),
      );
    }
    const found = links.get(bridge);
    if (found === undefined || found.mtu !== network.mtu || isUp(found) !== network.admin_state_up) {
      commands.push(['link', 'set', bridge, 'mtu', mtu, 'addrgenmode', 'none', state]);
    }
    const tunnel = vni === null || localIp === null ? null : this.tunnelName(links, network.id, vni);
    if (tunnel !== null) {
      const present = links.get(tunnel);
      if (present !== undefined && present.linkinfo?.info_data?.['local'] !== localIp) {
        commands.push(['link', 'del', tunnel]);
        links.delete(tunnel);
      }
      if (!links.has(tunnel)) {
        commands.push(
          `link add ${tunnel} type vxlan id ${vni ?? 0} local ${localIp ?? ''} dstport ${vxlanPort} ttl 64`.split(' '),
        );
      }
      if (links.get(tunnel)?.master !== bridge || links.get(tunnel)?.mtu !== network.mtu) {
        commands.push(['link', 'set', tunnel, 'mtu', mtu, 'addrgenmode', 'none', 'master', bridge, 'up']);
      }
    }
    for (const command of commands) {
      const result = await namespace.try('ip', command);
      if (result.code !== 0 && !/File exists/.test(result.stderr)) {
        throw new Error(`ip ${command.join(' ')}: ${result.stderr.trim()}`);
      }
    }
    if (network.network_type === 'flat') await this.ensureUplink(network, links);
    if (tunnel !== null)
      await this.ensurePeers(tunnel, new Set(network.tunnel_endpoints.filter((ip) => ip !== localIp)));
  }

  /** The cable from the network's bridge to the host's own onto the physical network. */
  private async ensureUplink(network: NetworkInfo, links: ReadonlyMap<string, Link>): Promise<void> {
    const { namespace, bridgeMappings } = this.options;
    const physical = network.physical_network ?? '';
    const outside = bridgeMappings[physical];
    if (outside === undefined) throw new Error(`this host has no bridge onto the physical network '${physical}'`);
    const inner = uplinkName('pn', network.id);
    const outer = uplinkName('pb', network.id);
    const mtu = String(network.mtu);
    if (!links.has(inner)) await namespace.ip(['link', 'add', inner, 'type', 'veth', 'peer', 'name', outer]);
    await namespace.ip(
      ['link', 'set', inner, 'mtu', mtu, 'addrgenmode', 'none', 'master', bridgeName(network.id), 'up'],
      ['link', 'set', outer, 'mtu', mtu, 'addrgenmode', 'none', 'master', outside, 'up'],
    );
  }

  /** Another cloud on the same machine may have a tunnel of this number on its own UDP port. */
  private tunnelName(links: ReadonlyMap<string, Link>, networkId: string, vni: number): string {
    const present = links.get(vxlanName(vni))?.linkinfo?.info_data;
    return present === undefined || present['port'] === this.options.vxlanPort
      ? vxlanName(vni)
      : `vx-${networkId.slice(0, 11)}`;
  }

  /** Flooded frames go to each of the peers; further entries are learned. */
  private async ensurePeers(tunnel: string, peers: ReadonlySet<string>): Promise<void> {
    const { namespace } = this.options;
    const text = await namespace.run('bridge', ['-j', 'fdb', 'show', 'dev', tunnel]);
    const entries = (text.trim() === '' ? [] : JSON.parse(text)) as readonly { mac: string; dst?: string }[];
    const present = new Set(
      entries.filter((one) => one.mac === FLOOD && one.dst !== undefined).map((one) => one.dst ?? ''),
    );
    for (const peer of peers) {
      if (present.has(peer)) continue;
      await namespace.run('bridge', ['fdb', 'append', FLOOD, 'dev', tunnel, 'dst', peer]);
    }
    for (const peer of present) {
      if (!peers.has(peer)) await namespace.try('bridge', ['fdb', 'del', FLOOD, 'dev', tunnel, 'dst', peer]);
    }
  }

  async absentNetwork(networkId: string): Promise<void> {
    const { namespace } = this.options;
    const bridge = bridgeName(networkId);
    if (namespace.exists()) {
      const links = await namespace.links();
      for (const link of links) {
        const ours = link.linkinfo?.info_kind === 'vxlan' || link.ifname === uplinkName('pn', networkId);
        if (link.master === bridge && ours) await remove(namespace, link.ifname);
      }
      if (links.some((link) => link.ifname === bridge)) await remove(namespace, bridge);
    }
    await rm(path.join(this.dir, networkId), { force: true });
  }

  async ensurePort(port: DeviceDetails): Promise<boolean> {
    const { namespace } = this.options;
    const link = await namespace.link(port.device);
    if (link === null) return false;
    const bridge = bridgeName(port.network.id);
    const wrong = link.master !== bridge || link.mtu !== port.network.mtu || isUp(link) !== port.admin_state_up;
    if (wrong) {
      const result = await namespace.try('ip', [
        ...['link', 'set', port.device, 'master', bridge, 'mtu', String(port.network.mtu)],
        ...['addrgenmode', 'none', port.admin_state_up ? 'up' : 'down'],
      ]);
      if (result.code !== 0) {
        // The guest may have ended between the two looks.
        if ((await namespace.link(port.device)) === null) return false;
        throw new Error(`cannot put ${port.device} into ${bridge}: ${result.stderr.trim()}`);
      }
    }
    return true;
  }

  async absentPort(port: DeviceDetails): Promise<void> {
    const { namespace } = this.options;
    if (!namespace.exists()) return;
    const link = await namespace.link(port.device);
    if (link === null || link.master !== bridgeName(port.network.id)) return;
    const result = await namespace.try('ip', ['link', 'set', port.device, 'nomaster']);
    if (result.code !== 0 && (await namespace.link(port.device)) !== null) {
      throw new Error(`cannot take ${port.device} out of its bridge: ${result.stderr.trim()}`);
    }
  }

  networks(): Promise<readonly string[]> {
    return readdir(this.dir).catch(() => []);
  }

  private get dir(): string {
    return path.join(this.options.stateDir, 'networks');
  }
}

function uplinkName(end: 'pn' | 'pb', networkId: string): string {
  return `${end}-${networkId.slice(0, 11)}`;
}

function isUp(link: Link): boolean {
  return link.flags.includes('UP');
}

async function remove(namespace: NetworkNamespace, name: string): Promise<void> {
  const result = await namespace.try('ip', ['link', 'del', name]);
  if (result.code !== 0 && (await namespace.link(name)) !== null) {
    throw new Error(`cannot remove ${name}: ${result.stderr.trim()}`);
  }
}
