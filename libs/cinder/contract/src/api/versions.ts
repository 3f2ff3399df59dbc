export const MIN_VERSION = '3.0';
export const MAX_VERSION = '3.71';

/** The one version, as a list also below `/v3`. upstream: cinder/api/versions.py */
export function versionsDocument(rootUrl: string): { versions: object[] } {
  return {
    versions: [
      {
        id: 'v3.0',
        status: 'CURRENT',
        version: MAX_VERSION,
        min_version: MIN_VERSION,
        updated: '2022-08-31T00:00:00Z',
        links: [
          { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' },
          { rel: 'self', href: `${rootUrl}/v3/` },
        ],
        'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' }],
      },
    ],
  };
}
