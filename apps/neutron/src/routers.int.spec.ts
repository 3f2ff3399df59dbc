import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newContext } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { until } from '@nestack/kernel/testing';
import { FakeAgent } from './testing/fake-agent';
import { TestNeutron, admin, typeOf, type Answer, type Shown } from './testing/test-neutron';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(60_000);

const ctx = newContext();
let neutron: TestNeutron;
let agent: FakeAgent;
let external: Shown;
let externalSubnet: Shown;

beforeAll(async () => {
  neutron = await TestNeutron.start();
  ({ network: external, subnet: externalSubnet } = await neutron.wired(
    {
      cidr: '203.0.113.0/24',
      network: { 'router:external': true, 'provider:network_type': 'flat', 'provider:physical_network': 'public' },
      subnet: { enable_dhcp: false },
    },
    admin,
  ));
});

afterAll(async () => {
  await agent?.close();
  await neutron.close();
});

const action = (router: Shown, verb: string, body: unknown, as = 'p1:member') =>
  neutron.call('PUT', `/routers/${router.id}/${verb}`, { as, body });
const gone = async (...answers: Promise<Answer>[]) => {
  for (const one of await Promise.all(answers)) expect(one.status).toBe(204);
};

describe('routers', () => {
  it('lead outside by a gateway that takes an address there', async () => {
    const router = await neutron.make('router', { name: 'r', external_gateway_info: { network_id: external.id } });
    expect(router).toEqual({
      id: expect.any(String) as unknown,
      name: 'r',
      project_id: 'p1',
      tenant_id: 'p1',
      description: '',
      created_at: expect.any(String) as unknown,
      updated_at: expect.any(String) as unknown,
      revision_number: 2,
      tags: [],
      status: 'ACTIVE',
      admin_state_up: true,
      external_gateway_info: {
        network_id: external.id,
        enable_snat: true,
        external_fixed_ips: [{ subnet_id: externalSubnet.id, ip_address: '203.0.113.2' }],
      },
      routes: [],
      availability_zone_hints: [],
      availability_zones: [],
    });
    const [port] = await neutron.list('port', `?device_id=${router.id}`, admin);
    expect(port).toMatchObject({ device_owner: 'network:router_gateway', project_id: '', network_id: external.id });
    expect(typeOf(await neutron.drop('port', port?.id ?? '', admin))).toBe('ServicePortInUse');
    const snat = { external_gateway_info: { network_id: external.id, enable_snat: false } };
    expect(typeOf(await neutron.set('router', router.id, snat))).toBe('PolicyNotAuthorized');
    const unmasked = await neutron.set('router', router.id, snat, admin);
    expect(unmasked.json['router']).toMatchObject({ external_gateway_info: { enable_snat: false } });
    const cleared = await neutron.set('router', router.id, { external_gateway_info: {} });
    expect(cleared.json['router']).toMatchObject({ external_gateway_info: null });
    expect(await neutron.list('port', `?device_id=${router.id}`, admin)).toEqual([]);
    const inner = await neutron.make('network');
    const wrong = await neutron.set('router', router.id, { external_gateway_info: { network_id: inner.id } });
    expect([wrong.status, typeOf(wrong)]).toEqual([400, 'BadRequest']);
    await gone(neutron.drop('router', router.id));
  });

  it('connect subnets, each once and none that overlap', async () => {
    const router = await neutron.make('router');
    const a = await neutron.wired({ cidr: '10.1.0.0/24' });
    const overlapping = await neutron.wired({ cidr: '10.1.0.128/25' });
    const added = await action(router, 'add_router_interface', { subnet_id: a.subnet.id });
    expect([added.status, added.json]).toEqual([
      200,
      {
        id: router.id,
        project_id: 'p1',
        tenant_id: 'p1',
        network_id: a.network.id,
        port_id: expect.any(String) as unknown,
        subnet_id: a.subnet.id,
        subnet_ids: [a.subnet.id],
      },
    ]);
    const port = await neutron.show('port', String(added.json['port_id']));
    expect(port).toMatchObject({
      device_id: router.id,
      device_owner: 'network:router_interface',
      fixed_ips: [{ ip_address: '10.1.0.1' }],
      security_groups: [],
    });
    for (const [body, status, type] of [
      [{ subnet_id: a.subnet.id }, 400, 'BadRequest'],
      [{ subnet_id: overlapping.subnet.id }, 400, 'BadRequest'],
      [{ subnet_id: newUuid() }, 404, 'SubnetNotFound'],
      [{ port_id: newUuid() }, 404, 'PortNotFound'],
      [{ port_id: port.id }, 409, 'PortInUse'],
      [{}, 400, 'BadRequest'],
      [{ subnet_id: 'x' }, 400, 'HTTPBadRequest'],
    ] as const) {
      const answer = await action(router, 'add_router_interface', body);
      expect([body, answer.status, typeOf(answer)]).toEqual([body, status, type]);
    }
    expect(typeOf(await neutron.drop('router', router.id))).toBe('RouterInUse');
    expect(typeOf(await neutron.drop('subnet', a.subnet.id))).toBe('SubnetInUse');
    expect(typeOf(await neutron.set('subnet', a.subnet.id, { gateway_ip: '10.1.0.5' }))).toBe('GatewayIpInUse');
    const b = await neutron.wired({ cidr: '10.2.0.0/24' });
    const own = await neutron.make('port', { network_id: b.network.id, fixed_ips: [{ ip_address: '10.2.0.99' }] });
    expect((await action(router, 'add_router_interface', { port_id: own.id })).status).toBe(200);
    expect(typeOf(await action(router, 'remove_router_interface', { subnet_id: newUuid() }))).toBe(
      'RouterInterfaceNotFoundForSubnet',
    );
    expect(typeOf(await action(router, 'remove_router_interface', { port_id: own.id, subnet_id: a.subnet.id }))).toBe(
      'SubnetMismatchForPort',
    );
    expect((await action(router, 'remove_router_interface', { port_id: own.id })).status).toBe(200);
    expect((await neutron.call('GET', `/ports/${own.id}`)).status).toBe(404);
    expect((await action(router, 'remove_router_interface', { subnet_id: a.subnet.id })).status).toBe(200);
    await gone(neutron.drop('router', router.id), neutron.drop('network', a.network.id));
  });

  it('connect ten subnets at once', async () => {
    const router = await neutron.make('router');
    const nets = await Promise.all(
      Array.from({ length: 10 }, (_, at) => neutron.wired({ cidr: `10.3.${String(at)}.0/24` })),
    );
    const answers = await Promise.all(
      nets.map(({ subnet }) => action(router, 'add_router_interface', { subnet_id: subnet.id })),
    );
    expect(answers.map((one) => one.status)).toEqual(nets.map(() => 200));
  });

  it('have routes to neighbours, changed one by one as well', async () => {
    const router = await neutron.make('router');
    const { subnet } = await neutron.wired({ cidr: '10.4.0.0/24' });
    await action(router, 'add_router_interface', { subnet_id: subnet.id });
    const route = (third: number, nexthop = '10.4.0.9') => ({ destination: `10.50.${String(third)}.0/24`, nexthop });
    const routesOf = (answer: Answer) => (answer.json['router'] as Shown | undefined)?.['routes'] ?? typeOf(answer);
    expect(routesOf(await neutron.set('router', router.id, { routes: [route(1)] }))).toEqual([route(1)]);
    expect(routesOf(await neutron.set('router', router.id, { routes: [route(1, '10.9.0.9')] }))).toBe('InvalidRoutes');
    expect(routesOf(await neutron.set('router', router.id, { routes: [route(1, '10.4.0.1')] }))).toBe('InvalidRoutes');
    const add = await action(router, 'add_extraroutes', { router: { routes: [route(1), route(2)] } });
    expect(routesOf(add)).toEqual([route(1), route(2)]);
    const remove = await action(router, 'remove_extraroutes', { router: { routes: [route(1)] } });
    expect(routesOf(remove)).toEqual([route(2)]);
    expect(typeOf(await action(router, 'remove_router_interface', { subnet_id: subnet.id }))).toBe(
      'RouterInterfaceInUseByRoute',
    );
    expect(routesOf(await neutron.set('router', router.id, { routes: null }))).toEqual([]);
    expect((await action(router, 'remove_router_interface', { subnet_id: subnet.id })).status).toBe(200);
  });
});

