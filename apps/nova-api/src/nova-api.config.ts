import Type, { type Static } from 'typebox';
import { apiConfig, authConfig, brokerConfig, commonConfig, databaseConfig } from '@nestack/kernel/config';

/** Settings of nova-api. */
export const novaApiConfig = Type.Object(
  {
    ...commonConfig,
    ...apiConfig,
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, default: 8774 })),
    ...databaseConfig,
    ...brokerConfig,
    ...authConfig,
    allow_resize_to_same_host: Type.Optional(
      Type.Boolean({ default: false, description: 'Whether a server may be resized on the host where it is.' }),
    ),
    metadata_port: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 65535,
        default: 8775,
        description: 'Port of the metadata service for the metadata agents.',
      }),
    ),
    metadata_proxy_shared_secret: Type.String({
      minLength: 1,
      description: 'Secret with which the metadata agents sign whose guest asks; the same as theirs.',
    }),
    novncproxy_base_url: Type.Optional(
      Type.String({
        default: 'http://127.0.0.1:6080/vnc_lite.html',
        description: "nova-novncproxy's page, as browsers reach it.",
      }),
    ),
    token_ttl: Type.Optional(
      Type.Integer({ minimum: 1, default: 600, description: "How many seconds a console's address can be opened." }),
    ),
  },
  { additionalProperties: false },
);

export type NovaApiConfig = Static<typeof novaApiConfig>;
