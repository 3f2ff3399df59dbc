import Type, { type Static } from 'typebox';
import { apiConfig, authConfig, brokerConfig, commonConfig, databaseConfig } from '@nestack/kernel/config';

/** Settings of placement. */
export const placementConfig = Type.Object(
  {
    ...commonConfig,
    ...apiConfig,
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, default: 8778 })),
    ...databaseConfig,
    ...brokerConfig,
    ...authConfig,
  },
  { additionalProperties: false },
);

export type PlacementConfig = Static<typeof placementConfig>;
