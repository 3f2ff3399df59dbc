import type {
  AddressScope,
  FloatingIp,
  Network,
  Port,
  PortForwarding,
  RbacPolicy,
  Router,
  SecurityGroup,
  SecurityGroupRule,
  Subnet,
  SubnetPool,
} from '@nestack/neutron/domain';
import { parseIp } from '@nestack/neutron/contract';
import { isUuidLike } from '@nestack/kernel/ids';
import { tagFilters } from './comparison';
import { ResourceTable, type Column } from './resource-table';

const text: Column = { type: 'text' };
const boolean: Column = { type: 'boolean' };
const integer: Column = { type: 'integer' };
const json: Column = { type: 'json' };

const standard = {
  id: { type: 'uuid' },
  project_id: text,
  name: text,
  description: text,
  tags: { type: 'texts' },
  revision_number: integer,
  created_at: { type: 'timestamp' },
  updated_at: { type: 'timestamp' },
} as const;

/** Whether an RBAC policy lets the viewer's project do this with an object. */
function granted(object: string, actions: readonly string[]): string {
  const list = actions.map((action) => `'${action}'`).join(', ');
  return `EXISTS (SELECT 1 FROM rbac_policy r WHERE r.object_id = ${object} AND r.action IN (${list})
    AND r.target_tenant IN ('*', {viewer}))`;
}

const SHARED = ['access_as_shared'];

export const networkTable = new ResourceTable<Network>({
  table: 'network',
  alias: 'n',
  visible: `n.project_id = {viewer} OR ${granted('n.id', ['access_as_shared', 'access_as_external'])}`,
  columns: {
    ...standard,
    status: { type: 'text', expression: "CASE WHEN n.admin_state_up THEN 'ACTIVE' ELSE 'DOWN' END" },
    subnets: {
      type: 'uuids',
      gathered: {
        query: `SELECT s.network_id AS id, array_agg(s.id::text ORDER BY s.created_at, s.id) AS value FROM subnet s
          WHERE s.network_id = ANY({ids}) GROUP BY s.network_id`,
        none: "'{}'::text[]",
      },
    },
    admin_state_up: boolean,
    shared: { type: 'boolean', expression: granted('n.id', SHARED) },
    'router:external': boolean,
    is_default: boolean,
    mtu: integer,
    port_security_enabled: boolean,
    availability_zone_hints: { type: 'texts' },
    availability_zones: {
      type: 'texts',
      expression: `ARRAY(SELECT DISTINCT a.availability_zone FROM network_dhcp_agent d JOIN agent a ON a.id = d.agent_id
        WHERE d.network_id = n.id AND a.availability_zone IS NOT NULL ORDER BY 1)`,
    },
    dns_domain: text,
    ipv4_address_scope: { type: 'text', nullable: true, expression: scopeOf(4) },
    ipv6_address_scope: { type: 'text', nullable: true, expression: scopeOf(6) },
    'provider:network_type': text,
    'provider:physical_network': { type: 'text', nullable: true },
    'provider:segmentation_id': { type: 'integer', nullable: true },
  },
  filters: tagFilters('n'),
});

function scopeOf(version: 4 | 6): string {
  return `SELECT p.address_scope_id::text FROM subnet s JOIN subnetpool p ON p.id = s.subnetpool_id
    WHERE s.network_id = n.id AND s.ip_version = ${String(version)} LIMIT 1`;
}

export const subnetTable = new ResourceTable<Subnet>({
  table: 'subnet',
  alias: 's',
  visible: `s.project_id = {viewer} OR EXISTS (SELECT 1 FROM network n WHERE n.id = s.network_id AND n.project_id = {viewer})
    OR ${granted('s.network_id', SHARED)}`,
  columns: {
    ...standard,
    network_id: { type: 'uuid' },
    ip_version: integer,
    cidr: { type: 'cidr' },
    gateway_ip: { type: 'inet', nullable: true },
    enable_dhcp: boolean,
    ipv6_ra_mode: { type: 'text', nullable: true },
    ipv6_address_mode: { type: 'text', nullable: true },
    dns_nameservers: { type: 'texts' },
    host_routes: json,
    service_types: { type: 'texts' },
    dns_publish_fixed_ip: boolean,
    subnetpool_id: { type: 'uuid', nullable: true },
    allocation_pools: {
      type: 'json',
      gathered: {
        query: `SELECT a.subnet_id AS id,
            json_agg(json_build_object('start', host(a.first_ip), 'end', host(a.last_ip)) ORDER BY a.ordinal) AS value
          FROM allocation_pool a WHERE a.subnet_id = ANY({ids}) GROUP BY a.subnet_id`,
        none: "'[]'::json",
      },
    },
    segment_id: { type: 'text', nullable: true, expression: 'NULL::text' },
  },
  filters: {
    ...tagFilters('s'),
    shared: (values) => flag(granted('s.network_id', SHARED), values),
  },
});

function flag(condition: string, values: readonly string[]): string {
  return values.some((value) => /^(1|t|true|on|y|yes)$/i.test(value.trim())) ? condition : `NOT ${condition}`;
}

