import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from '@nestack/kernel/db';
import type { Operation } from '@nestack/kernel/http';
import { newUuid } from '@nestack/kernel/ids';
import { exampleOf } from '@nestack/kernel/testing';
import { keystoneApi } from '@nestack/keystone/contract';
import { TestKeystone, type Answer } from './testing';

/** What a stranger gets who names what belongs to others, in every operation: the same as for what is not there. */
let keystone: TestKeystone;
const owned: Record<string, string> = {};
const tokens: Record<string, string> = {};
const strangers: Record<string, string> = {};

beforeAll(async () => {
  keystone = await TestKeystone.start();
  const owner = await keystone.someone('owner');
  const friend = await keystone.someone('friend');
  const stranger = await keystone.someone('stranger');
  const reader = await keystone.someone('spectator', 'reader');
  const manager = await keystone.someone('boss', 'manager');
  Object.assign(tokens, {
    owner: owner.token,
    stranger: stranger.token,
    reader: reader.token,
    manager: manager.token,
  });
  Object.assign(strangers, { user: stranger.user, project: stranger.project, friend: friend.user });
  const made = async (path: string, key: string, body: Record<string, unknown>, token = keystone.adminToken) => {
    const answer = await keystone.call('POST', path, { token, body });
    if (answer.status !== 201) throw new Error(`${path}: ${JSON.stringify(answer.json)}`);
    const shown = Array.isArray(answer.json[key]) ? answer.json[key][0] : answer.json[key];
    return String(shown?.['id'] ?? shown?.['access']);
  };
  const role = await keystone.role('member');
  const domain = await keystone.make('domains', 'domain', { name: 'd' });
  const service = await keystone.make('services', 'service', { type: 'compute', name: 'nova' });
  const registered = { service_id: service, resource_name: 'vcpus', default_limit: 10 };
  Object.assign(owned, {
    user_id: owner.user,
    project_id: owner.project,
    domain_id: domain,
    role_id: role,
    prior_role_id: role,
    implied_role_id: await keystone.role('reader'),
    group_id: await keystone.make('groups', 'group', { name: 'g', domain_id: domain }),
    service_id: service,
    region_id: 'RegionOne',
    endpoint_id: await keystone.make('endpoints', 'endpoint', {
      service_id: service,
      interface: 'public',
      url: 'http://x/',
    }),
    registered_limit_id: await made('/registered_limits', 'registered_limits', { registered_limits: [registered] }),
    policy_id: await keystone.make('policies', 'policy', { type: 'application/json', blob: '{}' }),
    group: 'identity',
    option: 'driver',
    tag: 'x',
  });
  owned['limit_id'] = await made('/limits', 'limits', {
    limits: [{ project_id: owner.project, service_id: service, resource_name: 'vcpus', resource_limit: 5 }],
  });
  owned['credential_id'] = await made(
    '/credentials',
    'credential',
    { credential: { type: 'cert', blob: 'secret', user_id: owner.user } },
    owner.token,
  );
  owned['access'] = await made(
    `/users/${owner.user}/credentials/OS-EC2`,
    'credential',
    { tenant_id: owner.project },
    owner.token,
  );
  owned['application_credential_id'] = await made(
    `/users/${owner.user}/application_credentials`,
    'application_credential',
    {
      application_credential: {
        name: 'a',
        access_rules: [{ service: 'compute', method: 'GET', path: '/v2.1/servers' }],
      },
    },
    owner.token,
  );
  const rules = await keystone.call('GET', `/users/${owner.user}/access_rules`, { token: owner.token });
  owned['access_rule_id'] = String(rules.json['access_rules']?.[0]?.['id']);
  const trust = {
    trustor_user_id: owner.user,
    trustee_user_id: friend.user,
    project_id: owner.project,
    impersonation: false,
    roles: [{ id: role }],
  };
  owned['trust_id'] = await made('/OS-TRUST/trusts', 'trust', { trust }, owner.token);
  owned['consumer_id'] = await made('/OS-OAUTH1/consumers', 'consumer', { consumer: { description: 'c' } });
  owned['request_token_id'] = 'a'.repeat(32);
  owned['access_token_id'] = 'b'.repeat(32);
  // Only signed requests make these.
  const end = "ARRAY[]::text[], now() + interval '1 hour'";
  await keystone.sql(
    `INSERT INTO request_token (id, consumer_id, requested_project_id, secret, role_ids, expires_at)
     VALUES ('${owned['request_token_id']}', '${owned['consumer_id']}', '${owner.project}', '', ${end})`,
  );
  await keystone.sql(
    `INSERT INTO access_token (id, consumer_id, project_id, authorizing_user_id, secret, role_ids, expires_at)
     VALUES ('${owned['access_token_id']}', '${owned['consumer_id']}', '${owner.project}', '${owner.user}', '', ${end})`,
  );
  await keystone.call('PUT', `/projects/${owner.project}/tags/x`);
  await keystone.call('PUT', `/domains/${domain}/config`, { body: { config: { identity: { driver: 'ldap' } } } });
  owned['endpoint_group_id'] = await made('/OS-EP-FILTER/endpoint_groups', 'endpoint_group', {
    endpoint_group: { name: 'e', filters: { interface: 'public' } },
  });
}, 60_000);

