import { dhcpDeviceName, type DhcpNetwork, type DhcpPort, type SubnetInfo } from '@nestack/neutron/contract';

export const METADATA_ADDRESS = '169.254.169.254';
/** Seconds; upstream's default. */
const LEASE = 86_400;

export interface DnsmasqPaths {
  readonly hosts: string;
  readonly names: string;
  readonly options: string;
  readonly leases: string;
}

export interface DnsmasqSettings {
  readonly domain: string;
  /** Resolvers that guests' queries are passed on to. */
  readonly servers: readonly string[];
}

/** What DHCPv6 gives on a subnet: addresses, options alone, or nothing. Without any mode upstream gives addresses. */
function dhcpv6(subnet: SubnetInfo): 'addresses' | 'options' | null {
  const { ipv6_address_mode: mode, ipv6_ra_mode: ra } = subnet;
  if (mode === 'dhcpv6-stateful' || (mode === null && ra === null)) return 'addresses';
  return mode === 'dhcpv6-stateless' ? 'options' : null;
}

function served(network: DhcpNetwork): readonly SubnetInfo[] {
  return network.subnets.filter((one) => one.enable_dhcp && (one.ip_version === 4 || dhcpv6(one) !== null));
}

/** The sockets that dnsmasq opens for a network's subnets: the kernel's table of each, and its port. */
export function dhcpSockets(network: DhcpNetwork): { readonly table: 'udp' | 'udp6'; readonly port: number }[] {
  const versions = new Set(served(network).map((one) => one.ip_version));
  return [
    ...(versions.has(4) ? [{ table: 'udp' as const, port: 67 }] : []),
    ...(versions.has(6) ? [{ table: 'udp6' as const, port: 547 }] : []),
  ];
}

function prefixOf(cidr: string): number {
  return Number(cidr.split('/')[1]);
}

