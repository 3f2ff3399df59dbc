import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { TestNeutron, admin, typeOf, type Shown } from './testing/test-neutron';

process.env['NESTACK_CHECK_RESPONSES'] = '1';
jest.setTimeout(60_000);

let neutron: TestNeutron;

beforeAll(async () => {
  neutron = await TestNeutron.start();
});

afterAll(() => neutron.close());

describe('security groups', () => {
  it('there is one default group per project, however many look at once', async () => {
    const as = 'crowd:member';
    const { network } = await neutron.wired({}, admin);
    await neutron.set('network', network.id, { shared: true }, admin);
    const looks = await Promise.all([
      ...Array.from({ length: 15 }, () => neutron.list('security_group', '', { as })),
      ...Array.from({ length: 15 }, async () => {
        const port = await neutron.make('port', { network_id: network.id }, { as });
        return [{ id: (port['security_groups'] as string[])[0] ?? '' } as Shown];
      }),
    ]);
    expect(new Set(looks.flat().map((one) => one.id)).size).toBe(1);
    const [group] = await neutron.list('security_group', '', { as });
    const rules = group?.['security_group_rules'] as Shown[];
    expect(rules.map((rule) => [rule['direction'], rule['ethertype'], rule['remote_group_id']])).toEqual(
      expect.arrayContaining([
        ['egress', 'IPv4', null],
        ['egress', 'IPv6', null],
        ['ingress', 'IPv4', group?.id],
        ['ingress', 'IPv6', group?.id],
      ]),
    );
    expect(rules).toHaveLength(4);
    const drop = await neutron.drop('security_group', group?.id ?? '', { as });
    expect([drop.status, typeOf(drop)]).toEqual([409, 'SecurityGroupInUse']);
    expect(typeOf(await neutron.set('security_group', group?.id ?? '', { name: 'x' }, { as }))).toBe(
      'SecurityGroupCannotUpdateDefault',
    );
    const second = await neutron.call('POST', '/security-groups', {
      as,
      body: { security_group: { name: 'Default' } },
    });
    expect([second.status, typeOf(second)]).toEqual([409, 'SecurityGroupDefaultAlreadyExists']);
    const lone = { as: 'lone:member' };
    const [own] = await neutron.list('security_group', '', lone);
    expect(typeOf(await neutron.drop('security_group', own?.id ?? '', lone))).toBe('SecurityGroupCannotRemoveDefault');
  });

  it('have rules that read back as they were written', async () => {
    const group = await neutron.make('security_group', { name: 'web', description: 'w' });
    expect(group).toMatchObject({ name: 'web', stateful: true, shared: false, tags: [] });
    expect(group['security_group_rules']).toHaveLength(2);
    const make = (fields: Record<string, unknown>) =>
      neutron.call('POST', '/security-group-rules', {
        body: { security_group_rule: { security_group_id: group.id, direction: 'ingress', ...fields } },
      });
    for (const fields of [
      { protocol: 'tcp', port_range_min: 1, port_range_max: 65535, remote_ip_prefix: '10.0.0.1/8' },
      { protocol: '6', port_range_min: 22, port_range_max: 22 },
      { protocol: 'icmp', port_range_min: 8, port_range_max: null },
      { protocol: 'ipv6-icmp', ethertype: 'IPv6' },
      { remote_group_id: group.id, description: 'friends' },
      { ethertype: 'IPv6', remote_ip_prefix: 'fd00::/8' },
      { protocol: 'vrrp' },
    ]) {
      const answer = await make(fields);
      expect([answer.status, answer.json['security_group_rule']]).toEqual([201, expect.objectContaining(fields)]);
    }
    const any = await make({ protocol: 'any', remote_ip_prefix: '192.0.2.1' });
    expect(any.json['security_group_rule']).toMatchObject({ protocol: null, remote_ip_prefix: '192.0.2.1/32' });
    const refusals: [Record<string, unknown>, number, string][] = [
      [{ protocol: 'icmp', port_range_min: 8 }, 409, 'SecurityGroupRuleExists'],
      [{ protocol: 'tcp', port_range_min: 9, port_range_max: 8 }, 400, 'SecurityGroupInvalidPortRange'],
      [{ protocol: 'tcp', port_range_min: 9 }, 400, 'SecurityGroupInvalidPortRange'],
      [{ port_range_min: 9, port_range_max: 9 }, 400, 'SecurityGroupProtocolRequiredWithPorts'],
      [{ protocol: 'tcp', port_range_min: 70000, port_range_max: 70000 }, 400, 'SecurityGroupInvalidPortValue'],
      [{ protocol: 'icmp', port_range_min: 300 }, 400, 'SecurityGroupInvalidIcmpValue'],
      [{ protocol: 'icmp', port_range_max: 3 }, 400, 'SecurityGroupMissingIcmpType'],
      [{ protocol: 'vrrp', port_range_min: 3, port_range_max: 3 }, 400, 'SecurityGroupInvalidProtocolForPort'],
      [{ protocol: 'ipv6-icmp' }, 400, 'SecurityGroupEthertypeConflictWithProtocol'],
      [{ protocol: 'nothing' }, 400, 'SecurityGroupRuleInvalidProtocol'],
      [{ ethertype: 'IPX' }, 400, 'SecurityGroupRuleInvalidEtherType'],
      [{ direction: 'sideways' }, 400, 'HTTPBadRequest'],
      [{ remote_ip_prefix: 'fd00::/8' }, 400, 'SecurityGroupRuleParameterConflict'],
      [{ remote_ip_prefix: 'x' }, 400, 'InvalidCIDR'],
      [{ remote_ip_prefix: '10.0.0.0/8', remote_group_id: group.id }, 400, 'SecurityGroupMultipleRemoteEntites'],
      [{ remote_group_id: newUuid() }, 404, 'SecurityGroupNotFound'],
      [{ security_group_id: newUuid() }, 404, 'SecurityGroupNotFound'],
    ];
    for (const [fields, status, type] of refusals) {
      const answer = await make(fields);
      expect([fields, answer.status, typeOf(answer)]).toEqual([fields, status, type]);
    }
    const shown = await neutron.show('security_group', group.id);
    expect(shown['security_group_rules']).toHaveLength(10);
    expect(shown['revision_number']).toBe(9);
    const [one] = await neutron.list('security_group_rule', `?security_group_id=${group.id}&protocol=vrrp`);
    expect((await neutron.drop('security_group_rule', one?.id ?? '')).status).toBe(204);
    expect(typeOf(await neutron.drop('security_group_rule', one?.id ?? ''))).toBe('SecurityGroupRuleNotFound');
    expect((await neutron.drop('security_group', group.id)).status).toBe(204);
  });
});

