/**
 * Where the services differ in how they treat a request before their own code sees it. Keyed by the type in the
 * catalogue, since each is one upstream framework's habit (webob in nova and cinder, flask in keystone, pecan in neutron).
 */
export interface Conventions {
  /** What a body with a Content-Type that is not JSON gets; `ignore` parses it as JSON all the same. */
  readonly wrongContentType: 'unsupported' | 'badRequest' | 'ignore';
  /** Whether a body must come with a Content-Type at all. */
  readonly contentTypeRequired: boolean;
  /** How failures of the body's schema are told. */
  readonly messages: 'nova' | 'keystone' | 'neutron' | 'glance' | 'placement';
  /** Whether an unknown path is answered without looking at the token first. */
  readonly unknownPathPublic: boolean;
  /** Whether a known path with a method that it does not have is 404 (routes' habit) instead of 405. */
  readonly unknownMethodIsNotFound?: boolean;
  /** Names of the service in the catalogue, where it has several. */
  readonly serviceTypes?: readonly string[];
  /** Whether the API's description names the HEAD beside each GET. */
  readonly documentsHead?: boolean;
  /** Whether a path with a slash behind it is another, unknown one: `/volumes/` names no volume. */
  readonly trailingSlashIsNotFound?: boolean;
  /** The request id's second header. */
  readonly requestIdAlias?: string;
}

const TABLE: Readonly<Record<string, Conventions>> = {
  compute: {
    wrongContentType: 'unsupported',
    contentTypeRequired: false,
    messages: 'nova',
    unknownPathPublic: false,
    requestIdAlias: 'x-compute-request-id',
    unknownMethodIsNotFound: true,
    trailingSlashIsNotFound: true,
  },
  volume: {
    serviceTypes: ['block-storage', 'volumev3', 'volume'],
    wrongContentType: 'unsupported',
    contentTypeRequired: false,
    messages: 'nova',
    unknownPathPublic: false,
    requestIdAlias: 'x-compute-request-id',
    unknownMethodIsNotFound: true,
    trailingSlashIsNotFound: true,
  },
  identity: {
    wrongContentType: 'badRequest',
    contentTypeRequired: false,
    messages: 'keystone',
    documentsHead: true,
    unknownPathPublic: true,
  },
  image: {
    wrongContentType: 'ignore',
    contentTypeRequired: false,
    messages: 'glance',
    unknownPathPublic: false,
    trailingSlashIsNotFound: true,
  },
  network: { wrongContentType: 'ignore', contentTypeRequired: false, messages: 'neutron', unknownPathPublic: false },
  placement: {
    wrongContentType: 'unsupported',
    contentTypeRequired: true,
    messages: 'placement',
    unknownPathPublic: false,
  },
};

const DEFAULT: Conventions = {
  wrongContentType: 'unsupported',
  contentTypeRequired: false,
  messages: 'nova',
  unknownPathPublic: false,
};

/** The habits of a service by its catalogue type (`volumev3`, `block-storage` and `volume` are one). */
export function conventionsOf(type: string): Conventions {
  const name = /^(volume|block-st)/.test(type) ? 'volume' : type;
  return TABLE[name] ?? DEFAULT;
}
