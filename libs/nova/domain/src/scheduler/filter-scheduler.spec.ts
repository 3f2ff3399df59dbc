import { beforeEach, describe, expect, it } from '@jest/globals';
import { newContext, type Tx } from '@nestack/kernel/context';
import type { RequestSpec } from '@nestack/nova/contract';
import type { PlacementPort, ProviderCandidate } from '../ports';
import type { GroupPlaces } from '../server-groups/group-policy';
import { DEFAULT_FILTERS, filtersNamed } from './filters';
import { FilterScheduler } from './filter-scheduler';
import type { HostState } from './host-state';
import { aHost, aSpec, groupOf, NOW } from './testing';
import { weighersWith } from './weighers';

const ctx = newContext();

/** Placement with one place for a server on each host. */
class OnePlaceEach implements Pick<PlacementPort, 'candidates' | 'claim' | 'allocatedOn' | 'release'> {
  readonly held = new Map<string, string>();
  readonly asked: { limit: number; within: string | undefined }[] = [];
  /** Runs before each claim: what others do meanwhile. */
  meanwhile: (candidate: ProviderCandidate) => void = () => undefined;

  constructor(readonly hosts: readonly HostState[]) {}

  async candidates(_ctx: unknown, _spec: RequestSpec, limit: number, within?: string) {
    await Promise.resolve();
    this.asked.push({ limit, within });
    const taken = new Set(this.held.values());
    return this.hosts
      .map((one) => one.candidate)
      .filter((one) => !taken.has(one.provider_uuid) && (within === undefined || within === one.provider_uuid))
      .slice(0, limit);
  }

  async claim(_ctx: unknown, spec: RequestSpec, candidate: ProviderCandidate) {
    await Promise.resolve();
    this.meanwhile(candidate);
    if (this.held.has(spec.instance_uuid) || [...this.held.values()].includes(candidate.provider_uuid)) return false;
    this.held.set(spec.instance_uuid, candidate.provider_uuid);
    return true;
  }

  async allocatedOn(_ctx: unknown, consumer: string) {
    return Promise.resolve(this.held.get(consumer) ?? null);
  }

  async release(_ctx: unknown, consumer: string) {
    await Promise.resolve();
    this.held.delete(consumer);
  }
}

let lines: string[];
/** The group that requests with a hint are of, and what is written of it. */
let group: GroupPlaces | null;
let held: string | null;

function scheduler(placement: OnePlaceEach, multiplier = 1): FilterScheduler {
  const write = (_ctx: unknown, _event: string, fields: Readonly<Record<string, unknown>>): void => {
    lines.push(String(fields['message']));
  };
  return new FilterScheduler({
    tx: { run: (_name, fn) => fn({} as Tx), read: (_name, fn) => fn({} as Tx) },
    clock: { now: () => NOW } as never,
    hosts: {
      byNodes: (_tx, uuids) => Promise.resolve(placement.hosts.filter((one) => uuids.includes(one.compute_node_uuid))),
      byName: (_tx, name) => Promise.resolve(placement.hosts.find((one) => one.host === name) ?? null),
      hostsOfInstances: () => Promise.resolve(new Map([['friend', 'b']])),
    },
    groups: {
      places: () => Promise.resolve(group),
      hold: (_tx, _instance, host) => {
        held = host;
        return Promise.resolve();
      },
    },
    placement: placement as unknown as PlacementPort,
    filters: filtersNamed(DEFAULT_FILTERS),
    weighers: weighersWith({ ram: multiplier }),
    hostSubsetSize: 1,
    maxPlacementResults: 1000,
    random: () => 0.5,
    log: { debug: write, info: write },
  });
}

const down = (host: HostState): HostState => ({ ...host, service: { ...host.service, disabled: true } });

beforeEach(() => {
  lines = [];
  group = null;
  held = null;
});

