import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaError, type RequestSpec, type Selection } from '@nestack/nova/contract';
import type { PlacementPort, ProviderCandidate } from '../ports';
import { hintUuids, type HostFilter } from './filters';
import { nameOf, type HostState, type HostStateRepository, type SchedulableHost } from './host-state';
import { orderOfTrial, weighHosts, type HostWeigher } from './weighers';

/** Where the scheduler tells what it does, step by step. */
export interface SchedulerLog {
  debug(ctx: RequestContext, event: string, fields: Readonly<Record<string, unknown>>): void;
  info(ctx: RequestContext, event: string, fields: Readonly<Record<string, unknown>>): void;
}

export interface FilterSchedulerDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly hosts: HostStateRepository;
  readonly placement: PlacementPort;
  readonly filters: readonly HostFilter[];
  readonly weighers: readonly HostWeigher[];
  /** Among how many of the best hosts one is drawn. upstream: host_subset_size */
  readonly hostSubsetSize: number;
  /** Most hosts that are looked at for one server. upstream: max_placement_results */
  readonly maxPlacementResults: number;
  /** A number from 0 up to 1. */
  readonly random: () => number;
  readonly log: SchedulerLog;
}

/** Hosts that are looked at first; all of them only when none of these will do. */
const FIRST_LOOK = 64;
/** How often hosts are looked for anew when others took what was found. */
const ROUNDS = 5;

/**
 * Chooses a host and claims its resources. Placement says where room is, filters say which of these hosts may get the
 * server, weighers which is best, and the claim in Placement decides: whoever is second goes on to the next host. Any number
 * of schedulers can work at once, and a repeated request finds the claim that it made before.
 */
export class FilterScheduler {
  constructor(private readonly deps: FilterSchedulerDeps) {}

  /** Throws `NoValidHost`. */
  async select(ctx: RequestContext, spec: RequestSpec): Promise<Selection> {
    const forced = spec.force_host === null ? null : await this.#forced(ctx, spec.force_host);
    for (let round = 1; round <= ROUNDS; round += 1) {
      const hosts = await this.#suitable(ctx, spec, forced);
      if (hosts === null) return this.#claimedBefore(ctx, spec, '');
      if (hosts.length === 0) return this.#claimedBefore(ctx, spec, NOT_ENOUGH);
      const weighed = weighHosts(hosts, this.deps.weighers, this.deps.random);
      this.deps.log.debug(ctx, 'scheduler.weighed', {
        instance_uuid: spec.instance_uuid,
        message: `Weighed [${weighed.map((one) => `${nameOf(one.host)}: ${one.weight.toFixed(3)}`).join(', ')}]`,
      });
      for (const { host, weight } of orderOfTrial(weighed, this.deps.hostSubsetSize, this.deps.random)) {
        if (await this.deps.placement.claim(ctx, spec, host.candidate)) {
          this.deps.log.info(ctx, 'scheduler.selected', {
            instance_uuid: spec.instance_uuid,
            message: `Selected host: ${nameOf(host)}`,
            weight,
          });
          return selectionOf(host);
        }
        const held = await this.#held(ctx, spec);
        if (held !== null) return held;
      }
    }
    throw NovaError.NoValidHost({ reason: NOT_ENOUGH });
  }

