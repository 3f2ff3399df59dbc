import { describe, expect, it } from '@jest/globals';
import type { DhcpNetwork, RouterInfo, SecurityGroupRuleInfo, SubnetInfo } from '@nestack/neutron/contract';
import {
  dhcpSockets,
  dnsmasqArguments,
  hostsFile,
  namesFile,
  optionsFile,
  staleLeases,
  withoutLeases,
} from './dnsmasq-config';
import { linkLocal, match } from './firewall-rules';
import { parseLinkEvent } from './link-monitor';
import { routesOf } from './router-routes';
import { radvdConfig, routerRules } from './router-rules';

const RULE: SecurityGroupRuleInfo = {
  direction: 'ingress',
  ethertype: 'IPv4',
  protocol: null,
  port_range_min: null,
  port_range_max: null,
  remote_ip_prefix: null,
  remote_group_id: null,
};

describe('a rule of a security group', () => {
  it.each([
    [{}, 'meta nfproto ipv4'],
    [{ remote_ip_prefix: '0.0.0.0/0' }, 'meta nfproto ipv4'],
    [{ remote_ip_prefix: '10.0.0.0/8', direction: 'egress' as const }, 'meta nfproto ipv4 ip daddr 10.0.0.0/8'],
    [{ remote_group_id: 'ab-cd' }, 'meta nfproto ipv4 ip saddr @m4_abcd'],
    [{ remote_group_id: 'ab-cd', ethertype: 'IPv6' as const }, 'meta nfproto ipv6 ip6 saddr @m6_abcd'],
    [{ protocol: 'tcp', port_range_min: 22, port_range_max: 22 }, 'meta nfproto ipv4 tcp dport 22'],
    [{ protocol: '17', port_range_min: 1, port_range_max: 9 }, 'meta nfproto ipv4 udp dport 1-9'],
    [{ protocol: 'tcp' }, 'meta nfproto ipv4 meta l4proto 6'],
    [
      { protocol: 'icmp', port_range_min: 8, port_range_max: 0 },
      'meta nfproto ipv4 meta l4proto 1 icmp type 8 icmp code 0',
    ],
    [{ protocol: 'icmp', ethertype: 'IPv6' as const }, 'meta nfproto ipv6 meta l4proto 58'],
    [{ protocol: 'vrrp' }, 'meta nfproto ipv4 meta l4proto 112'],
  ])('%j becomes a match', (fields, text) => {
    expect(match({ ...RULE, ...fields })).toBe(text);
  });

  it('lets a guest use the link-local address of its MAC', () => {
    expect(linkLocal('fa:16:3e:00:01:0a')).toBe('fe80::f816:3eff:fe00:10a');
  });
});

function subnet(fields: Partial<SubnetInfo>): SubnetInfo {
  return {
    id: 's4',
    cidr: '10.0.0.0/24',
    ip_version: 4,
    gateway_ip: '10.0.0.1',
    enable_dhcp: true,
    dns_nameservers: [],
    host_routes: [],
    ipv6_address_mode: null,
    ipv6_ra_mode: null,
    ...fields,
  };
}

function port(id: string, mac: string, addresses: [string, string][], owner = 'compute:nova') {
  return {
    id,
    network_id: 'n',
    project_id: 'p',
    mac_address: mac,
    fixed_ips: addresses.map(([subnetId, address]) => ({ subnet_id: subnetId, ip_address: address })),
    device_id: 'd',
    device_owner: owner,
    extra_dhcp_opts: id === 'extra' ? [{ opt_name: 'ntp-server', opt_value: '10.0.0.3', ip_version: 4 }] : [],
    revision_number: 1,
  };
}

function network(subnets: SubnetInfo[], ports: DhcpNetwork['ports']): DhcpNetwork {
  return {
    network: {
      id: 'n',
      project_id: 'p',
      network_type: 'vxlan',
      segmentation_id: 1,
      mtu: 1450,
      admin_state_up: true,
      tunnel_endpoints: [],
    },
    subnets,
    ports,
    dhcp_port_id: 'own',
  };
}

