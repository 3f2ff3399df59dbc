import type { RequestContext, Tx } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { DRY_RUN_PASSED, NeutronError } from '@nestack/neutron/contract';
import { isAdmin, mustAllow, viewerOf } from '../access';
import { EVERYTHING, where, type Subnet } from '../model';
import { Networks, type NetworksParts } from '../networks/networks';
import type { NetworkPolicy } from '../parts';
import type { AutoAllocatedTopologyRepository } from '../ports';
import { Subnets } from '../subnets/subnets';
import { Gateways } from './gateway';
import { RouterInterfaces, type InterfacesParts } from './router-interfaces';
import { Routers } from './routers';

export interface AutoAllocateParts extends NetworksParts, InterfacesParts {
  readonly topologies: AutoAllocatedTopologyRepository;
}

export interface AutoAllocatedTopology {
  /** The network's id, or what tells that a dry run passed. */
  readonly id: string;
  readonly project_id: string;
}

/** What is made here is made for the project, whatever its caller may do by himself. */
const UNRESTRICTED: NetworkPolicy = { allows: () => true };

const FAMILIES = [4, 6] as const;
const UNFIT = new Set(['badRequest', 'notFound']);

/**
 * A network of a project's own with subnets from the default pools and a router to the default external network, made when it is
 * first asked for. Everything is one transaction: there is all of it or nothing, and one per project.
 * upstream: neutron/services/auto_allocate/db.py
 */
export class AutoAllocatedTopologies {
  private readonly networks: Networks;
  private readonly subnets: Subnets;
  private readonly routers: Routers;
  private readonly interfaces: RouterInterfaces;

  constructor(private readonly parts: AutoAllocateParts) {
    const free = { ...parts, policy: UNRESTRICTED };
    const gateways = new Gateways(free, parts.maker, parts.news);
    this.networks = new Networks(free);
    this.subnets = new Subnets(free);
    this.routers = new Routers({ ...free, gateways });
    this.interfaces = new RouterInterfaces({ ...free, gateways });
  }

  /** The topology, made if there is none. Throws 409 `AutoAllocationFailure` where the cloud has no defaults to make it of. */
  async get(ctx: RequestContext, project: string): Promise<AutoAllocatedTopology> {
    const { parts } = this;
    const projectId = this.projectOf(ctx, project);
    mustAllow(ctx, parts.policy, 'get_auto_allocated_topology', { project_id: projectId });
    const id = await parts.db.run('auto_allocate.get', async (tx) => {
      const known = await parts.topologies.find(tx, projectId, { lock: true });
      return known?.network_id ?? this.make(ctx, tx, projectId);
    });
    return { id, project_id: projectId };
  }

  /** Looks whether a topology could be made. */
  async check(ctx: RequestContext, project: string): Promise<AutoAllocatedTopology> {
    const { parts } = this;
    const projectId = this.projectOf(ctx, project);
    mustAllow(ctx, parts.policy, 'get_auto_allocated_topology', { project_id: projectId });
    await parts.db.read('auto_allocate.check', (tx) => this.requirements(tx));
    return { id: DRY_RUN_PASSED, project_id: projectId };
  }

  /** Deletes it with its router and subnets. None is no error. Throws 409 while somebody else has ports on it. */
  async remove(ctx: RequestContext, project: string): Promise<void> {
    const { parts } = this;
    const projectId = this.projectOf(ctx, project);
    mustAllow(ctx, parts.policy, 'delete_auto_allocated_topology', { project_id: projectId });
    await parts.db.run('auto_allocate.delete', async (tx) => {
      const known = await parts.topologies.find(tx, projectId, { lock: true });
      if (known === null) return;
      if (known.router_id !== null) {
        for (const subnet of await parts.subnets.ofNetwork(tx, known.network_id)) {
          const asked = { subnet_id: subnet.id };
          await ignoringAbsence(() => this.interfaces.disconnect(ctx, tx, known.router_id ?? '', asked));
        }
        await this.routers.drop(ctx, tx, known.router_id);
      }
      await this.networks.drop(ctx, tx, known.network_id);
    });
  }

  /** Clients that know no project say `None` and mean their own. Those of others are for administrators and services. */
  private projectOf(ctx: RequestContext, asked: string): string {
    const { policy } = this.parts;
    const own = ctx.actor?.projectId ?? '';
    const projectId = asked === 'None' ? own : asked;
    if (projectId !== own && !isAdmin(ctx, policy) && !viewerOf(ctx, policy).all) throw NeutronError.NotAuthorized();
    return projectId;
  }

  private async requirements(tx: Tx) {
    const { parts } = this;
    const [external] = await parts.networks.list(tx, EVERYTHING, where({ is_default: 'true' }));
    if (external === undefined) throw failure('No default router:external network');
    const pools = [];
    for (const family of FAMILIES) {
      const pool = await parts.pools.default(tx, family);
      if (pool !== null) pools.push(pool);
    }
    if (pools.length === 0) throw failure('No default subnetpools defined');
    return { external, pools };
  }

  private async make(ctx: RequestContext, tx: Tx, projectId: string): Promise<string> {
    const { external, pools } = await this.requirements(tx);
    const owner = { project_id: projectId };
    const network = await this.networks.make(ctx, tx, { ...owner, name: 'auto_allocated_network' });
    const subnets: Subnet[] = [];
    for (const pool of pools)
      subnets.push(
        await failingAs('Unable to provide tenant private network', () =>
          this.subnets.make(ctx, tx, {
            ...owner,
            name: `auto_allocated_subnet_v${String(pool.ip_version)}`,
            network_id: network.id,
            ip_version: pool.ip_version,
            subnetpool_id: pool.id,
          }),
        ),
      );
    const router = await failingAs('Unable to provide external connectivity', async () => {
      const made = await this.routers.make(ctx, tx, {
        ...owner,
        name: 'auto_allocated_router',
        external_gateway_info: { network_id: external.id },
      });
      for (const subnet of subnets) await this.interfaces.connect(ctx, tx, made.id, { subnet_id: subnet.id });
      return made;
    });
    await this.parts.topologies.insert(tx, { project_id: projectId, network_id: network.id, router_id: router.id });
    return network.id;
  }
}

function failure(reason: string): DomainError {
  return NeutronError.AutoAllocationFailure({ reason });
}

/** What does not fit together is a fault of the deployment; quotas and full networks tell of themselves. */
async function failingAs<T>(reason: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError && (UNFIT.has(error.kind) || error.code === 'SubnetAllocationError'))
      throw failure(reason);
    throw error;
  }
}

/** Its owner may have taken parts away. */
async function ignoringAbsence(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DomainError && error.kind === 'notFound')) throw error;
  }
}
