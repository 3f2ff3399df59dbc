import { describe, expect, it } from '@jest/globals';
import type { CandidateProvider, CandidatesQuery, RequestGroup } from './query';
import { treeCandidates, treesOf } from './tree-candidates';

function provider(
  id: number,
  parent: number | null,
  amounts: Record<string, number>,
  fields: Partial<CandidateProvider> = {},
): CandidateProvider {
  return {
    id,
    uuid: `p${String(id)}`,
    root_id: 1,
    root_uuid: 'p1',
    parent_uuid: parent === null ? null : `p${String(parent)}`,
    traits: [],
    aggregates: [],
    resources: Object.fromEntries(
      Object.entries(amounts).map(([name, capacity]) => [
        name,
        { capacity, used: 0, min_unit: 1, max_unit: capacity, step_size: 1 },
      ]),
    ),
    ...fields,
  };
}

function group(suffix: string, resources: Record<string, number>, fields: Partial<RequestGroup> = {}): RequestGroup {
  return {
    suffix,
    resources,
    required: [],
    forbidden: [],
    memberOf: [],
    forbiddenAggregates: [],
    inTree: null,
    ...fields,
  };
}

function ways(
  providers: readonly CandidateProvider[],
  groups: readonly RequestGroup[],
  fields: Partial<CandidatesQuery> = {},
  sharing: readonly CandidateProvider[] = [],
): Record<string, Record<string, number>>[] {
  const query: CandidatesQuery = {
    groups,
    limit: null,
    isolate: false,
    rootRequired: [],
    rootForbidden: [],
    sameSubtrees: [],
    nested: true,
    ...fields,
  };
  return treesOf(providers, sharing).flatMap((tree) =>
    [...treeCandidates(query, tree)].map((one) => Object.fromEntries(one.allocations)),
  );
}

const host = provider(1, null, { VCPU: 8, MEMORY_MB: 4096 });
const left = provider(2, 1, { SRIOV_NET_VF: 4 }, { traits: ['HW_NIC_SRIOV'], aggregates: ['a1'] });
const right = provider(3, 1, { SRIOV_NET_VF: 4 });

describe('candidates of a tree', () => {
  it('take each class from any of its providers', () => {
    expect(ways([host, left, right], [group('', { VCPU: 1, SRIOV_NET_VF: 2 })])).toEqual([
      { p1: { VCPU: 1 }, p2: { SRIOV_NET_VF: 2 } },
      { p1: { VCPU: 1 }, p3: { SRIOV_NET_VF: 2 } },
    ]);
    expect(ways([host, left, right], [group('', { VCPU: 9 })])).toEqual([]);
  });

  it('have each required trait somewhere and no forbidden one anywhere', () => {
    const wanted = group('', { VCPU: 1, SRIOV_NET_VF: 1 }, { required: [['HW_NIC_SRIOV', 'X']] });
    expect(ways([host, left, right], [wanted])).toEqual([{ p1: { VCPU: 1 }, p2: { SRIOV_NET_VF: 1 } }]);
    const shunned = group('', { VCPU: 1, SRIOV_NET_VF: 1 }, { forbidden: ['HW_NIC_SRIOV'] });
    expect(ways([host, left, right], [shunned])).toEqual([{ p1: { VCPU: 1 }, p3: { SRIOV_NET_VF: 1 } }]);
  });

  it('count an aggregate of the root for the whole tree', () => {
    const member = group('', { SRIOV_NET_VF: 1 }, { memberOf: [['a1']] });
    expect(ways([host, left, right], [member])).toEqual([{ p2: { SRIOV_NET_VF: 1 } }]);
    expect(ways([{ ...host, aggregates: ['a1'] }, { ...left, aggregates: [] }, right], [member])).toHaveLength(2);
    const outside = group('', { SRIOV_NET_VF: 1 }, { forbiddenAggregates: ['a1'] });
    expect(ways([host, left, right], [outside])).toEqual([{ p3: { SRIOV_NET_VF: 1 } }]);
    expect(ways([{ ...host, aggregates: ['a1'] }, left, right], [outside])).toEqual([]);
  });

  it('add up what groups take of one provider, never more than it has', () => {
    const groups = [group('1', { SRIOV_NET_VF: 3 }), group('2', { SRIOV_NET_VF: 2 })];
    expect(ways([host, left, right], groups)).toEqual([
      { p2: { SRIOV_NET_VF: 3 }, p3: { SRIOV_NET_VF: 2 } },
      { p3: { SRIOV_NET_VF: 3 }, p2: { SRIOV_NET_VF: 2 } },
    ]);
    const small = [group('1', { SRIOV_NET_VF: 1 }), group('2', { SRIOV_NET_VF: 1 })];
    expect(ways([host, left, right], small)).toHaveLength(4);
    expect(ways([host, left, right], small, { isolate: true })).toHaveLength(2);
    expect(ways([host, left], small, { isolate: true })).toEqual([]);
  });

  it('stay below one of their providers', () => {
    const nic = provider(4, 2, { VGPU: 1 });
    const groups = [group('_A', { VGPU: 1 }), group('_B', { SRIOV_NET_VF: 1 })];
    expect(ways([host, left, right, nic], groups, { sameSubtrees: [['_A', '_B']] })).toEqual([
      { p4: { VGPU: 1 }, p2: { SRIOV_NET_VF: 1 } },
    ]);
  });

  it('need a root with its own traits', () => {
    const one = [group('', { VCPU: 1 })];
    expect(ways([host], one, { rootRequired: ['X'] })).toEqual([]);
    expect(ways([{ ...host, traits: ['X'] }], one, { rootRequired: ['X'] })).toHaveLength(1);
    expect(ways([{ ...host, traits: ['X'] }], one, { rootForbidden: ['X'] })).toEqual([]);
  });

  it('take what others share in an aggregate', () => {
    const nfs = provider(
      9,
      null,
      { DISK_GB: 100 },
      {
        root_id: 9,
        root_uuid: 'p9',
        aggregates: ['a1'],
        traits: ['MISC_SHARES_VIA_AGGREGATE'],
      },
    );
    const disk = group('', { VCPU: 1, DISK_GB: 10 });
    expect(ways([host, left], [disk], {}, [nfs])).toEqual([{ p1: { VCPU: 1 }, p9: { DISK_GB: 10 } }]);
    expect(ways([host, right], [disk], {}, [nfs])).toEqual([]);
    expect(ways([host, left], [{ ...disk, inTree: 'p1' }], {}, [nfs])).toEqual([]);
  });
});
