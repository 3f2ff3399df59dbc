import Type, { type Static } from 'typebox';
import { commonConfig, databaseConfig } from '@nestack/kernel/config';

/** Settings of nova-novncproxy, named as upstream's where it has them. */
export const novaNovncproxyConfig = Type.Object(
  {
    ...commonConfig,
    ...databaseConfig,
    bind: Type.Optional(Type.String({ default: '127.0.0.1', description: 'Address that it listens on.' })),
    port: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 65535, default: 6080, description: 'Its port; 0 takes a free one.' }),
    ),
    allowed_origins: Type.Optional(
      Type.Array(Type.String(), {
        default: [],
        description:
          'Hosts whose pages may open consoles, beside the one that is asked: those of balancers and dashboards.',
      }),
    ),
  },
  { additionalProperties: false },
);

export type NovaNovncproxyConfig = Static<typeof novaNovncproxyConfig>;
