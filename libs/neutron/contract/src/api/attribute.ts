import { documentedAs } from '@nestack/kernel/http';
import type { Static, TSchema } from 'typebox';
import Type from 'typebox';
import { NeutronError } from '../errors';
import type { Kind } from './kinds';

/** What of an attribute may be written, and how lists can be asked for it. */
export interface AttributeFlags<T> {
  /** Settable at creation. */
  readonly post?: boolean;
  /** Settable later. */
  readonly put?: boolean;
  /** Without a default a creation needs the attribute; `unset` leaves it undefined. */
  readonly default?: T | 'unset';
  readonly filter?: boolean;
  readonly sort?: boolean;
  /** Taken but never shown. */
  readonly hidden?: boolean;
  /** Another name of an attribute (`tenant_id`): shown and asked for like it. */
  readonly aliasOf?: string;
}

export interface Attribute<T = unknown, S extends TSchema = TSchema> extends AttributeFlags<T> {
  readonly kind: Kind<T, S>;
}

export type Attributes = Readonly<Record<string, Attribute>>;

export function attribute<T, S extends TSchema>(kind: Kind<T, S>, flags: AttributeFlags<T> = {}): Attribute<T, S> {
  return { kind, ...flags };
}

type ParsedOf<A> = A extends { readonly kind: Kind<infer T> } ? T : never;
type WireOf<A> = A extends { readonly kind: { readonly schema: infer S extends TSchema } } ? Static<S> : never;

/** What a client wrote, checked: attributes that were not given are absent. */
export type InputOf<A> = { readonly [K in keyof A]?: ParsedOf<A[K]> };
/** A resource on the wire; `fields` and policy may leave any key out. */
export type ViewOf<A> = { readonly [K in keyof A]?: WireOf<A[K]> };

/** Checks a body's attributes for a creation: unknown ones, what may not be set, defaults, what is missing. */
export function parseCreation<A extends Attributes>(attributes: A, body: unknown): InputOf<A> {
  return parse(attributes, body, 'post');
}

/** The same for an update: nothing is missing and there are no defaults. */
export function parseChange<A extends Attributes>(attributes: A, body: unknown): InputOf<A> {
  return parse(attributes, body, 'put');
}

function parse<A extends Attributes>(attributes: A, body: unknown, verb: 'post' | 'put'): InputOf<A> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw NeutronError.HTTPBadRequest({ reason: 'Resource body required' });
  const given = body as Record<string, unknown>;
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(attributes, name));
  if (unknown.length > 0)
    throw NeutronError.HTTPBadRequest({
      reason: `Unrecognized attribute(s) '${unknown.join(', ')}'`,
    });
  const parsed: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(attributes)) {
    const value = given[name];
    if (value === undefined) {
      if (verb === 'put' || one.post !== true || one.default === 'unset' || one.aliasOf !== undefined) continue;
      if (one.default === undefined)
        throw NeutronError.HTTPBadRequest({
          reason: `Failed to parse request. Required attribute '${name}' not specified`,
        });
      parsed[name] = one.default;
      continue;
    }
    if (one[verb] !== true)
      throw NeutronError.HTTPBadRequest({
        reason:
          verb === 'post' ? `Attribute '${name}' not allowed in POST` : `Cannot update read-only attribute ${name}`,
      });
    parsed[name] = one.kind.parse(value, name);
  }
  mergeAliases(attributes, given, parsed);
  return parsed as InputOf<A>;
}

/** `tenant_id` and `project_id` are one; when both come they have to agree. */
function mergeAliases(attributes: Attributes, given: Record<string, unknown>, parsed: Record<string, unknown>): void {
  for (const [name, one] of Object.entries(attributes)) {
    if (one.aliasOf === undefined || given[name] === undefined) continue;
    if (given[one.aliasOf] !== undefined && given[one.aliasOf] !== given[name])
      throw NeutronError.HTTPBadRequest({
        reason: `'${one.aliasOf}' and '${name}' do not match`,
      });
    parsed[one.aliasOf] = parsed[name];
    delete parsed[name];
  }
}

/** The attributes of a kind of resource as its schema on the wire. */
export function viewSchema<A extends Attributes>(attributes: A) {
  const properties = Object.entries(attributes)
    .filter(([, one]) => one.hidden !== true)
    .map(([name, one]) => [name, Type.Optional(one.kind.schema)] as const);
  return Type.Unsafe<ViewOf<A>>(Type.Object(Object.fromEntries(properties), { additionalProperties: false }));
}

/**
 * The attributes that a body may have. The document tells which there are, which must come and what they may be; the kinds'
 * own parsers check them, since upstream says in its own words what is wrong.
 */
export function bodySchema<A extends Attributes>(attributes: A, verb: 'post' | 'put') {
  const settable = Object.entries(attributes).filter(([, one]) => one[verb] === true);
  const properties = settable.map(([name, { kind, ...flags }]) => {
    const input = kind.input ?? Type.Union([kind.schema, Type.Unknown()]);
    const required = verb === 'post' && flags.default === undefined && flags.aliasOf === undefined;
    return [name, required ? input : Type.Optional(input)] as const;
  });
  const shown = Type.Object(Object.fromEntries(properties), { additionalProperties: false });
  return documentedAs(Type.Unsafe<InputBodyOf<A>>(Type.Object({}, { additionalProperties: true })), shown);
}

type InputBodyOf<A> = { readonly [K in keyof A]?: WireOf<A[K]> | null };
