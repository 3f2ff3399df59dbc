import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import type { Authenticator } from '@nestack/kernel/auth';
import { ServiceMetrics, type HealthCheck } from '@nestack/kernel/health';
import type { Logger } from '@nestack/kernel/log';
import type { PolicyEnforcer } from '@nestack/kernel/policy';
import { KEEP_ALIVE_MS } from './adapter';
import { findHandlers } from './handlers';
import type { ApiDeclaration } from './operation';
import { RequestPipeline } from './pipeline';
import type { Denials } from './surface';

export interface ServeOptions {
  /** Null only for an API all of whose operations are public. */
  readonly authenticator: Authenticator | null;
  readonly policy: PolicyEnforcer | null;
  readonly denials?: Denials | null;
  readonly log: Logger;
  readonly port: number;
  readonly bind: string;
  /** Only where links must not repeat the host that the client used. */
  readonly publicUrl?: string | undefined;
  /** Sub-service name in logs and traces: `nova-api`. */
  readonly service: string;
  /** For `WWW-Authenticate`; the authenticator's own when absent. */
  readonly authUri?: string | undefined;
  /** What `/healthcheck` asks: `{database: () => …, broker: () => …}`. */
  readonly checks?: Readonly<Record<string, HealthCheck>>;
  readonly metrics?: ServiceMetrics;
}

/**
 * Serves an API from a Nest application that was created with `createHttpAdapter()`: finds the handlers, answers every
 * request of the listener itself, listens. `port: 0` takes a free one; the result says which. Throws when an operation has
 * no handler or the port is taken.
 */
export async function serveApi(
  app: INestApplication,
  api: ApiDeclaration,
  options: ServeOptions,
): Promise<{ port: number }> {
  const pipeline = new RequestPipeline(api, findHandlers(app, api), {
    ...options,
    metrics: options.metrics ?? new ServiceMetrics(options.service),
  });
  const fastify = app.getHttpAdapter().getInstance() as FastifyInstance;
  fastify.server.keepAliveTimeout = KEEP_ALIVE_MS;
  fastify.server.headersTimeout = KEEP_ALIVE_MS + 10_000;
  let closing = false;
  fastify.addHook('preClose', async () => {
    closing = true;
    await Promise.resolve();
  });
  // Before Fastify's own body parsers and serialisers: both differ from what OpenStack's clients are used to.
  fastify.addHook('onRequest', (request, reply, _done) => {
    reply.hijack();
    // A connection that was busy when the server began to close would be kept alive, and the server with it.
    reply.raw.once('close', () => {
      if (closing) setImmediate(() => fastify.server.closeIdleConnections());
    });
    void pipeline.handle(request.raw, reply.raw);
  });
  await app.listen(options.port, options.bind);
  const address = fastify.server.address() as AddressInfo;
  pipeline.fallbackRoot = `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${String(address.port)}`;
  return { port: address.port };
}
