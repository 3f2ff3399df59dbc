import Type, { type Static } from 'typebox';
import { authConfig, brokerConfig, commonConfig, databaseConfig } from '@nestack/kernel/config';

const ratio = (fallback: number, description: string) =>
  Type.Optional(Type.Number({ exclusiveMinimum: 0, default: fallback, description }));

/** Settings of nova-conductor. The allocation ratios and reserves have upstream's names and defaults. */
export const novaConductorConfig = Type.Object(
  {
    ...commonConfig,
    ...databaseConfig,
    ...brokerConfig,
    ...authConfig,
    shutdown_timeout: Type.Optional(
      Type.Integer({ minimum: 0, default: 60, description: 'Seconds that a guest gets to power itself off.' }),
    ),
    vif_plugging_timeout: Type.Optional(
      Type.Integer({ minimum: 1, default: 300, description: 'Seconds that a boot waits for its ports.' }),
    ),
    cpu_allocation_ratio: ratio(4, 'Virtual CPUs given out per CPU of a host.'),
    ram_allocation_ratio: ratio(1, 'Memory given out per memory of a host.'),
    disk_allocation_ratio: ratio(1, 'Disk given out per disk of a host.'),
    reserved_host_memory_mb: Type.Optional(
      Type.Integer({ minimum: 0, default: 512, description: 'MiB of memory that a host keeps for itself.' }),
    ),
    reserved_host_disk_mb: Type.Optional(
      Type.Integer({ minimum: 0, default: 0, description: 'MiB of disk that a host keeps for itself.' }),
    ),
  },
  { additionalProperties: false },
);

export type NovaConductorConfig = Static<typeof novaConductorConfig>;
