import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import {
  Description,
  Enabled,
  Id,
  Nullable,
  SelfLink,
  allOf,
  crudOperations,
  filters,
  text,
  Extensible,
} from './common';

const rules = (plural: string, singular: string) => ({
  list: `identity:list_${plural}`,
  get: `identity:get_${singular}`,
  create: `identity:create_${singular}`,
  update: `identity:update_${singular}`,
  delete: `identity:delete_${singular}`,
});

const ServiceType = Type.String({ minLength: 1, maxLength: 255 });
export const Service = Extensible({
  id: Type.String(),
  type: Type.String(),
  name: Type.Optional(Nullable(Type.String())),
  description: Type.Optional(Nullable(Type.String())),
  enabled: Type.Boolean(),
  links: SelfLink,
});
export const services = crudOperations({
  noun: 'Service',
  plural: 'Services',
  key: 'service',
  collection: 'services',
  query: filters({ name: text, type: text }),
  create: Type.Object({
    type: ServiceType,
    name: Type.Optional(Nullable(Type.String())),
    description: Description,
    enabled: Enabled,
  }),
  update: Type.Object(
    {
      type: Type.Optional(ServiceType),
      name: Type.Optional(Nullable(Type.String())),
      description: Description,
      enabled: Enabled,
    },
    { minProperties: 1 },
  ),
  resource: Service,
  policies: rules('services', 'service'),
});

const Interface = Type.Enum(['public', 'internal', 'admin']);
const Url = Type.String({ minLength: 1, maxLength: 225, pattern: '^[a-zA-Z0-9+.-]+:.+' });
export const Endpoint = Extensible({
  id: Type.String(),
  service_id: Type.String(),
  interface: Type.String(),
  region: Nullable(Type.String()),
  region_id: Nullable(Type.String()),
  url: Type.String(),
  enabled: Type.Boolean(),
  links: SelfLink,
});
const endpointFields = {
  region: Type.Optional(Nullable(Type.String())),
  region_id: Type.Optional(Nullable(Type.String())),
  name: Type.Optional(Type.String()),
  description: Description,
  enabled: Enabled,
};
export const endpoints = crudOperations({
  noun: 'Endpoint',
  plural: 'Endpoints',
  key: 'endpoint',
  collection: 'endpoints',
  query: filters({ interface: text, service_id: text, region: text, region_id: text }),
  create: Type.Object({ service_id: Id, interface: Interface, url: Url, ...endpointFields }),
  update: Type.Object(
    { service_id: Type.Optional(Id), interface: Type.Optional(Interface), url: Type.Optional(Url), ...endpointFields },
    { minProperties: 1 },
  ),
  resource: Endpoint,
  policies: rules('endpoints', 'endpoint'),
});

const RegionId = Type.String({ minLength: 1, maxLength: 255 });
export const Region = Extensible({
  id: Type.String(),
  description: Type.String(),
  parent_region_id: Nullable(Type.String()),
  links: SelfLink,
});
const regionFields = { description: Description, parent_region_id: Type.Optional(Nullable(Type.String())) };
export const regions = crudOperations({
  noun: 'Region',
  plural: 'Regions',
  key: 'region',
  collection: 'regions',
  query: filters({ parent_region_id: text }),
  create: Type.Object({ id: Type.Optional(Nullable(RegionId)), ...regionFields }),
  update: Type.Object(regionFields, { minProperties: 1 }),
  resource: Region,
  policies: rules('regions', 'region'),
});
export const putRegion = operation({
  id: 'putRegion',
  summary: 'Create a region with a chosen id',
  method: 'PUT',
  path: '/regions/{region_id}',
  body: Type.Object({ region: Type.Object({ id: Type.Optional(Nullable(RegionId)), ...regionFields }) }),
  response: Type.Object({ region: Region }),
  status: 201,
  policy: 'identity:create_region',
});

export const Credential = Extensible({
  id: Type.String(),
  type: Type.String(),
  blob: Type.String(),
  user_id: Type.String(),
  project_id: Nullable(Type.String()),
  links: SelfLink,
});
const credentialFields = {
  type: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  blob: Type.Optional(Type.String()),
  project_id: Type.Optional(Nullable(Id)),
  user_id: Type.Optional(Id),
};
export const credentials = crudOperations({
  noun: 'Credential',
  plural: 'Credentials',
  key: 'credential',
  collection: 'credentials',
  query: filters({ user_id: text, type: text }),
  create: Type.Object({
    ...credentialFields,
    type: Type.String({ minLength: 1, maxLength: 255 }),
    blob: Type.String(),
    user_id: Id,
  }),
  update: Type.Object(credentialFields, { minProperties: 1 }),
  resource: Credential,
});

export const catalogOperations = [
  ...allOf(services),
  ...allOf(endpoints),
  ...allOf(regions),
  putRegion,
  ...allOf(credentials),
];
