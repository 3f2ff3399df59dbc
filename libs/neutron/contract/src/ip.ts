/** Addresses and prefixes of both families as numbers: what calculations with subnets need. */

export interface IpAddress {
  readonly version: 4 | 6;
  readonly value: bigint;
}

export interface IpNetwork {
  readonly version: 4 | 6;
  /** The address as written, host bits included. */
  readonly ip: bigint;
  readonly prefix: number;
  /** The lowest and the highest address. */
  readonly first: bigint;
  readonly last: bigint;
}

export function bitsOf(version: 4 | 6): number {
  return version === 4 ? 32 : 128;
}

/** An address in its usual forms, or null. IPv4 parts must not have leading zeros, which some read as octal. */
export function parseIp(text: unknown): IpAddress | null {
  if (typeof text !== 'string') return null;
  if (text.includes(':')) {
    const value = parse6(text);
    return value === null ? null : { version: 6, value };
  }
  const value = parse4(text);
  return value === null ? null : { version: 4, value };
}

function parse4(text: string): bigint | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parse6(text: string): bigint | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const groups = (half: string | undefined): number[] | null => {
    if (half === undefined || half === '') return [];
    const found: number[] = [];
    const parts = half.split(':');
    for (const [index, part] of parts.entries()) {
      if (part.includes('.')) {
        const value = index === parts.length - 1 ? parse4(part) : null;
        if (value === null) return null;
        found.push(Number(value >> 16n), Number(value & 0xffffn));
      } else {
        if (!/^[0-9a-f]{1,4}$/i.test(part)) return null;
        found.push(Number.parseInt(part, 16));
      }
    }
    return found;
  };
  const head = groups(halves[0]);
  const tail = groups(halves[1]);
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const all = [...head, ...Array<number>(halves.length === 1 ? 0 : missing).fill(0), ...tail];
  return all.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** The canonical text of an address: IPv6 lower case with its longest run of zeros shortened. */
export function formatIp(version: 4 | 6, value: bigint): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
}

/** A prefix `address/length`, or null; a bare address is not one. */
export function parseCidr(text: unknown): IpNetwork | null {
  if (typeof text !== 'string') return null;
  const [address, length, rest] = text.split('/');
  const ip = parseIp(address);
  if (ip === null || length === undefined || rest !== undefined || !/^\d{1,3}$/.test(length)) return null;
  const prefix = Number(length);
  const bits = bitsOf(ip.version);
  if (prefix > bits) return null;
  const span = 1n << BigInt(bits - prefix);
  const first = ip.value - (ip.value % span);
  return { version: ip.version, ip: ip.value, prefix, first, last: first + span - 1n };
}

/** The prefix without host bits. */
export function formatCidr(network: IpNetwork): string {
  return `${formatIp(network.version, network.first)}/${String(network.prefix)}`;
}

export function contains(network: IpNetwork, ip: IpAddress): boolean {
  return network.version === ip.version && ip.value >= network.first && ip.value <= network.last;
}

export function overlaps(a: IpNetwork, b: IpNetwork): boolean {
  return a.version === b.version && a.first <= b.last && b.first <= a.last;
}

/** An address in its canonical text; what is no address stays as it is. */
export function canonicalIp(text: string): string {
  const ip = parseIp(text);
  return ip === null ? text : formatIp(ip.version, ip.value);
}

/** The address that a host with this MAC gives itself in a /64 prefix (modified EUI-64). */
export function eui64Address(network: IpNetwork, mac: string): string {
  const bytes = mac.split(/[:-]/).map((part) => Number.parseInt(part, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  const id = [a ^ 2, b, c, 0xff, 0xfe, d, e, f].reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  return formatIp(6, network.first + id);
}
