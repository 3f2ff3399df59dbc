import { STATUS_CODES } from 'node:http';
import { kindStatus } from '@nestack/kernel/errors';
import { conventionsOf } from './conventions';
import type { ApiDeclaration, Operation } from './operation';

type Json = Record<string, unknown>;

/** An object with these properties, all of them there. */
const object = (properties: Json): Json => ({ type: 'object', required: Object.keys(properties), properties });
const TEXT = { type: 'string' };
const CODE = { type: 'integer', minimum: 400, maximum: 599 };

/** `{"error": {"code", "message", "title"}}`: keystone's own errors and every service's 401. */
const KEYSTONE_ERROR = object({ error: object({ code: CODE, message: TEXT, title: TEXT }) });

/** The envelopes of `envelopes.ts` as schemas, by type in the catalogue. */
const ERROR_SCHEMAS: Readonly<Record<string, Json>> = {
  identity: KEYSTONE_ERROR,
  network: object({ NeutronError: object({ type: TEXT, message: TEXT, detail: TEXT }) }),
  placement: object({
    errors: {
      type: 'array',
      minItems: 1,
      items: object({ status: CODE, title: TEXT, detail: TEXT, request_id: TEXT }),
    },
  }),
  image: object({ code: TEXT, title: TEXT, message: TEXT }),
};
/** Nova's and cinder's: one key that names the fault. */
const FAULT_SCHEMA = {
  type: 'object',
  minProperties: 1,
  maxProperties: 1,
  additionalProperties: {
    type: 'object',
    required: ['code', 'message'],
    properties: { code: CODE, message: TEXT, retryAfter: TEXT },
  },
};

/**
 * The statuses beside success that an operation may answer: what the pipeline itself refuses, and the errors that the
 * operation declares. A service that has failed (5xx) answers any request with the same envelope, as `5XX` says.
 */
export function errorStatuses(api: ApiDeclaration, operation: Operation): readonly number[] {
  const found = new Set<number>([api.validationStatus ?? 400, 400]);
  const writes = operation.method !== 'GET' && operation.method !== 'HEAD';
  const bounded = operation.minVersion !== undefined || operation.maxVersion !== undefined;
  if (operation.public !== true) found.add(401).add(403);
  const named = operation.path.includes('{') || operation.body !== undefined || operation.action !== undefined;
  // A body names other resources, and those may be unknown too.
  if (named || bounded) found.add(404);
  if (api.microversions !== undefined) found.add(406);
  if (writes && operation.public !== true) found.add(409);
  if (operation.body !== undefined || operation.action !== undefined || operation.bodyType === 'raw') {
    found.add(413);
    if (conventionsOf(api.type).wrongContentType === 'unsupported' || operation.bodyType !== undefined) found.add(415);
  }
  for (const code of operation.errors ?? []) {
    const declared = api.errors?.[code];
    if (declared === undefined) continue;
    found.add(declared.status ?? kindStatus(declared.kind));
  }
  return [...found].filter((status) => status < 500 || status === 501).sort((a, b) => a - b);
}

/** `responses` of an operation's errors, each a reference to the service's shared ones. */
export function errorResponses(api: ApiDeclaration, operation: Operation): Json {
  const statuses = errorStatuses(api, operation).map((status) => [String(status), reference('responses', status)]);
  return Object.fromEntries([...statuses, ['5XX', reference('responses', '5XX')]]) as Json;
}

/** What operations refer to: error responses, the errors' schema, headers that all answers have. */
export function sharedComponents(api: ApiDeclaration): Json {
  const responses: Json = {};
  for (const operation of api.operations) {
    for (const status of errorStatuses(api, operation)) {
      responses[String(status)] ??= errorResponse(api, STATUS_CODES[status] ?? 'Error', status === 401);
    }
  }
  responses['5XX'] = errorResponse(api, 'The service, or one that it needs, has failed', false);
  const requestId = 'req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
  return {
    securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } },
    schemas: { Error: ERROR_SCHEMAS[api.type] ?? FAULT_SCHEMA, AuthenticationError: KEYSTONE_ERROR },
    responses,
    headers: {
      RequestId: {
        description: 'Names the request in logs and traces',
        required: true,
        schema: { type: 'string', pattern: `^${requestId}$` },
      },
      ...(api.microversions === undefined
        ? {}
        : {
            Version: {
              description: 'The microversion that answered',
              schema: { type: 'string', pattern: `^${api.microversions.service} \\d+\\.\\d+$` },
            },
          }),
    },
  };
}

/** The headers that each answer carries. */
export function sharedHeaders(api: ApiDeclaration): Json {
  return {
    'x-openstack-request-id': reference('headers', 'RequestId'),
    ...(api.microversions === undefined ? {} : { 'OpenStack-API-Version': reference('headers', 'Version') }),
  };
}

function errorResponse(api: ApiDeclaration, description: string, unauthenticated: boolean): Json {
  const schema = { schema: reference('schemas', unauthenticated ? 'AuthenticationError' : 'Error') };
  const text = { schema: TEXT };
  // Glance's errors are pages in whatever the client prefers; its token filter's are not.
  const pages = conventionsOf(api.type).messages === 'glance' && !unauthenticated;
  return {
    description,
    headers: sharedHeaders(api),
    content: { 'application/json': schema, ...(pages ? { 'text/html': text, 'text/plain': text } : {}) },
  };
}

function reference(kind: string, name: string | number): Json {
  return { $ref: `#/components/${kind}/${String(name)}` };
}