describe('floating IPs', () => {
  it('stand for a port behind a router that leads to their network', async () => {
    const { network, subnet } = await neutron.wired({ cidr: '10.5.0.0/24' });
    const port = await neutron.make('port', { network_id: network.id, name: 'vm' });
    const fip = await neutron.make('floatingip', { floating_network_id: external.id });
    expect(fip).toMatchObject({
      status: 'DOWN',
      port_id: null,
      fixed_ip_address: null,
      router_id: null,
      port_details: null,
      floating_ip_address: expect.stringMatching(/^203\.0\.113\./) as unknown,
    });
    const put = (fields: Record<string, unknown>) => neutron.set('floatingip', fip.id, fields);
    expect(typeOf(await put({ port_id: port.id }))).toBe('ExternalGatewayForFloatingIPNotFound');
    const router = await neutron.make('router', { external_gateway_info: { network_id: external.id } });
    await action(router, 'add_router_interface', { subnet_id: subnet.id });
    const placed = await put({ port_id: port.id });
    expect(placed.json['floatingip']).toMatchObject({
      status: 'ACTIVE',
      port_id: port.id,
      fixed_ip_address: '10.5.0.2',
      router_id: router.id,
      port_details: { name: 'vm', network_id: network.id, status: 'DOWN' },
    });
    const second = await neutron.call('POST', '/floatingips', {
      body: { floatingip: { floating_network_id: external.id, port_id: port.id } },
    });
    expect([second.status, typeOf(second)]).toEqual([409, 'FloatingIPPortAlreadyAssociated']);
    expect(typeOf(await put({ port_id: port.id, fixed_ip_address: '10.5.0.99' }))).toBe('BadRequest');
    expect(typeOf(await action(router, 'remove_router_interface', { subnet_id: subnet.id }))).toBe(
      'RouterInterfaceInUseByFloatingIP',
    );
    expect(typeOf(await neutron.set('router', router.id, { external_gateway_info: null }))).toBe(
      'RouterExternalGatewayInUseByFloatingIp',
    );
    expect((await put({ description: 'mine' })).json['floatingip']).toMatchObject({
      port_id: port.id,
      description: 'mine',
    });
    expect((await put({ port_id: null })).json['floatingip']).toMatchObject({
      status: 'DOWN',
      port_id: null,
      fixed_ip_address: null,
      router_id: null,
    });
    await put({ port_id: port.id });
    await gone(neutron.drop('port', port.id));
    expect(await neutron.show('floatingip', fip.id)).toMatchObject({ status: 'DOWN', port_id: null });
    const address = String(fip['floating_ip_address']);
    expect(await neutron.list('floatingip', `?floating_ip_address=${address}`)).toHaveLength(1);
    await gone(neutron.drop('floatingip', fip.id));
    expect(await neutron.list('port', '?device_owner=network:floatingip', admin)).toEqual([]);
    await action(router, 'remove_router_interface', { subnet_id: subnet.id });
    await gone(neutron.drop('router', router.id));
  });

  it('come from external networks, from the end of which there are none left', async () => {
    const make = (fields: Record<string, unknown>, as = 'p1:member') =>
      neutron.call('POST', '/floatingips', { as, body: { floatingip: fields } });
    const inner = await neutron.wired({ cidr: '10.6.0.0/24' });
    expect(typeOf(await make({ floating_network_id: inner.network.id }))).toBe('BadRequest');
    expect(typeOf(await make({ floating_network_id: newUuid() }))).toBe('NetworkNotFound');
    expect(typeOf(await make({}))).toBe('HTTPBadRequest');
    const from = (subnet_id: string) => make({ floating_network_id: external.id, subnet_id });
    expect(typeOf(await from(external.id))).toBe('SubnetNotFound');
    expect(typeOf(await from(inner.subnet.id))).toBe('InvalidInput');
    const named = { floating_network_id: external.id, floating_ip_address: '203.0.113.200' };
    expect((await make(named)).status).toBe(403);
    const given = await make(named, 'admins:admin');
    expect(given.json['floatingip']).toMatchObject({ floating_ip_address: '203.0.113.200' });
    const small = await neutron.wired(
      { cidr: '198.51.100.0/29', network: { 'router:external': true }, subnet: { enable_dhcp: false } },
      admin,
    );
    const many = await Promise.all(Array.from({ length: 8 }, () => make({ floating_network_id: small.network.id })));
    expect(many.filter((one) => one.status === 201)).toHaveLength(5);
    expect(new Set(many.filter((one) => one.status !== 201).map(typeOf))).toEqual(
      new Set(['IpAddressGenerationFailure']),
    );
    // Floating IPs that lead nowhere go with their network.
    await gone(neutron.drop('network', small.network.id, admin));
    expect(await neutron.list('floatingip', `?floating_network_id=${small.network.id}`, admin)).toEqual([]);
  });
});

