import Type, { type Static } from 'typebox';

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const FixedIp = Type.Object({ subnet_id: Type.String(), ip_address: Type.String() });
export type FixedIp = Static<typeof FixedIp>;

/** What a host needs to know of a network to carry it. */
export const NetworkInfo = Type.Object({
  id: Type.String(),
  project_id: Type.String(),
  network_type: Type.String(),
  segmentation_id: Nullable(Type.Integer()),
  /** Of flat and VLAN networks: which of the hosts' physical networks carries it. */
  physical_network: Type.Optional(Nullable(Type.String())),
  mtu: Type.Integer(),
  admin_state_up: Type.Boolean(),
  /** Tunnel addresses of the hosts that carry the network, this one included. */
  tunnel_endpoints: Type.Array(Type.String()),
});
export type NetworkInfo = Static<typeof NetworkInfo>;

/** A port as the host that it is bound to wires and filters it. */
export const DeviceDetails = Type.Object({
  port_id: Type.String(),
  /** `tap` + first 11 characters of the port's id. */
  device: Type.String(),
  network: NetworkInfo,
  project_id: Type.String(),
  mac_address: Type.String(),
  admin_state_up: Type.Boolean(),
  fixed_ips: Type.Array(FixedIp),
  device_id: Type.String(),
  device_owner: Type.String(),
  port_security_enabled: Type.Boolean(),
  allowed_address_pairs: Type.Array(Type.Object({ ip_address: Type.String(), mac_address: Type.String() })),
  security_groups: Type.Array(Type.String()),
});
export type DeviceDetails = Static<typeof DeviceDetails>;

export const SecurityGroupRuleInfo = Type.Object({
  direction: Type.Union([Type.Literal('ingress'), Type.Literal('egress')]),
  ethertype: Type.Union([Type.Literal('IPv4'), Type.Literal('IPv6')]),
  /** Name or number as text; null is any. */
  protocol: Nullable(Type.String()),
  port_range_min: Nullable(Type.Integer()),
  port_range_max: Nullable(Type.Integer()),
  remote_ip_prefix: Nullable(Type.String()),
  remote_group_id: Nullable(Type.String()),
});
export type SecurityGroupRuleInfo = Static<typeof SecurityGroupRuleInfo>;

/** A security group with its rules and the addresses of its members. */
export const SecurityGroupInfo = Type.Object({
  id: Type.String(),
  rules: Type.Array(SecurityGroupRuleInfo),
  members: Type.Array(Type.String()),
});
export type SecurityGroupInfo = Static<typeof SecurityGroupInfo>;

export const SubnetInfo = Type.Object({
  id: Type.String(),
  cidr: Type.String(),
  ip_version: Type.Integer(),
  gateway_ip: Nullable(Type.String()),
  enable_dhcp: Type.Boolean(),
  dns_nameservers: Type.Array(Type.String()),
  host_routes: Type.Array(Type.Object({ destination: Type.String(), nexthop: Type.String() })),
  ipv6_address_mode: Nullable(Type.String()),
  ipv6_ra_mode: Nullable(Type.String()),
});
export type SubnetInfo = Static<typeof SubnetInfo>;

/** A port as DHCP and the metadata proxy know it. */
export const DhcpPort = Type.Object({
  id: Type.String(),
  network_id: Type.String(),
  project_id: Type.String(),
  mac_address: Type.String(),
  fixed_ips: Type.Array(FixedIp),
  device_id: Type.String(),
  device_owner: Type.String(),
  extra_dhcp_opts: Type.Array(
    Type.Object({ opt_name: Type.String(), opt_value: Nullable(Type.String()), ip_version: Type.Integer() }),
  ),
  /** The host's name in its network; empty for one that is made from the address. */
  dns_name: Type.Optional(Type.String()),
  revision_number: Type.Integer(),
});
export type DhcpPort = Static<typeof DhcpPort>;

/** A network with everything that its DHCP server serves. */
export const DhcpNetwork = Type.Object({
  network: NetworkInfo,
  subnets: Type.Array(SubnetInfo),
  ports: Type.Array(DhcpPort),
  /** The port of the DHCP server itself. */
  dhcp_port_id: Type.String(),
});
export type DhcpNetwork = Static<typeof DhcpNetwork>;

export const AgentState = Type.Object({
  agent_type: Type.String(),
  binary: Type.String(),
  host: Type.String(),
  topic: Type.String(),
  availability_zone: Nullable(Type.String()),
  configurations: Type.Record(Type.String(), Type.Unknown()),
  /** True in the first report after a start. */
  start_flag: Type.Boolean(),
});
export type AgentState = Static<typeof AgentState>;

/** A router's port with what its namespace needs to know. */
export const RouterPort = Type.Object({
  id: Type.String(),
  mac_address: Type.String(),
  network: NetworkInfo,
  /** With the prefix lengths of their subnets. */
  fixed_ips: Type.Array(
    Type.Object({ subnet_id: Type.String(), ip_address: Type.String(), prefixlen: Type.Integer() }),
  ),
  subnets: Type.Array(SubnetInfo),
});
export type RouterPort = Static<typeof RouterPort>;

export const RouterFloatingIp = Type.Object({
  id: Type.String(),
  floating_ip_address: Type.String(),
  fixed_ip_address: Type.String(),
  /** The guest's port. */
  port_id: Type.String(),
  status: Type.String(),
});
export type RouterFloatingIp = Static<typeof RouterFloatingIp>;

/** Ports of one floating IP that lead to guests; nothing else of it does. */
export const RouterForwardingIp = Type.Object({
  /** Of the floating IP. */
  id: Type.String(),
  floating_ip_address: Type.String(),
  status: Type.String(),
  forwardings: Type.Array(
    Type.Object({
      protocol: Type.String(),
      /** First and last port; as many inside as outside, or one. */
      external_ports: Type.Tuple([Type.Integer(), Type.Integer()]),
      internal_ip_address: Type.String(),
      internal_ports: Type.Tuple([Type.Integer(), Type.Integer()]),
    }),
  ),
});
export type RouterForwardingIp = Static<typeof RouterForwardingIp>;

/** A router with everything that the host that carries it makes of it. */
export const RouterInfo = Type.Object({
  id: Type.String(),
  project_id: Type.String(),
  admin_state_up: Type.Boolean(),
  /** Whether addresses without a floating IP go out under the gateway's own. */
  enable_snat: Type.Boolean(),
  gateway_port: Nullable(RouterPort),
  interfaces: Type.Array(RouterPort),
  routes: Type.Array(Type.Object({ destination: Type.String(), nexthop: Type.String() })),
  floating_ips: Type.Array(RouterFloatingIp),
  forwarding_ips: Type.Optional(Type.Array(RouterForwardingIp)),
  revision_number: Type.Integer(),
});
export type RouterInfo = Static<typeof RouterInfo>;
