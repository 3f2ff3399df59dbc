import type { TSchema } from 'typebox';
import { conventionsOf } from './conventions';
import { existsIn, schemaFor } from './microversion';
import { errorResponses, sharedComponents, sharedHeaders } from './openapi-responses';
import { DOCUMENTED, type ApiDeclaration, type ApiVersion, type Operation, type Versioned } from './operation';
import { withClosedRecords } from './records';
import { validatorOf } from './validation';

type Json = Record<string, unknown>;

/**
 * The OpenAPI 3.1 document of an API. A path's actions become one operation whose body is any of theirs. Without a version
 * it tells of all: a versioned schema is `anyOf` its rows, each titled with the version that began it. With one it has only
 * the operations and the schemas of that microversion.
 */
export function openApiOf(api: ApiDeclaration, version: ApiVersion | null = null): Json {
  const prefix = api.prefixes.find((one) => !one.includes('{')) ?? '';
  const paths: Record<string, Json> = {};
  const groups = new Map<string, Operation[]>();
  for (const operation of api.operations) {
    if (version !== null && !existsIn(operation, version)) continue;
    const key = `${operation.method} ${operation.path}`;
    groups.set(key, [...(groups.get(key) ?? []), operation]);
  }
  const describer = new Describer(api, version);
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const item = (paths[`${prefix}${first.path}`] ??= {});
    item[first.method.toLowerCase()] = group.length === 1 ? describer.describe(first) : describer.merge(group);
  }
  describeDocuments(api, paths);
  if (conventionsOf(api.type).documentsHead === true) describeHeads(paths);
  return {
    openapi: '3.1.0',
    info: { title: api.title, version: version?.text ?? api.microversions?.max ?? '1.0' },
    ...(api.microversions === undefined
      ? {}
      : {
          'x-openstack-microversions': {
            min: api.microversions.min,
            max: api.microversions.max,
            service: api.microversions.service,
          },
        }),
    paths,
    components: sharedComponents(api),
  };
}

/** A JSON patch as glance takes it, whose finer rules its handler tells. */
const PATCH_SCHEMA = {
  type: 'array',
  items: {
    type: 'object',
    required: ['op', 'path'],
    properties: { op: { enum: ['add', 'replace', 'remove'] }, path: { type: 'string', pattern: '^/[^/]+' }, value: {} },
  },
};

/** Version documents are public and have no parameters. */
function describeDocuments(api: ApiDeclaration, paths: Record<string, Json>): void {
  for (const [path, document] of Object.entries(api.documents ?? {})) {
    const same = path.length > 1 && path.endsWith('/') && api.documents?.[path.slice(0, -1)] !== undefined;
    if (path === '*' || same) continue;
    const item = (paths[path] ??= {});
    item['get'] ??= {
      operationId: `versions_${path}`,
      summary: 'Show API versions',
      parameters: [],
      responses: {
        [String(document({ rootUrl: '' }).status)]: {
          description: 'Versions',
          content: { 'application/json': { schema: { type: 'object' } } },
        },
      },
      security: [],
    };
  }
}

/** A HEAD beside each GET, which answers the same without a body. */
function describeHeads(paths: Record<string, Json>): void {
  for (const item of Object.values(paths)) {
    const get = item['get'] as Json | undefined;
    if (get === undefined || item['head'] !== undefined) continue;
    item['head'] = { ...get, operationId: `${String(get['operationId'])}_head` };
  }
}

/** Describes operations as OpenAPI's, for one microversion or for all. */
class Describer {
  constructor(
    private readonly api: ApiDeclaration,
    private readonly version: ApiVersion | null,
  ) {}

  describe(operation: Operation): Json {
    return {
      operationId: operation.id,
      summary: operation.summary,
      parameters: [
        ...pathParameters(operation),
        ...this.#queryParameters(operation),
        ...this.#versionParameter(operation),
      ],
      ...this.#body(operation),
      responses: this.#responses(operation),
      ...(operation.public === true ? { security: [] } : { security: [{ token: [] }] }),
      ...extension('x-openstack-min-version', operation.minVersion),
      ...extension('x-openstack-max-version', operation.maxVersion),
      ...extension('x-openstack-policy', operation.policy),
      ...extension('x-openstack-action', operation.action),
      ...(operation.errors === undefined ? {} : { 'x-openstack-errors': operation.errors }),
    };
  }

  /** Operations that share a method and a path: a body's key tells which is meant. */
  merge(group: readonly Operation[]): Json {
    const described = group.map((operation) => this.describe(operation));
    const bodies = group.flatMap((operation) => {
      const schema = this.#schemaOf(operation.body);
      return schema === null ? [{ type: 'object', required: [operation.action ?? ''], title: operation.id }] : [schema];
    });
    return {
      ...described[0],
      operationId: group.map((operation) => operation.id).join('_or_'),
      summary: group.map((operation) => operation.summary).join(' | '),
      requestBody: { required: true, content: { 'application/json': { schema: { anyOf: bodies } } } },
      responses: mergeResponses(described.map((one) => one['responses'] as Readonly<Record<string, Json>>)),
      'x-openstack-operations': described,
    };
  }

