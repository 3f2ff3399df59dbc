import { createHash } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import {
  bridgeName,
  type DeviceDetails,
  type NetworkInfo,
  type SecurityGroupInfo,
  type SecurityGroupRuleInfo,
} from '@nestack/neutron/contract';

/*
 * Filtering without conntrack in the bridge family, which many kernels lack: a table of the bridge family checks what a
 * port sends and marks forwarded frames with the port that they come from (upper half of the mark) and go to (lower half);
 * a table of the inet family, which sees the same frames through br_netfilter, has a chain per port and direction with
 * connection tracking. Each network has a conntrack zone of its own, since addresses repeat between networks. Tables of
 * several clouds may live side by side: each looks only at its own bridges, since their marks repeat.
 */

/** Everything but ports, groups and zones, replacing what was there. */
export function skeleton(table: string): string {
  return `add table bridge ${table}
delete table bridge ${table}
add table inet ${table}
delete table inet ${table}
table bridge ${table} {
  map sender { type ifname : verdict; }
  map mark_from { type ifname : verdict; }
  map mark_to { type ifname : verdict; }
  chain antispoof { type filter hook prerouting priority -310; policy accept; iifname vmap @sender; }
  chain marks { type filter hook forward priority -10; policy accept; iifname vmap @mark_from; oifname vmap @mark_to; }
}
table inet ${table} {
  set bridges { type ifname; }
  map zone_of { type ifname : verdict; }
  map from_port { type mark : verdict; }
  map to_port { type mark : verdict; }
  chain zones { type filter hook prerouting priority -300; policy accept; iifname vmap @zone_of; }
  chain egress { type filter hook forward priority 0; policy accept; iifname != @bridges accept; meta mark and 0xffff0000 vmap @from_port; }
  chain ingress { type filter hook forward priority 1; policy accept; iifname != @bridges accept; meta mark and 0x0000ffff vmap @to_port; }
}
`;
}

function suffix(portId: string): string {
  return portId.slice(0, 11).replace('-', '_');
}

export function memberSet(groupId: string, family: 4 | 6): string {
  return `m${family}_${groupId.replaceAll('-', '')}`;
}

/** The addresses of a group's members, as sets that rules refer to. */
export function groupScript(table: string, group: SecurityGroupInfo): string {
  const of = (family: 4 | 6): string => {
    const name = memberSet(group.id, family);
    const addresses = group.members.filter((one) => one.includes(':') === (family === 6) && !one.endsWith('/0'));
    return [
      `add set inet ${table} ${name} { type ipv${family}_addr; flags interval; auto-merge; }`,
      `flush set inet ${table} ${name}`,
      ...(addresses.length === 0 ? [] : [`add element inet ${table} ${name} { ${addresses.join(', ')} }`]),
    ].join('\n');
  };
  return `${of(4)}\n${of(6)}\n`;
}

export function absentGroupScript(table: string, groupId: string): string {
  return ([4, 6] as const)
    .map((family) => {
      const name = memberSet(groupId, family);
      return `add set inet ${table} ${name} { type ipv${family}_addr; flags interval; auto-merge; }\ndelete set inet ${table} ${name}\n`;
    })
    .join('');
}

/** The conntrack zone of a network; other clouds on the host begin to count elsewhere. */
export function zoneOf(table: string, network: NetworkInfo): number {
  const start = createHash('sha256').update(table).digest().readUInt16BE(0);
  return (start + (network.segmentation_id ?? 0)) % 65_536;
}

/** What the filters know of a network's bridge. */
export function networkScript(table: string, network: NetworkInfo): string {
  const bridge = `"${bridgeName(network.id)}"`;
  const zone = zoneOf(table, network);
  return `add chain inet ${table} zone_${zone}
flush chain inet ${table} zone_${zone}
add rule inet ${table} zone_${zone} ct zone set ${zone}
add element inet ${table} zone_of { ${bridge} : jump zone_${zone} }
add element inet ${table} bridges { ${bridge} }
`;
}

/** Takes a network without ports away; `zoneShared` when another network uses the same zone. */
export function absentNetworkScript(table: string, network: NetworkInfo, zoneShared: boolean): string {
  const bridge = `"${bridgeName(network.id)}"`;
  const zone = zoneOf(table, network);
  return `delete element inet ${table} zone_of { ${bridge} : jump zone_${zone} }
delete element inet ${table} bridges { ${bridge} }
${zoneShared ? '' : `flush chain inet ${table} zone_${zone}\ndelete chain inet ${table} zone_${zone}\n`}`;
}

