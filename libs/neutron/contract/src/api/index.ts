import { defineApi, neutronEnvelope, type Operation } from '@nestack/kernel/http';
import { NeutronError } from '../errors';
import * as agents from './agents';
import * as autoAllocate from './auto-allocate';
import * as discovery from './discovery';
import * as networks from './networks';
import * as forwardings from './port-forwardings';
import * as ports from './ports';
import * as quotas from './quotas';
import * as routers from './routers';
import * as groups from './security-groups';
import * as sharing from './sharing';
import * as pools from './subnet-pools';
import * as subnets from './subnets';

export * from './agents';
export * from './attribute';
export * from './auto-allocate';
export * from './discovery';
export * from './extensions';
export { canonicalUuid, integer, isRecord, uuid } from './kinds';
export * from './networks';
export * from './port-forwardings';
export * from './ports';
export * from './quotas';
export * from './resource';
export * from './routers';
export * from './security-groups';
export * from './sharing';
export * from './subnet-pools';
export * from './subnets';

const operations: readonly Operation[] = [
  networks.listNetworks,
  networks.showNetwork,
  networks.createNetwork,
  networks.updateNetwork,
  networks.deleteNetwork,
  subnets.listSubnets,
  subnets.showSubnet,
  subnets.createSubnet,
  subnets.updateSubnet,
  subnets.deleteSubnet,
  ports.listPorts,
  ports.showPort,
  ports.createPort,
  ports.updatePort,
  ports.deletePort,
  ports.listPortBindings,
  ports.showPortBinding,
  ports.createPortBinding,
  ports.updatePortBinding,
  ports.activatePortBinding,
  ports.deletePortBinding,
  groups.listSecurityGroups,
  groups.showSecurityGroup,
  groups.createSecurityGroup,
  groups.updateSecurityGroup,
  groups.deleteSecurityGroup,
  groups.listSecurityGroupRules,
  groups.showSecurityGroupRule,
  groups.createSecurityGroupRule,
  groups.deleteSecurityGroupRule,
  pools.listSubnetPools,
  pools.showSubnetPool,
  pools.createSubnetPool,
  pools.updateSubnetPool,
  pools.deleteSubnetPool,
  pools.addSubnetPoolPrefixes,
  pools.removeSubnetPoolPrefixes,
  pools.listAddressScopes,
  pools.showAddressScope,
  pools.createAddressScope,
  pools.updateAddressScope,
  pools.deleteAddressScope,
  routers.listRouters,
  routers.showRouter,
  routers.createRouter,
  routers.updateRouter,
  routers.deleteRouter,
  routers.addRouterInterface,
  routers.removeRouterInterface,
  routers.addExtraRoutes,
  routers.removeExtraRoutes,
  routers.listFloatingIps,
  routers.showFloatingIp,
  routers.createFloatingIp,
  routers.updateFloatingIp,
  routers.deleteFloatingIp,
  forwardings.listPortForwardings,
  forwardings.showPortForwarding,
  forwardings.createPortForwarding,
  forwardings.updatePortForwarding,
  forwardings.deletePortForwarding,
  autoAllocate.getAutoAllocatedTopology,
  autoAllocate.deleteAutoAllocatedTopology,
  sharing.listRbacPolicies,
  sharing.showRbacPolicy,
  sharing.createRbacPolicy,
  sharing.updateRbacPolicy,
  sharing.deleteRbacPolicy,
  ...Object.values(sharing.tagOperationsOf).flatMap((of) => Object.values(of)),
  agents.listAgents,
  agents.showAgent,
  agents.updateAgent,
  agents.deleteAgent,
  agents.listNetworksOnDhcpAgent,
  agents.addNetworkToDhcpAgent,
  agents.removeNetworkFromDhcpAgent,
  agents.listDhcpAgentsOfNetwork,
  agents.listRoutersOnL3Agent,
  agents.addRouterToL3Agent,
  agents.removeRouterFromL3Agent,
  agents.listL3AgentsOfRouter,
  agents.listAvailabilityZones,
  agents.listNetworkIpAvailabilities,
  agents.showNetworkIpAvailability,
  quotas.listQuotas,
  quotas.showQuotaProject,
  quotas.showQuotaTenant,
  quotas.showQuota,
  quotas.showDefaultQuota,
  quotas.showQuotaDetails,
  quotas.updateQuota,
  quotas.deleteQuota,
  discovery.listExtensions,
  discovery.showExtension,
  discovery.listServiceProviders,
] as readonly Operation[];

const versions = ({ rootUrl }: { readonly rootUrl: string }) => ({
  status: 200,
  body: discovery.versionsDocument(rootUrl),
});
const resources = ({ rootUrl }: { readonly rootUrl: string }) => ({
  status: 200,
  body: discovery.resourcesDocument(rootUrl),
});

/** Neutron's REST API. */
export const neutronApi = defineApi({
  service: 'neutron',
  type: 'network',
  title: 'Networking API',
  prefixes: ['/v2.0'],
  envelope: neutronEnvelope,
  errors: NeutronError.declarations,
  operations,
  // Bulk creations are larger than what other services take.
  bodyLimit: 4 * 1024 * 1024,
  documents: { '/': versions, '/v2.0': resources, '/v2.0/': resources },
});
