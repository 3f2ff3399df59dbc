import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { silentLogger } from '@nestack/kernel/log';
import { run, startDaemon, stopPid, tryRun, waitFor } from '@nestack/kernel/process';
import {
  bridgeName,
  dhcpNamespace,
  tapName,
  type DeviceDetails,
  type DhcpNetwork,
  type NetworkInfo,
  type SecurityGroupInfo,
} from '@nestack/neutron/contract';
import type { Dataplane } from '@nestack/neutron/domain';
import { signInstanceId } from '../metadata/metadata-proxy';
import { absentHostNetwork, absentUnderlay, ensureHostNetwork } from './host-network';
import { createLinuxDataplane } from './linux-dataplane';

const missing = await whatIsMissing();
if (missing !== null) process.stdout.write(`left out: the Linux data plane needs ${missing}\n`);
const describeReal = missing === null ? describe : describe.skip;

async function whatIsMissing(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'root';
  for (const program of ['ip', 'bridge', 'nft', 'dnsmasq', 'haproxy', 'busybox', 'nsenter']) {
    if ((await tryRun('which', [program])).code !== 0) return program;
  }
  return null;
}

const cloud = `t${newUuid().slice(0, 6)}`;
const project = 'p1';

function group(id: string, rules: Partial<SecurityGroupInfo['rules'][number]>[], members: string[]): SecurityGroupInfo {
  const blank = {
    direction: 'ingress' as const,
    ethertype: 'IPv4' as const,
    protocol: null,
    port_range_min: null,
    port_range_max: null,
    remote_ip_prefix: null,
    remote_group_id: null,
  };
  const egress = { ...blank, direction: 'egress' as const };
  return {
    id,
    rules: [egress, { ...egress, ethertype: 'IPv6' }, ...rules.map((rule) => ({ ...blank, ...rule }))],
    members,
  };
}

