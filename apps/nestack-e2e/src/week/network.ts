import { describe, expect, it } from '@jest/globals';
import { networkOptionTests } from './network-options';
import { listed, type Rows, type Week } from './week';

/** Networks, addresses, routers and filters. */
export function networkWeek(week: Week): void {
  describe('network', () => {
    it('makes networks and subnets, lists them with every filter, changes them', async () => {
      const { demo, admin } = week;
      expect(
        await demo.json('network create --description lan --tag one --mtu 1400 --dns-domain lab.example. net'),
      ).toMatchObject({ name: 'net', status: 'ACTIVE', mtu: 1400, 'router:external': expect.anything() });
      await demo.run('network set --name net1 --disable --description wan --tag two net');
      expect(await demo.json('network show net1')).toMatchObject({ description: 'wan', name: 'net1' });
      await demo.run('network set --enable --disable-port-security net1');
      await demo.run('network set --enable-port-security net1');
      await demo.run('network unset --tag one net1');
      await listed(
        demo,
        'network list',
        ['--internal', '--name net1', '--enable', '--no-share', '--tags two', '--status ACTIVE', '--long'],
        'net1',
      );
      expect(await demo.column('network list --external', 'Name')).toContain('public');
      expect(await admin.column('network list --project demo --provider-network-type vxlan', 'Name')).toContain('net1');
      expect(
        await demo.json(
          'subnet create --network net1 --subnet-range 10.1.0.0/24 --gateway 10.1.0.254 --dns-nameserver 9.9.9.9 --allocation-pool start=10.1.0.10,end=10.1.0.99 --host-route destination=10.9.0.0/16,gateway=10.1.0.7 --tag t1 sub',
        ),
      ).toMatchObject({ cidr: '10.1.0.0/24', gateway_ip: '10.1.0.254', dns_nameservers: ['9.9.9.9'] });
      await demo.run('subnet set --name sub1 --dns-nameserver 8.8.8.8 --description d --no-dhcp --tag t2 sub');
      expect(await demo.json('subnet show sub1')).toMatchObject({ enable_dhcp: false, description: 'd' });
      await demo.run('subnet set --dhcp sub1');
      await demo.run(
        'subnet unset --dns-nameserver 9.9.9.9 --host-route destination=10.9.0.0/16,gateway=10.1.0.7 --tag t1 sub1',
      );
      await listed(
        demo,
        'subnet list',
        [
          '--network net1',
          '--name sub1',
          '--ip-version 4',
          '--subnet-range 10.1.0.0/24',
          '--dhcp',
          '--tags t2',
          '--gateway 10.1.0.254',
          '--long',
        ],
        'sub1',
      );
      expect(
        await demo.json(
          'subnet create --network net1 --ip-version 6 --ipv6-ra-mode slaac --ipv6-address-mode slaac --subnet-range fd00:1::/64 six',
        ),
      ).toMatchObject({ ip_version: 6, ipv6_ra_mode: 'slaac', gateway_ip: 'fd00:1::1' });
      await demo.run('subnet delete six');
      expect(await admin.json<Rows>('ip availability list')).toEqual(
        expect.arrayContaining([expect.objectContaining({ 'Network Name': 'net1' })]),
      );
      expect(await admin.json('ip availability show net1')).toMatchObject({
        network_name: 'net1',
        used_ips: expect.anything(),
      });
    });

    it('takes subnets from pools and scopes', async () => {
      const { demo, admin } = week;
      await demo.run('network create scoped');
      await demo.run('address scope create scope');
      await demo.run('address scope set --name scope1 scope');
      expect(await demo.json('address scope show scope1')).toMatchObject({ ip_version: 4, name: 'scope1' });
      expect(await demo.column('address scope list --ip-version 4', 'Name')).toContain('scope1');
      await demo.run(
        'subnet pool create --pool-prefix 10.20.0.0/16 --default-prefix-length 26 --address-scope scope1 --tag a pool',
      );
      await demo.run(
        'subnet pool set --name pool1 --pool-prefix 10.21.0.0/16 --default-prefix-length 27 --description p --tag b pool',
      );
      expect(await demo.json('subnet pool show pool1')).toMatchObject({ default_prefixlen: 27, description: 'p' });
      expect(await demo.column('subnet pool list --address-scope scope1 --tags b', 'Name')).toEqual(['pool1']);
      await demo.run('subnet pool unset --tag a pool1');
      expect(
        await demo.json('subnet create --network scoped --subnet-pool pool1 --prefix-length 27 pooled'),
      ).toMatchObject({
        cidr: expect.stringMatching(/^10\.2[01]\.0\.\d+\/27$/),
        subnetpool_id: expect.any(String),
      });
      expect(await demo.refused('subnet pool delete pool1')).toMatch(/40[09]|in use|allocat/i);
      await demo.run('subnet delete pooled');
      await demo.run('network delete scoped');
      await demo.run('subnet pool delete pool1');
      await demo.run('address scope delete scope1');
      expect(await admin.column('subnet pool list', 'Name')).not.toContain('pool1');
    });

    it('keeps security groups and rules', async () => {
      const { demo, admin } = week;
      await demo.run('security group create --description web --tag x sg');
      await demo.run('security group set --name sg1 --description www --tag y sg');
      await demo.run('security group unset --tag x sg1');
      const rule = await demo.json(
        'security group rule create --protocol tcp --dst-port 80:81 --remote-ip 10.0.0.0/8 --description http sg1',
      );
      expect(rule).toMatchObject({ port_range_min: 80, port_range_max: 81, protocol: 'tcp', direction: 'ingress' });
      await demo.run('security group rule create --egress --ethertype IPv6 --protocol icmpv6 sg1');
      await demo.run('security group rule create --remote-group sg1 --protocol udp --dst-port 53 sg1');
      expect(await demo.json(`security group rule show ${String(rule['id'])}`)).toMatchObject({ description: 'http' });
      expect(await demo.column('security group rule list sg1', 'ID')).toHaveLength(5);
      expect(await demo.column('security group rule list --ingress --protocol tcp --long sg1', 'ID')).toEqual([
        rule['id'],
      ]);
      await demo.run(`security group rule delete ${String(rule['id'])}`);
      expect(await demo.json('security group show sg1')).toMatchObject({ name: 'sg1', description: 'www' });
      expect(await demo.column('security group list --tags y', 'Name')).toEqual(['sg1']);
      expect(await admin.column('security group list --project demo', 'Name')).toEqual(
        expect.arrayContaining(['default', 'sg1']),
      );
    });

    it('makes ports in every form', async () => {
      const { demo } = week;
      const port = await demo.json(
        'port create --network net1 --fixed-ip subnet=sub1,ip-address=10.1.0.50 --mac-address fa:16:3e:aa:bb:01 --security-group sg1 --allowed-address ip-address=10.1.0.200 --description p --tag p1 port',
      );
      expect(port).toMatchObject({
        status: 'DOWN',
        mac_address: 'fa:16:3e:aa:bb:01',
        fixed_ips: [{ ip_address: '10.1.0.50', subnet_id: expect.any(String) }],
        allowed_address_pairs: [{ ip_address: '10.1.0.200', mac_address: 'fa:16:3e:aa:bb:01' }],
      });
      await demo.run(
        'port set --name port1 --fixed-ip subnet=sub1,ip-address=10.1.0.51 --disable --description q --tag p2 port',
      );
      await demo.run('port unset --fixed-ip subnet=sub1,ip-address=10.1.0.50 --tag p1 port1');
      await demo.run('port unset --security-group ' + (await demo.field('security group show sg1', 'id')) + ' port1');
      await demo.run('port set --no-security-group --no-allowed-address --disable-port-security port1');
      await demo.run('port set --enable-port-security --security-group sg1 --enable port1');
      expect(await demo.json('port show port1')).toMatchObject({
        fixed_ips: [{ ip_address: '10.1.0.51', subnet_id: expect.any(String) }],
        description: 'q',
      });
      await listed(
        demo,
        'port list',
        [
          '--network net1',
          '--fixed-ip ip-address=10.1.0.51',
          '--mac-address fa:16:3e:aa:bb:01',
          '--tags p2',
          '--name port1',
          '--fixed-ip subnet=sub1',
          '--long',
        ],
        'port1',
      );
    });

    it('routes, with an external gateway, routes of its own and floating IPs', async () => {
      const { demo, admin } = week;
      expect(await demo.json('router create --description r --tag r1 router')).toMatchObject({ status: 'ACTIVE' });
      await demo.run('router set --name edge --external-gateway public --description rr --tag r2 router');
      await demo.run('router add subnet edge sub1');
      const shown = await demo.json('router show edge');
      expect(shown).toMatchObject({
        description: 'rr',
        external_gateway_info: { external_fixed_ips: [expect.anything()] },
      });
      expect(shown['interfaces_info']).toEqual([expect.objectContaining({ ip_address: '10.1.0.254' })]);
      await demo.run('router add route --route destination=10.77.0.0/16,gateway=10.1.0.9 edge');
      expect(JSON.stringify(await demo.json('router show edge'))).toContain('10.77.0.0/16');
      await demo.run('router remove route --route destination=10.77.0.0/16,gateway=10.1.0.9 edge');
      await demo.run('router set --route destination=10.78.0.0/16,gateway=10.1.0.9 edge');
      await demo.run('router unset --route destination=10.78.0.0/16,gateway=10.1.0.9 --tag r1 edge');
      expect(await demo.column('router list --name edge --long --tags r2', 'Name')).toEqual(['edge']);

      const floating = await demo.json('floating ip create --description f --tag f1 public');
      const id = String(floating['id']);
      await demo.run(`floating ip set --port port1 ${id}`);
      expect(await demo.json(`floating ip show ${id}`)).toMatchObject({
        fixed_ip_address: '10.1.0.51',
        router_id: shown['id'],
        status: 'ACTIVE',
      });
      for (const filter of [
        '--network public',
        '--port port1',
        '--fixed-ip-address 10.1.0.51',
        '--router edge',
        '--long',
        '--tags f1',
      ])
        expect(await demo.column(`floating ip list ${filter}`, 'ID')).toEqual([id]);
      await demo.run(`floating ip set --tag f2 ${id}`);
      expect(await demo.refused('router remove subnet edge sub1')).toMatch(/409|floating/i);
      await demo.run(`floating ip unset --port --tag f1 ${id}`);
      expect(await demo.json(`floating ip show ${id}`)).toMatchObject({ port_id: null, status: 'DOWN' });
      await demo.run(`floating ip delete ${id}`);

      await demo.run('subnet create --network net1 --subnet-range 10.4.0.0/24 sub2');
      await demo.run('port create --network net1 --fixed-ip subnet=sub2,ip-address=10.4.0.1 leg');
      await demo.run('router add port edge leg');
      await demo.run('router remove port edge leg');
      await demo.run('subnet delete sub2');
      const [agent = ''] = await admin.column('network agent list --agent-type l3', 'ID');
      expect(await admin.column('network agent list --router edge', 'ID')).toEqual([agent]);
      await admin.run(`network agent remove router --l3 ${agent} edge`);
      await admin.run(`network agent add router --l3 ${agent} edge`);
      expect(await admin.column(`router list --agent ${agent}`, 'Name')).toContain('edge');
      await demo.run('router unset --external-gateway edge');
      if (week.has('router add gateway')) {
        // Several gateways need an extension that this cloud does not have: the client says so by itself.
        expect(await demo.refused('router add gateway edge public')).toMatch(/does not support|extension/i);
        expect(await demo.refused('router remove gateway edge public')).toMatch(/does not support|extension/i);
      }
      await demo.run('router remove subnet edge sub1');
      await demo.run('router delete edge');
    });

    it('shares by RBAC', async () => {
      const { admin } = week;
      await admin.run('project create --domain default friend');
      await admin.run('network rbac create --type network --action access_as_shared --target-project friend net1');
      const [policy = ''] = await admin.column('network rbac list --type network --action access_as_shared', 'ID');
      expect(await admin.json(`network rbac show ${policy}`)).toMatchObject({
        object_type: 'network',
        action: 'access_as_shared',
      });
      await admin.run(`network rbac set --target-project demo ${policy}`);
      expect(await admin.column('network rbac list --long', 'ID')).toContain(policy);
      await admin.run(`network rbac delete ${policy}`);
      await admin.run('project delete friend');
    });

    it('shows agents, which take and lose networks', async () => {
      const { admin } = week;
      const agents = await admin.json<Rows>('network agent list');
      expect(agents.map((agent) => agent['Agent Type'])).toEqual(expect.arrayContaining(['DHCP agent', 'L3 agent']));
      const [agent = ''] = await admin.column('network agent list --agent-type dhcp', 'ID');
      await admin.run(`network agent set --disable --description 'in repair' ${agent}`);
      expect(await admin.json(`network agent show ${agent}`)).toMatchObject({
        description: 'in repair',
        alive: expect.anything(),
      });
      await admin.run(`network agent set --enable ${agent}`);
      await admin.run(`network agent add network --dhcp ${agent} net1`).catch((error: Error) => {
        // It has it already.
        expect(error.message).toMatch(/409|already/i);
      });
      expect(await admin.column(`network list --agent ${agent}`, 'Name')).toContain('net1');
      await admin.run(`network agent remove network --dhcp ${agent} net1`);
      expect(await admin.column(`network list --agent ${agent}`, 'Name')).not.toContain('net1');
      await admin.run(`network agent add network --dhcp ${agent} net1`);
      expect(await admin.refused(`network agent delete 3f0e8a52-0000-4000-8000-000000000000`)).toMatch(
        /404|not be found|1 of 1/i,
      );
      expect(await admin.json<Rows>('network service provider list')).toEqual(expect.any(Array));
      expect(await admin.json<Rows>('availability zone list --network')).toEqual(expect.any(Array));
    });

    networkOptionTests(week);

    it('deletes it all again', async () => {
      const { demo } = week;
      expect(await demo.refused('network delete net1')).toMatch(/409|in use/i);
      await demo.run('port delete port1');
      await demo.run('subnet delete sub1');
      await demo.run('network delete net1');
      await demo.run('security group delete sg1');
      expect(await demo.column('network list --internal', 'Name')).not.toContain('net1');
    });
  });
}
