import { freeOf, type HostState } from './host-state';

/** Rates hosts; the best gets 1, the worst 0, times the multiplier. A negative multiplier stacks instead of spreading. */
export interface HostWeigher {
  readonly name: string;
  readonly multiplier: number;
  weigh(host: HostState): number;
}

export interface WeighedHost {
  readonly host: HostState;
  readonly weight: number;
}

export interface WeightMultipliers {
  readonly ram: number;
  readonly cpu: number;
  readonly disk: number;
}

/** Upstream's weighers that look at what is free. */
export function weighersWith(multipliers: WeightMultipliers): readonly HostWeigher[] {
  return [
    { name: 'RAMWeigher', multiplier: multipliers.ram, weigh: (host) => freeOf(host, 'MEMORY_MB') },
    { name: 'CPUWeigher', multiplier: multipliers.cpu, weigh: (host) => freeOf(host, 'VCPU') },
    { name: 'DiskWeigher', multiplier: multipliers.disk, weigh: (host) => freeOf(host, 'DISK_GB') },
  ];
}

/**
 * Hosts from the best to the worst. Hosts of equal weight come in random order, so that several schedulers do not run after
 * the same one; `random` answers a number from 0 up to 1. upstream: nova/weights.py
 */
export function weighHosts(
  hosts: readonly HostState[],
  weighers: readonly HostWeigher[],
  random: () => number,
): readonly WeighedHost[] {
  const totals = hosts.map((host) => ({ host, weight: 0, draw: random() }));
  for (const weigher of weighers) {
    const raw = hosts.map((host) => Math.max(0, weigher.weigh(host)));
    // Nothing is below zero, however overcommitted; the least is the scale's end all the same.
    const least = 0;
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
