import type { RequestContext } from '@nestack/kernel/context';
import type { DeviceDetails, SecurityGroupInfo } from '@nestack/neutron/contract';
import type { FirewallDataplane } from '../ports';
import { KeyedQueue } from './keyed-queue';
import type { Plugin } from './plugin';

/** Groups that the ports of a host are in, and those that their rules refer to. */
export class SecurityGroups {
  private readonly known = new Map<string, SecurityGroupInfo>();
  private readonly loading = new Set<string>();
  /** One change after the other: what one reads must not be forgotten by another meanwhile. */
  private readonly queue = new KeyedQueue();

  constructor(
    private readonly plugin: Pick<Plugin, 'security_group_info_for_devices'>,
    private readonly firewall: FirewallDataplane,
  ) {}

  /** Of these groups the ones that matter on this host. */
  relevant(ids: readonly string[]): string[] {
    return ids.filter((id) => this.known.has(id) || this.loading.has(id));
  }

  /** Makes the port's groups known to the firewall. */
  async ensureFor(ctx: RequestContext, port: DeviceDetails): Promise<void> {
    if (port.security_groups.every((id) => this.known.has(id))) return;
    await this.inTurn(async () => {
      const missing = port.security_groups.filter((id) => !this.known.has(id));
      await this.take(await this.read(ctx, missing));
    });
  }

  /** Reads groups anew whose rules or members have changed. */
  refresh(ctx: RequestContext, ids: readonly string[]): Promise<void> {
    return this.inTurn(async () => {
      await this.take(
        await this.read(
          ctx,
          ids.filter((id) => this.known.has(id)),
        ),
      );
    });
  }

  /** Replaces everything that the firewall has by these ports and their groups. */
  replaceAll(ctx: RequestContext, ports: readonly DeviceDetails[]): Promise<void> {
    return this.inTurn(async () => {
      const before = new Map(this.known);
      this.known.clear();
      try {
        const groups = await this.read(ctx, [...new Set(ports.flatMap((port) => port.security_groups))]);
        await this.firewall.replaceAll(ports, groups);
        for (const group of groups) this.known.set(group.id, group);
      } catch (error) {
        for (const [id, group] of before) this.known.set(id, group);
        throw error;
      }
    });
  }

  /** Forgets groups that none of the ports needs. */
  forget(ports: () => Iterable<DeviceDetails>): Promise<void> {
    return this.inTurn(async () => {
      const needed = new Set<string>();
      for (const port of ports()) {
        for (const id of port.security_groups) {
          needed.add(id);
          for (const rule of this.known.get(id)?.rules ?? []) {
            if (rule.remote_group_id !== null) needed.add(rule.remote_group_id);
          }
        }
      }
      const idle = [...this.known.keys()].filter((id) => !needed.has(id));
      if (idle.length === 0) return;
      for (const id of idle) this.known.delete(id);
      await this.firewall.absentGroups(idle);
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.queue.run('', work);
  }

  private async take(groups: readonly SecurityGroupInfo[]): Promise<void> {
    if (groups.length === 0) return;
    for (const group of groups) this.known.set(group.id, group);
    await this.firewall.ensureGroups(groups);
  }

  /** These groups with those that their rules refer to; rules of the latter do not matter, but their members do. */
  private async read(ctx: RequestContext, ids: readonly string[]): Promise<SecurityGroupInfo[]> {
    if (ids.length === 0) return [];
    const first = await this.ask(ctx, ids);
    const referred = first.flatMap((group) => group.rules).flatMap((rule) => rule.remote_group_id ?? []);
    const more = [...new Set(referred)].filter((id) => !this.known.has(id) && !ids.includes(id));
    return more.length === 0 ? first : [...first, ...(await this.ask(ctx, more))];
  }

  private async ask(ctx: RequestContext, ids: readonly string[]): Promise<SecurityGroupInfo[]> {
    for (const id of ids) this.loading.add(id);
    try {
      return (await this.plugin.security_group_info_for_devices(ctx, { security_groups: [...ids] })).security_groups;
    } finally {
      for (const id of ids) this.loading.delete(id);
    }
  }
}