export const portTable = new ResourceTable<Port>({
  table: 'port',
  alias: 'p',
  visible: `p.project_id = {viewer} OR EXISTS (SELECT 1 FROM network n WHERE n.id = p.network_id AND n.project_id = {viewer})`,
  columns: {
    ...standard,
    network_id: { type: 'uuid' },
    mac_address: text,
    admin_state_up: boolean,
    status: text,
    device_id: text,
    device_owner: text,
    fixed_ips: {
      type: 'json',
      gathered: {
        query: `SELECT i.port_id AS id, json_agg(json_build_object('subnet_id', i.subnet_id, 'ip_address', host(i.ip_address))
            ORDER BY i.ordinal) AS value
          FROM ip_allocation i WHERE i.port_id = ANY({ids}) GROUP BY i.port_id`,
        none: "'[]'::json",
      },
    },
    security_groups: {
      type: 'uuids',
      gathered: {
        query: `SELECT g.port_id AS id, array_agg(g.security_group_id::text ORDER BY g.ordinal) AS value
          FROM port_security_group g WHERE g.port_id = ANY({ids}) GROUP BY g.port_id`,
        none: "'{}'::text[]",
      },
    },
    port_security_enabled: boolean,
    allowed_address_pairs: json,
    extra_dhcp_opts: json,
    dns_name: text,
    dns_domain: text,
    propagate_uplink_status: boolean,
    ip_allocation: text,
    'binding:vnic_type': text,
    'binding:host_id': text,
    'binding:profile': json,
    'binding:vif_type': text,
    'binding:vif_details': json,
  },
  filters: {
    ...tagFilters('p'),
    fixed_ips: fixedIpsFilter,
    security_groups: (values, add) =>
      `EXISTS (SELECT 1 FROM port_security_group g WHERE g.port_id = p.id
         AND g.security_group_id = ANY(${add(values.filter((value) => isUuidLike(value)))}::uuid[]))`,
  },
});

/** `ip_address=…`, `subnet_id=…`, `ip_address_substr=…`: those of one name are alternatives, the names all have to hold. */
function fixedIpsFilter(values: readonly string[], add: (value: unknown) => string): string {
  const of = (name: string): string[] =>
    values.filter((value) => value.startsWith(`${name}=`)).map((value) => value.slice(name.length + 1));
  const addresses = of('ip_address');
  const subnets = of('subnet_id');
  const parts = of('ip_address_substr');
  const conditions = ['i.port_id = p.id'];
  if (addresses.length > 0)
    conditions.push(`i.ip_address = ANY(${add(addresses.filter((one) => parseIp(one) !== null))}::inet[])`);
  if (subnets.length > 0)
    conditions.push(`i.subnet_id = ANY(${add(subnets.filter((one) => isUuidLike(one)))}::uuid[])`);
  if (parts.length > 0) {
    const like = parts.map((part) => `%${part.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`);
    conditions.push(`host(i.ip_address) LIKE ANY(${add(like)}::text[])`);
  }
  return `EXISTS (SELECT 1 FROM ip_allocation i WHERE ${conditions.join(' AND ')})`;
}

export const securityGroupTable = new ResourceTable<SecurityGroup>({
  table: 'security_group',
  alias: 'g',
  visible: `g.project_id = {viewer} OR ${granted('g.id', SHARED)}`,
  columns: {
    ...standard,
    stateful: boolean,
    is_default: boolean,
    shared: { type: 'boolean', expression: granted('g.id', SHARED) },
  },
  filters: tagFilters('g'),
});

const { name: _name, tags: _tags, ...untagged } = standard;

export const securityGroupRuleTable = new ResourceTable<SecurityGroupRule>({
  table: 'security_group_rule',
  alias: 'r',
  visible: `r.project_id = {viewer}
    OR EXISTS (SELECT 1 FROM security_group g WHERE g.id = r.security_group_id AND g.project_id = {viewer})`,
  columns: {
    ...untagged,
    security_group_id: { type: 'uuid' },
    direction: text,
    ethertype: text,
    protocol: { type: 'text', nullable: true },
    port_range_min: { type: 'integer', nullable: true },
    port_range_max: { type: 'integer', nullable: true },
    remote_ip_prefix: { type: 'text', nullable: true },
    remote_group_id: { type: 'uuid', nullable: true },
    belongs_to_default_sg: {
      type: 'boolean',
      expression: 'SELECT g.is_default FROM security_group g WHERE g.id = r.security_group_id',
    },
  },
  filters: { changed_since: tagFilters('r').changed_since },
});

export const subnetPoolTable = new ResourceTable<SubnetPool>({
  table: 'subnetpool',
  alias: 'p',
  visible: `p.project_id = {viewer} OR ${granted('p.id', SHARED)}`,
  columns: {
    ...standard,
    ip_version: integer,
    prefixes: { type: 'texts' },
    default_prefixlen: integer,
    min_prefixlen: integer,
    max_prefixlen: integer,
    default_quota: { type: 'integer', nullable: true },
    is_default: boolean,
    shared: { type: 'boolean', expression: granted('p.id', SHARED) },
    address_scope_id: { type: 'uuid', nullable: true },
  },
  filters: tagFilters('p'),
});

