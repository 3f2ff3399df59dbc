import type { TSchema } from 'typebox';
import { conventionsOf } from './conventions';
import type { ApiDeclaration, Operation, Versioned } from './operation';

type Json = Record<string, unknown>;

/**
 * The OpenAPI 3.1 document of an API. A path's actions become one operation whose body is any of theirs; a versioned schema
 * is `oneOf` its rows, each titled with the version that began it.
 */
export function openApiOf(api: ApiDeclaration): Json {
  const prefix = api.prefixes.find((one) => !one.includes('{')) ?? '';
  const paths: Record<string, Json> = {};
  const groups = new Map<string, Operation[]>();
  for (const operation of api.operations) {
    const key = `${operation.method} ${operation.path}`;
    groups.set(key, [...(groups.get(key) ?? []), operation]);
  }
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const item = (paths[`${prefix}${first.path}`] ??= {});
    item[first.method.toLowerCase()] = group.length === 1 ? describe(first) : merge(group);
  }
  describeDocuments(api, paths);
  if (conventionsOf(api.type).documentsHead === true) describeHeads(paths);
  return {
    openapi: '3.1.0',
    info: { title: api.title, version: api.microversions?.max ?? '1.0' },
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
    components: { securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } } },
  };
}

/** Version documents are public and have no parameters. */
function describeDocuments(api: ApiDeclaration, paths: Record<string, Json>): void {
  for (const path of Object.keys(api.documents ?? {})) {
    const same = path.length > 1 && path.endsWith('/') && api.documents?.[path.slice(0, -1)] !== undefined;
    if (path === '*' || same) continue;
    const item = (paths[path] ??= {});
    item['get'] ??= {
      operationId: `versions_${path}`,
      summary: 'Show API versions',
      parameters: [],
      responses: { '2XX': { description: 'Versions' }, '300': { description: 'Versions' } },
      security: [],
    };
  }
}

/** A HEAD beside each GET, which answers the same without a body. */
function describeHeads(paths: Record<string, Json>): void {
  for (const item of Object.values(paths)) {
    const get = item['get'] as Json | undefined;
    if (get === undefined || item['head'] !== undefined) continue;
    const responses = Object.entries(get['responses'] as Record<string, { description: string }>);
    item['head'] = {
      ...get,
      operationId: `${String(get['operationId'])}_head`,
      responses: Object.fromEntries(responses.map(([status, { description }]) => [status, { description }])),
    };
  }
}

function describe(operation: Operation): Json {
  const statuses = typeof operation.status === 'number' ? [operation.status] : operation.status;
  const responses: Json = {};
  for (const status of statuses) {
    const schema = schemaOf(operation.response);
    responses[String(status)] = {
      description: operation.summary,
      ...(schema === null ? {} : { content: { 'application/json': { schema } } }),
    };
  }
  responses['default'] = { description: (operation.errors ?? []).join(', ') || 'Error' };
  const body = operation.bodyType === 'raw' ? { type: 'string', format: 'binary' } : schemaOf(operation.body);
  const type = operation.bodyType === 'raw' ? 'application/octet-stream' : 'application/json';
  return {
    operationId: operation.id,
    summary: operation.summary,
    parameters: [...pathParameters(operation), ...queryParameters(operation)],
    ...(body === null ? {} : { requestBody: { content: { [type]: { schema: body } } } }),
    responses,
    ...(operation.public === true ? { security: [] } : { security: [{ token: [] }] }),
    ...extension('x-openstack-min-version', operation.minVersion),
    ...extension('x-openstack-max-version', operation.maxVersion),
    ...extension('x-openstack-policy', operation.policy),
    ...extension('x-openstack-action', operation.action),
  };
}

function merge(group: readonly Operation[]): Json {
  const described = group.map(describe);
  const bodies = group.flatMap((operation) => {
    const schema = schemaOf(operation.body);
    return schema === null ? [{ type: 'object', required: [operation.action ?? ''], title: operation.id }] : [schema];
  });
  const responses: Json = {};
  for (const one of described) Object.assign(responses, one['responses']);
  return {
    ...described[0],
    operationId: group.map((operation) => operation.id).join('_or_'),
    summary: group.map((operation) => operation.summary).join(' | '),
    requestBody: { content: { 'application/json': { schema: { oneOf: bodies } } } },
    responses,
    'x-openstack-operations': described.map((one, index) => ({ ...one, 'x-openstack-action': group[index]?.action })),
  };
}

function schemaOf(versioned: Versioned | undefined): unknown {
  if (versioned === undefined) return null;
  if (!Array.isArray(versioned)) return versioned;
  const rows = versioned as readonly { since: string; schema: TSchema }[];
  if (rows.length === 1) return rows[0]?.schema ?? null;
  return {
    oneOf: rows.map((row) => ({
      title: `since ${row.since}`,
      'x-openstack-since': row.since,
      ...(row.schema as object),
    })),
  };
}

function pathParameters(operation: Operation): Json[] {
  return [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => ({
    name: match[1],
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(operation: Operation): Json[] {
  const rows = Array.isArray(operation.query)
    ? (operation.query as readonly { since: string; schema: TSchema }[])
    : operation.query === undefined
      ? []
      : [{ since: null, schema: operation.query as TSchema }];
  const found = new Map<string, Json>();
  for (const row of rows) {
    const properties = (row.schema as { properties?: Record<string, unknown> }).properties ?? {};
    for (const [name, schema] of Object.entries(properties)) {
      if (found.has(name)) continue;
      found.set(name, { name, in: 'query', schema, ...extension('x-openstack-since', row.since ?? undefined) });
    }
  }
  return [...found.values()];
}

function extension(name: string, value: string | undefined): Json {
  return value === undefined ? {} : { [name]: value };
}
