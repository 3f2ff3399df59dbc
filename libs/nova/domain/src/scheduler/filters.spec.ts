import { describe, expect, it } from '@jest/globals';
import type { RequestSpec } from '@nestack/nova/contract';
import { matchesExtraSpec } from './extra-spec-match';
import { allFilters, DEFAULT_FILTERS, filtersNamed, type FilterOptions } from './filters';
import type { HostState } from './host-state';
import { aHost, aRequest, aSpec, groupOf, NOW } from './testing';

function passes(
  name: string,
  host: HostState,
  spec: RequestSpec = aSpec(),
  now = NOW,
  options: Partial<FilterOptions> = {},
): boolean | undefined {
  return filtersNamed([name], options)[0]?.passes(host, { spec, now, group: null });
}

function withService(fields: Partial<HostState['service']>): HostState {
  const host = aHost('a');
  return { ...host, service: { ...host.service, ...fields } };
}

describe('filters', () => {
  it('all let an ordinary server onto an ordinary host', () => {
    expect(filtersNamed(DEFAULT_FILTERS).map(({ name }) => name)).toEqual(DEFAULT_FILTERS);
    for (const filter of allFilters())
      expect([filter.name, filter.passes(aHost('a'), aRequest())]).toEqual([filter.name, true]);
    expect(() => filtersNamed(['NoFilter'])).toThrow('no scheduler filter NoFilter');
  });

  it('ComputeFilter drops hosts that are disabled, silent or forced down', () => {
    const name = 'ComputeFilter';
    expect(passes(name, withService({ disabled: true }))).toBe(false);
    expect(passes(name, withService({ forced_down: true }))).toBe(false);
    expect(passes(name, withService({ last_seen_up: null }))).toBe(false);
    expect(passes(name, aHost('a'), aSpec(), new Date(NOW.getTime() + 60_000))).toBe(true);
    expect(passes(name, aHost('a'), aSpec(), new Date(NOW.getTime() + 61_000))).toBe(false);
  });

  it('AvailabilityZoneFilter drops hosts of other zones', () => {
    const name = 'AvailabilityZoneFilter';
    expect(passes(name, aHost('a'), aSpec({ availability_zone: 'nova' }))).toBe(true);
    expect(passes(name, aHost('a'), aSpec({ availability_zone: 'az1' }))).toBe(false);
  });

  it('ComputeCapabilitiesFilter compares extra specs with what the host says of itself', () => {
    const check = (key: string, value: string) =>
      passes('ComputeCapabilitiesFilter', aHost('a'), aSpec({}, { [key]: value }));
    expect(check('capabilities:hypervisor_type', 'QEMU')).toBe(true);
    expect(check('capabilities:hypervisor_type', 's== xen')).toBe(false);
    expect(check('capabilities:cpu_info:features', '<in> avx')).toBe(true);
    expect(check('capabilities:cpu_info:topology:cores', '>= 8')).toBe(false);
    expect(check('capabilities:nothing', '1')).toBe(false);
    expect(check('vcpus_total', '>= 4')).toBe(true);
    expect(check('vcpus_total', '>= 5')).toBe(false);
    // What the host does not know, and other scopes, are for others.
    expect(check('color', 'blue')).toBe(true);
    expect(check('hw:cpu_policy', 'dedicated')).toBe(true);
  });

  it('ImagePropertiesFilter wants one combination that the host supports', () => {
    const check = (properties: Record<string, string>) =>
      passes('ImagePropertiesFilter', aHost('a'), aSpec({ image_properties: properties }));
    expect(check({ hw_architecture: 'x86_64', img_hv_type: 'kvm', hw_vm_mode: 'hvm' })).toBe(true);
    expect(check({ architecture: 'AMD64' })).toBe(true);
    expect(check({ architecture: 'aarch64' })).toBe(false);
    expect(check({ hypervisor_type: 'xen' })).toBe(false);
    expect(check({ img_hv_type: 'kvm', img_hv_requested_version: '>=6.0,<8' })).toBe(true);
    expect(check({ img_hv_type: 'kvm', img_hv_requested_version: '>=8' })).toBe(false);
    expect(check({ os_distro: 'debian' })).toBe(true);
  });

  it('ServerGroupAntiAffinityFilter keeps members apart, as far as the rule says', () => {
    const check = (places: Record<string, string[]>, rules = {}) => {
      const [filter] = filtersNamed(['ServerGroupAntiAffinityFilter']);
      return filter?.passes(aHost('a'), aRequest({}, groupOf('anti-affinity', places, rules)));
    };
    expect([check({}), check({ b: ['m1'] }), check({ a: ['m1'] })]).toEqual([true, true, false]);
    const rules = { max_server_per_host: 2 };
    expect([check({ a: ['m1'] }, rules), check({ a: ['m1', 'm2'] }, rules)]).toEqual([true, false]);
    // Where it is already, as one that is resized: whatever else is there.
    expect(check({ a: [aSpec().instance_uuid, 'm1'] })).toBe(true);
  });

  it('ServerGroupAffinityFilter keeps members together', () => {
    const check = (policy: 'affinity' | 'soft-affinity', places: Record<string, string[]>) => {
      const [filter] = filtersNamed(['ServerGroupAffinityFilter']);
      return filter?.passes(aHost('a'), aRequest({}, groupOf(policy, places)));
    };
    expect([check('affinity', {}), check('affinity', { a: ['m1'] })]).toEqual([true, true]);
    expect([check('affinity', { b: ['m1'] }), check('soft-affinity', { b: ['m1'] })]).toEqual([false, true]);
    // Its own place binds it to nothing.
    expect(check('affinity', { b: [aSpec().instance_uuid] })).toBe(true);
  });

  it('DifferentHostFilter and SameHostFilter follow the hints', () => {
    const host = aHost('a', 4096, { hinted: ['i1'] });
    const different = (hint: unknown) =>
      passes('DifferentHostFilter', host, aSpec({ scheduler_hints: { different_host: hint } }));
    expect([different('i1'), different(['i1', 'i2']), different('i2,i3')]).toEqual([false, false, true]);
    const same = (hint: unknown) => passes('SameHostFilter', host, aSpec({ scheduler_hints: { same_host: hint } }));
    expect([same('i1'), same(['i2', 'i1']), same('i2')]).toEqual([true, true, false]);
  });

  const inAggregates = (...aggregates: Record<string, string>[]) => aHost('a', 4096, { aggregates });

  it('AggregateInstanceExtraSpecsFilter wants the flavor’s extra specs in the metadata of aggregates', () => {
    const check = (extraSpecs: Record<string, string>, ...aggregates: Record<string, string>[]) =>
      passes('AggregateInstanceExtraSpecsFilter', inAggregates(...aggregates), aSpec({}, extraSpecs));
    expect([check({ ssd: 'true' }), check({ ssd: 'true' }, { ssd: 'false' })]).toEqual([false, false]);
    expect(check({ ssd: 'true' }, { ssd: 'false' }, { ssd: 'true, fast' })).toBe(true);
    expect(check({ 'aggregate_instance_extra_specs:cpus': '>= 8' }, { cpus: '4' })).toBe(false);
    expect(check({ 'aggregate_instance_extra_specs:cpus': '>= 8' }, { cpus: '16' })).toBe(true);
    expect(check({ 'hw:cpu_policy': 'dedicated' })).toBe(true);
  });

  it('the other filters of aggregates keep hosts for projects, images and flavors', () => {
    const check = (name: string, spec: RequestSpec, aggregate: Record<string, string>) =>
      passes(name, inAggregates(aggregate, { unrelated: 'x' }), spec);
    const tenancy = (project: string, aggregate: Record<string, string>) =>
      check('AggregateMultiTenancyIsolation', aSpec({ project_id: project }), aggregate);
    expect([tenancy('p', {}), tenancy('p', { filter_tenant_id: 'p, q' })]).toEqual([true, true]);
    expect([tenancy('p', { filter_tenant_id: 'q' }), tenancy('r', { filter_tenant_id_2: 'r' })]).toEqual([false, true]);
    const image = (properties: Record<string, unknown>) =>
      check('AggregateImagePropertiesIsolation', aSpec({ image_properties: properties }), {
        os_distro: 'debian,alpine',
      });
    expect([image({}), image({ os_distro: 'alpine' }), image({ os_distro: 'windows' })]).toEqual([true, true, false]);
    const type = (names: string) => check('AggregateTypeAffinityFilter', aSpec(), { instance_type: names });
    expect([type('m1.tiny, m1.small'), type('m1.small')]).toEqual([true, false]);
  });

  it('IoOpsFilter and NumInstancesFilter keep away from busy hosts, as busy as aggregates say', () => {
    const host = (aggregate: Record<string, string> = {}) =>
      aHost('a', 4096, { num_io_ops: 8, num_instances: 50, aggregates: [aggregate] });
    const check = (name: string, at: HostState, options = {}) => passes(name, at, aSpec(), NOW, options);
    expect([check('IoOpsFilter', host()), check('NumInstancesFilter', host())]).toEqual([false, false]);
    expect(check('IoOpsFilter', host(), { max_io_ops_per_host: 9 })).toBe(true);
    expect(check('NumInstancesFilter', host(), { max_instances_per_host: 51 })).toBe(true);
    expect(check('AggregateIoOpsFilter', host({ max_io_ops_per_host: '20' }))).toBe(true);
    expect(check('AggregateIoOpsFilter', host({ max_io_ops_per_host: 'many' }))).toBe(false);
    expect(check('AggregateNumInstancesFilter', host({ max_instances_per_host: '10' }))).toBe(false);
    expect(check('AggregateNumInstancesFilter', host(), { max_instances_per_host: 51 })).toBe(true);
  });

  it.each([
    // strict, isolated host, isolated image: passes
    [true, true, true, true],
    [true, true, false, false],
    [true, false, true, false],
    [true, false, false, true],
    [false, true, true, true],
    [false, true, false, true],
    [false, false, true, false],
    [false, false, false, true],
  ])(
    'IsolatedHostsFilter, restricting %s, on an isolated host %s, with an isolated image %s: %s',
    (strict, host, image, expected) => {
      const options = {
        isolated_hosts: ['a'],
        isolated_images: ['i'],
        restrict_isolated_hosts_to_isolated_images: strict,
      };
      const spec = aSpec({ image_id: image ? 'i' : 'other' });
      expect(passes('IsolatedHostsFilter', aHost(host ? 'a' : 'b'), spec, NOW, options)).toBe(expected);
      // Without images there is nothing to keep the hosts for.
      expect(passes('IsolatedHostsFilter', aHost('a'), spec, NOW, { ...options, isolated_images: [] })).toBe(!strict);
    },
  );

  it('SimpleCIDRAffinityFilter looks for neighbours of an address', () => {
    const check = (hints: Record<string, unknown>) =>
      passes('SimpleCIDRAffinityFilter', aHost('a'), aSpec({ scheduler_hints: hints }));
    expect([check({}), check({ build_near_host_ip: '127.0.0.77' })]).toEqual([true, true]);
    expect(check({ build_near_host_ip: '127.0.1.77' })).toBe(false);
    expect(check({ build_near_host_ip: '127.0.1.77', cidr: '/16' })).toBe(true);
    for (const hints of [
      { build_near_host_ip: '127.0.0.1', cidr: '/33' },
      { build_near_host_ip: 'nowhere' },
      { build_near_host_ip: '::1', cidr: '/64' },
    ])
      expect(check(hints)).toBe(false);
  });

  it('JsonFilter answers queries', () => {
    const check = (query: unknown) =>
      passes('JsonFilter', aHost('a', 4096, { num_instances: 3 }), aSpec({ scheduler_hints: { query } }));
    for (const query of [
      '["and", [">=", "$free_ram_mb", 1024], ["=", "$hypervisor_type", "QEMU"]]',
      ['in', '$host', 'b', 'a'],
      ['or', ['=', '$host', 'b'], ['<', '$num_instances', 4, 5]],
      ['not', ['=', '$host', 'b']],
      ['=', '$cpu_info.arch', 'x86_64'],
      [],
    ])
      expect([query, check(query)]).toEqual([query, true]);
    const deep = Array.from({ length: 5000 }).reduce<unknown[]>((inner) => ['and', inner], ['=', '$host', 'a']);
    for (const query of [
      '["=", "$host", "b"]',
      ['>', '$free_ram_mb', '1024'],
      ['=', '$host'],
      ['constructor', 1],
      ['=', '$constructor.name', 'Object'],
      'no JSON',
      { host: 'a' },
      deep,
    ])
      expect([query === deep || query, check(query)]).toEqual([query === deep || query, false]);
  });
});

describe('extra specs', () => {
  it.each([
    ['4', '4', true],
    ['4', '= 3', true],
    ['4', '= 5', false],
    ['4', '== 4.0', true],
    ['4', '!= 4', false],
    ['4', '<= 4', true],
    ['abc', 's== abc', true],
    ['abc', 's!= abc', false],
    ['abc', 's< abd', true],
    ['avx,sse', '<in> sse', true],
    ['avx,sse', '<all-in> sse avx', true],
    ['avx,sse', '<all-in> sse avx512', false],
    ['b', '<or> a <or> b', true],
    ['c', '<or> a <or> b', false],
    ['x', '>=', false],
    ['constructor', 'constructor', true],
  ])('%s meets "%s": %s', (value, spec, expected) => {
    expect(matchesExtraSpec(value, spec)).toBe(expected);
  });
});
