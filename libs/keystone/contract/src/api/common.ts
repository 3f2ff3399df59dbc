import { operation, type Operation } from '@nestack/kernel/http';
import Type from 'typebox';

/** A value or null. */
export const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** Ids are 32 hexadecimal digits or names chosen by the operator (`default`). */
export const Id = Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-zA-Z0-9-]+$' });
/** Names of users, projects, domains, groups and roles: not blank. */
export const Name = Type.String({ minLength: 1, maxLength: 255, pattern: '[\\S]+' });
/** A resource that keeps whatever further fields a client gives it. upstream: the `extra` column of keystone's tables */
export const Extensible = <P extends Type.TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: true });
export const Description = Type.Optional(Nullable(Type.String()));
export const Options = Type.Optional(Type.Record(Type.String(), Type.Unknown()));
export const Enabled = Type.Optional(Type.Boolean());
/** A reference within a body: `{"id": …}`. */
export const Ref = Type.Object({ id: Type.String() });
export const NamedDomain = Type.Object({ id: Type.String(), name: Type.String() });
/** Links of a list: keystone does not page, so next and previous are null. */
export const ListLinks = Type.Object({
  next: Type.Null(),
  self: Type.String(),
  previous: Type.Null(),
});
export const SelfLink = Type.Object({ self: Type.String() });

/** Text of a project tag: no slashes and commas. */
export const Tag = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^,/]*$' });

/** What describes one kind of resource; its five operations follow. */
export interface CrudSpec<
  C extends Type.TSchema,
  U extends Type.TSchema,
  R extends Type.TSchema,
  Q extends Type.TSchema,
> {
  /** `Service`, for operation ids. */
  readonly noun: string;
  /** `Services` */
  readonly plural: string;
  /** Key in bodies, `service`. */
  readonly key: string;
  /** Path and key of lists, `services`. */
  readonly collection: string;
  /** Where it lies when not at `/services`. */
  readonly path?: string;
  readonly create: C;
  readonly update: U;
  readonly resource: R;
  readonly query: Q;
  /** Rule names, `identity:list_services`; null where the handler checks a target. */
  readonly policies?: {
    readonly list: string;
    readonly get: string;
    readonly create: string;
    readonly update: string;
    readonly delete: string;
  };
}

type Wrapped<R extends Type.TSchema> = Type.TRecord<string, R>;

/** List, create, show, update and delete of one kind of resource, as all of keystone's have them. */
export function crudOperations<
  C extends Type.TSchema,
  U extends Type.TSchema,
  R extends Type.TSchema,
  Q extends Type.TSchema,
>(spec: CrudSpec<C, U, R, Q>) {
  const path = spec.path ?? `/${spec.collection}`;
  const one = `${path}/{${spec.key}_id}`;
  const label = spec.noun.replaceAll(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  const single = Type.Object({ [spec.key]: spec.resource }) as unknown as Wrapped<R>;
  const many = Type.Object({
    [spec.collection]: Type.Array(spec.resource),
    links: ListLinks,
  }) as unknown as Type.TRecord<string, Type.TUnknown>;
  const policy = (name: string | undefined) => (name === undefined ? {} : { policy: name });
  return {
    list: operation({
      id: `list${spec.plural}`,
      summary: `List ${label}s`,
      method: 'GET',
      path,
      query: spec.query,
      response: many,
      status: 200,
      ...policy(spec.policies?.list),
    }),
    create: operation({
      id: `create${spec.noun}`,
      summary: `Create a ${label}`,
      method: 'POST',
      path,
      body: Type.Object({ [spec.key]: spec.create }) as unknown as Wrapped<C>,
      response: single,
      status: 201,
      ...policy(spec.policies?.create),
    }),
    show: operation({
      id: `show${spec.noun}`,
      summary: `Show a ${label}`,
      method: 'GET',
      path: one,
      response: single,
      status: 200,
      ...policy(spec.policies?.get),
    }),
    update: operation({
      id: `update${spec.noun}`,
      summary: `Update a ${label}`,
      method: 'PATCH',
      path: one,
      body: Type.Object({ [spec.key]: spec.update }) as unknown as Wrapped<U>,
      response: single,
      status: 200,
      ...policy(spec.policies?.update),
    }),
    remove: operation({
      id: `delete${spec.noun}`,
      summary: `Delete a ${label}`,
      method: 'DELETE',
      path: one,
      status: 204,
      ...policy(spec.policies?.delete),
    }),
  };
}

/** The five operations as a list. */
export function allOf(set: Readonly<Record<string, Operation>>): Operation[] {
  return Object.values(set);
}

/** Query of a list with the given filters; inexact forms (`name__contains`) are taken as well. */
export function filters<P extends Type.TProperties>(properties: P) {
  return Type.Object(properties);
}

export const text = Type.Optional(Type.String());
