import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { program, until } from '../../cloud';
import { names, type Rows } from '../lab';
import { inside, membersOf, short, shown, type RealLab } from './real-lab';

const DHCP6 = path.join(import.meta.dirname, 'dhcp6-client.mjs');

/** What the host shows of networks before a guest is up: chapter 9.4. */
export function networkScenarios(real: () => RealLab): void {
  describe('networks on their host', () => {
    it('S-9.4.4.3, S-9.4.3.1 a network is a bridge with its DHCP port, and devices have names made from ids', async () => {
      const [port = ''] = await real().lab.admin.column('port list --network lan1 --device-owner network:dhcp', 'ID');
      await until('the tap in the bridge', async () =>
        (await membersOf(null, real().bridge('lan1'))).includes(`tap${short(port)}`),
      );
      const inDhcp = await shown(real().dhcp('lan1'), 'ip', '-br', 'link', 'show', 'type', 'veth');
      expect(inDhcp).toMatch(new RegExp(`^ns-${short(port)}@`, 'm'));
    });

    it('S-9.4.6.1, S-9.4.6.3 its DHCP server lives in a namespace, with an address in the network', async () => {
      const [port] = await real().lab.admin.json<{ 'Fixed IP Addresses': { ip_address: string }[] }[]>(
        'port list --network lan1 --device-owner network:dhcp',
      );
      const own = port?.['Fixed IP Addresses'][0]?.ip_address ?? '-';
      const addresses = await shown(real().dhcp('lan1'), 'ip', '-br', 'address');
      expect(addresses).toMatch(new RegExp(`^ns-\\S+ +UP .*\\b${own}/24`, 'm'));
      for (const name of ['lan1', 'lan2'])
        expect((await program('pgrep', ['-fc', `dnsmasq.*${real().net(name)}`])).stdout.trim()).toBe('1');
    });

    it('S-9.4.9.4, S-9.1.1.1 an overlay network has a tunnel device in its bridge', async () => {
      const vni = await real().lab.admin.field('network show lan1', 'provider:segmentation_id');
      const details = await shown(null, 'ip', '-d', 'link', 'show', 'master', real().bridge('lan1'), 'type', 'vxlan');
      expect(details).toMatch(new RegExp(`^\\d+: (vxlan-${vni}|vx-${short(real().net('lan1'))}): .* mtu 1450 `, 'm'));
      expect(details).toMatch(new RegExp(`vxlan id ${vni} local ${real().host().address.replaceAll('.', '\\.')} `));
      await real().network('alone', 'network create alone --provider-network-type local');
      expect(await real().lab.admin.field('network show alone', 'provider:network_type')).toBe('local');
      await real().lab.admin.run('subnet create --network alone --subnet-range 172.16.9.0/24 --gateway none alone4');
      await until('its DHCP port', async () => (await membersOf(null, real().bridge('alone'))).length === 1);
      const alone = await membersOf(null, real().bridge('alone'));
      expect(alone).toEqual([expect.stringMatching(/^tap/)]);
    });

    it("S-9.4.9.2 the tunnel's port is open", async () => {
      const details = await shown(null, 'ip', '-d', 'link', 'show', 'master', real().bridge('lan1'), 'type', 'vxlan');
      const port = /dstport (\d+)/.exec(details)?.[1] ?? '-';
      expect(await shown(null, 'ss', '-lun')).toMatch(new RegExp(`:${port}\\b`));
    });
  });
}

