import { hostname } from 'node:os';
import type { Provider } from '@nestjs/common';
import { LOGGER } from '@nestack/kernel/app';
import { systemClock } from '@nestack/kernel/clock';
import { DATABASE, type Database } from '@nestack/kernel/db';
import { API_CLIENTS, type ApiClients } from '@nestack/kernel/http';
import type { Logger } from '@nestack/kernel/log';
import { PlacementClient } from '@nestack/nova/clients';
import { HostStatesRepository, ServerGroupsRepository, ServicesRepository } from '@nestack/nova/data';
import {
  DEFAULT_FILTERS,
  filtersNamed,
  FilterScheduler,
  PLACEMENT_PORT,
  weighersWith,
  type FilterOptions,
  type PlacementPort,
  type WeightMultipliers,
} from '@nestack/nova/domain';
import { ServiceHeartbeat } from '@nestack/nova/rpc';
import type { NovaSchedulerConfig } from './nova-scheduler.config';

type SchedulerSettings = Omit<NovaSchedulerConfig, 'database' | 'broker' | 'auth'>;

/** The scheduler itself, over the kernel's parts and Placement. */
export function schedulerProvider(config: SchedulerSettings): Provider {
  return {
    provide: FilterScheduler,
    inject: [DATABASE, PLACEMENT_PORT, LOGGER],
    useFactory: (db: Database, placement: PlacementPort, log: Logger) =>
      new FilterScheduler({
        tx: db,
        clock: systemClock,
        hosts: new HostStatesRepository(),
        groups: new ServerGroupsRepository(),
        placement,
        filters: filtersNamed(config.enabled_filters ?? DEFAULT_FILTERS, given(config, FILTER_SETTINGS)),
        weighers: weighersWith(multipliersOf(config)),
        hostSubsetSize: config.host_subset_size ?? 1,
        maxPlacementResults: config.max_placement_results ?? 1000,
        random: () => Math.random(),
        log,
      }),
  };
}

const FILTER_SETTINGS = [
  'max_io_ops_per_host',
  'max_instances_per_host',
  'isolated_hosts',
  'isolated_images',
  'restrict_isolated_hosts_to_isolated_images',
] as const satisfies readonly (keyof FilterOptions)[];

/** The settings of these names that are set. */
function given<K extends keyof SchedulerSettings>(
  config: SchedulerSettings,
  keys: readonly K[],
): Partial<FilterOptions> {
  return Object.fromEntries(keys.flatMap((key) => (config[key] === undefined ? [] : [[key, config[key]]])));
}

function multipliersOf(config: SchedulerSettings): Partial<WeightMultipliers> {
  const settings: Partial<Record<keyof WeightMultipliers, number | undefined>> = {
    ram: config.ram_weight_multiplier,
    cpu: config.cpu_weight_multiplier,
    disk: config.disk_weight_multiplier,
    io_ops: config.io_ops_weight_multiplier,
    num_instances: config.num_instances_weight_multiplier,
    hypervisor_version: config.hypervisor_version_weight_multiplier,
    soft_affinity: config.soft_affinity_weight_multiplier,
    soft_anti_affinity: config.soft_anti_affinity_weight_multiplier,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** nova-scheduler's own providers. */
export function novaSchedulerProviders(config: SchedulerSettings): Provider[] {
  const host = config.host ?? hostname();
  return [
    {
      provide: PLACEMENT_PORT,
      inject: [API_CLIENTS],
      useFactory: (clients: ApiClients) => new PlacementClient(clients),
    },
    schedulerProvider(config),
    {
      provide: ServiceHeartbeat,
      inject: [DATABASE, LOGGER],
      useFactory: (db: Database, log: Logger) => {
        const services = new ServicesRepository();
        return new ServiceHeartbeat(
          () =>
            db.run('service.beat', (tx) => services.beat(tx, host, 'nova-scheduler', 'scheduler', systemClock.now())),
          log,
        );
      },
    },
  ];
}
