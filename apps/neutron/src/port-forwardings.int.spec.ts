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
let router: Shown;
let subnet: Shown;
let port: Shown;
let other: Shown;
let fip: Shown;

beforeAll(async () => {
  neutron = await TestNeutron.start();
  ({ network: external } = await neutron.wired(
    { cidr: '203.0.113.0/24', network: { 'router:external': true }, subnet: { enable_dhcp: false } },
    admin,
  ));
  agent = await FakeAgent.start(`h-${newUuid().slice(0, 8)}`);
  await agent.report({ bridgeMappings: { public: 'br-ex' } });
  const wired = await neutron.wired({ cidr: '10.7.0.0/24' });
  subnet = wired.subnet;
  router = await neutron.make('router', { external_gateway_info: { network_id: external.id } });
  await neutron.call('PUT', `/routers/${router.id}/add_router_interface`, { body: { subnet_id: subnet.id } });
  const at = (ip_address: string) => ({ network_id: wired.network.id, fixed_ips: [{ ip_address }] });
  port = await neutron.make('port', at('10.7.0.20'));
  other = await neutron.make('port', at('10.7.0.21'));
  fip = await neutron.make('floatingip', { floating_network_id: external.id });
});

afterAll(async () => {
  await agent.close();
  await neutron.close();
});

const tcp = (outer: unknown, inner: unknown, more: Record<string, unknown> = {}) => ({
  protocol: 'tcp',
  [typeof outer === 'number' ? 'external_port' : 'external_port_range']: outer,
  [typeof inner === 'number' ? 'internal_port' : 'internal_port_range']: inner,
  internal_port_id: port.id,
  internal_ip_address: '10.7.0.20',
  ...more,
});
const path = (id = '') => `/floatingips/${fip.id}/port_forwardings${id === '' ? '' : `/${id}`}`;
const add = (fields: Record<string, unknown>) => neutron.call('POST', path(), { body: { port_forwarding: fields } });
const change = (id: string, fields: Record<string, unknown>) =>
  neutron.call('PUT', path(id), { body: { port_forwarding: fields } });
const of = (answer: Answer) => answer.json['port_forwarding'] as Shown;
const routerInfo = async () => {
  const { routers } = await agent.plugin.sync_routers(ctx, { host: agent.host, router_ids: [router.id] });
  return routers[0];
};
const list = async (query = '') => (await neutron.call('GET', `${path()}${query}`)).json['port_forwardings'] as Shown[];

