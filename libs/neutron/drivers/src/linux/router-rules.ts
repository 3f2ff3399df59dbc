import { gatewayDeviceName, routerDeviceName, type RouterInfo, type RouterPort } from '@nestack/neutron/contract';

/** Marks what came in from outside. */
const FROM_OUTSIDE = '0x2';
const TABLE = 'router';

/**
 * A router's address translation, replacing what was there: floating IPs both ways, everything else under the gateway's own
 * address. What one guest sends to another's floating IP comes back through the router as well.
 */
export function routerRules(router: RouterInfo): string {
  const { gateway_port: gateway } = router;
  const address = gateway?.fixed_ips.find((ip) => !ip.ip_address.includes(':'))?.ip_address;
  const head = `add table ip ${TABLE}\ndelete table ip ${TABLE}\n`;
  if (gateway === null || address === undefined) return head;
  const outside = `"${gatewayDeviceName(gateway.id)}"`;
  const floating = router.floating_ips;
  const map = (pairs: readonly (readonly [string, string])[]): string =>
    `{ ${pairs.map(([from, to]) => `${from} : ${to}`).join(', ')} }`;
  const inward = map(floating.map((ip) => [ip.floating_ip_address, ip.fixed_ip_address]));
  const outward = map(floating.map((ip) => [ip.fixed_ip_address, ip.floating_ip_address]));
  const lines = {
    pre: floating.length === 0 ? [] : [`dnat to ip daddr map ${inward}`],
    post: [
      // Between the router's own networks nothing is translated, save what was sent to a floating IP.
      `oifname != ${outside} ct status dnat meta mark != ${FROM_OUTSIDE} snat to ${address}`,
      ...(floating.length === 0 ? [] : [`oifname ${outside} snat to ip saddr map ${outward}`]),
      ...(router.enable_snat ? [`oifname ${outside} snat to ${address}`] : []),
    ],
  };
  return `${head}table ip ${TABLE} {
  chain marks { type filter hook prerouting priority -150; policy accept; iifname ${outside} meta mark set ${FROM_OUTSIDE}; }
  chain inward { type nat hook prerouting priority -100; policy accept; ${lines.pre.map((one) => `${one}; `).join('')}}
  chain local { type nat hook output priority -100; policy accept; ${lines.pre.map((one) => `${one}; `).join('')}}
  chain outward { type nat hook postrouting priority 100; policy accept; ${lines.post.map((one) => `${one}; `).join('')}}
}
`;
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
