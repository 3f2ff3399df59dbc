import { matchesExtraSpec } from '../extra-spec-match';
import type { HostState } from '../host-state';
import type { HostFilter } from './host-filter';

/** All values of all aggregates of a host by key; a value may be a list with commas. */
function metadataOf(host: HostState): ReadonlyMap<string, ReadonlySet<string>> {
  const all = new Map<string, Set<string>>();
  for (const [key, value] of host.aggregates.flatMap((metadata) => Object.entries(metadata))) {
    const values = all.get(key) ?? new Set<string>();
    for (const one of value.split(',')) values.add(one.trim());
    all.set(key, values);
  }
  return all;
}

/**
 * Every extra spec of the flavor without a scope, or with the scope `aggregate_instance_extra_specs`, must be met by the
 * metadata of one of the host's aggregates. upstream: nova/scheduler/filters/aggregate_instance_extra_specs.py
 */
export const aggregateInstanceExtraSpecsFilter: HostFilter = {
  name: 'AggregateInstanceExtraSpecsFilter',
  passes: (host, { spec }) => {
    const metadata = metadataOf(host);
    return Object.entries(spec.flavor.extra_specs).every(([name, wanted]) => {
      const [scope = '', ...rest] = name.split(':');
      if (rest.length > 0 && scope !== 'aggregate_instance_extra_specs') return true;
      const values = metadata.get(rest.length === 0 ? scope : rest.join(':')) ?? [];
      return [...values].some((value) => matchesExtraSpec(value, wanted));
    });
  },
};

/** Hosts of aggregates whose metadata have keys `filter_tenant_id…` are for the projects that these name alone. */
export const aggregateMultiTenancyIsolation: HostFilter = {
  name: 'AggregateMultiTenancyIsolation',
  passes: (host, { spec }) => {
    const projects = [...metadataOf(host)].flatMap(([key, values]) =>
      key.startsWith('filter_tenant_id') ? [...values] : [],
    );
    return projects.length === 0 || projects.includes(spec.project_id);
  },
};

/** Where an aggregate's metadata and the image's properties have a key in common, the values must be too. */
export const aggregateImagePropertiesIsolation: HostFilter = {
  name: 'AggregateImagePropertiesIsolation',
  onRebuild: true,
  passes: (host, { spec }) =>
    [...metadataOf(host)].every(([key, values]) => {
      const property = Object.hasOwn(spec.image_properties, key) ? spec.image_properties[key] : undefined;
      if (property === undefined || property === null || property === '') return true;
      return values.has(typeof property === 'string' ? property : JSON.stringify(property));
    }),
};

/** Hosts of aggregates whose metadata have the key `instance_type` are for the flavors that it names alone. */
export const aggregateTypeAffinityFilter: HostFilter = {
  name: 'AggregateTypeAffinityFilter',
  passes: (host, { spec }) => {
    const names = metadataOf(host).get('instance_type');
    return names === undefined || names.has(spec.flavor.name);
  },
};
