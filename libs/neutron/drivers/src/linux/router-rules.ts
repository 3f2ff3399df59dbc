import {
  gatewayDeviceName,
  routerDeviceName,
  type RouterForwardingIp,
  type RouterInfo,
  type RouterPort,
} from '@nestack/neutron/contract';
import { METADATA_ADDRESS } from './dnsmasq-config';

/** Marks what came in from outside. */
const FROM_OUTSIDE = '0x2';
const TABLE = 'router';
/** Where a router's metadata proxy listens. */
export const METADATA_PORT = 9697;

/** Only what was redirected comes through: the proxy is nobody else's. */
const PROXY_GUARD = [`tcp dport ${METADATA_PORT} ct status dnat accept`, `tcp dport ${METADATA_PORT} drop`];

/** Whether guests behind the router have no DHCP server that could lead them to the metadata service. */
export function servesMetadata(router: RouterInfo): boolean {
  return router.interfaces.some((port) => port.subnets.some((one) => one.ip_version === 4 && !one.enable_dhcp));
}

/**
 * A router's address translation, replacing what was there: floating IPs both ways, everything else under the gateway's own
 * address. What one guest sends to another's floating IP comes back through the router as well.
 */
export function routerRules(router: RouterInfo): string {
  const { gateway_port: gateway } = router;
  const address = gateway?.fixed_ips.find((ip) => !ip.ip_address.includes(':'))?.ip_address;
  const head = `add table ip ${TABLE}\ndelete table ip ${TABLE}\n`;
  const outside = gateway === null || address === undefined ? null : `"${gatewayDeviceName(gateway.id)}"`;
  const metadata = servesMetadata(router)
    ? [`iifname "qr-*" ip daddr ${METADATA_ADDRESS} tcp dport 80 redirect to :${METADATA_PORT}`]
    : [];
  const inward = outside === null ? [] : inwardRules(router);
  const outward = outside === null || address === undefined ? [] : outwardRules(router, outside, address);
  const chain = (rules: readonly string[]): string => rules.map((one) => `${one}; `).join('');
  return `${head}table ip ${TABLE} {
  chain marks { type filter hook prerouting priority -150; policy accept; ${
    outside === null ? '' : `iifname ${outside} meta mark set ${FROM_OUTSIDE}; `
  }}
  chain guard { type filter hook input priority 0; policy accept; ${chain(PROXY_GUARD)}}
  chain inward { type nat hook prerouting priority -100; policy accept; ${chain([...metadata, ...inward])}}
  chain own { type nat hook output priority -100; policy accept; ${chain(inward)}}
  chain outward { type nat hook postrouting priority 100; policy accept; ${chain(outward)}}
}
`;
}

function map(pairs: readonly (readonly [string, string])[]): string {
  return `{ ${pairs.map(([from, to]) => `${from} : ${to}`).join(', ')} }`;
}

function inwardRules({ floating_ips: floating, forwarding_ips: forwarding = [] }: RouterInfo): string[] {
  const single = forwarding.flatMap((ip) => ip.forwardings.map((one) => forwardingRule(ip.floating_ip_address, one)));
  if (floating.length === 0) return single;
  return [
    ...single,
    `dnat to ip daddr map ${map(floating.map((ip) => [ip.floating_ip_address, ip.fixed_ip_address]))}`,
  ];
}

/** One port forwarding: ports keep their order in a range, or all lead to one. */
function forwardingRule(address: string, one: RouterForwardingIp['forwardings'][number]): string {
  const { protocol, external_ports: outer, internal_ports: inner, internal_ip_address: target } = one;
  const [first, last] = outer;
  const match = `ip daddr ${address} ${protocol} dport ${first === last ? String(first) : `${first}-${last}`}`;
  if (inner[0] === inner[1]) return `${match} dnat to ${target}:${inner[0]}`;
  const shift = inner[0] - first;
  if (shift === 0) return `${match} dnat to ${target}`;
  const ports = Array.from(
    { length: last - first + 1 },
    (_, at) => [`${first + at}`, `${first + at + shift}`] as const,
  );
  return `${match} dnat to ${target} : ${protocol} dport map ${map(ports)}`;
}

function outwardRules(
  { floating_ips: floating, enable_snat: snat }: RouterInfo,
  outside: string,
  own: string,
): string[] {
  const addresses = map(floating.map((ip) => [ip.fixed_ip_address, ip.floating_ip_address]));
  return [
    // Between the router's own networks nothing is translated, save what was sent to a floating IP.
    `oifname != ${outside} ct status dnat meta mark != ${FROM_OUTSIDE} snat to ${own}`,
    ...(floating.length === 0 ? [] : [`oifname ${outside} snat to ip saddr map ${addresses}`]),
    ...(snat ? [`oifname ${outside} snat to ${own}`] : []),
  ];
}

/** Settings of radvd for the router's IPv6 subnets, or null when none wants advertisements. */
export function radvdConfig(router: RouterInfo): string | null {
  const parts = router.interfaces.flatMap((port) => interfaceConfig(port));
  return parts.length === 0 ? null : parts.join('');
}

function interfaceConfig(port: RouterPort): string[] {
  const subnets = port.subnets.filter((one) => one.ip_version === 6 && one.ipv6_ra_mode !== null);
  if (subnets.length === 0) return [];
  const modes = new Set(subnets.map((one) => one.ipv6_ra_mode));
  const resolvers = subnets.flatMap((one) => one.dns_nameservers.filter((address) => address.includes(':')));
  const flags = [
    ...(modes.has('dhcpv6-stateful') ? ['AdvManagedFlag on;'] : []),
    ...(modes.has('dhcpv6-stateless') ? ['AdvOtherConfigFlag on;'] : []),
  ];
  const prefixes = subnets.map(
    (one) =>
      `  prefix ${one.cidr} { AdvOnLink on; AdvAutonomous ${one.ipv6_ra_mode === 'dhcpv6-stateful' ? 'off' : 'on'}; };`,
  );
  return [
    `interface ${routerDeviceName(port.id)} {
  AdvSendAdvert on;
  MinRtrAdvInterval 30;
  MaxRtrAdvInterval 100;
  AdvLinkMTU ${port.network.mtu};
${flags.map((one) => `  ${one}\n`).join('')}${resolvers.length === 0 ? '' : `  RDNSS ${resolvers.join(' ')} { };\n`}${prefixes.join('\n')}
};
`,
  ];
}
