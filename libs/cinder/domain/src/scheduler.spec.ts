import { describe, expect, it } from '@jest/globals';
import type { Service, VolumeType } from './model';
import { fits } from './scheduler';

const service = (capabilities: Record<string, unknown>): Service =>
  ({
    host: 'h@b',
    capabilities: { volume_backend_name: 'nbd', multiattach: true, ...capabilities },
  }) as unknown as Service;
const type = (extra_specs: Record<string, string>): VolumeType => ({ extra_specs }) as unknown as VolumeType;
const fit = (specs: Record<string, string>, capabilities: Record<string, unknown> = {}): boolean =>
  fits(service(capabilities), type(specs));

describe('a backend and the extra specs of a type', () => {
  it('meet when each asks for what there is', () => {
    expect(fits(service({}), null)).toBe(true);
    expect(fit({})).toBe(true);
    expect(fit({ volume_backend_name: 'nbd' })).toBe(true);
    expect(fit({ volume_backend_name: 'NBD' })).toBe(true);
    expect(fit({ volume_backend_name: 'lvm' })).toBe(false);
    expect(fit({ 'capabilities:volume_backend_name': 'lvm' })).toBe(false);
    expect(fit({ unknown: 'x' })).toBe(false);
  });

  it('leave other scopes to others', () => {
    expect(fit({ 'vendor:tier': 'gold', 'RESKEY:availability_zones': 'az1' })).toBe(true);
  });

  it('compare booleans, numbers and parts', () => {
    expect(fit({ multiattach: '<is> True' })).toBe(true);
    expect(fit({ multiattach: '<is> False' })).toBe(false);
    expect(fit({ multiattach: '<is> True' }, { multiattach: false })).toBe(false);
    expect(fit({ free_capacity_gb: '>= 10' }, { free_capacity_gb: 10 })).toBe(true);
    expect(fit({ free_capacity_gb: '= 10' }, { free_capacity_gb: 12 })).toBe(true);
    expect(fit({ free_capacity_gb: '== 10' }, { free_capacity_gb: 12 })).toBe(false);
    expect(fit({ free_capacity_gb: '!= 10' }, { free_capacity_gb: 12 })).toBe(true);
    expect(fit({ free_capacity_gb: '<= 10' }, { free_capacity_gb: 12 })).toBe(false);
    expect(fit({ vendor_name: '<in> stack' }, { vendor_name: 'nestack' })).toBe(true);
  });
});
