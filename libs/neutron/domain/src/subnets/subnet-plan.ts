import {
  NeutronError,
  contains,
  formatCidr,
  formatIp,
  parseCidr,
  parseIp,
  type AllocationPool,
  type IpNetwork,
  type Ipv6Mode,
} from '@nestack/neutron/contract';

/** The prefix of a subnet; throws `InvalidInput` for what is none. */
export function networkOf(cidr: string): IpNetwork {
  const network = parseCidr(cidr);
  if (network === null) throw NeutronError.InvalidInput({ error_message: `'${cidr}' is not a valid IP subnet` });
  return network;
}

function refuse(message: string): never {
  throw NeutronError.InvalidInput({ error_message: message });
}

/** The prefix of a new subnet in its canonical form. upstream: neutron/db/db_base_plugin_v2.py _validate_subnet */
export function checkedPrefix(cidr: string, version: 4 | 6): IpNetwork {
  const network = networkOf(cidr);
  checkVersion(version, cidr, 'cidr');
  if (network.prefix === 0) return refuse('0 is not allowed as CIDR prefix length');
  if (version === 6 && network.first === 0n) return refuse("IPv6 subnet '::' is not supported");
  return { ...network, ip: network.first };
}

/** Whether a DHCP server could do anything with the prefix. */
export function checkDhcp(network: IpNetwork): void {
  if (network.prefix > (network.version === 4 ? 30 : 126))
    return refuse('Subnet has a prefix length that is incompatible with DHCP service enabled');
  const multicast = network.version === 4 ? network.first >> 28n === 0xen : network.first >> 120n === 0xffn;
  if (multicast) return refuse('Multicast IP subnet is not supported if enable_dhcp is True');
  const loopback = network.version === 4 ? network.first >> 24n === 127n : network.first === 1n;
  if (loopback) return refuse('Loopback IP subnet is not supported if enable_dhcp is True');
  if (network.version === 4 && network.first === 0n)
    refuse("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.");
}

/** Throws when an address or prefix is of the other family. */
export function checkVersion(version: 4 | 6, text: string, name: string): void {
  const found = parseIp(text)?.version ?? parseCidr(text)?.version;
  if (found !== version) refuse(`${name} '${text}' does not match the ip_version '${String(version)}'`);
}

/** The address that guests send to by default: the first of the prefix. */
export function defaultGateway(network: IpNetwork): string {
  return formatIp(network.version, network.first + (network.first === network.last ? 0n : 1n));
}

/** A gateway inside of the prefix must be an address of a host; one outside may be reachable all the same. */
export function checkGateway(network: IpNetwork, gateway: string): void {
  checkVersion(network.version, gateway, 'gateway_ip');
  const ip = parseIp(gateway);
  if (ip === null || network.version === 6 || !contains(network, ip)) return;
  if (ip.value === network.first || ip.value === network.last) refuse('Gateway is not valid on subnet');
}

/** All addresses of hosts but the gateway's. upstream: neutron/ipam/utils.py generate_pools */
export function defaultPools(network: IpNetwork, gateway: string | null): AllocationPool[] {
  const { version } = network;
  const text = (value: bigint): string => formatIp(version, value);
  if (network.first === network.last) return [{ start: text(network.first), end: text(network.last) }];
  const first = network.first + 1n;
  const last = version === 4 ? network.last - 1n : network.last;
  if (first >= last) return [];
  const hole = gateway === null ? null : parseIp(gateway);
  if (hole === null || hole.version !== version || hole.value < first || hole.value > last)
    return [{ start: text(first), end: text(last) }];
  const pools: AllocationPool[] = [];
  if (hole.value > first) pools.push({ start: text(first), end: text(hole.value - 1n) });
  if (hole.value < last) pools.push({ start: text(hole.value + 1n), end: text(last) });
  return pools;
}

const shown = (pool: AllocationPool): string => `${pool.start}-${pool.end}`;

interface Range {
  readonly pool: AllocationPool;
  readonly first: bigint;
  readonly last: bigint;
}