function netmask(prefix: number): string {
  const bits = prefix === 0 ? 0 : (0xffff_ffff << (32 - prefix)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
}

/** Dnsmasq's arguments; they change only with the network and its subnets, never with a port. */
export function dnsmasqArguments(network: DhcpNetwork, paths: DnsmasqPaths, settings: DnsmasqSettings): string[] {
  const device = dhcpDeviceName(network.dhcp_port_id);
  const ranges = served(network).flatMap((subnet) => {
    const tag = `set:subnet-${subnet.id}`;
    const [base = ''] = subnet.cidr.split('/');
    const size = subnet.ip_version === 4 ? netmask(prefixOf(subnet.cidr)) : String(prefixOf(subnet.cidr));
    return [`--dhcp-range=${tag},${base},static,${size},${LEASE}s`];
  });
  const most = served(network).reduce(
    (sum, one) => sum + (one.ip_version === 4 ? 2 ** (32 - prefixOf(one.cidr)) : 65_536),
    0,
  );
  return [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--no-hosts',
    '--no-resolv',
    '--no-poll',
    '--user=root',
    '--group=root',
    '--pid-file=',
    '--log-facility=-',
    '--bind-dynamic',
    '--except-interface=lo',
    `--interface=${device}`,
    `--dhcp-hostsfile=${paths.hosts}`,
    `--addn-hosts=${paths.names}`,
    `--dhcp-optsfile=${paths.options}`,
    `--dhcp-leasefile=${paths.leases}`,
    '--dhcp-match=set:ipxe,175',
    '--dhcp-authoritative',
    '--dhcp-broadcast=tag:broadcast',
    `--dhcp-lease-max=${Math.min(most, 16_777_216)}`,
    `--dhcp-option-force=option:mtu,${network.network.mtu}`,
    ...(settings.domain === '' ? [] : [`--domain=${settings.domain}`]),
    ...settings.servers.map((one) => `--server=${one}`),
    ...ranges,
  ];
}

/** The name that DHCP gives to an address: the port's own, or `host-10-0-0-5`. */
export function hostName(address: string, own = ''): string {
  if (own !== '') return own.split('.')[0] ?? own;
  return `host-${address.replaceAll(/[.:]+/g, '-').replace(/-$/, '')}`;
}

function addressesOf(network: DhcpNetwork): readonly { port: DhcpPort; address: string }[] {
  const subnets = new Set(
    served(network)
      .filter((one) => one.ip_version === 4 || dhcpv6(one) === 'addresses')
      .map((one) => one.id),
  );
  return network.ports
    .filter((port) => port.id !== network.dhcp_port_id)
    .flatMap((port) =>
      port.fixed_ips.filter((ip) => subnets.has(ip.subnet_id)).map((ip) => ({ port, address: ip.ip_address })),
    );
}

/** Who gets which address. */
export function hostsFile(network: DhcpNetwork, domain: string): string {
  return addressesOf(network)
    .map(({ port, address }) => {
      const name = `${hostName(address, port.dns_name)}${domain === '' ? '' : `.${domain}`}`;
      const tag = port.extra_dhcp_opts.length > 0 ? `,set:port-${port.id}` : '';
      return `${port.mac_address}${tag},${name},${address.includes(':') ? `[${address}]` : address}\n`;
    })
    .join('');
}

/** Names that dnsmasq resolves. */
export function namesFile(network: DhcpNetwork, domain: string): string {
  return addressesOf(network)
    .map(({ port, address }) => {
      const name = hostName(address, port.dns_name);
      return `${address}\t${domain === '' ? '' : `${name}.${domain} `}${name}\n`;
    })
    .join('');
}

/** Options per subnet and port: resolvers, routes (the metadata service's by way of the DHCP port), gateway. */
export function optionsFile(network: DhcpNetwork): string {
  const own = network.ports.find((port) => port.id === network.dhcp_port_id);
  const lines: string[] = [];
  for (const subnet of served(network)) {
    const tag = `tag:subnet-${subnet.id}`;
    const server = own?.fixed_ips.find((ip) => ip.subnet_id === subnet.id)?.ip_address;
    if (subnet.ip_version === 6) {
      const resolvers =
        subnet.dns_nameservers.length > 0 ? subnet.dns_nameservers : server === undefined ? [] : [server];
      if (resolvers.length > 0) lines.push(`${tag},option6:dns-server,${resolvers.map((one) => `[${one}]`).join(',')}`);
      continue;
    }
    const resolvers = subnet.dns_nameservers.length > 0 ? subnet.dns_nameservers : server === undefined ? [] : [server];
    if (resolvers.length === 1 && resolvers[0] === '0.0.0.0') lines.push(`${tag},option:dns-server`);
    else if (resolvers.length > 0) lines.push(`${tag},option:dns-server,${resolvers.join(',')}`);
    const routes = subnet.host_routes.map((one) => `${one.destination},${one.nexthop}`);
    const explicit = subnet.host_routes.find((one) => one.destination === '0.0.0.0/0')?.nexthop ?? null;
    const gateway = subnet.gateway_ip ?? explicit;
    if (server !== undefined && !subnet.host_routes.some((one) => one.destination === `${METADATA_ADDRESS}/32`)) {
      routes.push(`${METADATA_ADDRESS}/32,${server}`);
    }
    for (const other of network.subnets) {
      // Other subnets of the same network are on the link.
      if (gateway !== null && other.id !== subnet.id && other.ip_version === 4) routes.push(`${other.cidr},0.0.0.0`);
    }
    // A client that takes classless routes ignores the plain gateway (RFC 3442).
    if (gateway !== null && explicit === null) routes.push(`0.0.0.0/0,${gateway}`);
    if (routes.length > 0) {
      lines.push(`${tag},option:classless-static-route,${routes.join(',')}`);
      lines.push(`${tag},249,${routes.join(',')}`);
    }
    lines.push(gateway === null ? `${tag},option:router` : `${tag},option:router,${gateway}`);
  }
  for (const port of network.ports) {
    for (const option of port.extra_dhcp_opts) {
      const name = /^\d+$/.test(option.opt_name)
        ? option.opt_name
        : `option${option.ip_version === 6 ? '6' : ''}:${option.opt_name}`;
      lines.push(`tag:port-${port.id},${name},${option.opt_value ?? ''}`);
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

export interface Lease {
  readonly mac: string;
  readonly address: string;
}

/** Lines of the lease file: expiry, MAC (an association's number for IPv6), address, name, client id. */
function leaseOf(line: string): Lease | null {
  const [expiry = '', mac = '', address = ''] = line.split(' ');
  return /^\d+$/.test(expiry) && address !== '' ? { mac, address } : null;
}

/**
 * Leases that contradict the ports: of ports that are gone, or of addresses that another port has now. Dnsmasq would not give
 * an address to its new owner while the lease of the former one lasts.
 */
export function staleLeases(leases: string, network: DhcpNetwork): Lease[] {
  const owner = new Map(addressesOf(network).map(({ port, address }) => [address, port.mac_address.toLowerCase()]));
  return leases
    .split('\n')
    .flatMap((line) => leaseOf(line) ?? [])
    .filter(({ mac, address }) => {
      const expected = owner.get(address);
      return expected === undefined || (!address.includes(':') && expected !== mac.toLowerCase());
    });
}

/** The lease file without these. */
export function withoutLeases(leases: string, stale: readonly Lease[]): string {
  const gone = new Set(stale.map((one) => one.address));
  return leases
    .split('\n')
    .filter((line) => !gone.has(leaseOf(line)?.address ?? ''))
    .join('\n');
}
