import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type RunningApp } from '@nestack/kernel/app';
import { newContext } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { startDaemon, stopPid, tryRun, waitFor } from '@nestack/kernel/process';
import type { RpcClient } from '@nestack/kernel/rpc';
import { testBrokerUrl } from '@nestack/kernel/testing';
import {
  L3AgentRpc,
  dhcpNamespace,
  routerNamespace,
  tapName,
  type DeviceDetails,
  type NetworkInfo,
  type RouterInfo,
  type SubnetInfo,
} from '@nestack/neutron/contract';
import { Guest, Hosts, whatIsMissing, writeDhcpScript } from '../test/hosts';
import { ServerState, serverStub } from '../test/server-stub';

const missing = await whatIsMissing();
if (missing !== null) process.stdout.write(`left out: routers on real networks need ${missing}\n`);
const describeReal = missing === null ? describe : describe.skip;

const url = testBrokerUrl();
const cloud = `r${newUuid().slice(0, 6)}`;
const ctx = newContext();
const stateDir = mkdtempSync(path.join(tmpdir(), 'nr-'));
const hosts = new Hosts(cloud, ['one', 'two'], stateDir, url);
const state = new ServerState();

function network(type: string, tunnels: boolean): NetworkInfo {
  return {
    id: newUuid(),
    project_id: 'p1',
    network_type: type,
    segmentation_id: type === 'vxlan' ? 50_000 + Math.floor(Math.random() * 10_000) : null,
    physical_network: type === 'flat' ? 'public' : null,
    mtu: type === 'vxlan' ? 1450 : 1500,
    admin_state_up: true,
    tunnel_endpoints: tunnels ? ['one', 'two'].map((name) => hosts.address(name)) : [],
  };
}

function subnet(id: string, cidr: string, gateway: string, more: Partial<SubnetInfo> = {}): SubnetInfo {
  return {
    id,
    cidr,
    ip_version: cidr.includes(':') ? 6 : 4,
    gateway_ip: gateway,
    enable_dhcp: true,
    dns_nameservers: [],
    host_routes: [],
    ipv6_address_mode: null,
    ipv6_ra_mode: null,
    ...more,
  };
}

const inner = network('vxlan', true);
const second = network('vxlan', true);
const outside = network('flat', false);
const v4 = subnet('s4', '10.7.0.0/24', '10.7.0.1');
const v6 = subnet('s6', 'fd00:7::/64', 'fd00:7::1', { ipv6_ra_mode: 'slaac', ipv6_address_mode: 'slaac' });
const other = subnet('o4', '10.6.0.0/24', '10.6.0.1', { enable_dhcp: false });
const external = subnet('x4', '198.51.100.0/24', '198.51.100.1');

const settings = { bridge_mappings: { public: 'ext0' }, nova_metadata_url: `http://${hosts.prefix}.254:8775` };

let mac = 0;
const nextMac = (): string => `fa:16:3e:00:07:${(++mac).toString(16).padStart(2, '0')}`;

function routerPort(on: NetworkInfo, subnets: SubnetInfo[], addresses: string[]): RouterInfo['interfaces'][number] {
  return {
    id: newUuid(),
    mac_address: nextMac(),
    network: on,
    fixed_ips: subnets.map((one, at) => ({
      subnet_id: one.id,
      ip_address: addresses[at] ?? '',
      prefixlen: Number(one.cidr.split('/')[1]),
    })),
    subnets,
  };
}

const router: RouterInfo = {
  id: newUuid(),
  project_id: 'p1',
  admin_state_up: true,
  enable_snat: true,
  gateway_port: routerPort(outside, [external], ['198.51.100.10']),
  interfaces: [routerPort(inner, [v4, v6], ['10.7.0.1', 'fd00:7::1'])],
  routes: [],
  floating_ips: [],
  revision_number: 1,
};

function guestPort(on: NetworkInfo, address: string): DeviceDetails {
  const id = newUuid();
  return {
    port_id: id,
    device: tapName(id),
    network: on,
    project_id: 'p1',
    mac_address: nextMac(),
    admin_state_up: true,
    fixed_ips: [{ subnet_id: 's4', ip_address: address }],
    device_id: newUuid(),
    device_owner: 'compute:nova',
    port_security_enabled: false,
    allowed_address_pairs: [],
    security_groups: [],
  };
}