/** What guests on them see. */
export function guestNetworkScenarios(real: () => RealLab): void {
  describe('guests on networks', () => {
    it('S-9.4.10.2 by default nobody gets in', async () => {
      expect(await real().pings(real().dhcp('lan1'), real().guest('vm1').address)).toBe(false);
    });

    it('S-9.4.10.3 filter rules belong to a port', async () => {
      const { port } = real().guest('vm1');
      const rules = await shown(null, 'nft', 'list', 'ruleset');
      const suffix = short(port).replace('-', '_');
      for (const chain of [`in_${suffix}`, `out_${suffix}`, `send_${suffix}`])
        expect(rules).toContain(`chain ${chain} {`);
      expect(rules).toMatch(new RegExp(`"tap${short(port)}" : jump send_${suffix}`));
    });

    it('S-9.4.10.4 ping and ssh are let in at once', async () => {
      const { demo } = real().lab;
      await demo.run('security group create open');
      await demo.run('security group rule create --protocol icmp open');
      await demo.run('security group rule create --protocol tcp --dst-port 22 open');
      for (const name of ['vm1', 'vm2', 'vm3']) await demo.run(`server add security group ${name} open`);
      const { address } = real().guest('vm1');
      await until('an answer to ping', () => real().pings(real().dhcp('lan1'), address), 10_000);
      expect(await real().said('vm1', 'hostname')).toBe('vm1\n');
    });

    it('S-9.4.10.5 a removed rule closes again, and nobody speaks under a foreign address', async () => {
      const { demo } = real().lab;
      const { address } = real().guest('vm1');
      const open = (): Promise<boolean> => real().pings(real().dhcp('lan1'), address);
      const [rule] = names(await demo.json<Rows>('security group rule list --protocol icmp open'), 'ID');
      await demo.run(`security group rule delete ${String(rule)}`);
      await until('silence', async () => !(await open()), 10_000);
      await demo.run('security group rule create --protocol icmp open');
      await until('an answer to ping', open, 10_000);
      const other = real().guest('vm2').address;
      const ping = (from: string): string => `ping -c 1 -W 1 -I ${from} ${other}`;
      expect(await real().said('vm1', ping(address))).toMatch(/ 0% packet loss/);
      await real().said('vm1', 'sudo ip address add 172.16.1.250/24 dev eth0');
      expect(await real().does('vm1', ping('172.16.1.250'))).toBe(false);
      await real().said('vm1', 'sudo ip address del 172.16.1.250/24 dev eth0');
    });

    it('S-9.4.4.5, S-1.5.1.2 two guests on one bridge reach each other', async () => {
      const taps = ['vm1', 'vm2'].map((name) => `tap${short(real().guest(name).port)}`);
      expect(await membersOf(null, real().bridge('lan1'))).toEqual(expect.arrayContaining(taps));
      expect(await real().said('vm1', `ping -c 1 -W 5 ${real().guest('vm2').address}`)).toMatch(/ 0% packet loss/);
    });

    it('S-9.4.4.7 two networks are apart, also with the same addresses', async () => {
      expect(await real().does('vm1', `ping -c 1 -W 1 ${real().guest('vm3').address}`)).toBe(false);
      await until('the DHCP port of the other', async () =>
        (await membersOf(null, real().bridge('twin'))).some((one) => /^tap/.test(one)),
      );
      const { address } = real().guest('vm1');
      expect(await real().pings(real().dhcp('lan1'), address)).toBe(true);
      expect(await real().pings(real().dhcp('twin'), address)).toBe(false);
    });

    it("S-9.4.6.2 the DHCP server's files name each port with its MAC and address", async () => {
      const hosts = readFileSync(real().file(real().controller, 'neutron/dhcp', real().net('lan1'), 'host'), 'utf8');
      for (const name of ['vm1', 'vm2']) {
        const { mac, address } = real().guest(name);
        expect(hosts).toMatch(new RegExp(`^${mac},${name}\\.[^,]*,${address}$`, 'm'));
      }
    });

    it('S-9.4.6.5 a deleted port leaves its list; without DHCP on the subnet there is no server', async () => {
      const { demo } = real().lab;
      const hosts = (): string =>
        readFileSync(real().file(real().controller, 'neutron/dhcp', real().net('twin'), 'host'), 'utf8');
      const { mac_address: mac } = await demo.json<{ mac_address: string }>('port create --network twin short');
      await until('its entry', () => Promise.resolve(hosts().includes(mac)));
      await demo.run('port delete short');
      await until('no entry', () => Promise.resolve(!hosts().includes(mac)));
      await demo.run('subnet set --no-dhcp twin4');
      const servers = async (): Promise<string> =>
        (await program('pgrep', ['-fc', `dnsmasq.*${real().net('twin')}`])).stdout.trim();
      await until('no server', async () => (await servers()) === '0');
    });

    it('S-9.4.7.6 a network in use stays; a deleted one leaves nothing on the host', async () => {
      const { demo } = real().lab;
      expect(await demo.refused('network delete lan1')).toMatch(/409|in use/i);
      await demo.run('network delete twin');
      await until('bridge and namespace to go', async () => {
        const namespaces = await shown(null, 'ip', 'netns', 'list');
        return !namespaces.includes(real().net('twin')) && !existsSync(`/sys/class/net/${real().bridge('twin')}`);
      });
      expect(existsSync(real().file(real().controller, 'neutron/dhcp', real().net('twin')))).toBe(false);
      expect(existsSync(`/sys/class/net/${real().bridge('lan1')}`)).toBe(true);
    });
  });
}

