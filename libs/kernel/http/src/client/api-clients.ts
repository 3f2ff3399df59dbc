import type { Readable } from 'node:stream';
import { Agent, request, type Dispatcher } from 'undici';
import { ServiceSession, type ServiceCredentials } from '@nestack/kernel/auth';
import { assertHeld, childContext, traceparentOf, type RequestContext } from '@nestack/kernel/context';
import { asDomainError, DomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import { recordTrace } from '@nestack/kernel/trace';
import type { Static, TSchema } from 'typebox';
import type { ApiDeclaration, Operation } from '../operation';
import type { ApiCall, ApiClient, ApiClients, CallAs } from '../surface';
import { remoteError } from './remote-error';

export interface ApiClientsOptions {
  /** The service's login; one may be shared with its authenticator. */
  readonly auth: ServiceCredentials | ServiceSession;
  readonly log: Logger;
  /** Sub-service name in traces and for the peer's: `nova-conductor`. */
  readonly service: string;
  /** Instead of the catalogue, by type: for tests and for peers that must not be looked up. */
  readonly endpoints?: Readonly<Record<string, string>>;
}

const DEFAULT_TIMEOUT_MS = 60_000;

/** Typed clients of other services' APIs over kept-alive connections; see `ApiClient` for what they promise. */
export function createApiClients(options: ApiClientsOptions): ApiClients & { close(): Promise<void> } {
  const session =
    options.auth instanceof ServiceSession ? options.auth : new ServiceSession(options.auth, options.service);
  const dispatcher = new Agent({ connections: 64, keepAliveTimeout: 30_000, keepAliveMaxTimeout: 60_000 });
  const clients = new Map<ApiDeclaration, ApiClient>();
  return {
    client(api) {
      let client = clients.get(api);
      if (client === undefined) {
        client = new HttpApiClient(api, session, dispatcher, options);
        clients.set(api, client);
      }
      return client;
    },
    close: () => dispatcher.close(),
  };
}

type AnyCall = ApiCall<unknown, unknown>;

class HttpApiClient implements ApiClient {
  constructor(
    private readonly api: ApiDeclaration,
    private readonly session: ServiceSession,
    private readonly dispatcher: Dispatcher,
    private readonly options: ApiClientsOptions,
  ) {}

  async call<Q extends TSchema, B extends TSchema, R extends TSchema>(
    ctx: RequestContext,
    operation: Operation<Q, B, R>,
    call: ApiCall<Static<Q>, Static<B>>,
    as: CallAs,
  ): Promise<Static<R>> {
    return this.#traced(ctx, operation, call, async (span) => {
      const response = await this.#send(span, operation, call, as);
      const text = await received(this.api.service, response.body.text());
      return { status: response.statusCode, result: (text === '' ? null : parse(this.api.service, text)) as Static<R> };
    });
  }

  async stream(
    ctx: RequestContext,
    operation: Operation,
    call: AnyCall,
    as: CallAs,
  ): Promise<{
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: NodeJS.ReadableStream;
  }> {
    return this.#traced(ctx, operation, call, async (span) => {
      const response = await this.#send(span, operation, call, as);
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(response.headers)) {
        if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
      }
      return {
        status: response.statusCode,
        result: { status: response.statusCode, headers, body: response.body as Readable },
      };
    });
  }

  async #traced<T>(
    ctx: RequestContext,
    operation: Operation,
    call: AnyCall,
    fn: (span: RequestContext) => Promise<{ status: number; result: T }>,
  ): Promise<T> {
    const span = childContext(ctx);
    const start = new Date();
    const began = performance.now();
    let status = '';
    try {
      const answer = await fn(span);
      status = String(answer.status);
      return answer.result;
    } catch (error) {
      const known = asDomainError(error);
      const remote = known.args['remote_status'];
      status = typeof remote === 'number' ? String(remote) : `error ${known.code}`;
      throw error;
    } finally {
      recordTrace(this.options.log, span, {
        kind: 'rest.out',
        from: this.options.service,
        to: this.api.service,
        name: `${operation.method} ${fill(operation.path, call.params)}`,
        start,
        durationMs: performance.now() - began,
        status,
      });
    }
  }

  /** Sends and returns a successful answer with its body unread. */
  async #send(ctx: RequestContext, operation: Operation, call: AnyCall, as: CallAs): Promise<Dispatcher.ResponseData> {
    let renewed = false;
    let repeated = false;
    for (;;) {
      const own = operation.public === true ? null : await this.session.token();
      let response: Dispatcher.ResponseData;
      try {
        response = await this.#once(ctx, operation, call, as, own);
      } catch (error) {
        if (error instanceof DomainError) throw error;
        // A kept connection that the peer has just closed looks like this: what has no effect is tried once more.
        if (operation.method === 'GET' && !repeated) {
          repeated = true;
          continue;
        }
        throw new DomainError({
          kind: 'unavailable',
          code: 'ServiceUnreachable',
          message: `The ${this.api.service} service cannot be reached.`,
          args: { remote_service: this.api.service },
          cause: error,
        });
      }
      if (response.statusCode < 400) return response;
      const text = await response.body.text().catch(() => '');
      if (response.statusCode === 401 && own !== null && !renewed && call.stream === undefined) {
        renewed = true;
        this.session.invalidate(own);
        continue;
      }
      if (response.statusCode >= 502 && response.statusCode <= 504 && operation.method === 'GET' && !repeated) {
        repeated = true;
        continue;
      }
      const error = remoteError(this.api.service, response.statusCode, text);
      if (error.kind === 'unauthenticated' && as === 'service') {
        throw new DomainError({
          kind: 'unavailable',
          code: 'ServiceTokenRefused',
          message: `The ${this.api.service} service refused this service's token.`,
          args: error.args,
        });
      }
      throw error;
    }
  }

  async #once(
    ctx: RequestContext,
    operation: Operation,
    call: AnyCall,
    as: CallAs,
    own: string | null,
  ): Promise<Dispatcher.ResponseData> {
    assertHeld(ctx);
    const headers: Record<string, string> = {
      accept: 'application/json',
      'user-agent': `nestack-${this.options.service}`,
      'x-nestack-service': this.options.service,
      'x-openstack-request-id': ctx.globalRequestId,
      traceparent: traceparentOf(ctx),
      ...this.#tokens(ctx, as, own),
      ...this.#version(call.version),
      ...call.headers,
    };
    let body: string | Readable | null = null;
    if (call.stream !== undefined) {
      body = call.stream as Readable;
      headers['content-type'] ??= 'application/octet-stream';
    } else if (call.body !== undefined) {
      body = JSON.stringify(call.body);
      headers['content-type'] ??= 'application/json';
    }
    const timeout =
      call.timeoutMs ?? (ctx.deadline === null ? DEFAULT_TIMEOUT_MS : Math.max(1, ctx.deadline - Date.now()));
    return request(await this.#url(operation, call), {
      dispatcher: this.dispatcher,
      method: operation.method,
      headers,
      body,
      headersTimeout: timeout,
      bodyTimeout: timeout,
    });
  }

  #tokens(ctx: RequestContext, as: CallAs, own: string | null): Record<string, string> {
    if (own === null) return {};
    if (as === 'service') return { 'x-auth-token': own };
    if (ctx.token === null) {
      throw new DomainError({
        kind: 'bug',
        code: 'NoUserToken',
        message: 'The server has either erred or is incapable of performing the requested operation.',
        detail: `a call to ${this.api.service} as the user, but the context has no token`,
      });
    }
    return { 'x-auth-token': ctx.token, 'x-service-token': own };
  }

  #version(version: string | undefined): Record<string, string> {
    const range = this.api.microversions;
    if (version === undefined || range === undefined) return {};
    return {
      'openstack-api-version': `${range.service} ${version}`,
      ...(range.legacyHeader === undefined ? {} : { [range.legacyHeader.toLowerCase()]: version }),
    };
  }

  async #url(operation: Operation, call: AnyCall): Promise<string> {
    const endpoint = this.options.endpoints?.[this.api.type] ?? (await this.session.endpoint(this.api.type));
    // Catalogue URLs come with or without a version and project; the contract's prefix says what it must be.
    const root = endpoint.replace(/\/+$/, '').replace(/\/v\d+(\.\d+)?(\/[^/]*)?$/, '');
    const prefix = this.api.prefixes.find((one) => !one.includes('{')) ?? '';
    return `${root}${prefix}${fill(operation.path, call.params)}${queryText(call.query)}`;
  }
}

function fill(path: string, params: Readonly<Record<string, string>> | undefined): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params?.[name];
    if (value === undefined) throw new Error(`no parameter ${name} for ${path}`);
    return encodeURIComponent(value);
  });
}

function queryText(query: unknown): string {
  if (typeof query !== 'object' || query === null) return '';
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query as Record<string, unknown>)) {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (item === undefined || item === null) continue;
      search.append(key, typeof item === 'object' ? JSON.stringify(item) : String(item as string | number | boolean));
    }
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

async function received(service: string, text: Promise<string>): Promise<string> {
  try {
    return await text;
  } catch (error) {
    throw new DomainError({
      kind: 'unavailable',
      code: 'ServiceUnreachable',
      message: `The ${service} service ended its answer half way.`,
      args: { remote_service: service },
      cause: error,
    });
  }
}

function parse(service: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new DomainError({
      kind: 'bug',
      code: 'RemoteAnswerNotJson',
      message: `The ${service} service gave an answer that is not JSON.`,
      cause: error,
    });
  }
}