  #body(operation: Operation): Json {
    if (operation.bodyType === 'raw') {
      const schema = { type: 'string', format: 'binary' };
      // Nothing is data too.
      return { requestBody: { required: false, content: { 'application/octet-stream': { schema } } } };
    }
    const schema = operation.bodyType === 'patch' ? PATCH_SCHEMA : this.#schemaOf(operation.body);
    if (schema === null || operation.method === 'GET' || operation.method === 'HEAD') return {};
    const patches = operation.bodyType === 'patch';
    const type = patches ? 'application/openstack-images-v2.1-json-patch' : 'application/json';
    // What comes without a body is validated as null.
    const validated = this.version === null ? firstOf(operation.body) : schemaFor(operation.body, this.version);
    const required = operation.bodyType === 'patch' || validated === null || !validatorOf(validated)(null);
    return { requestBody: { required, content: { [type]: { schema } } } };
  }

  #responses(operation: Operation): Json {
    const statuses = typeof operation.status === 'number' ? [operation.status] : operation.status;
    const schema = this.#schemaOf(operation.response);
    const type = operation.responseType ?? 'application/json';
    const typed = operation.responseType === undefined ? {} : { content: { [type]: {} } };
    const responses: Json = {};
    for (const status of statuses) {
      const bodiless = status === 204 || (status >= 300 && status < 400);
      responses[String(status)] = {
        description: operation.summary,
        headers: sharedHeaders(this.api),
        ...(bodiless ? {} : schema === null ? typed : { content: { [type]: { schema } } }),
      };
    }
    // A success that is also an error's status (300 with a body) stays what the operation says.
    return { ...errorResponses(this.api, operation), ...responses };
  }

  #schemaOf(versioned: Versioned | undefined): unknown {
    if (versioned === undefined) return null;
    if (this.version !== null) return shown(schemaFor(versioned, this.version));
    if (!Array.isArray(versioned)) return shown(versioned);
    const rows = versioned as readonly { since: string; schema: TSchema }[];
    if (rows.length === 1) return shown(rows[0]?.schema ?? null);
    return {
      anyOf: rows.map((row) => ({
        title: `since ${row.since}`,
        'x-openstack-since': row.since,
        ...(shown(row.schema) as object),
      })),
    };
  }

  #queryParameters(operation: Operation): Json[] {
    const found = new Map<string, Json>();
    for (const row of this.#queryRows(operation)) {
      const { properties = {}, required = [] } = row.schema as {
        properties?: Record<string, unknown>;
        required?: readonly string[];
      };
      for (const [name, schema] of Object.entries(properties)) {
        if (found.has(name)) continue;
        const must = required.includes(name) ? { required: true } : {};
        found.set(name, { name, in: 'query', ...must, schema, ...extension('x-openstack-since', row.since) });
      }
    }
    return [...found.values()];
  }

  #queryRows(operation: Operation): readonly { since?: string; schema: TSchema }[] {
    if (operation.query === undefined) return [];
    if (this.version !== null) {
      const schema = schemaFor(operation.query, this.version);
      return schema === null ? [] : [{ schema }];
    }
    if (!Array.isArray(operation.query)) return [{ schema: operation.query as TSchema }];
    return operation.query as readonly { since: string; schema: TSchema }[];
  }

  /** The microversion's header, which need not be sent. */
  #versionParameter(operation: Operation): Json[] {
    const range = this.api.microversions;
    if (range === undefined) return [];
    const since = this.version?.text ?? operation.minVersion ?? range.min;
    const last = this.version?.text ?? operation.maxVersion ?? range.max;
    return [
      {
        name: 'OpenStack-API-Version',
        in: 'header',
        description: `${range.service} ${since === last ? since : `${since} to ${last}`}`,
        schema: { type: 'string' },
        example: `${range.service} ${last}`,
      },
    ];
  }
}

/** The schema as the document shows it. */
function shown(schema: unknown): unknown {
  return withClosedRecords(documented(schema));
}

function documented(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(documented);
  if (typeof schema !== 'object' || schema === null) return schema;
  const instead = (schema as Json)[DOCUMENTED];
  if (instead !== undefined) return documented(instead);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, documented(value)]));
}

/** Where several operations answer the same status, each of their bodies may come. */
function mergeResponses(all: readonly Readonly<Record<string, Json>>[]): Json {
  const merged: Record<string, Json> = {};
  const schemas = new Map<string, unknown[]>();
  for (const responses of all) {
    for (const [status, response] of Object.entries(responses)) {
      const content = response['content'] as Record<string, { schema: unknown }> | undefined;
      const seen = schemas.get(status) ?? [];
      const schema = content?.['application/json']?.schema;
      if (schema !== undefined && !seen.includes(schema)) seen.push(schema);
      schemas.set(status, seen);
      if (merged[status]?.['content'] === undefined) merged[status] = response;
    }
  }
  for (const [status, found] of schemas) {
    const response = merged[status];
    if (found.length < 2 || response === undefined) continue;
    merged[status] = { ...response, content: { 'application/json': { schema: { anyOf: found } } } };
  }
  return merged;
}

function firstOf(versioned: Versioned | undefined): TSchema | null {
  const rows = [versioned ?? []].flat() as readonly (TSchema | { schema: TSchema })[];
  const [first] = rows;
  if (first === undefined) return null;
  return 'since' in first ? (first as { schema: TSchema }).schema : (first as TSchema);
}

function pathParameters(operation: Operation): Json[] {
  return [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => ({
    name: match[1],
    in: 'path',
    required: true,
    schema: { type: 'string', minLength: 1 },
  }));
}

function extension(name: string, value: string | undefined): Json {
  return value === undefined ? {} : { [name]: value };
}
