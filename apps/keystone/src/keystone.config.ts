import Type, { type Static } from 'typebox';
import { apiConfig, brokerConfig, commonConfig, databaseConfig } from '@nestack/kernel/config';

const bootstrap = Type.Object(
  {
    password: Type.String({
      description: "The administrator's password; changed here, it is changed at the next start.",
    }),
    username: Type.Optional(Type.String({ default: 'admin' })),
    project_name: Type.Optional(Type.String({ default: 'admin' })),
    region_id: Type.Optional(Type.String({ default: 'RegionOne' })),
    public_url: Type.Optional(
      Type.String({ description: "Keystone's own endpoints in the catalogue; none without it." }),
    ),
    internal_url: Type.Optional(Type.String({ description: 'As public_url when absent.' })),
    admin_url: Type.Optional(Type.String({ description: 'As internal_url when absent.' })),
  },
  { additionalProperties: false },
);

/** Settings of keystone. */
export const keystoneConfig = Type.Object(
  {
    ...commonConfig,
    ...apiConfig,
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, default: 5000 })),
    ...databaseConfig,
    ...brokerConfig,
    jws_private_keys: Type.String({ description: 'Directory of the keys that sign tokens; for keystone alone.' }),
    jws_public_keys: Type.String({ description: 'Directory of the keys that every service verifies tokens with.' }),
    key_max_age: Type.Optional(
      Type.Integer({ minimum: 3600, default: 604_800, description: 'After it a new key for tokens is made, seconds.' }),
    ),
    token_provider: Type.Optional(
      Type.Union([Type.Literal('jws'), Type.Literal('fernet')], {
        default: 'jws',
        description: 'JWS: all services verify tokens themselves; Fernet: short ones that keystone alone can read.',
      }),
    ),
    fernet_keys: Type.Optional(
      Type.String({ description: "Directory of Fernet's keys; `fernet` within the private keys when absent." }),
    ),
    credential_key_file: Type.Optional(
      Type.String({ description: 'Key that seals credentials, 32 bytes; beside the private keys when absent.' }),
    ),
    token_expiration: Type.Optional(
      Type.Integer({ minimum: 60, default: 3600, description: 'Lifetime of tokens, seconds.' }),
    ),
    password_hash_concurrency: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 64, default: 2, description: 'Passwords checked at a time, 19 MiB each.' }),
    ),
    policy_file: Type.Optional(Type.String({ description: 'Rules in YAML that replace the built-in ones.' })),
    bootstrap: Type.Optional(bootstrap),
  },
  { additionalProperties: false },
);

export type KeystoneConfig = Static<typeof keystoneConfig>;
