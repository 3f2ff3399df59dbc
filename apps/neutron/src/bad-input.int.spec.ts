import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import {
  addressScopeResource,
  floatingIpResource,
  networkResource,
  portResource,
  rbacPolicyResource,
  routerResource,
  securityGroupResource,
  securityGroupRuleResource,
  subnetPoolResource,
  subnetResource,
  type Resource,
} from '@nestack/neutron/contract';
import { TestNeutron, admin, type Shown } from './testing/test-neutron';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(180_000);

const RESOURCES = [
  networkResource,
  subnetResource,
  portResource,
  securityGroupResource,
  securityGroupRuleResource,
  subnetPoolResource,
  addressScopeResource,
  routerResource,
  floatingIpResource,
  rbacPolicyResource,
] as unknown as Resource[];

const ODD: unknown[] = [
  null,
  0,
  -1,
  2.5,
  1e30,
  true,
  '',
  ' ',
  'x',
  'a\0b',
  '٣',
  '\u{1f600}',
  '../../etc/passwd',
  "'; DROP TABLE port; --",
  '%',
  'x'.repeat(300),
  '9'.repeat(40),
  [],
  [null],
  [[]],
  [{}],
  ['x', 'x'],
  [5],
  {},
  { x: {} },
  { __proto__: null, constructor: 'x' },
  newUuid(),
  '10.0.0.0/8',
  'fd00::/64',
  '::',
  '255.255.255.255',
  [{ start: 'x', end: 'y' }],
  [{ start: '10.0.0.1', end: 'fd00::1' }],
  [{ destination: '0.0.0.0/0', nexthop: '10.0.0.1' }],
  [{ ip_address: '10.0.0.300' }],
  [{ subnet_id: 'x' }],
  { network_id: 'x' },
  { network_id: newUuid(), external_fixed_ips: [{}] },
];

let neutron: TestNeutron;
const bases: Record<string, Record<string, unknown>> = {};
const made: Record<string, Shown> = {};

beforeAll(async () => {
  neutron = await TestNeutron.start();
  const { network, subnet } = await neutron.wired({ network: { 'router:external': true } }, admin);
  Object.assign(bases, {
    network: {},
    subnet: { network_id: network.id, ip_version: 4, cidr: '10.1.0.0/24' },
    port: { network_id: network.id },
    security_group: { name: 'g' },
    subnetpool: { name: 'p', prefixes: ['10.2.0.0/16'] },
    address_scope: { ip_version: 4 },
    router: {},
    floatingip: { floating_network_id: network.id },
    rbac_policy: { object_type: 'network', object_id: network.id, action: 'access_as_shared', target_tenant: 'x' },
  });
  Object.assign(made, { network, subnet });
  const limits = Object.fromEntries(
    ['network', 'subnet', 'port', 'router', 'floatingip', 'security_group', 'security_group_rule', 'rbac_policy'].map(
      (name) => [name, -1],
    ),
  );
  await neutron.call('PUT', '/quotas/admins', { ...admin, body: { quota: limits } });
  made['security_group'] = await neutron.make('security_group', { name: 'g' }, admin);
  bases['security_group_rule'] = { security_group_id: made['security_group'].id, direction: 'ingress' };
  for (const { name } of RESOURCES) made[name] ??= await neutron.make(name, bases[name], admin);
});

afterAll(() => neutron.close());

const sent: string[] = [];

/** Sends and notes what the server blamed itself for. */
async function send(method: string, path: string, body?: unknown): Promise<void> {
  const { status, json } = await neutron.call(method, path, { ...admin, ...(body === undefined ? {} : { body }) });
  if (status >= 500)
    sent.push(`${method} ${path} ${JSON.stringify(body)} -> ${String(status)} ${JSON.stringify(json)}`);
}

describe('odd values', () => {
  it.each(RESOURCES.map((one) => [one.plural, one] as const))(
    'of %s are never the fault of the server',
    async (_, of) => {
      sent.length = 0;
      const one = made[of.name];
      for (const [attribute, { post, put }] of Object.entries(of.attributes)) {
        for (const value of ODD) {
          if (post === true) await send('POST', of.path, { [of.name]: { ...bases[of.name], [attribute]: value } });
          if (put === true) await send('PUT', `${of.path}/${one?.id ?? ''}`, { [of.name]: { [attribute]: value } });
        }
      }
      expect(sent).toEqual([]);
    },
  );

  it('in filters, sort keys, markers and ids are not either', async () => {
    sent.length = 0;
    for (const of of RESOURCES) {
      const texts = ODD.filter((value) => typeof value === 'string').map((value) => encodeURIComponent(value));
      const names = [...Object.keys(of.attributes), 'tags', 'tags-any', 'not-tags', 'fixed_ips', 'changed_since'];
      for (const name of names) {
        // What JavaScript takes for a date and PostgreSQL does not.
        for (const value of [...texts.slice(0, 8), '8', 'T', '-1', '%2B012345-01-01T00:00:00Z'])
          await send('GET', `${of.path}?${encodeURIComponent(name)}=${value}`);
        for (const dir of ['asc', 'desc'])
          await send('GET', `${of.path}?sort_key=${name}&sort_dir=${dir}&limit=1&marker=${made[of.name]?.id ?? ''}`);
      }
      for (const value of texts) {
        await send('GET', `${of.path}/${value}`);
        await send('DELETE', `${of.path}/${value}`);
        await send('GET', `${of.path}?limit=${value}&marker=${value}`);
      }
    }
    expect(sent).toEqual([]);
  });

  it('as whole bodies are not either', async () => {
    sent.length = 0;
    for (const of of RESOURCES) {
      for (const value of ODD) {
        await send('POST', of.path, value);
        await send('POST', of.path, { [of.name]: value });
        await send('POST', of.path, { [of.plural]: value });
        await send('PUT', `${of.path}/${made[of.name]?.id ?? ''}`, { [of.name]: value });
      }
    }
    for (const value of ODD) {
      await send('PUT', '/quotas/p1', { quota: value });
      await send('PUT', '/quotas/p1', { quota: { network: value } });
      await send('PUT', `/networks/${made['network']?.id ?? ''}/tags`, { tags: value });
      for (const verb of ['add_router_interface', 'remove_router_interface', 'add_extraroutes']) {
        await send('PUT', `/routers/${made['router']?.id ?? ''}/${verb}`, { subnet_id: value });
        await send('PUT', `/routers/${made['router']?.id ?? ''}/${verb}`, { router: { routes: value } });
      }
      await send('PUT', `/subnetpools/${made['subnetpool']?.id ?? ''}/add_prefixes`, { prefixes: value });
      await send('POST', `/ports/${made['port']?.id ?? ''}/bindings`, { binding: { host: value } });
    }
    expect(sent).toEqual([]);
  });
});
