import { othersOn } from '../server-groups/group-policy';
import type { GroupPolicy } from '@nestack/nova/contract';
import { aggregateNumber, freeOf, type HostState, type SchedulingRequest } from './host-state';

/** Rates hosts; the best gets 1, the worst 0, times the multiplier. A negative multiplier turns the order round. */
export interface HostWeigher {
  readonly name: string;
  readonly multiplier: number;
  /** Key of an aggregate's metadata that has another multiplier for its hosts. */
  readonly override: string;
  /** Where the scale begins; with the worst of the hosts when it is absent. */
  readonly least?: number;
  /** Whether it rates what Placement sorts by: how much is free. */
  readonly free: boolean;
  weigh(host: HostState, request: SchedulingRequest): number;
}

export interface WeighedHost {
  readonly host: HostState;
  readonly weight: number;
}

/** Multipliers of the weighers; upstream's defaults: nova/conf/scheduler.py. */
const DEFAULTS = {
  ram: 1,
  cpu: 1,
  disk: 1,
  io_ops: -1,
  num_instances: 0,
  hypervisor_version: 1,
  soft_affinity: 1,
  soft_anti_affinity: 1,
};
export type WeightMultipliers = Readonly<Record<keyof typeof DEFAULTS, number>>;

/** Upstream's weighers. What is not given has upstream's multiplier. */
export function weighersWith(given: Partial<WeightMultipliers> = {}): readonly HostWeigher[] {
  const weigher = (
    name: string,
    key: keyof WeightMultipliers,
    weigh: HostWeigher['weigh'],
    more: { readonly least?: number; readonly free?: boolean } = {},
  ): HostWeigher => ({
    name,
    multiplier: given[key] ?? DEFAULTS[key],
    override: `${key}_weight_multiplier`,
    free: false,
    weigh,
    ...more,
  });
  const rest = { least: 0, free: true };
  return [
    weigher('RAMWeigher', 'ram', (host) => freeOf(host, 'MEMORY_MB'), rest),
    weigher('CPUWeigher', 'cpu', (host) => freeOf(host, 'VCPU'), rest),
    weigher('DiskWeigher', 'disk', (host) => freeOf(host, 'DISK_GB'), rest),
    weigher('IoOpsWeigher', 'io_ops', (host) => host.num_io_ops, { least: 0 }),
    weigher('NumInstancesWeigher', 'num_instances', (host) => host.num_instances),
    weigher('HypervisorVersionWeigher', 'hypervisor_version', (host) => host.facts.hypervisor_version),
    weigher('ServerGroupSoftAffinityWeigher', 'soft_affinity', (host, request) =>
      membersOn(host, request, 'soft-affinity'),
    ),
    weigher(
      'ServerGroupSoftAntiAffinityWeigher',
      'soft_anti_affinity',
      (host, request) => -membersOn(host, request, 'soft-anti-affinity'),
    ),
  ];
}

/** Other members of the server's group on a host, if it has this policy. */
function membersOn(host: HostState, { spec, group }: SchedulingRequest, policy: GroupPolicy): number {
  return group?.group.policy === policy ? othersOn(group, host.host, spec.instance_uuid) : 0;
}

/**
 * Hosts from the best to the worst. Hosts of equal weight come in random order, so that several schedulers do not run after
 * the same one; `random` answers a number from 0 up to 1. upstream: nova/weights.py
 */
export function weighHosts(
  hosts: readonly HostState[],
  weighers: readonly HostWeigher[],
  request: SchedulingRequest,
  random: () => number,
): readonly WeighedHost[] {
  const totals = hosts.map((host) => ({ host, weight: 0, draw: random() }));
  for (const weigher of weighers) {
    // An overcommitted host has less than nothing, which is below the scale.
    const raw = hosts.map((host) => Math.max(weigher.least ?? -Infinity, weigher.weigh(host, request)));
    const least = weigher.least ?? Math.min(...raw);
    const most = Math.max(...raw);
    if (most === least) continue;
    for (const [index, total] of totals.entries()) {
      const multiplier = aggregateNumber(total.host, weigher.override, weigher.multiplier);
      total.weight += (multiplier * ((raw[index] ?? 0) - least)) / (most - least);
    }
  }
  return totals.sort((a, b) => b.weight - a.weight || a.draw - b.draw).map(({ host, weight }) => ({ host, weight }));
}

/** The order in which hosts are tried: one of the `subset` best first, drawn, then all others as they were. */
export function orderOfTrial(
  weighed: readonly WeighedHost[],
  subset: number,
  random: () => number,
): readonly WeighedHost[] {
  const drawn = Math.floor(random() * Math.min(subset, weighed.length));
  const first = weighed[drawn];
  return first === undefined ? weighed : [first, ...weighed.filter((one) => one !== first)];
}
