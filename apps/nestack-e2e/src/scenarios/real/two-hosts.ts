import { afterAll, describe, expect, it } from '@jest/globals';
import { program, until } from '../../cloud';
import { membersOf, short, shown, type Host, type RealLab } from './real-lab';

/** Guests on two hosts: tunnels, a local network that ends at its host, and a physical network that both are on. */
export function twoHostScenarios(real: () => RealLab): void {
  let second: Host;
  const underlay = 'nestack_e2e';

  /** Adds a NIC in a network to a guest; its name in there, its port's tap and address. */
  const plug = async (guest: string, network: string): Promise<{ nic: string; tap: string; address: string }> => {
    const { admin } = real().lab;
    const before = await real().said(guest, 'ls /sys/class/net');
    await admin.run(`server add network ${real().guest(guest).id} ${real().net(network)}`);
    const [port] = await admin.json<{ ID: string; 'Fixed IP Addresses': { ip_address: string }[] }[]>(
      `port list --device-id ${real().guest(guest).id} --network ${real().net(network)}`,
    );
    const nic = await until('the NIC in the guest', async () => {
      const now = (await real().said(guest, 'ls /sys/class/net')).split('\n');
      return now.find((one) => one !== '' && !before.split('\n').includes(one));
    });
    return { nic, tap: `tap${short(port?.ID ?? '')}`, address: port?.['Fixed IP Addresses'][0]?.ip_address ?? '-' };
  };
  const unplug = async (guest: string, network: string): Promise<void> => {
    await real().lab.admin.run(`server remove network ${real().guest(guest).id} ${real().net(network)}`);
  };
  const has = (guest: string, nic: string, address: string): Promise<boolean> =>
    until(
      `${address} in ${guest}`,
      async () => (await real().said(guest, `ip address show dev ${nic}`)).includes(`${address}/`),
      30_000,
    );

  afterAll(async () => {
    await program('nft', ['delete', 'table', 'inet', underlay]);
  });

  describe('two hosts', () => {
    it('S-9.4.2.1 before the first guest there is no bridge', async () => {
      second = real().host('second');
      // It may have served networks of former scenarios, which are gone, and their router, which moves.
      const { admin } = real().lab;
      type Agent = Readonly<{ ID: string; Host: string }>;
      for (const { ID, Host } of await admin.json<Agent[]>('network agent list --router r')) {
        if (Host !== second.name) continue;
        const agents = await admin.json<Agent[]>('network agent list --agent-type l3');
        await admin.run(`network agent remove router --l3 ${ID} r`);
        await admin.run(`network agent add router --l3 ${agents.find((one) => one.ID !== ID)?.ID ?? ''} r`);
      }
      const bridges = (): Promise<string> => shown(second.namespace, 'ip', '-br', 'link', 'show', 'type', 'bridge');
      await until('no bridge of a network', async () => !(await bridges()).includes('brq'), 20_000);
    });

    it('S-9.4.9.5 guests on both meet through the tunnel', async () => {
      const { admin, demo } = real().lab;
      await admin.run(`compute service set --disable ${real().controller} nova-compute`);
      await real().ask('vm4', 'lan1', 'm1.tiny');
      await real().booted('vm4');
      await admin.run(`compute service set --enable ${real().controller} nova-compute`);
      expect(await admin.field(`server show ${real().guest('vm4').id}`, 'OS-EXT-SRV-ATTR:host')).toBe('second');
      await demo.run('server add security group vm4 open');
      const details = await shown(null, 'ip', '-d', 'link', 'show', 'master', real().bridge('lan1'), 'type', 'vxlan');
      const port = /dstport (\d+)/.exec(details)?.[1] ?? '-';
      await shown(null, 'nft', 'add', 'table', 'inet', underlay);
      const chain = '{ type filter hook input priority -200 ; }';
      await shown(null, 'nft', 'add', 'chain', 'inet', underlay, 'seen', chain);
      const outer = `ip saddr ${second.address} udp dport ${port} counter`;
      await shown(null, 'nft', 'add', 'rule', 'inet', underlay, 'seen', ...outer.split(' '));
      expect(await real().said('vm1', `ping -c 3 -W 5 ${real().guest('vm4').address}`)).toMatch(/ 0% packet loss/);
      const seen = /packets (\d+)/.exec(await shown(null, 'nft', 'list', 'table', 'inet', underlay))?.[1];
      expect(Number(seen)).toBeGreaterThanOrEqual(3);
      expect((await real().said('vm4', 'cat /sys/class/net/eth0/mtu')).trim()).toBe('1450');
    });

    it('S-9.4.9.8 the forwarding tables have the other host', async () => {
      const tunnel = async ({ namespace }: Host): Promise<string> =>
        (await membersOf(namespace, real().bridge('lan1'))).find((one) => /^vx/.test(one)) ?? '-';
      for (const [at, to, guest] of [
        [real().host(), second, 'vm4'],
        [second, real().host(), 'vm1'],
      ] as const) {
        const table = await shown(at.namespace, 'bridge', 'fdb', 'show', 'dev', await tunnel(at));
        for (const mac of ['00:00:00:00:00:00', real().guest(guest).mac])
          expect(table).toMatch(new RegExp(`^${mac} dst ${to.address} `, 'm'));
      }
    });

    it('S-9.4.4.6 a local network ends at its host', async () => {
      const [here, there] = [await plug('vm1', 'alone'), await plug('vm4', 'alone')];
      await has('vm1', here.nic, here.address);
      expect(await membersOf(null, real().bridge('alone'))).toContain(here.tap);
      expect(await membersOf(second.namespace, real().bridge('alone'))).toEqual([there.tap]);
      expect(await real().said('vm4', `ip address show dev ${there.nic}`)).not.toContain(`${there.address}/`);
      // Also with the address that its DHCP server does not tell it.
      await real().said('vm4', `sudo ip address add ${there.address}/24 dev ${there.nic}`);
      expect(await real().does('vm4', `ping -c 1 -W 2 ${here.address}`)).toBe(false);
      expect(await real().pings(real().dhcp('alone'), there.address)).toBe(false);
      for (const guest of ['vm1', 'vm4']) await unplug(guest, 'alone');
    });

    it("S-9.4.5.2, S-1.5.1.1 a flat network's bridge has the physical interface and leads guests outside", async () => {
      const { admin } = real().lab;
      await real().network('public', null);
      await admin.run('subnet set --dhcp public-subnet');
      const { nic, tap, address } = await plug('vm1', 'public');
      await has('vm1', nic, address);
      const members = await membersOf(null, real().bridge('public'));
      expect(members).toEqual(expect.arrayContaining([tap, `pn-${short(real().net('public'))}`]));
      const { gateway_ip: outside } = await admin.json<{ gateway_ip: string }>('subnet show public-subnet');
      expect(await real().said('vm1', `ping -c 1 -W 3 -I ${nic} ${outside}`)).toMatch(/ 0% packet loss/);
    });

    it('S-9.4.5.3 guests on two hosts meet on a flat network', async () => {
      const { nic, tap, address } = await plug('vm4', 'public');
      await has('vm4', nic, address);
      const members = await membersOf(second.namespace, real().bridge('public'));
      expect(members).toEqual(expect.arrayContaining([tap, `pn-${short(real().net('public'))}`]));
      const [other] = await real().lab.admin.json<{ 'Fixed IP Addresses': { ip_address: string }[] }[]>(
        `port list --device-id ${real().guest('vm1').id} --network public`,
      );
      const there = other?.['Fixed IP Addresses'][0]?.ip_address ?? '-';
      expect(await real().said('vm4', `ping -c 1 -W 5 -I ${nic} ${there}`)).toMatch(/ 0% packet loss/);
      for (const guest of ['vm1', 'vm4']) await unplug(guest, 'public');
      await real().lab.admin.run('subnet set --no-dhcp public-subnet');
    });
  });
}
