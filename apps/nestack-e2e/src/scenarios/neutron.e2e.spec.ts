import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '../cloud';
import { Lab, names, type Rows } from './lab';

jest.setTimeout(120_000);

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.up();
  const file = lab.cloud.file('cirros.raw', Buffer.alloc(64 * 1024, 1));
  await lab.admin.run(`image create cirros --public --file ${file} --disk-format raw`);
  const added = await lab.cloud.nestack('compute', 'add', 'node-2');
  if (added.code !== 0) throw new Error(`${added.stdout}${added.stderr}`);
}, 300_000);

afterAll(async () => {
  await lab.end();
}, 120_000);

const agents = (): Promise<Rows> => lab.admin.json<Rows>('network agent list');

describe('chapters 9.1 to 9.3, ideas, architecture, lab', () => {
  it('S-9.1.2.1 networks of each type', async () => {
    for (const [type, more] of [
      ['vxlan', '--provider-segment 4242'],
      ['local', ''],
    ] as const)
      expect(await lab.admin.json(`network create --provider-network-type ${type} ${more} of-${type}`)).toMatchObject({
        'provider:network_type': type,
      });
    expect(await lab.admin.refused('network create --provider-network-type gre2 no')).toMatch(
      /400|invalid choice|not supported/i,
    );
    await lab.admin.run('network delete of-vxlan of-local');
  });

  it('S-9.1.2.2 subnets overlap between networks only', async () => {
    const { demo } = lab;
    await demo.run('network create one');
    await demo.run('network create two');
    await demo.run('subnet create --network one --subnet-range 172.16.100.0/24 one4');
    expect(await demo.refused('subnet create --network one --subnet-range 172.16.100.0/25 again')).toMatch(
      /400|overlaps/,
    );
    await demo.run('subnet create --network two --subnet-range 172.16.100.0/24 two4');
  });

  it('S-9.1.2.3 a port has a MAC and an address', async () => {
    expect(await lab.demo.json('port create --network one port-1')).toMatchObject({
      mac_address: expect.stringMatching(/^fa:16:3e:/),
      fixed_ips: [{ ip_address: expect.stringMatching(/^172\.16\.100\.\d+$/), subnet_id: expect.any(String) }],
      status: 'DOWN',
    });
    await lab.demo.run('port delete port-1');
  });

  it('S-9.2.0.1, S-9.2.3.1 the server decides and the agent acts: a port goes from DOWN to ACTIVE', async () => {
    await lab.demo.boot('server create --image cirros --flavor m1.tiny --network one vm1');
    await lab.flow(await lab.request('vm1', 'create'), [
      /-> neutron POST \/ports/,
      /neutron-agent\S* => neutron get_devices_details/,
      /neutron-agent\S* => neutron update_device_up/,
    ]);
    expect(await lab.demo.column('port list --server vm1', 'Status')).toEqual(['ACTIVE']);
  });

  it('S-9.2.4.3 a bound port names its host and its mechanism', async () => {
    const [id = ''] = await lab.demo.column('port list --server vm1', 'ID');
    expect(await lab.admin.json(`port show ${id}`)).toMatchObject({
      binding_host_id: expect.stringMatching(/\w/),
      binding_vif_type: 'bridge',
      binding_vnic_type: 'normal',
    });
    await lab.demo.deleteServers('vm1');
  });

  it('S-9.2.1.1, S-9.3.4.1, S-9.4.1.1 agents are alive on both hosts', async () => {
    const rows = await agents();
    const [controller = ''] = await lab.admin.column('compute service list --service nova-conductor', 'Host');
    const on = (host: string): unknown[] =>
      names(
        rows.filter((row) => row['Host'] === host && row['Alive'] === true),
        'Agent Type',
      );
    expect(on('node-2')).toContain('Linux bridge agent');
    expect(on(controller)).toEqual(
      expect.arrayContaining(['DHCP agent', 'L3 agent', 'Linux bridge agent', 'Metadata agent']),
    );
  });

  it('S-9.2.5.1, S-9.4.8.1 agents for DHCP, L3, L2 and metadata are alive', async () => {
    const rows = await agents();
    for (const type of ['DHCP agent', 'L3 agent', 'Linux bridge agent', 'Metadata agent'])
      expect(rows).toContainEqual(expect.objectContaining({ 'Agent Type': type, Alive: true, State: true }));
  });

  it('S-9.2.2.1 the extensions of the API are listed', async () => {
    expect(await lab.demo.column('extension list --network', 'Alias')).toEqual(
      expect.arrayContaining(['router', 'security-group', 'external-net', 'provider', 'binding', 'quotas', 'agent']),
    );
  });

  it('S-9.2.4.2 a segment is never given twice', async () => {
    await lab.admin.run('network create --provider-network-type vxlan --provider-segment 5151 first');
    expect(
      await lab.admin.refused('network create --provider-network-type vxlan --provider-segment 5151 second'),
    ).toMatch(/409|in use/i);
    await lab.admin.run('network delete first');
  });
});

