import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { DomainError } from '@nestack/kernel/errors';
import { schemaFor } from './microversion';
import { ApiReply, JsonBody, type ApiVersion, type Operation } from './operation';
import { validatorOf } from './validation';

/**
 * How much of an unwanted body is read before the connection is cut instead: a client that is cut while it sends never
 * reads why. Bytes.
 */
const DRAIN_LIMIT = 1024 * 1024 * 1024;

const BODILESS = new Set([204, 205, 304]);

/** Sends a handler's result. A stream is sent with back-pressure; when it fails half way the connection is cut. */
export async function sendResult(
  message: IncomingMessage,
  response: ServerResponse,
  operation: Operation,
  version: ApiVersion,
  result: unknown,
): Promise<void> {
  const reply = result instanceof ApiReply ? result : new ApiReply(result ?? null);
  const declared = typeof operation.status === 'number' ? operation.status : (operation.status[0] ?? 200);
  const status = reply.options.status ?? declared;
  for (const [name, value] of Object.entries(reply.options.headers ?? {})) response.setHeader(name, headerText(value));
  const body: unknown = reply.body;
  if (isStream(body)) {
    await sendStream(message, response, status, body);
    return;
  }
  if (body !== null && body !== undefined && process.env['NESTACK_CHECK_RESPONSES'] === '1') {
    checkResponse(operation, version, body);
  }
  send(message, response, status, body);
}

/** A header's value with what headers cannot carry percent-encoded: a Location may name a resource in any script. */
export function headerText(value: string): string {
  return value.replaceAll(/[^\t\u0020-\u007e]/gu, (character) => encodeURIComponent(character.toWellFormed()));
}

/** Sends a body: JSON unless it is text (then the Content-Type is set already) or nothing. */
export function send(message: IncomingMessage, response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status;
  if (body === null || body === undefined || BODILESS.has(status)) {
    if (!BODILESS.has(status)) response.setHeader('Content-Length', '0');
    response.removeHeader('Content-Type');
    end(message, response, null);
    return;
  }
  const bytes = bytesOf(body);
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'application/json');
  response.setHeader('Content-Length', String(bytes.length));
  end(message, response, message.method === 'HEAD' ? null : bytes);
}

function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  if (body instanceof JsonBody) return body.bytes;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function end(message: IncomingMessage, response: ServerResponse, bytes: Buffer | null): void {
  if (!message.readableEnded && !message.destroyed) {
    let drained = 0;
    message.on('data', (chunk: Buffer) => {
      drained += chunk.length;
      if (drained > DRAIN_LIMIT) message.socket.destroy();
    });
  }
  if (bytes === null) response.end();
  else response.end(bytes);
}

async function sendStream(
  message: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: NodeJS.ReadableStream,
): Promise<void> {
  response.statusCode = status;
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'application/octet-stream');
  if (message.method === 'HEAD') {
    (body as { destroy?: () => void }).destroy?.();
    end(message, response, null);
    return;
  }
  await pipeline(body, response);
}

function isStream(body: unknown): body is NodeJS.ReadableStream {
  return typeof body === 'object' && body !== null && typeof (body as { pipe?: unknown }).pipe === 'function';
}

function checkResponse(operation: Operation, version: ApiVersion, body: unknown): void {
  const schema = schemaFor(operation.response, version);
  if (schema === null) return;
  // What the client will see: undefined keys gone, dates as text.
  const seen: unknown = JSON.parse(body instanceof JsonBody ? body.bytes.toString() : JSON.stringify(body));
  const validate = validatorOf(schema);
  if (validate(seen)) return;
  const found = (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message ?? ''}`).join('; ');
  throw new DomainError({
    kind: 'bug',
    code: 'ResponseSchemaMismatch',
    message: `The answer of ${operation.id} does not meet its schema: ${found}`,
    detail: JSON.stringify(seen).slice(0, 4000),
  });
}