describe('hosts that carry routers', () => {
  it('are told of them, read them whole and report what floating IPs became', async () => {
    agent = await FakeAgent.start(`l3-${newUuid().slice(0, 8)}`);
    await agent.report();
    const { network, subnet } = await neutron.wired({ cidr: '10.7.0.0/24' });
    const router = await neutron.make('router', { external_gateway_info: { network_id: external.id } });
    await until('an agent takes the router', async () => {
      const { json } = await neutron.call('GET', `/routers/${router.id}/l3-agents`, admin);
      return (json['agents'] as Shown[])[0]?.['host'] === agent.host;
    });
    await action(router, 'add_router_interface', { subnet_id: subnet.id });
    await until('the host hears of it', () =>
      agent.told('routers_updated').some((args) => (args['routers'] as string[]).includes(router.id)),
    );
    const port = await neutron.make('port', { network_id: network.id });
    const fip = await neutron.make('floatingip', { floating_network_id: external.id, port_id: port.id });
    expect(fip['status']).toBe('DOWN');
    const { routers } = await agent.plugin.sync_routers(ctx, { host: agent.host, router_ids: [router.id, newUuid()] });
    expect(routers).toMatchObject([
      {
        id: router.id,
        enable_snat: true,
        gateway_port: {
          network: { id: external.id, network_type: 'flat', physical_network: 'public' },
          fixed_ips: [{ prefixlen: 24 }],
          subnets: [{ gateway_ip: '203.0.113.1' }],
        },
        interfaces: [{ network: { id: network.id }, fixed_ips: [{ ip_address: '10.7.0.1', prefixlen: 24 }] }],
        floating_ips: [
          {
            id: fip.id,
            floating_ip_address: fip['floating_ip_address'],
            fixed_ip_address: (port['fixed_ips'] as { ip_address: string }[])[0]?.ip_address,
            port_id: port.id,
          },
        ],
      },
    ]);
    const ports = await neutron.list('port', `?device_id=${router.id}`, admin);
    expect(ports.map((one) => one['binding:host_id'])).toEqual([agent.host, agent.host]);
    await agent.plugin.update_floatingip_statuses(ctx, {
      host: agent.host,
      router_id: router.id,
      fip_statuses: { [fip.id]: 'ACTIVE' },
    });
    expect((await neutron.show('floatingip', fip.id))['status']).toBe('ACTIVE');
    const elsewhere = await agent.plugin.sync_routers(ctx, { host: 'elsewhere', router_ids: null });
    expect(elsewhere.routers).toEqual([]);
    const [l3] = await neutron.list('agent', `?host=${agent.host}&agent_type=L3%20agent`, admin);
    const path = `/agents/${l3?.id ?? ''}/l3-routers`;
    expect((await neutron.call('GET', path, admin)).json['routers']).toContainEqual(
      expect.objectContaining({ id: router.id }),
    );
    expect((await neutron.call('DELETE', `${path}/${router.id}`, admin)).status).toBe(204);
    expect((await neutron.show('floatingip', fip.id))['status']).toBe('DOWN');
    expect((await neutron.call('POST', path, { ...admin, body: { router_id: router.id } })).status).toBe(201);
  });
});
