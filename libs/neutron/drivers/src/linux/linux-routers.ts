import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@nestack/kernel/log';
import {
  bridgeName,
  gatewayDeviceName,
  routerDeviceName,
  routerNamespace,
  tapName,
  type RouterInfo,
  type RouterPort,
} from '@nestack/neutron/contract';
import type { RouterDataplane } from '@nestack/neutron/domain';
import { absentNamespace, ensureNamespace, NetworkNamespace } from './host';
import { haproxyConfig } from './haproxy-config';
import { ensureAddresses } from './host-network';
import { ensureRoutes, routesOf } from './router-routes';
import { METADATA_PORT, radvdConfig, routerRules, servesMetadata } from './router-rules';
import { SupervisedProcess } from './supervised-process';

const PROGRAMS = ['radvd', 'haproxy'] as const;
type Program = (typeof PROGRAMS)[number];

export interface LinuxRoutersOptions {
  readonly namespace: NetworkNamespace;
  readonly stateDir: string;
  /** Unix socket of the agent's metadata proxy. */
  readonly metadataSocket: string;
  readonly log: Logger;
}

/** One namespace per router: a leg in each of its networks, one outside, address translation by nftables, radvd for IPv6. */
export class LinuxRouters implements RouterDataplane {
  private readonly processes = new Map<string, SupervisedProcess>();

  constructor(private readonly options: LinuxRoutersOptions) {}

  async ensureRouter(router: RouterInfo): Promise<void> {
    if (!router.admin_state_up) return this.absentRouter(router.id);
    const ports = legsOf(router);
    const dir = this.dir(router.id);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const before = await this.knownPorts(router.id);
    await writeFile(path.join(dir, 'ports'), ports.map(({ port }) => port.id).join('\n'));
    const inside = await ensureNamespace(routerNamespace(router.id), this.options.log);
    await inside.sysctl('net.ipv4.ip_forward', '1');
    await inside.sysctl('net.ipv6.conf.all.forwarding', '1');
    for (const portId of before) if (!ports.some(({ port }) => port.id === portId)) await this.absentLeg(portId);
    // Translation first: nothing leaves under an inner address.
    await inside.nft(routerRules(router));
    for (const { port, device, outside } of ports) await this.ensureLeg(inside, router, port, device, outside);
    await ensureRoutes(inside, routesOf(router));
    await this.ensureRadvd(router, inside);
    await this.ensureMetadata(router, inside);
  }

  async absentRouter(routerId: string): Promise<void> {
    const namespace = new NetworkNamespace(routerNamespace(routerId), this.options.log);
    for (const name of PROGRAMS) {
      await this.process(routerId, name, namespace).stop();
      this.processes.delete(`${routerId} ${name}`);
    }
    for (const portId of await this.knownPorts(routerId)) await this.absentLeg(portId);
    await absentNamespace(routerNamespace(routerId), this.options.log);
    await rm(this.dir(routerId), { recursive: true, force: true });
  }

