import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestPlacement, told, type Answer } from './test-app';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

let placement: TestPlacement;

beforeAll(async () => {
  placement = await TestPlacement.start();
});

afterAll(async () => {
  await placement.close();
});

type Allocations = Record<string, { resources: Record<string, number> }>;
interface Candidates {
  allocation_requests: { allocations: Allocations; mappings?: Record<string, string[]> }[];
  provider_summaries: Record<
    string,
    { resources: Record<string, { capacity: number; used: number }>; traits: string[] }
  >;
}

function ask(query: string, version = '1.39'): Promise<Answer> {
  return placement.call('GET', `/allocation_candidates?${query}`, { version });
}

async function candidates(query: string, version?: string): Promise<Candidates> {
  const answer = await ask(query, version);
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.json));
  return answer.json as unknown as Candidates;
}

/** Each candidate as text, providers by their names: `cn1 VCPU:1; nfs DISK_GB:5`. */
async function found(names: Record<string, string>, query: string, version?: string): Promise<string[]> {
  const byUuid = new Map(Object.entries(names).map(([name, uuid]) => [uuid, name]));
  return (await candidates(query, version)).allocation_requests
    .map(({ allocations }) =>
      Object.entries(allocations)
        .map(
          ([uuid, { resources }]) =>
            `${byUuid.get(uuid) ?? '?'} ${Object.entries(resources)
              .map(([name, amount]) => `${name}:${String(amount)}`)
              .sort()
              .join(',')}`,
        )
        .sort()
        .join('; '),
    )
    .sort();
}

async function setTraits(uuid: string, traits: string[]): Promise<void> {
  const body = { traits, resource_provider_generation: await placement.generation(uuid) };
  expect((await placement.call('PUT', `/resource_providers/${uuid}/traits`, { body })).status).toBe(200);
}

async function setAggregates(uuid: string, aggregates: string[]): Promise<void> {
  const body = { aggregates, resource_provider_generation: await placement.generation(uuid) };
  expect((await placement.call('PUT', `/resource_providers/${uuid}/aggregates`, { body })).status).toBe(200);
}