describeReal('a router', () => {
  let server: RunningApp;
  let bell: RpcClient<typeof L3AgentRpc>;
  let guest: Guest;
  let neighbour: Guest;
  const script = path.join(stateDir, 'lease.sh');
  const dhcpPort = newUuid();
  const nova = createServer((message, response) => {
    response.end(`instance ${String(message.headers['x-instance-id'])}`);
  });

  async function change(to: RouterInfo | null): Promise<void> {
    if (to === null) state.routers.delete(router.id);
    else state.routers.set(router.id, { host: `${cloud}-one`, router: to });
    await bell.routers_updated(ctx, { routers: [router.id] }, { host: `${cloud}-one` });
  }

  const fromOutside = async (address: string) =>
    (await tryRun('nsenter', [`--net=/run/netns/${hosts.netns('one')}`, '--', 'ping', '-c', '1', '-W', '1', address]))
      .code === 0;

  beforeAll(async () => {
    writeDhcpScript(script);
    await hosts.prepare();
    // The physical network: a bridge of the first host, on which it is itself the next hop.
    await hosts.inHost('one', 'ip', 'link', 'add', 'ext0', 'type', 'bridge');
    await hosts.inHost('one', 'ip', 'addr', 'add', '198.51.100.1/24', 'dev', 'ext0');
    await hosts.inHost('one', 'ip', 'link', 'set', 'ext0', 'up');
    await hosts.inHost('one', 'ip', 'addr', 'add', '192.0.2.1/32', 'dev', 'lo');
    await new Promise<void>((done) => nova.listen(8775, `${hosts.prefix}.254`, done));
    server = await startApp(serverStub(state), { host: 'controller', broker: { url }, log_level: 'error' });
    if (state.rpc === null) throw new Error('no clients');
    bell = state.rpc.client(L3AgentRpc);
    const ports = [guestPort(inner, '10.7.0.20'), guestPort(second, '10.6.0.20')];
    for (const details of ports) state.ports.set(details.port_id, { host: `${cloud}-two`, details });
    const [port, far] = ports;
    if (port === undefined || far === undefined) throw new Error('no ports');
    const common = { network_id: inner.id, project_id: 'p1', extra_dhcp_opts: [], revision_number: 1 };
    state.dhcp.set(inner.id, {
      host: `${cloud}-one`,
      network: {
        network: inner,
        subnets: [v4, v6],
        dhcp_port_id: dhcpPort,
        ports: [
          {
            ...common,
            id: dhcpPort,
            mac_address: nextMac(),
            fixed_ips: [{ subnet_id: 's4', ip_address: '10.7.0.2' }],
            device_id: 'dhcp',
            device_owner: 'network:dhcp',
          },
          {
            ...common,
            id: port.port_id,
            mac_address: port.mac_address,
            fixed_ips: port.fixed_ips,
            device_id: port.device_id,
            device_owner: port.device_owner,
          },
        ],
      },
    });
    state.routers.set(router.id, { host: `${cloud}-one`, router });
    await hosts.start('one', settings);
    await hosts.start('two');
    guest = await Guest.boot(hosts, 'two', port);
    neighbour = await Guest.boot(hosts, 'two', far);
    await waitFor('the ports', () => ports.every((one) => state.status.get(one.port_id) === 'ACTIVE'), 20_000);
    await waitFor('the network of DHCP', () => existsSync(`/run/netns/${dhcpNamespace(inner.id)}`), 20_000);
    expect(await guest.dhcp(script)).toContain('lease of 10.7.0.20 obtained');
    await neighbour.run('ip', 'addr', 'add', '10.6.0.20/24', 'dev', 'eth0');
    await neighbour.run('ip', 'route', 'add', 'default', 'via', '10.6.0.1');
  }, 90_000);

  afterAll(async () => {
    await guest.stop();
    await neighbour.stop();
    await server.close();
    await new Promise((done) => nova.close(done));
    for (const name of hosts.names) await hosts.kill(name, 'SIGTERM');
    for (const name of [dhcpNamespace(inner.id), routerNamespace(router.id)])
      await tryRun('ip', ['netns', 'del', name]);
    await hosts.remove();
    rmSync(stateDir, { recursive: true, force: true });
  }, 60_000);

  it('leads guests out under its own address', async () => {
    await waitFor('the way out', () => guest.pings('192.0.2.1'), 20_000);
    const listener = await startDaemon('nsenter', [
      `--net=/run/netns/${hosts.netns('one')}`,
      '--',
      process.execPath,
      '-e',
      "require('net').createServer((s)=>s.end(s.remoteAddress)).listen(8080,'192.0.2.1')",
    ]);
    try {
      const who = async () => (await guest.run('busybox', 'nc', '192.0.2.1', '8080')).stdout.trim();
      await waitFor('the listener', async () => (await who()) === '198.51.100.10', 10_000);
    } finally {
      if (listener.pid !== undefined) await stopPid(listener.pid);
    }
  }, 60_000);

  it('advertises itself to IPv6 guests, which make their addresses', async () => {
    const addresses = async () => (await guest.run('ip', '-6', 'addr', 'show', 'dev', 'eth0')).stdout;
    await waitFor('an address', async () => /fd00:7:0?:?0?:?.*scope global/.test(await addresses()), 20_000, 200);
    expect((await guest.run('ip', '-6', 'route')).stdout).toMatch(/default via fe80::.* dev eth0 proto ra/);
    expect(await guest.pings('fd00:7::1')).toBe(true);
  }, 60_000);

  it('gives a guest a floating IP and takes it away', async () => {
    expect(await fromOutside('198.51.100.50')).toBe(false);
    const ip = {
      id: newUuid(),
      floating_ip_address: '198.51.100.50',
      fixed_ip_address: '10.7.0.20',
      port_id: guest.port.port_id,
      status: 'DOWN',
    };
    await change({ ...router, floating_ips: [ip] });
    await waitFor('the floating IP', () => fromOutside('198.51.100.50'), 10_000);
    await waitFor('its status', () => state.floatingIps.get(ip.id) === 'ACTIVE', 5000);
    // From within as well: the answer comes back through the router.
    expect(await guest.pings('198.51.100.50')).toBe(true);
    await change(router);
    await waitFor('its end', async () => !(await fromOutside('198.51.100.50')), 10_000);
    expect(await guest.pings('192.0.2.1')).toBe(true);
  }, 60_000);

  it('leads single ports of a floating IP to guests', async () => {
    const served = (port: string) =>
      hosts.inHost('one', 'busybox', 'nc', '-w', '3', '198.51.100.51', port).catch(() => 'nothing');
    const listener = await startDaemon('nsenter', [
      `--net=/run/netns/${guest.name}`,
      '--',
      process.execPath,
      '-e',
      "for (const port of [22, 8001]) require('net').createServer((s) => s.end('port ' + port)).listen(port)",
    ]);
    const target = { internal_ip_address: '10.7.0.20', protocol: 'tcp' };
    const ip = {
      id: newUuid(),
      floating_ip_address: '198.51.100.51',
      status: 'DOWN',
      forwardings: [
        { ...target, external_ports: [2222, 2222] as [number, number], internal_ports: [22, 22] as [number, number] },
        { ...target, external_ports: [90, 91] as [number, number], internal_ports: [8000, 8001] as [number, number] },
      ],
    };
    await change({ ...router, forwarding_ips: [ip] });
    await waitFor('the port', async () => (await served('2222')).trim() === 'port 22', 20_000);
    await waitFor('its status', () => state.floatingIps.get(ip.id) === 'ACTIVE', 5000);
    expect((await served('91')).trim()).toBe('port 8001');
    expect((await served('8001')).trim()).toBe('nothing');
    await change(router);
    await waitFor('its end', async () => (await served('2222')).trim() !== 'port 22', 10_000);
    if (listener.pid !== undefined) await stopPid(listener.pid);
  }, 60_000);

  it('routes between its networks, and by extra routes', async () => {
    expect(await guest.pings('10.6.0.20')).toBe(false);
    const wider: RouterInfo = {
      ...router,
      interfaces: [...router.interfaces, routerPort(second, [other], ['10.6.0.1'])],
      routes: [{ destination: '203.0.113.0/24', nexthop: '10.6.0.20' }],
    };
    await neighbour.run('ip', 'addr', 'add', '203.0.113.7/32', 'dev', 'lo');
    await change(wider);
    await waitFor('the neighbour', () => guest.pings('10.6.0.20'), 20_000);
    // Routes come after the ways that they use.
    await waitFor('the extra route', () => guest.pings('203.0.113.7'), 10_000);
    // Its subnet has no DHCP server, so the router leads it to the metadata service; what it says of itself does not count.
    const lie = ['--header', `X-Neutron-Network-ID: ${inner.id}`, '--header', 'X-Instance-ID: other'];
    const asking = ['wget', '-q', '-O', '-', ...lie, 'http://169.254.169.254/latest/meta-data/'];
    await waitFor(
      'metadata',
      async () => (await neighbour.run('busybox', ...asking)).stdout === `instance ${neighbour.port.device_id}`,
      10_000,
    );
    expect((await guest.run('busybox', 'wget', '-q', '-O', '-', '-T', '2', 'http://10.7.0.1:9697/')).code).not.toBe(0);
    await change(router);
    await waitFor('the end of the way', async () => !(await guest.pings('10.6.0.20')), 10_000);
    const devices = await hosts.inHost('one', 'ip', 'netns', 'exec', routerNamespace(router.id), 'ip', '-o', 'link');
    expect(devices.match(/qr-/g)).toHaveLength(1);
  }, 60_000);

  it('goes on when its agent is killed, and is taken over', async () => {
    await hosts.kill('one', 'SIGKILL');
    expect(await guest.pings('192.0.2.1')).toBe(true);
    const told = state.reports.length;
    await hosts.start('one', settings);
    await waitFor('the next agent', () => state.reports.length > told, 20_000);
    expect(await guest.pings('192.0.2.1')).toBe(true);
  }, 60_000);

  it('leaves nothing when it goes', async () => {
    await change(null);
    await waitFor('its end', () => !existsSync(`/run/netns/${routerNamespace(router.id)}`), 10_000);
    await waitFor(
      'the end of the external network on the host',
      async () => !/pn-|pb-/.test(await hosts.inHost('one', 'ip', '-o', 'link')),
      10_000,
    );
    expect(existsSync(path.join(hosts.dir('one'), 'neutron', 'routers', router.id))).toBe(false);
  }, 60_000);
});
