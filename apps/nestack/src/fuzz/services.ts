/** The services that have an OpenAPI document, with what a fuzz run needs to know of each. */
export interface FuzzedService {
  readonly name: 'keystone' | 'glance' | 'placement' | 'nova' | 'cinder' | 'neutron';
  /** In `OpenStack-API-Version`; null where the API has no microversions. */
  readonly versioned: string | null;
  /**
   * Microversions that share the requests: the oldest, the newest, and some where answers change their form. `max` is whatever
   * the service says.
   */
  readonly versions: readonly (string | null)[];
}

export const FUZZED: readonly FuzzedService[] = [
  { name: 'keystone', versioned: null, versions: [null] },
  { name: 'glance', versioned: null, versions: [null] },
  { name: 'placement', versioned: 'placement', versions: ['1.0', '1.12', '1.28', 'latest'] },
  { name: 'nova', versioned: 'compute', versions: ['2.1', '2.42', '2.67', '2.79', 'latest'] },
  { name: 'cinder', versioned: 'volume', versions: ['3.0', '3.27', '3.50', 'latest'] },
  { name: 'neutron', versioned: null, versions: [null] },
];