export const addressScopeTable = new ResourceTable<AddressScope>({
  table: 'address_scope',
  alias: 'a',
  visible: `a.project_id = {viewer} OR ${granted('a.id', SHARED)}`,
  columns: {
    ...standard,
    ip_version: integer,
    shared: { type: 'boolean', expression: granted('a.id', SHARED) },
  },
  filters: tagFilters('a'),
});

export const routerTable = new ResourceTable<Router>({
  table: 'router',
  alias: 'r',
  visible: 'r.project_id = {viewer}',
  columns: {
    ...standard,
    admin_state_up: boolean,
    status: text,
    availability_zone_hints: { type: 'texts' },
    availability_zones: {
      type: 'texts',
      expression: `ARRAY(SELECT DISTINCT a.availability_zone FROM router_l3_agent l JOIN agent a ON a.id = l.agent_id
        WHERE l.router_id = r.id AND a.availability_zone IS NOT NULL ORDER BY 1)`,
    },
    routes: json,
    enable_snat: boolean,
    gateway_network_id: { type: 'uuid', nullable: true },
    gateway_port_id: { type: 'uuid', nullable: true },
    gateway_fixed_ips: {
      type: 'json',
      expression: `SELECT coalesce(json_agg(json_build_object('subnet_id', i.subnet_id, 'ip_address', host(i.ip_address))
        ORDER BY i.ordinal), '[]') FROM ip_allocation i WHERE i.port_id = r.gateway_port_id`,
    },
  },
  filters: tagFilters('r'),
});

export const floatingIpTable = new ResourceTable<FloatingIp>({
  table: 'floatingip',
  alias: 'f',
  visible: 'f.project_id = {viewer}',
  columns: {
    ...standard,
    floating_network_id: { type: 'uuid' },
    floating_ip_address: { type: 'inet' },
    floating_port_id: { type: 'uuid' },
    port_id: { type: 'uuid', nullable: true },
    fixed_ip_address: { type: 'inet', nullable: true },
    router_id: { type: 'uuid', nullable: true },
    status: text,
    dns_name: text,
    dns_domain: text,
    port_details: {
      type: 'json',
      expression: `SELECT json_build_object('name', p.name, 'network_id', p.network_id, 'mac_address', p.mac_address,
        'admin_state_up', p.admin_state_up, 'status', p.status, 'device_id', p.device_id, 'device_owner', p.device_owner)
        FROM port p WHERE p.id = f.port_id`,
    },
    port_forwardings: {
      type: 'json',
      gathered: {
        query: `SELECT w.floatingip_id AS id, json_agg(json_build_object('id', w.id, 'protocol', w.protocol,
            'internal_port_id', w.internal_port_id, 'internal_ip_address', host(w.internal_ip_address),
            'external_port', CASE WHEN w.external_port_start = w.external_port_end THEN w.external_port_start END,
            'internal_port', CASE WHEN w.internal_port_start = w.internal_port_end THEN w.internal_port_start END)
            ORDER BY w.protocol, w.external_port_start) AS value
          FROM port_forwarding w WHERE w.floatingip_id = ANY({ids}) GROUP BY w.floatingip_id`,
        none: "'[]'::json",
      },
    },
  },
  filters: tagFilters('f'),
});

const RANGE = (side: string): Column => ({
  type: 'text',
  expression: `w.${side}_port_start || ':' || w.${side}_port_end`,
});
const ALONE = (side: string): Column => ({
  type: 'integer',
  nullable: true,
  expression: `CASE WHEN w.${side}_port_start = w.${side}_port_end THEN w.${side}_port_start END`,
});

export const portForwardingTable = new ResourceTable<PortForwarding>({
  table: 'port_forwarding',
  alias: 'w',
  visible: 'EXISTS (SELECT 1 FROM floatingip f WHERE f.id = w.floatingip_id AND f.project_id = {viewer})',
  plain: true,
  columns: {
    id: { type: 'uuid' },
    floatingip_id: { type: 'uuid' },
    description: text,
    protocol: text,
    internal_port_id: { type: 'uuid' },
    internal_ip_address: { type: 'inet' },
    external_port_start: integer,
    external_port_end: integer,
    internal_port_start: integer,
    internal_port_end: integer,
    external_port: ALONE('external'),
    external_port_range: RANGE('external'),
    internal_port: ALONE('internal'),
    internal_port_range: RANGE('internal'),
  },
});

export const rbacPolicyTable = new ResourceTable<RbacPolicy>({
  table: 'rbac_policy',
  alias: 'b',
  visible: 'b.project_id = {viewer}',
  plain: true,
  columns: {
    id: { type: 'uuid' },
    project_id: text,
    object_type: text,
    object_id: { type: 'uuid' },
    action: text,
    target_tenant: text,
  },
});
