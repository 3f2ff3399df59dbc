/** Nova's microversions served here. */
export const NOVA_MIN_VERSION = '2.1';
export const NOVA_MAX_VERSION = '2.96';

const UPDATED_20 = '2011-01-21T11:33:21Z';
const UPDATED_21 = '2013-07-23T11:33:21Z';

interface VersionEntry {
  readonly id: string;
  readonly status: string;
  readonly version: string;
  readonly min_version: string;
  readonly updated: string;
  readonly links: readonly { readonly rel: string; readonly href: string; readonly type?: string }[];
  readonly 'media-types'?: readonly { readonly base: string; readonly type: string }[];
}

function entry(rootUrl: string, id: 'v2.0' | 'v2.1', full: boolean): VersionEntry {
  const path = id === 'v2.0' ? 'v2' : 'v2.1';
  return {
    id,
    status: id === 'v2.0' ? 'SUPPORTED' : 'CURRENT',
    version: id === 'v2.0' ? '' : NOVA_MAX_VERSION,
    min_version: id === 'v2.0' ? '' : NOVA_MIN_VERSION,
    updated: id === 'v2.0' ? UPDATED_20 : UPDATED_21,
    links: [
      { rel: 'self', href: `${rootUrl}/${path}/` },
      ...(full ? [{ rel: 'describedby', type: 'text/html', href: 'http://docs.openstack.org/' }] : []),
    ],
    ...(full
      ? {
          'media-types': [
            { base: 'application/json', type: `application/vnd.openstack.compute+json;version=${path.slice(1)}` },
          ],
        }
      : {}),
  };
}

type Document = (request: { readonly rootUrl: string }) => { readonly status: number; readonly body: unknown };

/** Version documents by path. upstream: nova/api/openstack/compute/versions.py */
export const novaDocuments: Readonly<Record<string, Document>> = {
  '/': ({ rootUrl }) => ({
    status: 200,
    body: { versions: [entry(rootUrl, 'v2.0', false), entry(rootUrl, 'v2.1', false)] },
  }),
  '/v2.1': ({ rootUrl }) => ({ status: 200, body: { version: entry(rootUrl, 'v2.1', true) } }),
  '/v2.1/': ({ rootUrl }) => ({ status: 200, body: { version: entry(rootUrl, 'v2.1', true) } }),
  '/v2': ({ rootUrl }) => ({ status: 200, body: { version: entry(rootUrl, 'v2.0', true) } }),
  '/v2/': ({ rootUrl }) => ({ status: 200, body: { version: entry(rootUrl, 'v2.0', true) } }),
};
