import { operation } from '@nestack/kernel/http';
import Type from 'typebox';

const Extension = Type.Object({
  alias: Type.String(),
  name: Type.String(),
  description: Type.String(),
  updated: Type.String(),
  links: Type.Array(Type.Unknown()),
});

export const listExtensions = operation({
  id: 'listExtensions',
  summary: 'Lists the extensions of this API',
  method: 'GET',
  path: '/extensions',
  response: Type.Object({ extensions: Type.Array(Extension) }),
  status: 200,
});
export const showExtension = operation({
  id: 'showExtension',
  summary: 'Shows an extension',
  method: 'GET',
  path: '/extensions/{alias}',
  response: Type.Object({ extension: Extension }),
  status: 200,
});
export const listServiceProviders = operation({
  id: 'listServiceProviders',
  summary: 'Lists providers of advanced services',
  method: 'GET',
  path: '/service-providers',
  query: Type.Object(
    {
      service_type: Type.Optional(Type.Array(Type.String())),
      name: Type.Optional(Type.Array(Type.String())),
      default: Type.Optional(Type.Array(Type.String())),
    },
    { additionalProperties: true },
  ),
  response: Type.Object({
    service_providers: Type.Array(
      Type.Object({ service_type: Type.String(), name: Type.String(), default: Type.Boolean() }),
    ),
  }),
  status: 200,
});

/** `GET /` */
export function versionsDocument(rootUrl: string): { versions: object[] } {
  return {
    versions: [{ id: 'v2.0', status: 'CURRENT', links: [{ rel: 'self', href: `${rootUrl}/v2.0/` }] }],
  };
}

/** `GET /v2.0`: the core resources. upstream: neutron/pecan_wsgi/controllers/root.py V2Controller */
export function resourcesDocument(rootUrl: string): { resources: object[] } {
  const collections = { networks: 'network', subnets: 'subnet', ports: 'port', subnetpools: 'subnetpool' };
  return {
    resources: Object.entries(collections).map(([collection, name]) => ({
      name,
      collection,
      links: [{ rel: 'self', href: `${rootUrl}/v2.0/${collection}` }],
    })),
  };
}
