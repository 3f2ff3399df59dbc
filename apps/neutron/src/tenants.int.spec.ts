import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { sql } from '@nestack/kernel/db';
import { newUuid } from '@nestack/kernel/ids';
import type { Operation } from '@nestack/kernel/http';
import { neutronApi } from '@nestack/neutron/contract';
import { FakeAgent } from './testing/fake-agent';
import {
  TestNeutron,
  admin,
  collectionOf,
  typeOf,
  type Answer,
  type CallOptions,
  type Shown,
} from './testing/test-neutron';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(120_000);

let neutron: TestNeutron;
let agent: FakeAgent;
/** What the owner has, by the parameter that names it in paths. */
const owned: Record<string, string> = { tag: 'x', project_id: 'owner' };

const owner: CallOptions = { as: 'owner:member' };
const stranger: CallOptions = { as: 'stranger:member' };

beforeAll(async () => {
  neutron = await TestNeutron.start();
  agent = await FakeAgent.start(`h-${newUuid().slice(0, 8)}`);
  await agent.report({ bridgeMappings: { public: 'br-ex' } });
  const { network, subnet } = await neutron.wired({ cidr: '10.0.0.0/24' }, owner);
  const external = await neutron.wired(
    {
      cidr: '203.0.113.0/24',
      network: { 'router:external': true, is_default: true },
      subnet: { enable_dhcp: false },
    },
    admin,
  );
  const keep = (name: string, made: Shown): void => {
    owned[`${name}_id`] = made.id;
  };
  keep('network', network);
  keep('network_ip_availability', network);
  keep('subnet', subnet);
  keep('port', await neutron.make('port', { network_id: network.id }, owner));
  keep('security_group', await neutron.make('security_group', { name: 'g' }, owner));
  const rule = { security_group_id: owned['security_group_id'], direction: 'ingress', protocol: 'tcp' };
  keep('security_group_rule', await neutron.make('security_group_rule', rule, owner));
  keep('subnetpool', await neutron.make('subnetpool', { name: 'p', prefixes: ['10.9.0.0/16'] }, owner));
  keep('address_scope', await neutron.make('address_scope', { name: 's', ip_version: 4 }, owner));
  const gateway = { external_gateway_info: { network_id: external.network.id } };
  keep('router', await neutron.make('router', { name: 'r', ...gateway }, owner));
  keep('floatingip', await neutron.make('floatingip', { floating_network_id: external.network.id }, owner));
  owned['floating_network_id'] = external.network.id;
  const router = `/routers/${owned['router_id'] ?? ''}/add_router_interface`;
  await neutron.call('PUT', router, { ...owner, body: { subnet_id: subnet.id } });
  const port = await neutron.show('port', owned['port_id'] ?? '', owner);
  const [fixed] = port['fixed_ips'] as { ip_address: string }[];
  const forwarding = { protocol: 'tcp', external_port: 80, internal_port: 80, internal_port_id: port.id };
  const made = await neutron.call('POST', `/floatingips/${owned['floatingip_id'] ?? ''}/port_forwardings`, {
    ...owner,
    body: { port_forwarding: { ...forwarding, internal_ip_address: fixed?.ip_address } },
  });
  keep('port_forwarding', made.json['port_forwarding'] as Shown);
  const policy = { object_type: 'network', object_id: network.id, action: 'access_as_shared', target_tenant: 'friend' };
  keep('rbac_policy', await neutron.make('rbac_policy', policy, owner));
  for (const [collection, name] of TAGGED)
    await neutron.call('PUT', `/${collection}/${owned[`${name}_id`] ?? ''}/tags/x`, owner);
  const bound = { ...admin, body: { binding: { host: agent.host } } };
  const binding = await neutron.call('POST', `/ports/${owned['port_id'] ?? ''}/bindings`, bound);
  owned['host'] = (binding.json['binding'] as { host: string }).host;
  await neutron.call('PUT', '/quotas/owner', { ...admin, body: { quota: { network: 7 } } });
  await neutron.make(
    'subnetpool',
    { name: 'd', prefixes: ['10.8.0.0/24'], default_prefixlen: 26, is_default: true },
    admin,
  );
  await neutron.call('GET', '/auto-allocated-topology/owner', owner);
  for (const one of await neutron.list('agent', '', admin)) owned[String(one['agent_type'])] = one.id;
});

