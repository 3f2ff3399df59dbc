import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { until } from '@nestack/kernel/testing';
import { TestNeutron, admin, typeOf, type Shown } from './testing/test-neutron';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(60_000);

let neutron: TestNeutron;

beforeAll(async () => {
  neutron = await TestNeutron.start();
});

afterAll(() => neutron.close());

const text = expect.any(String) as unknown;
const ips = (port: Shown) => (port['fixed_ips'] as { ip_address: string }[]).map((one) => one.ip_address);

describe('subnets', () => {
  it('have a gateway and pools of their own accord', async () => {
    const { network, subnet } = await neutron.wired({
      cidr: '10.1.0.0/24',
      subnet: { dns_nameservers: ['9.9.9.9', '1.1.1.1'] },
    });
    expect(subnet).toEqual({
      id: text,
      name: '',
      project_id: 'p1',
      tenant_id: 'p1',
      description: '',
      created_at: text,
      updated_at: text,
      revision_number: 0,
      tags: [],
      network_id: network.id,
      ip_version: 4,
      cidr: '10.1.0.0/24',
      subnetpool_id: null,
      gateway_ip: '10.1.0.1',
      allocation_pools: [{ start: '10.1.0.2', end: '10.1.0.254' }],
      dns_nameservers: ['9.9.9.9', '1.1.1.1'],
      host_routes: [],
      enable_dhcp: true,
      ipv6_ra_mode: null,
      ipv6_address_mode: null,
      service_types: [],
      dns_publish_fixed_ip: false,
    });
    expect(await neutron.show('subnet', subnet.id)).toEqual(subnet);
    expect((await neutron.show('network', network.id))['subnets']).toEqual([subnet.id]);
  });

  it('keep gateways and pools apart, also when they change', async () => {
    const network = await neutron.make('network');
    const make = (fields: Record<string, unknown>) =>
      neutron.call('POST', '/subnets', { body: { subnet: { network_id: network.id, ip_version: 4, ...fields } } });
    const middle = await make({ cidr: '10.2.0.0/29', gateway_ip: '10.2.0.4' });
    expect(middle.json['subnet']).toMatchObject({
      allocation_pools: [
        { start: '10.2.0.1', end: '10.2.0.3' },
        { start: '10.2.0.5', end: '10.2.0.6' },
      ],
    });
    const refusals: [Record<string, unknown>, number, string][] = [
      [{ cidr: '10.2.0.0/24' }, 400, 'InvalidInput'],
      [{ cidr: 'fd00::/64' }, 400, 'InvalidInput'],
      [{ cidr: '10.3.0.0/33' }, 400, 'HTTPBadRequest'],
      [{ cidr: '10.3.0.0/31' }, 400, 'InvalidInput'],
      [{ cidr: '0.0.0.0/0' }, 400, 'InvalidInput'],
      [{}, 400, 'BadRequest'],
      [{ cidr: '10.3.0.0/24', gateway_ip: '10.3.0.0' }, 400, 'InvalidInput'],
      [
        { cidr: '10.3.0.0/24', allocation_pools: [{ start: '10.3.0.9', end: '10.3.0.2' }] },
        400,
        'InvalidAllocationPool',
      ],
      [
        { cidr: '10.3.0.0/24', allocation_pools: [{ start: '10.3.0.9', end: '10.3.1.2' }] },
        400,
        'OutOfBoundsAllocationPool',
      ],
      [
        {
          cidr: '10.3.0.0/24',
          allocation_pools: [
            { start: '10.3.0.9', end: '10.3.0.20' },
            { start: '10.3.0.20', end: '10.3.0.30' },
          ],
        },
        409,
        'OverlappingAllocationPools',
      ],
      [
        { cidr: '10.3.0.0/24', gateway_ip: '10.3.0.9', allocation_pools: [{ start: '10.3.0.9', end: '10.3.0.20' }] },
        409,
        'GatewayConflictWithAllocationPools',
      ],
      [{ cidr: '10.3.0.0/24', ipv6_ra_mode: 'slaac' }, 400, 'InvalidInput'],
      [{ cidr: '10.3.0.0/24', dns_nameservers: ['1.1.1.1', '1.1.1.1'] }, 400, 'HTTPBadRequest'],
      [{ cidr: '10.3.0.0/24', dns_nameservers: ['x'] }, 400, 'HTTPBadRequest'],
      [
        { cidr: '10.3.0.0/24', host_routes: [{ destination: '10.9.0.1/24', nexthop: '10.3.0.1' }] },
        400,
        'HTTPBadRequest',
      ],
      [{ cidr: '10.3.0.0/24', service_types: ['compute:nova'] }, 403, 'PolicyNotAuthorized'],
    ];
    for (const [fields, status, type] of refusals) {
      const answer = await make(fields);
      expect([fields, answer.status, typeOf(answer)]).toEqual([fields, status, type]);
    }
    const subnet = middle.json['subnet'] as Shown;
    const moved = await neutron.set('subnet', subnet.id, { gateway_ip: '10.2.0.6' });
    expect([moved.status, typeOf(moved)]).toEqual([409, 'GatewayConflictWithAllocationPools']);
    const both = await neutron.set('subnet', subnet.id, {
      gateway_ip: null,
      allocation_pools: [{ start: '10.2.0.2', end: '10.2.0.5' }],
      dns_nameservers: [],
    });
    expect(both.json['subnet']).toMatchObject({
      gateway_ip: null,
      allocation_pools: [{ start: '10.2.0.2', end: '10.2.0.5' }],
    });
    expect(typeOf(await neutron.set('subnet', subnet.id, { cidr: '10.7.0.0/24' }))).toBe('HTTPBadRequest');
  });

  it('let hosts make their own IPv6 addresses', async () => {
    const network = await neutron.make('network');
    const early = await neutron.make('port', { network_id: network.id });
    expect(ips(early)).toEqual([]);
    const v4 = await neutron.make('subnet', { network_id: network.id, ip_version: 4, cidr: '10.4.0.0/24' });
    const mode = { ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' };
    const first = await neutron.make('port', { network_id: network.id, mac_address: 'fa:16:3e:00:00:01' }, admin);
    const v6 = await neutron.make('subnet', { network_id: network.id, ip_version: 6, cidr: 'fd00:4::/64', ...mode });
    expect(v6).toMatchObject({
      gateway_ip: 'fd00:4::1',
      allocation_pools: [{ start: 'fd00:4::2', end: 'fd00:4::ffff:ffff:ffff:ffff' }],
      ...mode,
    });
    const auto = 'fd00:4::f816:3eff:fe00:1';
    expect(ips(await neutron.show('port', first.id, admin))).toEqual(['10.4.0.2', auto]);
    const second = await neutron.make('port', { network_id: network.id });
    expect(ips(second)).toEqual(['10.4.0.3', expect.stringMatching(/^fd00:4::f816:3eff:fe/)]);
    const stateful = await neutron.make('subnet', {
      network_id: network.id,
      ip_version: 6,
      cidr: 'fd00:5::/64',
      ipv6_ra_mode: 'dhcpv6-stateful',
      ipv6_address_mode: 'dhcpv6-stateful',
    });
    const third = await neutron.make('port', { network_id: network.id, fixed_ips: [{ subnet_id: stateful.id }] });
    expect(ips(third)).toEqual([expect.stringMatching(/^fd00:4::/), 'fd00:5::2']);
    const fixed = await neutron.call('POST', '/ports', {
      body: { port: { network_id: network.id, fixed_ips: [{ subnet_id: v6.id, ip_address: 'fd00:4::9' }] } },
    });
    expect([fixed.status, typeOf(fixed)]).toEqual([400, 'InvalidInput']);
    // Addresses that hosts made themselves do not hold a subnet.
    expect((await neutron.drop('subnet', v6.id)).status).toBe(204);
    expect(ips(await neutron.show('port', second.id))).toEqual(['10.4.0.3']);
    expect(typeOf(await neutron.drop('subnet', v4.id))).toBe('SubnetInUse');
  });
});

describe('ports', () => {
  it('have an address, a MAC and the default group of their own accord', async () => {
    const { network, subnet } = await neutron.wired({ cidr: '10.5.0.0/24' });
    const port = await neutron.make('port', { network_id: network.id, name: 'eth0' });
    const [group] = await neutron.list('security_group', '?name=default');
    expect(port).toEqual({
      id: text,
      name: 'eth0',
      project_id: 'p1',
      tenant_id: 'p1',
      description: '',
      created_at: text,
      updated_at: text,
      revision_number: 1,
      tags: [],
      network_id: network.id,
      admin_state_up: true,
      status: 'DOWN',
      mac_address: expect.stringMatching(/^fa:16:3e(:[0-9a-f]{2}){3}$/) as unknown,
      fixed_ips: [{ subnet_id: subnet.id, ip_address: '10.5.0.2' }],
      device_id: '',
      device_owner: '',
      security_groups: [group?.id],
      port_security_enabled: true,
      allowed_address_pairs: [],
      extra_dhcp_opts: [],
      dns_name: '',
      dns_domain: '',
      dns_assignment: [{ hostname: 'host-10-5-0-2', ip_address: '10.5.0.2', fqdn: 'host-10-5-0-2.openstacklocal.' }],
      propagate_uplink_status: true,
      ip_allocation: 'immediate',
      'binding:vnic_type': 'normal',
    });
    expect(await neutron.show('port', port.id)).toEqual(port);
    expect(await neutron.show('port', port.id, admin)).toMatchObject({
      'binding:host_id': '',
      'binding:profile': {},
      'binding:vif_type': 'unbound',
      'binding:vif_details': {},
    });
    expect((await neutron.drop('port', port.id)).status).toBe(204);
    expect((await neutron.call('GET', `/ports/${port.id}`)).status).toBe(404);
  });

  it('take addresses as they are asked for', async () => {
    const { network, subnet } = await neutron.wired({ cidr: '10.6.0.0/24' });
    const elsewhere = await neutron.wired({ cidr: '10.66.0.0/24' });
    const on = { network_id: network.id };
    const make = (fields: Record<string, unknown>, as = 'p1:member') =>
      neutron.call('POST', '/ports', { as, body: { port: { ...on, ...fields } } });
    const named = await neutron.make('port', { ...on, fixed_ips: [{ ip_address: '10.6.0.77' }] });
    expect(ips(named)).toEqual(['10.6.0.77']);
    const two = await neutron.make('port', {
      ...on,
      fixed_ips: [{ subnet_id: subnet.id, ip_address: '10.6.0.80' }, { subnet_id: subnet.id }],
    });
    // In the order of the addresses, not of the request.
    expect(ips(two)).toEqual(['10.6.0.2', '10.6.0.80']);
    expect(ips(await neutron.make('port', { ...on, fixed_ips: [] }))).toEqual([]);
    const refusals: [Record<string, unknown>, number, string][] = [
      [{ fixed_ips: [{ ip_address: '10.6.0.77' }] }, 409, 'IpAddressAlreadyAllocated'],
      [{ fixed_ips: [{ ip_address: '10.7.0.1' }] }, 400, 'InvalidIpForNetwork'],
      [{ fixed_ips: [{ ip_address: '10.6.0.255' }] }, 400, 'InvalidIpForSubnet'],
      [{ fixed_ips: [{ subnet_id: subnet.id, ip_address: '10.7.0.1' }] }, 400, 'InvalidIpForSubnet'],
      [{ fixed_ips: [{ subnet_id: elsewhere.subnet.id }] }, 400, 'InvalidInput'],
      [{ fixed_ips: [{ subnet_id: network.id }] }, 404, 'SubnetNotFound'],
      [{ fixed_ips: [{ ip_address: 'x' }] }, 400, 'HTTPBadRequest'],
      [{ mac_address: two['mac_address'] }, 409, 'MacAddressInUse'],
      [{ mac_address: 'ff-ff-ff-ff-ff-ff' }, 400, 'HTTPBadRequest'],
      [{ network_id: subnet.id }, 404, 'NetworkNotFound'],
      [{ security_groups: [subnet.id] }, 404, 'SecurityGroupNotFound'],
      [
        { port_security_enabled: false, security_groups: [subnet.id] },
        400,
        'PortSecurityAndIPRequiredForSecurityGroups',
      ],
      [{ 'binding:host_id': 'h1' }, 403, 'PolicyNotAuthorized'],
      [{ extra_dhcp_opts: [{ opt_name: 'a\nb', opt_value: 'x' }] }, 400, 'HTTPBadRequest'],
    ];
    for (const [fields, status, type] of refusals) {
      const answer = await make(fields);
      expect([fields, answer.status, typeOf(answer)]).toEqual([fields, status, type]);
    }
  });

  it('change their addresses: what is asked for again stays', async () => {
    const { network, subnet } = await neutron.wired({ cidr: '10.8.0.0/24' });
    const port = await neutron.make('port', { network_id: network.id });
    const change = async (fixedIps: unknown[]) => {
      const answer = await neutron.set('port', port.id, { fixed_ips: fixedIps });
      return answer.status === 200 ? ips(answer.json['port'] as Shown) : [answer.status, typeOf(answer)];
    };
    expect(await change([{ subnet_id: subnet.id }])).toEqual(['10.8.0.2']);
    expect(await change([{ ip_address: '10.8.0.9' }, { subnet_id: subnet.id }])).toEqual(['10.8.0.2', '10.8.0.9']);
    expect(await change([{ ip_address: '10.8.0.2' }])).toEqual(['10.8.0.2']);
    expect(await change([{ ip_address: '10.9.0.2' }])).toEqual([400, 'InvalidIpForNetwork']);
    expect(await change([])).toEqual([]);
    const next = await neutron.make('port', { network_id: network.id, fixed_ips: [{ ip_address: '10.8.0.2' }] });
    expect(ips(next)).toEqual(['10.8.0.2']);
    expect(await change([{ ip_address: '10.8.0.2' }])).toEqual([409, 'IpAddressAlreadyAllocated']);
  });

  it('get different addresses, fifty at once, and nobody is refused while there are any', async () => {
    const { network } = await neutron.wired({ cidr: '10.10.0.0/26' });
    const answers = await Promise.all(
      Array.from({ length: 70 }, () => neutron.call('POST', '/ports', { body: { port: { network_id: network.id } } })),
    );
    const made = answers.filter((one) => one.status === 201).map((one) => one.json['port'] as Shown);
    expect(made).toHaveLength(61);
    expect(new Set(made.flatMap(ips)).size).toBe(61);
    const refused = answers.filter((one) => one.status !== 201);
    expect(new Set(refused.map((one) => `${String(one.status)} ${String(typeOf(one))}`))).toEqual(
      new Set(['409 IpAddressGenerationFailure']),
    );
    // What is given back is given again.
    const [first] = made;
    await neutron.drop('port', first?.id ?? '');
    expect(ips(await neutron.make('port', { network_id: network.id }))).toEqual(ips(first as Shown));
    expect(typeOf(await neutron.drop('network', network.id))).toBe('NetworkInUse');
  });

  it('are refused to whoever does not own the network, beyond what sharing allows', async () => {
    const { network } = await neutron.wired({ cidr: '10.11.0.0/24', network: { shared: true } }, { as: 'owner:admin' });
    const on = { network_id: network.id };
    const as = 'guest:member';
    const port = await neutron.make('port', on, { as });
    expect(port['project_id']).toBe('guest');
    for (const fields of [
      { fixed_ips: [{ ip_address: '10.11.0.9' }] },
      { mac_address: 'fa:16:3e:00:00:09' },
      { port_security_enabled: false },
      { device_owner: 'network:dhcp' },
      { allowed_address_pairs: [{ ip_address: '10.0.0.1' }] },
    ]) {
      const answer = await neutron.call('POST', '/ports', { as, body: { port: { ...on, ...fields } } });
      expect([fields, answer.status, typeOf(answer)]).toEqual([fields, 403, 'PolicyNotAuthorized']);
    }
    const own = await neutron.wired({ cidr: '10.12.0.0/24' }, { as });
    const pair = await neutron.make(
      'port',
      { network_id: own.network.id, allowed_address_pairs: [{ ip_address: '10.99.0.0/16' }] },
      { as },
    );
    expect(pair['allowed_address_pairs']).toEqual([{ ip_address: '10.99.0.0/16', mac_address: pair['mac_address'] }]);
  });
});

describe('servers', () => {
  it('hear of their ports without any agent when networks are simulated, though nova and neutron were away', async () => {
    const { network } = await neutron.wired({ cidr: '10.30.0.0/24' });
    const { neighbours } = neutron;
    neighbours.novaAway = true;
    const server = newUuid();
    const port = await neutron.make(
      'port',
      {
        network_id: network.id,
        project_id: 'p1',
        device_id: server,
        device_owner: 'compute:nova',
        'binding:host_id': 'h1',
      },
      { as: 'service:service' },
    );
    expect(port).toMatchObject({ status: 'ACTIVE', 'binding:vif_type': 'bridge', project_id: 'p1' });
    await neutron.down();
    neighbours.novaAway = false;
    await neutron.up();
    const told = () => neighbours.events.filter((one) => one.server_uuid === server);
    await until('nova is told', () => told().length > 0);
    expect(told()).toEqual([{ name: 'network-vif-plugged', server_uuid: server, tag: port.id, status: 'completed' }]);
    await until('nothing waits any more', async () => (await neutron.query('SELECT 1 FROM outbox')).length === 0);
  });
});

describe('lists', () => {
  it('are filtered, sorted, paged and cut down to fields', async () => {
    const as = 'lister:member';
    const { network, subnet } = await neutron.wired({ cidr: '10.20.0.0/24' }, { as });
    const made: Shown[] = [];
    for (const name of ['c', 'a', 'b', 'a'])
      made.push(
        await neutron.make(
          'port',
          { network_id: network.id, name, device_id: `d-${name}`, tags: [name, 'all'] },
          { as },
        ),
      );
    const names = async (query: string) => (await neutron.list('port', query, { as })).map((one) => one['name']);
    expect((await names('?name=a')).length).toBe(2);
    expect((await names('?name=a&name=b')).length).toBe(3);
    expect(await names('?sort_key=name&sort_dir=desc')).toEqual(['c', 'b', 'a', 'a']);
    expect(await names('?fixed_ips=ip_address%3D10.20.0.2')).toEqual(['c']);
    expect(await names('?fixed_ips=ip_address_substr%3D.20.0.3')).toEqual(['a']);
    expect((await names(`?fixed_ips=subnet_id%3D${subnet.id}`)).length).toBe(4);
    expect(await names('?tags=all,b')).toEqual(['b']);
    expect((await names('?tags-any=a,b')).length).toBe(3);
    expect(await names('?not-tags-any=a,b')).toEqual(['c']);
    expect(await names('?device_id=d-b&admin_state_up=True&status=DOWN')).toEqual(['b']);
    expect(await names('?admin_state_up=no')).toEqual([]);
    expect(await names('?id=nothing')).toEqual([]);
    const cut = await neutron.list('port', '?fields=id&fields=name&name=b', { as });
    expect(cut).toEqual([{ id: made[2]?.id, name: 'b' }]);
    const seen: unknown[] = [];
    let url: string | undefined = '/ports?limit=3&sort_key=name&sort_dir=asc';
    let pages = 0;
    while (url !== undefined) {
      const page = await neutron.call('GET', url, { as });
      seen.push(...(page.json['ports'] as Shown[]).map((one) => one['name']));
      const links = (page.json['ports_links'] ?? []) as { rel: string; href: string }[];
      url = links.find((one) => one.rel === 'next')?.href.replace(neutron.base, '');
      pages += 1;
    }
    expect([seen, pages]).toEqual([['a', 'a', 'b', 'c'], 2]);
    for (const [query, type] of [
      ['?limit=-1', 'BadRequest'],
      ['?limit=x', 'BadRequest'],
      ['?sort_key=name', 'HTTPBadRequest'],
      ['?sort_key=nothing&sort_dir=asc', 'HTTPBadRequest'],
      ['?sort_key=name&sort_dir=up', 'HTTPBadRequest'],
      ['?nothing=1', 'HTTPBadRequest'],
      ['?admin_state_up=perhaps', 'InvalidInput'],
      ['?tenant_id=a&project_id=a', 'TenantIdProjectIdFilterConflict'],
    ] as const) {
      const answer = await neutron.call('GET', `/ports${query}`, { as });
      expect([query, answer.status, typeOf(answer)]).toEqual([query, 400, type]);
    }
    expect((await neutron.call('GET', `/ports?limit=1&marker=${subnet.id}`, { as })).status).toBe(404);
  });

  it('know revisions: a change of another one than meant is refused', async () => {
    const network = await neutron.make('network', { name: 'r' });
    const headers = { 'if-match': 'revision_number=1' };
    expect((await neutron.set('network', network.id, { name: 's' }, { headers })).status).toBe(200);
    const late = await neutron.set('network', network.id, { name: 't' }, { headers });
    expect([late.status, typeOf(late)]).toEqual([412, 'RevisionNumberConstraintFailed']);
    expect((await neutron.show('network', network.id))['name']).toBe('s');
  });
});
