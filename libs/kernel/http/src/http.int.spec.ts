import 'reflect-metadata';
import { Readable } from 'node:stream';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Agent, request } from 'undici';
import { newContext } from '@nestack/kernel/context';
import { createLogger } from '@nestack/kernel/log';
import { createPolicy } from '@nestack/kernel/policy';
import { createApiClients, createHttpAdapter, serveApi } from './index';
import { api, authenticator, EmptyModule, showThing, ThingsModule } from '../test/things-api';

let app: INestApplication;
let base: string;
const lines: Record<string, unknown>[] = [];
const log = createLogger({
  service: 'nova-api',
  host: 'h',
  write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>),
});
const agent = new Agent({ keepAliveTimeout: 1000 });

beforeAll(async () => {
  app = await NestFactory.create(ThingsModule, createHttpAdapter(), { logger: false });
  const policy = createPolicy([{ name: 'things:secrets', check: 'rule:context_is_admin' }]);
  const { port } = await serveApi(app, api, {
    authenticator,
    policy,
    log,
    port: 0,
    bind: '127.0.0.1',
    service: 'nova-api',
  });
  base = `http://127.0.0.1:${String(port)}`;
});

afterAll(async () => {
  await agent.close();
  await app.close();
});

async function call(
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string>; token?: string | null } = {},
) {
  const token = options.token === undefined ? 'member' : options.token;
  const text =
    typeof options.body === 'string'
      ? options.body
      : options.body === undefined
        ? undefined
        : JSON.stringify(options.body);
  const response = await request(`${base}${path}`, {
    dispatcher: agent,
    method: method as 'GET',
    headers: {
      ...(token === null ? {} : { 'x-auth-token': token }),
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    body: text ?? null,
  });
  const received = await response.body.text();
  let json: unknown = null;
  try {
    json = JSON.parse(received);
  } catch {
    json = null;
  }
  return {
    status: response.statusCode,
    headers: response.headers as Record<string, string | undefined>,
    text: received,
    json,
  };
}

describe('the HTTP side', () => {
  it('refuses to start when an operation has no handler', async () => {
    const empty = await NestFactory.create(EmptyModule, createHttpAdapter(), { logger: false });
    const options = { authenticator, policy: null, log, port: 0, bind: '127.0.0.1', service: 'x' };
    await expect(serveApi(empty, api, options)).rejects.toThrow('no handler for: listThings');
    await empty.close();
  });

  it('answers with request ids, versions and the exact content type', async () => {
    const answer = await call('GET', '/v2.1/things?limit=3&all_tenants=True&tag=a&tag=b&unknown=1', {
      headers: { host: 'cloud.example:8774' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.headers['x-openstack-request-id']).toMatch(/^req-[0-9a-f-]{36}$/);
    expect(answer.headers['x-compute-request-id']).toBe(answer.headers['x-openstack-request-id']);
    expect(answer.headers['openstack-api-version']).toBe('compute 2.1');
    expect(answer.headers['x-openstack-nova-api-version']).toBe('2.1');
    expect(answer.headers['vary']).toBe('OpenStack-API-Version, X-OpenStack-Nova-API-Version');
    expect(answer.json).toEqual({
      query: { limit: 3, all_tenants: true, tag: ['a', 'b'], unknown: '1' },
      base: 'http://cloud.example:8774/v2.1',
      project: 'p1',
    });
  });

  it('serves project prefixes, refuses those of others, takes odd names, and no trailing slashes', async () => {
    // A name that is empty is no name.
    expect((await call('GET', '/v2.1/p1/things/')).status).toBe(404);
    const other = await call('GET', '/v2.1/p2/things');
    expect(other.status).toBe(400);
    expect(other.json).toEqual({
      badRequest: {
        code: 400,
        message: "Malformed request URL: URL's project_id 'p2' doesn't match Context's project_id 'p1'",
      },
    });
    expect((await call('GET', '/v2.1/things/detail')).json).toEqual({ things: [] });
    const odd = await call('GET', '/v2.1/things/a%2Fb%20%C3%A9%zz');
    expect(odd.status).toBe(200);
    expect((await call('GET', '/v2.1/things/a%2Fb%20%C3%A9')).json).toMatchObject({ thing: { id: 'a/b é' } });
  });

  it('negotiates microversions', async () => {
    const asked = (headers: Record<string, string>) => call('GET', '/v2.1/things/x', { headers });
    expect((await asked({ 'openstack-api-version': 'compute latest' })).headers['x-openstack-nova-api-version']).toBe(
      '2.96',
    );
    expect((await asked({ 'x-openstack-nova-api-version': '2.53' })).headers['openstack-api-version']).toBe(
      'compute 2.53',
    );
    expect(
      (await asked({ 'openstack-api-version': 'volume 3.50, compute 2.7' })).headers['openstack-api-version'],
    ).toBe('compute 2.7');
    expect((await asked({ 'openstack-api-version': 'volume 3.50' })).headers['openstack-api-version']).toBe(
      'compute 2.1',
    );
    const high = await asked({ 'openstack-api-version': 'compute 2.97' });
    expect(high.status).toBe(406);
    expect(high.json).toEqual({
      computeFault: {
        code: 406,
        message: 'Version 2.97 is not supported by the API. Minimum is 2.1 and maximum is 2.96.',
      },
    });
    expect((await asked({ 'openstack-api-version': 'compute 2.01' })).status).toBe(400);
    expect((await asked({ 'openstack-api-version': 'compute abc' })).status).toBe(400);
  });

  it('validates by version, in upstream words', async () => {
    const good = await call('POST', '/v2.1/things', { body: { thing: { name: 'a' } } });
    expect(good.status).toBe(202);
    expect(good.headers['location']).toBe(`${base}/v2.1/things/t1`);
    const extra = await call('POST', '/v2.1/things', { body: { thing: { name: 'a', tags: [] } } });
    expect(extra.json).toEqual({
      badRequest: {
        code: 400,
        message:
          "Invalid input for field/attribute thing. Value: {'name': 'a', 'tags': []}. Additional properties are not allowed ('tags' was unexpected)",
      },
    });
    const headers = { 'openstack-api-version': 'compute 2.10' };
    expect((await call('POST', '/v2.1/things', { body: { thing: { name: 'a', tags: [] } }, headers })).status).toBe(
      202,
    );
    const wrong = await call('POST', '/v2.1/things', { body: { thing: { name: null } } });
    expect(wrong.json).toEqual({
      badRequest: {
        code: 400,
        message: "Invalid input for field/attribute name. Value: None. None is not of type 'string'",
      },
    });
    expect((await call('POST', '/v2.1/things')).json).toEqual({
      badRequest: { code: 400, message: "None is not of type 'object'" },
    });
    expect((await call('GET', '/v2.1/things?limit=x')).json).toEqual({
      badRequest: {
        code: 400,
        message: "Invalid input for query parameters limit. Value: x. 'x' is not of type 'integer'",
      },
    });
  });

  it('dispatches actions by the only key of the body', async () => {
    expect((await call('POST', '/v2.1/things/x/action', { body: { 'os-start': null } })).status).toBe(202);
    expect((await call('POST', '/v2.1/things/x/action', { body: { nonsense: null } })).json).toEqual({
      badRequest: { code: 400, message: 'There is no such action: nonsense' },
    });
    expect((await call('POST', '/v2.1/things/x/action', { body: { lock: null } })).status).toBe(400);
    const headers = { 'openstack-api-version': 'compute 2.5' };
    expect((await call('POST', '/v2.1/things/x/action', { body: { lock: null }, headers })).status).toBe(202);
    expect((await call('POST', '/v2.1/things/x/action', { body: { a: 1, b: 2 } })).json).toEqual({
      badRequest: { code: 400, message: 'Malformed request body' },
    });
  });

  it('refuses broken, large and foreign bodies, and takes empty ones with a Content-Type', async () => {
    expect((await call('POST', '/v2.1/things', { body: '{"thing":' })).status).toBe(400);
    const large = await call('POST', '/v2.1/things', { body: { thing: { name: 'x'.repeat(3000) } } });
    expect(large.status).toBe(413);
    expect(large.json).toEqual({ overLimit: { code: 413, message: 'Request is too large.', retryAfter: '0' } });
    const foreign = await call('POST', '/v2.1/things', { body: '<a/>', headers: { 'content-type': 'text/xml' } });
    expect(foreign.status).toBe(415);
    const empty = await call('DELETE', '/v2.1/things/x', { headers: { 'content-type': 'application/json' } });
    expect([empty.status, empty.text, empty.headers['content-type']]).toEqual([204, '', undefined]);
    expect(
      (await call('GET', '/v2.1/things', { headers: { 'content-type': 'application/octet-stream', accept: '' } }))
        .status,
    ).toBe(200);
  });

  it('tells 401, 403, 404 and 500 in their envelopes and keeps details to itself', async () => {
    const anonymous = await call('GET', '/v2.1/things', { token: null });
    expect(anonymous.status).toBe(401);
    expect(anonymous.headers['www-authenticate']).toBe('Keystone uri="http://keystone/v3"');
    expect(anonymous.json).toMatchObject({ error: { code: 401, title: 'Unauthorized' } });
    expect((await call('GET', '/v2.1/nothing', { token: null })).status).toBe(401);
    expect((await call('GET', '/v2.1/nothing')).json).toEqual({
      itemNotFound: { code: 404, message: 'The resource could not be found.' },
    });
    expect((await call('PATCH', '/v2.1/things')).status).toBe(404);
    expect((await call('GET', '/v2.1/things/missing')).json).toEqual({
      itemNotFound: { code: 404, message: 'Thing missing could not be found.' },
    });
    expect((await call('GET', '/v2.1/secrets')).json).toEqual({
      forbidden: { code: 403, message: "Policy doesn't allow things:secrets to be performed." },
    });
    expect((await call('GET', '/v2.1/secrets', { token: 'admin' })).status).toBe(200);
    const broken = await call('GET', '/v2.1/breaks');
    expect(broken.status).toBe(500);
    expect(broken.text).not.toContain('hunter2');
    expect(lines.some((line) => line['level'] === 'error' && JSON.stringify(line).includes('hunter2'))).toBe(true);
  });

  it('answers HEAD without a body, and version documents without a token', async () => {
    const head = await call('HEAD', '/v2.1/things');
    expect([head.status, head.text]).toEqual([200, '']);
    expect(Number(head.headers['content-length'])).toBeGreaterThan(0);
    const root = await call('GET', '/', {
      token: null,
      headers: { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'cloud' },
    });
    expect(root.json).toEqual({ versions: [{ href: 'https://cloud/v2.1/' }] });
    expect((await call('GET', '/elsewhere', { token: null })).status).toBe(300);
  });

  it('streams bodies of any size in both directions and cuts the connection when a stream fails', async () => {
    const body = Readable.from(
      (function* () {
        for (let index = 0; index < 64; index += 1) yield Buffer.alloc(262_144);
      })(),
    );
    const up = await request(`${base}/v2.1/things/x/file`, {
      dispatcher: agent,
      method: 'PUT',
      headers: { 'x-auth-token': 'member' },
      body,
    });
    expect(await up.body.json()).toEqual({ size: 16_777_216 });
    const down = await request(`${base}/v2.1/things/x/file`, {
      dispatcher: agent,
      headers: { 'x-auth-token': 'member' },
    });
    expect(down.headers['content-type']).toBe('application/octet-stream');
    expect((await down.body.arrayBuffer()).byteLength).toBe(50 * 65_536);
    const cut = await request(`${base}/v2.1/things/broken/file`, {
      dispatcher: agent,
      headers: { 'x-auth-token': 'member' },
    });
    await expect(cut.body.arrayBuffer()).rejects.toThrow();
  });

  it('takes long request lines and survives clients that leave', async () => {
    const long = await call('GET', `/v2.1/things?tag=${'x'.repeat(60_000)}`);
    expect(long.status).toBe(200);
    const { port } = new URL(base);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write(
          'POST /v2.1/things HTTP/1.1\r\nhost: x\r\nx-auth-token: member\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"thi',
        );
        setImmediate(() => socket.destroy());
      });
      socket.on('close', () => resolve());
    });
    expect((await call('GET', '/v2.1/things')).status).toBe(200);
  });

  it('serves health, metrics and the OpenAPI document', async () => {
    const health = await call('GET', '/healthcheck', { token: null });
    expect([health.status, health.text]).toEqual([200, 'OK']);
    const metrics = await call('GET', '/metrics', { token: null });
    expect(metrics.text).toMatch(/^nestack_http_request_duration_seconds_count\{.*operation="listThings".*\} \d+$/m);
    const document = (await call('GET', '/openapi.json', { token: null })).json as {
      openapi: string;
      paths: Record<string, object>;
    };
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths['/v2.1/things'] ?? {})).toEqual(['get', 'post']);
    const old = (await call('GET', '/openapi.json?version=2.4', { token: null })).json as typeof document;
    expect(JSON.stringify(document.paths)).toContain('lock');
    expect(JSON.stringify(old.paths)).not.toContain('lock');
    expect((await call('GET', '/openapi.json?version=9.9', { token: null })).status).toBe(406);
  });

  it('refuses bodies that could not be stored or told again', async () => {
    const nested = (depth: number) => `{"thing":{"name":"a"},"x":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect((await call('POST', '/v2.1/things', { body: nested(400) })).status).toBe(202);
    for (const body of [nested(600), '{"thing":{"name":"a\\ud800b"}}', '{"thing":{"name":"a"},"\\udfff":1}']) {
      const answer = await call('POST', '/v2.1/things', { body });
      expect([answer.status, answer.json]).toEqual([
        400,
        { badRequest: { code: 400, message: 'Malformed request body' } },
      ]);
    }
    expect((await call('POST', '/v2.1/things', { body: '{"thing":{"name":"\\ud83d\\ude00"}}' })).status).toBe(202);
  });

  it('is called by typed clients, with the request id and trace handed on and errors decoded', async () => {
    const clients = createApiClients({
      auth: { keystone_url: 'http://127.0.0.1:1/v3', username: 'x', password: 'x' },
      endpoints: { compute: `${base}/v2.1` },
      log,
      service: 'tester',
    });
    // The service's own token comes from keystone, which is not there.
    const ctx = { ...newContext(), token: 'member' };
    const client = clients.client(api);
    await expect(client.call(ctx, showThing, { params: { thing_id: 'a' } }, 'user')).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'KeystoneUnavailable',
    });
    await clients.close();
  });

  it('writes a trace record for each request', async () => {
    const answer = await call('POST', '/v2.1/things', {
      body: { thing: { name: 'a' } },
      headers: { 'x-nestack-service': 'horizon' },
    });
    const id = answer.headers['x-openstack-request-id'];
    const record = lines.find((line) => line['event'] === 'trace' && line['request_id'] === id);
    expect(record?.['trace']).toMatchObject({
      kind: 'rest.in',
      from: 'horizon',
      to: 'nova-api',
      name: 'POST /v2.1/things',
      status: '202',
      resource: 'thing:t1',
    });
  });
});
