import { DomainError, type ErrorKind } from '@nestack/kernel/errors';

const KINDS: Readonly<Record<number, ErrorKind>> = {
  400: 'badRequest',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'notFound',
  405: 'methodNotAllowed',
  406: 'notAcceptable',
  409: 'conflict',
  410: 'gone',
  412: 'preconditionFailed',
  413: 'overQuota',
  415: 'unsupportedMediaType',
  429: 'unavailable',
  501: 'unsupported',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};

/** Another service's error answer as ours: kind from the status, code and text from whichever envelope it came in. */
export function remoteError(service: string, status: number, text: string): DomainError {
  const told = read(text);
  const kind = KINDS[status] ?? (status >= 500 ? 'bug' : 'badRequest');
  return new DomainError({
    kind,
    code: told.code ?? `Http${String(status)}`,
    message: told.message ?? `The ${service} service answered ${String(status)}.`,
    args: { remote_service: service, remote_status: status },
    detail: text.slice(0, 2000),
  });
}

interface Told {
  readonly code?: string;
  readonly message?: string;
}

function read(text: string): Told {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return {};
  }
  if (!isObject(body)) return {};
  const errors = body['errors'];
  if (Array.isArray(errors) && isObject(errors[0])) return told(errors[0]['code'], trimmed(errors[0]['detail']));
  // Glance's flat form.
  if (typeof body['message'] === 'string')
    return told(undefined, trimmed(body['message'].replaceAll(/<br\s*\/?>/g, '')));
  const [name, value] = Object.entries(body)[0] ?? [];
  if (!isObject(value)) return {};
  const type = typeof value['type'] === 'string' ? value['type'] : name === 'error' ? undefined : name;
  return told(type, trimmed(value['message']));
}

function told(code: unknown, message: string | undefined): Told {
  return { ...(typeof code === 'string' ? { code } : {}), ...(message === undefined ? {} : { message }) };
}

function trimmed(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
