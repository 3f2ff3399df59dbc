import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { TestNeutron, admin, typeOf, type CallOptions, type Shown } from './testing/test-neutron';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(60_000);

let neutron: TestNeutron;
let external: Shown;

beforeAll(async () => {
  neutron = await TestNeutron.start();
});

afterAll(async () => {
  await neutron.close();
});

const topology = (project: string, options: CallOptions = { as: `${project}:member` }, query = '') =>
  neutron.call('GET', `/auto-allocated-topology/${project}${query}`, options);
const dryRun = (project: string) => topology(project, { as: `${project}:member` }, '?fields=dry-run');
const drop = (project: string, as = `${project}:member`) =>
  neutron.call('DELETE', `/auto-allocated-topology/${project}`, { as });
const idOf = async (project: string) =>
  ((await topology(project)).json['auto_allocated_topology'] as { id: string }).id;

describe('topologies of projects that have none', () => {
  it('need a default external network, of which there is one, and a default pool', async () => {
    const without = await topology('p1');
    expect([without.status, without.json]).toEqual([
      409,
      {
        NeutronError: {
          type: 'AutoAllocationFailure',
          message: 'Deployment error: No default router:external network.',
          detail: '',
        },
      },
    ]);
    const fields = { 'router:external': true, is_default: true };
    const wired = { cidr: '203.0.113.0/24', network: fields, subnet: { enable_dhcp: false } };
    ({ network: external } = await neutron.wired(wired, admin));
    expect(external['is_default']).toBe(true);
    const second = await neutron.call('POST', '/networks', { ...admin, body: { network: fields } });
    expect([second.status, typeOf(second)]).toEqual([409, 'DefaultExternalNetworkExists']);
    const other = await neutron.make('network', { 'router:external': true }, admin);
    const changed = await neutron.set('network', other.id, { is_default: true }, admin);
    expect([changed.status, typeOf(changed)]).toEqual([409, 'DefaultExternalNetworkExists']);
    // Only what leads outside is the default.
    await neutron.set('network', external.id, { is_default: false }, admin);
    expect((await neutron.set('network', other.id, { is_default: true }, admin)).status).toBe(200);
    const inner = await neutron.set('network', other.id, { 'router:external': false }, admin);
    expect(inner.json['network']).toMatchObject({ is_default: false, 'router:external': false });
    await neutron.set('network', external.id, { is_default: true }, admin);

    expect(((await dryRun('p1')).json['NeutronError'] as { message: string }).message).toBe(
      'Deployment error: No default subnetpools defined.',
    );
    const pool = { shared: true, is_default: true };
    const small = { name: 'v4', prefixes: ['10.64.0.0/24'], default_prefixlen: 26, ...pool };
    await neutron.make('subnetpool', small, admin);
    await neutron.make('subnetpool', { name: 'v6', prefixes: ['fd00:64::/56'], default_prefixlen: 64, ...pool }, admin);
    const passed = await dryRun('p1');
    expect([passed.status, passed.json]).toEqual([
      200,
      { auto_allocated_topology: { id: 'dry-run=pass', project_id: 'p1', tenant_id: 'p1' } },
    ]);
    expect(await neutron.list('network', '?name=auto_allocated_network', admin)).toEqual([]);
    expect((await topology('p1', {}, '?fields=id')).status).toBe(400);
  });

  it('are a network with its subnets and a router to the outside, once per project', async () => {
    const answers = await Promise.all(Array.from({ length: 4 }, () => idOf('p1')));
    const [id = ''] = new Set(answers);
    expect(new Set(answers).size).toBe(1);
    const network = await neutron.show('network', id);
    expect(network).toMatchObject({
      name: 'auto_allocated_network',
      project_id: 'p1',
      status: 'ACTIVE',
      shared: false,
    });
    const subnets = await neutron.list('subnet', `?network_id=${id}`);
    expect(subnets.map((one) => [one['name'], one['cidr'], one['project_id']]).sort()).toEqual([
      ['auto_allocated_subnet_v4', '10.64.0.0/26', 'p1'],
      ['auto_allocated_subnet_v6', 'fd00:64::/64', 'p1'],
    ]);
    const [router] = await neutron.list('router');
    expect(router).toMatchObject({
      name: 'auto_allocated_router',
      project_id: 'p1',
      external_gateway_info: { network_id: external.id },
    });
    const ports = await neutron.list('port', `?device_id=${router?.id ?? ''}`, admin);
    expect(ports.map((one) => one['device_owner']).sort()).toEqual([
      'network:router_gateway',
      'network:router_interface',
      'network:router_interface',
    ]);
    // `None` is how clients name the project that they do not know.
    const none = await neutron.call('GET', '/auto-allocated-topology/None');
    expect(none.json['auto_allocated_topology']).toMatchObject({ id, project_id: 'p1' });
    expect(await idOf('p2')).not.toBe(id);
  });

  it('are made by readers too and by administrators for others, but never for strangers', async () => {
    const read = await topology('p3', { as: 'p3:reader' });
    expect(read.status).toBe(200);
    expect((await drop('p3', 'p3:reader')).status).toBe(403);
    for (const answer of [await topology('p3', { as: 'p1:member' }), await drop('p3', 'p1:member')])
      expect([answer.status, typeOf(answer)]).toEqual([403, 'NotAuthorized']);
    const made = await topology('p4', admin);
    expect(made.json['auto_allocated_topology']).toMatchObject({ project_id: 'p4' });
    // Four of 64 addresses are all that the pool has.
    const exhausted = await topology('p5');
    expect([exhausted.status, exhausted.json['NeutronError']]).toEqual([
      409,
      {
        type: 'AutoAllocationFailure',
        message: 'Deployment error: Unable to provide tenant private network.',
        detail: '',
      },
    ]);
    expect(await neutron.list('network', '?project_id=p5', admin)).toEqual([]);
  });

  it('go as a whole, unless somebody is on them', async () => {
    const id = await idOf('p1');
    const port = await neutron.make('port', { network_id: id });
    const held = await drop('p1');
    expect([held.status, typeOf(held)]).toEqual([409, 'NetworkInUse']);
    expect(await idOf('p1')).toBe(id);
    expect((await neutron.list('router')).length).toBe(1);
    await neutron.drop('port', port.id);
    expect((await drop('p1')).status).toBe(204);
    expect(await neutron.list('network', '?name=auto_allocated_network')).toEqual([]);
    expect(await neutron.list('router')).toEqual([]);
    // None is no error, and its parts can go one by one.
    expect((await drop('p1')).status).toBe(204);
    const again = await idOf('p1');
    const [router = { id: newUuid() }] = await neutron.list('router');
    for (const { id: subnet_id } of await neutron.list('subnet', `?network_id=${again}`))
      await neutron.call('PUT', `/routers/${router.id}/remove_router_interface`, { body: { subnet_id } });
    expect((await neutron.drop('router', router.id)).status).toBe(204);
    expect((await drop('p1')).status).toBe(204);
    expect(await neutron.list('subnet', '?name=auto_allocated_subnet_v4')).toEqual([]);
  });
});
