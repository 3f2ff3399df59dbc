import { describe, expect, it } from '@jest/globals';
import type { RequestSpec } from '@nestack/nova/contract';
import { matchesExtraSpec } from './extra-spec-match';
import { filtersNamed, HOST_FILTERS } from './filters';
import type { HostState } from './host-state';
import { aHost, aRequest, aSpec, groupOf, NOW } from './testing';

function passes(name: string, host: HostState, spec: RequestSpec = aSpec(), now = NOW): boolean | undefined {
  return filtersNamed([name])[0]?.passes(host, { spec, now, group: null });
}

function withService(fields: Partial<HostState['service']>): HostState {
  const host = aHost('a');
  return { ...host, service: { ...host.service, ...fields } };
}

describe('filters', () => {
  it('all let an ordinary server onto an ordinary host', () => {
    for (const filter of HOST_FILTERS)
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
    expect(check('vcpus', '>= 4')).toBe(true);
    expect(check('vcpus', '>= 5')).toBe(false);
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
