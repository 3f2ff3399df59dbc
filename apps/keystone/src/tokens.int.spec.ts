import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TokenSigner } from '@nestack/kernel/auth';
import { ADMIN_PASSWORD, DEFAULT, TestKeystone } from './testing';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let keystone: TestKeystone;
beforeAll(async () => {
  keystone = await TestKeystone.start();
}, 30_000);
afterAll(() => keystone.close(), 30_000);

const password = (user: object) => ({ methods: ['password'], password: { user } });
const UNAUTHORIZED = {
  error: { code: 401, title: 'Unauthorized', message: 'The request you have made requires authentication.' },
};
const ADMIN = { name: 'admin', domain: DEFAULT, password: ADMIN_PASSWORD };
const ADMIN_PROJECT = { project: { name: 'admin', domain: { name: 'Default' } } };

function issue(auth: unknown) {
  return keystone.call('POST', '/auth/tokens', { token: null, body: { auth } });
}

describe('a token', () => {
  it('says who, where, with which roles and services, in the form that clients parse', async () => {
    const answer = await issue({ identity: password(ADMIN), scope: ADMIN_PROJECT });
    expect(answer.status).toBe(201);
    const token = answer.json['token'];
    expect(token).toMatchObject({
      methods: ['password'],
      user: { name: 'admin', domain: { id: 'default', name: 'Default' }, password_expires_at: null },
      project: { name: 'admin', domain: { id: 'default', name: 'Default' } },
      is_domain: false,
      roles: expect.arrayContaining(
        ['admin', 'manager', 'member', 'reader'].map((name) => ({ id: expect.any(String), name })),
      ),
      catalog: [
        {
          type: 'identity',
          name: 'keystone',
          endpoints: expect.arrayContaining([
            {
              id: expect.any(String),
              interface: 'public',
              region: 'RegionOne',
              region_id: 'RegionOne',
              url: 'http://keystone.test/v3',
            },
          ]),
        },
      ],
    });
    for (const field of ['expires_at', 'issued_at']) {
      expect(token?.[field]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    }
    expect(String(answer.headers['x-subject-token']).split('.')).toHaveLength(3);
    expect(answer.headers['vary']).toBe('X-Auth-Token');
  });

  it('is for nothing when no scope is given, and has no catalogue then', async () => {
    for (const scope of [{}, { scope: 'unscoped' }, { scope: { unscoped: {} } }]) {
      const { status, json } = await issue({ identity: password(ADMIN), ...scope });
      expect(status).toBe(201);
      for (const key of ['project', 'catalog', 'roles', 'is_domain']) expect(json['token']).not.toHaveProperty(key);
    }
  });

  it('is for the default project of its user when he can work there', async () => {
    const { user, project } = await keystone.someone('settled');
    await keystone.call('PATCH', `/users/${user}`, { body: { user: { default_project_id: project } } });
    const proof = { identity: password({ id: user, password: 'settled-password' }) };
    expect((await issue(proof)).json['token']?.['project']?.['id']).toBe(project);
    expect((await issue({ ...proof, scope: 'unscoped' })).json['token']).not.toHaveProperty('project');
    await keystone.call('DELETE', `/projects/${project}/users/${user}/roles/${await keystone.role('member')}`);
    const unscoped = await issue(proof);
    expect(unscoped.status).toBe(201);
    expect(unscoped.json['token']).not.toHaveProperty('project');
  });

  it('is for a domain or for the system where the user has a role', async () => {
    expect((await issue({ identity: password(ADMIN), scope: { domain: DEFAULT } })).status).toBe(401);
    const system = await issue({ identity: password(ADMIN), scope: { system: { all: true } } });
    expect(system.json['token']).toMatchObject({ system: { all: true }, catalog: expect.any(Array) });
    const user = await keystone.make('users', 'user', { name: 'domain-reader', password: 'x' });
    await keystone.call('PUT', `/domains/default/users/${user}/roles/${await keystone.role('reader')}`);
    const domain = await issue({
      identity: password({ id: user, password: 'x' }),
      scope: { domain: { name: 'Default' } },
    });
    expect(domain.json['token']).toMatchObject({
      domain: { id: 'default', name: 'Default' },
      roles: [{ name: 'reader' }],
    });
  });

  it('is made of another one: same end, chained audit ids, never more than it', async () => {
    const { project, token } = await keystone.someone('rescoper');
    const first = (await keystone.call('GET', '/auth/tokens', { token, headers: { 'x-subject-token': token } })).json[
      'token'
    ];
    const again = await issue({
      identity: { methods: ['token'], token: { id: token } },
      scope: { project: { id: project } },
    });
    expect(again.status).toBe(201);
    expect(again.json['token']).toMatchObject({
      methods: ['token', 'password'],
      expires_at: first?.['expires_at'],
      audit_ids: [expect.any(String), first?.['audit_ids']?.[0]],
    });
    const system = await keystone.issue({ identity: password(ADMIN), scope: { system: { all: true } } });
    const down = await issue({ identity: { methods: ['token'], token: { id: system } }, scope: ADMIN_PROJECT });
    expect(down.status).toBe(403);
  });

  it('is refused alike for wrong passwords, unknown and disabled users, and scopes without a role', async () => {
    const disabled = await keystone.make('users', 'user', { name: 'disabled', password: 'x', enabled: false });
    const { user } = await keystone.someone('placeless');
    const elsewhere = await keystone.make('projects', 'project', { name: 'elsewhere' });
    const attempts = [
      { identity: password({ ...ADMIN, password: 'wrong' }) },
      { identity: password({ ...ADMIN, name: 'nobody' }) },
      { identity: password({ id: disabled, password: 'x' }) },
      { identity: password({ id: user, password: 'placeless-password' }), scope: { project: { id: elsewhere } } },
      { identity: password({ id: user, password: 'placeless-password' }), scope: { project: { id: 'f'.repeat(32) } } },
      { identity: { methods: ['token'], token: { id: 'gibberish' } } },
    ];
    for (const auth of attempts) {
      const answer = await issue(auth);
      expect([answer.status, answer.json]).toEqual([401, UNAUTHORIZED]);
      expect(answer.headers['www-authenticate']).toMatch(/^Keystone uri="http/);
    }
    const method = await issue({ identity: { methods: ['magic'] } });
    expect(method.json['error']?.['message']).toBe('Attempted to authenticate with an unsupported method.');
  });

  it('needs a well-formed request', async () => {
    const bad: [unknown, string][] = [
      [{}, "'auth' is a required property"],
      [{ auth: {} }, "'identity' is a required property"],
      [{ auth: { identity: { methods: 'password' } } }, "is not of type 'array'"],
      [{ auth: { identity: password({ name: 'admin', password: 'x' }) } }, 'Expecting to find domain in user.'],
      [{ auth: { identity: { methods: ['password'] } } }, 'Expecting to find password in identity.'],
    ];
    for (const [body, message] of bad) {
      const answer = await keystone.call('POST', '/auth/tokens', { token: null, body });
      expect(answer.status).toBe(400);
      expect(answer.json['error']).toMatchObject({
        code: 400,
        title: 'Bad Request',
        message: expect.stringContaining(message),
      });
    }
  });

  it('says in the words that clients look for that a password has expired', async () => {
    const { user } = await keystone.someone('expired');
    await keystone.sql(`UPDATE local_user SET password_expires_at = now() - interval '1 day' WHERE id = '${user}'`);
    const answer = await issue({ identity: password({ id: user, password: 'expired-password' }) });
    expect(answer.status).toBe(401);
    expect(answer.json['error']?.['message']).toBe(
      `The password is expired and needs to be changed for user: ${user}.`,
    );
    const shown = await keystone.call('GET', `/users/${user}`);
    expect(shown.json['user']?.['password_expires_at']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  });
});

describe('validation', () => {
  const check = (token: string, options: { as?: string; method?: string; query?: string } = {}) =>
    keystone.call(options.method ?? 'GET', `/auth/tokens${options.query ?? ''}`, {
      token: options.as ?? keystone.adminToken,
      headers: { 'x-subject-token': token },
    });

  it('shows a token to its owner, to administrators and to services, not to others', async () => {
    const mine = await keystone.someone('owner');
    const other = await keystone.someone('other');
    const service = await keystone.someone('a-service', 'service');
    for (const as of [mine.token, keystone.adminToken, service.token]) {
      const answer = await check(mine.token, { as });
      expect(answer.status).toBe(200);
      expect(answer.json['token']?.['user']?.['id']).toBe(mine.user);
      expect(answer.headers['x-subject-token']).toBe(mine.token);
    }
    const refused = await check(mine.token, { as: other.token });
    expect(refused.status).toBe(403);
    expect(refused.json['error']).toEqual({
      code: 403,
      title: 'Forbidden',
      message: 'You are not authorized to perform the requested action: identity:validate_token.',
    });
    expect((await check(mine.token, { method: 'HEAD' })).status).toBe(200);
    expect((await check(mine.token, { query: '?nocatalog' })).json['token']).not.toHaveProperty('catalog');
    expect((await check(mine.token)).json['token']).toHaveProperty('catalog');
  });

  it('does not know forged, malformed, foreign and unsigned tokens', async () => {
    const { token } = await keystone.someone('victim');
    const [head = '', body = '', signature = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const raised = encode({ ...claims, sub: 'somebody' });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const foreign = sign('sha256', Buffer.from(`${head}.${body}`), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    const [key = ''] = readdirSync(String(keystone.config['jws_public_keys']));
    const hmac = createHmac('sha256', key)
      .update(`${encode({ alg: 'HS256' })}.${body}`)
      .digest('base64url');
    const forged = [
      `${head}.${raised}.${signature}`,
      `${head}.${body}.${foreign.toString('base64url')}`,
      `${encode({ alg: 'none', typ: 'JWT' })}.${body}.`,
      `${encode({ alg: 'HS256', typ: 'JWT' })}.${body}.${hmac}`,
      `${encode({ alg: 'ES256', typ: 'JWT', kid: '../../etc/passwd' })}.${body}.${signature}`,
      'gAAAAABm-not-a-fernet-token',
      'x'.repeat(10_000),
      'ümläut',
      '..',
    ];
    for (const bad of forged) {
      const subject = encodeURIComponent(bad).length === bad.length ? bad : encodeURIComponent(bad);
      const known = await check(subject);
      expect([known.status, known.json['error']?.['title']]).toEqual([404, 'Not Found']);
      const used = await keystone.call('GET', '/users', { token: subject });
      expect([used.status, used.json]).toEqual([401, UNAUTHORIZED]);
    }
    expect((await check('')).status).toBe(404);
    expect((await keystone.call('GET', '/users', { token: null })).status).toBe(401);
  });

  it('accepts an expired token for a service only, and not for ever', async () => {
    const { user, project } = await keystone.someone('late');
    const signer = new TokenSigner(
      String(keystone.config['jws_private_keys']),
      String(keystone.config['jws_public_keys']),
    );
    const made = (age: number) => {
      const iat = Math.floor(Date.now() / 1000) - age - 3600;
      return signer.sign({
        sub: user,
        iat,
        exp: iat + 3600,
        openstack_methods: ['password'],
        openstack_audit_ids: ['late'],
        openstack_project_id: project,
      });
    };
    const recent = await made(60);
    expect((await check(recent)).status).toBe(404);
    expect((await check(recent, { query: '?allow_expired=1' })).status).toBe(200);
    expect((await check(await made(3 * 86_400), { query: '?allow_expired=1' })).status).toBe(404);
    expect((await keystone.call('GET', '/auth/projects', { token: recent })).status).toBe(401);
    const service = await keystone.someone('finisher', 'service');
    const finishing = await keystone.call('GET', '/auth/projects', {
      token: recent,
      headers: { 'x-service-token': service.token },
    });
    expect(finishing.status).toBe(200);
  });

  it('answers what a token could be scoped to', async () => {
    const { token, project } = await keystone.someone('wanderer');
    const projects = await keystone.call('GET', '/auth/projects', { token });
    expect(projects.json['projects']).toMatchObject([{ id: project, name: 'wanderer-project', is_domain: false }]);
    expect(projects.json['links']).toEqual({ next: null, previous: null, self: `${keystone.url}/auth/projects` });
    expect((await keystone.call('GET', '/auth/domains', { token })).json['domains']).toEqual([]);
    expect((await keystone.call('GET', '/auth/system', { token })).json['system']).toEqual([]);
    expect((await keystone.call('GET', '/auth/system')).json['system']).toEqual([{ all: true }]);
    expect((await keystone.call('GET', '/auth/catalog', { token })).json['catalog']).toHaveLength(1);
    const unscoped = await keystone.login('wanderer', 'wanderer-password');
    expect((await keystone.call('GET', '/auth/catalog', { token: unscoped })).status).toBe(403);
  });
});

describe('an application credential', () => {
  it('gives tokens of its project with its roles, until it is deleted', async () => {
    const { user, project, token } = await keystone.someone('robot-owner', 'manager');
    const path = `/users/${user}/application_credentials`;
    const made = await keystone.call('POST', path, {
      token,
      body: {
        application_credential: { name: 'robot', roles: [{ name: 'member' }], expires_at: '2099-01-01T00:00:00' },
      },
    });
    expect(made.status).toBe(201);
    const credential = made.json['application_credential'];
    expect(credential).toMatchObject({
      project_id: project,
      unrestricted: false,
      expires_at: '2099-01-01T00:00:00.000000',
      roles: [{ name: 'member' }],
      secret: expect.stringMatching(/^.{60,}$/),
    });
    const { id = '', secret } = credential as unknown as { id?: string; secret: string };
    const proof = { methods: ['application_credential'], application_credential: { id, secret } };
    const answer = await issue({ identity: proof });
    expect(answer.status).toBe(201);
    expect(answer.json['token']).toMatchObject({
      methods: ['application_credential'],
      project: { id: project },
      application_credential: { id, name: 'robot', restricted: true },
    });
    const names = (answer.json['token']?.['roles'] ?? []) as readonly { name: string }[];
    expect(names.map((role) => role.name).sort()).toEqual(['member', 'reader']);
    const named = { name: 'robot', secret, user: { name: 'robot-owner', domain: DEFAULT } };
    expect((await issue({ identity: { ...proof, application_credential: named } })).status).toBe(201);
    expect((await issue({ identity: { ...proof, application_credential: { id, secret: 'x' } } })).status).toBe(401);
    const scoped = await issue({ identity: proof, scope: { project: { id: project } } });
    expect(scoped.json['error']?.['message']).toContain('Application credentials cannot request a scope');

    const robot = String(answer.headers['x-subject-token']);
    const another = await keystone.call('POST', path, {
      token: robot,
      body: { application_credential: { name: 'r2' } },
    });
    expect(another.status).toBe(403);
    expect((await keystone.call('GET', `${path}/${id}`, { token })).json['application_credential']).not.toHaveProperty(
      'secret',
    );
    expect((await keystone.call('DELETE', `${path}/${id}`, { token })).status).toBe(204);
    expect(await keystone.alive(robot)).toBe(401);
    expect((await issue({ identity: proof })).status).toBe(401);
  });

  it('with access rules is good for the requests that they name', async () => {
    const { user, token } = await keystone.someone('narrow');
    const path = `/users/${user}/application_credentials`;
    const rule = { service: 'identity', method: 'GET', path: '/v3/auth/{what}' };
    const made = await keystone.call('POST', path, {
      token,
      body: { application_credential: { name: 'narrow', access_rules: [rule] } },
    });
    expect(made.status).toBe(201);
    const { id, secret, access_rules } = made.json['application_credential'] as unknown as {
      id: string;
      secret: string;
      access_rules: readonly { id: string }[];
    };
    expect(access_rules).toEqual([{ id: expect.any(String), ...rule }]);
    const proof = { methods: ['application_credential'], application_credential: { id, secret } };
    const narrow = await keystone.issue({ identity: proof });
    expect((await keystone.call('GET', '/auth/projects', { token: narrow })).status).toBe(200);
    expect((await keystone.call('GET', `/users/${user}`, { token: narrow })).status).toBe(401);
    const subject = { headers: { 'x-subject-token': narrow } };
    expect((await keystone.call('GET', '/auth/tokens', subject)).status).toBe(404);
    const heeded = { headers: { ...subject.headers, 'openstack-identity-access-rules': '1.0' } };
    const shown = await keystone.call('GET', '/auth/tokens', heeded);
    expect(shown.json['token']?.['application_credential']).toMatchObject({ access_rules: [rule] });

    const rules = `/users/${user}/access_rules`;
    const [known] = access_rules;
    expect((await keystone.call('GET', rules, { token })).json['access_rules']).toHaveLength(1);
    expect((await keystone.call('DELETE', `${rules}/${known?.id ?? ''}`, { token })).status).toBe(403);
    await keystone.call('DELETE', `${path}/${id}`, { token });
    expect((await keystone.call('DELETE', `${rules}/${known?.id ?? ''}`, { token })).status).toBe(204);
    expect((await keystone.call('GET', `${rules}/${known?.id ?? ''}`, { token })).status).toBe(404);
  });

  it('is made by its own user alone, with no role that he lacks', async () => {
    const { user, token } = await keystone.someone('modest');
    const path = `/users/${user}/application_credentials`;
    const body = { application_credential: { name: 'x', roles: [{ name: 'admin' }] } };
    expect((await keystone.call('POST', path, { token, body })).status).toBe(400);
    expect((await keystone.call('POST', path, { body: { application_credential: { name: 'x' } } })).status).toBe(403);
  });
});