describe('quotas', () => {
  it('are kept by fifty requests at once', async () => {
    const as = 'busy:member';
    const limits = { network: 3, port: 7, security_group: 4 };
    const set = await neutron.call('PUT', '/quotas/busy', { ...admin, body: { quota: limits } });
    expect(set.json['quota']).toMatchObject({ ...limits, subnet: 100, router: 10, floatingip: 50 });
    const shared = await neutron.wired({ cidr: '10.9.0.0/24', network: { shared: true } }, admin);
    const kinds: [string, Record<string, unknown>, number][] = [
      ['network', {}, 3],
      ['port', { network_id: shared.network.id }, 7],
      // One of the four is the default group.
      ['security_group', { name: 'g' }, 3],
    ];
    for (const [name, fields, fit] of kinds) {
      const path = `/${name.replace('_', '-')}s`;
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => neutron.call('POST', path, { as, body: { [name]: fields } })),
      );
      expect([name, answers.filter((one) => one.status === 201).length]).toEqual([name, fit]);
      const refused = answers.find((one) => one.status !== 201);
      expect([refused?.status, refused?.json]).toEqual([
        409,
        {
          NeutronError: {
            type: 'OverQuota',
            message: `Quota exceeded for resources: ['${name}'].`,
            detail: '',
          },
        },
      ]);
    }
    const details = await neutron.call('GET', '/quotas/busy/details.json', { as });
    expect(details.json['quota']).toMatchObject({
      network: { limit: 3, used: 3, reserved: 0 },
      port: { limit: 7, used: 7, reserved: 0 },
      security_group: { limit: 4, used: 4, reserved: 0 },
      router: { limit: 10, used: 0, reserved: 0 },
    });
    const low = await neutron.call('PUT', '/quotas/busy', { ...admin, body: { quota: { network: 1 } } });
    expect([low.status, typeOf(low)]).toEqual([400, 'HTTPBadRequest']);
    expect((await neutron.call('PUT', '/quotas/busy', { as, body: { quota: { network: 9 } } })).status).toBe(403);
    expect((await neutron.call('GET', '/quotas/busy', { as: 'p1:member' })).status).toBe(403);
    expect((await neutron.call('GET', '/quotas', admin)).json['quotas']).toMatchObject([
      { project_id: 'busy', tenant_id: 'busy', network: 3 },
    ]);
    expect((await neutron.call('DELETE', '/quotas/busy', admin)).status).toBe(204);
    expect((await neutron.call('GET', '/quotas/busy', { as })).json['quota']).toMatchObject({ network: 100 });
    expect(typeOf(await neutron.call('DELETE', '/quotas/busy', admin))).toBe('TenantQuotaNotFound');
    expect((await neutron.call('GET', '/quotas/tenant', { as })).json).toEqual({ tenant: { tenant_id: 'busy' } });
  });
});