describe('candidates among single providers', () => {
  const names: Record<string, string> = {};
  const aggregate = randomUUID();

  beforeAll(async () => {
    for (const [name, memory] of [
      ['small', 1024],
      ['medium', 2048],
      ['large', 4096],
    ] as const) {
      const uuid = await placement.provider(name);
      names[name] = uuid;
      await placement.inventory(uuid, {
        VCPU: { total: 4, max_unit: 4, allocation_ratio: 2 },
        MEMORY_MB: { total: memory, step_size: 256 },
        DISK_GB: { total: 100, reserved: 90 },
      });
    }
    await setTraits(names['large'] as string, ['STORAGE_DISK_SSD', 'HW_CPU_X86_AVX2']);
    await setTraits(names['medium'] as string, ['STORAGE_DISK_HDD', 'HW_CPU_X86_AVX2']);
    await setAggregates(names['medium'] as string, [aggregate]);
  });

  const hosts = async (query: string, version?: string): Promise<string[]> =>
    (await found(names, query, version)).map((text) => text.split(' ')[0] as string);

  it('are those with room for everything', async () => {
    expect(await hosts('resources=VCPU:1')).toEqual(['large', 'medium', 'small']);
    expect(await hosts('resources=VCPU:1,MEMORY_MB:2048')).toEqual(['large', 'medium']);
    expect(await hosts('resources=DISK_GB:10')).toHaveLength(3);
    expect(await hosts('resources=DISK_GB:11')).toEqual([]);
    // More than max_unit, though the ratio would allow it; and no multiple of the step size.
    expect(await hosts('resources=VCPU:5')).toEqual([]);
    expect(await hosts('resources=MEMORY_MB:300')).toEqual([]);
    expect(await hosts('resources=VGPU:1')).toEqual([]);
    const consumer = randomUUID();
    expect((await placement.allocate(consumer, { [names['large'] as string]: { MEMORY_MB: 2304 } })).status).toBe(204);
    expect(await hosts('resources=MEMORY_MB:2048')).toEqual(['medium']);
    const { provider_summaries: summaries } = await candidates(`resources=VCPU:1&in_tree=${names['large'] as string}`);
    expect(summaries).toEqual({
      [names['large'] as string]: {
        resources: {
          VCPU: { capacity: 8, used: 0 },
          MEMORY_MB: { capacity: 4096, used: 2304 },
          DISK_GB: { capacity: 10, used: 0 },
        },
        traits: expect.arrayContaining(['STORAGE_DISK_SSD', 'HW_CPU_X86_AVX2']) as unknown,
        parent_provider_uuid: null,
        root_provider_uuid: names['large'],
      },
    });
    expect((await placement.call('DELETE', `/allocations/${consumer}`)).status).toBe(204);
  });

  it('are limited, the emptiest first', async () => {
    const { allocation_requests: requests, provider_summaries: summaries } = await candidates(
      'resources=MEMORY_MB:256,VCPU:1&limit=2',
    );
    expect(requests.flatMap((one) => Object.keys(one.allocations))).toEqual([names['large'], names['medium']]);
    expect(Object.keys(summaries).sort()).toEqual([names['large'], names['medium']].sort());
  });

  it('have the traits and aggregates that are asked', async () => {
    expect(await hosts('resources=VCPU:1&required=HW_CPU_X86_AVX2')).toEqual(['large', 'medium']);
    expect(await hosts('resources=VCPU:1&required=HW_CPU_X86_AVX2,!STORAGE_DISK_SSD')).toEqual(['medium']);
    expect(await hosts('resources=VCPU:1&required=in:STORAGE_DISK_SSD,STORAGE_DISK_HDD')).toEqual(['large', 'medium']);
    expect(await hosts(`resources=VCPU:1&member_of=${aggregate}`)).toEqual(['medium']);
    expect(await hosts(`resources=VCPU:1&member_of=!${aggregate}`)).toEqual(['large', 'small']);
    expect(await hosts(`resources=VCPU:1&member_of=in:${aggregate},${randomUUID()}`)).toEqual(['medium']);
    expect(await hosts(`resources=VCPU:1&member_of=${randomUUID()}`)).toEqual([]);
    expect(await hosts('resources=VCPU:1&root_required=STORAGE_DISK_SSD')).toEqual(['large']);
    expect(await hosts('resources=VCPU:1&root_required=!HW_CPU_X86_AVX2')).toEqual(['small']);
    expect(await hosts(`resources=VCPU:1&in_tree=${names['small'] as string}`)).toEqual(['small']);
    expect(await hosts(`resources=VCPU:1&in_tree=${randomUUID()}`)).toEqual([]);
  });

  it('come in the forms of their versions', async () => {
    const uuid = names['large'] as string;
    const one = (version: string, query = 'resources=MEMORY_MB:4096') =>
      candidates(query, version) as unknown as Promise<{
        allocation_requests: unknown[];
        provider_summaries: Record<string, object>;
      }>;
    expect((await one('1.10')).allocation_requests).toEqual([
      { allocations: [{ resource_provider: { uuid }, resources: { MEMORY_MB: 4096 } }] },
    ]);
    expect((await one('1.12')).allocation_requests).toEqual([
      { allocations: { [uuid]: { resources: { MEMORY_MB: 4096 } } } },
    ]);
    expect((await one('1.34')).allocation_requests).toEqual([
      { allocations: { [uuid]: { resources: { MEMORY_MB: 4096 } } }, mappings: { '': [uuid] } },
    ]);
    expect((await one('1.16')).provider_summaries[uuid]).toEqual({
      resources: { MEMORY_MB: { capacity: 4096, used: 0 } },
    });
    expect(Object.keys((await one('1.27')).provider_summaries[uuid] ?? {})).toEqual(['resources', 'traits']);
    expect((await ask('resources=VCPU:1', '1.9')).status).toBe(404);
    expect((await ask('resources=VCPU:1&limit=1', '1.15')).status).toBe(400);
    expect((await ask('resources=VCPU:1&required=HW_CPU_X86_AVX2', '1.16')).status).toBe(400);
    expect((await ask('resources=VCPU:1&required=!HW_CPU_X86_AVX2', '1.21')).status).toBe(400);
    expect((await ask('resources1=VCPU:1', '1.24')).status).toBe(400);
    expect((await ask('resources_X=VCPU:1', '1.32')).status).toBe(400);
  });

  it('are refused for requests that make no sense', async () => {
    const refused = async (query: string, version?: string): Promise<string> => {
      const answer = await ask(query, version);
      expect(answer.status).toBe(400);
      return `${told(answer).code ?? ''} ${told(answer).detail.split('\n\n ')[1] ?? ''}`;
    };
    expect(await refused('')).toContain('placement.query.missing_value There must be at least one resources');
    expect(await refused('', '1.35')).toContain('At least one request group');
    expect(await refused('resources=VCPU')).toContain('Badly formed resources parameter');
    expect(await refused('resources=VCPU:0')).toContain('requires amount >= 1. Got: 0');
    expect(await refused('resources=VCPU:x')).toContain('expected positive integer amount. Got: x');
    expect(await refused('resources=CUSTOM_NO:1')).toContain('No such resource class CUSTOM_NO');
    expect(await refused('resources=VCPU:1&required=CUSTOM_NO')).toContain('No such trait(s): CUSTOM_NO.');
    expect(await refused('resources=VCPU:1&required=A,')).toContain('Got an empty trait in: A,');
    expect(await refused('resources=VCPU:1&required=OWNER_NOVA,!OWNER_NOVA')).toContain('Conflicting required');
    expect(await refused('resources=VCPU:1&member_of=x')).toContain('valid UUID(s). Got: x');
    expect(await refused('resources=VCPU:1&limit=0')).toContain('Invalid query string parameters');
    expect(await refused('resources=VCPU:1&nothing=1')).toContain('Additional properties are not allowed');
    expect(await refused('resources1=VCPU:1&resources2=VCPU:1')).toContain('"group_policy" parameter is required');
    expect(await refused('resources=VCPU:1&required1=OWNER_NOVA', '1.35')).toContain('orphaned traits keys: required1');
    expect(await refused('resources=VCPU:1&required1=OWNER_NOVA')).toContain("bad group(s) - ['1']");
    expect(await refused('resources=VCPU:1&root_required=OWNER_NOVA&root_required=OWNER_NOVA')).toContain(
      'placement.query.duplicate_key',
    );
  });

  it('fit into what is claimed of them, one after the other', async () => {
    const uuid = names['small'] as string;
    const query = `resources=MEMORY_MB:512&in_tree=${uuid}`;
    const consumers = [randomUUID(), randomUUID()];
    for (const consumer of consumers) {
      const [request] = (await candidates(query)).allocation_requests;
      const answer = await placement.call('PUT', `/allocations/${consumer}`, {
        body: { ...request, project_id: 'p', user_id: 'u', consumer_generation: null, consumer_type: 'INSTANCE' },
      });
      expect(answer.status).toBe(204);
    }
    expect((await candidates(query)).allocation_requests).toEqual([]);
    for (const consumer of consumers) await placement.call('DELETE', `/allocations/${consumer}`);
  });
});

