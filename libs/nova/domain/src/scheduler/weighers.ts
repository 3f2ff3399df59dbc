import { othersOn } from '../server-groups/group-policy';
import type { GroupPolicy } from '@nestack/nova/contract';
import { freeOf, type HostState, type SchedulingRequest } from './host-state';

/** Rates hosts; the best gets 1, the worst 0, times the multiplier. A negative multiplier stacks instead of spreading. */
export interface HostWeigher {
  readonly name: string;
  readonly multiplier: number;
  /** Where the scale begins; with the worst of the hosts when it is absent. */
  readonly least?: number;
  weigh(host: HostState, request: SchedulingRequest): number;
}

export interface WeighedHost {
  readonly host: HostState;
  readonly weight: number;
}

export interface WeightMultipliers {
  readonly ram: number;
  readonly cpu: number;
  readonly disk: number;
  readonly soft_affinity: number;
  readonly soft_anti_affinity: number;
}

/** upstream: nova/conf/scheduler.py */
const DEFAULTS: WeightMultipliers = { ram: 1, cpu: 1, disk: 1, soft_affinity: 1, soft_anti_affinity: 1 };

/** Upstream's weighers: what is free, then what soft policies of server groups want. What is not given has upstream's multiplier. */
export function weighersWith(given: Partial<WeightMultipliers> = {}): readonly HostWeigher[] {
  const multipliers = { ...DEFAULTS, ...given };
  return [
    { name: 'RAMWeigher', multiplier: multipliers.ram, least: 0, weigh: (host) => freeOf(host, 'MEMORY_MB') },
    { name: 'CPUWeigher', multiplier: multipliers.cpu, least: 0, weigh: (host) => freeOf(host, 'VCPU') },
    { name: 'DiskWeigher', multiplier: multipliers.disk, least: 0, weigh: (host) => freeOf(host, 'DISK_GB') },
    {
      name: 'ServerGroupSoftAffinityWeigher',
      multiplier: multipliers.soft_affinity,
      weigh: (host, request) => membersOn(host, request, 'soft-affinity'),
    },
    {
      name: 'ServerGroupSoftAntiAffinityWeigher',
      multiplier: multipliers.soft_anti_affinity,
      weigh: (host, request) => -membersOn(host, request, 'soft-anti-affinity'),
    },
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
    for (const [index, total] of totals.entries())
      total.weight += (weigher.multiplier * ((raw[index] ?? 0) - least)) / (most - least);
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