describe('the scheduler', () => {
  it('claims the best host that passes the filters, and tells how', async () => {
    const placement = new OnePlaceEach([down(aHost('a', 8192)), aHost('b', 1024), aHost('c', 2048)]);
    const selection = await scheduler(placement).select(ctx, aSpec());
    expect(selection).toEqual({
      service_host: 'c',
      nodename: 'c',
      compute_node_uuid: 'node-of-c',
      availability_zone: 'nova',
      alternates: [],
    });
    expect(lines.slice(0, 3)).toEqual([
      "Starting to schedule for instances: ['11111111-1111-1111-1111-111111111111']",
      'Starting with 3 host(s)',
      'Filter ComputeFilter returned 2 host(s)',
    ]);
    // Upstream's order: the filters, what they left, the weights, the host.
    expect(lines.slice(-3)).toEqual([
      expect.stringMatching(/^Filtered \[\(b, b\) .*, \(c, c\) /),
      expect.stringMatching(
        /^Weighed \[WeighedHost \[host: \(c, c\) ram: 2048MB disk: 0MB io_ops: 0 instances: 0, weight: 2\], WeighedHost \[/,
      ),
      expect.stringContaining('Selected host: (c, c)'),
    ]);
  });

  it('goes on to the next host when another was faster', async () => {
    const placement = new OnePlaceEach(['a', 'b', 'c'].map((name, index) => aHost(name, 4096 - index)));
    placement.meanwhile = (candidate) => {
      if (candidate.provider_uuid !== 'node-of-c') placement.held.set(candidate.provider_uuid, candidate.provider_uuid);
    };
    expect((await scheduler(placement).select(ctx, aSpec())).service_host).toBe('c');
  });

  it('names as many others as are wanted, the best first, with what claims them', async () => {
    const hosts = ['a', 'b', 'c', 'd'].map((name, index) => aHost(name, 4096 - index));
    const names = async (spec = aSpec()) => {
      const selected = await scheduler(new OnePlaceEach(hosts)).select(ctx, spec, 2);
      expect(selected.alternates.every((one) => one.allocation_request !== undefined)).toBe(true);
      return [selected.service_host, ...selected.alternates.map((one) => one.service_host)];
    };
    expect(await names()).toEqual(['a', 'b', 'c']);
    expect(await names(aSpec({ force_host: 'd' }))).toEqual(['d']);
    group = groupOf('anti-affinity', {});
    expect(await names(aSpec({ scheduler_hints: { group: 'the-group' } }))).toEqual(['a']);
  });

  it('finds the claim that it made before', async () => {
    const placement = new OnePlaceEach([aHost('a'), aHost('b', 8192)]);
    placement.held.set(aSpec().instance_uuid, 'node-of-a');
    expect((await scheduler(placement).select(ctx, aSpec())).service_host).toBe('a');
    // Also when nothing else is free.
    placement.held.set('other', 'node-of-b');
    expect((await scheduler(placement).select(ctx, aSpec())).service_host).toBe('a');
  });

  it('gives up a claim on a host that failed the server', async () => {
    const placement = new OnePlaceEach([aHost('a'), aHost('b')]);
    placement.held.set(aSpec().instance_uuid, 'node-of-a');
    const spec = aSpec({ ignore_hosts: ['a'] });
    expect((await scheduler(placement).select(ctx, spec)).service_host).toBe('b');
  });

  it('says that there is no valid host', async () => {
    const none = scheduler(new OnePlaceEach([])).select(ctx, aSpec());
    await expect(none).rejects.toMatchObject({ code: 'NoValidHost', message: 'No valid host was found. ' });
    const filtered = scheduler(new OnePlaceEach([down(aHost('a'))])).select(ctx, aSpec());
    await expect(filtered).rejects.toMatchObject({
      code: 'NoValidHost',
      message: 'No valid host was found. There are not enough hosts available.',
    });
    expect(lines.slice(-2)).toEqual([
      'Filter ComputeFilter returned 0 hosts',
      "Filtering removed all hosts for the request with instance ID '11111111-1111-1111-1111-111111111111'. Filter results: ['ComputeFilter: (start: 1, end: 0)']",
    ]);
  });

  it('goes to the host that is named, past the filters', async () => {
    const placement = new OnePlaceEach([down(aHost('a')), aHost('b')]);
    expect((await scheduler(placement).select(ctx, aSpec({ force_host: 'a' }))).service_host).toBe('a');
    expect(placement.asked).toEqual([{ limit: 64, within: 'node-of-a' }]);
    await expect(scheduler(placement).select(ctx, aSpec({ force_host: 'x' }))).rejects.toMatchObject({
      code: 'NoValidHost',
    });
  });

  it('asks only what looks at images about a server that gets another image where it is, and claims nothing', async () => {
    const placement = new OnePlaceEach([down(aHost('a')), aHost('b')]);
    placement.held.set(aSpec().instance_uuid, 'node-of-a');
    const check = (image_properties: Record<string, unknown>) =>
      scheduler(placement).select(ctx, aSpec({ requested_host: 'a', check_type: 'rebuild', image_properties }));
    expect((await check({ hw_architecture: 'x86_64' })).service_host).toBe('a');
    await expect(check({ hw_architecture: 'sparc' })).rejects.toMatchObject({
      message: 'No valid host was found. There are not enough hosts available.',
    });
    expect([placement.asked, [...placement.held.values()]]).toEqual([[], ['node-of-a']]);
  });

  it('follows hints', async () => {
    const hosts = [aHost('a', 1024), aHost('b', 4096)];
    const select = (hints: Record<string, unknown>) =>
      scheduler(new OnePlaceEach(hosts)).select(ctx, aSpec({ scheduler_hints: hints }));
    expect((await select({ different_host: ['friend'] })).service_host).toBe('a');
    expect((await select({ same_host: 'friend' })).service_host).toBe('b');
  });

  it('takes the place in its group with the claim, and leaves both when another member was faster', async () => {
    const placement = new OnePlaceEach(['a', 'b', 'c'].map((name, index) => aHost(name, 4096 - index)));
    const spec = aSpec({ scheduler_hints: { group: 'the-group' } });
    group = groupOf('anti-affinity', {});
    placement.meanwhile = ({ provider_uuid: at }) => {
      if (at === 'node-of-a') group = groupOf('anti-affinity', { a: ['m1'], b: ['m2'] });
    };
    expect((await scheduler(placement).select(ctx, spec)).service_host).toBe('c');
    expect(held).toBe('c');
    expect([...placement.held]).toEqual([[spec.instance_uuid, 'node-of-c']]);
    // A claim that was made before is worth nothing without the place.
    group = groupOf('anti-affinity', { a: ['m1'], b: ['m2'], c: ['m3'] });
    await expect(scheduler(placement).select(ctx, spec)).rejects.toMatchObject({ code: 'NoValidHost' });
    expect(placement.held.size).toBe(0);
    // Nor is a host that an administrator names.
    const forced = scheduler(placement).select(ctx, aSpec({ ...spec, force_host: 'a' }));
    await expect(forced).rejects.toMatchObject({ code: 'NoValidHost' });
    expect(placement.held.size).toBe(0);
  });

  it('goes where the others of an affinity group went meanwhile', async () => {
    const placement = new OnePlaceEach(['a', 'b', 'c', 'd'].map((name, index) => aHost(name, 4096 - index)));
    group = groupOf('affinity', {});
    placement.meanwhile = () => {
      group = groupOf('affinity', { d: ['m1'] });
    };
    const spec = aSpec({ scheduler_hints: { group: ['the-group'] } });
    expect((await scheduler(placement).select(ctx, spec)).service_host).toBe('d');
    expect(lines.filter((line) => line.startsWith('Another member'))).toHaveLength(1);
  });

  it('finds an affinity group beyond the hosts that it looks at', async () => {
    const placement = new OnePlaceEach(Array.from({ length: 1200 }, (_, index) => aHost(`h${String(index)}`)));
    group = groupOf('affinity', { h1150: ['m1'] });
    const spec = aSpec({ scheduler_hints: { group: 'the-group' } });
    expect((await scheduler(placement).select(ctx, spec)).service_host).toBe('h1150');
    expect(placement.asked.at(-1)).toEqual({ limit: 1, within: 'node-of-h1150' });
  });

  it('looks at more hosts only when the first ones will not do', async () => {
    const many = Array.from({ length: 200 }, (_, index) => aHost(`h${String(index)}`));
    const placement = new OnePlaceEach(many.map((host, index) => (index < 150 ? down(host) : host)));
    expect((await scheduler(placement).select(ctx, aSpec())).service_host).toMatch(/^h1[5-9]\d$/);
    expect(placement.asked.map((one) => one.limit)).toEqual([64, 1000]);
    // To stack servers it must know the full hosts, which come last.
    const stacking = new OnePlaceEach(many);
    await scheduler(stacking, -1).select(ctx, aSpec());
    expect(stacking.asked.map((one) => one.limit)).toEqual([1000]);
  });
});
