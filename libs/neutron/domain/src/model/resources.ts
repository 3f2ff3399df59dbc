import type {
  AddressPair,
  AllocationPool,
  DhcpOption,
  FixedIp,
  HostRoute,
  Ipv6Mode,
  RbacObjectType,
} from '@nestack/neutron/contract';

/**
 * Resources as they are kept. Their keys are the names that they have on the wire, prefixes included, so that filters, sort
 * keys, policies and answers need no second vocabulary.
 */
export interface Standard {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly revision_number: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface Network extends Standard {
  readonly status: 'ACTIVE' | 'DOWN';
  /** Ids, oldest first. */
  readonly subnets: readonly string[];
  readonly admin_state_up: boolean;
  /** Whether every project sees it by an RBAC policy, or the viewer's own does. */
  readonly shared: boolean;
  readonly 'router:external': boolean;
  readonly is_default: boolean;
  readonly mtu: number;
  readonly port_security_enabled: boolean;
  readonly availability_zone_hints: readonly string[];
  /** Zones of the agents that serve it. */
  readonly availability_zones: readonly string[];
  readonly dns_domain: string;
  readonly ipv4_address_scope: string | null;
  readonly ipv6_address_scope: string | null;
  readonly 'provider:network_type': string;
  readonly 'provider:physical_network': string | null;
  readonly 'provider:segmentation_id': number | null;
}

export interface Subnet extends Standard {
  readonly network_id: string;
  readonly ip_version: 4 | 6;
  readonly cidr: string;
  readonly gateway_ip: string | null;
  readonly enable_dhcp: boolean;
  readonly ipv6_ra_mode: Ipv6Mode | null;
  readonly ipv6_address_mode: Ipv6Mode | null;
  readonly dns_nameservers: readonly string[];
  readonly host_routes: readonly HostRoute[];
  readonly service_types: readonly string[];
  readonly dns_publish_fixed_ip: boolean;
  readonly subnetpool_id: string | null;
  readonly allocation_pools: readonly AllocationPool[];
  readonly segment_id: null;
}

export interface Port extends Standard {
  readonly network_id: string;
  readonly mac_address: string;
  readonly admin_state_up: boolean;
  readonly status: 'ACTIVE' | 'DOWN';
  readonly device_id: string;
  readonly device_owner: string;
  readonly fixed_ips: readonly FixedIp[];
  readonly security_groups: readonly string[];
  readonly port_security_enabled: boolean;
  readonly allowed_address_pairs: readonly Required<AddressPair>[];
  readonly extra_dhcp_opts: readonly DhcpOption[];
  readonly dns_name: string;
  readonly dns_domain: string;
  readonly propagate_uplink_status: boolean;
  readonly ip_allocation: 'immediate' | 'none';
  readonly 'binding:vnic_type': string;
  /** Empty while unbound. */
  readonly 'binding:host_id': string;
  readonly 'binding:profile': Readonly<Record<string, unknown>>;
  readonly 'binding:vif_type': VifType;
  readonly 'binding:vif_details': Readonly<Record<string, unknown>>;
}

export type VifType = 'unbound' | 'bridge' | 'binding_failed';

/** The binding of a port to a host other than its active one. */
export interface PortBinding {
  readonly port_id: string;
  readonly host: string;
  readonly vnic_type: string;
  readonly profile: Readonly<Record<string, unknown>>;
  readonly vif_type: VifType;
  readonly vif_details: Readonly<Record<string, unknown>>;
}

export interface SecurityGroupRule extends Omit<Standard, 'name' | 'tags'> {
  readonly security_group_id: string;
  readonly direction: 'ingress' | 'egress';
  readonly ethertype: 'IPv4' | 'IPv6';
  readonly protocol: string | null;
  readonly port_range_min: number | null;
  readonly port_range_max: number | null;
  readonly remote_ip_prefix: string | null;
  readonly remote_group_id: string | null;
  readonly belongs_to_default_sg: boolean;
}

export interface SecurityGroup extends Standard {
  readonly stateful: boolean;
  readonly is_default: boolean;
  readonly shared: boolean;
}

export interface SubnetPool extends Standard {
  readonly ip_version: 4 | 6;
  readonly prefixes: readonly string[];
  readonly default_prefixlen: number;
  readonly min_prefixlen: number;
  readonly max_prefixlen: number;
  readonly default_quota: number | null;
  readonly is_default: boolean;
  readonly shared: boolean;
  readonly address_scope_id: string | null;
}

export interface AddressScope extends Standard {
  readonly ip_version: 4 | 6;
  readonly shared: boolean;
}

export interface Router extends Standard {
  readonly admin_state_up: boolean;
  readonly status: 'ACTIVE';
  readonly availability_zone_hints: readonly string[];
  readonly availability_zones: readonly string[];
  readonly routes: readonly HostRoute[];
  readonly enable_snat: boolean;
  readonly gateway_network_id: string | null;
  readonly gateway_port_id: string | null;
  readonly gateway_fixed_ips: readonly FixedIp[];
}

export interface FloatingIp extends Standard {
  readonly floating_network_id: string;
  readonly floating_ip_address: string;
  readonly floating_port_id: string;
  readonly port_id: string | null;
  readonly fixed_ip_address: string | null;
  readonly router_id: string | null;
  readonly status: 'ACTIVE' | 'DOWN' | 'ERROR';
  readonly dns_name: string;
  readonly dns_domain: string;
  readonly port_details: Readonly<Record<string, unknown>> | null;
  readonly port_forwardings: readonly Readonly<Record<string, unknown>>[];
}

export interface PortForwarding {
  readonly id: string;
  readonly floatingip_id: string;
  readonly description: string;
  readonly protocol: string;
  readonly internal_port_id: string;
  readonly internal_ip_address: string;
  readonly external_port_start: number;
  readonly external_port_end: number;
  readonly internal_port_start: number;
  readonly internal_port_end: number;
  /** The port where it is one alone, and the range: derived from start and end. */
  readonly external_port: number | null;
  readonly external_port_range: string;
  readonly internal_port: number | null;
  readonly internal_port_range: string;
}

export interface RbacPolicy {
  readonly id: string;
  readonly project_id: string;
  readonly object_type: RbacObjectType;
  readonly object_id: string;
  readonly action: string;
  readonly target_tenant: string;
}

export interface Agent {
  readonly id: string;
  readonly agent_type: string;
  readonly binary: string;
  readonly topic: string;
  readonly host: string;
  readonly availability_zone: string | null;
  readonly admin_state_up: boolean;
  readonly alive: boolean;
  readonly description: string | null;
  readonly configurations: Readonly<Record<string, unknown>>;
  readonly created_at: Date;
  readonly started_at: Date;
  readonly heartbeat_timestamp: Date;
}

/** Who looks: a project, or somebody who sees all. */
export interface Viewer {
  readonly projectId: string | null;
  readonly all: boolean;
}

/** For what the service does on its own. */
export const EVERYTHING: Viewer = { projectId: null, all: true };

/** A list request. */
export interface ListQuery {
  /** Values by attribute: one of them has to match. */
  readonly filters: ReadonlyMap<string, readonly string[]>;
  readonly sort: readonly { readonly key: string; readonly direction: 'asc' | 'desc' }[];
  readonly limit: number | null;
  readonly marker: string | null;
  readonly reverse: boolean;
}

/** Everything, in the order of ids. */
export const ALL: ListQuery = { filters: new Map(), sort: [], limit: null, marker: null, reverse: false };

export function where(filters: Readonly<Record<string, string | readonly string[]>>): ListQuery {
  const entries = Object.entries(filters).map(
    ([name, value]) => [name, typeof value === 'string' ? [value] : value] as const,
  );
  return { ...ALL, filters: new Map(entries) };
}
