import Type, { type Static } from 'typebox';
import { authConfig, brokerConfig, commonConfig, databaseConfig } from '@nestack/kernel/config';

/** Settings of nova-conductor. */
export const novaConductorConfig = Type.Object(
  {
    ...commonConfig,
    ...databaseConfig,
    ...brokerConfig,
    ...authConfig,
    shutdown_timeout: Type.Optional(
      Type.Integer({ minimum: 0, default: 60, description: 'Seconds that a guest gets to power itself off.' }),
    ),
    max_attempts: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 20, default: 3, description: 'How many hosts are tried for a server.' }),
    ),
    resize_confirm_window: Type.Optional(
      Type.Integer({
        minimum: 0,
        default: 0,
        description: 'Seconds after which a resize or migration confirms itself; 0: never.',
      }),
    ),
    shelved_offload_time: Type.Optional(
      Type.Integer({
        minimum: -1,
        default: 0,
        description: 'Seconds that a shelved server is kept on its host; 0: it leaves at once, -1: only when asked to.',
      }),
    ),
    vif_plugging_timeout: Type.Optional(
      Type.Integer({ minimum: 1, default: 300, description: 'Seconds that a boot waits for its ports.' }),
    ),
  },
  { additionalProperties: false },
);

export type NovaConductorConfig = Static<typeof novaConductorConfig>;