describe('candidates among trees', () => {
  const names: Record<string, string> = {};

  beforeAll(async () => {
    const make = async (name: string, parent: string | null, inventory: Record<string, unknown>, traits: string[]) => {
      const uuid = await placement.provider(name, parent === null ? {} : { parent_provider_uuid: names[parent] });
      names[name] = uuid;
      if (Object.keys(inventory).length > 0) await placement.inventory(uuid, inventory);
      if (traits.length > 0) await setTraits(uuid, traits);
    };
    await make('cn', null, { PCPU: { total: 8 } }, ['HW_CPU_X86_VMX']);
    await make('numa0', 'cn', {}, ['HW_NUMA_ROOT']);
    await make('numa1', 'cn', {}, ['HW_NUMA_ROOT']);
    await make('pf0', 'numa0', { SRIOV_NET_VF: { total: 2 } }, ['HW_NIC_OFFLOAD_GENEVE']);
    await make('pf1', 'numa1', { SRIOV_NET_VF: { total: 4 } }, ['HW_NIC_OFFLOAD_TX']);
    await make('gpu1', 'numa1', { VGPU: { total: 1 } }, []);
  });

  it('are spread over the providers of a tree', async () => {
    expect(await found(names, 'resources=PCPU:1,SRIOV_NET_VF:1')).toEqual([
      'cn PCPU:1; pf0 SRIOV_NET_VF:1',
      'cn PCPU:1; pf1 SRIOV_NET_VF:1',
    ]);
    expect(await found(names, 'resources=PCPU:1,SRIOV_NET_VF:3')).toEqual(['cn PCPU:1; pf1 SRIOV_NET_VF:3']);
    expect(await found(names, 'resources=PCPU:1,SRIOV_NET_VF:1&required=HW_CPU_X86_VMX,HW_NIC_OFFLOAD_GENEVE')).toEqual(
      ['cn PCPU:1; pf0 SRIOV_NET_VF:1'],
    );
    expect(await found(names, 'resources=PCPU:1,SRIOV_NET_VF:1&required=!HW_NIC_OFFLOAD_GENEVE')).toEqual([
      'cn PCPU:1; pf1 SRIOV_NET_VF:1',
    ]);
    expect(await found(names, 'resources=PCPU:1,SRIOV_NET_VF:1&limit=1')).toHaveLength(1);
    // Versions that know no trees get nothing that is spread over one.
    expect(await found(names, 'resources=PCPU:1,SRIOV_NET_VF:1', '1.28')).toEqual([]);
    expect(await found(names, 'resources=SRIOV_NET_VF:3', '1.28')).toEqual(['pf1 SRIOV_NET_VF:3']);
    const { provider_summaries: summaries } = await candidates('resources=SRIOV_NET_VF:3');
    expect(Object.keys(summaries).sort()).toEqual(Object.values(names).sort());
  });

  it('keep groups on one provider, apart or together', async () => {
    const two = 'resources1=SRIOV_NET_VF:1&resources2=SRIOV_NET_VF:1';
    expect(await found(names, `${two}&group_policy=isolate`)).toEqual([
      'pf0 SRIOV_NET_VF:1; pf1 SRIOV_NET_VF:1',
      'pf0 SRIOV_NET_VF:1; pf1 SRIOV_NET_VF:1',
    ]);
    expect(await found(names, `${two}&group_policy=none`)).toEqual([
      'pf0 SRIOV_NET_VF:1; pf1 SRIOV_NET_VF:1',
      'pf0 SRIOV_NET_VF:1; pf1 SRIOV_NET_VF:1',
      'pf0 SRIOV_NET_VF:2',
      'pf1 SRIOV_NET_VF:2',
    ]);
    const three = 'resources1=SRIOV_NET_VF:2&resources2=SRIOV_NET_VF:1&group_policy=none';
    expect(await found(names, `${three}&required1=HW_NIC_OFFLOAD_GENEVE`)).toEqual([
      'pf0 SRIOV_NET_VF:2; pf1 SRIOV_NET_VF:1',
    ]);
    const { allocation_requests: requests } = await candidates(
      'resources=PCPU:2&resources_NET=SRIOV_NET_VF:1&required_NET=HW_NIC_OFFLOAD_TX',
    );
    expect(requests).toEqual([
      {
        allocations: {
          [names['cn'] as string]: { resources: { PCPU: 2 } },
          [names['pf1'] as string]: { resources: { SRIOV_NET_VF: 1 } },
        },
        mappings: { '': [names['cn']], _NET: [names['pf1']] },
      },
    ]);
  });

  it('keep groups below one provider', async () => {
    const query =
      'resources_NET=SRIOV_NET_VF:1&resources_GPU=VGPU:1&required_NUMA=HW_NUMA_ROOT&group_policy=none&same_subtree=_NET,_GPU,_NUMA';
    expect(await found(names, query)).toEqual(['gpu1 VGPU:1; pf1 SRIOV_NET_VF:1']);
    const unknown = await ask('resources_NET=SRIOV_NET_VF:1&same_subtree=_NET,_X');
    expect([unknown.status, told(unknown).code]).toEqual([400, 'placement.query.bad_value']);
  });

  it('take what is shared in an aggregate', async () => {
    const aggregate = randomUUID();
    const nfs = await placement.provider('nfs');
    const host = await placement.provider('diskless');
    const other = await placement.provider('other');
    const shared = { ...names, nfs, diskless: host, other };
    await placement.inventory(nfs, { DISK_GB: { total: 1000 } });
    await setTraits(nfs, ['MISC_SHARES_VIA_AGGREGATE']);
    for (const uuid of [host, other]) await placement.inventory(uuid, { NUMA_CORE: { total: 4 } });
    await setAggregates(nfs, [aggregate]);
    await setAggregates(host, [aggregate]);
    expect(await found(shared, 'resources=NUMA_CORE:1,DISK_GB:50')).toEqual(['diskless NUMA_CORE:1; nfs DISK_GB:50']);
    expect(await found(shared, 'resources=NUMA_CORE:1')).toEqual(['diskless NUMA_CORE:1', 'other NUMA_CORE:1']);
    expect(await found(shared, 'resources=NUMA_CORE:1,DISK_GB:50', '1.28')).toEqual([
      'diskless NUMA_CORE:1; nfs DISK_GB:50',
    ]);
    expect(await found(shared, 'resources=DISK_GB:500')).toEqual(['nfs DISK_GB:500']);
    expect(await found(shared, `resources=NUMA_CORE:1,DISK_GB:50&member_of=${aggregate}`)).toHaveLength(1);
    expect(await found(shared, `resources=NUMA_CORE:1,DISK_GB:50&in_tree=${host}`)).toEqual([]);
    expect(
      await found(
        shared,
        `resources=NUMA_CORE:1&in_tree=${host}&resources2=DISK_GB:5&in_tree2=${nfs}&group_policy=none`,
      ),
    ).toEqual(['diskless NUMA_CORE:1; nfs DISK_GB:5']);
  });
});