describe('chapter 9.4, networks', () => {
  it('S-9.4.4.1 local networks are made by administrators', async () => {
    expect(await lab.admin.json('network create --provider-network-type local first_local_net')).toMatchObject({
      'provider:network_type': 'local',
      'provider:segmentation_id': null,
    });
    await lab.admin.run('network delete first_local_net');
  });

  it('S-9.4.4.2 a user makes a network with a subnet, an administrator one with a type, a project and an audience', async () => {
    expect(await lab.demo.refused('network create --provider-network-type local no')).toMatch(/403|Policy|disallowed/i);
    expect(await lab.demo.json('network show one')).toMatchObject({ status: 'ACTIVE', shared: false });
    expect(
      await lab.admin.json('network create --project demo --share --provider-network-type vxlan given'),
    ).toMatchObject({ shared: true, project_id: await lab.admin.field('project show demo', 'id') });
    await until(
      'a port for DHCP',
      async () => (await lab.admin.column('port list --network one --device-owner network:dhcp', 'ID')).length === 1,
    );
    await lab.admin.run('network delete given');
  });

  it('S-9.4.5.1, S-9.4.8.6 one flat network for each label', async () => {
    const external = await lab.admin.json('network show public');
    expect(external).toMatchObject({ 'provider:network_type': 'flat', 'provider:physical_network': 'public' });
    expect(
      await lab.admin.refused('network create --provider-network-type flat --provider-physical-network public again'),
    ).toMatch(/409|in use/i);
    expect(
      await lab.admin.json('network create --provider-network-type flat --provider-physical-network other label'),
    ).toMatchObject({ 'provider:physical_network': 'other', 'provider:segmentation_id': null });
    await lab.admin.run('network delete label');
  });

  it('S-9.4.8.7 an external network is made by administrators', async () => {
    expect(await lab.demo.refused('network create --external mine')).toMatch(/403|Policy|disallowed/i);
    expect(await lab.admin.json('network create --external ext_net')).toMatchObject({
      'router:external': expect.anything(),
    });
    expect(await lab.demo.column('network list --external', 'Name')).toEqual(
      expect.arrayContaining(['ext_net', 'public']),
    );
    await lab.admin.run('network delete ext_net');
  });

  it('S-9.4.9.3 network ids of tenants come from a range', async () => {
    const shown = await lab.admin.json('network show one');
    expect(shown).toMatchObject({ 'provider:network_type': 'vxlan', 'provider:segmentation_id': expect.any(Number) });
    expect(Number(shown['provider:segmentation_id'])).toBeGreaterThan(0);
    expect(
      await lab.admin.refused('network create --provider-network-type vxlan --provider-segment 99999999 no'),
    ).toMatch(/400|range|segmentation/i);
  });

  it('S-9.1.1.2, S-9.4.8.2 a router has an interface with the gateway address in each network', async () => {
    const { demo } = lab;
    await demo.run('network create three');
    await demo.run('subnet create --network three --subnet-range 172.16.101.0/24 three4');
    await demo.run('router create router_100_101');
    await demo.run('router add subnet router_100_101 one4');
    await demo.run('router add subnet router_100_101 three4');
    const shown = await demo.json<{ interfaces_info: { ip_address: string }[] }>('router show router_100_101');
    expect(shown.interfaces_info.map((one) => one.ip_address).sort()).toEqual(['172.16.100.1', '172.16.101.1']);
    expect(await demo.refused('subnet delete one4')).toMatch(/409|in use|IP allocation/i);
  });

  it('S-9.4.8.12 floating IP, gateway, interfaces, router: taken down in this order alone', async () => {
    const { demo } = lab;
    await demo.run('router set --external-gateway public router_100_101');
    await demo.run('port create --network one target');
    const floating = await demo.json<{ id: string; floating_ip_address: string }>(
      'floating ip create --port target public',
    );
    expect(await demo.refused('router unset --external-gateway router_100_101')).toMatch(/409|floating/i);
    expect(await demo.refused('router remove subnet router_100_101 one4')).toMatch(/409|floating/i);
    expect(await demo.refused('router delete router_100_101')).toMatch(/409|ports|interfaces/i);
    await demo.run(`floating ip delete ${floating.id}`);
    await demo.run('router unset --external-gateway router_100_101');
    expect(await demo.refused('router delete router_100_101')).toMatch(/409|ports|interfaces/i);
    await demo.run('router remove subnet router_100_101 one4');
    await demo.run('router remove subnet router_100_101 three4');
    await demo.run('router delete router_100_101');
    await demo.run('port delete target');
  });

  it('S-9.4.10.1 each project has a default security group with four rules', async () => {
    expect(await lab.demo.column('security group list', 'Name')).toContain('default');
    const rules = await lab.demo.json<Rows>('security group rule list default --long');
    expect(names(rules, 'Direction').sort()).toEqual(['egress', 'egress', 'ingress', 'ingress']);
    expect(names(rules, 'Ethertype').sort()).toEqual(['IPv4', 'IPv4', 'IPv6', 'IPv6']);
    const group = await lab.demo.field('security group show default', 'id');
    for (const rule of rules.filter((one) => one['Direction'] === 'ingress'))
      expect(rule).toMatchObject({ 'Remote Security Group': group });
  });
});
