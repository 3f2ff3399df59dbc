import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { TestNeutron, admin, collectionOf, typeOf, type Answer, type Shown } from './testing/test-neutron';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(120_000);

/** What comes at once: one of them is done, the others hear why not, and what is left fits together. */
let neutron: TestNeutron;
let external: { readonly network: Shown; readonly subnet: Shown };

beforeAll(async () => {
  neutron = await TestNeutron.start();
  const network = { 'router:external': true };
  external = await neutron.wired({ cidr: '203.0.113.0/24', network, subnet: { enable_dhcp: false } }, admin);
  const quota = { network: -1, subnet: -1, port: -1, router: -1, security_group: -1, security_group_rule: -1 };
  await neutron.call('PUT', '/quotas/p1', { ...admin, body: { quota } });
});

afterAll(() => neutron.close());

const many = <T>(count: number, one: (at: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, at) => one(at)));
const post = (name: string, fields: Record<string, unknown>, as = 'p1:member') =>
  neutron.call('POST', `/${collectionOf(name)}`, { as, body: { [name]: fields } });
const action = (router: string, verb: string, body: unknown) =>
  neutron.call('PUT', `/routers/${router}/${verb}`, { body });

/** How many were done, and which errors the others had. */
function outcome(answers: readonly Answer[]): readonly [number, readonly string[]] {
  const refused = answers.filter(({ status }) => status >= 300);
  const errors = new Set(refused.map((one) => `${String(one.status)} ${String(typeOf(one))}`));
  return [answers.length - refused.length, [...errors].sort()];
}

