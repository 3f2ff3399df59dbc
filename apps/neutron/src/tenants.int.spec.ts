import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import type { Operation } from '@nestack/kernel/http';
import { neutronApi } from '@nestack/neutron/contract';
import { TestNeutron, admin, type CallOptions, type Shown } from './testing/test-neutron';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(120_000);

let neutron: TestNeutron;
/** What the owner has, by the parameter that names it in paths. */
const owned: Record<string, string> = {};

const owner: CallOptions = { as: 'owner:member' };
const stranger: CallOptions = { as: 'stranger:member' };

beforeAll(async () => {
  neutron = await TestNeutron.start();
  const { network, subnet } = await neutron.wired({ cidr: '10.0.0.0/24' }, owner);
  const external = await neutron.wired(
    { cidr: '203.0.113.0/24', network: { 'router:external': true }, subnet: { enable_dhcp: false } },
    admin,
  );
  const keep = (name: string, made: Shown): void => {
    owned[`${name}_id`] = made.id;
  };
  keep('network', network);
  keep('subnet', subnet);
  keep('port', await neutron.make('port', { network_id: network.id }, owner));
  keep('security_group', await neutron.make('security_group', { name: 'g' }, owner));
  const rule = { security_group_id: owned['security_group_id'], direction: 'ingress', protocol: 'tcp' };
  keep('security_group_rule', await neutron.make('security_group_rule', rule, owner));
  keep('subnetpool', await neutron.make('subnetpool', { name: 'p', prefixes: ['10.9.0.0/16'] }, owner));
  keep('address_scope', await neutron.make('address_scope', { name: 's', ip_version: 4 }, owner));
  keep('router', await neutron.make('router', { name: 'r' }, owner));
  keep('floatingip', await neutron.make('floatingip', { floating_network_id: external.network.id }, owner));
  const policy = { object_type: 'network', object_id: network.id, action: 'access_as_shared', target_tenant: 'friend' };
  keep('rbac_policy', await neutron.make('rbac_policy', policy, owner));
  owned['project_id'] = 'owner';
});

afterAll(() => neutron.close());

/** Operations on one resource that somebody owns. */
const operations = neutronApi.operations.filter(
  (one) => /\{\w+\}/.test(one.path) && !one.path.startsWith('/extensions'),
);

function pathOf(operation: Operation, ids: Readonly<Record<string, string>>): string {
  return operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? (name === 'tag' ? 'x' : newUuid()));
}

const BODIES: Readonly<Record<string, unknown>> = {
  add_router_interface: { subnet_id: newUuid() },
  remove_router_interface: { subnet_id: newUuid() },
  add_extraroutes: { router: { routes: [] } },
  remove_extraroutes: { router: { routes: [] } },
  add_prefixes: { prefixes: ['10.10.0.0/16'] },
  remove_prefixes: { prefixes: ['10.9.0.0/24'] },
  tags: { tags: ['x'] },
  bindings: { binding: { host: 'h' } },
  'dhcp-networks': { network_id: newUuid() },
  'l3-routers': { router_id: newUuid() },
};

function bodyOf(operation: Operation): unknown {
  if (operation.body === undefined) return undefined;
  const last = operation.path.split('/').at(-1) ?? '';
  if (BODIES[last] !== undefined) return BODIES[last];
  if (operation.path.includes('/bindings/')) return BODIES['bindings'];
  if (operation.path.startsWith('/quotas/')) return { quota: { network: 1 } };
  const name = /\{(\w+)_id\}$/.exec(operation.path)?.[1] ?? '';
  if (name === 'rbac_policy') return { [name]: { target_tenant: 'stranger' } };
  return { [name]: name === 'address_scope' ? { name: 'mine now' } : { description: 'mine' } };
}

