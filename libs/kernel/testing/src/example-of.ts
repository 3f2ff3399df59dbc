/** A JSON schema, as far as examples need it. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minProperties?: number;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema | readonly Schema[];
  readonly minItems?: number;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly format?: string;
  readonly pattern?: string;
}

/** An id that nothing has. */
const NOBODYS = '5e0d0b3c5b0e4b5c9d0e000000000000';
const DASHED = '5e0d0b3c-5b0e-4b5c-9d0e-000000000000';
/** Strings that patterns of OpenStack's schemas ask for; the first that fits is taken. */
const STRINGS = [
  'x',
  '1',
  'true',
  DASHED,
  NOBODYS,
  'X',
  '10.9.8.0/24',
  '10.9.8.7',
  'fa:16:3e:00:00:01',
  'http://x/',
  '/',
];

/**
 * The smallest value that a schema allows, for requests that shall get past validation: only what is required, names are `x`,
 * ids are nobody's. Throws when it knows none.
 */
export function exampleOf(schema: unknown): unknown {
  const one = (schema ?? {}) as Schema;
  if (one.const !== undefined) return one.const;
  if (one.enum !== undefined) return one.enum[0];
  const choice = one.anyOf ?? one.oneOf;
  if (choice !== undefined) return exampleOf(choice.find(({ type }) => type !== 'null') ?? choice[0]);
  if (one.allOf !== undefined) return Object.assign({}, ...one.allOf.map((part) => exampleOf(part))) as unknown;
  switch (typeof one.type === 'string' ? one.type : one.type?.[0]) {
    case 'object':
      return exampleObject(one);
    case 'array': {
      const item = Array.isArray(one.items) ? (one.items as readonly Schema[])[0] : one.items;
      return Array.from({ length: one.minItems ?? 0 }, () => exampleOf(item));
    }
    case 'integer':
    case 'number':
      return Math.max(one.minimum ?? 0, 1);
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'string':
      return exampleString(one);
    default:
      return one.properties === undefined ? 'x' : exampleObject(one);
  }
}

function exampleObject(schema: Schema): Record<string, unknown> {
  const properties = Object.entries(schema.properties ?? {});
  const required = properties.filter(([name]) => schema.required?.includes(name) === true);
  // Bodies that must change something have at least one of the optional fields.
  const chosen = required.length < (schema.minProperties ?? 0) ? properties.slice(0, schema.minProperties) : required;
  return Object.fromEntries(chosen.map(([name, value]) => [name, exampleOf(value)]));
}

function exampleString({ format, pattern, minLength = 0 }: Schema): string {
  if (format === 'uuid') return DASHED;
  if (format === 'date-time') return '2099-01-01T00:00:00Z';
  const fits = STRINGS.find(
    (text) => text.length >= minLength && (pattern === undefined || new RegExp(pattern, 'u').test(text)),
  );
  if (fits === undefined && pattern === undefined) return 'x'.repeat(minLength);
  if (fits === undefined) throw new Error(`no example is known of ${String(pattern)}`);
  return fits;
}