describe('sharing', () => {
  it('opens networks to chosen projects, until they are used', async () => {
    const owner = { as: 'owner:member' };
    const guest = { as: 'guest:member' };
    const { network } = await neutron.wired({ cidr: '10.8.0.0/24' }, owner);
    expect((await neutron.call('GET', `/networks/${network.id}`, guest)).status).toBe(404);
    const policy = {
      object_type: 'network',
      object_id: network.id,
      action: 'access_as_shared',
      target_tenant: 'guest',
    };
    const made = await neutron.make('rbac_policy', policy, owner);
    expect(made).toMatchObject({ ...policy, project_id: 'owner' });
    expect(await neutron.show('network', network.id, guest)).toMatchObject({ shared: true, project_id: 'owner' });
    const create = (fields: Record<string, unknown>, options = owner) =>
      neutron.call('POST', '/rbac-policies', { ...options, body: { rbac_policy: { ...policy, ...fields } } });
    expect(typeOf(await create({}))).toBe('DuplicateRbacPolicy');
    expect((await create({ target_tenant: '*' })).status).toBe(403);
    expect(typeOf(await create({ action: 'access_as_friend' }))).toBe('InvalidInput');
    expect(typeOf(await create({ object_type: 'cloud' }))).toBe('InvalidInput');
    expect(typeOf(await create({ object_id: newUuid() }))).toBe('NetworkNotFound');
    expect(typeOf(await create({ target_tenant: 'third' }, guest))).toBe('InvalidInput');
    const port = await neutron.make('port', { network_id: network.id }, guest);
    expect(typeOf(await neutron.drop('rbac_policy', made.id, owner))).toBe('RbacPolicyInUse');
    await neutron.drop('port', port.id, guest);
    expect((await neutron.drop('rbac_policy', made.id, owner)).status).toBe(204);
    expect((await neutron.call('GET', `/networks/${network.id}`, guest)).status).toBe(404);
  });
});

