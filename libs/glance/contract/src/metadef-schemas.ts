import { METADEF_TYPES } from './metadef';

type Json = Record<string, unknown>;

const text = (description: string, more: Json = {}): Json => ({ type: 'string', description, ...more });
const moment = (description: string): Json => text(description, { readOnly: true, format: 'date-time' });
const ownText = { type: 'string', readOnly: true };
const named = { type: 'string', maxLength: 80 };
const kindOfValue = { type: 'string', enum: [...METADEF_TYPES, null] };
const count = { $ref: '#/definitions/positiveInteger' };
const countFrom0 = { $ref: '#/definitions/positiveIntegerDefault0' };
const properties = { $ref: '#/definitions/property' };
const strings = { $ref: '#/definitions/stringArray' };

const PROPERTY_KEYS: Json = {
  name: named,
  title: { type: 'string' },
  description: { type: 'string' },
  operators: { type: 'array', items: { type: 'string' } },
  type: kindOfValue,
  required: strings,
  minimum: { type: 'number' },
  maximum: { type: 'number' },
  maxLength: count,
  minLength: countFrom0,
  pattern: { type: 'string', format: 'regex' },
  enum: { type: 'array' },
  readonly: { type: 'boolean' },
  default: {},
  items: { type: 'object', properties: { type: kindOfValue, enum: { type: 'array' } } },
  maxItems: count,
  minItems: countFrom0,
  uniqueItems: { type: 'boolean', default: false },
  additionalItems: { type: 'boolean' },
};

const NUMBERS: Json = {
  positiveInteger: { type: 'integer', minimum: 0 },
  positiveIntegerDefault0: { allOf: [count, { default: 0 }] },
};

const DEFINITIONS: Json = {
  ...NUMBERS,
  stringArray: { type: 'array', items: { type: 'string' }, uniqueItems: true },
  property: {
    type: 'object',
    additionalProperties: { type: 'object', required: ['title', 'type'], properties: PROPERTY_KEYS },
  },
};

/** Those of a property by itself: there, a list of names must not be empty. */
const PROPERTY_DEFINITIONS: Json = {
  ...NUMBERS,
  stringArray: { type: 'array', items: { type: 'string' }, minItems: 1, uniqueItems: true },
};

const NAMESPACE: Json = {
  name: 'namespace',
  properties: {
    namespace: text('The unique namespace text.', { maxLength: 80 }),
    display_name: text('The user friendly name for the namespace. Used by UI if available.', { maxLength: 80 }),
    description: text('Provides a user friendly description of the namespace.', { maxLength: 500 }),
    visibility: text('Scope of namespace accessibility.', { enum: ['public', 'private'] }),
    protected: { type: 'boolean', description: 'If true, namespace will not be deletable.' },
    owner: text('Owner of the namespace.', { maxLength: 255 }),
    created_at: moment('Date and time of namespace creation'),
    updated_at: moment('Date and time of the last namespace modification'),
    schema: ownText,
    self: ownText,
    resource_type_associations: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          name: { type: 'string' },
          prefix: { type: 'string' },
          properties_target: { type: 'string' },
        },
      },
    },
    properties,
    objects: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          name: { type: 'string' },
          description: { type: 'string' },
          required: strings,
          properties,
        },
      },
    },
    tags: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
  },
  additionalProperties: false,
  definitions: DEFINITIONS,
  required: ['namespace'],
};

const OBJECT: Json = {
  name: 'object',
  properties: {
    name: named,
    description: { type: 'string' },
    required: strings,
    properties,
    schema: ownText,
    self: ownText,
    created_at: moment('Date and time of object creation'),
    updated_at: moment('Date and time of the last object modification'),
  },
  additionalProperties: false,
  definitions: DEFINITIONS,
  required: ['name'],
};

const PROPERTY: Json = {
  name: 'property',
  properties: PROPERTY_KEYS,
  additionalProperties: false,
  definitions: PROPERTY_DEFINITIONS,
  required: ['title', 'type', 'name'],
};

const TAG: Json = {
  name: 'tag',
  properties: {
    name: named,
    created_at: moment('Date and time of tag creation'),
    updated_at: moment('Date and time of the last tag modification'),
  },
  additionalProperties: false,
  required: ['name'],
};

const RESOURCE_TYPE: Json = {
  name: 'resource_type_association',
  properties: {
    name: text('Resource type names should be aligned with Heat resource types whenever possible', { maxLength: 80 }),
    prefix: text('Specifies the prefix to use for the given resource type.', { maxLength: 80 }),
    properties_target: text('Some resource types allow more than one key / value pair per instance.', {
      maxLength: 80,
    }),
    created_at: moment('Date and time of resource type association'),
    updated_at: moment('Date and time of the last resource type association modification'),
  },
  additionalProperties: false,
  required: ['name'],
};

const pages = { first: { type: 'string' }, next: { type: 'string' }, schema: { type: 'string' } };
const pageLinks = [
  { rel: 'first', href: '{first}' },
  { rel: 'next', href: '{next}' },
  { rel: 'describedby', href: '{schema}' },
];

/** A list of documents; the definitions that they refer to go to the top, where references look for them. */
function list(name: string, item: Json): Json {
  const { definitions, ...plain } = item;
  return {
    name,
    properties: { [name]: { type: 'array', items: plain }, ...pages },
    ...(definitions === undefined ? {} : { definitions }),
    links: pageLinks,
  };
}

const PROPERTIES: Json = {
  name: 'properties',
  properties: {
    properties: {
      type: 'object',
      additionalProperties: {
        name: 'property',
        properties: PROPERTY_KEYS,
        additionalProperties: false,
        required: ['title', 'type'],
      },
    },
    ...pages,
  },
  definitions: PROPERTY_DEFINITIONS,
  links: pageLinks,
};

/** The documents below `/v2/schemas/metadefs/`, by name. */
export const METADEF_SCHEMAS: Readonly<Record<string, Json>> = {
  namespace: NAMESPACE,
  namespaces: list('namespaces', NAMESPACE),
  object: OBJECT,
  objects: list('objects', OBJECT),
  property: PROPERTY,
  properties: PROPERTIES,
  tag: TAG,
  tags: list('tags', TAG),
  resource_type: RESOURCE_TYPE,
  resource_types: list('resource_type_associations', RESOURCE_TYPE),
};
