/** What typebox makes of `Type.Record(Type.String(), …)`; its `.` leaves out line breaks. */
const ANY_KEY = '^.*$';

/**
 * The schema with every record (an object with one pattern for its keys and no named ones) closed. JSON Schema lets
 * keys pass unchecked that do not match the pattern, so that a value behind `a\nb` were none of the type that the declaration promises.
 */
export function withClosedRecords(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withClosedRecords);
  if (typeof schema !== 'object' || schema === null) return schema;
  const found = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, withClosedRecords(value)]));
  const patterns = found['patternProperties'] as Readonly<Record<string, unknown>> | undefined;
  if (found['type'] !== 'object' || patterns === undefined || found['properties'] !== undefined) return found;
  if (found['additionalProperties'] !== undefined) return found;
  const { [ANY_KEY]: any, ...others } = patterns;
  if (any === undefined) return { ...found, additionalProperties: false };
  const { patternProperties: _patterns, ...rest } = found;
  return {
    ...rest,
    ...(Object.keys(others).length === 0 ? {} : { patternProperties: others }),
    additionalProperties: any,
  };
}
