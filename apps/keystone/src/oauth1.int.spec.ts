import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '@nestack/kernel/testing';
import { oauthParams, signatureBase } from '@nestack/keystone/domain';
import { request } from 'undici';
import { TestKeystone, type Json } from './testing';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let keystone: TestKeystone;
/** Administers his own project, as those who authorize consumers must. */
let owner: Awaited<ReturnType<TestKeystone['someone']>>;
beforeAll(async () => {
  keystone = await TestKeystone.start();
  owner = await keystone.someone('owner', 'admin');
}, 30_000);
afterAll(() => keystone.close(), 30_000);

interface Pair {
  readonly key: string;
  readonly secret: string;
}
const NONE: Pair = { key: '', secret: '' };

/** The header of a request that a consumer has signed. */
function signed(path: string, consumer: Pair, token: Pair = NONE, more: Readonly<Record<string, string>> = {}): string {
  const fields: Record<string, string> = {
    oauth_consumer_key: consumer.key,
    oauth_nonce: '0123456789',
    oauth_timestamp: String(Math.floor(Date.now() / 1000)),
    oauth_signature_method: 'HMAC-SHA1',
    oauth_version: '1.0',
    ...(token.key === '' ? {} : { oauth_token: token.key }),
    ...more,
  };
  const header = () =>
    `OAuth ${Object.entries(fields)
      .map(([key, value]) => `${key}="${encodeURIComponent(value)}"`)
      .join(', ')}`;
  const unsigned = { method: 'POST', url: `${keystone.url}${path}`, authorization: header() };
  const base = signatureBase(unsigned, oauthParams(unsigned).all);
  fields['oauth_signature'] = createHmac('sha1', `${consumer.secret}&${token.secret}`).update(base).digest('base64');
  return header();
}

async function post(path: string, headers: Readonly<Record<string, string>>) {
  const answer = await request(`${keystone.url}/OS-OAUTH1/${path}`, { method: 'POST', headers });
  const form = new URLSearchParams(await answer.body.text());
  return {
    status: answer.statusCode,
    type: answer.headers['content-type'],
    pair: { key: form.get('oauth_token') ?? '', secret: form.get('oauth_token_secret') ?? '' },
    expires: form.get('oauth_expires_at'),
  };
}

async function consumer(): Promise<Pair> {
  const made = await keystone.call('POST', '/OS-OAUTH1/consumers', {
    body: { consumer: { description: 'a program' } },
  });
  return { key: made.json['consumer']?.['id'] ?? '', secret: made.json['consumer']?.['secret'] ?? '' };
}

const asked = (by: Pair, project = owner.project) =>
  post('request_token', {
    authorization: signed('/OS-OAUTH1/request_token', by),
    'requested-project-id': project,
  });

const authorize = (token: Pair, roles: unknown, as = owner.token) =>
  keystone.call('PUT', `/OS-OAUTH1/authorize/${token.key}`, { token: as, body: { roles } });

/** An access token of a consumer for the owner's project. */
async function granted(by: Pair, role = 'member'): Promise<Pair> {
  const { pair } = await asked(by);
  const verifier = (await authorize(pair, [{ name: role }])).json['token']?.['oauth_verifier'] ?? '';
  const header = signed('/OS-OAUTH1/access_token', by, pair, { oauth_verifier: verifier });
  return (await post('access_token', { authorization: header })).pair;
}

const login = (by: Pair, token: Pair) =>
  keystone.call('POST', '/auth/tokens', {
    token: null,
    body: { auth: { identity: { methods: ['oauth1'], oauth1: {} } } },
    headers: { authorization: signed('/auth/tokens', by, token) },
  });

