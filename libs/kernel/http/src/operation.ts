import type { DomainError, ErrorDeclaration } from '@nestack/kernel/errors';
import type { RequestContext } from '@nestack/kernel/context';
import type { Static, TSchema } from 'typebox';

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A schema per microversion range: rows sorted by `since`; the last row whose `since` is not above the request's version holds. */
export type Versioned<S extends TSchema = TSchema> = S | readonly { readonly since: string; readonly schema: S }[];

/** One API operation, declared once. Routes, validation, OpenAPI, clients, route and policy tables come from it. */
export interface Operation<
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
  Response extends TSchema = TSchema,
> {
  /** `createServer`; unique within the API. */
  readonly id: string;
  readonly summary: string;
  readonly method: HttpMethod;
  /** Below the API's prefix, parameters in braces: `/servers/{server_id}`. */
  readonly path: string;
  /** For `POST …/action`: the single key of the body that names this action (`os-start`). */
  readonly action?: string;
  /** Microversions in which the operation exists; outside of them it is 404. */
  readonly minVersion?: string;
  readonly maxVersion?: string;
  /** Query parameters; unknown ones are ignored unless the schema forbids them (`additionalProperties: false`). Values arrive as strings; a repeated key as an array when the schema says so. */
  readonly query?: Versioned<Query>;
  readonly body?: Versioned<Body>;
  /** `json` is the default; `raw` hands the request stream over unread (image upload); `patch` also takes openstack-images JSON patch types. */
  readonly bodyType?: 'json' | 'raw' | 'patch';
  readonly response?: Versioned<Response>;
  /** Success status, the first is the default. */
  readonly status: number | readonly number[];
  /** Media type of a body that is not JSON (image data), for OpenAPI. */
  readonly responseType?: string;
  /** Codes of the errors that it may answer, for OpenAPI and docs; what the pipeline itself refuses need not be named. */
  readonly errors?: readonly string[];
  /** Policy rule checked before the handler with the target {project_id, user_id of the caller}; handlers check finer targets themselves. */
  readonly policy?: string;
  /** No token needed (version documents, authentication). */
  readonly public?: boolean;
}

/** Declares an operation; the types of query, body and response follow from the schemas. */
export function operation<
  const Query extends TSchema = TSchema,
  const Body extends TSchema = TSchema,
  const Response extends TSchema = TSchema,
>(declaration: Operation<Query, Body, Response>): Operation<Query, Body, Response> {
  return declaration;
}

/** An API microversion, comparable. */
export interface ApiVersion {
  readonly major: number;
  readonly minor: number;
  /** `2.79` */
  readonly text: string;
  atLeast(version: string): boolean;
}

/** What a handler gets. */
export interface ApiRequest<Query = unknown, Body = unknown> {
  readonly ctx: RequestContext;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  /** All query parameters as sent, in order, for filters that a schema does not list. */
  readonly rawQuery: URLSearchParams;
  readonly body: Body;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly version: ApiVersion;
  /** `http://host:port/v2.1`: the public base with the prefix that the client used, without a trailing slash; for links. */
  readonly baseUrl: string;
  /** Path and query as received. */
  readonly url: string;
  /** The unread body of `bodyType: 'raw'`. */
  readonly stream: NodeJS.ReadableStream;
}

export type RequestOf<Op> = Op extends Operation<infer Q, infer B, TSchema> ? ApiRequest<Static<Q>, Static<B>> : never;
export type ResponseOf<Op> = Op extends Operation<TSchema, TSchema, infer R> ? Static<R> : never;

/** An answer with another status, headers, or a streamed or empty body; handlers may also return the plain body. */
export class ApiReply<T = unknown> {
  constructor(
    readonly body: T | NodeJS.ReadableStream | null,
    readonly options: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {}
}

/** A body that is JSON text in UTF-8 already, made from parts that were kept. */
export class JsonBody {
  constructor(readonly bytes: Buffer) {}
}

/** How an API turns an error into its service's own envelope. Default headers (request id, content type) are set by the kernel. */
export type ErrorEnvelope = (
  error: DomainError,
  status: number,
  requestId: string,
  request?: { readonly accept: string | undefined; readonly version?: ApiVersion | null },
) => { readonly body: unknown; readonly contentType?: string; readonly headers?: Readonly<Record<string, string>> };

export interface MicroversionRange {
  readonly min: string;
  readonly max: string;
  /** Used when the request names none (nova: min). */
  readonly default?: string;
  /** `OpenStack-API-Version` value's service name: `compute`. */
  readonly service: string;
  /** Older header: `X-OpenStack-Nova-API-Version`. */
  readonly legacyHeader?: string;
}

/** A service's whole REST API. */
export interface ApiDeclaration {
  /** `nova` */
  readonly service: string;
  /** Type in the catalogue: `compute`. */
  readonly type: string;
  readonly title: string;
  /** Where operations live: `['/v2.1', '/v2.1/{project_id}']`; a `{project_id}` that is not the token's is 400/403/404 as `projectMismatch` says. */
  readonly prefixes: readonly string[];
  readonly microversions?: MicroversionRange;
  readonly envelope: ErrorEnvelope;
  readonly operations: readonly Operation[];
  /** The service's catalogue, which tells the statuses of the errors that operations name. */
  readonly errors?: Readonly<Record<string, ErrorDeclaration>>;
  /** Version documents and other paths outside the prefixes (public), by exact path: `/`, `/v2.1`, `/v2.1/`. */
  readonly documents?: Readonly<
    Record<string, (request: { readonly rootUrl: string }) => { readonly status: number; readonly body: unknown }>
  >;
  /** Largest JSON body in bytes (default 114,688, oslo's); larger ones are 413. */
  readonly bodyLimit?: number;
  /** Kind of envelope code for a body that fails its schema; default `badRequest`. */
  readonly validationStatus?: number;
}

/** Declares an API. */
export function defineApi(declaration: ApiDeclaration): ApiDeclaration {
  return declaration;
}

/** Names the schema that OpenAPI shows instead of the one that validates. */
export const DOCUMENTED = 'x-documented';

/** A schema that validates loosely, for handlers that tell in upstream's own words what is wrong, and is documented strictly. */
export function documentedAs<S extends TSchema>(schema: S, shown: TSchema): S {
  return { ...schema, [DOCUMENTED]: shown };
}
