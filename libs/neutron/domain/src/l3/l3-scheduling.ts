import type { RequestContext, Tx } from '@nestack/kernel/context';
import { EVERYTHING, type Router } from '../model';
import type { NeutronParts } from '../parts';
import type { RouterMessage } from '../ports';
import { bind } from '../l2-ports/binding';
import type { PortNews } from '../l2-ports/port-news';

/** Which host carries a router. Its ports are bound to that host, so that their bridges and tunnels are made there. */
export class L3Scheduling {
  constructor(
    private readonly parts: NeutronParts,
    private readonly news: PortNews,
  ) {}

  /** The host that carries the router, chosen now if there is none and somebody can; null without one. */
  async ensureHost(ctx: RequestContext, tx: Tx, router: Router): Promise<string | null> {
    const { agents } = this.parts;
    const known = await agents.l3Agent(tx, router.id);
    if (known !== null) return known.host;
    const agent = await agents.pickL3(tx, router.availability_zone_hints);
    if (agent === null) return null;
    await agents.bindL3(tx, router.id, agent.id);
    await this.bindPorts(ctx, tx, router.id, agent.host);
    return agent.host;
  }

  /** Gives a router to an agent's host, its ports with it. */
  async schedule(
    ctx: RequestContext,
    tx: Tx,
    router: Router,
    agent: { readonly id: string; readonly host: string },
  ): Promise<boolean> {
    if (!(await this.parts.agents.bindL3(tx, router.id, agent.id))) return false;
    await this.bindPorts(ctx, tx, router.id, agent.host);
    await this.tell(ctx, tx, agent.host, router.id);
    return true;
  }

  /**
   * Takes a router from a host. Its floating IPs are DOWN from now on: upstream's agent tells so when it removes the router, here
   * nobody listens to an agent that does not have it any more, and one that is dead tells nothing.
   * upstream: neutron/agent/l3/router_info.py (_process_external_on_delete)
   */
  async unschedule(ctx: RequestContext, tx: Tx, router: Router, host: string): Promise<void> {
    const { agents, floatingIps, clock } = this.parts;
    await agents.unbindL3(tx, router.id);
    for (const one of await floatingIps.ofRouter(tx, router.id)) {
      if (one.status !== 'DOWN') await floatingIps.update(tx, one.id, { status: 'DOWN' }, clock.now());
    }
    await this.bindPorts(ctx, tx, router.id, '');
    await this.tell(ctx, tx, host, router.id);
  }

  /** Something of a router changed. */
  async changed(ctx: RequestContext, tx: Tx, router: Router): Promise<void> {
    const host = await this.ensureHost(ctx, tx, router);
    if (host !== null) await this.tell(ctx, tx, host, router.id);
  }

  /** Routers that nobody carries go to agents that came. */
  async adopt(ctx: RequestContext, tx: Tx): Promise<void> {
    for (const id of await this.parts.agents.routersWithoutL3(tx)) {
      const router = await this.parts.routers.find(tx, id, EVERYTHING, { lock: 'change' });
      if (router !== null) await this.changed(ctx, tx, router);
    }
  }

  async tell(ctx: RequestContext, tx: Tx, host: string, routerId: string): Promise<void> {
    const message: RouterMessage = { method: 'routers_updated', host, args: { routers: [routerId] } };
    await this.parts.messages.add(ctx, tx, { agents: [message] });
  }

  private async bindPorts(ctx: RequestContext, tx: Tx, routerId: string, host: string): Promise<void> {
    const { parts } = this;
    for (const before of await parts.routers.allPorts(tx, routerId)) {
      if (before['binding:host_id'] === host) continue;
      const { wired, ...bound } = await bind(tx, parts, before, host);
      const status = host !== '' && !wired ? ('ACTIVE' as const) : ('DOWN' as const);
      const patch = { 'binding:host_id': host, ...bound, status };
      await parts.ports.update(tx, before.id, patch, parts.clock.now());
      await this.news.changed(ctx, tx, before, { ...before, ...patch, revision_number: before.revision_number + 1 });
    }
  }
}
