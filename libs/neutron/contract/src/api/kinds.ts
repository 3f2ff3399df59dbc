import { isUuidLike } from '@nestack/kernel/ids';
import Type, { type TSchema } from 'typebox';
import { NeutronError } from '../errors';
import { formatIp, parseCidr, parseIp } from '../ip';

/** A kind of value: its form on the wire, and how what clients send becomes it. */
export interface Kind<T, S extends TSchema = TSchema> {
  readonly schema: S;
  /** What clients may send, for the document: upstream takes many spellings. Absent where only the parser can tell. */
  readonly input?: TSchema;
  /** Throws what upstream answers for a value that is none. `name` is the attribute's. */
  readonly parse: (value: unknown, name: string) => T;
}

/** A value that fails an attribute's check. upstream: neutron_lib/api/attributes.py convert_values */
export function invalid(name: string, reason: string): never {
  throw NeutronError.HTTPBadRequest({ reason: `Invalid input for ${name}. Reason: ${reason}.` });
}

function unconvertible(message: string): never {
  throw NeutronError.InvalidInput({ error_message: message });
}

/** A value as upstream's messages quote it. */
export function quoted(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const Nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const inputOf = (input: TSchema | undefined, wrap: (input: TSchema) => TSchema): { readonly input?: TSchema } =>
  input === undefined ? {} : { input: wrap(input) };
/** Each letter in both cases. */
const anyCase = (word: string): string => word.replaceAll(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
const BOOLEAN_WORDS = ['1', 't', 'true', 'on', 'y', 'yes', '0', 'f', 'false', 'off', 'n', 'no'];
const BooleanInput = Type.Union([
  Type.Boolean(),
  Type.Integer({ minimum: 0, maximum: 1 }),
  Type.String({ pattern: `^\\s*(${BOOLEAN_WORDS.map(anyCase).join('|')})\\s*$` }),
]);
const UuidInput = Type.String({ pattern: '^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$' });

/** Text up to a length. */
export function text(max = 255): Kind<string, ReturnType<typeof Type.String>> {
  return {
    schema: Type.String({ maxLength: max }),
    input: Type.String({ maxLength: max }),
    parse: (value, name) => {
      if (typeof value !== 'string') return invalid(name, `'${quoted(value)}' is not a valid string`);
      // PostgreSQL has no place for NUL in a text.
      if (value.includes('\0')) return invalid(name, `'${value}' is not a valid string`);
      if ([...value].length > max) return invalid(name, `'${value}' exceeds maximum length of ${String(max)}`);
      return value;
    },
  };
}

export function nonEmptyText(max = 255): Kind<string, ReturnType<typeof Type.String>> {
  const base = text(max);
  return {
    schema: base.schema,
    input: Type.String({ maxLength: max, pattern: '\\S' }),
    parse: (value, name) => {
      const checked = base.parse(value, name);
      if (checked.trim() === '') return invalid(name, `'${checked}' Blank strings are not permitted`);
      return checked;
    },
  };
}

/** The kind or null. */
export function orNull<T, S extends TSchema>(kind: Kind<T, S>) {
  return {
    schema: Nullable(kind.schema),
    ...inputOf(kind.input, Nullable),
    parse: (value: unknown, name: string): T | null => (value === null ? null : kind.parse(value, name)),
  };
}

/** The kind; null stands for `instead`. */
export function nullAs<T, S extends TSchema>(kind: Kind<T, S>, instead: T): Kind<T, S> {
  return {
    schema: kind.schema,
    ...inputOf(kind.input, Nullable),
    parse: (value, name) => (value === null ? instead : kind.parse(value, name)),
  };
}

/** A boolean in oslo's strict spellings, numbers too. */
export const boolean: Kind<boolean, ReturnType<typeof Type.Boolean>> = {
  schema: Type.Boolean(),
  input: BooleanInput,
  parse: (value) => {
    if (typeof value === 'boolean') return value;
    const word = typeof value === 'string' || typeof value === 'number' ? String(value).trim().toLowerCase() : '';
    if (['1', 't', 'true', 'on', 'y', 'yes'].includes(word)) return true;
    if (['0', 'f', 'false', 'off', 'n', 'no'].includes(word)) return false;
    return unconvertible(`'${quoted(value)}' cannot be converted to boolean`);
  },
};

function toInteger(value: unknown): number | null {
  if (typeof value === 'number' && Number.isFinite(value)) return Math.trunc(value);
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(value)) return Number(value);
  return null;
}

export function integer(
  bounds: { readonly min?: number; readonly max?: number } = {},
): Kind<number, ReturnType<typeof Type.Integer>> {
  const max = bounds.max ?? 2147483647;
  return {
    schema: Type.Integer(),
    input: Type.Union([
      // Fractions are cut off.
      Type.Number({ exclusiveMinimum: (bounds.min ?? -2147483648) - 1, exclusiveMaximum: max + 1 }),
      Type.Boolean(),
      Type.String({ pattern: '^\\s*[+-]?[0-9]{1,15}\\s*$' }),
    ]),
    parse: (value, name) => {
      const number = toInteger(value);
      if (number === null) return unconvertible(`'${quoted(value)}' is not an integer`);
      if (bounds.min === 0 && number < 0) return invalid(name, `'${String(number)}' should be non-negative`);
      if (bounds.min !== undefined && number < bounds.min)
        return invalid(name, `'${String(number)}' is too small - must be at least '${String(bounds.min)}'`);
      if (number > max || number < -2147483648)
        return invalid(name, `'${String(number)}' is too large - must be no larger than '${String(max)}'`);
      return number;
    },
  };
}

/** One of a few words. */
export function oneOf<const V extends string>(...values: readonly V[]) {
  return {
    schema: Type.Enum([...values] as V[]),
    input: Type.Enum([...values] as V[]) as TSchema,
    parse: (value: unknown, name: string): V => {
      const found = values.find((one) => one === value);
      if (found === undefined)
        return invalid(name, `'${quoted(value)}' is not in [${values.map((one) => `'${one}'`).join(', ')}]`);
      return found;
    },
  };
}

export const ipVersion = {
  schema: Type.Union([Type.Literal(4), Type.Literal(6)]),
  parse: (value: unknown, name: string): 4 | 6 => {
    const number = toInteger(value);
    if (number === null) return unconvertible(`'${quoted(value)}' is not an integer`);
    if (number !== 4 && number !== 6) return invalid(name, `'${String(number)}' is not in [4, 6]`);
    return number;
  },
};

export const uuid: Kind<string, ReturnType<typeof Type.String>> = {
  schema: Type.String(),
  input: UuidInput,
  parse: (value, name) => {
    if (!isUuidLike(value)) return invalid(name, `'${quoted(value)}' is not a valid UUID`);
    return canonicalUuid(value);
  },
};

/** With dashes, lower case. */
export function canonicalUuid(value: string): string {
  const hex = value.replaceAll('-', '').toLowerCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export const ip: Kind<string, ReturnType<typeof Type.String>> = {
  schema: Type.String(),
  input: Type.String(),
  parse: (value, name) => {
    const address = parseIp(value);
    if (address === null) return invalid(name, `'${quoted(value)}' is not a valid IP address`);
    return formatIp(address.version, address.value);
  },
};

/** A prefix as subnets have it. Host bits stay, for whoever needs to refuse them. */
export const cidr: Kind<string, ReturnType<typeof Type.String>> = {
  schema: Type.String(),
  input: Type.String(),
  parse: (value, name) => {
    const network = parseCidr(value);
    if (network === null) return invalid(name, `'${quoted(value)}' is not a valid IP subnet`);
    return `${formatIp(network.version, network.ip)}/${String(network.prefix)}`;
  },
};

const MAC = /^[0-9a-f]{2}([:-]?)([0-9a-f]{2}\1){4}[0-9a-f]{2}$/i;

/** A MAC address other than the two that are nobody's, lower case with colons. upstream: neutron_lib validate_mac_address */
export const mac: Kind<string, ReturnType<typeof Type.String>> = {
  schema: Type.String(),
  input: Type.String(),
  parse: (value, name) => {
    if (typeof value !== 'string' || !MAC.test(value) || /^(00[:-]?){6}$|^(ff[:-]?){6}$/i.test(value))
      return invalid(name, `'${quoted(value)}' is not a valid MAC address`);
    const hex = value.replaceAll(/[:-]/g, '').toLowerCase();
    return (hex.match(/../g) ?? []).join(':');
  },
};

/** A list of one kind; null is the empty list. */
export function listOf<T, S extends TSchema>(kind: Kind<T, S>, options: { readonly unique?: string } = {}) {
  return {
    schema: Type.Array(kind.schema),
    ...inputOf(kind.input, (input) => Nullable(Type.Array(input))),
    parse: (value: unknown, name: string): T[] => {
      if (value === null) return [];
      if (!Array.isArray(value)) return invalid(name, `'${quoted(value)}' is not a list`);
      const items = value.map((item: unknown) => kind.parse(item, name));
      if (options.unique !== undefined && new Set(items.map((item) => JSON.stringify(item))).size < items.length)
        return invalid(name, options.unique.replace('{value}', quoted(value)));
      return items;
    },
  };
}

/** Only what the server itself computes; clients never send it. */
export function computed<S extends TSchema>(schema: S): Kind<never, S> {
  return { schema, parse: (_value, name) => invalid(name, `'${name}' is read only`) };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Keys that an entry must have, and no others. upstream: validators._verify_dict_keys */
export function checkKeys(
  entry: unknown,
  name: string,
  keys: { readonly required: readonly string[]; readonly optional?: readonly string[] },
): Record<string, unknown> {
  if (!isRecord(entry)) return invalid(name, `Invalid input. '${quoted(entry)}' must be a dictionary`);
  const known = [...keys.required, ...(keys.optional ?? [])];
  const missing = keys.required.some((key) => !Object.hasOwn(entry, key));
  if (missing || Object.keys(entry).some((key) => !known.includes(key)))
    return invalid(
      name,
      `Validation of dictionary's keys failed. Expected keys: {${known.map((key) => `'${key}'`).join(', ')}} Provided keys: ${JSON.stringify(Object.keys(entry))}`,
    );
  return entry;
}
