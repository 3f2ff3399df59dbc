import { describe, expect, it } from '@jest/globals';
import { assertExtraSpec } from './extra-specs';

const names = {
  isStandardTrait: (name: string) => name === 'HW_CPU_X86_AVX2',
  isStandardResourceClass: (name: string) => name === 'VCPU',
};

const verdict = (name: string, value: string): string | null => {
  try {
    assertExtraSpec(names, name, value);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
};

describe('extra specs', () => {
  it.each([
    ['hw:cpu_policy', 'dedicated'],
    ['hw:cpu_realtime', 'Yes'],
    ['hw:numa_cpus.0', '0-3,^2'],
    ['hw:numa_mem.1', '512'],
    ['hw:mem_page_size', '2MiB'],
    ['quota:disk_read_bytes_sec', '1_000'],
    ['quota:cpu_quota', '-1'],
    ['resources:VCPU', '2'],
    ['resources1:CUSTOM_GOLD', '1'],
    ['trait:HW_CPU_X86_AVX2', 'required'],
    ['trait_gpu:CUSTOM_FAST', 'forbidden'],
    ['capabilities:cpu_info:features', '<in> aes'],
    ['aggregate_instance_extra_specs:ssd', 'true'],
    ['pci_passthrough:alias', 'a1:2, b:1'],
    ['own:anything', 'at all'],
    ['plain', 'text'],
  ])('may be %s=%s', (name, value) => {
    expect(verdict(name, value)).toBeNull();
  });

  it.each([
    ['hw:cpu_policy', 'sharedd', "Validation failed; 'sharedd' is not one of: dedicated, shared, mixed."],
    ['hw:numa_nodes', 'foo', "Validation failed; 'foo' is not a valid integer value."],
    ['hw:numa_nodes', '0', "Validation failed; '0' is less than the min value of '1'."],
    ['hw:redirected_usb_ports', '16', "Validation failed; '16' is greater than the max value of '15'."],
    ['hw:pmu', 'perhaps', "Validation failed; 'perhaps' is not a valid boolean-like value."],
    ['hw:pmem', 'a-b', "Validation failed; 'a-b' is not of the format '([a-zA-Z0-9_]+(,)?)+'."],
    ['hw:foo', 'bar', "Validation failed; extra spec 'hw:foo' does not appear to be a valid extra spec."],
    [
      'trait:HW_NONE',
      'required',
      "Validation failed; extra spec 'trait:HW_NONE' does not appear to be a valid extra spec.",
    ],
    ['trait:CUSTOM_A', 'wanted', "Validation failed; 'wanted' is not one of: required, forbidden."],
    [
      'resources:VCPUS',
      '1',
      "Validation failed; extra spec 'resources:VCPUS' does not appear to be a valid extra spec.",
    ],
  ])('may not be %s=%s', (name, value, message) => {
    expect(verdict(name, value)).toBe(message);
  });
});