describeReal('the Linux data plane', () => {
  const stateDir = mkdtempSync(path.join(tmpdir(), 'neutron-'));
  const tunnels: string[] = [];
  const planes: Dataplane[] = [];
  const devices: string[][] = [[], []];
  const guests: string[] = [];
  const seen: { url: string; headers: IncomingHttpHeaders }[] = [];
  const nova = createServer((message, response) => {
    seen.push({ url: message.url ?? '', headers: message.headers });
    response.end('meta of the guest');
  });
  const group1 = newUuid();
  const group2 = newUuid();
  let network: NetworkInfo;
  const ports: DeviceDetails[] = [];

  function port(host: number, last: number, groups: string[]): DeviceDetails {
    const id = newUuid();
    const details: DeviceDetails = {
      port_id: id,
      device: tapName(id),
      network,
      project_id: project,
      mac_address: `fa:16:3e:00:0${host}:${last}`,
      admin_state_up: true,
      fixed_ips: [{ subnet_id: 's1', ip_address: `10.9.0.${last}` }],
      device_id: newUuid(),
      device_owner: 'compute:nova',
      port_security_enabled: true,
      allowed_address_pairs: [],
      security_groups: groups,
    };
    ports.push(details);
    return details;
  }

  /** A guest is a namespace whose only cable is the port's tap. */
  async function boot(host: number, details: DeviceDetails): Promise<string> {
    const name = `${cloud}-g${guests.length}`;
    guests.push(name);
    await run('ip', ['netns', 'add', name]);
    await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    const hostNs = `nestack-${cloud}-h${host}`;
    const veth = [
      'link',
      'add',
      details.device,
      'netns',
      hostNs,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      name,
    ];
    await run('ip', veth);
    await run('ip', ['-n', name, 'link', 'set', 'eth0', 'address', details.mac_address, 'mtu', '1450', 'up']);
    return name;
  }

  const inside = (guest: string, program: string, ...args: string[]) =>
    tryRun('nsenter', [`--net=/run/netns/${guest}`, '--', program, ...args], { timeoutMs: 20_000 });
  const ping = async (from: string, to: string) => (await inside(from, 'ping', '-c1', '-W1', to)).code === 0;

  async function tcp(from: string, to: string, dport: number): Promise<boolean> {
    const text = `const s=require('net').connect({host:'${to}',port:${dport}});s.setTimeout(1500,()=>process.exit(2));s.on('error',()=>process.exit(3));s.on('connect',()=>process.exit(0))`;
    return (await inside(from, process.execPath, '-e', text)).code === 0;
  }

  beforeAll(async () => {
    await new Promise<void>((done) => nova.listen(0, '127.0.0.1', done));
    network = {
      id: newUuid(),
      project_id: project,
      network_type: 'vxlan',
      segmentation_id: 60_000 + Math.floor(Math.random() * 5000),
      mtu: 1450,
      admin_state_up: true,
      tunnel_endpoints: ['10.253.77.1', '10.253.77.2'],
    };
    for (const index of [0, 1]) {
      const made = await ensureHostNetwork(
        { cloud, host: `h${index}`, address: `10.253.77.${index + 1}/24` },
        silentLogger,
      );
      tunnels.push(made.local_ip);
      const plane = createLinuxDataplane({
        namespace: made.namespace,
        stateDir: path.join(stateDir, String(index)),
        localIp: made.local_ip,
        vxlanPort: 4789,
        bridgeMappings: {},
        table: 'neutron',
        dnsDomain: 'openstacklocal',
        dnsServers: [],
        metadata: { novaHost: '127.0.0.1', novaPort: (nova.address() as AddressInfo).port, sharedSecret: 'shh' },
        log: silentLogger,
      });
      planes.push(plane);
      await plane.l2.start({
        onDevice: (device) => {
          devices[index]?.push(device);
          const known = ports.find((one) => one.device === device);
          if (known !== undefined) void plane.l2.ensurePort(known);
        },
        onDeviceGone: (device) => devices[index]?.push(`-${device}`),
      });
      await plane.firewall.replaceAll([], []);
      await plane.l2.ensureNetwork(network);
      await plane.l2.ensureNetwork(network);
    }
  }, 60_000);

  afterAll(async () => {
    for (const plane of planes) {
      await plane.metadata.close();
      await plane.dhcp.sweep(new Set());
      for (const id of await plane.l2.networks()) await plane.l2.absentNetwork(id);
      await plane.l2.close();
    }
    for (const guest of guests) await tryRun('ip', ['netns', 'del', guest]);
    for (const index of [0, 1]) await absentHostNetwork(cloud, `h${index}`, silentLogger);
    await absentUnderlay(cloud, silentLogger);
    await new Promise((done) => nova.close(done));
    rmSync(stateDir, { recursive: true, force: true });
  }, 60_000);

  it('serves addresses by DHCP on one host to guests on both, over VXLAN', async () => {
    const groups = [
      group(group1, [{ remote_group_id: group1 }], ['10.9.0.11', '10.9.0.12']),
      group(group2, [], ['10.9.0.13']),
    ];
    for (const plane of planes) await plane.firewall.ensureGroups(groups);
    const dhcpPort = newUuid();
    const info: DhcpNetwork = {
      network,
      dhcp_port_id: dhcpPort,
      subnets: [
        {
          id: 's1',
          cidr: '10.9.0.0/24',
          ip_version: 4,
          gateway_ip: '10.9.0.1',
          enable_dhcp: true,
          dns_nameservers: ['9.9.9.9'],
          host_routes: [],
          ipv6_address_mode: null,
          ipv6_ra_mode: null,
        },
      ],
      ports: [],
    };
    for (const [host, last] of [
      [0, 11],
      [1, 12],
    ] as const) {
      const one = port(host, last, [group1]);
      await planes[host]?.firewall.ensurePort(one);
    }
    const all = [
      ...ports.map((one) => ({ id: one.port_id, mac: one.mac_address, ips: one.fixed_ips, owner: 'compute:nova' })),
      {
        id: dhcpPort,
        mac: 'fa:16:3e:00:00:02',
        ips: [{ subnet_id: 's1', ip_address: '10.9.0.2' }],
        owner: 'network:dhcp',
      },
    ].map((one) => ({
      id: one.id,
      network_id: network.id,
      project_id: project,
      mac_address: one.mac,
      fixed_ips: one.ips,
      device_id: 'd',
      device_owner: one.owner,
      extra_dhcp_opts: [],
      revision_number: 1,
    }));
    await planes[0]?.metadata.start(async ({ network_id: networkId, address }) => {
      const found = ports.find((one) => one.fixed_ips[0]?.ip_address === address);
      return networkId === network.id && found !== undefined
        ? { port_id: found.port_id, device_id: found.device_id, project_id: project }
        : null;
    });
    await planes[0]?.dhcp.ensureDhcp({ ...info, ports: all });
    await planes[0]?.dhcp.ensureDhcp({ ...info, ports: all });
    for (const [host, details] of [...ports].entries()) {
      const guest = await boot(host, details);
      await waitFor(
        'the tap to be wired',
        async () => {
          const text = await run('ip', [
            '-n',
            `nestack-${cloud}-h${host}`,
            '-j',
            'link',
            'show',
            'dev',
            details.device,
          ]);
          return (JSON.parse(text) as { master?: string }[])[0]?.master === bridgeName(network.id);
        },
        5000,
      );
      const lease = await inside(
        guest,
        'busybox',
        'udhcpc',
        '-i',
        'eth0',
        '-f',
        '-n',
        '-q',
        '-t',
        '5',
        '-s',
        '/bin/true',
      );
      expect(lease.stderr + lease.stdout).toContain(`lease of ${details.fixed_ips[0]?.ip_address ?? ''} obtained`);
      await run('ip', ['-n', guest, 'addr', 'add', `${details.fixed_ips[0]?.ip_address ?? ''}/24`, 'dev', 'eth0']);
    }
    expect(devices[0]).toContain(ports[0]?.device);
  }, 60_000);

  it('lets members of the group reach each other and nobody else', async () => {
    const [a = '', b = ''] = guests;
    expect(await ping(a, '10.9.0.12')).toBe(true);
    expect(await ping(b, '10.9.0.11')).toBe(true);
    const stranger = port(1, 13, [group2]);
    await planes[1]?.firewall.ensurePort(stranger);
    const c = await boot(1, stranger);
    await run('ip', ['-n', c, 'addr', 'add', '10.9.0.13/24', 'dev', 'eth0']);
    await waitFor(
      'the third tap',
      async () => {
        const text = await run('ip', ['-n', `nestack-${cloud}-h1`, '-j', 'link', 'show', 'dev', stranger.device]);
        return (JSON.parse(text) as { master?: string }[])[0]?.master !== undefined;
      },
      5000,
    );
    expect(await ping(c, '10.9.0.12')).toBe(false);
    expect(await ping(c, '10.9.0.11')).toBe(false);
    // What the stranger is asked may be answered: it may send, and answers belong to the connection.
    expect(await ping(a, '10.9.0.13')).toBe(false);
    await planes[1]?.firewall.ensureGroups([group(group2, [{ protocol: 'icmp' }], ['10.9.0.13'])]);
    expect(await ping(a, '10.9.0.13')).toBe(true);
    expect(await ping(c, '10.9.0.11')).toBe(false);
  }, 60_000);

  it('lets guests talk on a host whose own firewall forwards nothing, as Docker leaves it', async () => {
    const [a = ''] = guests;
    const onHost = (...command: string[]) => run('nsenter', [`--net=/run/netns/nestack-${cloud}-h0`, '--', ...command]);
    await onHost(
      'nft',
      'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }',
    );
    expect(await ping(a, '10.9.0.12')).toBe(false);
    const usable = await tryRun('which', ['iptables']);
    if (usable.code === 0) {
      await planes[0]?.firewall.replaceAll(
        ports.filter((one) => one.mac_address.startsWith('fa:16:3e:00:00')),
        [group(group1, [{ remote_group_id: group1 }], ['10.9.0.11', '10.9.0.12'])],
      );
      expect(await ping(a, '10.9.0.12')).toBe(true);
    }
    await onHost('nft', 'delete', 'table', 'ip', 'filter');
  }, 60_000);

  it('opens a port when its rule comes and closes it when it goes', async () => {
    const [a = '', , c = ''] = guests;
    const server = await startDaemon('nsenter', [
      `--net=/run/netns/${a}`,
      '--',
      process.execPath,
      '-e',
      "require('net').createServer((s)=>s.end()).listen(22)",
    ]);
    try {
      const rule = { protocol: 'tcp', port_range_min: 22, port_range_max: 22 };
      const members = ['10.9.0.11', '10.9.0.12'];
      expect(await tcp(c, '10.9.0.11', 22)).toBe(false);
      await planes[0]?.firewall.ensureGroups([group(group1, [{ remote_group_id: group1 }, rule], members)]);
      await waitFor('the server in the guest', () => tcp(c, '10.9.0.11', 22), 10_000);
      await planes[0]?.firewall.ensureGroups([group(group1, [{ remote_group_id: group1 }], members)]);
      expect(await tcp(c, '10.9.0.11', 22)).toBe(false);
    } finally {
      if (server.pid !== undefined) await stopPid(server.pid);
    }
  }, 60_000);

  it('drops what is sent from foreign addresses, by IP and by ARP, and DHCP answers', async () => {
    const [a = '', b = ''] = guests;
    expect(await ping(a, '10.9.0.12')).toBe(true);
    await run('ip', ['-n', a, 'addr', 'add', '10.9.0.99/24', 'dev', 'eth0']);
    expect((await inside(a, 'ping', '-c1', '-W1', '-I', '10.9.0.99', '10.9.0.12')).code).not.toBe(0);
    await run('ip', ['-n', b, 'neigh', 'flush', 'dev', 'eth0']);
    await inside(a, 'busybox', 'arping', '-c', '2', '-w', '2', '-U', '-I', 'eth0', '-s', '10.9.0.99', '10.9.0.99');
    expect(await run('ip', ['-n', b, 'neigh', 'show'])).not.toContain('10.9.0.99');
    await run('ip', ['-n', a, 'addr', 'del', '10.9.0.99/24', 'dev', 'eth0']);
    const first = ports[0];
    if (first === undefined) throw new Error('no port');
    await planes[0]?.firewall.ensurePort({
      ...first,
      allowed_address_pairs: [{ ip_address: '10.9.0.98', mac_address: first.mac_address }],
    });
    await planes[1]?.firewall.ensureGroups([
      group(group1, [{ remote_group_id: group1 }], ['10.9.0.11', '10.9.0.12', '10.9.0.98']),
    ]);
    await run('ip', ['-n', a, 'addr', 'add', '10.9.0.98/24', 'dev', 'eth0']);
    expect((await inside(a, 'ping', '-c1', '-W1', '-I', '10.9.0.98', '10.9.0.12')).code).toBe(0);
    const table = await run('nsenter', [
      `--net=/run/netns/nestack-${cloud}-h0`,
      '--',
      'nft',
      'list',
      'table',
      'bridge',
      'neutron',
    ]);
    expect(table).toMatch(/udp sport 67 udp dport 68 drop/);
  }, 60_000);

  it('tells the metadata service which guest asks, signed', async () => {
    const [, b = ''] = guests;
    await run('ip', ['-n', b, 'route', 'add', '169.254.169.254/32', 'via', '10.9.0.2']);
    const result = await inside(
      b,
      'busybox',
      'wget',
      '-q',
      '-O',
      '-',
      'http://169.254.169.254/openstack/latest/meta_data.json',
    );
    expect(result.stdout).toBe('meta of the guest');
    const request = seen.at(-1);
    const instance = ports[1]?.device_id ?? '';
    expect(request?.url).toBe('/openstack/latest/meta_data.json');
    expect(request?.headers['x-instance-id']).toBe(instance);
    expect(request?.headers['x-tenant-id']).toBe(project);
    expect(request?.headers['x-instance-id-signature']).toBe(signInstanceId('shh', instance));
  }, 60_000);

  it('removes a port, and starts a killed dnsmasq anew', async () => {
    const first = ports[0];
    if (first === undefined) throw new Error('no port');
    await planes[0]?.firewall.absentPort(first.port_id);
    await planes[0]?.firewall.absentPort(first.port_id);
    const table = await run('nsenter', [`--net=/run/netns/nestack-${cloud}-h0`, '--', 'nft', 'list', 'ruleset']);
    expect(table).not.toContain(first.device);
    await run('ip', ['-n', `nestack-${cloud}-h0`, 'link', 'del', first.device]);
    await waitFor('word of the lost tap', () => devices[0]?.includes(`-${first.device}`) === true, 5000);
    const pidFile = path.join(stateDir, '0', 'dhcp', network.id, 'dnsmasq.pid');
    const { readFileSync } = await import('node:fs');
    const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
    process.kill(pid, 'SIGKILL');
    await waitFor(
      'another dnsmasq',
      () => {
        const next = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
        return next !== pid && existsSync(`/proc/${next}`);
      },
      15_000,
    );
  }, 60_000);

  it('leaves nothing behind', async () => {
    await planes[0]?.dhcp.absentDhcp(network.id);
    expect(existsSync(`/run/netns/${dhcpNamespace(network.id)}`)).toBe(false);
    expect(await planes[0]?.l2.networks()).toEqual([network.id]);
    await planes[0]?.l2.absentNetwork(network.id);
    const links = await run('ip', ['-n', `nestack-${cloud}-h0`, '-o', 'link', 'show']);
    expect(links).not.toMatch(/brq|vxlan|tap/);
  }, 60_000);
});
