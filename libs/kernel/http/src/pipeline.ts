import type { IncomingMessage, ServerResponse } from 'node:http';
import { accessAllowed, type Authenticator } from '@nestack/kernel/auth';
import { newContext, parseTraceparent, type RequestContext } from '@nestack/kernel/context';
import { asDomainError, DomainError, statusOf } from '@nestack/kernel/errors';
import type { HealthCheck, ServiceMetrics } from '@nestack/kernel/health';
import { newRequestId } from '@nestack/kernel/ids';
import type { Logger } from '@nestack/kernel/log';
import type { PolicyEnforcer } from '@nestack/kernel/policy';
import { recordTrace } from '@nestack/kernel/trace';
import { DEFAULT_BODY_LIMIT, parseBody, readBody } from './body';
import { conventionsOf, type Conventions } from './conventions';
import type { Handler } from './handlers';
import { rootUrlOf } from './links';
import { existsIn, negotiate, NO_VERSION, schemaFor, versionHeaders } from './microversion';
import type { ApiDeclaration, ApiRequest, ApiVersion, Operation } from './operation';
import { coerceQuery } from './query';
import { resourceOf } from './resource';
import { send, sendResult } from './respond';
import { Router, type RouteMatch } from './router';
import { serveInternal } from './internal-paths';
import type { Denials } from './surface';
import { validate } from './validation';

export interface PipelineOptions {
  readonly authenticator: Authenticator | null;
  readonly policy: PolicyEnforcer | null;
  readonly denials?: Denials | null;
  readonly log: Logger;
  readonly publicUrl?: string | undefined;
  readonly service: string;
  readonly authUri?: string | undefined;
  readonly checks?: Readonly<Record<string, HealthCheck>>;
  readonly metrics: ServiceMetrics;
}

/** What is known of one request while it is answered. */
interface Exchange {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly search: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly rootUrl: string;
  ctx: RequestContext;
  operation: Operation | null;
  /** Once it is negotiated. */
  version: ApiVersion | null;
  params: Readonly<Record<string, string>>;
  result: unknown;
  error: DomainError | null;
}

const GLOBAL_ID = /^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Takes each request through version, token, route, policy, validation and handler to its answer. */
export class RequestPipeline {
  /** For links when a request has no Host header. */
  fallbackRoot = 'http://127.0.0.1';
  readonly #router: Router;
  readonly #conventions: Conventions;

  constructor(
    readonly api: ApiDeclaration,
    private readonly handlers: ReadonlyMap<Operation, Handler>,
    private readonly options: PipelineOptions,
  ) {
    this.#router = new Router(api);
    this.#conventions = conventionsOf(api.type);
  }

