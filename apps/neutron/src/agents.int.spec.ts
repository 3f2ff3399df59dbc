import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newContext } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { until } from '@nestack/kernel/testing';
import { AGENT_TYPE } from '@nestack/neutron/contract';
import { FakeAgent } from './testing/fake-agent';
import { TestNeutron, admin, typeOf, type Shown } from './testing/test-neutron';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(60_000);

const ctx = newContext();
let neutron: TestNeutron;
let agent: FakeAgent;
let other: FakeAgent;

beforeAll(async () => {
  neutron = await TestNeutron.start({ mechanism_driver: 'linuxbridge' });
  agent = await FakeAgent.start(`h1-${newUuid().slice(0, 8)}`);
  other = await FakeAgent.start(`h2-${newUuid().slice(0, 8)}`);
});

afterAll(async () => {
  await agent.close();
  await other.close();
  await neutron.close();
});

const ips = (port: Shown | undefined) => (port?.['fixed_ips'] as { ip_address: string }[]).map((one) => one.ip_address);
const service = { as: 'service:service' };

/** A server's port on a host, as nova makes it. */
async function bound(networkId: string, host: string, server = newUuid()): Promise<Shown> {
  return neutron.make(
    'port',
    {
      network_id: networkId,
      project_id: 'p1',
      device_id: server,
      device_owner: 'compute:nova',
      'binding:host_id': host,
    },
    service,
  );
}

describe('before any agent lives', () => {
  it('bindings fail, and networks wait for a DHCP server', async () => {
    const { network } = await neutron.wired();
    const port = await bound(network.id, agent.host);
    expect(port).toMatchObject({ 'binding:vif_type': 'binding_failed', status: 'DOWN' });
    await neutron.drop('port', port.id, service);
    expect((await neutron.call('GET', `/networks/${network.id}/dhcp-agents`, admin)).json).toEqual({ agents: [] });
    await agent.report();
    await until('the network is served', async () => {
      const { json } = await neutron.call('GET', `/networks/${network.id}/dhcp-agents`, admin);
      return (json['agents'] as unknown[]).length === 1;
    });
    await until('the agent was told', () => agent.told('network_update_end').length > 0);
  });
});

