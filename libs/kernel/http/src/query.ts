import type { TSchema } from 'typebox';
import { parseBoolean } from './python-text';

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/**
 * Query parameters as the schema wants them: numbers and booleans converted (Python's spellings too), a repeated key as an
 * array where the schema says array, else its last value. What does not convert stays text, for the validator to refuse.
 */
export function coerceQuery(raw: URLSearchParams, schema: TSchema | null): Record<string, unknown> {
  const root = (schema ?? {}) as JsonSchema;
  const collected = new Map<string, string[]>();
  for (const [key, value] of raw) {
    const values = collected.get(key);
    if (values === undefined) collected.set(key, [value]);
    else values.push(value);
  }
  const query: Record<string, unknown> = {};
  for (const [key, values] of collected) {
    const property = propertyOf(root, key);
    const array = property === null ? null : arrayOf(property);
    const value =
      array !== null
        ? values.map((item) => convert(item, array.items ?? {}))
        : convert(values.at(-1) ?? '', property ?? {});
    // A client chooses the key: `__proto__` must become a plain property.
    Object.defineProperty(query, key, { value, enumerable: true, writable: true, configurable: true });
  }
  return query;
}

function propertyOf(schema: JsonSchema, key: string): JsonSchema | null {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, key)) return schema.properties[key] ?? null;
  for (const [pattern, property] of Object.entries(schema.patternProperties ?? {})) {
    if (new RegExp(pattern, 'u').test(key)) return property;
  }
  return null;
}

function arrayOf(schema: JsonSchema): JsonSchema | null {
  if (schema.type === 'array') return schema;
  return (schema.anyOf ?? schema.oneOf ?? []).find((one) => one.type === 'array') ?? null;
}

function convert(text: string, schema: JsonSchema): unknown {
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) {
    for (const alternative of alternatives) {
      const value = convert(text, alternative);
      if (value !== text) return value;
    }
    return text;
  }
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  for (const type of types) {
    if (type === 'integer' && /^[+-]?\d{1,15}$/.test(text)) return Number(text);
    if (type === 'number' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
    if (type === 'null' && /^(none|null)$/i.test(text)) return null;
    // A bare key (`?nocatalog`) switches a flag on.
    if (type === 'boolean') {
      const value = text === '' ? true : parseBoolean(text);
      if (value !== null) return value;
    }
  }
  return text;
}
