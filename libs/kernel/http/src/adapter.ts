import type { IncomingMessage } from 'node:http';
import { FastifyAdapter } from '@nestjs/platform-fastify';

/** Clients keep one pooled connection between polls: longer than any waiter's interval. Milliseconds. */
export const KEEP_ALIVE_MS = 90_000;

/**
 * The HTTP adapter that services' Nest applications are created with. Long request lines (glance's `id=in:` lists) fit,
 * uploads may last, idle connections outlive waiters' polls.
 */
export function createHttpAdapter(): FastifyAdapter {
  return new FastifyAdapter({
    logger: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    connectionTimeout: 0,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    // Fastify's router refuses malformed escapes; WSGI servers pass them on, and a strange name is then 404, not 400.
    rewriteUrl: (message: IncomingMessage) => (decodable(message.url ?? '/') ? (message.url ?? '/') : '/'),
    http: { maxHeaderSize: 131_072, headersTimeout: KEEP_ALIVE_MS + 10_000, requestTimeout: 0 },
  });
}

function decodable(url: string): boolean {
  try {
    decodeURI(url);
    return true;
  } catch {
    return false;
  }
}