describe('twenty at once', () => {
  it('get an address, a MAC, a floating address and a rule once', async () => {
    const { network, subnet } = await neutron.wired({ cidr: '10.0.0.0/24' });
    const on = { network_id: network.id };
    const address = await many(20, () => post('port', { ...on, fixed_ips: [{ ip_address: '10.0.0.77' }] }));
    expect(outcome(address)).toEqual([1, ['409 IpAddressAlreadyAllocated']]);
    const mac = await many(20, () => post('port', { ...on, mac_address: 'fa:16:3e:00:00:77' }));
    expect(outcome(mac)).toEqual([1, ['409 MacAddressInUse']]);
    expect(await neutron.list('port', `?network_id=${network.id}&mac_address=fa:16:3e:00:00:77`)).toHaveLength(1);

    const ports = await many(4, () => neutron.make('port', on));
    const moved = await Promise.all(
      ports.map(({ id }) => neutron.set('port', id, { fixed_ips: [{ ip_address: '10.0.0.99' }] })),
    );
    expect(outcome(moved)).toEqual([1, ['409 IpAddressAlreadyAllocated']]);

    const router = await neutron.make('router', { external_gateway_info: { network_id: external.network.id } }, admin);
    await neutron.call('PUT', `/routers/${router.id}/add_router_interface`, {
      ...admin,
      body: { subnet_id: subnet.id },
    });
    const floating = { floating_network_id: external.network.id };
    const fixed = { ...floating, floating_ip_address: '203.0.113.50' };
    expect(outcome(await many(20, () => post('floatingip', fixed, 'admins:admin')))).toEqual([
      1,
      ['409 IpAddressAlreadyAllocated'],
    ]);
    const port_id = ports[0]?.id ?? '';
    expect(outcome(await many(20, () => post('floatingip', { ...floating, port_id })))).toEqual([
      1,
      ['409 FloatingIPPortAlreadyAssociated'],
    ]);
    const free = await many(4, () => neutron.make('floatingip', floating));
    const other = ports[1]?.id ?? '';
    const associated = await Promise.all(free.map(({ id }) => neutron.set('floatingip', id, { port_id: other })));
    expect(outcome(associated)).toEqual([1, ['409 FloatingIPPortAlreadyAssociated']]);
    // An address whose port is gone is free, and stays.
    expect((await neutron.drop('port', other)).status).toBe(204);
    const after = await neutron.list('floatingip', '?status=DOWN');
    expect(after.filter((one) => one['port_id'] !== null)).toEqual([]);

    const group = await neutron.make('security_group', { name: 'g' });
    const rule = {
      security_group_id: group.id,
      direction: 'ingress',
      protocol: 'tcp',
      port_range_min: 22,
      port_range_max: 22,
    };
    expect(outcome(await many(20, () => post('security_group_rule', rule)))).toEqual([
      1,
      ['409 SecurityGroupRuleExists'],
    ]);
    const policy = { object_type: 'network', object_id: network.id, action: 'access_as_shared', target_tenant: 'p2' };
    expect(outcome(await many(20, () => post('rbac_policy', policy)))).toEqual([1, ['409 DuplicateRbacPolicy']]);
    const overlapping = { network_id: network.id, ip_version: 4, cidr: '10.1.0.0/24' };
    expect(outcome(await many(20, () => post('subnet', overlapping)))).toEqual([1, ['400 InvalidInput']]);
  });

  it('connect a subnet, a port and what overlaps once', async () => {
    const [first, second] = await many(2, () => neutron.make('router'));
    const { network, subnet } = await neutron.wired({ cidr: '10.2.0.0/24' });
    const one = await many(10, (at) =>
      action((at % 2 === 0 ? first : second)?.id ?? '', 'add_router_interface', { subnet_id: subnet.id }),
    );
    // The gateway address can be had by one router; that one says so, the other that it is taken.
    const [done, errors] = outcome(one);
    expect(done).toBe(1);
    for (const error of errors) expect(['400 BadRequest', '409 IpAddressAlreadyAllocated']).toContain(error);
    expect(await neutron.list('port', `?network_id=${network.id}&device_owner=network:router_interface`)).toHaveLength(
      1,
    );

    const port = await neutron.make('port', { network_id: network.id });
    const [taken, why] = outcome(
      await many(10, (at) =>
        action((at % 2 === 0 ? first : second)?.id ?? '', 'add_router_interface', { port_id: port.id }),
      ),
    );
    // The router that has the subnet already may not have it twice.
    expect(taken).toBeLessThanOrEqual(1);
    for (const error of why) expect(['400 BadRequest', '409 PortInUse']).toContain(error);

    const third = await neutron.make('router');
    const twins = await many(6, () => neutron.wired({ cidr: '10.3.0.0/24' }));
    const overlap = await Promise.all(
      twins.map((twin) => action(third.id, 'add_router_interface', { subnet_id: twin.subnet.id })),
    );
    expect(outcome(overlap)).toEqual([1, ['400 BadRequest']]);
    const inUse = await neutron.list('port', `?device_id=${third.id}`);
    const wired = (inUse[0]?.['fixed_ips'] as { subnet_id: string }[])[0]?.subnet_id;
    const removed = await many(8, () => action(third.id, 'remove_router_interface', { subnet_id: wired }));
    expect(outcome(removed)).toEqual([1, ['404 RouterInterfaceNotFoundForSubnet']]);
    expect((await neutron.drop('router', third.id)).status).toBe(204);
  });

  it('delete a thing once', async () => {
    const made: [string, string][] = [];
    const { network, subnet } = await neutron.wired({ cidr: '10.4.0.0/24' });
    for (const [name, fields] of [
      ['port', { network_id: network.id }],
      ['security_group', { name: 'g' }],
      ['router', {}],
      ['floatingip', { floating_network_id: external.network.id }],
    ] as const)
      made.push([name, (await neutron.make(name, fields)).id]);
    made.push(['subnet', subnet.id], ['network', network.id]);
    for (const [name, id] of made) {
      const [done, errors] = outcome(await many(8, () => neutron.drop(name, id)));
      expect([name, done, errors.length]).toEqual([name, 1, 1]);
      expect(errors[0]).toMatch(/^404 \w+NotFound$/);
    }
  });
});

describe('what is used while it is deleted', () => {
  it('is used, or is gone, and nothing hangs in the air', async () => {
    for (let round = 0; round < 3; round += 1) {
      const { network, subnet } = await neutron.wired({ cidr: '10.5.0.0/24' });
      const router = await neutron.make('router');
      const group = await neutron.make('security_group', { name: 'g' });
      const answers = await Promise.all([
        ...Array.from({ length: 4 }, () => post('port', { network_id: network.id, security_groups: [group.id] })),
        action(router.id, 'add_router_interface', { subnet_id: subnet.id }),
        post('subnet', { network_id: network.id, ip_version: 4, cidr: '10.6.0.0/24' }),
        neutron.drop('security_group', group.id),
        neutron.drop('router', router.id),
        neutron.drop(round === 0 ? 'network' : 'subnet', round === 0 ? network.id : subnet.id),
      ]);
      for (const { status } of answers) expect([200, 201, 204, 400, 404, 409]).toContain(status);
      const orphans = await neutron.query(
        `SELECT p.id FROM port p LEFT JOIN network n ON n.id = p.network_id WHERE n.id IS NULL
         UNION ALL SELECT s.id FROM subnet s LEFT JOIN network n ON n.id = s.network_id WHERE n.id IS NULL
         UNION ALL SELECT p.id FROM port p LEFT JOIN router r ON r.id::text = p.device_id
          WHERE p.device_owner = 'network:router_interface' AND r.id IS NULL`,
      );
      expect(orphans).toEqual([]);
      for (const port of await neutron.list('port', `?network_id=${network.id}`)) {
        for (const { subnet_id } of port['fixed_ips'] as { subnet_id: string }[])
          expect((await neutron.call('GET', `/subnets/${subnet_id}`)).status).toBe(200);
        for (const id of port['security_groups'] as string[])
          expect((await neutron.call('GET', `/security-groups/${id}`)).status).toBe(200);
      }
    }
  });
});

