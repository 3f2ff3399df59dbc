import { describe, expect, it } from '@jest/globals';
import { newContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { ApiClient, ApiClients, Operation } from '@nestack/kernel/http';
import { NeutronClient } from './neutron.client';

type Row = Record<string, unknown>;

const NET = '11111111-0000-4000-8000-000000000001';
const OTHER = '11111111-0000-4000-8000-000000000002';
const SUBNET = '22222222-0000-4000-8000-000000000001';

/** Neutron, as far as nova asks it. */
class Neutron implements ApiClients {
  readonly calls: string[] = [];
  refuse: DomainError | null = null;
  readonly tables: Record<string, Row[]> = {
    ports: [],
    networks: [
      { id: NET, name: 'private', project_id: 'p1', shared: false, mtu: 1450, subnets: [SUBNET] },
      { id: OTHER, name: 'foreign', project_id: 'p2', shared: false, mtu: 1450, subnets: [] },
    ],
    subnets: [
      {
        id: SUBNET,
        network_id: NET,
        cidr: '10.0.0.0/24',
        ip_version: 4,
        gateway_ip: '10.0.0.1',
        enable_dhcp: true,
        dns_nameservers: ['9.9.9.9'],
        host_routes: [],
      },
    ],
    'security-groups': [
      { id: 'g1', name: 'web', project_id: 'p1' },
      { id: 'g2', name: 'twice', project_id: 'p1' },
      { id: 'g3', name: 'twice', project_id: 'p1' },
    ],
  };

  client(): ApiClient {
    const call = async (_ctx: unknown, operation: Operation, about: { params?: Row; query?: Row; body?: unknown }) => {
      const table = operation.path.split('/')[1] ?? '';
      this.calls.push(`${operation.method} ${table}`);
      return this.answer(operation.method, table, about);
    };
    return { call: call as unknown as ApiClient['call'], stream: () => Promise.reject(new Error('no streams')) };
  }

  private answer(method: string, table: string, about: { params?: Row; query?: Row; body?: unknown }): unknown {
    const rows = this.tables[table] ?? [];
    const id = Object.values(about.params ?? {})[0];
    const row = rows.find((one) => one['id'] === id);
    const word = table.slice(0, -1).replace('-', '_');
    if (id !== undefined && row === undefined)
      throw new DomainError({ kind: 'notFound', code: 'PortNotFound', message: `${String(id)} could not be found.` });
    if (method === 'POST') {
      if (this.refuse !== null) throw this.refuse;
      const { ports } = about.body as { ports: Row[] };
      return { ports: ports.map((port, at) => this.add(port, rows.length + at)) };
    }
    if (method === 'PUT' && row !== undefined) Object.assign(row, (about.body as Record<string, Row>)[word]);
    if (method === 'DELETE') rows.splice(rows.indexOf(row ?? {}), 1);
    if (row !== undefined) return { [word]: row };
    const { fields: _fields, ...filters } = about.query ?? {};
    const found = rows.filter((one) =>
      Object.entries(filters).every(([key, value]) => [value].flat().includes(one[key])),
    );
    return { [table.replace('-', '_')]: found };
  }

  add(port: Row, at = this.tables['ports']?.length ?? 0): Row {
    const made = {
      id: `33333333-0000-4000-8000-00000000000${at}`,
      status: 'DOWN',
      device_id: '',
      project_id: 'p1',
      mac_address: `fa:16:3e:00:00:0${at}`,
      fixed_ips: [{ subnet_id: SUBNET, ip_address: `10.0.0.1${at}` }],
      security_groups: ['g1'],
      port_security_enabled: true,
      'binding:vif_type': 'bridge',
      ...port,
    };
    this.tables['ports']?.push(made);
    return made;
  }
}

const ctx = newContext({ token: 't' });
const vm1 = { uuid: 'vm1', project_id: 'p1' };
const about = {
  instance_uuid: 'vm1',
  project_id: 'p1',
  hostname: 'web-1',
  host: 'h1',
  availability_zone: 'nova',
  security_groups: ['g1'],
};
const request = { network_id: NET, port_id: null, fixed_ip: null, tag: null };

describe('nova at neutron', () => {
  it('makes all ports with one creation, bound to the host and in the project', async () => {
    const neutron = new Neutron();
    const nics = await new NeutronClient(neutron).ensurePorts(ctx, { ...about, requests: [request, request] });
    expect(neutron.calls).toEqual(['GET ports', 'GET networks', 'GET subnets', 'POST ports']);
    expect(nics).toHaveLength(2);
    expect(nics[0]).toMatchObject({
      port_id: '33333333-0000-4000-8000-000000000000',
      network_label: 'private',
      devname: 'tap33333333-00',
      bridge: 'brq11111111-00',
      mtu: 1450,
      vif_type: 'bridge',
      created_by_nova: true,
      fixed_ips: [{ ip_address: '10.0.0.10', subnet_id: SUBNET }],
    });
    expect(nics[0]?.subnets[0]?.dns_nameservers).toEqual(['9.9.9.9']);
    expect(neutron.tables['ports']?.[0]).toMatchObject({
      device_id: 'vm1',
      device_owner: 'compute:nova',
      'binding:host_id': 'h1',
      project_id: 'p1',
      security_groups: ['g1'],
      dns_name: 'web-1',
    });
  });

  it('lets go the port that it made for one request, and no other of the server', async () => {
    const neutron = new Neutron();
    const client = new NeutronClient(neutron);
    const ensure = (key: string) => client.ensurePort(ctx, { ...about, request, key });
    const [first, second] = [await ensure('k1'), await ensure('k2')];
    await client.releaseRequested(ctx, vm1, 'k1');
    await client.releaseRequested(ctx, vm1, 'unknown');
    expect(neutron.tables['ports']?.map(({ id }) => id)).toEqual([second.port_id]);
    expect(first).toMatchObject({ created_by_nova: true });
  });

  it('finds the ports of an earlier try and binds them to the new host', async () => {
    const neutron = new Neutron();
    const client = new NeutronClient(neutron);
    const first = await client.ensurePorts(ctx, { ...about, requests: [request, request] });
    const again = await client.ensurePorts(ctx, { ...about, host: 'h2', requests: [request, request] });
    expect(again.map((nic) => nic.port_id)).toEqual(first.map((nic) => nic.port_id));
    expect(neutron.tables['ports']?.map((port) => port['binding:host_id'])).toEqual(['h2', 'h2']);
  });

  it("takes the user's port, and gives it back when the server goes, while its own are deleted", async () => {
    const neutron = new Neutron();
    const client = new NeutronClient(neutron);
    const mine = neutron.add({ network_id: NET, project_id: 'p1' });
    const requests = [request, { ...request, network_id: null, port_id: String(mine['id']), tag: 'front' }];
    const nics = await client.ensurePorts(ctx, { ...about, requests });
    expect(nics.map((nic) => [nic.created_by_nova, nic.tag])).toEqual([
      [true, null],
      [false, 'front'],
    ]);
    // What was recorded may be lost: the ports tell themselves whose they are.
    await client.releasePorts(ctx, vm1, []);
    expect(neutron.tables['ports']).toHaveLength(1);
    expect(mine).toMatchObject({ device_id: '', device_owner: '', 'binding:host_id': '' });
    await client.releasePorts(ctx, vm1, nics);
  });

  it("does not take ports of other projects for the server's, whatever their device says", async () => {
    const neutron = new Neutron();
    const client = new NeutronClient(neutron);
    const posing = neutron.add({ network_id: NET, project_id: 'p2', device_id: 'vm1', security_groups: ['g2'] });
    const before = { ...posing };
    const nics = await client.ensurePorts(ctx, { ...about, requests: [request] });
    expect(nics.map((nic) => nic.port_id)).not.toContain(posing['id']);
    expect(await client.current(ctx, vm1, nics)).toHaveLength(1);
    expect((await client.securityGroupsOf(ctx, vm1)).map((one) => one['id'])).toEqual(['g1']);
    await client.unbindPorts(ctx, vm1);
    await client.releasePorts(ctx, vm1, nics);
    expect(neutron.tables['ports']).toEqual([before]);
  });

  it('refuses ports of others and ports that are none', async () => {
    const neutron = new Neutron();
    const client = new NeutronClient(neutron);
    const taken = neutron.add({ network_id: NET, device_id: 'vm9' });
    const theirs = neutron.add({ network_id: NET, project_id: 'p2' });
    const asking = (id: string) =>
      client.ensurePorts(ctx, { ...about, requests: [{ ...request, network_id: null, port_id: id }] });
    await expect(asking(String(taken['id']))).rejects.toMatchObject({ code: 'PortInUse' });
    await expect(asking(String(theirs['id']))).rejects.toMatchObject({ code: 'PortNotUsable' });
    await expect(asking('33333333-0000-4000-8000-000000000099')).rejects.toMatchObject({ code: 'PortNotFound' });
  });

  it.each([
    ['IpAddressGenerationFailure', 'NoMoreFixedIps', 'No fixed IP addresses available for network: ' + NET],
    ['OverQuota', 'PortLimitExceeded', 'Maximum number of ports exceeded'],
    ['NetworkNotFound', 'NetworkNotFound', `Network ${NET} could not be found.`],
    [
      'IpAddressAlreadyAllocated',
      'FixedIpAlreadyInUse',
      'Fixed IP address 10.0.0.5 is already in use on instance vm1.',
    ],
    ['Other', 'Other', 'as it came'],
  ])("tells neutron's %s in its own words", async (code, told, message) => {
    const neutron = new Neutron();
    neutron.refuse = new DomainError({ kind: 'conflict', code, message: 'as it came' });
    const boot = new NeutronClient(neutron).ensurePorts(ctx, {
      ...about,
      requests: [{ ...request, fixed_ip: '10.0.0.5' }],
    });
    await expect(boot).rejects.toMatchObject({ code: told, message });
  });

  it('finds security groups by name, and says when a name is not enough', async () => {
    const client = new NeutronClient(new Neutron());
    expect(await client.securityGroup(ctx, 'p1', 'web')).toMatchObject({ id: 'g1' });
    expect(await client.securityGroup(ctx, 'p1', 'none')).toBeNull();
    await expect(client.securityGroup(ctx, 'p1', 'twice')).rejects.toMatchObject({ kind: 'conflict' });
  });

  it("changes the groups of a server's ports, and knows its NICs as they are now", async () => {
    const neutron = new Neutron();
    const client = new NeutronClient(neutron);
    const nics = await client.ensurePorts(ctx, { ...about, requests: [request] });
    await client.changeSecurityGroup(ctx, nics, 'g2', 'add');
    expect((await client.securityGroupsOf(ctx, vm1)).map((one) => one['id'])).toEqual(['g1', 'g2']);
    await client.changeSecurityGroup(ctx, nics, 'g2', 'remove');
    await expect(client.changeSecurityGroup(ctx, nics, 'g2', 'remove')).rejects.toMatchObject({
      message: 'Security group g2 is not associated with the instance vm1',
    });
    const [port] = neutron.tables['ports'] ?? [];
    Object.assign(port ?? {}, { status: 'ACTIVE', fixed_ips: [{ subnet_id: SUBNET, ip_address: '10.0.0.77' }] });
    const current = await client.current(ctx, vm1, nics);
    expect(current[0]?.status).toBe('ACTIVE');
    expect(current[0]?.nic.fixed_ips[0]?.ip_address).toBe('10.0.0.77');
  });
});