/** IPv6 networks, with a network namespace in place of a guest. */
export function sixScenarios(real: () => RealLab): void {
  describe('IPv6', () => {
    it("gives a port its addresses, by the router's advertisements and by DHCPv6", async () => {
      const { admin, demo } = real().lab;
      await real().network('six');
      const ra = (mode: string): string => `--ip-version 6 --ipv6-ra-mode ${mode} --ipv6-address-mode ${mode}`;
      await demo.run(`subnet create --network six --subnet-range fd00:1::/64 ${ra('slaac')} six-own`);
      await demo.run(
        `subnet create --network six --subnet-range fd00:2::/64 ${ra('dhcpv6-stateful')} --dns-nameserver fd00:53::1 six-given`,
      );
      await demo.run('router create six');
      await demo.run('router add subnet six six-own');
      await demo.run('router add subnet six six-given');
      const port = await demo.json<{ id: string; mac_address: string; fixed_ips: { ip_address: string }[] }>(
        'port create --network six --device-owner compute:by-hand six-guest',
      );
      await admin.run(`port set --host ${real().controller} six-guest`);
      const guest = `guest-${short(port.id)}`;
      const tap = `tap${short(port.id)}`;
      try {
        await shown(null, 'ip', 'netns', 'add', guest);
        await shown(null, ...`ip link add ${tap} type veth peer name eth0 netns ${guest}`.split(' '));
        await shown(null, ...`ip -n ${guest} link set eth0 address ${port.mac_address} up`.split(' '));
        const addresses = async (): Promise<string> =>
          (await inside(guest, 'ip', '-6', '-br', 'address', 'show', 'dev', 'eth0', 'scope', 'global')).stdout;
        const expected = port.fixed_ips.map((one) => one.ip_address).sort();
        const [own = '', given = ''] = expected;
        expect(expected).toEqual([expect.stringMatching(/^fd00:1::/), expect.stringMatching(/^fd00:2::/)]);
        await until('the port to work', async () => (await demo.field('port show six-guest', 'status')) === 'ACTIVE');
        await until('its own address', async () => (await addresses()).includes(`${own}/64`), 40_000);
        expect(await addresses()).not.toContain('fd00:2:');
        const lease = await shown(guest, process.execPath, DHCP6, 'eth0', port.mac_address);
        expect(JSON.parse(lease)).toEqual({ addresses: [given], resolvers: ['fd00:53::1'] });
        const leases = real().file(real().controller, 'neutron/dhcp', real().net('six'), 'leases');
        expect(readFileSync(leases, 'utf8')).toContain(given);
      } finally {
        await program('ip', ['netns', 'delete', guest]);
      }
    });
  });
}
