import { expect, it } from '@jest/globals';
import { listed, lower, type Rows, type Week } from './week';

const TAGGED = ['--any-tags a,c', '--not-tags c', '--not-any-tags c,d'];

/** What the network commands can do beside the ordinary; on a network of its own. */
export function networkOptionTests(week: Week): void {
  it('has the rarer options of networks, subnets and pools', async () => {
    const { demo, admin } = week;
    await demo.run('network create --enable --no-share --enable-port-security --availability-zone-hint nova odd');
    await demo.run('network set --mtu 1300 --dns-domain odd.example. --tag a --tag b odd');
    await demo.run('network auto allocated topology delete');
    expect(await admin.refused('network create --external --default odder')).toMatch(/default external network/);
    await admin.run('network set --no-default public');
    await admin.run('network create --external --default --disable odder');
    expect(await admin.json('network show odder')).toMatchObject({
      is_default: true,
      admin_state_up: expect.anything(),
    });
    expect(await demo.column('network list --disable', 'Name')).toContain('odder');
    await admin.run('network set --no-default --internal --share odder');
    expect(await demo.column('network list --share', 'Name')).toContain('odder');
    await admin.run('network set --no-share odder');
    await admin.run('network delete odder');
    await admin.run('network set --default public');
    await admin.run('network create --provider-network-type vxlan --provider-segment 4242 --project demo segment');
    expect(await admin.column('network list --provider-segment 4242', 'Name')).toEqual(['segment']);
    expect(await admin.column('network list --provider-physical-network public', 'Name')).toEqual(['public']);
    await admin.run('network delete segment');
    await listed(demo, 'network list', TAGGED, 'odd');
    await demo.run('network set --no-tag --tag z odd');
    expect(await demo.json('network show odd')).toMatchObject({ mtu: 1300, tags: ['z'] });
    await demo.run('network unset --all-tag odd');

    await admin.run(
      'subnet create --project demo --network odd --subnet-range 10.50.0.0/24 --description d --dhcp --dns-publish-fixed-ip --service-type compute:nova oddsub',
    );
    await demo.run(
      'subnet set --no-allocation-pool --allocation-pool start=10.50.0.20,end=10.50.0.30 --gateway 10.50.0.9 --host-route destination=10.60.0.0/16,gateway=10.50.0.8 --dns-nameserver 1.1.1.1 --tag a oddsub',
    );
    expect(await demo.json('subnet show oddsub')).toMatchObject({
      allocation_pools: [{ start: '10.50.0.20', end: '10.50.0.30' }],
      gateway_ip: '10.50.0.9',
      dns_nameservers: ['1.1.1.1'],
      service_types: ['compute:nova'],
      host_routes: [{ destination: '10.60.0.0/16', nexthop: '10.50.0.8' }],
    });
    await listed(demo, 'subnet list', TAGGED, 'oddsub');
    await demo.run('subnet set --no-dns-nameservers --dns-nameserver 9.9.9.9 --no-host-route oddsub');
    await demo.run('subnet unset --all-tag --gateway oddsub');
    expect(await demo.json('subnet show oddsub')).toMatchObject({
      dns_nameservers: ['9.9.9.9'],
      gateway_ip: null,
      host_routes: [],
      tags: [],
    });
    expect(await admin.column('subnet list --project demo', 'Name')).toContain('oddsub');

    await admin.run(
      'subnet pool create --share --default --pool-prefix 10.70.0.0/16 --min-prefix-length 20 --max-prefix-length 28 --default-prefix-length 24 --default-quota 512 --description d --project demo oddpool',
    );
    await listed(demo, 'subnet pool list', ['--long', '--default', '--share', '--name oddpool'], 'oddpool');
    await demo.run('network create ofpool');
    await demo.run('subnet create --network ofpool --use-default-subnet-pool fromdefault');
    expect(await demo.column('subnet list --subnet-pool oddpool', 'Name')).toEqual(['fromdefault']);
    await demo.run('network delete ofpool');
    expect(await demo.json('network auto allocated topology create --check-resources')).toHaveProperty('dry_run');
    const topology = lower(await demo.json('network auto allocated topology create'));
    expect(await demo.json(`network show ${String(topology['id'])}`)).toMatchObject({ name: 'auto_allocated_network' });
    expect(await demo.column('router list', 'Name')).toContain('auto_allocated_router');
    await demo.run('network auto allocated topology delete');
    expect(await demo.column('router list', 'Name')).not.toContain('auto_allocated_router');
    await admin.run('subnet pool set --no-default --min-prefix-length 18 --max-prefix-length 29 --tag a oddpool');
    expect(await demo.column('subnet pool list --no-default', 'Name')).toContain('oddpool');
    await listed(demo, 'subnet pool list', TAGGED, 'oddpool');
    await admin.run('subnet pool unset --all-tag oddpool');
    await admin.run('subnet pool delete oddpool');
    await admin.run('address scope create --share --ip-version 6 --project demo oddscope');
    expect(await admin.column('address scope list --project demo --share --name oddscope', 'Name')).toHaveLength(1);
    await admin.run('address scope delete oddscope');
    expect((await admin.json<Rows>('ip availability list --ip-version 4 --project demo')).length).toBeGreaterThan(0);
  });

  it('has the rarer options of ports, routers, floating IPs and groups', async () => {
    const { demo, admin } = week;
    await demo.run(
      'port create --network odd --device-owner compute:x --device dev1 --dns-name host1 --extra-dhcp-option name=mtu,value=1300,ip-version=4 --vnic-type normal --disable-port-security --no-security-group --no-fixed-ip --tag a oddport',
    );
    expect(await demo.json('port show oddport')).toMatchObject({
      device_id: 'dev1',
      device_owner: 'compute:x',
      dns_name: 'host1',
      fixed_ips: [],
      port_security_enabled: false,
    });
    await listed(demo, 'port list', [...TAGGED, '--device-owner compute:x', '--device-id dev1'], 'oddport');
    await admin.run('port set --host somewhere --binding-profile a=b --mac-address fa:16:3e:00:00:99 oddport');
    expect(await admin.column('port list --host somewhere --project demo', 'Name')).toEqual(['oddport']);
    expect(await admin.json('port show oddport')).toMatchObject({
      binding_profile: { a: 'b' },
      mac_address: 'fa:16:3e:00:00:99',
    });
    await admin.run('port unset --binding-profile a --host oddport');
    await demo.run('port set --enable-port-security --no-fixed-ip --fixed-ip subnet=oddsub --dns-name h2 oddport');
    await demo.run('port set --allowed-address ip-address=10.50.0.99,mac-address=fa:16:3e:00:00:98 oddport');
    await demo.run(
      'port unset --allowed-address ip-address=10.50.0.99,mac-address=fa:16:3e:00:00:98 --all-tag oddport',
    );
    expect(await demo.json('port show oddport')).toMatchObject({ allowed_address_pairs: [], tags: [] });
    await demo.run('port delete oddport');

    await demo.run('router create --disable --availability-zone-hint nova --tag a oddrouter');
    await listed(demo, 'router list', [...TAGGED, '--disable'], 'oddrouter');
    await admin.run('router set --enable --external-gateway public --disable-snat oddrouter');
    expect(await admin.json('router show oddrouter')).toMatchObject({
      external_gateway_info: { enable_snat: false },
    });
    await admin.run('router set --external-gateway public --enable-snat --no-route oddrouter');
    expect(await admin.column('router list --project demo --enable', 'Name')).toContain('oddrouter');
    await demo.run('router unset --all-tag oddrouter');
    await demo.run('subnet set --gateway 10.50.0.9 oddsub');
    await demo.run('router add subnet oddrouter oddsub');
    expect((await demo.json<Rows>('port list --router oddrouter')).length).toBeGreaterThan(0);

    await demo.run('port create --network odd --fixed-ip ip-address=10.50.0.21 target');
    const made = await demo.json('floating ip create --port target --tag a --description d public');
    const address = String(made['floating_ip_address']);
    const filters = [
      `--floating-ip-address ${address}`,
      '--fixed-ip-address 10.50.0.21',
      '--port target',
      '--router oddrouter',
      '--network public --long',
      ...TAGGED,
    ];
    const seen = await Promise.all(filters.map((one) => demo.column(`floating ip list ${one}`, 'ID')));
    for (const ids of seen) expect(ids).toContain(made['id']);
    expect(await admin.column('floating ip list --project demo', 'ID')).toContain(made['id']);
    await demo.run(`floating ip set --description other --no-tag --tag b ${address}`);
    await demo.run(`floating ip unset --port --all-tag ${address}`);
    expect(await demo.json(`floating ip show ${address}`)).toMatchObject({ description: 'other', port_id: null });
    const forwarding = 'floating ip port forwarding';
    const ports = '--internal-ip-address 10.50.0.21 --port target --internal-protocol-port 22 --protocol tcp';
    const forwarded = await demo.json(`${forwarding} create ${ports} --external-protocol-port 2222 ${address}`);
    expect(forwarded).toMatchObject({ external_port: 2222, internal_port: 22, protocol: 'tcp' });
    const ruleId = String(forwarded['id']);
    expect(await demo.refused(`floating ip set --port target ${address}`)).toMatch(/in use by Port Forwarding/);
    expect(await demo.column(`${forwarding} list --protocol tcp --port target ${address}`, 'ID')).toEqual([ruleId]);
    await demo.run(`${forwarding} set --external-protocol-port 2223 --description ssh ${address} ${ruleId}`);
    expect(await demo.json(`${forwarding} show ${address} ${ruleId}`)).toMatchObject({
      external_port: 2223,
      description: 'ssh',
    });
    await demo.run(`${forwarding} delete ${address} ${ruleId}`);
    await demo.run(`floating ip delete ${address}`);
    await demo.run('port delete target');
    await demo.run('router remove subnet oddrouter oddsub');
    await demo.run('router delete oddrouter');

    await demo.run('security group create --stateless oddgroup');
    expect(await demo.json('security group show oddgroup')).toMatchObject({ stateful: false });
    await demo.run('security group set --stateful --tag a oddgroup');
    await listed(demo, 'security group list', TAGGED, 'oddgroup');
    await demo.run('security group unset --all-tag oddgroup');
    for (const rule of [
      '--protocol icmp --icmp-type 8 --icmp-code 0',
      '--protocol 132',
      '--protocol tcp --dst-port 22 --ethertype IPv6 --remote-ip ::/0',
    ])
      await demo.run(`security group rule create ${rule} oddgroup`);
    expect(await demo.column('security group rule list --egress --long oddgroup', 'ID')).toHaveLength(2);
    expect(await demo.column('security group rule list --ingress oddgroup', 'ID')).toHaveLength(3);
    await demo.run('security group delete oddgroup');
    await demo.run('network delete odd');
  });
}
