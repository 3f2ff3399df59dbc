import type { Logger } from '@nestack/kernel/log';
import type { DeviceDetails, SecurityGroupInfo } from '@nestack/neutron/contract';
import type { FirewallDataplane } from '@nestack/neutron/domain';
import {
  absentGroupScript,
  absentNetworkScript,
  absentPortScript,
  groupScript,
  networkScript,
  portScript,
  skeleton,
  zoneOf,
} from './firewall-rules';
import { endConnections, lostByGoing, lostByGroup, lostByLeaving, type Lost } from './conntrack';
import { ensureBridgedForwarding } from './forward-policy';
import type { NetworkNamespace } from './host';

const MOST_PORTS = 0x7fff;

interface Filtered {
  readonly port: DeviceDetails;
  readonly index: number;
}

/** Security groups and anti-spoofing with nftables; every change is one transaction of the kernel. */
export class NftFirewall implements FirewallDataplane {
  readonly filtering = true;
  private readonly ports = new Map<string, Filtered>();
  private readonly groups = new Map<string, SecurityGroupInfo>();
  private ready = false;
  private tail: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly namespace: NetworkNamespace,
    /** Name of the tables; differs between agents that share a namespace. */
    private readonly table: string,
    private readonly log: Logger,
  ) {}

  replaceAll(ports: readonly DeviceDetails[], groups: readonly SecurityGroupInfo[]): Promise<void> {
    return this.inTurn(async () => {
      await this.bridgesCallFilters();
      this.ports.clear();
      this.groups.clear();
      for (const group of groups) this.groups.set(group.id, group);
      const script = [skeleton(this.table), ...groups.map((group) => groupScript(this.table, group))];
      for (const port of ports) {
        if (!filtered(port)) continue;
        const index = this.freeIndex();
        this.ports.set(port.port_id, { port, index });
        script.push(...this.missingGroups(port), ...this.chains(port, index));
      }
      await this.namespace.nft(script.join(''));
      this.ready = true;
    });
  }

  ensurePort(port: DeviceDetails): Promise<void> {
    return this.inTurn(async () => {
      if (!filtered(port)) {
        await this.remove(port.port_id);
        return;
      }
      await this.begin();
      const before = this.ports.get(port.port_id);
      const index = before?.index ?? this.freeIndex();
      const script = [...this.missingGroups(port), ...this.chains(port, index)];
      await this.namespace.nft(script.join(''));
      this.ports.set(port.port_id, { port, index });
      if (before === undefined) return;
      await endConnections(this.namespace, this.table, lostByLeaving(port, this.groups, before.port));
    });
  }

  private chains(port: DeviceDetails, index: number): string[] {
    return [networkScript(this.table, port.network), portScript(this.table, port, this.groups, index)];
  }

  absentPort(portId: string): Promise<void> {
    return this.inTurn(() => this.remove(portId));
  }

  ensureGroups(groups: readonly SecurityGroupInfo[]): Promise<void> {
    return this.inTurn(async () => {
      if (groups.length === 0) return;
      await this.begin();
      const script: string[] = [];
      const touched = new Set<string>();
      const lost: Lost[] = [];
      for (const group of groups) {
        const before = this.groups.get(group.id);
        if (before !== undefined && JSON.stringify(before) === JSON.stringify(group)) continue;
        if (before !== undefined)
          for (const { port } of this.ports.values()) lost.push(...lostByGroup(port, this.groups, before, group));
        this.groups.set(group.id, group);
        script.push(groupScript(this.table, group));
        if (before !== undefined && JSON.stringify(before.rules) === JSON.stringify(group.rules)) continue;
        for (const { port } of this.ports.values())
          if (port.security_groups.includes(group.id)) touched.add(port.port_id);
      }
      for (const id of touched) {
        const one = this.ports.get(id);
        if (one === undefined) continue;
        script.push(...this.missingGroups(one.port), portScript(this.table, one.port, this.groups, one.index));
      }
      if (script.length > 0) await this.namespace.nft(script.join(''));
      await endConnections(this.namespace, this.table, lost);
    });
  }

  absentGroups(groupIds: readonly string[]): Promise<void> {
    return this.inTurn(async () => {
      const known = groupIds.filter((id) => this.groups.delete(id));
      if (known.length > 0) await this.namespace.nft(known.map((id) => absentGroupScript(this.table, id)).join(''));
    });
  }

  private async begin(): Promise<void> {
    if (this.ready) return;
    await this.bridgesCallFilters();
    await this.namespace.nft(skeleton(this.table));
    this.ready = true;
  }

  /** Bridged frames must reach the inet family. */
  private async bridgesCallFilters(): Promise<void> {
    for (const name of ['iptables', 'ip6tables']) {
      const setting = `net.bridge.bridge-nf-call-${name}`;
      const result = await this.namespace.try('sysctl', ['-n', setting]);
      if (result.code !== 0) {
        await this.namespace.try('modprobe', ['br_netfilter']);
        this.log.warn(null, 'br_netfilter.loaded', { setting, error: result.stderr.trim() });
      }
      if (result.stdout.trim() !== '1') await this.namespace.sysctl(setting, '1');
    }
    await ensureBridgedForwarding(this.namespace, this.log);
  }

  private async remove(portId: string): Promise<void> {
    const one = this.ports.get(portId);
    if (one === undefined) return;
    const others = [...this.ports.values()].filter((other) => other !== one).map((other) => other.port.network);
    const script = [absentPortScript(this.table, portId, one.port.device, one.index)];
    if (!others.some((network) => network.id === one.port.network.id)) {
      const zone = zoneOf(this.table, one.port.network);
      const shared = others.some((network) => zoneOf(this.table, network) === zone);
      script.push(absentNetworkScript(this.table, one.port.network, shared));
    }
    await this.namespace.nft(script.join(''));
    this.ports.delete(portId);
    await endConnections(this.namespace, this.table, lostByGoing(one.port));
  }

  /** Empty sets for groups that rules refer to and nobody has told of yet: their members are let in later. */
  private missingGroups(port: DeviceDetails): string[] {
    const wanted = new Set(
      port.security_groups
        .flatMap((id) => this.groups.get(id)?.rules ?? [])
        .flatMap((rule) => rule.remote_group_id ?? []),
    );
    return [...wanted]
      .filter((id) => !this.groups.has(id))
      .map((id) => {
        const empty = { id, rules: [], members: [] };
        this.groups.set(id, empty);
        return groupScript(this.table, empty);
      });
  }

  private freeIndex(): number {
    const used = new Set([...this.ports.values()].map((one) => one.index));
    for (let index = 1; index <= MOST_PORTS; index += 1) if (!used.has(index)) return index;
    throw new Error('too many filtered ports on this host');
  }

  /** One change after the other: each starts from the state that the one before left. */
  private inTurn<T>(change: () => Promise<T>): Promise<T> {
    const next = this.tail.then(change, change);
    this.tail = next.catch(() => undefined);
    return next;
  }
}

/** The services' own ports (DHCP, routers) are trusted. */
function filtered(port: DeviceDetails): boolean {
  return port.port_security_enabled && !port.device_owner.startsWith('network:');
}
