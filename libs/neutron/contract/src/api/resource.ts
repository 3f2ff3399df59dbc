import { documentedAs, operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { attribute, bodySchema, viewSchema, type Attributes, type InputOf, type ViewOf } from './attribute';
import { computed, text } from './kinds';

/** A kind of resource: names, and everything that is known of its attributes. */
export interface Resource<N extends string = string, P extends string = string, A extends Attributes = Attributes> {
  /** `security_group` */
  readonly name: N;
  /** `security_groups` */
  readonly plural: P;
  /** `/security-groups` */
  readonly path: string;
  /** For operation ids: `SecurityGroup`. */
  readonly title: string;
  readonly attributes: A;
  /** Attributes by which alone lists can be filtered. */
  readonly filters?: readonly string[];
  /** Whether upstream refuses filters that it does not know. */
  readonly anyFilter?: boolean;
  readonly tags?: boolean;
}

export function resource<const N extends string, const P extends string, const A extends Attributes>(
  declaration: Resource<N, P, A>,
): Resource<N, P, A> {
  return declaration;
}

export type CreationOf<R> = R extends Resource<string, string, infer A> ? InputOf<A> : never;
export type ChangeOf<R> = CreationOf<R>;
export type WireViewOf<R> = R extends Resource<string, string, infer A> ? ViewOf<A> : never;

/** Attributes of (nearly) every resource. */
export const idAttribute = attribute(computed(Type.String()), { filter: true, sort: true });
export const ownerAttributes = {
  project_id: attribute(text(255), { post: true, default: 'unset', filter: true, sort: true }),
  tenant_id: attribute(text(255), { post: true, default: 'unset', filter: true, sort: true, aliasOf: 'project_id' }),
};
export const standardAttributes = {
  description: attribute(text(255), { post: true, put: true, default: '', filter: true, sort: true }),
  created_at: attribute(computed(Type.String()), { filter: true, sort: true }),
  updated_at: attribute(computed(Type.String()), { filter: true, sort: true }),
  revision_number: attribute(computed(Type.Integer()), { filter: true, sort: true }),
};
export const tagsAttribute = attribute(computed(Type.Array(Type.String())), { filter: true });

const TAG_FILTERS = ['tags', 'tags-any', 'not-tags', 'not-tags-any'];
const LIST_CONTROLS = ['fields', 'sort_key', 'sort_dir', 'limit', 'marker', 'page_reverse'];
const Links = Type.Array(Type.Object({ rel: Type.String(), href: Type.String() }));

/** Names by which lists of the resource can be filtered. */
export function filtersOf(of: Resource): readonly string[] {
  const own = Object.entries(of.attributes)
    .filter(([, one]) => one.filter === true)
    .map(([name]) => name);
  return [...own, ...(of.filters ?? []), ...(of.tags === true ? TAG_FILTERS : []), 'changed_since'];
}

function listQuery(of: Resource) {
  const names = [...new Set([...filtersOf(of), ...LIST_CONTROLS])];
  const properties = Object.fromEntries(names.map((name) => [name, Type.Optional(Type.Array(Type.String()))]));
  return Type.Unsafe<Readonly<Record<string, string | readonly string[]>>>(
    Type.Object(properties, { additionalProperties: true }),
  );
}

const fieldsQuery = Type.Unsafe<Readonly<Record<string, string | readonly string[]>>>(
  Type.Object({ fields: Type.Optional(Type.Array(Type.String())) }, { additionalProperties: true }),
);

/** The five operations of a resource: `listNetworks`, `showNetwork`, `createNetwork` (one or many), `updateNetwork`, `deleteNetwork`. */
export function resourceOperations<const N extends string, const P extends string, const A extends Attributes>(
  of: Resource<N, P, A>,
  options: { readonly bulk?: boolean } = {},
) {
  const view = viewSchema(of.attributes);
  const words = of.plural.replaceAll('_', ' ');
  const word = of.name.replaceAll('_', ' ');
  const plural = of.title.endsWith('y') ? `${of.title.slice(0, -1)}ies` : `${of.title}s`;
  const one = { [of.name]: view } as Record<N, typeof view>;
  const many = { [of.plural]: Type.Array(view) };
  const creation = bodySchema(of.attributes, 'post');
  const change = bodySchema(of.attributes, 'put');
  type One = Record<N, ViewOf<A>>;
  type Many = Record<P, readonly ViewOf<A>[]>;
  type Creation = { readonly [K in N]?: Record<string, unknown> } & {
    readonly [K in P]?: readonly Record<string, unknown>[];
  };
  type Change = { readonly [K in N]: Record<string, unknown> };
  return {
    list: operation({
      id: `list${plural}`,
      summary: `Lists ${words}`,
      method: 'GET',
      path: of.path,
      query: listQuery(of as unknown as Resource),
      response: Type.Unsafe<Many & Record<`${P}_links`, { rel: string; href: string }[] | undefined>>(
        Type.Object({ ...many, [`${of.plural}_links`]: Type.Optional(Links) }, { additionalProperties: false }),
      ),
      status: 200,
      // The marker names a resource that may be unknown.
      errors: ['HTTPNotFound'],
    }),
    show: operation({
      id: `show${of.title}`,
      summary: `Shows one of the ${words}`,
      method: 'GET',
      path: `${of.path}/{${of.name}_id}`,
      query: fieldsQuery,
      response: Type.Unsafe<One>(Type.Object(one)),
      status: 200,
    }),
    create: operation({
      id: `create${of.title}`,
      summary: options.bulk === true ? `Creates one or several ${words}` : `Creates a ${word}`,
      method: 'POST',
      path: of.path,
      // What is wrong with a body of another form, the handler tells in upstream's words.
      body: documentedAs(
        Type.Unsafe<Creation>(Type.Object({}, { additionalProperties: true })),
        options.bulk === true
          ? Type.Union([Type.Object({ [of.name]: creation }), Type.Object({ [of.plural]: Type.Array(creation) })])
          : Type.Object({ [of.name]: creation }),
      ),
      response: Type.Unsafe<One & Partial<Many>>(
        options.bulk === true
          ? Type.Union([Type.Object(one), Type.Object(many)])
          : (Type.Object(one) as unknown as ReturnType<typeof Type.Union>),
      ),
      status: 201,
    }),
    update: operation({
      id: `update${of.title}`,
      summary: `Updates a ${word}`,
      method: 'PUT',
      path: `${of.path}/{${of.name}_id}`,
      body: documentedAs(
        Type.Unsafe<Change>(Type.Object({}, { additionalProperties: true })),
        Type.Object({ [of.name]: change }),
      ),
      response: Type.Unsafe<One>(Type.Object(one)),
      status: 200,
    }),
    remove: operation({
      id: `delete${of.title}`,
      summary: `Deletes a ${word}`,
      method: 'DELETE',
      path: `${of.path}/{${of.name}_id}`,
      status: 204,
    }),
  };
}
