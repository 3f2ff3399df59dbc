import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@nestack/kernel/log';
import { waitFor } from '@nestack/kernel/process';
import { bridgeName, dhcpDeviceName, dhcpNamespace, tapName, type DhcpNetwork } from '@nestack/neutron/contract';
import type { DhcpDataplane } from '@nestack/neutron/domain';
import {
  dhcpSockets,
  dnsmasqArguments,
  hostsFile,
  METADATA_ADDRESS,
  namesFile,
  optionsFile,
  staleLeases,
  withoutLeases,
  type DnsmasqSettings,
  type Lease,
} from './dnsmasq-config';
import { absentNamespace, ensureNamespace, NetworkNamespace } from './host';
import { haproxyConfig } from './haproxy-config';
import { ensureAddresses } from './host-network';
import { SupervisedProcess } from './supervised-process';

export interface LinuxDhcpOptions {
  readonly namespace: NetworkNamespace;
  readonly stateDir: string;
  /** Unix socket of the agent's metadata proxy, which haproxy passes requests on to; null leaves metadata out. */
  readonly metadataSocket: string | null;
  readonly dnsmasq: DnsmasqSettings;
  readonly log: Logger;
}

/** How long dnsmasq may take to end released leases. */
const RELEASE_MS = 500;

interface Server {
  readonly dnsmasq: SupervisedProcess;
  readonly haproxy: SupervisedProcess;
}

/** A namespace per network with one dnsmasq, and haproxy on the metadata address. */
export class LinuxDhcp implements DhcpDataplane {
  private readonly servers = new Map<string, Server>();

  constructor(private readonly options: LinuxDhcpOptions) {}

  async ensureDhcp(network: DhcpNetwork): Promise<void> {
    const { id } = network.network;
    const dir = this.dir(id);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await writeFile(path.join(dir, 'port'), network.dhcp_port_id);
    const namespace = await ensureNamespace(dhcpNamespace(id), this.options.log);
    await this.ensureDevice(network, namespace);
    const server = this.server(id, namespace);
    await this.ensureDnsmasq(network, server.dnsmasq);
    if (this.options.metadataSocket !== null) await this.ensureHaproxy(id, server.haproxy, this.options.metadataSocket);
  }

  async ensurePorts(network: DhcpNetwork): Promise<void> {
    const server = this.servers.get(network.network.id);
    if (server === undefined) return this.ensureDhcp(network);
    return this.ensureDnsmasq(network, server.dnsmasq);
  }

  async absentDhcp(networkId: string): Promise<void> {
    const dir = this.dir(networkId);
    const namespace = new NetworkNamespace(dhcpNamespace(networkId), this.options.log);
    const server = this.server(networkId, namespace);
    await Promise.all([server.dnsmasq.stop(), server.haproxy.stop()]);
    this.servers.delete(networkId);
    const portId = await readFile(path.join(dir, 'port'), 'utf8').catch(() => null);
    const host = this.options.namespace;
    if (portId !== null && host.exists() && (await host.link(tapName(portId))) !== null) {
      await host.try('ip', ['link', 'del', tapName(portId)]);
    }
    // Another host of this machine may serve the network by now: then its device is in there.
    const left = namespace.exists() ? await namespace.links().catch(() => []) : [];
    if (!left.some((link) => link.ifname.startsWith('ns-'))) {
      await absentNamespace(dhcpNamespace(networkId), this.options.log);
    }
    await rm(dir, { recursive: true, force: true });
  }