afterAll(async () => {
  await agent.close();
  await neutron.close();
});

const TAGGED = [
  ['networks', 'network'],
  ['subnets', 'subnet'],
  ['ports', 'port'],
  ['security-groups', 'security_group'],
  ['subnetpools', 'subnetpool'],
  ['routers', 'router'],
  ['floatingips', 'floatingip'],
] as const;

/** Operations on one resource that somebody owns, and on agents. */
const operations = neutronApi.operations.filter((one) => one.path.includes('{') && !one.path.startsWith('/extensions'));

/** Who may not do these is told so, whatever is named. upstream: neutron/extensions/{dhcpagentscheduler,l3agentscheduler,quotasv2}.py, services/auto_allocate/db.py */
const FORBIDDEN: readonly string[] = [
  'listNetworksOnDhcpAgent',
  'addNetworkToDhcpAgent',
  'removeNetworkFromDhcpAgent',
  'listRoutersOnL3Agent',
  'addRouterToL3Agent',
  'removeRouterFromL3Agent',
  'listDhcpAgentsOfNetwork',
  'listL3AgentsOfRouter',
  'createPortBinding',
  'activatePortBinding',
  'getAutoAllocatedTopology',
  'deleteAutoAllocatedTopology',
  'showQuota',
  'showDefaultQuota',
  'showQuotaDetails',
  'updateQuota',
  'deleteQuota',
];
/** What not even the owner sees. */
const UNSEEN: readonly string[] = [
  'showAgent',
  'updateAgent',
  'deleteAgent',
  'showNetworkIpAvailability',
  'showPortBinding',
  'updatePortBinding',
  'deletePortBinding',
];

const BODIES: Readonly<Record<string, unknown>> = {
  add_router_interface: { subnet_id: newUuid() },
  remove_router_interface: { subnet_id: newUuid() },
  add_extraroutes: { router: { routes: [] } },
  remove_extraroutes: { router: { routes: [] } },
  add_prefixes: { prefixes: ['10.10.0.0/16'] },
  remove_prefixes: { prefixes: ['10.9.0.0/24'] },
  tags: { tags: ['y'] },
  bindings: { binding: { host: 'h' } },
  port_forwardings: {
    port_forwarding: {
      protocol: 'udp',
      external_port: 1,
      internal_port: 1,
      internal_port_id: newUuid(),
      internal_ip_address: '10.0.0.9',
    },
  },
};

function bodyOf(operation: Operation, ids: Readonly<Record<string, string>>): unknown {
  if (operation.body === undefined) return undefined;
  const last = operation.path.split('/').at(-1) ?? '';
  if (last === 'dhcp-networks') return { network_id: ids['network_id'] };
  if (last === 'l3-routers') return { router_id: ids['router_id'] };
  if (BODIES[last] !== undefined) return BODIES[last];
  if (operation.path.includes('/bindings/')) return BODIES['bindings'];
  if (operation.path.startsWith('/quotas/')) return { quota: { network: 1 } };
  const name = /\{(\w+)_id\}$/.exec(operation.path)?.[1] ?? '';
  if (name === 'rbac_policy') return { [name]: { target_tenant: 'stranger' } };
  return { [name]: name === 'address_scope' ? { name: 'mine now' } : { description: 'mine' } };
}

function ask(operation: Operation, ids: Readonly<Record<string, string>>, as: string): Promise<Answer> {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const type = operation.path.includes('l3-routers') ? 'L3 agent' : 'DHCP agent';
    const id = ids[name === 'agent_id' ? type : name];
    if (id === undefined) throw new Error(`${operation.id}: the test has nothing for ${name}`);
    return encodeURIComponent(id);
  });
  const body = bodyOf(operation, ids);
  return neutron.call(operation.method, path, { as, ...(body === undefined ? {} : { body }) });
}

