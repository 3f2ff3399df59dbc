import type { PolicyRule } from '@nestack/kernel/policy';

const ADMIN = 'rule:context_is_admin';
const SERVICE = 'rule:service_api';
const MEMBER = 'role:member and project_id:%(project_id)s';
const READER = 'role:reader and project_id:%(project_id)s';
const MANAGER = 'role:manager and project_id:%(project_id)s';
const NET_OWNER = 'role:member and project_id:%(network:project_id)s';
const NET_MANAGER = 'role:manager and project_id:%(network:project_id)s';
const SG_OWNER = 'role:member and project_id:%(security_group:project_id)s';

const any = (...checks: readonly string[]): string => checks.map((check) => `(${check})`).join(' or ');

const ADMIN_OR_MEMBER = any(ADMIN, MEMBER);
const ADMIN_OR_SERVICE = any(ADMIN, SERVICE);
/** Repositories find only what the caller's project may see; a role is needed to look all the same. */
const VISIBLE = any(ADMIN, SERVICE, 'role:reader');
/** Networks that everybody may use. */
const SHARED = 'True:%(shared)s and role:member';

const rule = (name: string, check: string): PolicyRule => ({ name, check });

/** The four actions of what belongs to a project and only to it. */
function owned(name: string, check = ADMIN_OR_MEMBER): PolicyRule[] {
  return [
    rule(`create_${name}`, check),
    rule(`get_${name}`, VISIBLE),
    rule(`update_${name}`, check),
    rule(`delete_${name}`, check),
  ];
}

function attributes(actions: readonly string[], check: string, ...names: readonly string[]): PolicyRule[] {
  return actions.flatMap((action) => names.map((name) => rule(`${action}:${name}`, check)));
}

const TAGGED = ['network', 'router', 'floatingip', 'subnetpool', 'security_group'];
const SUBNET_CHANGE = any(ADMIN, MEMBER, NET_OWNER);

