import {
  aggregateImagePropertiesIsolation,
  aggregateInstanceExtraSpecsFilter,
  aggregateMultiTenancyIsolation,
  aggregateTypeAffinityFilter,
} from './filters/aggregates';
import { allHostsFilter, availabilityZoneFilter, computeCapabilitiesFilter, computeFilter } from './filters/compute';
import {
  differentHostFilter,
  sameHostFilter,
  serverGroupAffinityFilter,
  serverGroupAntiAffinityFilter,
  simpleCidrAffinityFilter,
} from './filters/hints';
import { FILTER_DEFAULTS, type FilterOptions, type HostFilter } from './filters/host-filter';
import { imagePropertiesFilter } from './filters/image-properties';
import { jsonFilter } from './filters/json-filter';
import { isolatedHostsFilter, loadFilters } from './filters/load';

export type { FilterOptions, HostFilter } from './filters/host-filter';
export { hintUuids } from './filters/hints';

/** What runs when nothing is configured: upstream's defaults, and those for which its clouds are tested with hints. */
export const DEFAULT_FILTERS: readonly string[] = [
  computeFilter,
  availabilityZoneFilter,
  computeCapabilitiesFilter,
  imagePropertiesFilter,
  serverGroupAntiAffinityFilter,
  serverGroupAffinityFilter,
  differentHostFilter,
  sameHostFilter,
].map((filter) => filter.name);

/** All filters there are. upstream: nova/scheduler/filters, without those for devices that no host here tells of */
export function allFilters(given: Partial<FilterOptions> = {}): readonly HostFilter[] {
  const options = { ...FILTER_DEFAULTS, ...given };
  return [
    allHostsFilter,
    computeFilter,
    availabilityZoneFilter,
    computeCapabilitiesFilter,
    imagePropertiesFilter,
    serverGroupAntiAffinityFilter,
    serverGroupAffinityFilter,
    differentHostFilter,
    sameHostFilter,
    simpleCidrAffinityFilter,
    aggregateInstanceExtraSpecsFilter,
    aggregateMultiTenancyIsolation,
    aggregateImagePropertiesIsolation,
    aggregateTypeAffinityFilter,
    ...loadFilters(options),
    isolatedHostsFilter(options),
    jsonFilter,
  ];
}

/** The filters of these names, in this order. Throws for a name that there is none of. */
export function filtersNamed(names: readonly string[], given: Partial<FilterOptions> = {}): readonly HostFilter[] {
  const all = allFilters(given);
  return names.map((name) => {
    const found = all.find((filter) => filter.name === name);
    if (found === undefined)
      throw new Error(`no scheduler filter ${name}; there are ${all.map((one) => one.name).join(', ')}`);
    return found;
  });
}
