import type { RequestContext, Tx } from '@nestack/kernel/context';
import { AGENT_TYPE, NeutronError, type CreationOf, type agentResource } from '@nestack/neutron/contract';
import { findOr, mustAllow } from '../access';
import type { DhcpScheduling } from '../l2-ports/dhcp-scheduling';
import { EVERYTHING, type Agent, type Network, type Router } from '../model';
import type { NeutronParts } from '../parts';

export type AgentInput = CreationOf<typeof agentResource>;

export interface AgentsParts extends NeutronParts {
  readonly dhcp: DhcpScheduling;
}

export interface Zone {
  readonly name: string;
  readonly resource: 'network' | 'router';
  readonly state: 'available' | 'unavailable';
}

/** Agents, and what administrators give them to do. */
export class Agents {
  constructor(private readonly parts: AgentsParts) {}

  /** All of them (there are few: the caller filters); who may see none sees an empty list. */
  async list(ctx: RequestContext): Promise<Agent[]> {
    if (!this.parts.policy.allows(ctx, 'get_agent', {})) return [];
    return this.parts.db.read('agent.list', (tx) => this.parts.agents.list(tx));
  }

  async show(ctx: RequestContext, id: string): Promise<Agent> {
    this.mustSee(ctx);
    return this.parts.db.read('agent.show', (tx) => this.find(tx, id));
  }

  private mustSee(ctx: RequestContext): void {
    if (!this.parts.policy.allows(ctx, 'get_agent', {})) throw NeutronError.HTTPNotFound();
  }

  private async find(tx: Tx, id: string): Promise<Agent> {
    const agent = await this.parts.agents.find(tx, id);
    if (agent === null) throw NeutronError.AgentNotFound({ id });
    return agent;
  }

  async update(ctx: RequestContext, id: string, input: AgentInput): Promise<Agent> {
    this.mustSee(ctx);
    mustAllow(ctx, this.parts.policy, 'update_agent', {});
    return this.parts.db.run('agent.update', async (tx) => {
      await this.find(tx, id);
      await this.parts.agents.update(tx, id, input);
      return this.find(tx, id);
    });
  }

  /** Forgets an agent; one that lives comes back with its next report. What it served goes to others. */
  async remove(ctx: RequestContext, id: string): Promise<void> {
    const { parts } = this;
    this.mustSee(ctx);
    mustAllow(ctx, parts.policy, 'delete_agent', {});
    await parts.db.run('agent.delete', async (tx) => {
      const agent = await this.find(tx, id);
      const networks = await parts.agents.dhcpNetworks(tx, id);
      for (const networkId of networks) {
        const network = await parts.networks.find(tx, networkId, EVERYTHING, { lock: 'change' });
        if (network !== null) await parts.dhcp.unschedule(ctx, tx, network, agent);
      }
      await parts.agents.remove(tx, id);
      await parts.dhcp.adopt(ctx, tx, networks);
    });
  }

  async zones(ctx: RequestContext): Promise<Zone[]> {
    mustAllow(ctx, this.parts.policy, 'get_availability_zone', { project_id: ctx.actor?.projectId ?? null });
    const agents = await this.parts.db.read('availability_zone.list', (tx) => this.parts.agents.list(tx));
    const zones = new Map<string, Zone>();
    for (const agent of agents) {
      const resource =
        agent.agent_type === AGENT_TYPE.dhcp ? 'network' : agent.agent_type === AGENT_TYPE.l3 ? 'router' : null;
      if (resource === null || agent.availability_zone === null) continue;
      const key = `${resource} ${agent.availability_zone}`;
      const usable = agent.admin_state_up || zones.get(key)?.state === 'available';
      zones.set(key, { name: agent.availability_zone, resource, state: usable ? 'available' : 'unavailable' });
    }
    return [...zones.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, zone]) => zone);
  }

  /** Networks that a DHCP agent serves. */
  async networks(ctx: RequestContext, id: string): Promise<Network[]> {
    const { parts } = this;
    mustAllow(ctx, parts.policy, 'get_dhcp-networks', {});
    return parts.db.read('agent.networks', async (tx) =>
      parts.networks.findAll(tx, await parts.agents.dhcpNetworks(tx, id), EVERYTHING),
    );
  }

  async addNetwork(ctx: RequestContext, id: string, networkId: string): Promise<void> {
    const { parts } = this;
    mustAllow(ctx, parts.policy, 'create_dhcp-network', {});
    await parts.db.run('agent.add_network', async (tx) => {
      const network = await findOr(
        tx,
        parts.networks,
        networkId,
        EVERYTHING,
        NeutronError.NetworkNotFound,
        'net_id',
        'change',
      );
      const agent = await this.find(tx, id);
      if (agent.agent_type !== AGENT_TYPE.dhcp || !agent.admin_state_up) throw NeutronError.InvalidDHCPAgent({ id });
      if (!(await parts.dhcp.schedule(ctx, tx, network, agent)))
        throw NeutronError.NetworkHostedByDHCPAgent({ network_id: networkId, agent_id: id });
    });
  }

  async removeNetwork(ctx: RequestContext, id: string, networkId: string): Promise<void> {
    const { parts } = this;
    mustAllow(ctx, parts.policy, 'delete_dhcp-network', {});
    await parts.db.run('agent.remove_network', async (tx) => {
      const network = await findOr(
        tx,
        parts.networks,
        networkId,
        EVERYTHING,
        NeutronError.NetworkNotFound,
        'net_id',
        'change',
      );
      const agent = await this.find(tx, id);
      if (!(await parts.dhcp.unschedule(ctx, tx, network, agent)))
        throw NeutronError.NetworkNotHostedByDhcpAgent({ network_id: networkId, agent_id: id });
    });
  }

  async dhcpAgents(ctx: RequestContext, networkId: string): Promise<Agent[]> {
    mustAllow(ctx, this.parts.policy, 'get_dhcp-agents', {});
    return this.parts.db.read('network.dhcp_agents', (tx) => this.parts.agents.dhcpAgents(tx, networkId));
  }

  async routers(ctx: RequestContext, id: string): Promise<Router[]> {
    const { parts } = this;
    mustAllow(ctx, parts.policy, 'get_l3-routers', {});
    return parts.db.read('agent.routers', async (tx) =>
      parts.routers.findAll(tx, await parts.agents.l3Routers(tx, id), EVERYTHING),
    );
  }

  async l3Agents(ctx: RequestContext, routerId: string): Promise<Agent[]> {
    const { parts } = this;
    mustAllow(ctx, parts.policy, 'get_l3-agents', {});
    return parts.db.read('router.l3_agents', async (tx) => {
      const agent = await parts.agents.l3Agent(tx, routerId);
      return agent === null ? [] : [agent];
    });
  }
}