/** Neutron's rules and their defaults. upstream: neutron/conf/policies */
export const neutronPolicies: readonly PolicyRule[] = [
  ...owned('network'),
  ...attributes(
    ['create_network', 'update_network'],
    ADMIN,
    'shared',
    'router:external',
    'is_default',
    'provider:network_type',
    'provider:physical_network',
    'provider:segmentation_id',
  ),
  ...attributes(['create_network', 'update_network'], ADMIN_OR_MEMBER, 'port_security_enabled'),
  ...attributes(
    ['get_network'],
    ADMIN,
    'provider:network_type',
    'provider:physical_network',
    'provider:segmentation_id',
  ),

  rule('create_subnet', any(ADMIN, NET_OWNER)),
  rule('get_subnet', VISIBLE),
  rule('update_subnet', SUBNET_CHANGE),
  rule('delete_subnet', SUBNET_CHANGE),
  ...attributes(['create_subnet', 'update_subnet'], ADMIN, 'service_types', 'segment_id'),
  rule('update_subnet:tags', SUBNET_CHANGE),

  rule('create_port', any(ADMIN, SERVICE, NET_OWNER, SHARED)),
  rule('get_port', VISIBLE),
  rule('update_port', any(ADMIN, SERVICE, MEMBER)),
  rule('delete_port', any(ADMIN, SERVICE, MEMBER, NET_OWNER)),
  ...attributes(['create_port', 'update_port'], any(ADMIN, SERVICE, MEMBER), 'device_id', 'binding:vnic_type'),
  ...attributes(
    ['create_port', 'update_port'],
    any('False:%(network_device)s', ADMIN, SERVICE, NET_OWNER),
    'device_owner',
  ),
  rule('create_port:mac_address', any(ADMIN, SERVICE, NET_OWNER)),
  rule('update_port:mac_address', any(ADMIN, SERVICE, NET_MANAGER)),
  rule('create_port:fixed_ips', any(ADMIN, SERVICE, NET_OWNER, SHARED)),
  rule('update_port:fixed_ips', any(ADMIN, SERVICE, NET_OWNER)),
  ...attributes(
    ['create_port', 'update_port'],
    any(ADMIN, SERVICE, NET_OWNER),
    'fixed_ips:ip_address',
    'port_security_enabled',
    'allowed_address_pairs',
  ),
  ...attributes(['create_port', 'update_port'], ADMIN_OR_SERVICE, 'binding:host_id', 'binding:profile'),
  ...attributes(
    ['get_port'],
    ADMIN_OR_SERVICE,
    'binding:vif_type',
    'binding:vif_details',
    'binding:host_id',
    'binding:profile',
  ),
  rule('update_port:tags', any(ADMIN, SERVICE, MEMBER)),
  rule('get_port_binding', ADMIN_OR_SERVICE),
  rule('create_port_binding', ADMIN_OR_SERVICE),
  rule('delete_port_binding', ADMIN_OR_SERVICE),
  rule('activate', ADMIN_OR_SERVICE),

  ...owned('security_group'),
  rule('create_security_group_rule', any(ADMIN, SG_OWNER)),
  rule('get_security_group_rule', VISIBLE),
  rule('delete_security_group_rule', any(ADMIN, SG_OWNER)),

  ...owned('subnetpool'),
  ...attributes(['create_subnetpool', 'update_subnetpool'], ADMIN, 'shared', 'is_default'),
  rule('add_prefixes', ADMIN_OR_MEMBER),
  rule('remove_prefixes', ADMIN_OR_MEMBER),
  ...owned('address_scope'),
  ...attributes(['create_address_scope', 'update_address_scope'], ADMIN, 'shared'),

  ...owned('router'),
  ...attributes(['create_router', 'update_router'], ADMIN_OR_MEMBER, 'external_gateway_info'),
  ...attributes(
    ['create_router', 'update_router'],
    ADMIN,
    'external_gateway_info:enable_snat',
    'external_gateway_info:external_fixed_ips',
  ),
  rule('add_router_interface', ADMIN_OR_MEMBER),
  rule('remove_router_interface', ADMIN_OR_MEMBER),
  rule('add_extraroutes', ADMIN_OR_MEMBER),
  rule('remove_extraroutes', ADMIN_OR_MEMBER),
  ...owned('floatingip'),
  ...owned('floatingip_port_forwarding'),
  rule('create_floatingip:floating_ip_address', any(ADMIN, MANAGER)),

  rule('get_auto_allocated_topology', any(ADMIN, SERVICE, READER)),
  rule('delete_auto_allocated_topology', ADMIN_OR_MEMBER),

  ...owned('rbac_policy'),
  ...attributes(['create_rbac_policy', 'update_rbac_policy'], any(ADMIN, 'False:%(everybody)s'), 'target_tenant'),
  ...TAGGED.map((name) => rule(`update_${name}:tags`, ADMIN_OR_MEMBER)),

  rule('get_quota', any(ADMIN, MANAGER)),
  rule('update_quota', ADMIN),
  rule('delete_quota', ADMIN),
  rule('get_agent', ADMIN),
  rule('update_agent', ADMIN),
  rule('delete_agent', ADMIN),
  rule('create_dhcp-network', ADMIN),
  rule('get_dhcp-networks', ADMIN),
  rule('delete_dhcp-network', ADMIN),
  rule('get_dhcp-agents', ADMIN),
  rule('create_l3-router', ADMIN),
  rule('get_l3-routers', ADMIN),
  rule('delete_l3-router', ADMIN),
  rule('get_l3-agents', ADMIN),
  rule('get_availability_zone', any(ADMIN, 'role:reader')),
  rule('get_network_ip_availability', ADMIN_OR_SERVICE),
];

/** Names of the rules, to tell which attributes have one. */
export const ruledAttributes: ReadonlySet<string> = new Set(neutronPolicies.map((one) => one.name));