function rangeOf(pool: AllocationPool, version: 4 | 6): Range {
  const start = parseIp(pool.start);
  const end = parseIp(pool.end);
  if (start === null || end === null || start.version !== version || end.version !== version || end.value < start.value)
    throw NeutronError.InvalidAllocationPool({ pool: shown(pool) });
  return { pool, first: start.value, last: end.value };
}

/** Pools as a client wants them: inside of the prefix, apart from each other and from the gateway. Sorted as given. */
export function checkPools(network: IpNetwork, pools: readonly AllocationPool[], gateway: string | null): void {
  const ranges = pools.map((pool) => rangeOf(pool, network.version));
  const point = network.version === 4 ? network.prefix >= 31 : network.prefix >= 127;
  const first = point ? network.first : network.first + 1n;
  const last = point || network.version === 6 ? network.last : network.last - 1n;
  for (const range of ranges) {
    if (range.first < first || range.last > last)
      throw NeutronError.OutOfBoundsAllocationPool({ pool: shown(range.pool), subnet_cidr: formatCidr(network) });
  }
  const sorted = [...ranges].sort((a, b) => (a.first < b.first ? -1 : 1));
  for (const [index, range] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before !== undefined && range.first <= before.last)
      throw NeutronError.OverlappingAllocationPools({
        pool_1: shown(before.pool),
        pool_2: shown(range.pool),
        subnet_cidr: formatCidr(network),
      });
  }
  checkGatewayOutside(ranges, gateway);
}

function checkGatewayOutside(ranges: readonly Range[], gateway: string | null): void {
  const ip = gateway === null ? null : parseIp(gateway);
  if (ip === null) return;
  for (const range of ranges) {
    if (ip.value >= range.first && ip.value <= range.last)
      throw NeutronError.GatewayConflictWithAllocationPools({ pool: shown(range.pool), ip_address: gateway });
  }
}

/** Throws when a new gateway lies in one of the pools that stay. */
export function checkGatewayOutsidePools(
  network: IpNetwork,
  pools: readonly AllocationPool[],
  gateway: string | null,
): void {
  checkGatewayOutside(
    pools.map((pool) => rangeOf(pool, network.version)),
    gateway,
  );
}

/** How many addresses pools have, as a number that JSON can carry. */
export function poolSize(pools: readonly AllocationPool[]): number {
  return pools.reduce((sum, pool) => {
    const start = parseIp(pool.start);
    const end = parseIp(pool.end);
    return start === null || end === null ? sum : sum + Number(end.value - start.value + 1n);
  }, 0);
}

/** Whether guests make their own addresses in the subnet, by SLAAC. */
export function isAutoAddress(subnet: {
  readonly ipv6_address_mode: Ipv6Mode | null;
  readonly ipv6_ra_mode?: Ipv6Mode | null;
}): boolean {
  return subnet.ipv6_address_mode === 'slaac' || subnet.ipv6_address_mode === 'dhcpv6-stateless';
}

/** Modes are for IPv6, fit together, and SLAAC needs 64 bits of host. upstream: _validate_ipv6_attributes */
export function checkIpv6Modes(subnet: {
  readonly ip_version: 4 | 6;
  readonly enable_dhcp: boolean;
  readonly ipv6_ra_mode: Ipv6Mode | null;
  readonly ipv6_address_mode: Ipv6Mode | null;
  readonly network: IpNetwork;
}): void {
  const { ipv6_ra_mode: ra, ipv6_address_mode: address } = subnet;
  if (ra === null && address === null) return;
  if (subnet.ip_version === 4)
    return refuse(`${ra === null ? 'ipv6_address_mode' : 'ipv6_ra_mode'} is not valid when ip_version is 4`);
  if (!subnet.enable_dhcp)
    return refuse('ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False');
  if (ra !== null && address !== null && ra !== address)
    return refuse(
      `ipv6_ra_mode set to '${ra}' with ipv6_address_mode set to '${address}' is not valid. If both attributes are set, they must be the same value`,
    );
  const mode = address ?? ra;
  if ((mode === 'slaac' || mode === 'dhcpv6-stateless') && subnet.network.prefix !== 64)
    refuse('Invalid CIDR for IPv6 address mode. EUI-64 based addresses require the prefix length to be /64');
}
