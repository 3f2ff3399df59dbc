import { Inject, Injectable } from '@nestjs/common';
import { spacedSeconds } from '@nestack/kernel/clock';
import { ApiReply, Handles, parseBoolean, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  addNetworkToDhcpAgent,
  addRouterToL3Agent,
  agentResource,
  availabilityZoneResource,
  deleteAgent,
  listAgents,
  listAvailabilityZones,
  listDhcpAgentsOfNetwork,
  listL3AgentsOfRouter,
  listNetworksOnDhcpAgent,
  listRoutersOnL3Agent,
  networkResource,
  removeNetworkFromDhcpAgent,
  removeRouterFromL3Agent,
  routerResource,
  showAgent,
  updateAgent,
} from '@nestack/neutron/contract';
import { Agents, Routers } from '@nestack/neutron/domain';
import { gatewayInfo } from '../l3/gateway-info';
import { Presenter } from '../presenter';
import { inMemory } from './in-memory';

@Injectable()
export class AgentsController {
  private readonly shown;
  private readonly zones;
  private readonly networks;
  private readonly routerViews;

  constructor(
    @Inject(Agents) private readonly agents: Agents,
    @Inject(Routers) private readonly routers: Routers,
    @Inject(POLICY) policy: PolicyEnforcer,
  ) {
    // Agents' dates have a form of their own.
    this.shown = new Presenter(agentResource, policy, {
      created_at: (agent) => spacedSeconds(agent['created_at'] as Date),
      started_at: (agent) => spacedSeconds(agent['started_at'] as Date),
      heartbeat_timestamp: (agent) => spacedSeconds(agent['heartbeat_timestamp'] as Date),
      resources_synced: () => null,
    });
    this.zones = new Presenter(availabilityZoneResource, policy);
    this.networks = new Presenter(networkResource, policy);
    this.routerViews = new Presenter(routerResource, policy, { external_gateway_info: gatewayInfo });
  }

  private id(request: ApiRequest): string {
    return request.params['agent_id'] ?? '';
  }

  @Handles(listAgents)
  async list(request: ApiRequest) {
    const query = this.shown.query(request);
    const found = inMemory(await this.agents.list(request.ctx), query, (agent, name, values) => {
      const value = (agent as unknown as Readonly<Record<string, unknown>>)[name];
      if (typeof value === 'boolean') return values.some((text) => parseBoolean(text) === value);
      return values.includes(String(value ?? ''));
    });
    return this.shown.page(request, query, found);
  }

  @Handles(showAgent)
  async show(request: ApiRequest) {
    return this.shown.one(request, await this.agents.show(request.ctx, this.id(request)));
  }

  @Handles(updateAgent)
  async update(request: ApiRequest) {
    const change = this.shown.change(request);
    return this.shown.one(request, await this.agents.update(request.ctx, this.id(request), change));
  }

  @Handles(deleteAgent)
  async remove(request: ApiRequest): Promise<null> {
    await this.agents.remove(request.ctx, this.id(request));
    return null;
  }

  @Handles(listAvailabilityZones)
  async listZones(request: ApiRequest) {
    const query = this.zones.query(request);
    const found = inMemory(await this.agents.zones(request.ctx), query, (zone, name, values) =>
      values.includes(String((zone as unknown as Readonly<Record<string, unknown>>)[name])),
    );
    return this.zones.page(request, query, found);
  }

  @Handles(listNetworksOnDhcpAgent)
  async listNetworks(request: ApiRequest) {
    const found = await this.agents.networks(request.ctx, this.id(request));
    return { networks: found.map((one) => this.networks.view(request.ctx, one)) };
  }

  @Handles(addNetworkToDhcpAgent)
  async addNetwork(request: RequestOf<typeof addNetworkToDhcpAgent>) {
    await this.agents.addNetwork(request.ctx, this.id(request), request.body.network_id);
    return nothing();
  }

  @Handles(removeNetworkFromDhcpAgent)
  async removeNetwork(request: ApiRequest): Promise<null> {
    await this.agents.removeNetwork(request.ctx, this.id(request), request.params['network_id'] ?? '');
    return null;
  }

  @Handles(listDhcpAgentsOfNetwork)
  async dhcpAgents(request: ApiRequest) {
    const found = await this.agents.dhcpAgents(request.ctx, request.params['network_id'] ?? '');
    return { agents: found.map((one) => this.shown.view(request.ctx, one)) };
  }

  @Handles(listRoutersOnL3Agent)
  async listRouters(request: ApiRequest) {
    const found = await this.agents.routers(request.ctx, this.id(request));
    return { routers: found.map((one) => this.routerViews.view(request.ctx, one)) };
  }

  @Handles(addRouterToL3Agent)
  async addRouter(request: RequestOf<typeof addRouterToL3Agent>) {
    await this.routers.addToAgent(request.ctx, this.id(request), request.body.router_id);
    return nothing();
  }

  @Handles(removeRouterFromL3Agent)
  async removeRouter(request: ApiRequest): Promise<null> {
    await this.routers.removeFromAgent(request.ctx, this.id(request), request.params['router_id'] ?? '');
    return null;
  }

  @Handles(listL3AgentsOfRouter)
  async l3Agents(request: ApiRequest) {
    const found = await this.agents.l3Agents(request.ctx, request.params['router_id'] ?? '');
    return { agents: found.map((one) => this.shown.view(request.ctx, one)) };
  }
}

/** JSON's null: clients read the body of these answers. upstream: neutron/api/v2/resource.py */
function nothing(): ApiReply {
  return new ApiReply('null', { status: 201 });
}
