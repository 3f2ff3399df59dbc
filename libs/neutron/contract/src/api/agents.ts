import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { attribute, viewSchema } from './attribute';
import { boolean, computed, orNull, text } from './kinds';
import { networkResource } from './networks';
import { resource, resourceOperations } from './resource';
import { routerResource } from './routers';

const NullableText = Type.Union([Type.String(), Type.Null()]);
const filtered = { filter: true, sort: true } as const;

export const agentResource = resource({
  name: 'agent',
  plural: 'agents',
  path: '/agents',
  title: 'Agent',
  attributes: {
    id: attribute(computed(Type.String()), filtered),
    agent_type: attribute(computed(Type.String()), filtered),
    binary: attribute(computed(Type.String()), filtered),
    topic: attribute(computed(Type.String()), filtered),
    host: attribute(computed(Type.String()), filtered),
    availability_zone: attribute(computed(NullableText), filtered),
    admin_state_up: attribute(boolean, { put: true, ...filtered }),
    alive: attribute(computed(Type.Boolean()), filtered),
    created_at: attribute(computed(Type.String()), { sort: true }),
    started_at: attribute(computed(Type.String()), { sort: true }),
    heartbeat_timestamp: attribute(computed(Type.String()), { sort: true }),
    configurations: attribute(computed(Type.Record(Type.String(), Type.Unknown()))),
    description: attribute(orNull(text(255)), { put: true, ...filtered }),
    resources_synced: attribute(computed(Type.Union([Type.Boolean(), Type.Null()]))),
  },
});

export const {
  list: listAgents,
  show: showAgent,
  update: updateAgent,
  remove: deleteAgent,
} = resourceOperations(agentResource);

const agentView = viewSchema(agentResource.attributes);

export const listNetworksOnDhcpAgent = operation({
  id: 'listNetworksOnDhcpAgent',
  summary: 'Lists the networks that a DHCP agent serves',
  method: 'GET',
  path: '/agents/{agent_id}/dhcp-networks',
  response: Type.Object({ networks: Type.Array(viewSchema(networkResource.attributes)) }),
  status: 200,
});
export const addNetworkToDhcpAgent = operation({
  id: 'addNetworkToDhcpAgent',
  summary: 'Gives a network to a DHCP agent',
  method: 'POST',
  path: '/agents/{agent_id}/dhcp-networks',
  body: Type.Object({ network_id: Type.String() }),
  status: 201,
});
export const removeNetworkFromDhcpAgent = operation({
  id: 'removeNetworkFromDhcpAgent',
  summary: 'Takes a network away from a DHCP agent',
  method: 'DELETE',
  path: '/agents/{agent_id}/dhcp-networks/{network_id}',
  status: 204,
});
export const listDhcpAgentsOfNetwork = operation({
  id: 'listDhcpAgentsOfNetwork',
  summary: 'Lists the DHCP agents that serve a network',
  method: 'GET',
  path: '/networks/{network_id}/dhcp-agents',
  response: Type.Object({ agents: Type.Array(agentView) }),
  status: 200,
});

export const listRoutersOnL3Agent = operation({
  id: 'listRoutersOnL3Agent',
  summary: 'Lists the routers that an L3 agent carries',
  method: 'GET',
  path: '/agents/{agent_id}/l3-routers',
  response: Type.Object({ routers: Type.Array(viewSchema(routerResource.attributes)) }),
  status: 200,
});
export const addRouterToL3Agent = operation({
  id: 'addRouterToL3Agent',
  summary: 'Gives a router to an L3 agent',
  method: 'POST',
  path: '/agents/{agent_id}/l3-routers',
  body: Type.Object({ router_id: Type.String() }),
  status: 201,
});
export const removeRouterFromL3Agent = operation({
  id: 'removeRouterFromL3Agent',
  summary: 'Takes a router away from an L3 agent',
  method: 'DELETE',
  path: '/agents/{agent_id}/l3-routers/{router_id}',
  status: 204,
});
export const listL3AgentsOfRouter = operation({
  id: 'listL3AgentsOfRouter',
  summary: 'Lists the L3 agents that carry a router',
  method: 'GET',
  path: '/routers/{router_id}/l3-agents',
  response: Type.Object({ agents: Type.Array(agentView) }),
  status: 200,
});

export const availabilityZoneResource = resource({
  name: 'availability_zone',
  plural: 'availability_zones',
  path: '/availability_zones',
  title: 'AvailabilityZone',
  attributes: {
    name: attribute(computed(Type.String()), filtered),
    resource: attribute(computed(Type.String()), filtered),
    state: attribute(computed(Type.String()), filtered),
  },
});

export const { list: listAvailabilityZones } = resourceOperations(availabilityZoneResource);

const SubnetIps = Type.Object({
  subnet_id: Type.String(),
  subnet_name: Type.String(),
  cidr: Type.String(),
  ip_version: Type.Integer(),
  total_ips: Type.Number(),
  used_ips: Type.Integer(),
});

export const networkIpAvailabilityResource = resource({
  name: 'network_ip_availability',
  plural: 'network_ip_availabilities',
  path: '/network-ip-availabilities',
  title: 'NetworkIpAvailability',
  filters: ['ip_version'],
  attributes: {
    network_id: attribute(computed(Type.String()), filtered),
    network_name: attribute(computed(Type.String()), filtered),
    project_id: attribute(computed(Type.String()), filtered),
    tenant_id: attribute(computed(Type.String()), { ...filtered, aliasOf: 'project_id' }),
    total_ips: attribute(computed(Type.Number())),
    used_ips: attribute(computed(Type.Integer())),
    subnet_ip_availability: attribute(computed(Type.Array(SubnetIps))),
  },
});

export const { list: listNetworkIpAvailabilities, show: showNetworkIpAvailability } =
  resourceOperations(networkIpAvailabilityResource);