describe('agents', () => {
  it('are listed with their state, for administrators', async () => {
    await until('all have reported', async () => (await neutron.list('agent', '', admin)).length === 4);
    const agents = await neutron.list('agent', '', admin);
    const date = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/) as unknown;
    expect(agents.find((one) => one['agent_type'] === AGENT_TYPE.dhcp)).toMatchObject({
      alive: true,
      admin_state_up: true,
      availability_zone: 'nova',
      host: agent.host,
      created_at: date,
      heartbeat_timestamp: date,
    });
    expect(await neutron.list('agent', '?alive=False', admin)).toEqual([]);
    expect(await neutron.list('agent', `?host=${agent.host}&binary=neutron-dhcp-agent`, admin)).toHaveLength(1);
    expect(await neutron.list('agent')).toEqual([]);
    expect((await neutron.call('GET', `/agents/${agents[0]?.id ?? ''}`)).status).toBe(404);
    const zones = await neutron.list('availability_zone', '', { as: 'p1:reader' });
    expect(zones).toEqual([
      { name: 'nova', resource: 'network', state: 'available' },
      { name: 'nova', resource: 'router', state: 'available' },
    ]);
    const [one] = agents;
    const changed = await neutron.set('agent', one?.id ?? '', { admin_state_up: false, description: 'tired' }, admin);
    expect(changed.json['agent']).toMatchObject({ admin_state_up: false, description: 'tired' });
    await neutron.set('agent', one?.id ?? '', { admin_state_up: true }, admin);
  });

  it('wire no ports of a physical network that is not in their bridge mappings', async () => {
    const lab = newUuid();
    const flat = { 'provider:network_type': 'flat', 'provider:physical_network': lab, shared: true };
    const { id: network } = await neutron.make('network', flat, admin);
    const far = await bound(network, agent.host);
    expect(far).toMatchObject({ 'binding:vif_type': 'binding_failed', status: 'DOWN' });
    const inactive = { binding: { host: agent.host } };
    const free = await neutron.make('port', { network_id: network, project_id: 'p1' }, service);
    const refused = await neutron.call('POST', `/ports/${free.id}/bindings`, { ...service, body: inactive });
    expect([refused.status, Object.values(refused.json)[0]]).toMatchObject([409, { type: 'PortBindingError' }]);
    await agent.report({ bridgeMappings: { [lab]: 'br-lab' }, start: false });
    // A binding that failed is tried again with the next change.
    const near = await neutron.set('port', far.id, { name: 'again' }, service);
    expect(near.json['port']).toMatchObject({ 'binding:vif_type': 'bridge' });
    await agent.report({ start: false });
    for (const { id } of [far, free]) await neutron.drop('port', id, service);
    await neutron.drop('network', network, admin);
  });

  it('serve DHCP: a port with the first address, gone with its subnet', async () => {
    const { network, subnet } = await neutron.wired({ cidr: '10.1.0.0/24' });
    const find = () => neutron.list('port', `?network_id=${network.id}&device_owner=network:dhcp`, admin);
    const [port] = await find();
    expect(port).toMatchObject({
      project_id: 'p1',
      device_id: expect.stringMatching(new RegExp(`^dhcp[0-9a-f-]{36}-${network.id}$`)) as unknown,
      security_groups: [],
      port_security_enabled: false,
      'binding:host_id': agent.host,
      'binding:vif_type': 'bridge',
    });
    expect(ips(port)).toEqual(['10.1.0.2']);
    const second = await neutron.make('subnet', { network_id: network.id, ip_version: 4, cidr: '10.2.0.0/24' });
    expect(ips((await find())[0])).toEqual(['10.1.0.2', '10.2.0.2']);
    const { network: served } = await agent.plugin.get_network_info(ctx, { host: agent.host, network_id: network.id });
    expect(served).toMatchObject({
      dhcp_port_id: port?.id,
      subnets: [
        { cidr: '10.1.0.0/24', gateway_ip: '10.1.0.1', enable_dhcp: true },
        { cidr: '10.2.0.0/24', gateway_ip: '10.2.0.1', enable_dhcp: true },
      ],
      network: { id: network.id, network_type: 'vxlan', mtu: 1450, tunnel_endpoints: ['192.0.2.1'] },
    });
    const guest = await neutron.make('port', { network_id: network.id });
    await until('DHCP hears of the guest', () =>
      agent.told('port_update_end').some((args) => (args['port'] as { id: string }).id === guest.id),
    );
    await neutron.drop('port', guest.id);
    await until('DHCP hears of its end', () =>
      agent.told('port_delete_end').some((args) => args['port_id'] === guest.id),
    );
    await neutron.set('subnet', second.id, { enable_dhcp: false });
    expect(ips((await find())[0])).toEqual(['10.1.0.2']);
    expect((await neutron.drop('subnet', subnet.id)).status).toBe(204);
    expect(await find()).toEqual([]);
    const gone = await agent.plugin.get_network_info(ctx, { host: agent.host, network_id: network.id });
    expect(gone.network).toBeNull();
    expect((await neutron.drop('network', network.id)).status).toBe(204);
    await until('all hear of the end', () =>
      other.told('network_delete').some((args) => args['network_id'] === network.id),
    );
  });

  it('are given networks and robbed of them by administrators', async () => {
    const { network } = await neutron.wired({ cidr: '10.3.0.0/24' });
    await other.report({ types: [AGENT_TYPE.dhcp, AGENT_TYPE.linuxBridge], ip: '192.0.2.2' });
    let id = '';
    await until('the other agent lives', async () => {
      const found = await neutron.list(
        'agent',
        `?host=${other.host}&agent_type=${encodeURIComponent(AGENT_TYPE.dhcp)}`,
        admin,
      );
      id = found[0]?.id ?? '';
      return id !== '';
    });
    const path = `/agents/${id}/dhcp-networks`;
    const add = () => neutron.call('POST', path, { ...admin, body: { network_id: network.id } });
    expect((await add()).status).toBe(201);
    expect(typeOf(await add())).toBe('NetworkHostedByDHCPAgent');
    expect((await neutron.call('GET', path, admin)).json['networks']).toMatchObject([{ id: network.id }]);
    const servers = await neutron.list('port', `?network_id=${network.id}&device_owner=network:dhcp`, admin);
    expect(servers.map((one) => one['binding:host_id']).sort()).toEqual([agent.host, other.host].sort());
    expect((await neutron.call('DELETE', `${path}/${network.id}`, admin)).status).toBe(204);
    expect(typeOf(await neutron.call('DELETE', `${path}/${network.id}`, admin))).toBe('NetworkNotHostedByDhcpAgent');
    expect(await neutron.list('port', `?network_id=${network.id}&device_owner=network:dhcp`, admin)).toHaveLength(1);
  });

  it('serve a flat network where its physical network is, however much they serve already', async () => {
    await agent.report({ start: false, bridgeMappings: { public: 'br-ex' } });
    const flat = { 'provider:network_type': 'flat', 'provider:physical_network': 'public' };
    const network = await neutron.make('network', flat, admin);
    await neutron.make('subnet', { network_id: network.id, ip_version: 4, cidr: '10.4.0.0/24' }, admin);
    const [server] = await neutron.list('port', `?network_id=${network.id}&device_owner=network:dhcp`, admin);
    expect(server?.['binding:host_id']).toBe(agent.host);
    const { network: tunnelled } = await neutron.wired({ cidr: '10.4.1.0/24' });
    const [further] = await neutron.list('port', `?network_id=${tunnelled.id}&device_owner=network:dhcp`, admin);
    expect(further?.['binding:host_id']).toBe(other.host);
    for (const one of [network, tunnelled]) {
      const subnets = await neutron.list('subnet', `?network_id=${one.id}`, admin);
      for (const { id } of subnets) await neutron.drop('subnet', id, admin);
      await neutron.drop('network', one.id, admin);
    }
    await agent.report({ start: false });
  });
});

