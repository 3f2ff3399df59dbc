import Type from 'typebox';

/** A value or null. */
export const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** An object that takes no other keys, as nova's request schemas. */
export const Strict = <P extends Type.TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false });

/** Resource names: 1 to 255 characters, printable, no leading or trailing blanks. upstream: nova/api/validation/parameter_types.py */
export const Name = Type.String({ minLength: 1, maxLength: 255, format: 'name' });
/** Names of availability zones, which no colon may be in. */
export const ZoneName = Type.String({ minLength: 1, maxLength: 255, format: 'name', pattern: '^[^:]*$' });
/** Names of machines as operators know them. upstream: parameter_types.fqdn */
export const Fqdn = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-._]*$' });
/** Names that guests have; qualified ones from 2.94 on. upstream: parameter_types.hostname */
export const GuestHostname = (minor: number) =>
  minor >= 94 ? Fqdn : Type.String({ minLength: 2, maxLength: 63, pattern: '^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$' });
export const Uuid = Type.String({ format: 'uuid' });
/** Integers that clients also send as text. */
/** The largest integer that is stored. upstream: nova/db/constants.py */
const MAX_INT = 0x7fffffff;
export const PositiveInteger = Type.Union([
  Type.Integer({ minimum: 1, maximum: MAX_INT }),
  Type.String({ pattern: '^[0-9]*$', minLength: 1 }),
]);
export const NonNegativeInteger = Type.Union([
  Type.Integer({ minimum: 0, maximum: MAX_INT }),
  Type.String({ pattern: '^[0-9]+$' }),
]);
/** Words for booleans. */
export const BOOLEAN_WORDS = [
  'True',
  'TRUE',
  'true',
  '1',
  'ON',
  'On',
  'on',
  'YES',
  'Yes',
  'yes',
  'False',
  'FALSE',
  'false',
  '0',
  'OFF',
  'Off',
  'off',
  'NO',
  'No',
  'no',
] as const;
/** Python's idea of a boolean in JSON bodies. upstream: parameter_types.boolean */
export const LooseBoolean = Type.Union([Type.Boolean(), Type.Enum([...BOOLEAN_WORDS])]);
/** Metadata of servers: text of up to 255 characters on both sides. */
export const Metadata = Type.Record(
  Type.String({ pattern: '^[a-zA-Z0-9-_:. ]{1,255}$' }),
  Type.String({ maxLength: 255 }),
  {
    additionalProperties: false,
  },
);
export const Link = Type.Object({ rel: Type.String(), href: Type.String(), type: Type.Optional(Type.String()) });
export const Links = Type.Array(Link);
export const Any = Type.Unknown();
export const Empty = Type.Null();

/** Whether a loose boolean means true. */
export function isTrue(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  return /^(true|1|on|yes|y|t)$/i.test(String(value));
}

/** The number of a loose integer. */
export function toInteger(value: number | string): number {
  return typeof value === 'number' ? value : Number.parseInt(value, 10);
}

/**
 * Rows of schemas by microversion, typed as `S`: the schema of which all rows are narrower forms (usually the last one,
 * with what older versions lack as optional).
 */
export function versions<S extends Type.TSchema>(
  rows: readonly { readonly since: string; readonly schema: Type.TSchema }[],
): readonly { readonly since: string; readonly schema: S }[] {
  return rows as readonly { readonly since: string; readonly schema: S }[];
}
