import Type, { type Static } from 'typebox';
import { apiConfig, authConfig, brokerConfig, commonConfig, databaseConfig } from '@nestack/kernel/config';

const strings = (fallback: string[], description: string) =>
  Type.Optional(Type.Array(Type.String(), { default: fallback, description }));

/** Settings of glance. */
export const glanceConfig = Type.Object(
  {
    ...commonConfig,
    ...apiConfig,
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, default: 9292 })),
    ...databaseConfig,
    ...brokerConfig,
    ...authConfig,
    filesystem_store_datadir: Type.String({ description: 'Directory of the images; the files are named by image id.' }),
    image_size_cap: Type.Optional(
      Type.Integer({ minimum: 1, default: 1_099_511_627_776, description: 'Largest image, bytes.' }),
    ),
    user_storage_quota: Type.Optional(
      Type.Integer({ minimum: 0, default: 0, description: "Bytes that a project's images may take, 0 for any." }),
    ),
    image_property_quota: Type.Optional(Type.Integer({ minimum: 0, default: 128 })),
    image_tag_quota: Type.Optional(Type.Integer({ minimum: 0, default: 128 })),
    image_member_quota: Type.Optional(Type.Integer({ minimum: 0, default: 128 })),
    require_image_format_match: Type.Optional(
      Type.Boolean({ default: true, description: 'Refuse data that is not what disk_format says.' }),
    ),
    import_filtering: Type.Optional(
      Type.Object(
        {
          allowed_schemes: strings(['http', 'https'], 'Schemes of web-download.'),
          allowed_ports: Type.Optional(Type.Array(Type.Integer(), { default: [80, 443] })),
          allowed_hosts: strings([], 'Hosts of web-download; empty for any that is not disallowed.'),
          disallowed_hosts: strings([], 'Hosts that web-download must not reach.'),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

export type GlanceConfig = Static<typeof glanceConfig>;