describe('a DHCP server', () => {
  const own = port('own', 'fa:00', [['s4', '10.0.0.2']], 'network:dhcp');
  const paths = { hosts: 'h', names: 'n', options: 'o', leases: 'l' };

  it('gives ports their addresses, the resolver, the way out and that to the metadata service', () => {
    const served = network(
      [subnet({})],
      [own, port('a', 'fa:0a', [['s4', '10.0.0.5']]), port('extra', 'fa:0b', [['s4', '10.0.0.6']])],
    );
    expect(hostsFile(served, 'local')).toBe(
      'fa:0a,host-10-0-0-5.local,10.0.0.5\nfa:0b,set:port-extra,host-10-0-0-6.local,10.0.0.6\n',
    );
    const named = network([subnet({})], [own, { ...port('a', 'fa:0a', [['s4', '10.0.0.5']]), dns_name: 'web' }]);
    expect(hostsFile(named, 'local')).toBe('fa:0a,web.local,10.0.0.5\n');
    expect(namesFile(named, 'local')).toBe('10.0.0.5\tweb.local web\n');
    const lines = optionsFile(served).split('\n');
    expect(lines).toContain('tag:subnet-s4,option:dns-server,10.0.0.2');
    expect(lines).toContain('tag:subnet-s4,option:router,10.0.0.1');
    expect(lines).toContain(
      'tag:subnet-s4,option:classless-static-route,169.254.169.254/32,10.0.0.2,0.0.0.0/0,10.0.0.1',
    );
    expect(lines).toContain('tag:port-extra,option:ntp-server,10.0.0.3');
    expect(dnsmasqArguments(served, paths, { domain: '', servers: [] })).toContain(
      '--dhcp-range=set:subnet-s4,10.0.0.0,static,255.255.255.0,86400s',
    );
  });

  it('gives no addresses where guests make their own, and nothing where DHCP is off', () => {
    const six = { ip_version: 6, gateway_ip: null };
    const served = network(
      [
        subnet({ ...six, id: 'slaac', cidr: 'fd00:1::/64', ipv6_address_mode: 'slaac', ipv6_ra_mode: 'slaac' }),
        subnet({ ...six, id: 'less', cidr: 'fd00:2::/64', ipv6_address_mode: 'dhcpv6-stateless' }),
        subnet({ ...six, id: 'full', cidr: 'fd00:3::/64', ipv6_address_mode: 'dhcpv6-stateful' }),
        subnet({ id: 'off', cidr: '10.9.0.0/24', enable_dhcp: false }),
      ],
      [
        own,
        port('a', 'fa:0a', [
          ['slaac', 'fd00:1::5'],
          ['less', 'fd00:2::5'],
          ['full', 'fd00:3::5'],
          ['off', '10.9.0.5'],
        ]),
      ],
    );
    expect(hostsFile(served, '')).toBe('fa:0a,host-fd00-3-5,[fd00:3::5]\n');
    const ranges = dnsmasqArguments(served, paths, { domain: '', servers: [] }).filter((one) =>
      one.startsWith('--dhcp-range'),
    );
    expect(ranges.map((one) => one.split(',')[0])).toEqual([
      '--dhcp-range=set:subnet-less',
      '--dhcp-range=set:subnet-full',
    ]);
    expect(dhcpSockets(served)).toEqual([{ table: 'udp6', port: 547 }]);
    expect(dhcpSockets(network([subnet({})], [own]))).toEqual([{ table: 'udp', port: 67 }]);
    const slaac = subnet({ ...six, id: 'slaac', cidr: 'fd00:1::/64', ipv6_address_mode: 'slaac' });
    expect(dhcpSockets(network([slaac], [own]))).toEqual([]);
  });

  it('knows leases that ports have no more', () => {
    const served = network(
      [subnet({})],
      [own, port('a', 'fa:0a', [['s4', '10.0.0.5']]), port('b', 'fa:0c', [['s4', '10.0.0.6']])],
    );
    const leases = '17 fa:0a 10.0.0.5 x *\n17 fa:0b 10.0.0.6 x *\n17 fa:0d 10.0.0.7 x *\nduid 00:01\n';
    const stale = staleLeases(leases, served);
    expect(stale).toEqual([
      { mac: 'fa:0b', address: '10.0.0.6' },
      { mac: 'fa:0d', address: '10.0.0.7' },
    ]);
    expect(withoutLeases(leases, stale)).toBe('17 fa:0a 10.0.0.5 x *\nduid 00:01\n');
  });
});

