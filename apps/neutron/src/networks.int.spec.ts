import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { TestNeutron, admin, typeOf } from './testing/test-neutron';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(60_000);

let neutron: TestNeutron;

beforeAll(async () => {
  neutron = await TestNeutron.start();
});

afterAll(() => neutron.close());

const text = expect.any(String) as unknown;
const date = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as unknown;

describe('the service', () => {
  it('tells its version at the root and its resources below', async () => {
    const root = await neutron.call('GET', '/', { headers: { 'x-auth-token': '' } });
    expect([root.status, root.json]).toEqual([
      200,
      { versions: [{ id: 'v2.0', status: 'CURRENT', links: [{ rel: 'self', href: `${neutron.base}/v2.0/` }] }] },
    ]);
    const below = await neutron.call('GET', '/v2.0/');
    expect(below.json['resources']).toHaveLength(4);
    const refused = await neutron.call('GET', '/networks', { headers: { 'x-auth-token': '' } });
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([
      401,
      expect.stringMatching(/^Keystone uri=/),
    ]);
  });

  it('lists its extensions, and knows no others', async () => {
    const { json } = await neutron.call('GET', '/extensions');
    const aliases = (json['extensions'] as { alias: string }[]).map((one) => one.alias);
    expect(aliases).toEqual(expect.arrayContaining(['router', 'security-group', 'binding', 'quotas', 'agent']));
    expect(aliases).not.toContain('qos');
    expect((await neutron.call('GET', '/extensions/router')).json['extension']).toMatchObject({ alias: 'router' });
    const providers = await neutron.call('GET', '/service-providers');
    expect(providers.json['service_providers']).toMatchObject([{ service_type: 'L3_ROUTER_NAT', name: 'single_node' }]);
    const vpn = await neutron.call('GET', '/service-providers?service_type=VPN');
    expect(vpn.json['service_providers']).toEqual([]);
    expect((await neutron.call('GET', '/extensions/qos')).status).toBe(404);
    for (const path of ['/qos/policies', '/trunks', '/nothing']) {
      const absent = await neutron.call('GET', path);
      expect([absent.status, typeOf(absent)]).toEqual([404, 'HTTPNotFound']);
    }
  });
});

describe('networks', () => {
  it('are made, shown, changed and deleted', async () => {
    const made = await neutron.make('network', { name: 'blue', description: 'sky' });
    expect(made).toEqual({
      id: text,
      name: 'blue',
      project_id: 'p1',
      tenant_id: 'p1',
      description: 'sky',
      created_at: date,
      updated_at: date,
      revision_number: 1,
      tags: [],
      status: 'ACTIVE',
      subnets: [],
      admin_state_up: true,
      shared: false,
      'router:external': false,
      is_default: false,
      mtu: 1450,
      port_security_enabled: true,
      availability_zone_hints: [],
      availability_zones: [],
      dns_domain: '',
      ipv4_address_scope: null,
      ipv6_address_scope: null,
    });
    expect(await neutron.show('network', made.id)).toEqual(made);
    expect(await neutron.show('network', made.id, admin)).toMatchObject({
      'provider:network_type': 'vxlan',
      'provider:physical_network': null,
      'provider:segmentation_id': expect.any(Number) as unknown,
    });
    const changed = await neutron.set('network', made.id, { name: 'green', admin_state_up: 'False', mtu: 1400 });
    expect(changed.json['network']).toMatchObject({
      name: 'green',
      admin_state_up: false,
      status: 'DOWN',
      mtu: 1400,
      revision_number: 2,
    });
    expect((await neutron.drop('network', made.id)).status).toBe(204);
    const gone = await neutron.call('GET', `/networks/${made.id}`);
    expect([gone.status, gone.json]).toEqual([
      404,
      {
        NeutronError: { type: 'NetworkNotFound', message: `Network ${made.id} could not be found.`, detail: '' },
      },
    ]);
  });

  it('refuse what makes no sense, in upstream words', async () => {
    const refusals: [Record<string, unknown>, number, string, string][] = [
      [{ network: { nome: 'x' } }, 400, 'HTTPBadRequest', "Unrecognized attribute(s) 'nome'"],
      [{ network: { name: 5 } }, 400, 'HTTPBadRequest', "Invalid input for name. Reason: '5' is not a valid string."],
      [{ network: { id: 'x' } }, 400, 'HTTPBadRequest', "Attribute 'id' not allowed in POST"],
      [
        { network: { admin_state_up: 'maybe' } },
        400,
        'InvalidInput',
        "Invalid input for operation: 'maybe' cannot be converted to boolean.",
      ],
      [{ networks: [] }, 400, 'HTTPBadRequest', 'Resources required'],
      [{ mtu: 3 }, 400, 'HTTPBadRequest', "Unable to find 'network' in request body"],
      [
        { network: { mtu: 9000 } },
        400,
        'InvalidInput',
        'Invalid input for operation: Requested MTU is too big, maximum is 1450.',
      ],
      [{ network: { shared: true } }, 403, 'PolicyNotAuthorized', 'rule:create_network:shared is disallowed by policy'],
    ];
    for (const [body, status, type, message] of refusals) {
      const answer = await neutron.call('POST', '/networks', { body });
      expect([answer.status, answer.json]).toEqual([status, { NeutronError: { type, message, detail: '' } }]);
    }
    const malformed = await neutron.call('POST', '/networks', { headers: { 'content-type': 'application/json' } });
    expect(malformed.status).toBe(400);
  });

  it('come several at once or not at all', async () => {
    const many = await neutron.call('POST', '/networks', { body: { networks: [{ name: 'b1' }, { name: 'b2' }] } });
    expect([many.status, (many.json['networks'] as unknown[]).length]).toEqual([201, 2]);
    const broken = await neutron.call('POST', '/networks', { body: { networks: [{ name: 'b3' }, { mtu: 10 }] } });
    expect(broken.status).toBe(400);
    expect(await neutron.list('network', '?name=b3')).toEqual([]);
  });

  it('have tunnels of their own', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => neutron.make('network', {}, admin)));
    const ids = made.map((one) => one['provider:segmentation_id']);
    expect(new Set(ids).size).toBe(20);
    const taken = await neutron.call('POST', '/networks', {
      ...admin,
      body: { network: { 'provider:network_type': 'vxlan', 'provider:segmentation_id': ids[0] } },
    });
    expect([taken.status, typeOf(taken)]).toEqual([409, 'TunnelIdInUse']);
  });
});