afterAll(() => keystone.close());

/** Whatever needs a token and changes something or names something. */
const operations = keystoneApi.operations.filter(
  (one) => one.public !== true && !one.path.startsWith('/auth/') && (one.method !== 'GET' || one.path.includes('{')),
);

/** What every user may see. upstream: keystone/common/policies/region.py, registered_limit.py */
const OPEN: readonly string[] = ['showRegion', 'showRegisteredLimit'];
/** Whether there is such a trust may be known to all. upstream: keystone/api/trusts.py _build_trust_target_enforcement */
const KNOWN: readonly string[] = ['showTrust', 'deleteTrust', 'listTrustRoles', 'showTrustRole'];

function ask(operation: Operation, ids: Readonly<Record<string, string>>, token: string): Promise<Answer> {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name];
    if (id === undefined) throw new Error(`${operation.id}: the test has nothing for ${name}`);
    return id;
  });
  const schema = Array.isArray(operation.body) ? (operation.body.at(-1) as { schema: unknown }).schema : operation.body;
  const body = schema === undefined ? undefined : exampleOf(schema);
  return keystone.call(operation.method, path, { token, ...(body === undefined ? {} : { body }) });
}

/** All that keystone keeps, but what every login leaves. */
async function everything(): Promise<unknown> {
  return keystone.database.database.read('test', async (tx) => {
    const tables = await sql<{ name: string }>(
      tx,
      `SELECT table_name AS name FROM information_schema.tables
       WHERE table_schema = current_schema() AND table_name NOT IN ('outbox', 'inbox', 'migration') ORDER BY 1`,
    );
    const found: unknown[] = [];
    for (const { name } of tables) {
      if (!/^[a-z_]+$/.test(name)) throw new Error(name);
      found.push([name, await sql(tx, `SELECT to_jsonb(t) FROM "${name}" t ORDER BY to_jsonb(t)::text`)]);
    }
    return found;
  });
}

