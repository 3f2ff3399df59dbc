import type { RequestContext, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import {
  AGENT_TYPE,
  NeutronError,
  contains,
  parseIp,
  type CreationOf,
  type HostRoute,
  type routerResource,
} from '@nestack/neutron/contract';
import {
  findOr,
  listPage,
  matchRevision,
  mustAllow,
  mustAllowAttributes,
  ownerOf,
  viewerOf,
  withinQuota,
} from '../access';
import { EVERYTHING, type ListQuery, type Router } from '../model';
import type { NeutronParts } from '../parts';
import { networkOf } from '../subnets/subnet-plan';
import type { Gateways } from './gateway';
import type { L3Scheduling } from './l3-scheduling';

export type RouterInput = CreationOf<typeof routerResource>;

export interface RoutersParts extends NeutronParts {
  readonly l3: L3Scheduling;
  readonly gateways: Gateways;
  readonly ruled: ReadonlySet<string>;
}

/** Routers. */
export class Routers {
  constructor(private readonly parts: RoutersParts) {}

  async list(ctx: RequestContext, query: ListQuery): Promise<Router[]> {
    const { db, routers, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('router.list', (tx) =>
      listPage(tx, routers, viewer, query, NeutronError.RouterNotFound, 'router_id'),
    );
  }

  async show(ctx: RequestContext, id: string): Promise<Router> {
    const { db, routers, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('router.show', (tx) => findOr(tx, routers, id, viewer, NeutronError.RouterNotFound, 'router_id'));
  }

  async create(ctx: RequestContext, asked: readonly RouterInput[]): Promise<Router[]> {
    return this.parts.db.run('router.create', async (tx) => {
      const made: Router[] = [];
      for (const input of asked) made.push(await this.make(ctx, tx, input));
      return made;
    });
  }

  /** Creates one in a transaction that is there. */
  async make(ctx: RequestContext, tx: Tx, input: RouterInput): Promise<Router> {
    const { parts } = this;
    const projectId = ownerOf(ctx, parts.policy, input.project_id);
    const target = { ...input, project_id: projectId };
    mustAllow(ctx, parts.policy, 'create_router', target);
    this.checkGatewayRights(ctx, 'create_router', input, target);
    await this.checkZones(tx, input.availability_zone_hints ?? []);
    const now = parts.clock.now();
    const router: Router = {
      id: newUuid(),
      project_id: projectId,
      name: input.name ?? '',
      description: input.description ?? '',
      tags: [],
      revision_number: 1,
      created_at: now,
      updated_at: now,
      admin_state_up: input.admin_state_up ?? true,
      status: 'ACTIVE',
      availability_zone_hints: input.availability_zone_hints ?? [],
      availability_zones: [],
      routes: [],
      enable_snat: true,
      gateway_network_id: null,
      gateway_port_id: null,
      gateway_fixed_ips: [],
    };
    await parts.routers.insert(tx, router);
    await withinQuota(tx, parts, projectId, ['router']);
    const gateway = input.external_gateway_info ?? null;
    if (gateway === null) return router;
    const host = await parts.l3.ensureHost(ctx, tx, router);
    const fields = await parts.gateways.set(ctx, tx, router, gateway, host);
    await parts.routers.update(tx, router.id, fields, now);
    return this.finished(ctx, tx, router.id);
  }

  private async finished(ctx: RequestContext, tx: Tx, id: string): Promise<Router> {
    const router = await findOr(tx, this.parts.routers, id, EVERYTHING, NeutronError.RouterNotFound, 'router_id');
    await this.parts.l3.changed(ctx, tx, router);
    return router;
  }

  private checkGatewayRights(
    ctx: RequestContext,
    action: string,
    input: RouterInput,
    target: Readonly<Record<string, unknown>>,
  ): void {
    const { policy, ruled } = this.parts;
    mustAllowAttributes(ctx, policy, action, input, ruled, target, { external_gateway_info: null });
    const gateway = input.external_gateway_info;
    if (gateway === undefined || gateway === null) return;
    if (gateway.enable_snat !== undefined)
      mustAllow(ctx, policy, `${action}:external_gateway_info:enable_snat`, target);
    if (gateway.external_fixed_ips !== undefined)
      mustAllow(ctx, policy, `${action}:external_gateway_info:external_fixed_ips`, target);
  }

  private async checkZones(tx: Tx, hints: readonly string[]): Promise<void> {
    if (hints.length === 0) return;
    const agents = await this.parts.agents.list(tx);
    const zones = new Set(agents.filter((one) => one.agent_type === AGENT_TYPE.l3).map((one) => one.availability_zone));
    const unknown = hints.find((hint) => !zones.has(hint));
    if (unknown !== undefined) throw NeutronError.AvailabilityZoneNotFound({ availability_zone: unknown });
  }

  async update(ctx: RequestContext, id: string, input: RouterInput, revision: number | null): Promise<Router> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    return parts.db.run('router.update', async (tx) => {
      const before = await findOr(tx, parts.routers, id, viewer, NeutronError.RouterNotFound, 'router_id', 'change');
      mustAllow(ctx, parts.policy, 'update_router', { ...before });
      this.checkGatewayRights(ctx, 'update_router', input, { ...before });
      matchRevision(before.revision_number, revision);
      const { external_gateway_info: gateway, routes, ...rest } = input;
      let fields: Partial<Router> = rest as Partial<Router>;
      if (gateway !== undefined) {
        const host = gateway === null ? null : await parts.l3.ensureHost(ctx, tx, before);
        fields = { ...fields, ...(await parts.gateways.set(ctx, tx, before, gateway, host)) };
      }
      if (routes !== undefined) {
        await this.checkRoutes(tx, id, routes);
        fields = { ...fields, routes };
      }
      await parts.routers.update(tx, id, fields, parts.clock.now());
      return this.finished(ctx, tx, id);
    });
  }

  /** Adds routes or takes some away, in one go for those who change others at the same time. */
  async changeRoutes(
    ctx: RequestContext,
    id: string,
    change: 'add' | 'remove',
    routes: readonly HostRoute[],
  ): Promise<Router> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    return parts.db.run('router.routes', async (tx) => {
      const before = await findOr(tx, parts.routers, id, viewer, NeutronError.RouterNotFound, 'router_id', 'change');
      mustAllow(ctx, parts.policy, `${change}_extraroutes`, { ...before });
      const key = (one: HostRoute): string => `${one.destination} ${one.nexthop}`;
      const given = new Map(routes.map((one) => [key(one), one]));
      const kept = before.routes.filter((one) => !given.has(key(one)));
      const after = change === 'remove' ? kept : [...kept, ...given.values()];
      await this.checkRoutes(tx, id, after);
      await parts.routers.update(tx, id, { routes: after }, parts.clock.now());
      return this.finished(ctx, tx, id);
    });
  }

  /** Next hops are neighbours of the router. upstream: neutron/db/extraroute_db.py _validate_routes_nexthop */
  private async checkRoutes(tx: Tx, id: string, routes: readonly HostRoute[]): Promise<void> {
    const { parts } = this;
    if (routes.length > parts.settings.maxRoutes)
      throw NeutronError.RoutesExhausted({ router_id: id, quota: parts.settings.maxRoutes });
    if (routes.length === 0) return;
    const ports = await parts.routers.allPorts(tx, id);
    const ips = ports.flatMap((port) => port.fixed_ips);
    const subnets = await parts.subnets.findAll(
      tx,
      ips.map((ip) => ip.subnet_id),
      EVERYTHING,
    );
    for (const { nexthop } of routes) {
      const hop = parseIp(nexthop);
      if (hop === null || !subnets.some((one) => contains(networkOf(one.cidr), hop)))
        throw NeutronError.InvalidRoutes({
          routes: JSON.stringify(routes),
          reason: 'the nexthop is not connected with router',
        });
      if (ips.some((ip) => ip.ip_address === nexthop))
        throw NeutronError.InvalidRoutes({ routes: JSON.stringify(routes), reason: 'the nexthop is used by router' });
    }
  }

  /** Throws 409 while subnets are connected. */
  async remove(ctx: RequestContext, id: string): Promise<void> {
    await this.parts.db.run('router.delete', (tx) => this.drop(ctx, tx, id));
  }

  /** Deletes one in a transaction that is there. */
  async drop(ctx: RequestContext, tx: Tx, id: string): Promise<void> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    const router = await findOr(tx, parts.routers, id, viewer, NeutronError.RouterNotFound, 'router_id', 'remove');
    mustAllow(ctx, parts.policy, 'delete_router', { ...router });
    if ((await parts.routers.interfaces(tx, id)).length > 0)
      throw NeutronError.RouterInUse({ router_id: id, reason: 'still has ports' });
    await parts.gateways.clear(ctx, tx, router);
    const agent = await parts.agents.l3Agent(tx, id);
    await parts.routers.remove(tx, id);
    if (agent !== null) await parts.l3.tell(ctx, tx, agent.host, id);
  }

  /** Gives a router to an L3 agent, whoever has it now. */
  async addToAgent(ctx: RequestContext, agentId: string, id: string): Promise<void> {
    const { parts } = this;
    mustAllow(ctx, parts.policy, 'create_l3-router', {});
    await parts.db.run('agent.add_router', async (tx) => {
      const router = await findOr(
        tx,
        parts.routers,
        id,
        EVERYTHING,
        NeutronError.RouterNotFound,
        'router_id',
        'change',
      );
      const agent = await parts.agents.find(tx, agentId);
      if (agent === null) throw NeutronError.AgentNotFound({ id: agentId });
      if (agent.agent_type !== AGENT_TYPE.l3 || !agent.admin_state_up)
        throw NeutronError.InvalidL3Agent({ id: agentId });
      const known = await parts.agents.l3Agent(tx, id);
      if (known?.id === agentId) return;
      if (known !== null) throw NeutronError.RouterHostedByL3Agent({ router_id: id, agent_id: known.id });
      await parts.l3.schedule(ctx, tx, router, agent);
    });
  }

  async removeFromAgent(ctx: RequestContext, agentId: string, id: string): Promise<void> {
    const { parts } = this;
    mustAllow(ctx, parts.policy, 'delete_l3-router', {});
    await parts.db.run('agent.remove_router', async (tx) => {
      const router = await findOr(
        tx,
        parts.routers,
        id,
        EVERYTHING,
        NeutronError.RouterNotFound,
        'router_id',
        'change',
      );
      const known = await parts.agents.l3Agent(tx, id);
      if (known === null || known.id !== agentId)
        throw NeutronError.RouterNotHostedByL3Agent({ router_id: id, agent_id: agentId });
      await parts.l3.unschedule(ctx, tx, router, known.host);
    });
  }
}