describe('quotas under fifty requests at once', () => {
  it('are kept for all that is counted, and bulk requests fit whole or not at all', async () => {
    const as = 'crowd:member';
    const limits = {
      subnet: 5,
      router: 3,
      floatingip: 4,
      security_group_rule: 9,
      subnetpool: 2,
      rbac_policy: 3,
      port: 9,
    };
    const set = await neutron.call('PUT', '/quotas/crowd', { ...admin, body: { quota: { ...limits, network: -1 } } });
    expect(set.json['quota']).toMatchObject(limits);
    const network = await neutron.make('network', {}, { as });
    const [group] = await neutron.list('security_group', '?name=default', { as });
    const over = (name: string) => [`409 OverQuota`, `Quota exceeded for resources: ['${name}'].`];
    const kinds: readonly (readonly [string, number, (at: number) => Record<string, unknown>])[] = [
      ['subnet', 5, (at) => ({ network_id: network.id, ip_version: 4, cidr: `10.${String(at)}.0.0/24` })],
      ['router', 3, () => ({})],
      ['floatingip', 4, () => ({ floating_network_id: external.network.id })],
      // Four are the default group's.
      [
        'security_group_rule',
        5,
        (at) => ({
          security_group_id: group?.id,
          direction: 'ingress',
          protocol: 'tcp',
          port_range_min: at + 1,
          port_range_max: at + 1,
        }),
      ],
      ['subnetpool', 2, (at) => ({ name: 'p', prefixes: [`10.${String(at)}.0.0/16`] })],
      [
        'rbac_policy',
        3,
        (at) => ({
          object_type: 'network',
          object_id: network.id,
          action: 'access_as_shared',
          target_tenant: `p${String(at)}`,
        }),
      ],
    ];
    for (const [name, fits, fields] of kinds) {
      const answers = await many(50, (at) => post(name, fields(at), as));
      const refused = answers.filter(({ status }) => status !== 201);
      expect([name, answers.length - refused.length]).toEqual([name, fits]);
      const told = refused.map((one) => [
        `${String(one.status)} ${String(typeOf(one))}`,
        (one.json['NeutronError'] as { message: string }).message,
      ]);
      expect([...new Set(told.map((one) => JSON.stringify(one)))]).toEqual([JSON.stringify(over(name))]);
      expect([name, (await neutron.list(name, name === 'security_group_rule' ? '' : '', { as })).length]).toEqual([
        name,
        name === 'security_group_rule' ? 9 : fits,
      ]);
    }
    const bulk = () =>
      neutron.call('POST', '/ports', {
        as,
        body: { ports: Array.from({ length: 4 }, () => ({ network_id: network.id })) },
      });
    expect(outcome(await many(20, bulk))).toEqual([2, ['409 OverQuota']]);
    expect(await neutron.list('port', `?network_id=${network.id}&device_owner=`, { as })).toHaveLength(8);

    const used = async () => {
      const { json } = await neutron.call('GET', '/quotas/crowd/details.json', { as });
      const detail = json['quota'] as Record<string, { used: number }>;
      return Object.fromEntries(Object.keys(limits).map((name) => [name, detail[name]?.used]));
    };
    expect(await used()).toEqual({ ...limits, port: 8 });
    for (const [name] of [...kinds].reverse().filter(([one]) => one !== 'security_group_rule' && one !== 'subnet'))
      for (const { id } of await neutron.list(name, '', { as }))
        expect([name, (await neutron.drop(name, id, { as })).status]).toEqual([name, 204]);
    for (const { id } of await neutron.list('port', '', { as }))
      expect((await neutron.drop('port', id, { as })).status).toBe(204);
    expect((await neutron.drop('network', network.id, { as })).status).toBe(204);
    expect(await used()).toMatchObject({ subnet: 0, router: 0, floatingip: 0, subnetpool: 0, rbac_policy: 0, port: 0 });
  });
});
