import Type from 'typebox';

/** Settings that every app has; an app's schema is `Type.Object({...commonConfig, ...own}, {additionalProperties: false})`. */
export const commonConfig = {
  host: Type.Optional(
    Type.String({ default: 'localhost', description: 'Name of this host in service lists and host queues.' }),
  ),
  health_port: Type.Optional(Type.Integer({ description: 'Port of /healthcheck for apps without a REST API.' })),
  log_level: Type.Optional(
    Type.Union([Type.Literal('debug'), Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')], {
      default: 'info',
    }),
  ),
};

/** Settings of an app that serves REST. */
export const apiConfig = {
  bind: Type.Optional(Type.String({ default: '127.0.0.1', description: 'Address that the API listens on.' })),
  port: Type.Integer({ minimum: 0, maximum: 65535 }),
  /** Base URL under which clients reach this API, for links. */
  public_url: Type.Optional(Type.String()),
};

export const databaseConfig = {
  database: Type.Object(
    { url: Type.String(), schema: Type.String(), pool_size: Type.Optional(Type.Integer({ minimum: 1, default: 10 })) },
    { additionalProperties: false },
  ),
};

export const brokerConfig = {
  broker: Type.Object(
    {
      url: Type.String(),
      queue_type: Type.Optional(
        Type.Union([Type.Literal('classic'), Type.Literal('quorum')], {
          default: 'classic',
          description: 'Type of the shared queues: quorum for a cluster of RabbitMQ 4.0 or newer.',
        }),
      ),
    },
    { additionalProperties: false },
  ),
};

/** How a service verifies tokens and who it is itself at other services. */
export const authConfig = {
  auth: Type.Object(
    {
      /** Keystone's base URL, e.g. http://127.0.0.1:5000/v3. */
      keystone_url: Type.String(),
      /** Directory of the public keys (PEM) that tokens are verified with. */
      jws_public_keys: Type.String(),
      username: Type.String(),
      password: Type.String(),
      project_name: Type.Optional(Type.String({ default: 'service' })),
      user_domain_id: Type.Optional(Type.String({ default: 'default' })),
      project_domain_id: Type.Optional(Type.String({ default: 'default' })),
      region: Type.Optional(Type.String({ default: 'RegionOne' })),
      policy_file: Type.Optional(Type.String()),
    },
    { additionalProperties: false },
  ),
};