  async sweep(routerIds: ReadonlySet<string>): Promise<void> {
    for (const id of await readdir(path.join(this.options.stateDir, 'routers')).catch(() => [])) {
      if (!routerIds.has(id)) await this.absentRouter(id);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.processes.values()].map((one) => one.stop()));
    this.processes.clear();
  }

  /** The veth pair of a port: `tap…` in the network's bridge, `qr-…` or `qg-…` in the router. */
  private async ensureLeg(
    inside: NetworkNamespace,
    router: RouterInfo,
    port: RouterPort,
    device: string,
    outside: boolean,
  ): Promise<void> {
    const host = this.options.namespace;
    const root = new NetworkNamespace(null, this.options.log);
    const tap = tapName(port.id);
    const mtu = String(port.network.mtu);
    if ((await inside.link(device)) === null || (await host.link(tap)) === null) {
      if ((await host.link(tap)) !== null) await host.ip(['link', 'del', tap]);
      if ((await inside.link(device)) !== null) await inside.ip(['link', 'del', device]);
      await root.ip([
        ...['link', 'add', tap, ...(host.name === null ? [] : ['netns', host.name]), 'type', 'veth'],
        ...['peer', 'name', device, 'netns', inside.name ?? ''],
      ]);
      // The router itself does not take part in others' advertisements; neighbours hear of its addresses at once.
      await inside.sysctl(`net.ipv6.conf.${device}.accept_ra`, '0');
      await inside.sysctl(`net.ipv4.conf.${device}.arp_notify`, '1');
    }
    await inside.ip(['link', 'set', device, 'address', port.mac_address, 'mtu', mtu, 'up']);
    const state = port.network.admin_state_up ? 'up' : 'down';
    await host.ip([
      'link',
      'set',
      tap,
      'mtu',
      mtu,
      'addrgenmode',
      'none',
      'master',
      bridgeName(port.network.id),
      state,
    ]);
    const floating = outside
      ? [...router.floating_ips, ...(router.forwarding_ips ?? [])].map((ip) => `${ip.floating_ip_address}/32`)
      : [];
    await ensureAddresses(inside, device, [
      ...port.fixed_ips.map((ip) => `${ip.ip_address}/${ip.prefixlen}`),
      ...floating,
    ]);
  }

  private async absentLeg(portId: string): Promise<void> {
    const host = this.options.namespace;
    if (host.exists() && (await host.link(tapName(portId))) !== null)
      await host.try('ip', ['link', 'del', tapName(portId)]);
  }

  /** Router advertisements on the networks whose IPv6 subnets want them. */
  private async ensureRadvd(router: RouterInfo, inside: NetworkNamespace): Promise<void> {
    const process = this.process(router.id, 'radvd', inside);
    const text = radvdConfig(router);
    if (text === null) {
      await process.stop();
      return;
    }
    const file = path.join(this.dir(router.id), 'radvd.conf');
    const same = (await readFile(file, 'utf8').catch(() => '')) === text;
    await writeFile(file, text, { mode: 0o600 });
    const pid = path.join(this.dir(router.id), 'radvd.own-pid');
    const started = await process.ensure('radvd', ['-n', '-C', file, '-p', pid, '-m', 'stderr']);
    if (started === 'kept' && !same) process.signal('SIGHUP');
  }

  /** The way to the metadata service for guests that have none by DHCP. */
  private async ensureMetadata(router: RouterInfo, inside: NetworkNamespace): Promise<void> {
    const process = this.process(router.id, 'haproxy', inside);
    if (!servesMetadata(router)) {
      await process.stop();
      return;
    }
    const file = path.join(this.dir(router.id), 'haproxy.conf');
    await writeFile(file, haproxyConfig(`:${METADATA_PORT}`, { router: router.id }, this.options.metadataSocket), {
      mode: 0o600,
    });
    await process.ensure('haproxy', ['-db', '-f', file]);
  }

  private process(routerId: string, name: Program, namespace: NetworkNamespace): SupervisedProcess {
    const key = `${routerId} ${name}`;
    let process = this.processes.get(key);
    if (process === undefined) {
      process = new SupervisedProcess({ name, dir: this.dir(routerId), namespace, log: this.options.log });
      this.processes.set(key, process);
    }
    return process;
  }

  private async knownPorts(routerId: string): Promise<string[]> {
    const text = await readFile(path.join(this.dir(routerId), 'ports'), 'utf8').catch(() => '');
    return text.split('\n').filter((one) => one !== '');
  }

  private dir(routerId: string): string {
    return path.join(this.options.stateDir, 'routers', routerId);
  }
}

function legsOf(router: RouterInfo): { port: RouterPort; device: string; outside: boolean }[] {
  const { gateway_port: gateway, interfaces } = router;
  return [
    ...interfaces.map((port) => ({ port, device: routerDeviceName(port.id), outside: false })),
    ...(gateway === null ? [] : [{ port: gateway, device: gatewayDeviceName(gateway.id), outside: true }]),
  ];
}
