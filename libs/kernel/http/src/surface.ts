import type { RequestContext } from '@nestack/kernel/context';
import type { Static, TSchema } from 'typebox';
import type { ApiDeclaration, Operation } from './operation';

/**
 * Handlers: a Nest provider class of the app's module with methods decorated `@Handles(createServer)`, signature
 * `(request: RequestOf<typeof createServer>) => Promise<ResponseOf<typeof createServer> | ApiReply>`.
 * The kernel finds them at start (DiscoveryService), registers Fastify routes itself and fails to start when a handler
 * is missing for an operation of the API.
 */
export interface HandlerConvention {
  readonly decorator: 'Handles';
}

/** Who calls another service. */
export type CallAs =
  /** The user's own token plus our service token (X-Service-Token), while the request lasts. */
  | 'user'
  /** Our service user's token; for sagas and workers. */
  | 'service';

export interface ApiCall<Query, Body> {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Query;
  readonly body?: Body;
  /** A streamed request body (image upload). */
  readonly stream?: NodeJS.ReadableStream;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly version?: string;
}

/**
 * A typed client of another service's API, derived from its contract; endpoint from the catalogue (internal interface).
 * HTTP errors come back as DomainError with the kind of their status and the message of the service's envelope;
 * connection failures and 502/503/504 as `unavailable`.
 */
export interface ApiClient {
  call<Q extends TSchema, B extends TSchema, R extends TSchema>(
    ctx: RequestContext,
    operation: Operation<Q, B, R>,
    call: ApiCall<Static<Q>, Static<B>>,
    as: CallAs,
  ): Promise<Static<R>>;
  /** The same with the body as a stream (image download). */
  stream(
    ctx: RequestContext,
    operation: Operation,
    call: ApiCall<unknown, unknown>,
    as: CallAs,
  ): Promise<{
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: NodeJS.ReadableStream;
  }>;
}

/** Makes clients; injected under `API_CLIENTS`. */
export interface ApiClients {
  client(api: ApiDeclaration): ApiClient;
}

/** Nest injection token of `ApiClients`. */
export const API_CLIENTS = Symbol('ApiClients');

/**
 * Told when the policy denies an operation, before that is answered: throws what is to be said instead, such as the 404 of
 * what the caller must not know of. An app may provide one under DENIALS.
 */
export interface Denials {
  denied(ctx: RequestContext, operation: Operation, params: Readonly<Record<string, string>>): Promise<void>;
}

/** Nest injection token of `Denials`. */
export const DENIALS = Symbol('Denials');
