import { describe, expect, it } from '@jest/globals';
import { resourceRequestOf } from './resource-request';
import { aSpec } from './testing';

const DISABLED = 'COMPUTE_STATUS_DISABLED';

describe('a resource request', () => {
  it('has the sizes of the flavor, memory first', () => {
    const spec = aSpec();
    const flavor = { ...spec.flavor, ephemeral_gb: 2, swap_mb: 1500 };
    const { groups } = resourceRequestOf({ ...spec, flavor });
    expect(groups).toEqual([
      { suffix: '', resources: { MEMORY_MB: 512, VCPU: 1, DISK_GB: 5 }, required: [], forbidden: [DISABLED] },
    ]);
    expect(Object.keys(groups[0]?.resources ?? {})[0]).toBe('MEMORY_MB');
    expect(resourceRequestOf(aSpec({ root_gb_on_host: 0 })).groups[0]?.resources).toEqual({ MEMORY_MB: 512, VCPU: 1 });
  });

  it('is changed by extra specs and image traits', () => {
    const spec = aSpec(
      { image_properties: { 'trait:HW_CPU_X86_AVX2': 'required' } },
      {
        'resources:VCPU': '0',
        'resources:PCPU': '1',
        'trait:CUSTOM_GOLD': 'required',
        'trait:STORAGE_DISK_HDD': 'forbidden',
        resources1: 'ignored',
        'resources1:VGPU': '1',
        'trait1:CUSTOM_GPU': 'required',
        'trait2:CUSTOM_X': 'required',
        group_policy: 'isolate',
      },
    );
    expect(resourceRequestOf(spec)).toEqual({
      group_policy: 'isolate',
      groups: [
        {
          suffix: '',
          resources: { MEMORY_MB: 512, DISK_GB: 1, PCPU: 1 },
          required: ['CUSTOM_GOLD', 'HW_CPU_X86_AVX2'],
          forbidden: ['STORAGE_DISK_HDD', DISABLED],
        },
        { suffix: '1', resources: { VGPU: 1 }, required: ['CUSTOM_GPU'], forbidden: [] },
      ],
    });
  });
});
