import Type, { type Static } from 'typebox';
import { authConfig, brokerConfig, commonConfig, databaseConfig } from '@nestack/kernel/config';
import { DEFAULT_FILTERS } from '@nestack/nova/domain';

const multiplier = (byDefault: number, description: string) =>
  Type.Optional(Type.Number({ default: byDefault, description }));

/** Settings of nova-scheduler, named as upstream's in `[filter_scheduler]` and `[scheduler]`. */
export const novaSchedulerConfig = Type.Object(
  {
    ...commonConfig,
    ...databaseConfig,
    ...brokerConfig,
    ...authConfig,
    enabled_filters: Type.Optional(
      Type.Array(Type.String(), {
        default: [...DEFAULT_FILTERS],
        description: 'Names of the filters that run, in their order.',
      }),
    ),
    max_io_ops_per_host: Type.Optional(
      Type.Integer({ default: 8, description: 'IoOpsFilter: fewer servers than this are being worked on.' }),
    ),
    max_instances_per_host: Type.Optional(
      Type.Integer({ minimum: 1, default: 50, description: 'NumInstancesFilter: fewer servers than this are on it.' }),
    ),
    isolated_hosts: Type.Optional(
      Type.Array(Type.String(), { default: [], description: 'IsolatedHostsFilter: the hosts of isolated images.' }),
    ),
    isolated_images: Type.Optional(
      Type.Array(Type.String(), { default: [], description: 'IsolatedHostsFilter: images that run there alone.' }),
    ),
    restrict_isolated_hosts_to_isolated_images: Type.Optional(
      Type.Boolean({
        default: true,
        description: 'IsolatedHostsFilter: whether other images are kept away from there.',
      }),
    ),
    host_subset_size: Type.Optional(
      Type.Integer({ minimum: 1, default: 1, description: 'Among how many of the best hosts one is drawn.' }),
    ),
    ram_weight_multiplier: multiplier(1, 'How much free memory counts; below 0 it stacks servers.'),
    cpu_weight_multiplier: multiplier(1, 'How much free processors count; below 0 they stack servers.'),
    disk_weight_multiplier: multiplier(1, 'How much free disk counts; below 0 it stacks servers.'),
    io_ops_weight_multiplier: multiplier(-1, 'How much work on disks counts; below 0 it is kept away from.'),
    num_instances_weight_multiplier: multiplier(0, 'How much the number of servers counts; below 0 it spreads them.'),
    hypervisor_version_weight_multiplier: multiplier(1, 'How much a newer hypervisor counts.'),
    soft_affinity_weight_multiplier: multiplier(1, 'How much members of a soft-affinity group on a host count.'),
    soft_anti_affinity_weight_multiplier: multiplier(
      1,
      'How much members of a soft-anti-affinity group on a host count against it.',
    ),
    max_placement_results: Type.Optional(
      Type.Integer({ minimum: 1, default: 1000, description: 'Most hosts that are looked at for one server.' }),
    ),
  },
  { additionalProperties: false },
);

export type NovaSchedulerConfig = Static<typeof novaSchedulerConfig>;
