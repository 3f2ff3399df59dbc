import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import Type from 'typebox';
import { newContext } from '@nestack/kernel/context';
import { createLogger } from '@nestack/kernel/log';
import { createApiClients, defineApi, neutronEnvelope, operation } from '../index';

const showPort = operation({
  id: 'showPort',
  summary: 'Shows',
  method: 'GET',
  path: '/ports/{port_id}',
  query: Type.Object({ fields: Type.Optional(Type.Array(Type.String())) }),
  response: Type.Object({ port: Type.Object({ id: Type.String() }) }),
  status: 200,
});
const createPort = operation({
  id: 'createPort',
  summary: 'Creates',
  method: 'POST',
  path: '/ports',
  body: Type.Object({ port: Type.Object({ name: Type.String() }) }),
  status: 201,
});
const api = defineApi({
  service: 'neutron',
  type: 'network',
  title: 'Network',
  prefixes: ['/v2.0'],
  envelope: neutronEnvelope,
  operations: [showPort, createPort],
  microversions: { min: '1.0', max: '1.9', service: 'network' },
});

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

let peer: Server;
let keystone: Server;
let logins: number;
let requests: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[];
let answer: Answer;
let clients: ReturnType<typeof createApiClients>;
let lines: Record<string, unknown>[];

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

beforeEach(async () => {
  logins = 0;
  requests = [];
  lines = [];
  answer = (_request, response) => response.end('{"port":{"id":"a"}}');
  peer = createServer((request, response) => {
    void (async () => {
      let body = '';
      for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
      requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      answer(request, response, body);
    })();
  });
  const peerUrl = await listen(peer);
  keystone = createServer((_request, response) => {
    logins += 1;
    response.statusCode = 201;
    response.setHeader('x-subject-token', `service-${String(logins)}`);
    const expires = new Date(Date.now() + 3_600_000).toISOString();
    const catalog = [
      { type: 'network', endpoints: [{ interface: 'internal', url: `${peerUrl}/v2.0/`, region: 'RegionOne' }] },
    ];
    response.end(JSON.stringify({ token: { expires_at: expires, catalog } }));
  });
  const log = createLogger({
    service: 'nova',
    host: 'h',
    write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  clients = createApiClients({
    auth: { keystone_url: `${await listen(keystone)}/v3`, username: 'nova', password: 'x', region: 'RegionOne' },
    log,
    service: 'nova-conductor',
  });
});

afterEach(async () => {
  await clients.close();
  peer.closeAllConnections();
  peer.close();
  keystone.closeAllConnections();
  keystone.close();
});

describe('typed clients', () => {
  const ctx = { ...newContext(), token: 'user-token' };

  it('find the endpoint and hand on request id, trace, version and tokens', async () => {
    const call = { params: { port_id: 'a b' }, query: { fields: ['id', 'name'] }, version: '1.5' };
    expect(await clients.client(api).call(ctx, showPort, call, 'user')).toEqual({ port: { id: 'a' } });
    expect(requests[0]).toMatchObject({
      method: 'GET',
      url: '/v2.0/ports/a%20b?fields=id&fields=name',
      headers: {
        'x-auth-token': 'user-token',
        'x-service-token': 'service-1',
        'x-openstack-request-id': ctx.globalRequestId,
        'openstack-api-version': 'network 1.5',
        'x-nestack-service': 'nova-conductor',
      },
    });
    expect(String(requests[0]?.headers['traceparent'])).toContain(ctx.traceId);
    await clients.client(api).call(ctx, createPort, { body: { port: { name: 'x' } } }, 'service');
    expect(requests[1]).toMatchObject({
      body: '{"port":{"name":"x"}}',
      headers: { 'x-auth-token': 'service-1', 'content-type': 'application/json' },
    });
    expect(requests[1]?.headers['x-service-token']).toBeUndefined();
    expect(logins).toBe(1);
    const traces = lines.filter((line) => line['event'] === 'trace').map((line) => line['trace']);
    expect(traces[0]).toMatchObject({
      kind: 'rest.out',
      from: 'nova-conductor',
      to: 'neutron',
      name: 'GET /ports/a%20b',
      status: '200',
    });
  });

  it('decode errors from the envelope', async () => {
    answer = (_request, response) => {
      response.statusCode = 404;
      response.end('{"NeutronError":{"type":"PortNotFound","message":"Port a could not be found.","detail":""}}');
    };
    await expect(
      clients.client(api).call(ctx, showPort, { params: { port_id: 'a' } }, 'service'),
    ).rejects.toMatchObject({
      kind: 'notFound',
      code: 'PortNotFound',
      message: 'Port a could not be found.',
    });
  });

  it('log in anew when their token is refused, once', async () => {
    answer = (request, response) => {
      response.statusCode = request.headers['x-auth-token'] === 'service-1' ? 401 : 200;
      response.end('{}');
    };
    await clients.client(api).call(ctx, createPort, { body: { port: { name: 'x' } } }, 'service');
    expect(requests.map((one) => one.headers['x-auth-token'])).toEqual(['service-1', 'service-2']);
    answer = (_request, response) => {
      response.statusCode = 401;
      response.end('{}');
    };
    await expect(
      clients.client(api).call(ctx, showPort, { params: { port_id: 'a' } }, 'service'),
    ).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(clients.client(api).call(ctx, showPort, { params: { port_id: 'a' } }, 'user')).rejects.toMatchObject({
      kind: 'unauthenticated',
    });
  });

  it('repeat only what has no effect when the connection breaks', async () => {
    let broken = true;
    answer = (request, response) => {
      if (broken) request.socket.destroy();
      else response.end('{"port":{"id":"a"}}');
      broken = false;
    };
    expect(await clients.client(api).call(ctx, showPort, { params: { port_id: 'a' } }, 'service')).toEqual({
      port: { id: 'a' },
    });
    broken = true;
    const posting = clients.client(api).call(ctx, createPort, { body: { port: { name: 'x' } } }, 'service');
    await expect(posting).rejects.toMatchObject({ kind: 'unavailable', code: 'ServiceUnreachable' });
    expect(requests.filter((one) => one.method === 'POST')).toHaveLength(1);
  });

  it('stream in both directions', async () => {
    answer = (_request, response, body) => {
      response.setHeader('x-length', String(body.length));
      response.end(body);
    };
    const stream = Readable.from([Buffer.from('abc'), Buffer.from('def')]);
    const up = await clients.client(api).stream(ctx, createPort, { stream }, 'service');
    expect([up.status, up.headers['x-length']]).toEqual([200, '6']);
    let text = '';
    for await (const chunk of up.body) text += chunk.toString();
    expect(text).toBe('abcdef');
  });
});
