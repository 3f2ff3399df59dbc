import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaError, type Alternate, type RequestSpec, type Selection } from '@nestack/nova/contract';
import type { PlacementPort, ProviderCandidate, ServerGroupRepository } from '../ports';
import { allowsHost, groupHint, hostsOfOthers, type GroupPlaces } from '../server-groups/group-policy';
import { hintUuids, type HostFilter } from './filters';
import {
  nameOf,
  type HostState,
  type HostStateRepository,
  type SchedulableHost,
  type SchedulingRequest,
} from './host-state';
import { traitsOfImage } from './resource-request';
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
  readonly groups: Pick<ServerGroupRepository, 'places' | 'hold'>;
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

/** The host that is claimed, and others that would do. */
export interface Selected extends Selection {
  readonly alternates: readonly Alternate[];
}

/** Hosts that may get the server, and what they were chosen for. */
interface Suitable {
  readonly hosts: readonly HostState[];
  readonly request: SchedulingRequest;
}

/**
 * Chooses a host and claims its resources. Placement says where room is, filters say which of these hosts may get the
 * server, weighers which is best, and the claim in Placement decides: whoever is second goes on to the next host. A member
 * of a server group also takes its place in the group, which decides in the same way. Any number of schedulers can work at
 * once, and a repeated request finds the claim that it made before.
 */
export class FilterScheduler {
  constructor(private readonly deps: FilterSchedulerDeps) {}

  /**
   * Answers as many alternates beside the chosen host as are wanted and there are, the best first; none where only this host may
   * be, or for a member of a server group, whose place no claim alone secures. Throws `NoValidHost`.
   */
  async select(ctx: RequestContext, spec: RequestSpec, alternates = 0): Promise<Selected> {
    this.deps.log.debug(ctx, 'scheduler.start', {
      instance_uuid: spec.instance_uuid,
      message: `Starting to schedule for instances: ['${spec.instance_uuid}']`,
    });
    if (spec.check_type === 'rebuild') return { ...(await this.#checkRebuild(ctx, spec)), alternates: [] };
    const only = spec.force_host ?? spec.requested_host ?? null;
    const forced = only === null ? null : await this.#byName(only);
    if (only !== null && forced === null) throw NovaError.NoValidHost({ reason: NOT_ENOUGH });
    for (let round = 1; round <= ROUNDS; round += 1) {
      const suitable = await this.#suitable(ctx, spec, forced);
      if (suitable === null || suitable.hosts.length === 0) {
        const held = await this.#claimedBefore(ctx, spec, suitable === null ? '' : NOT_ENOUGH);
        return { ...held, alternates: [] };
      }
      const selected = await this.#claimOne(ctx, suitable, groupHint(spec.scheduler_hints) === null ? alternates : 0);
      if (selected !== null) return selected;
    }
    throw NovaError.NoValidHost({ reason: NOT_ENOUGH });
  }

  /**
   * Whether the server may have its new image where it is: the image's traits are those of what it holds, and the filters that
   * look at images let its host pass. Placement is not asked for room, which the server has.
   * upstream: nova/conductor/manager.py _validate_image_traits_for_rebuild, nova/scheduler/filters/__init__.py RUN_ON_REBUILD
   */
  async #checkRebuild(ctx: RequestContext, spec: RequestSpec): Promise<Selection> {
    const wanted = traitsOfImage(spec);
    if (wanted.some((trait) => spec.flavor.extra_specs[`trait:${trait}`] === 'forbidden'))
      throw NovaError.NoValidHost({ reason: FORBIDDEN_BY_FLAVOR });
    if (wanted.length > 0) {
      const there = await this.deps.placement.traitsOf(ctx, spec.instance_uuid);
      if (wanted.some((trait) => !there.has(trait))) throw NovaError.NoValidHost({ reason: TRAITS_MISSING });
    }
    const host = await this.#byName(spec.requested_host ?? '');
    if (host === null) throw NovaError.NoValidHost({ reason: NOT_ENOUGH });
    const candidate = { provider_uuid: host.compute_node_uuid, allocation_request: null, capacity: {} };
    const request = { spec, now: this.deps.clock.now(), group: null };
    const filters = this.deps.filters.filter(({ onRebuild }) => onRebuild === true);
    const [left] = this.#filtered(ctx, request, [{ ...host, candidate, hinted: [] }], filters);
    if (left === undefined) throw NovaError.NoValidHost({ reason: NOT_ENOUGH });
    return selectionOf(left);
  }

  /** The best of the hosts that can be claimed; null when others took them all. */
  async #claimOne(ctx: RequestContext, { hosts, request }: Suitable, alternates: number): Promise<Selected | null> {
    const { log, placement, weighers, random } = this.deps;
    const { spec } = request;
    const weighed = weighHosts(hosts, weighers, request, random);
    log.debug(ctx, 'scheduler.weighed', {
      instance_uuid: spec.instance_uuid,
      message: `Weighed [${weighed.map((one) => `WeighedHost [host: ${nameOf(one.host)}, weight: ${String(one.weight)}]`).join(', ')}]`,
    });
    let left = orderOfTrial(weighed, this.deps.hostSubsetSize, random);
    for (;;) {
      const [best, ...others] = left;
      if (best === undefined) return null;
      left = others;
      const { host, weight } = best;
      if (!(await placement.claim(ctx, spec, host.candidate))) {
        const held = await this.#held(ctx, spec);
        if (held !== null) return { ...held, alternates: [] };
        continue;
      }
      const places = await this.#takePlace(spec, host.host);
      if (places === null) {
        log.info(ctx, 'scheduler.selected', {
          instance_uuid: spec.instance_uuid,
          message: `Selected host: ${nameOf(host)}`,
          weight,
        });
        return { ...selectionOf(host), alternates: left.slice(0, alternates).map(alternateOf) };
      }
      await this.#giveBack(ctx, spec, host.host, places);
      left = left.filter((one) => allowsHost(places, one.host.host, spec.instance_uuid));
    }
  }

