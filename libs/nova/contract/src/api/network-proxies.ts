import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any, Nullable, Uuid } from './common';

/**
 * Neutron's resources as nova showed them when it had networks of its own; they end with 2.35.
 * upstream: nova/api/openstack/compute/{floating_ips,floating_ip_pools,networks,tenant_networks,security_groups}.py
 */
const maxVersion = '2.35';

const Item = Type.Record(Type.String(), Any);
const Text = Type.String({ maxLength: 255 });

export const listFloatingIpPools = operation({
  id: 'listFloatingIpPools',
  summary: 'List pools of floating IPs',
  method: 'GET',
  path: '/os-floating-ip-pools',
  status: 200,
  maxVersion,
  response: Type.Object({ floating_ip_pools: Type.Array(Type.Object({ name: Type.String() })) }),
  policy: 'os_compute_api:os-floating-ip-pools',
});
export const listFloatingIpProxies = operation({
  id: 'listFloatingIpProxies',
  summary: 'List floating IPs',
  method: 'GET',
  path: '/os-floating-ips',
  status: 200,
  maxVersion,
  response: Type.Object({ floating_ips: Type.Array(Item) }),
  policy: 'os_compute_api:os-floating-ips:list',
});
export const showFloatingIpProxy = operation({
  id: 'showFloatingIpProxy',
  summary: 'Show a floating IP',
  method: 'GET',
  path: '/os-floating-ips/{floating_ip_id}',
  status: 200,
  maxVersion,
  response: Type.Object({ floating_ip: Item }),
  policy: 'os_compute_api:os-floating-ips:show',
  errors: ['FloatingIpUnknown', 'BadRequest'],
});
export const createFloatingIpProxy = operation({
  id: 'createFloatingIpProxy',
  summary: 'Allocate a floating IP from a pool',
  method: 'POST',
  path: '/os-floating-ips',
  status: 200,
  maxVersion,
  body: Nullable(Type.Object({ pool: Type.Optional(Nullable(Type.String())) })),
  response: Type.Object({ floating_ip: Item }),
  policy: 'os_compute_api:os-floating-ips:create',
  errors: ['FloatingIpPoolNotFound', 'NotFound', 'FloatingIpLimitExceeded', 'BadRequest'],
});
export const deleteFloatingIpProxy = operation({
  id: 'deleteFloatingIpProxy',
  summary: 'Release a floating IP',
  method: 'DELETE',
  path: '/os-floating-ips/{floating_ip_id}',
  status: 202,
  maxVersion,
  policy: 'os_compute_api:os-floating-ips:delete',
  errors: ['FloatingIpUnknown', 'BadRequest'],
});