describe('subnet pools', () => {
  it('give prefixes to subnets, never twice', async () => {
    const scope = await neutron.make('address_scope', { name: 's', ip_version: 4 });
    const pool = await neutron.make('subnetpool', {
      name: 'p',
      prefixes: ['10.100.0.0/25', '10.100.0.128/25'],
      default_prefixlen: 26,
      min_prefixlen: 24,
      max_prefixlen: 28,
      address_scope_id: scope.id,
    });
    expect(pool).toMatchObject({
      prefixes: ['10.100.0.0/24'],
      ip_version: 4,
      default_prefixlen: 26,
      default_quota: null,
      is_default: false,
      shared: false,
      address_scope_id: scope.id,
    });
    const networks = await Promise.all(Array.from({ length: 6 }, () => neutron.make('network')));
    const answers = await Promise.all(
      networks.map((network) =>
        neutron.call('POST', '/subnets', {
          body: { subnet: { network_id: network.id, ip_version: 4, subnetpool_id: pool.id } },
        }),
      ),
    );
    const made = answers.filter((one) => one.status === 201).map((one) => (one.json['subnet'] as Shown)['cidr']);
    expect([...made].sort()).toEqual(['10.100.0.0/26', '10.100.0.128/26', '10.100.0.192/26', '10.100.0.64/26']);
    expect(new Set(answers.filter((one) => one.status !== 201).map(typeOf))).toEqual(
      new Set(['SubnetAllocationError']),
    );
    expect((await neutron.list('network', `?id=${networks[0]?.id ?? ''}`))[0]).toHaveProperty('ipv4_address_scope');
    expect(typeOf(await neutron.drop('subnetpool', pool.id))).toBe('SubnetPoolDeleteError');
    expect(typeOf(await neutron.drop('address_scope', scope.id))).toBe('AddressScopeInUse');
    const put = (fields: Record<string, unknown>) => neutron.set('subnetpool', pool.id, fields);
    expect(typeOf(await put({ prefixes: ['10.101.0.0/24'] }))).toBe('IllegalSubnetPoolPrefixUpdate');
    expect((await put({ prefixes: ['10.100.0.0/23'] })).json['subnetpool']).toMatchObject({
      prefixes: ['10.100.0.0/23'],
    });
    expect(typeOf(await put({ min_prefixlen: 29 }))).toBe('IllegalSubnetPoolPrefixBounds');
    const prefixes = (verb: string, list: string[]) =>
      neutron.call('PUT', `/subnetpools/${pool.id}/${verb}_prefixes`, { body: { prefixes: list } });
    expect((await prefixes('add', ['10.100.2.0/24'])).json).toEqual({ prefixes: ['10.100.0.0/23', '10.100.2.0/24'] });
    expect((await prefixes('remove', ['10.100.1.0/24'])).json).toEqual({
      prefixes: ['10.100.0.0/24', '10.100.2.0/24'],
    });
    expect(typeOf(await prefixes('remove', ['10.100.0.0/26']))).toBe('IllegalSubnetPoolPrefixUpdate');
    const overlapping = await neutron.call('POST', '/subnetpools', {
      body: { subnetpool: { name: 'q', prefixes: ['10.100.0.0/16'], address_scope_id: scope.id } },
    });
    expect(typeOf(overlapping)).toBe('AddressScopePrefixConflict');
    for (const [fields, type] of [
      [{ prefixes: [] }, 'EmptySubnetPoolPrefixList'],
      [{ prefixes: ['10.0.0.0/8', 'fd00::/48'] }, 'PrefixVersionMismatch'],
      [{ prefixes: ['10.0.0.0/8'], default_prefixlen: 40 }, 'IllegalSubnetPoolPrefixBounds'],
      [{ prefixes: ['10.0.0.0/8'], is_default: true }, 'PolicyNotAuthorized'],
      [{ prefixes: ['fd00::/48'], address_scope_id: scope.id }, 'IllegalSubnetPoolIpVersionAssociationToAddressScope'],
    ] as const) {
      const answer = await neutron.call('POST', '/subnetpools', { body: { subnetpool: { name: 'x', ...fields } } });
      expect([fields, typeOf(answer)]).toEqual([fields, type]);
    }
    const available = await neutron.call('GET', `/network-ip-availabilities/${networks[0]?.id ?? ''}`, admin);
    expect(available.json['network_ip_availability']).toMatchObject({ network_id: networks[0]?.id, used_ips: 0 });
  });
});

describe('tags', () => {
  it('are set, added and removed, and count as a change', async () => {
    const network = await neutron.make('network');
    const path = `/networks/${network.id}/tags`;
    const tags = async () => (await neutron.call('GET', path)).json['tags'];
    expect((await neutron.call('PUT', path, { body: { tags: ['b', 'a'] } })).json).toEqual({ tags: ['b', 'a'] });
    expect((await neutron.call('PUT', `${path}/c%2Fd`)).status).toBe(201);
    expect(await tags()).toEqual(['a', 'b', 'c/d']);
    expect((await neutron.call('POST', path, { body: { tags: ['b', 'aa'] } })).json).toEqual({ tags: ['b', 'aa'] });
    expect(await tags()).toEqual(['a', 'aa', 'b', 'c/d']);
    expect((await neutron.call('GET', `${path}/a`)).status).toBe(204);
    expect(typeOf(await neutron.call('GET', `${path}/x`))).toBe('TagNotFound');
    expect((await neutron.call('DELETE', `${path}/a`)).status).toBe(204);
    expect(typeOf(await neutron.call('DELETE', `${path}/a`))).toBe('TagNotFound');
    expect(typeOf(await neutron.call('PUT', path, { body: { tags: 'x' } }))).toBe('InvalidInput');
    expect(typeOf(await neutron.call('PUT', path, { body: { tags: ['x'.repeat(256)] } }))).toBe('InvalidInput');
    expect(typeOf(await neutron.call('PUT', `/networks/${newUuid()}/tags/x`))).toBe('TagResourceNotFound');
    expect((await neutron.call('DELETE', path)).status).toBe(204);
    expect(await tags()).toEqual([]);
    expect((await neutron.show('network', network.id))['revision_number']).toBe(6);
  });
});
