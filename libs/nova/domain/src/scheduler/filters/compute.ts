import { isUp } from '../../instance';
import { matchesExtraSpec } from '../extra-spec-match';
import { attributeOf, attributesOf } from '../host-state';
import type { HostFilter } from './host-filter';

/** No host is refused. */
export const allHostsFilter: HostFilter = { name: 'AllHostsFilter', passes: () => true };

/** Hosts whose nova-compute is enabled and was heard from. */
export const computeFilter: HostFilter = {
  name: 'ComputeFilter',
  passes: (host, { now }) => !host.service.disabled && isUp(host.service, now),
};

export const availabilityZoneFilter: HostFilter = {
  name: 'AvailabilityZoneFilter',
  passes: (host, { spec }) =>
    spec.availability_zone === null || spec.availability_zone === host.service.availability_zone,
};

/** Extra specs without a scope count when the host knows their name; of those with one only `capabilities:` is meant. */
export const computeCapabilitiesFilter: HostFilter = {
  name: 'ComputeCapabilitiesFilter',
  passes: (host, { spec }) => {
    const attributes = attributesOf(host);
    return Object.entries(spec.flavor.extra_specs).every(([key, wanted]) => {
      const scope = key.split(':');
      if (scope.length === 1 ? !Object.hasOwn(attributes, key) : scope.shift() !== 'capabilities') return true;
      const value = attributeOf(attributes, scope);
      return value !== undefined && value !== null && matchesExtraSpec(textOf(value), wanted);
    });
  },
};

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
}
