import { NeutronError, bitsOf, formatCidr, overlaps, type IpNetwork } from '@nestack/neutron/contract';
import { networkOf } from './subnet-plan';

/** Prefixes of one family as few as can be: those inside of others go, neighbours that make a larger one become it. */
export function compact(texts: readonly string[]): { readonly version: 4 | 6; readonly prefixes: string[] } {
  const networks = texts.map((text) => networkOf(text));
  const [first] = networks;
  if (first === undefined) throw NeutronError.EmptySubnetPoolPrefixList();
  if (networks.some((one) => one.version !== first.version)) throw NeutronError.PrefixVersionMismatch();
  const ranges = networks
    .map((one) => ({ first: one.first, last: one.last }))
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const merged: { first: bigint; last: bigint }[] = [];
  for (const range of ranges) {
    const before = merged.at(-1);
    if (before !== undefined && range.first <= before.last + 1n) {
      if (range.last > before.last) before.last = range.last;
    } else merged.push({ ...range });
  }
  return { version: first.version, prefixes: merged.flatMap((range) => cover(first.version, range)) };
}

/** The fewest prefixes that make up a range. */
function cover(version: 4 | 6, range: { readonly first: bigint; readonly last: bigint }): string[] {
  const found: string[] = [];
  const bits = bitsOf(version);
  let at = range.first;
  while (at <= range.last) {
    let free = 0;
    while (free < bits && at % (1n << BigInt(free + 1)) === 0n && at + (1n << BigInt(free + 1)) - 1n <= range.last)
      free += 1;
    const prefix = bits - free;
    const last = at + (1n << BigInt(free)) - 1n;
    found.push(formatCidr({ version, ip: at, prefix, first: at, last }));
    at = last + 1n;
  }
  return found;
}

/** Whether every prefix lies inside of one of the others. */
export function covers(outer: readonly string[], inner: readonly string[]): boolean {
  const around = outer.map((text) => networkOf(text));
  return inner.every((text) => {
    const one = networkOf(text);
    return around.some((other) => other.version === one.version && one.first >= other.first && one.last <= other.last);
  });
}

/** What is left of prefixes without some others. */
export function without(prefixes: readonly string[], gone: readonly string[]): string[] {
  let left = prefixes.map((text) => networkOf(text));
  for (const text of gone) {
    const hole = networkOf(text);
    left = left.flatMap((one) => cut(one, hole));
  }
  return left.map(formatCidr);
}

function cut(one: IpNetwork, hole: IpNetwork): IpNetwork[] {
  if (!overlaps(one, hole)) return [one];
  const parts: { first: bigint; last: bigint }[] = [];
  if (hole.first > one.first) parts.push({ first: one.first, last: hole.first - 1n });
  if (hole.last < one.last) parts.push({ first: hole.last + 1n, last: one.last });
  return parts.flatMap((part) => cover(one.version, part).map(networkOf));
}

export function anyOverlap(a: readonly string[], b: readonly string[]): boolean {
  return a.some((x) => b.some((y) => overlaps(networkOf(x), networkOf(y))));
}
