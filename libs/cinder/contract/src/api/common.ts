import Type from 'typebox';

/** What clients send where a text may be missing: null as well. */
export const NullableText = Type.Union([Type.String({ maxLength: 255 }), Type.Null()]);
export const NullableRef = Type.Union([Type.String(), Type.Null()]);
/** Keys of 1 to 255 characters, whichever: CSI drivers write slashes into them. */
export const Metadata = Type.Record(Type.String({ pattern: '^[\\s\\S]{1,255}$' }), Type.String({ maxLength: 255 }), {
  additionalProperties: false,
});
export const NullableMetadata = Type.Union([Metadata, Type.Null()]);
/** Python's spellings of a boolean. */
export const BooleanLike = Type.Union([Type.Boolean(), Type.String()]);
export const IntegerLike = Type.Union([Type.Integer(), Type.String({ pattern: '^\\s*[0-9]+\\s*$' })]);

/** Whether the value means true. */
export function truthy(value: unknown): boolean {
  return value === true || (typeof value === 'string' && /^(true|1|yes|on|t|y)$/i.test(value.trim()));
}

/** An id, with or without its dashes. */
export const Uuid = Type.String({ pattern: '^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$' });
