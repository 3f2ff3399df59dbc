/** The newest version of the identity API. */
export const KEYSTONE_VERSION = 'v3.14';

type Document = (request: { readonly rootUrl: string }) => { readonly status: number; readonly body: unknown };

function version(rootUrl: string): Record<string, unknown> {
  return {
    id: KEYSTONE_VERSION,
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${rootUrl}/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  };
}

const v3: Document = ({ rootUrl }) => ({ status: 200, body: { version: version(rootUrl) } });

/** Version documents by path. upstream: keystone/api/discovery.py */
export const keystoneDocuments: Readonly<Record<string, Document>> = {
  '/': ({ rootUrl }) => ({ status: 300, body: { versions: { values: [version(rootUrl)] } } }),
  '/v3': v3,
  '/v3/': v3,
};