/** The chains of a port, filled anew. `index` (1 to 32767) is its mark on this host. */
export function portScript(
  table: string,
  port: DeviceDetails,
  groups: ReadonlyMap<string, SecurityGroupInfo>,
  index: number,
): string {
  const name = suffix(port.port_id);
  const device = `"${port.device}"`;
  const lines: string[] = [];
  const chain = (family: 'bridge' | 'inet', title: string, rules: readonly string[]): void => {
    lines.push(`add chain ${family} ${table} ${title}`, `flush chain ${family} ${table} ${title}`);
    for (const rule of rules) lines.push(`add rule ${family} ${table} ${title} ${rule}`);
  };
  chain('bridge', `send_${name}`, antispoof(port));
  chain('bridge', `from_${name}`, [`meta mark set meta mark or ${hex(index << 16)}`]);
  chain('bridge', `to_${name}`, [`meta mark set meta mark or ${hex(index)}`]);
  const rules = port.security_groups.flatMap((id) => groups.get(id)?.rules ?? []);
  const allowed = (direction: 'ingress' | 'egress'): string[] => [
    ...new Set(rules.filter((rule) => rule.direction === direction).map((rule) => `${match(rule)} accept`)),
  ];
  chain('inet', `out_${name}`, [
    'udp sport 68 udp dport 67 accept',
    'udp sport 546 udp dport 547 accept',
    'icmpv6 type { 130, 131, 132, 133, 135, 136, 143 } accept',
    'ct state established,related accept',
    'ct state invalid drop',
    ...allowed('egress'),
    'drop',
  ]);
  chain('inet', `in_${name}`, [
    'udp sport 67 udp dport 68 accept',
    'udp sport 547 udp dport 546 accept',
    'icmpv6 type { 130, 131, 132, 134, 135, 136 } accept',
    'ct state established,related accept',
    'ct state invalid drop',
    ...allowed('ingress'),
    'drop',
  ]);
  lines.push(
    `add element bridge ${table} sender { ${device} : jump send_${name} }`,
    `add element bridge ${table} mark_from { ${device} : jump from_${name} }`,
    `add element bridge ${table} mark_to { ${device} : jump to_${name} }`,
    `add element inet ${table} from_port { ${hex(index << 16)} : jump out_${name} }`,
    `add element inet ${table} to_port { ${hex(index)} : jump in_${name} }`,
  );
  return `${lines.join('\n')}\n`;
}