describe('a consumer', () => {
  it('is made with a secret that is told once, listed, changed and deleted', async () => {
    const made = await keystone.call('POST', '/OS-OAUTH1/consumers', {
      body: { consumer: { description: 'one', colour: 'red' } },
    });
    expect(made.status).toBe(201);
    const { id = '', secret } = (made.json['consumer'] ?? {}) as Json;
    expect(secret).toMatch(/^[0-9a-f]{32}$/);
    const path = `/OS-OAUTH1/consumers/${id}`;
    const links = { self: `${keystone.url}${path}` };
    expect((await keystone.call('GET', path)).json['consumer']).toEqual({
      id,
      description: 'one',
      colour: 'red',
      links,
    });
    expect((await keystone.call('GET', '/OS-OAUTH1/consumers')).json['consumers']).toContainEqual(
      expect.objectContaining({ id }),
    );
    const patch = (consumer: object) => keystone.call('PATCH', path, { body: { consumer } });
    expect((await patch({ description: 'two' })).json['consumer']).toEqual({
      id,
      description: 'two',
      colour: 'red',
      links,
    });
    expect((await patch({ secret: 'mine' })).status).toBe(400);
    expect((await patch({})).status).toBe(400);
    expect((await keystone.call('GET', path, { token: (await keystone.someone('other')).token })).status).toBe(403);
    expect((await keystone.call('DELETE', path)).status).toBe(204);
    expect((await keystone.call('GET', path)).status).toBe(404);
    const stored = await keystone.sqlRows<{ secret: string }>('SELECT secret FROM consumer');
    expect(stored.some((row) => row.secret === secret)).toBe(false);
  });

  it('works for a user with the roles that he has given it, until he ends that', async () => {
    const by = await consumer();
    const question = await asked(by);
    expect(question).toMatchObject({ status: 201, type: 'application/x-www-form-urlencoded' });
    expect(Date.parse(question.expires ?? '')).toBeGreaterThan(Date.now());
    const role = await keystone.role('member');
    const answer = await authorize(question.pair, [{ id: role }]);
    expect(answer.status).toBe(200);
    const verifier = answer.json['token']?.['oauth_verifier'] ?? '';
    expect(verifier).toMatch(/^[a-zA-Z2-9]{8}$/);
    const access = (given: string) =>
      post('access_token', {
        authorization: signed('/OS-OAUTH1/access_token', by, question.pair, { oauth_verifier: given }),
      });
    expect((await access('wrongone')).status).toBe(401);
    const { status, pair } = await access(verifier);
    expect(status).toBe(201);
    // It is used up.
    expect((await access(verifier)).status).toBe(404);

    const token = await login(by, pair);
    expect(token.status).toBe(201);
    expect(token.json['token']).toMatchObject({
      methods: ['oauth1'],
      user: { id: owner.user },
      project: { id: owner.project },
      'OS-OAUTH1': { access_token_id: pair.key, consumer_id: by.key },
    });
    const names = (token.json['token']?.['roles'] ?? []).map((one) => one['name']);
    expect(names.sort()).toEqual(['member', 'reader']);
    const text = String(token.headers['x-subject-token']);
    expect(await keystone.alive(text)).toBe(200);
    // What was delegated cannot be passed on.
    const rescope = { identity: { methods: ['token'], token: { id: text } } };
    expect((await keystone.call('POST', '/auth/tokens', { token: null, body: { auth: rescope } })).status).toBe(403);

    const tokens = `/users/${owner.user}/OS-OAUTH1/access_tokens`;
    const own = { token: owner.token };
    expect((await keystone.call('GET', tokens, own)).json['access_tokens']).toEqual([
      expect.objectContaining({ id: pair.key, consumer_id: by.key, project_id: owner.project }),
    ]);
    expect((await keystone.call('GET', `${tokens}/${pair.key}`, own)).json['access_token']).toMatchObject({
      authorizing_user_id: owner.user,
    });
    expect((await keystone.call('GET', `${tokens}/${pair.key}/roles`, own)).json['roles']).toEqual([
      expect.objectContaining({ id: role, name: 'member' }),
    ]);
    expect((await keystone.call('GET', `${tokens}/${pair.key}/roles/${role}`, own)).status).toBe(200);
    expect((await keystone.call('GET', `${tokens}/${pair.key}/roles/none`, own)).status).toBe(404);
    expect((await keystone.call('DELETE', `${tokens}/${pair.key}`, own)).status).toBe(204);
    expect(await keystone.alive(text)).toBe(401);
    expect((await login(by, pair)).status).toBe(404);
  });

  it('gets nothing with a wrong signature, project or consumer', async () => {
    const by = await consumer();
    expect((await asked({ ...by, secret: 'wrong' })).status).toBe(401);
    expect((await asked(by, 'none')).status).toBe(404);
    expect((await asked({ ...by, key: 'none' })).status).toBe(404);
    expect((await post('request_token', { 'requested-project-id': owner.project })).status).toBe(400);
    expect((await post('request_token', { authorization: signed('/OS-OAUTH1/request_token', by) })).status).toBe(400);
    const access = await granted(by);
    expect((await login(by, { ...access, secret: 'wrong' })).status).toBe(401);
    expect((await login(await consumer(), access)).status).toBe(401);
    const { pair } = await asked(by);
    const unanswered = signed('/OS-OAUTH1/access_token', by, pair, { oauth_verifier: 'guessed2' });
    expect((await post('access_token', { authorization: unanswered })).status).toBe(401);
    expect((await authorize(pair, [{ name: 'nobody' }])).status).toBe(404);
    expect((await authorize(pair, [{ id: 'nobody' }])).status).toBe(401);
    // The administrator has no role in the owner's project.
    expect((await authorize(pair, [{ name: 'member' }], keystone.adminToken)).status).toBe(401);
    await keystone.sql("UPDATE request_token SET expires_at = now() - interval '1 second'");
    expect((await authorize(pair, [{ name: 'member' }])).status).toBe(401);
  });

  it('loses what it was given with its deletion, and with the role', async () => {
    const [one, other] = [await consumer(), await consumer()];
    const tokens = await Promise.all(
      [one, other].map(async (by) => String((await login(by, await granted(by))).headers['x-subject-token'])),
    );
    expect(await Promise.all(tokens.map((token) => keystone.alive(token)))).toEqual([200, 200]);
    expect((await keystone.call('DELETE', `/OS-OAUTH1/consumers/${one.key}`)).status).toBe(204);
    expect(await Promise.all(tokens.map((token) => keystone.alive(token)))).toEqual([401, 200]);
    const role = `/projects/${owner.project}/users/${owner.user}/roles/${await keystone.role('admin')}`;
    await keystone.call('DELETE', role);
    expect(await Promise.all(tokens.map((token) => keystone.alive(token)))).toEqual([401, 401]);
    await keystone.call('PUT', role);
  });

  it('is forgotten to have asked when its request has expired', async () => {
    const by = await consumer();
    const [late, other] = [(await asked(by)).pair, (await asked(by)).pair];
    await keystone.sql(`UPDATE request_token SET expires_at = now() - interval '1 second' WHERE id = '${late.key}'`);
    expect((await authorize(late, [{ name: 'member' }])).status).toBe(401);
    // What has expired is removed at the start and every ten minutes.
    await keystone.restart();
    await until('the request is forgotten', async () => (await authorize(late, [{ name: 'member' }])).status === 404);
    expect((await authorize(other, [{ name: 'member' }])).status).toBe(200);
  });
});