  /** Hosts with room that pass the filters; null when Placement knows none with room. */
  async #suitable(
    ctx: RequestContext,
    spec: RequestSpec,
    forced: SchedulableHost | null,
  ): Promise<readonly HostState[] | null> {
    const most = this.deps.maxPlacementResults;
    // Placement gives the emptiest first; where full hosts are wanted the first look would miss them.
    const spreads = this.deps.weighers.every((weigher) => weigher.multiplier >= 0);
    for (let limit = spreads ? Math.min(FIRST_LOOK, most) : most; ; limit = most) {
      const candidates = await this.deps.placement.candidates(ctx, spec, limit, forced?.compute_node_uuid);
      if (candidates.length === 0) {
        this.deps.log.info(ctx, 'scheduler.no_candidates', {
          instance_uuid: spec.instance_uuid,
          message: 'Got no allocation candidates from Placement',
        });
        return null;
      }
      const hosts = await this.#states(ctx, spec, candidates);
      const left = forced === null ? this.#filtered(ctx, spec, hosts) : hosts;
      if (left.length > 0 || limit >= most || candidates.length < limit) return left;
    }
  }

  /** What nova knows of the candidates. Providers that are none of its hosts drop out. */
  async #states(
    _ctx: RequestContext,
    spec: RequestSpec,
    candidates: readonly ProviderCandidate[],
  ): Promise<readonly HostState[]> {
    const hinted = [...hintUuids(spec, 'different_host'), ...hintUuids(spec, 'same_host')];
    const { known, places } = await this.deps.tx.read('scheduler.hosts', async (tx) => ({
      known: await this.deps.hosts.byNodes(
        tx,
        candidates.map((one) => one.provider_uuid),
      ),
      places: hinted.length === 0 ? new Map<string, string>() : await this.deps.hosts.hostsOfInstances(tx, hinted),
    }));
    const byNode = new Map(known.map((host) => [host.compute_node_uuid, host]));
    return candidates.flatMap((candidate) => {
      const host = byNode.get(candidate.provider_uuid);
      if (host === undefined) return [];
      const here = [...places].filter(([, name]) => name === host.host).map(([uuid]) => uuid);
      return [{ ...host, candidate, hinted: here }];
    });
  }

  #filtered(ctx: RequestContext, spec: RequestSpec, hosts: readonly HostState[]): readonly HostState[] {
    const { log } = this.deps;
    const instance = { instance_uuid: spec.instance_uuid };
    const results: string[] = [];
    const now = this.deps.clock.now();
    log.debug(ctx, 'scheduler.filter', { ...instance, message: `Starting with ${String(hosts.length)} host(s)` });
    const step = (name: string, passes: (host: HostState) => boolean): void => {
      if (left.length === 0) return;
      const start = left.length;
      left = left.filter(passes);
      results.push(`${name}: (start: ${String(start)}, end: ${String(left.length)})`);
      log.debug(ctx, 'scheduler.filter', {
        ...instance,
        message: `Filter ${name} returned ${String(left.length)} host(s)`,
        filter: name,
        start,
        end: left.length,
      });
    };
    let left = hosts;
    const ignored = new Set(spec.ignore_hosts.map((name) => name.toLowerCase()));
    if (ignored.size > 0) step('IgnoreHosts', (host) => !ignored.has(host.host.toLowerCase()));
    for (const filter of this.deps.filters) step(filter.name, (host) => filter.passes(host, spec, now));
    log.info(ctx, 'scheduler.filtered', {
      ...instance,
      message:
        left.length > 0
          ? `Filters left ${String(left.length)} of ${String(hosts.length)} host(s)`
          : `Filtering removed all hosts for the request with instance ID '${spec.instance_uuid}'`,
      results,
    });
    return left;
  }

  async #forced(_ctx: RequestContext, name: string): Promise<SchedulableHost> {
    const host = await this.deps.tx.read('scheduler.forced_host', (tx) => this.deps.hosts.byName(tx, name));
    if (host === null) throw NovaError.NoValidHost({ reason: NOT_ENOUGH });
    return host;
  }

  /** When nothing is free, it may be this very server that took the last of it before its caller lost the answer. */
  async #claimedBefore(ctx: RequestContext, spec: RequestSpec, reason: string): Promise<Selection> {
    const held = await this.#held(ctx, spec);
    if (held === null) throw NovaError.NoValidHost({ reason });
    return held;
  }

  async #held(ctx: RequestContext, spec: RequestSpec): Promise<Selection | null> {
    const provider = await this.deps.placement.allocatedOn(ctx, spec.instance_uuid);
    if (provider === null) return null;
    const [host] = await this.deps.tx.read('scheduler.held', (tx) => this.deps.hosts.byNodes(tx, [provider]));
    if (host !== undefined && !spec.ignore_hosts.includes(host.host)) return selectionOf(host);
    // What it holds is of no use: a host that is gone, or one that failed it.
    await this.deps.placement.release(ctx, spec.instance_uuid);
    return null;
  }
}

/** Upstream's whole reason: it tells users nothing about the hosts. */
const NOT_ENOUGH = 'There are not enough hosts available.';

function selectionOf(host: SchedulableHost): Selection {
  return {
    service_host: host.host,
    nodename: host.facts.hypervisor_hostname,
    compute_node_uuid: host.compute_node_uuid,
    availability_zone: host.service.availability_zone,
  };
}
