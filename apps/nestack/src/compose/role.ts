/** What one process of a cloud runs: the content of `config/<role>.json`. */
export interface RoleConfig {
  /** Settings by app, in the order in which they are started. */
  readonly apps: Readonly<Record<string, unknown>>;
  /** Sockets below this folder lead to our own loopback ports, for hosts in a network namespace. */
  readonly gateway?: GatewayConfig;
  /** Loopback ports of this process' namespace that lead through a gateway's sockets to the controller's. */
  readonly uplink?: GatewayConfig;
}

export interface GatewayConfig {
  readonly dir: string;
  readonly ports: readonly number[];
}
