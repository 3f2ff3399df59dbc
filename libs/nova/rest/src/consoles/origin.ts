import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether a page of this origin may open a console here: one of our own host, or of one that the operator allows. Those who send no
 * origin are no browsers. upstream: nova/console/websocketproxy.py, new_websocket_client
 */
export function originAllowed(headers: IncomingHttpHeaders, allowed: readonly string[]): boolean {
  const { origin } = headers;
  if (origin === undefined) return true;
  const from = parsed(origin);
  const here = parsed(`http://${headers.host ?? ''}`);
  return from !== null && [here?.hostname, ...allowed].includes(from.hostname);
}

/** Whether its scheme is that of the console's address, so that nobody is led from https to http. */
export function schemeAllowed(headers: IncomingHttpHeaders, accessUrl: string): boolean {
  const { origin, 'x-forwarded-proto': forwarded } = headers;
  if (origin === undefined) return true;
  const scheme = typeof forwarded === 'string' ? `${forwarded}:` : parsed(origin)?.protocol;
  return scheme === parsed(accessUrl)?.protocol;
}

/** The token of a request: of its query, or of a cookie, as older pages send it. */
export function tokenOf(url: string, headers: IncomingHttpHeaders): string {
  const query = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?') + 1) : '');
  const inQuery = query.get('token');
  if (inQuery !== null && inQuery !== '') return inQuery;
  for (const part of (headers.cookie ?? '').split(';')) {
    const [name, ...value] = part.trim().split('=');
    if (name === 'token') return value.join('=');
  }
  return '';
}

function parsed(url: string): URL | null {
  return URL.canParse(url) ? new URL(url) : null;
}
