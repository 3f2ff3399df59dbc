import type { Provider } from '@nestjs/common';
import { LOGGER } from '@nestack/kernel/app';
import { systemClock } from '@nestack/kernel/clock';
import { DATABASE, type Database } from '@nestack/kernel/db';
import { API_CLIENTS, type ApiClients } from '@nestack/kernel/http';
import type { Logger } from '@nestack/kernel/log';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import { RPC_CLIENTS, type RpcClients } from '@nestack/kernel/rpc';
import { NovaClient } from '@nestack/neutron/clients';
import {
  AddressScopesRepository,
  AgentsRepository,
  AutoAllocatedTopologiesRepository,
  FloatingIpsRepository,
  HostsRepository,
  NetworksRepository,
  PortForwardingsRepository,
  PortsRepository,
  QuotasRepository,
  RbacPoliciesRepository,
  RoutersRepository,
  SecurityGroupRulesRepository,
  SecurityGroupsRepository,
  SubnetPoolsRepository,
  SubnetsRepository,
} from '@nestack/neutron/data';
import {
  AddressScopes,
  Agents,
  AutoAllocatedTopologies,
  COMPUTE_PORT,
  DhcpScheduling,
  Failover,
  FloatingIps,
  Gateways,
  HostPlugin,
  IpAvailabilities,
  L3Scheduling,
  Networks,
  PortBindings,
  PortForwardings,
  PortMaker,
  PortNews,
  Ports,
  Quotas,
  RbacPolicies,
  RouterInterfaces,
  RouterPlugin,
  Routers,
  SecurityGroups,
  SubnetPools,
  Subnets,
  Tags,
  type ComputePort,
  type NeutronParts,
} from '@nestack/neutron/domain';
import {
  AddressScopesController,
  AgentsController,
  AutoAllocateController,
  DiscoveryController,
  FloatingIpsController,
  IpAvailabilityController,
  NetworksController,
  PortBindingsController,
  PortForwardingsController,
  PortsController,
  QuotasController,
  RbacPoliciesController,
  RoutersController,
  SETTINGS,
  SecurityGroupsController,
  SubnetPoolsController,
  SubnetsController,
  TagsController,
  ruledAttributes,
} from '@nestack/neutron/rest';
import { OutboxMessages, ServerLife } from '@nestack/neutron/rpc';
import type { NeutronConfig } from './neutron.config';
import { settingsOf } from './neutron.settings';

/** What the use cases share. */
const PARTS = Symbol('NeutronParts');

function makeParts(config: NeutronConfig, db: Database, policy: PolicyEnforcer, messages: OutboxMessages) {
  const base: NeutronParts & { readonly topologies: AutoAllocatedTopologiesRepository } = {
    db,
    policy,
    messages,
    clock: systemClock,
    settings: settingsOf(config),
    networks: new NetworksRepository(),
    subnets: new SubnetsRepository(),
    ports: new PortsRepository(),
    groups: new SecurityGroupsRepository(),
    rules: new SecurityGroupRulesRepository(),
    pools: new SubnetPoolsRepository(),
    scopes: new AddressScopesRepository(),
    routers: new RoutersRepository(),
    floatingIps: new FloatingIpsRepository(),
    forwardings: new PortForwardingsRepository(),
    rbac: new RbacPoliciesRepository(),
    agents: new AgentsRepository(config.agent_down_time ?? 75),
    quotas: new QuotasRepository(),
    hosts: new HostsRepository(),
    topologies: new AutoAllocatedTopologiesRepository(),
  };
  const maker = new PortMaker(base);
  const news = new PortNews(base);
  const dhcp = new DhcpScheduling(base, maker, news);
  const l3 = new L3Scheduling(base, news);
  const gateways = new Gateways(base, maker, news);
  const helped = { ...base, maker, news, dhcp, l3, gateways, ruled: ruledAttributes };
  return { ...helped, floating: new FloatingIps(helped) };
}

type Parts = ReturnType<typeof makeParts>;

/** Neutron's own providers; the database, the policy, the broker and the log come from the kernel's module. */
export function neutronProviders(config: NeutronConfig): Provider[] {
  const from = <T>(provide: symbol | (abstract new (...args: never[]) => T), make: (parts: Parts) => T): Provider => ({
    provide: provide as symbol,
    inject: [PARTS],
    useFactory: make,
  });
  return [
    {
      provide: COMPUTE_PORT,
      inject: [API_CLIENTS, LOGGER],
      useFactory: (clients: ApiClients, log: Logger) => new NovaClient(clients, log),
    },
    {
      provide: OutboxMessages,
      inject: [DATABASE, RPC_CLIENTS, COMPUTE_PORT, LOGGER],
      useFactory: (db: Database, rpc: RpcClients, nova: ComputePort, log: Logger) =>
        new OutboxMessages(db, rpc, nova, log),
    },
    {
      provide: ServerLife,
      inject: [OutboxMessages, PARTS, LOGGER],
      useFactory: (messages: OutboxMessages, parts: Parts, log: Logger) =>
        new ServerLife(messages, new Failover(parts), parts.clock, log, ((config.agent_down_time ?? 75) * 1000) / 2),
    },
    {
      provide: PARTS,
      inject: [DATABASE, POLICY, OutboxMessages],
      useFactory: (db: Database, policy: PolicyEnforcer, messages: OutboxMessages) =>
        makeParts(config, db, policy, messages),
    },
    from(SETTINGS, (parts) => parts.settings),
    from(Networks, (parts) => new Networks(parts)),
    from(Subnets, (parts) => new Subnets(parts)),
    from(SubnetPools, (parts) => new SubnetPools(parts)),
    from(AddressScopes, (parts) => new AddressScopes(parts)),
    from(Ports, (parts) => new Ports(parts)),
    from(PortBindings, (parts) => new PortBindings(parts)),
    from(SecurityGroups, (parts) => new SecurityGroups(parts)),
    from(Routers, (parts) => new Routers(parts)),
    from(RouterInterfaces, (parts) => new RouterInterfaces(parts)),
    from(FloatingIps, (parts) => parts.floating),
    from(AutoAllocatedTopologies, (parts) => new AutoAllocatedTopologies(parts)),
    from(PortForwardings, (parts) => new PortForwardings(parts)),
    from(RbacPolicies, (parts) => new RbacPolicies(parts)),
    from(Tags, (parts) => new Tags(parts)),
    from(Quotas, (parts) => new Quotas(parts)),
    from(Agents, (parts) => new Agents(parts)),
    from(IpAvailabilities, (parts) => new IpAvailabilities(parts)),
    from(HostPlugin, (parts) => new HostPlugin(parts)),
    from(RouterPlugin, (parts) => new RouterPlugin(parts)),
    NetworksController,
    SubnetsController,
    SubnetPoolsController,
    AddressScopesController,
    PortsController,
    PortBindingsController,
    SecurityGroupsController,
    RoutersController,
    FloatingIpsController,
    PortForwardingsController,
    AutoAllocateController,
    RbacPoliciesController,
    TagsController,
    QuotasController,
    AgentsController,
    IpAvailabilityController,
    DiscoveryController,
  ];
}
