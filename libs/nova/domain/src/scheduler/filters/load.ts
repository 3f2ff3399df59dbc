import { aggregateNumber, type HostState } from '../host-state';
import type { FilterOptions, HostFilter } from './host-filter';

/** A filter with a limit from the settings, and its sibling that takes the limit from the host's aggregates first. */
function limited(
  name: string,
  setting: 'max_io_ops_per_host' | 'max_instances_per_host',
  count: (host: HostState) => number,
  options: FilterOptions,
): readonly HostFilter[] {
  return [
    { name, passes: (host) => count(host) < options[setting] },
    {
      name: `Aggregate${name}`,
      passes: (host) => count(host) < aggregateNumber(host, setting, options[setting]),
    },
  ];
}

/** Hosts that are not too busy, by the disk work under way and by their servers. */
export function loadFilters(options: FilterOptions): readonly HostFilter[] {
  return [
    ...limited('IoOpsFilter', 'max_io_ops_per_host', (host) => host.num_io_ops, options),
    ...limited('NumInstancesFilter', 'max_instances_per_host', (host) => host.num_instances, options),
  ];
}

/** Some images run on some hosts only, and these hosts may be theirs alone. upstream: nova/scheduler/filters/isolated_hosts_filter.py */
export function isolatedHostsFilter(options: FilterOptions): HostFilter {
  const hosts = new Set(options.isolated_hosts);
  const images = new Set(options.isolated_images);
  const strict = options.restrict_isolated_hosts_to_isolated_images;
  return {
    name: 'IsolatedHostsFilter',
    onRebuild: true,
    passes: (host, { spec }) => {
      const isolatedHost = hosts.has(host.host);
      if (images.size === 0) return !strict || !isolatedHost;
      const isolatedImage = spec.image_id !== undefined && spec.image_id !== null && images.has(spec.image_id);
      return strict ? isolatedImage === isolatedHost : !isolatedImage || isolatedHost;
    },
  };
}
