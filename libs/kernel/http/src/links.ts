import type { IncomingMessage } from 'node:http';

/**
 * The scheme, host and port under which the client reached us, without a trailing slash; links must repeat them, or
 * clients that follow links leave the way they came (proxies set X-Forwarded-*). A configured URL wins.
 */
export function rootUrlOf(message: IncomingMessage, publicUrl: string | undefined, fallback: string): string {
  if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, '');
  const host = first(message.headers['x-forwarded-host']) ?? message.headers.host;
  if (host === undefined || !/^[\w.:[\]-]+$/.test(host)) return fallback;
  const scheme = first(message.headers['x-forwarded-proto']) === 'https' ? 'https' : 'http';
  const prefix = first(message.headers['x-forwarded-prefix'])?.replace(/\/+$/, '') ?? '';
  return `${scheme}://${host}${/^(\/[\w.~-]+)*$/.test(prefix) ? prefix : ''}`;
}

function first(header: string | string[] | undefined): string | undefined {
  return (Array.isArray(header) ? header[0] : header)?.split(',')[0]?.trim() || undefined;
}