describe('what belongs to others', () => {
  it.each(operations.map((one) => [one.id, one] as const))('%s does not reach it', async (_id, operation) => {
    const before = await everything();
    const body = bodyOf(operation);
    const options = { ...stranger, ...(body === undefined ? {} : { body }) };
    const theirs = await neutron.call(operation.method, pathOf(operation, owned), options);
    expect([404, 403]).toContain(theirs.status);
    // Absent and foreign look alike.
    const absent = Object.fromEntries(Object.keys(owned).map((name) => [name, newUuid()]));
    const nobodys = await neutron.call(operation.method, pathOf(operation, absent), options);
    expect(nobodys.status).toBe(theirs.status);
    const error = (answer: typeof theirs) => (answer.json['NeutronError'] as { type?: string } | undefined)?.type;
    expect(error(nobodys)).toBe(error(theirs));
    expect(await everything()).toEqual(before);
  });

  it('is in no list of theirs', async () => {
    const names = ['network', 'subnet', 'port', 'security_group_rule', 'subnetpool', 'address_scope', 'router'];
    for (const name of [...names, 'floatingip', 'rbac_policy']) {
      const ids = (await neutron.list(name, '', stranger)).map((one) => one.id);
      expect([name, ids.includes(owned[`${name}_id`] ?? '')]).toEqual([name, false]);
      const named = await neutron.list(name, `?id=${owned[`${name}_id`] ?? ''}`, stranger);
      expect([name, named]).toEqual([name, []]);
    }
    expect(await neutron.list('network', '?project_id=owner', stranger)).toEqual([]);
  });

  it('cannot be used in what they make', async () => {
    const { network, subnet } = await neutron.wired({ cidr: '10.1.0.0/24' }, stranger);
    const router = await neutron.make('router', {}, stranger);
    const attempts: [string, string, unknown][] = [
      ['POST', '/ports', { port: { network_id: owned['network_id'] } }],
      ['POST', '/ports', { port: { network_id: network.id, security_groups: [owned['security_group_id']] } }],
      ['POST', '/ports', { port: { network_id: network.id, fixed_ips: [{ subnet_id: owned['subnet_id'] }] } }],
      ['POST', '/subnets', { subnet: { network_id: owned['network_id'], ip_version: 4, cidr: '10.2.0.0/24' } }],
      [
        'POST',
        '/subnets',
        { subnet: { network_id: network.id, ip_version: 4, subnetpool_id: owned['subnetpool_id'], prefixlen: 24 } },
      ],
      [
        'POST',
        '/security-group-rules',
        { security_group_rule: { security_group_id: owned['security_group_id'], direction: 'ingress' } },
      ],
      ['PUT', `/routers/${router.id}/add_router_interface`, { subnet_id: owned['subnet_id'] }],
      ['PUT', `/routers/${router.id}/add_router_interface`, { port_id: owned['port_id'] }],
      ['POST', '/routers', { router: { external_gateway_info: { network_id: owned['network_id'] } } }],
      ['POST', '/networks', { network: { project_id: 'owner' } }],
      [
        'POST',
        '/subnetpools',
        { subnetpool: { name: 'x', prefixes: ['10.3.0.0/24'], address_scope_id: owned['address_scope_id'] } },
      ],
    ];
    for (const [method, path, body] of attempts) {
      const { status } = await neutron.call(method, path, { ...stranger, body });
      expect([path, body, [400, 403, 404].includes(status)]).toEqual([path, body, true]);
    }
    expect((await neutron.show('subnet', subnet.id, stranger))['cidr']).toBe('10.1.0.0/24');
  });

  it('is not for readers to change, and for nobody to see without a role', async () => {
    const reader = { as: 'owner:reader' };
    const changed = await neutron.set('network', owned['network_id'] ?? '', { name: 'x' }, reader);
    expect(changed.status).toBe(403);
    expect((await neutron.drop('network', owned['network_id'] ?? '', reader)).status).toBe(403);
    expect((await neutron.call('POST', '/networks', { ...reader, body: { network: {} } })).status).toBe(403);
    const nobody = { as: 'owner:nobody' };
    expect(await neutron.list('network', '', nobody)).toEqual([]);
    expect((await neutron.call('GET', `/networks/${owned['network_id'] ?? ''}`, nobody)).status).toBe(404);
  });
});

async function everything(): Promise<unknown[]> {
  const tables = [
    'network',
    'subnet',
    'port',
    'security_group',
    'security_group_rule',
    'subnetpool',
    'address_scope',
    'router',
    'floatingip',
  ];
  const found: unknown[] = [];
  for (const table of tables)
    found.push(
      await neutron.query(
        `SELECT id, revision_number, name, description FROM ${table} WHERE project_id = 'owner' ORDER BY id`,
      ),
    );
  found.push(await neutron.query('SELECT * FROM rbac_policy ORDER BY id'));
  found.push(await neutron.query('SELECT * FROM quota'));
  return found;
}
