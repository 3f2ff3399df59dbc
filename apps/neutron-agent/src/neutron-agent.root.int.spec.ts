import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type RunningApp } from '@nestack/kernel/app';
import { newContext } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { tryRun, waitFor } from '@nestack/kernel/process';
import type { RpcClient } from '@nestack/kernel/rpc';
import { testBrokerUrl } from '@nestack/kernel/testing';
import {
  AgentRpc,
  bridgeName,
  dhcpNamespace,
  tapName,
  type DeviceDetails,
  type DhcpPort,
  type NetworkInfo,
  type SecurityGroupInfo,
} from '@nestack/neutron/contract';
import { signInstanceId } from '@nestack/neutron/drivers';
import { Guest, Hosts, whatIsMissing, writeDhcpScript } from '../test/hosts';
import { ServerState, serverStub } from '../test/server-stub';

const missing = await whatIsMissing();
if (missing !== null) process.stdout.write(`left out: agents on real networks need ${missing}\n`);
const describeReal = missing === null ? describe : describe.skip;

const url = testBrokerUrl();
const cloud = `a${newUuid().slice(0, 6)}`;
const ctx = newContext();
const stateDir = mkdtempSync(path.join(tmpdir(), 'na-'));
const hosts = new Hosts(cloud, ['one', 'two'], stateDir, url);
const state = new ServerState();
const web = newUuid();
const other = newUuid();
const dhcpPort = newUuid();

const network: NetworkInfo = {
  id: newUuid(),
  project_id: 'p1',
  network_type: 'vxlan',
  segmentation_id: 50_000 + Math.floor(Math.random() * 10_000),
  mtu: 1450,
  admin_state_up: true,
  tunnel_endpoints: ['one', 'two'].map((name) => hosts.address(name)),
};

type Rule = SecurityGroupInfo['rules'][number];

function setGroup(id: string, rules: readonly Partial<Rule>[]): void {
  const blank: Rule = {
    direction: 'ingress',
    ethertype: 'IPv4',
    protocol: null,
    port_range_min: null,
    port_range_max: null,
    remote_ip_prefix: null,
    remote_group_id: null,
  };
  const members = [...state.ports.values()]
    .filter(({ details }) => details.security_groups.includes(id))
    .flatMap(({ details }) => details.fixed_ips.map((ip) => ip.ip_address));
  state.groups.set(id, {
    id,
    rules: [{ ...blank, direction: 'egress' }, ...rules.map((rule) => ({ ...blank, ...rule }))],
    members,
  });
}

const rulesOf = { web: [{ remote_group_id: web }] as Partial<Rule>[], other: [] as Partial<Rule>[] };

function setGroups(): void {
  setGroup(web, rulesOf.web);
  setGroup(other, rulesOf.other);
}

function dhcpPortOf(details: DeviceDetails): DhcpPort {
  return {
    id: details.port_id,
    network_id: network.id,
    project_id: 'p1',
    mac_address: details.mac_address,
    fixed_ips: details.fixed_ips,
    device_id: details.device_id,
    device_owner: details.device_owner,
    extra_dhcp_opts: [],
    revision_number: 1,
  };
}

function serveDhcp(): void {
  const own: DhcpPort = {
    id: dhcpPort,
    network_id: network.id,
    project_id: 'p1',
    mac_address: 'fa:16:3e:00:00:02',
    fixed_ips: [{ subnet_id: 's1', ip_address: '10.8.0.2' }],
    device_id: 'dhcp',
    device_owner: 'network:dhcp',
    extra_dhcp_opts: [],
    revision_number: 1,
  };
  const ports = [...state.ports.values()].map(({ details }) => dhcpPortOf(details));
  const subnet = {
    id: 's1',
    cidr: '10.8.0.0/24',
    ip_version: 4,
    gateway_ip: '10.8.0.1',
    enable_dhcp: true,
    dns_nameservers: [],
    host_routes: [],
    ipv6_address_mode: null,
    ipv6_ra_mode: null,
  };
  state.dhcp.set(network.id, {
    host: `${cloud}-one`,
    network: { network, subnets: [subnet], ports: [own, ...ports], dhcp_port_id: dhcpPort },
  });
}