describe('port forwardings', () => {
  it('lead single ports and ranges of a floating IP to a guest, and the host hears of them', async () => {
    const one = await add(tcp(2222, 22, { description: 'ssh' }));
    expect([one.status, of(one)]).toEqual([
      201,
      {
        id: expect.any(String) as unknown,
        description: 'ssh',
        protocol: 'tcp',
        external_port: 2222,
        external_port_range: '2222:2222',
        internal_port: 22,
        internal_port_range: '22:22',
        internal_port_id: port.id,
        internal_ip_address: '10.7.0.20',
      },
    ]);
    const range = of(await add(tcp('8000:8002', '9000:9002')));
    expect(range).toMatchObject({ external_port_range: '8000:8002', internal_port_range: '9000:9002' });
    expect(range).not.toHaveProperty('external_port');
    const shown = await neutron.show('floatingip', fip.id);
    expect(shown).toMatchObject({
      port_id: null,
      fixed_ip_address: null,
      router_id: router.id,
      port_forwardings: [
        {
          id: of(one).id,
          protocol: 'tcp',
          external_port: 2222,
          internal_port: 22,
          internal_port_id: port.id,
          internal_ip_address: '10.7.0.20',
        },
        { id: range.id, external_port: null, internal_port: null },
      ],
    });
    const info = await routerInfo();
    expect(info?.floating_ips).toEqual([]);
    const target = { protocol: 'tcp', internal_ip_address: '10.7.0.20' };
    expect(info?.forwarding_ips).toMatchObject([{ id: fip.id, floating_ip_address: fip['floating_ip_address'] }]);
    expect(info?.forwarding_ips?.[0]?.forwardings).toEqual(
      expect.arrayContaining([
        { ...target, external_ports: [2222, 2222], internal_ports: [22, 22] },
        { ...target, external_ports: [8000, 8002], internal_ports: [9000, 9002] },
      ]),
    );
    const statuses = { host: agent.host, router_id: router.id, fip_statuses: { [fip.id]: 'ACTIVE' } };
    await agent.plugin.update_floatingip_statuses(ctx, statuses);
    expect(await neutron.show('floatingip', fip.id)).toMatchObject({ status: 'ACTIVE' });
    expect((await list('?external_port=2222')).map(({ id }) => id)).toEqual([of(one).id]);
    expect((await list(`?protocol=tcp&internal_port_id=${port.id}`)).length).toBe(2);
    expect(await list('?protocol=udp')).toEqual([]);
    const page = await neutron.call('GET', `${path()}?limit=1&sort_key=external_port_range&sort_dir=asc`);
    expect(page.json['port_forwardings_links']).toEqual([
      { rel: 'next', href: expect.stringContaining(`/v2.0${path()}?`) as unknown },
      { rel: 'previous', href: expect.stringContaining(`/v2.0${path()}?`) as unknown },
    ]);
  });

  it('refuse ports that collide, do not match or are none, and what no router reaches', async () => {
    const lone = await neutron.wired({ cidr: '10.8.0.0/24' });
    const far = await neutron.make('port', { network_id: lone.network.id, fixed_ips: [{ ip_address: '10.8.0.9' }] });
    const refusals: [Record<string, unknown>, number, string][] = [
      [tcp(2222, 23), 400, 'BadRequest'],
      [tcp(8001, 23), 400, 'BadRequest'],
      [tcp(3000, 9001), 400, 'BadRequest'],
      [tcp('3000:3004', '4000:4002'), 400, 'BadRequest'],
      [tcp('3004:3000', 5000), 400, 'HTTPBadRequest'],
      [tcp(70_000, 22), 400, 'HTTPBadRequest'],
      [tcp(3000, 5000, { protocol: 'icmp' }), 400, 'HTTPBadRequest'],
      [{ ...tcp(3000, 5000), internal_ip_address: undefined }, 400, 'HTTPBadRequest'],
      [tcp(null, 5000), 400, 'BadRequest'],
      [tcp(3000, 5000, { internal_ip_address: '10.7.0.99' }), 400, 'BadRequest'],
      [tcp(3000, 5000, { internal_port_id: newUuid() }), 404, 'PortNotFound'],
      [tcp(3000, 5000, { internal_port_id: far.id, internal_ip_address: '10.8.0.9' }), 400, 'BadRequest'],
    ];
    const wrong: unknown[] = [];
    for (const [fields, status, type] of refusals) {
      const answer = await add(fields);
      if (answer.status !== status || typeOf(answer) !== type) wrong.push([fields, answer.status, answer.json]);
    }
    expect(wrong).toEqual([]);
    // The same ports of another protocol are others.
    const udp = of(await add(tcp(2222, 22, { protocol: 'udp' })));
    expect((await change(udp.id, { protocol: 'tcp' })).status).toBe(400);
    expect((await neutron.call('DELETE', path(udp.id))).status).toBe(204);
    expect((await neutron.call('GET', path(udp.id))).status).toBe(404);
  });

  it('and a floating IP on a port exclude each other', async () => {
    const associated = await neutron.set('floatingip', fip.id, { port_id: other.id });
    expect([associated.status, typeOf(associated)]).toEqual([409, 'FipInUseByPortForwarding']);
    const dropped = await neutron.drop('floatingip', fip.id);
    expect([dropped.status, typeOf(dropped)]).toEqual([409, 'FipInUseByPortForwarding']);
    // Nothing is lost where nothing was on a port.
    const freed = await neutron.set('floatingip', fip.id, { port_id: null });
    expect(freed.json['floatingip']).toMatchObject({ router_id: router.id });
    const whole = await neutron.make('floatingip', { floating_network_id: external.id, port_id: other.id });
    const bound = await add(tcp(3000, 22, { internal_port_id: other.id, internal_ip_address: '10.7.0.21' }));
    expect([bound.status, typeOf(bound)]).toEqual([409, 'PortHasBindingFloatingIP']);
    const on = await neutron.call('POST', `/floatingips/${whole.id}/port_forwardings`, {
      body: { port_forwarding: tcp(3000, 23) },
    });
    expect([on.status, typeOf(on)]).toEqual([409, 'FloatingIPPortAlreadyAssociated']);
    await neutron.drop('floatingip', whole.id);
    const held = await neutron.call('PUT', `/routers/${router.id}/remove_router_interface`, {
      body: { subnet_id: subnet.id },
    });
    expect([held.status, typeOf(held)]).toEqual([409, 'RouterInterfaceInUseByFloatingIP']);
    const gateway = await neutron.set('router', router.id, { external_gateway_info: {} });
    expect([gateway.status, typeOf(gateway)]).toEqual([409, 'RouterExternalGatewayInUseByFloatingIp']);
  });

  it('change, and go with their port', async () => {
    const [one] = await list('?external_port=2222');
    const moved = await change(one?.id ?? '', {
      internal_port_id: other.id,
      internal_ip_address: '10.7.0.21',
      external_port: 2200,
    });
    expect(of(moved)).toMatchObject({ external_port: 2200, internal_port: 22, internal_ip_address: '10.7.0.21' });
    expect((await change(one?.id ?? '', { internal_ip_address: '10.7.0.99' })).status).toBe(400);
    await neutron.drop('port', port.id);
    expect((await list()).map(({ id }) => id)).toEqual([one?.id]);
    // The port's address was all that they were for.
    await neutron.set('port', other.id, { fixed_ips: [{ ip_address: '10.7.0.30' }] });
    expect(await list()).toEqual([]);
    expect(await neutron.show('floatingip', fip.id)).toMatchObject({ router_id: null, status: 'DOWN' });
    await until('the host', async () => (await routerInfo())?.forwarding_ips?.length === 0);
    const again = of(await add(tcp(22, 22, { internal_port_id: other.id, internal_ip_address: '10.7.0.30' })));
    expect((await neutron.call('DELETE', path(again.id))).status).toBe(204);
    expect((await neutron.drop('floatingip', fip.id)).status).toBe(204);
  });
});
