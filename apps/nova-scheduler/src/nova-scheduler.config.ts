import Type, { type Static } from 'typebox';
import { authConfig, brokerConfig, commonConfig, databaseConfig } from '@nestack/kernel/config';

const multiplier = (what: string) =>
  Type.Optional(Type.Number({ default: 1, description: `How much free ${what} counts; below 0 it stacks servers.` }));

/** Settings of nova-scheduler, named as upstream's in `[filter_scheduler]` and `[scheduler]`. */
export const novaSchedulerConfig = Type.Object(
  {
    ...commonConfig,
    ...databaseConfig,
    ...brokerConfig,
    ...authConfig,
    enabled_filters: Type.Optional(
      Type.Array(Type.String(), { description: 'Names of the filters that run, in their order; all by default.' }),
    ),
    host_subset_size: Type.Optional(
      Type.Integer({ minimum: 1, default: 1, description: 'Among how many of the best hosts one is drawn.' }),
    ),
    ram_weight_multiplier: multiplier('memory'),
    cpu_weight_multiplier: multiplier('processors'),
    disk_weight_multiplier: multiplier('disk'),
    soft_affinity_weight_multiplier: Type.Optional(
      Type.Number({ default: 1, description: 'How much members of a soft-affinity group on a host count.' }),
    ),
    soft_anti_affinity_weight_multiplier: Type.Optional(
      Type.Number({ default: 1, description: 'How much members of a soft-anti-affinity group on a host count.' }),
    ),
    max_placement_results: Type.Optional(
      Type.Integer({ minimum: 1, default: 1000, description: 'Most hosts that are looked at for one server.' }),
    ),
  },
  { additionalProperties: false },
);

export type NovaSchedulerConfig = Static<typeof novaSchedulerConfig>;