/** An answer without what names the resource. */
function told({ status, json }: Answer, ids: Readonly<Record<string, string>>): string {
  const text = Object.values(ids).reduce((left, id) => left.replaceAll(id, '…'), JSON.stringify(json));
  return `${String(status)} ${text}`;
}

describe('what belongs to others', () => {
  it('is absent in every operation, and nothing is changed', async () => {
    const ids = Object.keys(owned).map((name) => [name, newUuid()] as const);
    const absent = { ...Object.fromEntries(ids), tag: 'x', host: owned['host'] ?? '' };
    const before = await everything();
    const wrong: string[] = [];
    expect(operations.length).toBeGreaterThan(90);
    for (const operation of operations) {
      const expected = FORBIDDEN.includes(operation.id) ? 403 : 404;
      const [theirs, nobodys, read] = await Promise.all([
        ask(operation, owned, 'stranger:member'),
        ask(operation, absent, 'stranger:member'),
        ask(operation, owned, 'stranger:reader'),
      ]);
      if (theirs.status !== expected || told(nobodys, absent) !== told(theirs, owned))
        wrong.push(`${operation.id}: ${told(theirs, owned)} instead of ${told(nobodys, absent)}`);
      if (told(read, owned) !== told(theirs, owned)) wrong.push(`${operation.id}, a reader: ${told(read, owned)}`);
    }
    expect(wrong).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  it('is not for readers to change, who see it', async () => {
    const before = await everything();
    const wrong: string[] = [];
    for (const operation of operations.filter(({ method }) => method !== 'GET')) {
      const answer = await ask(operation, owned, 'owner:reader');
      const expected = UNSEEN.includes(operation.id) ? 404 : 403;
      if (answer.status !== expected) wrong.push(`${operation.id}: ${told(answer, owned)}`);
    }
    for (const operation of operations.filter(({ method }) => method === 'GET')) {
      const { status } = await ask(operation, owned, 'owner:reader');
      const own = operation.path.endsWith('{project_id}') || operation.path.startsWith('/quotas/');
      const expected = UNSEEN.includes(operation.id)
        ? [404]
        : !own && FORBIDDEN.includes(operation.id)
          ? [403]
          : [200, 204];
      if (!expected.includes(status)) wrong.push(`${operation.id}: ${String(status)}`);
    }
    expect(wrong).toEqual([]);
    expect(await everything()).toEqual(before);
    const nobody = { as: 'owner:nobody' };
    expect(await neutron.list('network', '', nobody)).toEqual([]);
    expect((await neutron.call('GET', `/networks/${owned['network_id'] ?? ''}`, nobody)).status).toBe(404);
    expect((await neutron.call('POST', '/networks', { as: 'owner:reader', body: { network: {} } })).status).toBe(403);
  });

  it('and is lent is not changed by who may use it', async () => {
    const before = await everything();
    const wrong: string[] = [];
    const external = { ...owned, network_id: owned['floating_network_id'] ?? '' };
    for (const operation of operations.filter(({ path }) => path.startsWith('/networks/'))) {
      const seen = operation.method === 'GET' && operation.id !== 'listDhcpAgentsOfNetwork' ? [200, 204] : [403];
      if (operation.id.startsWith('check')) seen.push(404);
      for (const [ids, as] of [
        [owned, 'friend:member'],
        [external, 'stranger:member'],
      ] as const) {
        const answer = await ask(operation, ids, as);
        if (!seen.includes(answer.status)) wrong.push(`${operation.id} ${as}: ${told(answer, ids)}`);
      }
    }
    expect(wrong).toEqual([]);
    const lent = {
      as: 'friend:member',
      body: { subnet: { network_id: owned['network_id'], ip_version: 4, cidr: '10.7.0.0/24' } },
    };
    expect((await neutron.call('POST', '/subnets', lent)).status).toBe(403);
    const outside = { ...stranger, body: { port: { network_id: owned['floating_network_id'] } } };
    expect((await neutron.call('POST', '/ports', outside)).status).toBe(403);
    expect(await everything()).toEqual(before);
  });

  it('is in no list of theirs', async () => {
    const names = ['network', 'subnet', 'port', 'security_group_rule', 'subnetpool', 'address_scope', 'router'];
    for (const name of [...names, 'security_group', 'floatingip', 'rbac_policy']) {
      const ids = (await neutron.list(name, '', stranger)).map((one) => one.id);
      expect([name, ids.includes(owned[`${name}_id`] ?? '')]).toEqual([name, false]);
      const named = await neutron.list(name, `?id=${owned[`${name}_id`] ?? ''}`, stranger);
      expect([name, named]).toEqual([name, []]);
      expect([name, await neutron.list(name, '?project_id=owner', stranger)]).toEqual([name, []]);
      const after = await neutron.call(
        'GET',
        `/${collectionOf(name)}?limit=1&marker=${owned[`${name}_id`] ?? ''}`,
        stranger,
      );
      expect([name, after.status]).toEqual([name, 404]);
    }
    for (const name of ['agent', 'network-ip-availabilitie'])
      expect(await neutron.list(name, '', stranger)).toEqual([]);
  });
});

describe("others' ids in bodies", () => {
  it('are absent, and nothing is left of the attempt', async () => {
    const { network, subnet } = await neutron.wired({ cidr: '10.1.0.0/24' }, stranger);
    const port = await neutron.make('port', { network_id: network.id }, stranger);
    const router = await neutron.make('router', {}, stranger);
    const group = await neutron.make('security_group', { name: 'mine' }, stranger);
    const pool = await neutron.make('subnetpool', { name: 'mine', prefixes: ['10.3.0.0/24'] }, stranger);
    const on = { floating_network_id: owned['floating_network_id'] };
    const floating = await neutron.make('floatingip', on, stranger);
    // Seen by whose network it is, and owned by another project.
    const guest = await neutron.make('port', { network_id: network.id, project_id: 'guest' }, admin);
    const { network_id, subnet_id, port_id, security_group_id, subnetpool_id, address_scope_id, router_id } = owned;
    const rule = { security_group_id: group.id, direction: 'ingress' };
    const lend = { action: 'access_as_shared', target_tenant: 'stranger' };
    const posing = { device_owner: 'network:router_interface', device_id: router_id };
    const attempts: readonly (readonly [string, string, string, unknown])[] = [
      ['404 NetworkNotFound', 'POST', 'port', { network_id }],
      ['404 SecurityGroupNotFound', 'POST', 'port', { network_id: network.id, security_groups: [security_group_id] }],
      ['404 SubnetNotFound', 'POST', 'port', { network_id: network.id, fixed_ips: [{ subnet_id }] }],
      ['409 DeviceIDNotOwnedByTenant', 'POST', 'port', { network_id: network.id, ...posing }],
      ['400 HTTPBadRequest', 'POST', 'port', { network_id: network.id, project_id: 'owner' }],
      ['404 SecurityGroupNotFound', 'PUT', `port/${port.id}`, { security_groups: [security_group_id] }],
      ['404 SubnetNotFound', 'PUT', `port/${port.id}`, { fixed_ips: [{ subnet_id }] }],
      ['409 DeviceIDNotOwnedByTenant', 'PUT', `port/${port.id}`, posing],
      ['404 NetworkNotFound', 'POST', 'subnet', { network_id, ip_version: 4, cidr: '10.2.0.0/24' }],
      [
        '404 SubnetPoolNotFound',
        'POST',
        'subnet',
        { network_id: network.id, ip_version: 4, subnetpool_id, prefixlen: 24 },
      ],
      ['404 AddressScopeNotFound', 'POST', 'subnetpool', { name: 'x', prefixes: ['10.4.0.0/24'], address_scope_id }],
      ['404 AddressScopeNotFound', 'PUT', `subnetpool/${pool.id}`, { address_scope_id }],
      ['404 SecurityGroupNotFound', 'POST', 'security_group_rule', { ...rule, security_group_id }],
      ['404 SecurityGroupNotFound', 'POST', 'security_group_rule', { ...rule, remote_group_id: security_group_id }],
      ['404 NetworkNotFound', 'POST', 'router', { external_gateway_info: { network_id } }],
      ['404 NetworkNotFound', 'PUT', `router/${router.id}`, { external_gateway_info: { network_id } }],
      ['404 SubnetNotFound', 'PUT', `router/${router.id}/add_router_interface`, { subnet_id }],
      ['404 PortNotFound', 'PUT', `router/${router.id}/add_router_interface`, { port_id }],
      ['404 RouterInterfaceNotFoundForSubnet', 'PUT', `router/${router.id}/remove_router_interface`, { subnet_id }],
      ['404 RouterInterfaceNotFound', 'PUT', `router/${router.id}/remove_router_interface`, { port_id }],
      ['404 NetworkNotFound', 'POST', 'floatingip', { floating_network_id: network_id }],
      ['404 PortNotFound', 'POST', 'floatingip', { ...on, port_id }],
      ['400 InvalidInput', 'POST', 'floatingip', { ...on, subnet_id }],
      ['404 PortNotFound', 'PUT', `floatingip/${floating.id}`, { port_id }],
      ['400 BadRequest', 'PUT', `floatingip/${floating.id}`, { port_id: guest.id }],
      ['404 NetworkNotFound', 'POST', 'rbac_policy', { ...lend, object_type: 'network', object_id: network_id }],
      [
        '404 SecurityGroupNotFound',
        'POST',
        'rbac_policy',
        { ...lend, object_type: 'security_group', object_id: security_group_id },
      ],
      [
        '404 SubnetPoolNotFound',
        'POST',
        'rbac_policy',
        { ...lend, object_type: 'subnetpool', object_id: subnetpool_id },
      ],
      [
        '404 AddressScopeNotFound',
        'POST',
        'rbac_policy',
        { ...lend, object_type: 'address_scope', object_id: address_scope_id },
      ],
      ...['network', 'router', 'security_group', 'floatingip', 'subnetpool', 'address_scope'].map(
        (name) =>
          [
            '400 HTTPBadRequest',
            'POST',
            name,
            { ...REQUIRED[name], ...(name === 'floatingip' ? on : {}), project_id: 'owner' },
          ] as const,
      ),
    ];
    const before = await everything();
    const wrong: string[] = [];
    for (const [expected, method, place, fields] of attempts) {
      const [name = '', id, action] = place.split('/');
      const path = [collectionOf(name), ...(id === undefined ? [] : [id]), ...(action === undefined ? [] : [action])];
      const body = action === undefined ? { [name]: fields } : fields;
      const answer = await neutron.call(method, `/${path.join('/')}`, { ...stranger, body });
      if (`${String(answer.status)} ${String(typeOf(answer))}` !== expected)
        wrong.push(`${method} ${place} ${JSON.stringify(fields)}: ${told(answer, {})} instead of ${expected}`);
    }
    // One of many is as bad.
    const bulk = await neutron.call('POST', '/ports', {
      ...stranger,
      body: { ports: [{ network_id: network.id }, { network_id }] },
    });
    expect([bulk.status, typeOf(bulk)]).toEqual([404, 'NetworkNotFound']);
    expect(wrong).toEqual([]);
    expect(await everything()).toEqual(before);
    expect((await neutron.show('subnet', subnet.id, stranger))['cidr']).toBe('10.1.0.0/24');
  });
});

const REQUIRED: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  subnetpool: { name: 'x', prefixes: ['10.5.0.0/24'] },
  address_scope: { name: 'x', ip_version: 4 },
};

/** All that neutron keeps. */
function everything(): Promise<unknown> {
  return neutron.database.database.read('test', async (tx) => {
    const tables = await sql<{ name: string }>(
      tx,
      `SELECT table_name AS name FROM information_schema.tables
       WHERE table_schema = current_schema() AND table_name NOT IN ('inbox', 'migration') ORDER BY 1`,
    );
    const found: unknown[] = [];
    for (const { name } of tables)
      found.push([name, await sql(tx, `SELECT to_jsonb(t) FROM "${name}" t ORDER BY to_jsonb(t)::text`)]);
    return found;
  });
}
