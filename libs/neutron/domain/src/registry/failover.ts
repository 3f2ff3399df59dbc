import { newContext } from '@nestack/kernel/context';
import type { DhcpScheduling } from '../l2-ports/dhcp-scheduling';
import type { L3Scheduling } from '../l3/l3-scheduling';
import { EVERYTHING } from '../model';
import type { NeutronParts } from '../parts';

export interface FailoverParts extends NeutronParts {
  readonly dhcp: DhcpScheduling;
  readonly l3: L3Scheduling;
}

/**
 * Hosts that fell silent serve nobody: their networks' DHCP servers and their routers go to hosts that live, if there are any.
 * upstream: neutron/db/agentschedulers_db.py (allow_automatic_dhcp_failover, allow_automatic_l3agent_failover)
 */
export class Failover {
  constructor(private readonly parts: FailoverParts) {}

  /** Moves what dead hosts had; how many networks and routers that were. */
  async run(): Promise<{ readonly networks: number; readonly routers: number }> {
    const { db, agents } = this.parts;
    const [networks, routers] = await Promise.all([
      db.read('failover.dhcp', (tx) => agents.dhcpOfDead(tx)),
      db.read('failover.l3', (tx) => agents.l3OfDead(tx)),
    ]);
    for (const one of networks) await this.moveNetwork(one.network_id, one.agent_id);
    for (const one of routers) await this.moveRouter(one.router_id, one.agent_id);
    return { networks: networks.length, routers: routers.length };
  }

  private async moveNetwork(networkId: string, agentId: string): Promise<void> {
    const { parts } = this;
    const ctx = newContext();
    await parts.db.run('failover.network', async (tx) => {
      const network = await parts.networks.find(tx, networkId, EVERYTHING, { lock: 'change' });
      const agent = await parts.agents.find(tx, agentId);
      if (network === null || agent === null || agent.alive) return;
      await parts.dhcp.unschedule(ctx, tx, network, agent);
      await parts.dhcp.subnetChanged(ctx, tx, network);
    });
  }

  private async moveRouter(routerId: string, agentId: string): Promise<void> {
    const { parts } = this;
    const ctx = newContext();
    await parts.db.run('failover.router', async (tx) => {
      const router = await parts.routers.find(tx, routerId, EVERYTHING, { lock: 'change' });
      const agent = await parts.agents.l3Agent(tx, routerId);
      if (router === null || agent === null || agent.id !== agentId || agent.alive) return;
      await parts.l3.unschedule(ctx, tx, router, agent.host);
      await parts.l3.changed(ctx, tx, router);
    });
  }
}
