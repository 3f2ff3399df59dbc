import Type from 'typebox';
import { Strict } from './common';

/*
 * Parameters of lists. They may be repeated unless they are `Once`; what counts then is the operation's matter.
 * upstream: nova/api/validation/parameter_types.py
 */
const many = <T extends Type.TSchema>(item: T) => Type.Optional(Type.Array(item));
const once = <T extends Type.TSchema>(item: T) => Type.Optional(Type.Array(item, { maxItems: 1 }));

const Count = Type.String({ minLength: 1, pattern: '^[0-9]*$' });

/** Any text, which the operation itself looks at or not. */
export const AnyText = many(Type.String());
export const Once = once(Type.String());
/** A regular expression; an empty one would match everything, and is refused. */
export const Regex = many(Type.String({ minLength: 1, format: 'regex' }));
/** Times of ISO 8601, which the operation reads: their day alone will do. */
export const Times = many(Type.String());
export const OneTime = once(Type.String());
export const Word = <const W extends readonly string[]>(words: W) => many(Type.Enum([...words]));
export const OneOf = <const W extends readonly string[]>(words: W) => once(Type.Enum([...words]));
export const OneName = once(Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9-._]*$' }));

/** A page after a marker, and one from an offset on. */
export const Page = { limit: many(Count), marker: AnyText };
export const OnePage = { limit: once(Count), marker: Once };
export const OffsetPage = { limit: many(Count), offset: many(Count) };

/** Parameters from a version on; others are let through. */
export const open = (since: string, parameters: Type.TProperties) => ({ since, schema: Type.Object(parameters) });
/** Parameters from a version on; others are refused. */
export const closed = (since: string, parameters: Type.TProperties) => ({ since, schema: Strict(parameters) });
/** Parameters of which others are refused from 2.75 on. */
export const closedSince275 = (parameters: Type.TProperties) => [open('2.1', parameters), closed('2.75', parameters)];