describeReal('agents on two hosts', () => {
  let server: RunningApp;
  let bell: RpcClient<typeof AgentRpc>;
  let metadataPort = 0;
  const seen: IncomingHttpHeaders[] = [];
  const guests: Guest[] = [];
  const script = path.join(stateDir, 'lease.sh');
  const nova = createServer((message, response) => {
    seen.push(message.headers);
    response.end(`instance ${String(message.headers['x-instance-id'])}`);
  });

  const settings = () => ({
    nova_metadata_url: `http://${hosts.prefix}.254:${metadataPort}`,
    metadata_proxy_shared_secret: 'shared',
  });

  /** Binds a port and tells everybody who has to know, as the server does. */
  async function bind(host: string, last: number, groups: string[]): Promise<DeviceDetails> {
    const id = newUuid();
    const details: DeviceDetails = {
      port_id: id,
      device: tapName(id),
      network,
      project_id: 'p1',
      mac_address: `fa:16:3e:00:01:${last}`,
      admin_state_up: true,
      fixed_ips: [{ subnet_id: 's1', ip_address: `10.8.0.${last}` }],
      device_id: newUuid(),
      device_owner: 'compute:nova',
      port_security_enabled: true,
      allowed_address_pairs: [],
      security_groups: groups,
    };
    state.ports.set(id, { host: `${cloud}-${host}`, details });
    setGroups();
    serveDhcp();
    await bell.security_groups_member_updated(ctx, { security_groups: groups });
    await bell.port_update_end(ctx, { port: dhcpPortOf(details) }, { host: `${cloud}-one` });
    await bell.port_update(ctx, { port_id: id }, { host: `${cloud}-${host}` });
    return details;
  }

  async function unbind(port: DeviceDetails): Promise<void> {
    const host = state.ports.get(port.port_id)?.host ?? '';
    state.ports.delete(port.port_id);
    setGroups();
    serveDhcp();
    await bell.port_delete(ctx, { port_id: port.port_id }, { host });
    await bell.port_delete_end(ctx, { network_id: network.id, port_id: port.port_id }, { host: `${cloud}-one` });
    await bell.security_groups_member_updated(ctx, { security_groups: port.security_groups });
  }

  const active = (port: DeviceDetails) =>
    waitFor(
      `port ${port.fixed_ips[0]?.ip_address ?? ''}`,
      () => state.status.get(port.port_id) === 'ACTIVE',
      10_000,
      10,
    );

  async function boot(host: string, last: number, groups: string[]): Promise<Guest> {
    const port = await bind(host, last, groups);
    const guest = await Guest.boot(hosts, host, port);
    guests.push(guest);
    await active(port);
    expect(await guest.dhcp(script)).toContain(`lease of 10.8.0.${last} obtained`);
    return guest;
  }

  beforeAll(async () => {
    writeDhcpScript(script);
    await hosts.prepare();
    await new Promise<void>((done) => nova.listen(0, `${hosts.prefix}.254`, done));
    const address = nova.address();
    metadataPort = typeof address === 'object' && address !== null ? address.port : 0;
    server = await startApp(serverStub(state), { host: 'controller', broker: { url }, log_level: 'error' });
    if (state.rpc === null) throw new Error('no clients');
    bell = state.rpc.client(AgentRpc);
    serveDhcp();
    setGroups();
    await Promise.all(hosts.names.map((name) => hosts.start(name, settings())));
    await waitFor('both agents', () => state.calls.filter((one) => one.startsWith('all of')).length >= 2, 20_000);
  }, 60_000);

  afterAll(async () => {
    for (const guest of guests) await guest.stop();
    // A started agent takes away what is left, as the server says.
    await server.close();
    await new Promise((done) => nova.close(done));
    for (const name of hosts.names) await hosts.kill(name, 'SIGTERM');
    await tryRun('ip', ['netns', 'del', dhcpNamespace(network.id)]);
    await hosts.remove();
    rmSync(stateDir, { recursive: true, force: true });
  }, 60_000);

  it('give guests on both their address, and let members of a group reach each other', async () => {
    const a = await boot('one', 11, [web]);
    const b = await boot('two', 12, [web]);
    expect(await a.pings('10.8.0.12')).toBe(true);
    expect(await b.pings('10.8.0.11')).toBe(true);
  }, 60_000);

  it('keep others out until a rule lets them in', async () => {
    const [a] = guests;
    const c = await boot('two', 13, [other]);
    expect(await c.pings('10.8.0.11')).toBe(false);
    rulesOf.web.push({ protocol: 'icmp', remote_ip_prefix: '10.8.0.13/32' });
    setGroups();
    await bell.security_groups_rule_updated(ctx, { security_groups: [web] });
    await waitFor('the rule', () => c.pings('10.8.0.11'), 10_000);
    rulesOf.web.pop();
    setGroups();
    await bell.security_groups_rule_updated(ctx, { security_groups: [web] });
    await waitFor('the end of the rule', async () => !(await c.pings('10.8.0.11')), 10_000);
    expect(await a?.pings('10.8.0.13')).toBe(false);
  }, 60_000);

  it('cut what is under way when the rule for it goes', async () => {
    const [a, , c] = guests;
    if (a === undefined || c === undefined) throw new Error('no guests');
    rulesOf.web.push({ protocol: 'icmp', remote_ip_prefix: '10.8.0.13/32' });
    setGroups();
    await bell.security_groups_rule_updated(ctx, { security_groups: [web] });
    await waitFor('the rule', () => c.pings('10.8.0.11'), 10_000);
    const log = path.join(stateDir, 'long-ping');
    const pinging = c.run('sh', '-c', `ping -i 0.2 -w 6 10.8.0.11 > ${log}`);
    const answers = () => (readFileSync(log, 'utf8').match(/bytes from/g) ?? []).length;
    await waitFor('answers', () => answers() > 2, 5000);
    rulesOf.web.pop();
    setGroups();
    await bell.security_groups_rule_updated(ctx, { security_groups: [web] });
    await pinging;
    expect(answers()).toBeLessThan(20);
  }, 60_000);

  it('drop what a guest sends under a foreign address', async () => {
    const [a] = guests;
    if (a === undefined) throw new Error('no guest');
    await a.run('ip', 'addr', 'add', '10.8.0.99/24', 'dev', 'eth0');
    expect((await a.run('ping', '-c', '1', '-W', '1', '-I', '10.8.0.99', '10.8.0.12')).code).not.toBe(0);
    expect(await a.pings('10.8.0.12')).toBe(true);
  }, 60_000);

  it('lead guests of both hosts to the metadata service, which learns who asks', async () => {
    for (const guest of guests.slice(0, 2)) {
      const answer = await guest.run('busybox', 'wget', '-q', '-O', '-', 'http://169.254.169.254/latest/meta-data/');
      expect(answer.stdout).toBe(`instance ${guest.port.device_id}`);
      expect(seen.at(-1)?.['x-instance-id-signature']).toBe(signInstanceId('shared', guest.port.device_id));
      expect(seen.at(-1)?.['x-tenant-id']).toBe('p1');
    }
  }, 60_000);

  it('tell when a tap goes and comes back', async () => {
    const [a] = guests;
    if (a === undefined) throw new Error('no guest');
    await hosts.inHost('one', 'ip', 'link', 'del', a.port.device);
    await waitFor('word of it', () => state.status.get(a.port.port_id) === 'DOWN', 10_000, 10);
    await a.plug();
    await active(a.port);
    await a.run('ip', 'addr', 'add', '10.8.0.11/24', 'dev', 'eth0');
    expect(await a.pings('10.8.0.12')).toBe(true);
  }, 60_000);

  it('may be killed at any moment: wires go on working, and the next agent takes them over', async () => {
    const [a, b, c] = guests;
    if (a === undefined || b === undefined || c === undefined) throw new Error('no guests');
    await hosts.kill('one', 'SIGKILL');
    expect(await b.pings('10.8.0.11')).toBe(true);
    expect(await c.pings('10.8.0.11')).toBe(false);
    // Meanwhile one guest of the host goes, and another comes.
    const late = await bind('one', 14, [web]);
    const d = await Guest.boot(hosts, 'one', late);
    guests.push(d);
    await a.stop();
    await unbind(a.port);
    // Killed again and again in the midst of its start.
    for (const pause of [300, 700, 1100]) {
      await hosts.start('one', settings());
      await new Promise((resolve) => setTimeout(resolve, pause));
      await hosts.kill('one', 'SIGKILL');
    }
    await hosts.start('one', settings());
    await active(late);
    expect(await d.dhcp(script)).toContain('lease of 10.8.0.14 obtained');
    expect(await d.pings('10.8.0.12')).toBe(true);
    expect(await c.pings('10.8.0.14')).toBe(false);
    const rules = await hosts.inHost('one', 'nft', 'list', 'ruleset');
    expect(rules).not.toContain(a.port.device);
    expect(rules).toContain(late.device);
    const leases = path.join(hosts.dir('one'), 'neutron', 'dhcp', network.id, 'leases');
    await waitFor('the end of its lease', () => !readFileSync(leases, 'utf8').includes('10.8.0.11'), 10_000);
  }, 90_000);

  it('leave nothing of what is deleted', async () => {
    for (const guest of guests) await guest.stop();
    for (const { details } of [...state.ports.values()]) await unbind(details);
    const leases = path.join(hosts.dir('one'), 'neutron', 'dhcp', network.id, 'leases');
    await waitFor('the end of all leases', () => readFileSync(leases, 'utf8').trim() === '', 10_000);
    state.dhcp.delete(network.id);
    await bell.network_delete(ctx, { network_id: network.id });
    for (const name of hosts.names) {
      await waitFor(
        `the bridge on ${name} to go`,
        async () => !(await hosts.inHost(name, 'ip', '-o', 'link')).includes(bridgeName(network.id)),
        10_000,
      );
      expect(await hosts.inHost(name, 'ip', '-o', 'link')).not.toMatch(/tap|vxlan|brq/);
      const clean = async () => {
        const rules = await hosts.inHost(name, 'nft', 'list', 'ruleset');
        return !/tap|brq|chain (in|out|send|zone)_|set m[46]_/.test(rules);
      };
      await waitFor(`the rules on ${name} to go`, clean, 10_000);
    }
    expect(existsSync(`/run/netns/${dhcpNamespace(network.id)}`)).toBe(false);
    expect(existsSync(path.join(hosts.dir('one'), 'neutron', 'dhcp', network.id))).toBe(false);
  }, 60_000);
});