describe('a router', () => {
  const leg = (id: string, addresses: string[], subnets: SubnetInfo[]): RouterInfo['interfaces'][number] => ({
    id,
    mac_address: 'fa:01',
    network: network([], []).network,
    fixed_ips: addresses.map((address) => ({ subnet_id: 's', ip_address: address, prefixlen: 24 })),
    subnets,
  });
  const router: RouterInfo = {
    id: 'r',
    project_id: 'p',
    admin_state_up: true,
    enable_snat: true,
    gateway_port: leg(
      'gateway-port',
      ['192.0.2.5'],
      [subnet({ id: 'x', cidr: '192.0.2.0/24', gateway_ip: '192.0.2.1' })],
    ),
    interfaces: [leg('inner-port-x', ['10.0.0.1'], [subnet({})])],
    routes: [{ destination: '10.5.0.0/16', nexthop: '10.0.0.9' }],
    floating_ips: [],
    revision_number: 1,
  };

  it('translates only what leaves, and floating IPs both ways', () => {
    const ip = {
      id: 'f',
      floating_ip_address: '192.0.2.9',
      fixed_ip_address: '10.0.0.5',
      port_id: 'a',
      status: 'DOWN',
    };
    const rules = routerRules({ ...router, floating_ips: [ip] });
    expect(rules).toContain('dnat to ip daddr map { 192.0.2.9 : 10.0.0.5 }');
    expect(rules).toContain('oifname "qg-gateway-por" snat to ip saddr map { 10.0.0.5 : 192.0.2.9 }');
    expect(rules).toContain('oifname "qg-gateway-por" snat to 192.0.2.5');
    expect(routerRules({ ...router, enable_snat: false })).not.toContain('oifname "qg-gateway-por" snat to 192.0.2.5');
    expect(routerRules({ ...router, gateway_port: null })).not.toContain('snat');
  });

  it('leads single ports of a floating IP to guests, in a range each to its own', () => {
    const to = (protocol: string, outer: [number, number], inner: [number, number]) => ({
      protocol,
      external_ports: outer,
      internal_ip_address: '10.0.0.5',
      internal_ports: inner,
    });
    const ip = {
      id: 'f',
      floating_ip_address: '192.0.2.9',
      status: 'DOWN',
      forwardings: [
        to('tcp', [2222, 2222], [22, 22]),
        to('tcp', [80, 81], [8080, 8080]),
        to('udp', [53, 55], [53, 55]),
        to('udp', [70, 71], [60, 61]),
      ],
    };
    const rules = routerRules({ ...router, forwarding_ips: [ip] });
    expect(rules).toContain('ip daddr 192.0.2.9 tcp dport 2222 dnat to 10.0.0.5:22;');
    expect(rules).toContain('ip daddr 192.0.2.9 tcp dport 80-81 dnat to 10.0.0.5:8080;');
    expect(rules).toContain('ip daddr 192.0.2.9 udp dport 53-55 dnat to 10.0.0.5;');
    expect(rules).toContain(
      'ip daddr 192.0.2.9 udp dport 70-71 dnat to 10.0.0.5 : udp dport map { 70 : 60, 71 : 61 };',
    );
    expect(routerRules({ ...router, gateway_port: null, forwarding_ips: [ip] })).not.toContain('dnat to');
  });

  it('has the gateway as its way out unless a route says otherwise', () => {
    const extra = { destination: '10.5.0.0/16', via: '10.0.0.9', device: null };
    expect(routesOf(router)).toEqual([{ destination: 'default', via: '192.0.2.1', device: 'qg-gateway-por' }, extra]);
    const other = { ...router, routes: [{ destination: '0.0.0.0/0', nexthop: '10.0.0.9' }] };
    expect(routesOf(other)).toEqual([{ ...extra, destination: 'default' }]);
  });

  it('advertises what its IPv6 subnets ask for', () => {
    expect(radvdConfig(router)).toBeNull();
    const six = subnet({ id: 's6', cidr: 'fd00::/64', ip_version: 6, ipv6_ra_mode: 'dhcpv6-stateful' });
    const text = radvdConfig({ ...router, interfaces: [leg('inner-port-x', ['fd00::1'], [six])] });
    expect(text).toContain('interface qr-inner-port-');
    expect(text).toContain('AdvManagedFlag on;');
    expect(text).toContain('prefix fd00::/64 { AdvOnLink on; AdvAutonomous off; };');
  });
});

describe("the kernel's word of links", () => {
  it('is heard when it is about a tap of a port', () => {
    expect(parseLinkEvent('12: tap0a1b2c3d-4e: <BROADCAST> mtu 1450')).toEqual({
      device: 'tap0a1b2c3d-4e',
      ifindex: 12,
      deleted: false,
    });
    expect(parseLinkEvent('Deleted 12: tap0a1b2c3d-4e@if3: <BROADCAST>')?.deleted).toBe(true);
    expect(parseLinkEvent('3: eth0: <UP>')).toBeNull();
  });
});