describe("what belongs to others, and what is the operators'", () => {
  it('is not to be seen, and not to be changed, by any operation', async () => {
    const absent = Object.fromEntries(Object.keys(owned).map((name) => [name, newUuid().replaceAll('-', '')]));
    const before = await everything();
    expect(operations.length).toBeGreaterThan(120);
    const wrong: string[] = [];
    for (const operation of operations) {
      const expected = OPEN.includes(operation.id) ? 200 : 403;
      for (const as of ['stranger', 'reader', 'manager']) {
        const { status, json } = await ask(operation, owned, tokens[as] ?? '');
        if (status !== expected) wrong.push(`${operation.id} ${as}: ${String(status)} ${JSON.stringify(json)}`);
      }
      const { status, json } = await ask(operation, absent, tokens['stranger'] ?? '');
      const known = OPEN.includes(operation.id) || KNOWN.includes(operation.id);
      if (status !== (known ? 404 : 403))
        wrong.push(`${operation.id} absent: ${String(status)} ${JSON.stringify(json)}`);
    }
    expect(wrong).toEqual([]);
    expect(await everything()).toEqual(before);
  }, 60_000);

  it('is not to be had by its id in a body, a scope or a header', async () => {
    const { owner = '', stranger: token = '' } = tokens;
    const { user_id, project_id, domain_id, trust_id, application_credential_id, access_rule_id } = owned;
    const post = (path: string, body: unknown) => keystone.call('POST', path, { token, body });
    const own = await post('/credentials', { credential: { type: 'cert', blob: 'mine', user_id: strangers['user'] } });
    const mine = String(own.json['credential']?.['id']);
    const before = await everything();
    const trust = { trustee_user_id: strangers['friend'], impersonation: true, roles: [{ name: 'member' }] };
    const rules = [{ id: access_rule_id }];
    const application = { name: 'x', access_rules: rules };
    const password = { user: { id: strangers['user'], password: 'stranger-password' } };
    const login = { methods: ['password'], password };
    const robot = { id: application_credential_id, secret: 'guessed' };
    const attempts: readonly (readonly [number, string, string, unknown])[] = [
      [403, 'POST', '/OS-TRUST/trusts', { trust: { ...trust, trustor_user_id: user_id, project_id } }],
      [404, 'POST', '/OS-TRUST/trusts', { trust: { ...trust, trustor_user_id: strangers['user'], project_id } }],
      [403, 'POST', '/credentials', { credential: { type: 'cert', blob: 'x', user_id } }],
      [403, 'PATCH', `/credentials/${mine}`, { credential: { user_id } }],
      [
        404,
        'POST',
        `/users/${strangers['user'] ?? ''}/application_credentials`,
        { application_credential: application },
      ],
      [403, 'POST', '/projects', { project: { name: 'x', domain_id: 'default', parent_id: project_id } }],
      [401, 'POST', '/auth/tokens', { auth: { identity: login, scope: { project: { id: project_id } } } }],
      [401, 'POST', '/auth/tokens', { auth: { identity: login, scope: { domain: { id: domain_id } } } }],
      [403, 'POST', '/auth/tokens', { auth: { identity: login, scope: { 'OS-TRUST:trust': { id: trust_id } } } }],
      [
        401,
        'POST',
        '/auth/tokens',
        { auth: { identity: { methods: ['token'], token: { id: token } }, scope: { project: { id: project_id } } } },
      ],
      [
        401,
        'POST',
        '/auth/tokens',
        { auth: { identity: { methods: ['application_credential'], application_credential: robot } } },
      ],
    ];
    const wrong: string[] = [];
    for (const [status, method, path, body] of attempts) {
      const answer = await keystone.call(method, path, { token, body });
      if (answer.status !== status)
        wrong.push(
          `${method} ${path} ${JSON.stringify(body)}: ${String(answer.status)} ${JSON.stringify(answer.json)}`,
        );
    }
    // Nor by another's token in the header.
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      const { status } = await keystone.call(method, '/auth/tokens', { token, headers: { 'x-subject-token': owner } });
      if (status !== 403) wrong.push(`${method} /auth/tokens: ${String(status)}`);
    }
    for (const [path, status] of [
      [`/role_assignments?user.id=${user_id ?? ''}`, 403],
      [`/role_assignments?scope.project.id=${project_id ?? ''}`, 403],
      ['/users', 403],
      ['/projects', 403],
      ['/groups', 403],
      [`/OS-TRUST/trusts?trustor_user_id=${user_id ?? ''}`, 403],
      [`/credentials?user_id=${user_id ?? ''}`, 200],
    ] as const) {
      const answer = await keystone.call('GET', path, { token });
      if (answer.status !== status) wrong.push(`GET ${path}: ${String(answer.status)}`);
      for (const id of [user_id, project_id, owned['credential_id']])
        if (status === 200 && JSON.stringify(answer.json['credentials']).includes(String(id)))
          wrong.push(`GET ${path} shows ${String(id)}`);
    }
    expect(wrong).toEqual([]);
    expect(await keystone.alive(owner)).toBe(200);
    expect(await everything()).toEqual(before);
  }, 60_000);
});