/** Takes a port's chains away; they must have been made with this index. */
export function absentPortScript(table: string, portId: string, device: string, index: number): string {
  const name = suffix(portId);
  const elements = [
    ['bridge', 'sender', `"${device}" : jump send_${name}`],
    ['bridge', 'mark_from', `"${device}" : jump from_${name}`],
    ['bridge', 'mark_to', `"${device}" : jump to_${name}`],
    ['inet', 'from_port', `${hex(index << 16)} : jump out_${name}`],
    ['inet', 'to_port', `${hex(index)} : jump in_${name}`],
  ];
  const chains = [
    ['bridge', `send_${name}`],
    ['bridge', `from_${name}`],
    ['bridge', `to_${name}`],
    ['inet', `out_${name}`],
    ['inet', `in_${name}`],
  ];
  const lines = [
    ...elements.map(
      ([family, map, element]) => `delete element ${family ?? ''} ${table} ${map ?? ''} { ${element ?? ''} }`,
    ),
    ...chains.flatMap(([family, chain]) => [
      `flush chain ${family ?? ''} ${table} ${chain ?? ''}`,
      `delete chain ${family ?? ''} ${table} ${chain ?? ''}`,
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
}

/** What a port may send: its own addresses and those of its allowed pairs, no DHCP answers, no router advertisements. */
function antispoof(port: DeviceDetails): string[] {
  const pairs = [
    ...port.fixed_ips.map((one) => ({ mac: port.mac_address, ip: one.ip_address })),
    ...port.allowed_address_pairs.map((one) => ({ mac: one.mac_address, ip: one.ip_address })),
  ].map((one) => ({ mac: one.mac.toLowerCase(), ip: one.ip }));
  const macs = [...new Set([port.mac_address.toLowerCase(), ...pairs.map((one) => one.mac)])];
  const v4 = pairs.filter((one) => isIPv4(one.ip.split('/')[0] ?? ''));
  const v6 = pairs.filter((one) => isIPv6(one.ip.split('/')[0] ?? ''));
  const local = macs.map((mac) => ({ mac, ip: linkLocal(mac) }));
  const source = (family: 'ip' | 'ip6', address: string): string =>
    address.endsWith('/0') ? '' : `${family} saddr ${address} `;
  return [
    'ether type != { ip, ip6, arp } drop',
    `ether saddr != { ${macs.join(', ')} } drop`,
    ...v4.map(
      (one) =>
        `ether type arp arp saddr ether ${one.mac} ${one.ip.endsWith('/0') ? '' : `arp saddr ip ${one.ip} `}return`,
    ),
    ...macs.map((mac) => `ether type arp arp saddr ether ${mac} arp saddr ip 0.0.0.0 return`),
    'ether type arp drop',
    'ether type ip udp sport 67 udp dport 68 drop',
    'ether type ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 return',
    ...v4.map((one) => `ether type ip ether saddr ${one.mac} ${source('ip', one.ip)}return`),
    'ether type ip drop',
    'icmpv6 type nd-router-advert drop',
    'ether type ip6 udp sport 547 udp dport 546 drop',
    'ip6 saddr :: icmpv6 type { nd-router-solicit, nd-neighbor-solicit, mld2-listener-report } return',
    ...[...v6, ...local]
      .filter((one) => !one.ip.includes('/'))
      .map((one) => `icmpv6 type nd-neighbor-advert @nh,384,128 ${addressNumber(one.ip)} return`),
    ...(v6.some((one) => one.ip.includes('/')) ? [] : ['icmpv6 type nd-neighbor-advert drop']),
    ...[...v6, ...local].map((one) => `ether type ip6 ether saddr ${one.mac} ${source('ip6', one.ip)}return`),
    'drop',
  ];
}

const PROTOCOLS: Readonly<Record<string, number>> = {
  ah: 51,
  dccp: 33,
  egp: 8,
  esp: 50,
  gre: 47,
  icmp: 1,
  icmpv6: 58,
  igmp: 2,
  ipip: 4,
  'ipv6-encap': 41,
  'ipv6-frag': 44,
  'ipv6-icmp': 58,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  'ipv6-route': 43,
  ospf: 89,
  pgm: 113,
  rsvp: 46,
  sctp: 132,
  tcp: 6,
  udp: 17,
  udplite: 136,
  vrrp: 112,
};

const WITH_PORTS: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 33: 'dccp', 132: 'sctp', 136: 'udplite' };

/** The number of a protocol by name or number; ICMP is another one for IPv6. */
export function protocolNumber(protocol: string, six: boolean): number {
  const number = PROTOCOLS[protocol.toLowerCase()] ?? Number(protocol);
  return number === 1 && six ? 58 : number;
}

/** A rule of a security group as an nftables match. */
export function match(rule: SecurityGroupRuleInfo): string {
  const four = rule.ethertype === 'IPv4';
  const words = [`meta nfproto ${four ? 'ipv4' : 'ipv6'}`];
  const way = rule.direction === 'ingress' ? 'saddr' : 'daddr';
  const family = four ? 'ip' : 'ip6';
  if (rule.remote_group_id !== null) words.push(`${family} ${way} @${memberSet(rule.remote_group_id, four ? 4 : 6)}`);
  else if (rule.remote_ip_prefix !== null && !rule.remote_ip_prefix.endsWith('/0')) {
    words.push(`${family} ${way} ${rule.remote_ip_prefix}`);
  }
  if (rule.protocol === null) return words.join(' ');
  const number = protocolNumber(rule.protocol, !four);
  const ports = WITH_PORTS[number];
  if (number === 1 || number === 58) {
    const icmp = number === 1 ? 'icmp' : 'icmpv6';
    words.push(`meta l4proto ${number}`);
    if (rule.port_range_min !== null) words.push(`${icmp} type ${rule.port_range_min}`);
    if (rule.port_range_max !== null) words.push(`${icmp} code ${rule.port_range_max}`);
  } else if (ports !== undefined && rule.port_range_min !== null) {
    const max = rule.port_range_max ?? rule.port_range_min;
    words.push(`${ports} dport ${rule.port_range_min === max ? String(max) : `${rule.port_range_min}-${max}`}`);
  } else words.push(`meta l4proto ${number}`);
  return words.join(' ');
}

/** The link-local address that a guest makes of its MAC (EUI-64). */
export function linkLocal(mac: string): string {
  const bytes = mac.split(':').map((byte) => parseInt(byte, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  const word = (high: number, low: number): string => ((high << 8) | low).toString(16);
  return `fe80::${word(a ^ 2, b)}:${word(c, 0xff)}:${word(0xfe, d)}:${word(e, f)}`;
}

/** An IPv6 address as one hexadecimal number. */
function addressNumber(address: string): string {
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return `0x${[...left, ...middle, ...right].map((word) => word.padStart(4, '0')).join('')}`;
}
