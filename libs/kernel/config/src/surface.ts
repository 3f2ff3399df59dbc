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
      description: 'Records below this level are not written.',
    }),
  ),
};

/** Settings of an app that serves REST. */
export const apiConfig = {
  bind: Type.Optional(Type.String({ default: '127.0.0.1', description: 'Address that the API listens on.' })),
  port: Type.Integer({ minimum: 0, maximum: 65535, description: 'Port of the API; 0 takes a free one.' }),
  public_url: Type.Optional(
    Type.String({ description: 'Base URL in links, where it must not be the host that the client used.' }),
  ),
};

export const databaseConfig = {
  database: Type.Object(
    {
      url: Type.String({ description: '`postgres://role:password@host:port/database`.' }),
      schema: Type.String({ description: "The service's own schema." }),
      pool_size: Type.Optional(
        Type.Integer({ minimum: 1, default: 10, description: 'Connections that a process opens at most.' }),
      ),
    },
    { additionalProperties: false },
  ),
};

export const brokerConfig = {
  broker: Type.Object(
    {
      url: Type.String({ description: '`amqp://user:password@host:port/vhost`.' }),
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
      keystone_url: Type.String({ description: "Keystone's base URL with its version." }),
      jws_public_keys: Type.String({
        description: 'Directory of the public keys (PEM) that tokens are verified with.',
      }),
      username: Type.String({ description: 'The service user.' }),
      password: Type.String({ description: 'Its password.' }),
      project_name: Type.Optional(Type.String({ default: 'service' })),
      user_domain_id: Type.Optional(Type.String({ default: 'default' })),
      project_domain_id: Type.Optional(Type.String({ default: 'default' })),
      region: Type.Optional(Type.String({ default: 'RegionOne' })),
      policy_file: Type.Optional(
        Type.String({ description: "Rules in oslo.policy's language (YAML or JSON) in place of the defaults." }),
      ),
    },
    { additionalProperties: false },
  ),
};