  async sweep(networkIds: ReadonlySet<string>): Promise<void> {
    for (const networkId of await readdir(path.join(this.options.stateDir, 'dhcp')).catch(() => [])) {
      if (!networkIds.has(networkId)) await this.absentDhcp(networkId);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.servers.values()].flatMap((one) => [one.dnsmasq.stop(), one.haproxy.stop()]));
    this.servers.clear();
  }

  /** The veth pair: `tap…` in the network's bridge, `ns-…` in the namespace with the port's addresses. */
  private async ensureDevice(network: DhcpNetwork, inside: NetworkNamespace): Promise<void> {
    const host = this.options.namespace;
    const root = new NetworkNamespace(null, this.options.log);
    const port = network.ports.find((one) => one.id === network.dhcp_port_id);
    if (port === undefined) throw new Error(`the DHCP port of network ${network.network.id} is unknown`);
    const outer = tapName(port.id);
    const inner = dhcpDeviceName(port.id);
    const mtu = String(network.network.mtu);
    if ((await inside.link(inner)) === null || (await host.link(outer)) === null) {
      if ((await host.link(outer)) !== null) await host.ip(['link', 'del', outer]);
      if ((await inside.link(inner)) !== null) await inside.ip(['link', 'del', inner]);
      await root.ip([
        ...['link', 'add', outer, ...(host.name === null ? [] : ['netns', host.name]), 'type', 'veth'],
        ...['peer', 'name', inner, 'netns', inside.name ?? ''],
      ]);
    }
    await inside.ip(['link', 'set', inner, 'address', port.mac_address, 'mtu', mtu, 'up']);
    const outerState = network.network.admin_state_up ? 'up' : 'down';
    await host.ip([
      'link',
      'set',
      outer,
      'mtu',
      mtu,
      'addrgenmode',
      'none',
      'master',
      bridgeName(network.network.id),
      outerState,
    ]);
    const prefixes = new Map(network.subnets.map((one) => [one.id, one.cidr.split('/')[1] ?? '24']));
    await ensureAddresses(inside, inner, [
      ...port.fixed_ips.map((ip) => `${ip.ip_address}/${prefixes.get(ip.subnet_id) ?? '32'}`),
      `${METADATA_ADDRESS}/32`,
    ]);
  }

  private async ensureDnsmasq(network: DhcpNetwork, dnsmasq: SupervisedProcess): Promise<void> {
    const dir = this.dir(network.network.id);
    const { domain } = this.options.dnsmasq;
    const paths = {
      hosts: path.join(dir, 'host'),
      names: path.join(dir, 'addn_hosts'),
      options: path.join(dir, 'opts'),
      leases: path.join(dir, 'leases'),
    };
    await replaceFile(paths.hosts, hostsFile(network, domain));
    await replaceFile(paths.names, namesFile(network, domain));
    await replaceFile(paths.options, optionsFile(network));
    const outcome = await dnsmasq.ensure('dnsmasq', dnsmasqArguments(network, paths, this.options.dnsmasq));
    if (outcome === 'kept') dnsmasq.signal('SIGHUP');
    else await this.waitForDhcp(network, dnsmasq);
    if (await this.releaseLeases(network, paths.leases)) return;
    // What could not be released is struck out while nobody holds the file.
    const leases = await readFile(paths.leases, 'utf8').catch(() => '');
    await dnsmasq.stop();
    await replaceFile(paths.leases, withoutLeases(leases, staleLeases(leases, network)));
    await dnsmasq.ensure('dnsmasq', dnsmasqArguments(network, paths, this.options.dnsmasq));
    await this.waitForDhcp(network, dnsmasq);
  }

  /** Ends leases that ports have no more; false when some are left. */
  private async releaseLeases(network: DhcpNetwork, file: string): Promise<boolean> {
    const stale = async (): Promise<readonly Lease[]> =>
      staleLeases(await readFile(file, 'utf8').catch(() => ''), network);
    const found = await stale();
    if (found.length === 0) return true;
    const inside = new NetworkNamespace(dhcpNamespace(network.network.id), this.options.log);
    const device = dhcpDeviceName(network.dhcp_port_id);
    for (const { mac, address } of found) {
      if (!address.includes(':')) await inside.try('dhcp_release', [device, address, mac]);
    }
    const gone = async (): Promise<boolean> => (await stale()).length === 0;
    return waitFor('the leases to end', gone, RELEASE_MS, 10).then(
      () => true,
      () => false,
    );
  }

  /** A guest may ask as soon as its port is up: the server's sockets must be open by then. */
  private async waitForDhcp(network: DhcpNetwork, dnsmasq: SupervisedProcess): Promise<void> {
    const sockets = dhcpSockets(network);
    const listening = async (): Promise<boolean> => {
      const { pid } = dnsmasq;
      if (pid === null) return false;
      for (const { table, port } of sockets) {
        // The process' own network namespace; ports are hexadecimal.
        const open = new RegExp(` [0-9A-F]+:${port.toString(16).toUpperCase().padStart(4, '0')} `);
        if (!open.test(await readFile(`/proc/${pid}/net/${table}`, 'utf8'))) return false;
      }
      return true;
    };
    await waitFor('dnsmasq to listen', listening, 5000, 10).catch((error: unknown) => {
      this.options.log.warn(null, 'dnsmasq.slow', { network_id: network.network.id, error: String(error) });
    });
  }

  private async ensureHaproxy(networkId: string, haproxy: SupervisedProcess, socket: string): Promise<void> {
    const file = path.join(this.dir(networkId), 'haproxy.conf');
    await replaceFile(file, haproxyConfig(`${METADATA_ADDRESS}:80`, { network: networkId }, socket));
    await haproxy.ensure('haproxy', ['-db', '-f', file]);
  }

  private server(networkId: string, namespace: NetworkNamespace): Server {
    let server = this.servers.get(networkId);
    if (server === undefined) {
      const common = { dir: this.dir(networkId), namespace, log: this.options.log };
      server = {
        dnsmasq: new SupervisedProcess({ name: 'dnsmasq', ...common }),
        haproxy: new SupervisedProcess({ name: 'haproxy', ...common }),
      };
      this.servers.set(networkId, server);
    }
    return server;
  }

  private dir(networkId: string): string {
    return path.join(this.options.stateDir, 'dhcp', networkId);
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