  /** Answers one request; never rejects. */
  async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const start = new Date();
    const began = performance.now();
    const x = this.#begin(message, response);
    if (await serveInternal(this.api, this.options, x.path, x.search, message, response)) return;
    try {
      await this.#answer(x);
    } catch (error) {
      this.#fail(x, error);
    }
    this.#record(x, start, performance.now() - began);
  }

  #begin(message: IncomingMessage, response: ServerResponse): Exchange {
    const url = urlOf(message);
    const mark = url.indexOf('?');
    const headers: Record<string, string | undefined> = {};
    for (const [name, value] of Object.entries(message.headers)) {
      headers[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    const requestId = newRequestId();
    const given = headers['x-openstack-request-id'];
    const parent = parseTraceparent(headers['traceparent']);
    const ctx = newContext({
      requestId,
      ...(given !== undefined && GLOBAL_ID.test(given) ? { globalRequestId: given } : {}),
      ...(parent ?? {}),
    });
    response.setHeader('x-openstack-request-id', requestId);
    if (this.#conventions.requestIdAlias !== undefined) response.setHeader(this.#conventions.requestIdAlias, requestId);
    if (this.api.type === 'identity') response.setHeader('Vary', 'X-Auth-Token');
    return {
      message,
      response,
      // An absolute form (`GET http://host/path`) is legal in a request line.
      path: (mark === -1 ? url : url.slice(0, mark)).replace(/^https?:\/\/[^/]*/i, '') || '/',
      search: mark === -1 ? '' : url.slice(mark + 1),
      headers,
      rootUrl: rootUrlOf(message, this.options.publicUrl, this.fallbackRoot),
      ctx,
      operation: null,
      version: null,
      params: {},
      result: undefined,
      error: null,
    };
  }

  async #answer(x: Exchange): Promise<void> {
    if (this.#document(x)) return;
    const match = this.#router.match(x.path);
    const method = x.message.method ?? 'GET';
    const named = match?.methods.get(method) ?? (method === 'HEAD' ? match?.methods.get('GET') : undefined) ?? [];
    const isPublic =
      match === null || named.length === 0
        ? this.#conventions.unknownPathPublic
        : named.every((one) => one.public === true);
    await this.#authenticate(x, isPublic);
    const version = this.#version(x);
    x.version = version;
    if (match === null) throw this.#notFound();
    if (named.length === 0) throw this.#notAllowed(x, match);
    const candidates = named.filter((one) => existsIn(one, version));
    if (candidates.length === 0) {
      throw new DomainError({
        kind: 'notFound',
        code: 'VersionNotFoundForAPIMethod',
        message: `API version ${version.text} is not supported on this method.`,
      });
    }
    this.#checkProject(x, match, candidates);
    const { operation, body } = await this.#choose(x, candidates);
    x.operation = operation;
    x.params = match.params;
    await this.#enforce(x, operation);
    const request = this.#request(x, match, operation, version, body);
    const handler = this.handlers.get(operation);
    if (handler === undefined) throw new Error(`no handler for ${operation.id}`);
    x.result = await handler(request);
    await sendResult(x.message, x.response, operation, version, x.result);
  }

  /** The caller is the policy's target here; what is finer, handlers check. */
  async #enforce(x: Exchange, operation: Operation): Promise<void> {
    const { policy, denials } = this.options;
    if (operation.policy === undefined || operation.public === true || policy === null) return;
    const actor = x.ctx.actor;
    try {
      policy.enforce(x.ctx, operation.policy, {
        project_id: actor?.projectId ?? null,
        user_id: actor?.userId ?? null,
        domain_id: actor?.domainId ?? null,
      });
    } catch (error) {
      await denials?.denied(x.ctx, operation, x.params);
      throw error;
    }
  }

  /** Version documents; the key `*` answers what lies outside of all prefixes. */
  #document(x: Exchange): boolean {
    if (x.message.method !== 'GET' && x.message.method !== 'HEAD') return false;
    const documents = this.api.documents ?? {};
    const exact = documents[x.path];
    const document = exact ?? (this.#router.covers(x.path) ? undefined : documents['*']);
    if (document === undefined) return false;
    const answer = document({ rootUrl: x.rootUrl });
    send(x.message, x.response, answer.status, answer.body);
    return true;
  }

  async #authenticate(x: Exchange, isPublic: boolean): Promise<void> {
    const token = x.headers['x-auth-token'];
    if (isPublic || this.options.authenticator === null) return;
    if (token === undefined || token === '') throw unauthenticated();
    const verified = await this.options.authenticator.authenticate(token, x.headers['x-service-token'] || null);
    const asked = {
      services: this.#conventions.serviceTypes ?? [this.api.type],
      method: x.message.method ?? 'GET',
      path: x.path,
    };
    // A service that acts for the user is not bound by the rules. upstream: keystonemiddleware.
    const bound = verified.accessRules !== undefined && !verified.serviceRoles.includes('service');
    if (bound && !accessAllowed(verified.accessRules ?? [], asked)) throw unauthenticated();
    x.ctx = { ...x.ctx, actor: verified.actor, token };
  }

  #version(x: Exchange): ApiVersion {
    const range = this.api.microversions;
    if (range === undefined) return NO_VERSION;
    const version = negotiate(range, x.headers);
    for (const [name, value] of Object.entries(versionHeaders(range, version))) x.response.setHeader(name, value);
    return version;
  }

  #checkProject(x: Exchange, match: RouteMatch, candidates: readonly Operation[]): void {
    const own = x.ctx.actor?.projectId ?? null;
    if (match.project === null || match.project === own || candidates.every((one) => one.public === true)) return;
    throw new DomainError({
      kind: 'badRequest',
      code: 'MalformedRequestUrl',
      message: `Malformed request URL: URL's project_id '${match.project}' doesn't match Context's project_id '${own ?? 'None'}'`,
    });
  }

  /** Which of the operations at this method and path is meant (an action is named by the body's only key), and its body. */
  async #choose(x: Exchange, candidates: readonly Operation[]): Promise<{ operation: Operation; body: unknown }> {
    const [first] = candidates;
    if (first === undefined) throw this.#notFound();
    if (first.bodyType === 'raw') return { operation: first, body: undefined };
    const bytes = await readBody(x.message, this.api.bodyLimit ?? DEFAULT_BODY_LIMIT);
    const actions = candidates.filter((one) => one.action !== undefined);
    if (actions.length === 0) {
      const wants = first.body !== undefined && first.method !== 'GET' && first.method !== 'HEAD';
      return {
        operation: first,
        body: wants ? parseBody(bytes, x.headers['content-type'], first, this.#conventions) : undefined,
      };
    }
    const body = parseBody(bytes, x.headers['content-type'], null, this.#conventions);
    const keys = typeof body === 'object' && body !== null && !Array.isArray(body) ? Object.keys(body) : [];
    const [name] = keys;
    if (name === undefined || keys.length !== 1)
      throw this.#badRequest('Malformed request body', 'MalformedRequestBody');
    const operation = actions.find((one) => one.action === name);
    if (operation === undefined) throw this.#badRequest(`There is no such action: ${name}`, 'NoSuchAction');
    return { operation, body };
  }

  #request(x: Exchange, match: RouteMatch, operation: Operation, version: ApiVersion, body: unknown): ApiRequest {
    const rawQuery = new URLSearchParams(x.search);
    const querySchema = schemaFor(operation.query, version);
    const query = coerceQuery(rawQuery, querySchema);
    const source = { messages: this.#conventions.messages, status: this.api.validationStatus };
    if (querySchema !== null) validate(querySchema, query, { ...source, part: 'query' });
    const bodySchema = operation.bodyType === 'raw' ? null : schemaFor(operation.body, version);
    if (bodySchema !== null) validate(bodySchema, body ?? null, { ...source, part: 'body' });
    return {
      ctx: x.ctx,
      params: match.params,
      query,
      rawQuery,
      body,
      headers: x.headers,
      version,
      baseUrl: `${x.rootUrl}${match.prefix}`,
      url: urlOf(x.message),
      stream: x.message,
    };
  }

  #fail(x: Exchange, thrown: unknown): void {
    if (x.response.headersSent || x.response.destroyed || x.message.socket.destroyed) {
      // The answer is under way or nobody reads it: what is left is to cut the connection.
      x.error = aborted(thrown);
      x.response.destroy();
      return;
    }
    const error = asDomainError(thrown);
    const status = statusOf(error);
    x.error = error;
    if (status === 401) {
      const uri = this.options.authUri ?? this.options.authenticator?.authUri ?? `${x.rootUrl}/v3`;
      x.response.setHeader('WWW-Authenticate', `Keystone uri="${uri}"`);
    }
    const answer = this.api.envelope(error, status, x.ctx.requestId, {
      accept: x.headers['accept'],
      version: x.version,
    });
    x.response.setHeader('Content-Type', answer.contentType ?? 'application/json');
    for (const [name, value] of Object.entries(answer.headers ?? {})) x.response.setHeader(name, value);
    send(x.message, x.response, status, answer.body);
  }

  #record(x: Exchange, start: Date, durationMs: number): void {
    const status = x.error?.code === 'ClientDisconnected' ? 499 : x.response.statusCode;
    const method = x.message.method ?? 'GET';
    const log = this.options.log;
    this.options.metrics.request(method, x.operation?.id ?? 'none', status, durationMs / 1000);
    const fields = {
      method,
      path: urlOf(x.message),
      operation: x.operation?.id ?? null,
      status,
      duration_ms: Math.round(durationMs * 100) / 100,
      remote: x.message.socket.remoteAddress ?? null,
      ...(x.error === null ? {} : { error: x.error.code, message: x.error.message }),
    };
    if (x.error !== null && status >= 500) {
      log.error(x.ctx, 'request', { ...fields, detail: x.error.detail ?? null, cause: x.error.cause ?? null });
    } else log.info(x.ctx, 'request', fields);
    recordTrace(log, x.ctx, {
      kind: 'rest.in',
      from: x.headers['x-nestack-service'] ?? 'client',
      to: this.options.service,
      name: `${method} ${x.path}`,
      start,
      durationMs,
      status: String(status),
      ...resourceOf(x.operation, x.params, x.result),
    });
  }

  #notFound(): DomainError {
    return new DomainError({
      kind: 'notFound',
      code: this.#conventions.messages === 'neutron' ? 'HTTPNotFound' : 'NotFound',
      message: 'The resource could not be found.',
    });
  }

  #notAllowed(x: Exchange, match: RouteMatch): DomainError {
    if (this.#conventions.unknownMethodIsNotFound) return this.#notFound();
    const methods = new Set(match.methods.keys());
    if (methods.has('GET')) methods.add('HEAD');
    x.response.setHeader('Allow', [...methods].sort().join(', '));
    return new DomainError({
      kind: 'methodNotAllowed',
      code: 'HTTPMethodNotAllowed',
      message: 'The method is not allowed for the requested URL.',
    });
  }

  #badRequest(message: string, code: string): DomainError {
    return new DomainError({ kind: 'badRequest', code, message });
  }
}

/** The URL as sent; Fastify sees another when it could not decode this one. */
function urlOf(message: IncomingMessage): string {
  return (message as { originalUrl?: string }).originalUrl ?? message.url ?? '/';
}

function unauthenticated(): DomainError {
  return new DomainError({
    kind: 'unauthenticated',
    code: 'Unauthorized',
    message: 'The request you have made requires authentication.',
  });
}

function aborted(thrown: unknown): DomainError {
  return new DomainError({
    kind: 'unavailable',
    code: 'ClientDisconnected',
    message: 'The connection ended before the answer did.',
    detail: thrown instanceof Error ? thrown.message : String(thrown),
  });
}
