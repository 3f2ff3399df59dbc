import type { IncomingMessage } from 'node:http';
import { DomainError } from '@nestack/kernel/errors';
import type { Conventions } from './conventions';
import type { Operation } from './operation';

/** Oslo's default for the size of a request body. */
export const DEFAULT_BODY_LIMIT = 114_688;

const PATCH_TYPES = /^application\/(openstack-images-v2\.[01]-json-patch|json-patch\+json)$/;

/** Whether a body can follow the head at all: only then is it waited for. */
export function hasBody(message: IncomingMessage): boolean {
  if (message.headers['transfer-encoding'] !== undefined) return true;
  const length = message.headers['content-length'];
  return length !== undefined && length !== '0';
}

/** Reads a body whole. Throws 413 as soon as it is known to be larger than the limit. */
export async function readBody(message: IncomingMessage, limit: number): Promise<Buffer> {
  if (!hasBody(message)) return Buffer.alloc(0);
  if (Number(message.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop must not destroy the socket: the refusal still has to be written to it.
  for await (const chunk of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** The body as JSON, or undefined when it is empty (whatever Content-Type came with it). */
export function parseBody(
  bytes: Buffer,
  contentType: string | undefined,
  operation: Operation | null,
  conventions: Conventions,
): unknown {
  if (bytes.length === 0) return undefined;
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (!accepted(type, operation, conventions)) {
    if (conventions.wrongContentType === 'badRequest') {
      throw new DomainError({
        kind: 'badRequest',
        code: 'ValidationError',
        message:
          'Expecting to find application/json in Content-Type header. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.',
      });
    }
    if (type === '') {
      throw new DomainError({
        kind: 'badRequest',
        code: 'ValidationError',
        message: 'content-type header required when content-length > 0',
      });
    }
    throw new DomainError({
      kind: 'unsupportedMediaType',
      code: 'HTTPUnsupportedMediaType',
      message: conventions.contentTypeRequired
        ? `The media type ${contentType ?? 'None'} is not supported, use application/json`
        : `Unsupported Content-Type: ${contentType ?? ''}`,
    });
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed(conventions);
  }
  // A body of blanks only is no body.
  if (text.trim() === '') return undefined;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw malformed(conventions);
  }
  if (!isSound(body, text)) throw malformed(conventions);
  return body;
}

/** Deeper than any body of sense: upstream's parser gives up at about Python's recursion limit, databases and stacks later. */
const DEEPEST = 500;
const HALF_A_CHARACTER = /\\ud[89a-f]/i;

/** Whether the body can be stored and told again: not nested without end, and no half of a character in any text. */
function isSound(body: unknown, text: string): boolean {
  if (text.length <= DEEPEST && !HALF_A_CHARACTER.test(text)) return true;
  let level: unknown[] = [body];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > DEEPEST) return false;
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value === 'string' && !value.isWellFormed()) return false;
      if (typeof value !== 'object' || value === null) continue;
      for (const [key, item] of Object.entries(value)) {
        if (!key.isWellFormed()) return false;
        next.push(item);
      }
    }
    level = next;
  }
  return true;
}

function accepted(type: string, operation: Operation | null, conventions: Conventions): boolean {
  if (operation?.bodyType === 'patch' && PATCH_TYPES.test(type)) return true;
  if (operation?.bodyType === 'patch') return type === 'application/json' && conventions.messages !== 'glance';
  if (type === '') return !conventions.contentTypeRequired;
  if (type === 'application/json' || /^application\/vnd\.openstack\.\w+\+json$/.test(type)) return true;
  return conventions.wrongContentType === 'ignore';
}

function tooLarge(): DomainError {
  return new DomainError({ kind: 'tooLarge', code: 'RequestTooLarge', message: 'Request is too large.' });
}

function malformed(conventions: Conventions): DomainError {
  const keystone =
    'Expecting to find valid JSON in request body. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.';
  return new DomainError({
    kind: 'badRequest',
    code: conventions.messages === 'neutron' ? 'HTTPBadRequest' : 'MalformedRequestBody',
    message: conventions.messages === 'keystone' ? keystone : 'Malformed request body',
  });
}
