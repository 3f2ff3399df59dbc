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

/** Webob's explanations, which placement puts before an error's own text. */
const EXPLANATIONS: Readonly<Record<number, string>> = {
  400: 'The server could not comply with the request since it is either malformed or otherwise incorrect.',
  403: 'Access was denied to this resource.',
  404: 'The resource could not be found.',
  405: 'The method is not allowed for this resource.',
  406: 'The server could not comply with the request since it is either malformed or otherwise incorrect.',
  409: 'There was a conflict when trying to complete your request.',
  413: 'The body of your request was too large for this server.',
  415: 'The request media type is not supported by this server.',
  500: 'The server has either erred or is incapable of performing the requested operation.',
  503: 'The server is currently unavailable. Please try again at a later time.',
};

/**
 * `{"errors": [{"status", "title", "detail", "request_id", "code"?}]}`. Codes came with 1.23: the error's own when it has the
 * form `placement.…`. A 406 for the version also says which there are.
 */
export const placementEnvelope: ErrorEnvelope = (error, status, requestId, request) => {
  if (status === 401) return keystoneEnvelope(error, status, requestId);
  const explanation = EXPLANATIONS[status] ?? STATUS_CODES[status] ?? 'Error';
  const own = error.message === explanation ? '' : error.message;
  const item: Record<string, unknown> = {
    status,
    title: STATUS_CODES[status] ?? 'Error',
    detail: `${explanation}\n\n ${own}  `,
    request_id: requestId,
  };
  if (request?.version?.atLeast('1.23') === true) {
    item['code'] = error.code.startsWith('placement.') ? error.code : 'placement.undefined_code';
  }
  if (error.args['max_version'] !== undefined) {
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
