import { STATUS_CODES } from 'node:http';
import type { ErrorEnvelope } from './operation';

/** Nova's names of faults by status; cinder's are the same. upstream: nova/api/openstack/wsgi.py Fault. */
const FAULTS: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
};

/** `{"itemNotFound": {"code": 404, "message": "…"}}`. The token filter's 401 has keystone's form, as upstream. */
export const novaEnvelope: ErrorEnvelope = (error, status, requestId) => {
  if (status === 401) return keystoneEnvelope(error, status, requestId);
  const fault: Record<string, unknown> = { code: status, message: error.message };
  const headers: Record<string, string> = {};
  if (status === 413 || status === 429) {
    fault['retryAfter'] = '0';
    headers['Retry-After'] = '0';
  }
  return { body: { [FAULTS[status] ?? 'computeFault']: fault }, headers };
};

/** Cinder's form is nova's; a quota is 413 there, which the error's own status says. */
export const cinderEnvelope: ErrorEnvelope = novaEnvelope;

/** `{"error": {"code": 404, "title": "Not Found", "message": "…"}}`. */
export const keystoneEnvelope: ErrorEnvelope = (error, status) => ({
  body: { error: { code: status, message: error.message, title: STATUS_CODES[status] ?? 'Error' } },
});

/** `{"NeutronError": {"type": "PortNotFound", "message": "…", "detail": ""}}`. */
export const neutronEnvelope: ErrorEnvelope = (error, status, requestId) => {
  if (status === 401) return keystoneEnvelope(error, status, requestId);
  return { body: { NeutronError: { type: error.code, message: error.message, detail: '' } } };
};

/** `{"errors": [{"status", "title", "detail", "request_id", "code"?}]}`; 406 also says which versions there are. */
export const placementEnvelope: ErrorEnvelope = (error, status, requestId) => {
  if (status === 401) return keystoneEnvelope(error, status, requestId);
  const item: Record<string, unknown> = {
    status,
    title: STATUS_CODES[status] ?? 'Error',
    detail: `${error.message}\n\n   `,
    request_id: requestId,
  };
  // Upstream adds codes only where one error has to be told from another of the same status.
  if (error.code.startsWith('placement.')) item['code'] = error.code;
  if (status === 406) {
    item['min_version'] = error.args['min_version'];
    item['max_version'] = error.args['max_version'];
  }
  return { body: { errors: [item] } };
};

/**
 * Glance answers through webob's own pages: HTML where the client takes it (`*` + `/*`, as glanceclient sends, included), a
 * flat JSON object where it asks for JSON alone, else plain text.
 */
export const glanceEnvelope: ErrorEnvelope = (error, status, requestId, request) => {
  if (status === 401) return keystoneEnvelope(error, status, requestId);
  const title = STATUS_CODES[status] ?? 'Error';
  const line = `${String(status)} ${title}`;
  switch (preferred(request?.accept)) {
    case 'html':
      return {
        contentType: 'text/html; charset=UTF-8',
        body: `<html>\n <head>\n  <title>${line}</title>\n </head>\n <body>\n  <h1>${line}</h1>\n  ${escapeHtml(error.message)}<br /><br />\n\n\n </body>\n</html>`,
      };
    case 'json':
      return {
        contentType: 'application/json',
        body: { message: `${error.message}<br /><br />\n\n\n`, code: line, title },
      };
    case 'text':
      return { contentType: 'text/plain; charset=UTF-8', body: `${line}\n\n${error.message}\n\n   ` };
  }
};

function preferred(accept: string | undefined): 'html' | 'json' | 'text' {
  let html = 0;
  let json = 0;
  for (const part of (accept ?? '').split(',')) {
    const [type = '', ...params] = part.trim().toLowerCase().split(';');
    const q = params.map((param) => /^\s*q=([\d.]+)/.exec(param)?.[1]).find((value) => value !== undefined);
    const weight = q === undefined ? 1 : Number(q);
    if (type === 'text/html' || type === 'text/*' || type === '*/*') html = Math.max(html, weight);
    if (type === 'application/json' || type === 'application/*' || type === '*/*') json = Math.max(json, weight);
  }
  if (html > 0 && html >= json) return 'html';
  return json > 0 ? 'json' : 'text';
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
