import type { HostFilter } from './host-filter';

/** Old names of image properties, and values that mean the same. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  x64: 'x86_64',
  x86: 'i686',
  i386: 'i686',
  arm64: 'aarch64',
};
const HYPERVISORS: Readonly<Record<string, string>> = { xapi: 'xen', powervm: 'phyp', libvirt: 'kvm' };
const VM_MODES: Readonly<Record<string, string>> = { pv: 'xen', hv: 'hvm', baremetal: 'hvm' };

/** Architecture, hypervisor type and mode that the image names must be one combination that the host supports. */
export const imagePropertiesFilter: HostFilter = {
  name: 'ImagePropertiesFilter',
  onRebuild: true,
  passes: (host, { spec }) => {
    const property = (names: readonly string[], same: Readonly<Record<string, string>>): string | null => {
      const given = names
        .map((name) => spec.image_properties[name])
        .find((one) => typeof one === 'string' && one !== '');
      if (typeof given !== 'string') return null;
      const value = given.toLowerCase();
      return same[value] ?? value;
    };
    const wanted = [
      property(['hw_architecture', 'architecture'], ARCHITECTURES),
      property(['img_hv_type', 'hypervisor_type'], HYPERVISORS),
      property(['hw_vm_mode', 'vm_mode'], VM_MODES),
    ].filter((one) => one !== null);
    if (wanted.length === 0) return true;
    return (
      host.facts.supported_instances.some((supported) => wanted.every((one) => supported.includes(one))) &&
      meetsVersion(host.facts.hypervisor_version, spec.image_properties['img_hv_requested_version'])
    );
  },
};

/** `>=6.0,<7.2` against a version kept as a number of three digits each. */
function meetsVersion(version: number, wanted: unknown): boolean {
  if (typeof wanted !== 'string' || version === 0) return true;
  return wanted.split(',').every((part) => {
    const [, operator, text] = /^\s*(<=|>=|==|!=|<|>)\s*([\d.]+)\s*$/.exec(part) ?? [];
    if (operator === undefined || text === undefined) return false;
    const [major = 0, minor = 0, patch = 0] = text.split('.').map(Number);
    const other = major * 1_000_000 + minor * 1000 + patch;
    switch (operator) {
      case '<':
        return version < other;
      case '<=':
        return version <= other;
      case '>':
        return version > other;
      case '>=':
        return version >= other;
      case '==':
        return version === other;
      default:
        return version !== other;
    }
  });
}