describe('ports of servers', () => {
  it('become ACTIVE when their host says so, and nova is told', async () => {
    const { network } = await neutron.wired({ cidr: '10.4.0.0/24' });
    const server = newUuid();
    await bound(network.id, agent.host);
    const port = await bound(network.id, other.host, server);
    expect(port).toMatchObject({
      status: 'DOWN',
      'binding:vif_type': 'bridge',
      'binding:vif_details': { port_filter: true, bridge_name: `brq${network.id.slice(0, 11)}` },
    });
    await until('the host hears of it', () => other.told('port_update').some((args) => args['port_id'] === port.id));
    await until('others send there', () =>
      agent.told('network_update').some((args) => args['network_id'] === network.id),
    );
    const { devices } = await other.plugin.get_devices_details_list_and_failed_devices(ctx, {
      host: other.host,
      devices: [`tap${port.id.slice(0, 11)}`],
    });
    expect(devices).toMatchObject([
      {
        port_id: port.id,
        device: `tap${port.id.slice(0, 11)}`,
        mac_address: port['mac_address'],
        fixed_ips: port['fixed_ips'],
        port_security_enabled: true,
        security_groups: port['security_groups'],
        network: { tunnel_endpoints: ['192.0.2.1', '192.0.2.2'] },
      },
    ]);
    const elsewhere = await agent.plugin.get_devices_details_list_and_failed_devices(ctx, {
      host: agent.host,
      devices: [port.id],
    });
    expect(elsewhere.devices).toEqual([]);
    await agent.plugin.update_device_up(ctx, { host: agent.host, port_id: port.id });
    expect((await neutron.show('port', port.id))['status']).toBe('DOWN');
    await other.plugin.update_device_up(ctx, { host: other.host, port_id: port.id });
    await other.plugin.update_device_up(ctx, { host: other.host, port_id: port.id });
    expect((await neutron.show('port', port.id))['status']).toBe('ACTIVE');
    const told = () => neutron.neighbours.events.filter((one) => one.server_uuid === server).map((one) => one.name);
    await until('nova is told', () => told().length > 0);
    await other.plugin.update_device_down(ctx, { host: other.host, port_id: port.id });
    await until('nova is told again', () => told().length > 1);
    await neutron.drop('port', port.id, service);
    await until('nova is told of the end', () => told().length > 2);
    expect(told()).toEqual(['network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted']);
  });

  it('move to another host', async () => {
    const { network } = await neutron.wired({ cidr: '10.5.0.0/24' });
    const port = await bound(network.id, agent.host);
    await agent.plugin.update_device_up(ctx, { host: agent.host, port_id: port.id });
    const moved = await neutron.set('port', port.id, { 'binding:host_id': other.host }, service);
    expect(moved.json['port']).toMatchObject({ 'binding:host_id': other.host, status: 'DOWN' });
    for (const one of [agent, other])
      await until('both hosts hear of it', () => one.told('port_update').some((args) => args['port_id'] === port.id));
    const bindings = `/ports/${port.id}/bindings`;
    const made = await neutron.call('POST', bindings, { ...service, body: { binding: { host: agent.host } } });
    expect([made.status, made.json]).toEqual([
      201,
      { binding: expect.objectContaining({ host: agent.host, status: 'INACTIVE', vif_type: 'bridge' }) as unknown },
    ]);
    expect((await neutron.call('GET', bindings, service)).json['bindings']).toHaveLength(2);
    const active = await neutron.call('PUT', `${bindings}/${agent.host}/activate`, service);
    expect(active.json['binding']).toMatchObject({ host: agent.host, status: 'ACTIVE' });
    expect(await neutron.show('port', port.id, admin)).toMatchObject({ 'binding:host_id': agent.host });
    expect((await neutron.call('DELETE', `${bindings}/${other.host}`, service)).status).toBe(204);
    expect(typeOf(await neutron.call('DELETE', `${bindings}/${other.host}`, service))).toBe('PortBindingNotFound');
    const unbound = await neutron.set(
      'port',
      port.id,
      { 'binding:host_id': '', device_id: '', device_owner: '' },
      service,
    );
    expect(unbound.json['port']).toMatchObject({ 'binding:vif_type': 'unbound', status: 'DOWN' });
  });

  it('are deleted while their host wires them: nothing is left, nobody errs', async () => {
    const { network } = await neutron.wired({ cidr: '10.6.0.0/24' });
    const ports = await Promise.all(Array.from({ length: 10 }, () => bound(network.id, agent.host)));
    const answers = await Promise.all(
      ports.flatMap((port) => [
        neutron.drop('port', port.id, service).then((one) => one.status),
        agent.plugin.update_device_up(ctx, { host: agent.host, port_id: port.id }).then(() => 204),
      ]),
    );
    expect(new Set(answers)).toEqual(new Set([204]));
    expect(await neutron.list('port', `?network_id=${network.id}&device_owner=compute:nova`, admin)).toEqual([]);
    expect((await neutron.drop('network', network.id)).status).toBe(204);
  });

  it('are filtered by groups whose rules and members hosts ask for', async () => {
    const { network } = await neutron.wired({ cidr: '10.7.0.0/24' });
    const web = await neutron.make('security_group', { name: 'web' });
    const rule = await neutron.make('security_group_rule', {
      security_group_id: web.id,
      direction: 'ingress',
      protocol: 'tcp',
      port_range_min: 80,
      port_range_max: 80,
      remote_group_id: web.id,
    });
    await until('hosts hear of the rule', () =>
      agent.told('security_groups_rule_updated').some((args) => (args['security_groups'] as string[]).includes(web.id)),
    );
    const port = await neutron.make('port', { network_id: network.id, security_groups: [web.id] });
    await until('hosts hear of the member', () =>
      agent
        .told('security_groups_member_updated')
        .some((args) => (args['security_groups'] as string[]).includes(web.id)),
    );
    const { security_groups: groups } = await agent.plugin.security_group_info_for_devices(ctx, {
      security_groups: [web.id, newUuid()],
    });
    expect(groups).toHaveLength(1);
    expect(groups[0]?.members).toEqual(ips(port));
    expect(groups[0]?.rules).toHaveLength(3);
    expect(groups[0]?.rules).toContainEqual({
      direction: 'ingress',
      ethertype: 'IPv4',
      protocol: 'tcp',
      port_range_min: 80,
      port_range_max: 80,
      remote_ip_prefix: null,
      remote_group_id: web.id,
    });
    expect((await neutron.drop('security_group_rule', rule.id)).status).toBe(204);
  });
});

describe('hosts that fall silent', () => {
  it('lose their networks and routers to those that live', async () => {
    const own = await TestNeutron.start({ mechanism_driver: 'linuxbridge', agent_down_time: 2 });
    const beat = setInterval(() => void other.report({ start: false, ip: '192.0.2.2' }).catch(() => undefined), 500);
    try {
      // The first server is not asked meanwhile: both read the same queue.
      await neutron.down();
      await agent.report();
      await until(
        'the first host is known',
        async () => (await own.list('agent', `?host=${agent.host}`, admin)).length === 4,
      );
      const { network } = await own.wired({ cidr: '10.9.0.0/24' });
      const router = await own.make('router');
      const hostOf = async (path: string) =>
        ((await own.call('GET', path, admin)).json['agents'] as Shown[])[0]?.['host'];
      await until(
        'the living host has the network',
        async () => (await hostOf(`/networks/${network.id}/dhcp-agents`)) === other.host,
      );
      const [server] = await own.list('port', `?network_id=${network.id}&device_owner=network:dhcp`, admin);
      expect(server?.['binding:host_id']).toBe(other.host);
      expect(router['status']).toBe('ACTIVE');
    } finally {
      clearInterval(beat);
      await own.close();
      await neutron.up();
    }
  });
});