export const listSecurityGroupProxies = operation({
  id: 'listSecurityGroupProxies',
  summary: 'List security groups',
  method: 'GET',
  path: '/os-security-groups',
  status: 200,
  maxVersion,
  response: Type.Object({ security_groups: Type.Array(Any) }),
  policy: 'os_compute_api:os-security-groups:get',
  errors: ['InvalidInput'],
});
export const showSecurityGroupProxy = operation({
  id: 'showSecurityGroupProxy',
  summary: 'Show a security group',
  method: 'GET',
  path: '/os-security-groups/{security_group_id}',
  status: 200,
  maxVersion,
  response: Type.Object({ security_group: Any }),
  policy: 'os_compute_api:os-security-groups:show',
  errors: ['SecurityGroupUnknown', 'BadRequest'],
});
const SecurityGroupBody = Type.Object({ security_group: Type.Object({ name: Text, description: Text }) });
export const createSecurityGroupProxy = operation({
  id: 'createSecurityGroupProxy',
  summary: 'Create a security group',
  method: 'POST',
  path: '/os-security-groups',
  status: 200,
  maxVersion,
  body: SecurityGroupBody,
  response: Type.Object({ security_group: Any }),
  policy: 'os_compute_api:os-security-groups:create',
  errors: ['BadRequest', 'SecurityGroupLimitExceeded'],
});
export const updateSecurityGroupProxy = operation({
  id: 'updateSecurityGroupProxy',
  summary: 'Update a security group',
  method: 'PUT',
  path: '/os-security-groups/{security_group_id}',
  status: 200,
  maxVersion,
  body: SecurityGroupBody,
  response: Type.Object({ security_group: Any }),
  policy: 'os_compute_api:os-security-groups:update',
  errors: ['BadRequest', 'SecurityGroupUnknown'],
});
export const deleteSecurityGroupProxy = operation({
  id: 'deleteSecurityGroupProxy',
  summary: 'Delete a security group',
  method: 'DELETE',
  path: '/os-security-groups/{security_group_id}',
  status: 202,
  maxVersion,
  policy: 'os_compute_api:os-security-groups:delete',
  errors: ['BadRequest', 'SecurityGroupUnknown'],
});
export const createSecurityGroupRuleProxy = operation({
  id: 'createSecurityGroupRuleProxy',
  summary: 'Create a rule of a security group',
  method: 'POST',
  path: '/os-security-group-rules',
  status: 200,
  maxVersion,
  body: Type.Object({
    security_group_rule: Type.Object({
      parent_group_id: Uuid,
      group_id: Type.Optional(Nullable(Uuid)),
      // Upstream checks these by hand.
      ip_protocol: Type.Optional(Any),
      from_port: Type.Optional(Any),
      to_port: Type.Optional(Any),
      cidr: Type.Optional(Any),
    }),
  }),
  response: Type.Object({ security_group_rule: Any }),
  policy: 'os_compute_api:os-security-groups:rule:create',
  errors: [
    'BadRequest',
    'InvalidCidr',
    'InvalidInput',
    'InvalidIpProtocol',
    'InvalidPortRange',
    'SecurityGroupLimitExceeded',
    'SecurityGroupUnknown',
  ],
});
export const deleteSecurityGroupRuleProxy = operation({
  id: 'deleteSecurityGroupRuleProxy',
  summary: 'Delete a rule of a security group',
  method: 'DELETE',
  path: '/os-security-group-rules/{rule_id}',
  status: 202,
  maxVersion,
  policy: 'os_compute_api:os-security-groups:rule:delete',
  errors: ['BadRequest', 'SecurityGroupRuleUnknown'],
});

export const listNetworkProxies = operation({
  id: 'listNetworkProxies',
  summary: 'List networks',
  method: 'GET',
  path: '/os-networks',
  status: 200,
  maxVersion,
  response: Type.Object({ networks: Type.Array(Item) }),
  policy: 'os_compute_api:os-networks:list',
});
export const showNetworkProxy = operation({
  id: 'showNetworkProxy',
  summary: 'Show a network',
  method: 'GET',
  path: '/os-networks/{network_id}',
  status: 200,
  maxVersion,
  response: Type.Object({ network: Item }),
  policy: 'os_compute_api:os-networks:show',
  errors: ['NetworkUnknown'],
});
export const listTenantNetworkProxies = operation({
  id: 'listTenantNetworkProxies',
  summary: 'List the networks of a project',
  method: 'GET',
  path: '/os-tenant-networks',
  status: 200,
  maxVersion,
  response: Type.Object({ networks: Type.Array(Item) }),
  policy: 'os_compute_api:os-tenant-networks:list',
});
export const showTenantNetworkProxy = operation({
  id: 'showTenantNetworkProxy',
  summary: 'Show a network of a project',
  method: 'GET',
  path: '/os-tenant-networks/{network_id}',
  status: 200,
  maxVersion,
  response: Type.Object({ network: Item }),
  policy: 'os_compute_api:os-tenant-networks:show',
  errors: ['NetworkUnknown'],
});

export const networkProxyOperations = [
  listFloatingIpPools,
  listFloatingIpProxies,
  showFloatingIpProxy,
  createFloatingIpProxy,
  deleteFloatingIpProxy,
  listSecurityGroupProxies,
  showSecurityGroupProxy,
  createSecurityGroupProxy,
  updateSecurityGroupProxy,
  deleteSecurityGroupProxy,
  createSecurityGroupRuleProxy,
  deleteSecurityGroupRuleProxy,
  listNetworkProxies,
  showNetworkProxy,
  listTenantNetworkProxies,
  showTenantNetworkProxy,
];