  /**
   * Takes the place of a member of a server group on the host that it has claimed. Where everyone else's places are is looked
   * at, and this one written, under the group's lock, so of several members that want the same host under `anti-affinity`, or
   * different ones under `affinity`, only as many get theirs as the policy allows. Answers null, or the places of the others
   * that stand in the way.
   */
  async #takePlace(spec: RequestSpec, host: string): Promise<GroupPlaces | null> {
    const id = groupHint(spec.scheduler_hints);
    if (id === null) return null;
    return this.deps.tx.run('scheduler.place', async (tx) => {
      const places = await this.deps.groups.places(tx, id, { lock: true });
      if (places === null) return null;
      if (!allowsHost(places, host, spec.instance_uuid)) return places;
      await this.deps.groups.hold(tx, spec.instance_uuid, host);
      return null;
    });
  }

  async #giveBack(ctx: RequestContext, spec: RequestSpec, host: string, { group }: GroupPlaces): Promise<void> {
    this.deps.log.debug(ctx, 'scheduler.group_violated', {
      instance_uuid: spec.instance_uuid,
      message: `Another member of server group ${group.uuid} was faster: ${group.policy} does not allow ${host}`,
    });
    await this.deps.placement.release(ctx, spec.instance_uuid);
  }

  /** Hosts with room that pass the filters; null when Placement knows none with room. */
  async #suitable(ctx: RequestContext, spec: RequestSpec, forced: SchedulableHost | null): Promise<Suitable | null> {
    const most = this.deps.maxPlacementResults;
    const group = await this.#group(spec);
    const request = { spec, now: this.deps.clock.now(), group };
    for (let limit = this.#spreads(group) ? Math.min(FIRST_LOOK, most) : most; ; limit = most) {
      const candidates = await this.deps.placement.candidates(ctx, spec, limit, forced?.compute_node_uuid);
      if (candidates.length === 0) {
        this.deps.log.info(ctx, 'scheduler.no_candidates', {
          instance_uuid: spec.instance_uuid,
          message: 'Got no allocation candidates from the Placement API.',
        });
        return null;
      }
      const states = await this.#states(spec, candidates);
      const hosts = spec.force_host === null ? this.#filtered(ctx, request, states) : states;
      if (hosts.length > 0 || candidates.length < limit) return { hosts, request };
      if (limit >= most) return { hosts: await this.#besideOthers(ctx, request), request };
    }
  }

  /**
   * Placement gives the emptiest hosts first: where they are wanted, the first of them are enough to look at. Where full ones
   * are wanted, or those of a group's members, they would be missed.
   */
  #spreads(group: GroupPlaces | null): boolean {
    if (group !== null && group.group.policy.startsWith('soft-')) return false;
    return this.deps.weighers.every((weigher) => !weigher.free || weigher.multiplier >= 0);
  }

  /** In a cloud of more hosts than are looked at, the one where an affinity group is. */
  async #besideOthers(ctx: RequestContext, request: SchedulingRequest): Promise<readonly HostState[]> {
    const { spec, group } = request;
    if (group?.group.policy !== 'affinity') return [];
    const [name] = hostsOfOthers(group, spec.instance_uuid);
    const host = name === undefined ? null : await this.#byName(name);
    if (host === null) return [];
    const candidates = await this.deps.placement.candidates(ctx, spec, 1, host.compute_node_uuid);
    return this.#filtered(ctx, request, await this.#states(spec, candidates));
  }

  #group(spec: RequestSpec): Promise<GroupPlaces | null> {
    const id = groupHint(spec.scheduler_hints);
    if (id === null) return Promise.resolve(null);
    return this.deps.tx.read('scheduler.group', (tx) => this.deps.groups.places(tx, id));
  }

  /** What nova knows of the candidates. Providers that are none of its hosts drop out. */
  async #states(spec: RequestSpec, candidates: readonly ProviderCandidate[]): Promise<readonly HostState[]> {
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

  #filtered(
    ctx: RequestContext,
    request: SchedulingRequest,
    hosts: readonly HostState[],
    filters = this.deps.filters,
  ): readonly HostState[] {
    const { log } = this.deps;
    const { spec } = request;
    const instance = { instance_uuid: spec.instance_uuid };
    const results: string[] = [];
    log.debug(ctx, 'scheduler.filter', { ...instance, message: `Starting with ${String(hosts.length)} host(s)` });
    const step = (name: string, passes: (host: HostState) => boolean): void => {
      if (left.length === 0) return;
      const start = left.length;
      left = left.filter(passes);
      const end = left.length;
      results.push(`${name}: (start: ${String(start)}, end: ${String(end)})`);
      const fields = { ...instance, filter: name, start, end };
      if (end === 0) log.info(ctx, 'scheduler.filter', { ...fields, message: `Filter ${name} returned 0 hosts` });
      else log.debug(ctx, 'scheduler.filter', { ...fields, message: `Filter ${name} returned ${String(end)} host(s)` });
    };
    let left = hosts;
    const ignored = new Set(spec.ignore_hosts.map((name) => name.toLowerCase()));
    if (ignored.size > 0) step('IgnoreHosts', (host) => !ignored.has(host.host.toLowerCase()));
    for (const filter of filters) step(filter.name, (host) => filter.passes(host, request));
    if (left.length > 0)
      log.debug(ctx, 'scheduler.filtered', { ...instance, message: `Filtered [${left.map(nameOf).join(', ')}]` });
    else
      log.info(ctx, 'scheduler.filtered', {
        ...instance,
        message: `Filtering removed all hosts for the request with instance ID '${spec.instance_uuid}'. Filter results: [${results.map((one) => `'${one}'`).join(', ')}]`,
        results,
      });
    return left;
  }

  #byName(name: string): Promise<SchedulableHost | null> {
    return this.deps.tx.read('scheduler.host', (tx) => this.deps.hosts.byName(tx, name));
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
    if (host !== undefined && !spec.ignore_hosts.includes(host.host)) {
      if ((await this.#takePlace(spec, host.host)) === null) return selectionOf(host);
    }
    // What it holds is of no use: a host that is gone, one that failed it, or one that its group does not allow.
    await this.deps.placement.release(ctx, spec.instance_uuid);
    return null;
  }
}

function alternateOf({ host }: { readonly host: HostState }): Alternate {
  return { ...selectionOf(host), allocation_request: host.candidate.allocation_request };
}

/** Upstream's whole reason: it tells users nothing about the hosts. */
const NOT_ENOUGH = 'There are not enough hosts available.';
const FORBIDDEN_BY_FLAVOR = 'The image requires traits that the flavor of the server forbids.';
const TRAITS_MISSING = 'What the server holds does not have the traits that the image requires.';

function selectionOf(host: SchedulableHost): Selection {
  return {
    service_host: host.host,
    nodename: host.facts.hypervisor_hostname,
    compute_node_uuid: host.compute_node_uuid,
    availability_zone: host.service.availability_zone,
  };
}
