import Type, { type Static } from 'typebox';

/** Parts of a namespace of metadata definitions. */
export const METADEF_KINDS = ['object', 'property', 'tag'] as const;
export type MetadefKind = (typeof METADEF_KINDS)[number];

export const METADEF_TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'] as const;

const Name = Type.String({ maxLength: 80 });
const Names = Type.Array(Type.String(), { uniqueItems: true });
const Count = Type.Integer({ minimum: 0 });
/** What the service itself sets; sending it is 403, as upstream says it. */
const ReadOnly = Type.Optional(Type.Unknown());

const propertyKeys = {
  title: Type.String(),
  type: Type.Enum([...METADEF_TYPES]),
  description: Type.Optional(Type.String()),
  operators: Type.Optional(Type.Array(Type.String())),
  default: Type.Optional(Type.Unknown()),
  readonly: Type.Optional(Type.Boolean()),
  minimum: Type.Optional(Type.Number()),
  maximum: Type.Optional(Type.Number()),
  enum: Type.Optional(Type.Array(Type.Unknown())),
  pattern: Type.Optional(Type.String()),
  minLength: Type.Optional(Count),
  maxLength: Type.Optional(Count),
  confidential: Type.Optional(Type.Boolean()),
  // Open, as upstream's schema leaves it; what is sent comes back.
  items: Type.Optional(
    Type.Object(
      { type: Type.Enum([...METADEF_TYPES]), enum: Type.Optional(Type.Array(Type.Unknown())) },
      { additionalProperties: true },
    ),
  ),
  uniqueItems: Type.Optional(Type.Boolean()),
  minItems: Type.Optional(Count),
  maxItems: Type.Optional(Count),
  additionalItems: Type.Optional(Type.Boolean()),
};
const strict = { additionalProperties: false };

/** A property where its name is a key of what holds it. */
export const MetadefPropertyBody = Type.Object({ name: Type.Optional(Name), ...propertyKeys }, strict);
export type MetadefPropertyBody = Static<typeof MetadefPropertyBody>;

/** A property by itself: it has its name. */
export const MetadefNamedProperty = Type.Object(
  { name: Name, ...propertyKeys, created_at: ReadOnly, updated_at: ReadOnly },
  strict,
);
export type MetadefNamedProperty = Static<typeof MetadefNamedProperty>;

const Properties = Type.Record(Type.String(), MetadefPropertyBody);

const objectKeys = {
  name: Name,
  description: Type.Optional(Type.String()),
  required: Type.Optional(Names),
  properties: Type.Optional(Properties),
};
const readOnlyKeys = { self: ReadOnly, schema: ReadOnly, created_at: ReadOnly, updated_at: ReadOnly };

export const MetadefObjectBody = Type.Object({ ...objectKeys, ...readOnlyKeys }, strict);
export type MetadefObjectBody = Static<typeof MetadefObjectBody>;

const TagBody = Type.Object({ name: Name }, strict);
export const MetadefTagBody = Type.Object({ name: Name, created_at: ReadOnly, updated_at: ReadOnly }, strict);
export const MetadefTagsBody = Type.Object(
  { tags: Type.Optional(Type.Array(TagBody)), created_at: ReadOnly, updated_at: ReadOnly },
  strict,
);

const associationKeys = {
  name: Name,
  prefix: Type.Optional(Name),
  properties_target: Type.Optional(Name),
};
export const MetadefAssociationBody = Type.Object(
  { ...associationKeys, created_at: ReadOnly, updated_at: ReadOnly },
  strict,
);
export type MetadefAssociationBody = Static<typeof MetadefAssociationBody>;

/** A namespace as clients send it; its parts may come with it when it is made, and are passed over when it is changed. */
export const MetadefNamespaceBody = Type.Object(
  {
    namespace: Type.String({ minLength: 1, maxLength: 80 }),
    display_name: Type.Optional(Name),
    description: Type.Optional(Type.String({ maxLength: 500 })),
    visibility: Type.Optional(Type.Enum(['public', 'private'])),
    protected: Type.Optional(Type.Boolean()),
    owner: Type.Optional(Type.String({ maxLength: 255 })),
    resource_type_associations: Type.Optional(Type.Array(MetadefAssociationBody)),
    properties: Type.Optional(Properties),
    objects: Type.Optional(Type.Array(MetadefObjectBody)),
    tags: Type.Optional(Type.Array(MetadefTagBody)),
    ...readOnlyKeys,
  },
  strict,
);
export type MetadefNamespaceBody = Static<typeof MetadefNamespaceBody>;

const Stamps = { created_at: Type.String(), updated_at: Type.String() };

export const MetadefAssociationView = Type.Object({ ...associationKeys, ...Stamps });
export type MetadefAssociationView = Static<typeof MetadefAssociationView>;

export const MetadefObjectView = Type.Object({
  name: Type.String(),
  description: Type.Optional(Type.String()),
  required: Type.Array(Type.String()),
  properties: Properties,
  ...Stamps,
  self: Type.String(),
  schema: Type.String(),
});
export type MetadefObjectView = Static<typeof MetadefObjectView>;

export const MetadefTagView = Type.Object({ name: Type.String(), ...Stamps });
export const MetadefTagList = Type.Object({ tags: Type.Array(Type.Object({ name: Type.String() })) });

export const MetadefNamespaceView = Type.Object({
  namespace: Type.String(),
  display_name: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  visibility: Type.Enum(['public', 'private']),
  protected: Type.Boolean(),
  owner: Type.Optional(Type.String()),
  resource_type_associations: Type.Optional(Type.Array(MetadefAssociationView)),
  properties: Type.Optional(Properties),
  objects: Type.Optional(Type.Array(MetadefObjectView)),
  tags: Type.Optional(Type.Array(Type.Object({ name: Type.String() }))),
  ...Stamps,
  self: Type.String(),
  schema: Type.String(),
});
export type MetadefNamespaceView = Static<typeof MetadefNamespaceView>;

export const MetadefResourceTypeView = Type.Object({ name: Type.String(), ...Stamps });
