import type { HostState, SchedulingRequest } from '../host-state';

/** Says whether a host may get a server. Named as upstream's, which operators know. */
export interface HostFilter {
  readonly name: string;
  passes(host: HostState, request: SchedulingRequest): boolean;
  /** Whether it is asked as well when a server gets another image where it is. upstream: RUN_ON_REBUILD */
  readonly onRebuild?: boolean;
}

/** Settings of filters, named as upstream's in `[filter_scheduler]`. */
export interface FilterOptions {
  readonly max_io_ops_per_host: number;
  readonly max_instances_per_host: number;
  readonly isolated_hosts: readonly string[];
  readonly isolated_images: readonly string[];
  readonly restrict_isolated_hosts_to_isolated_images: boolean;
}

/** upstream: nova/conf/scheduler.py */
export const FILTER_DEFAULTS: FilterOptions = {
  max_io_ops_per_host: 8,
  max_instances_per_host: 50,
  isolated_hosts: [],
  isolated_images: [],
  restrict_isolated_hosts_to_isolated_images: true,
};
