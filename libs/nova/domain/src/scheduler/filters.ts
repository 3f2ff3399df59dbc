import type { RequestSpec } from '@nestack/nova/contract';
import { isUp } from '../instance';
import { allowsApart, allowsTogether } from '../server-groups/group-policy';
import { matchesExtraSpec } from './extra-spec-match';
import type { HostState, SchedulingRequest } from './host-state';

/** Says whether a host may get a server. Named as upstream's, which operators know. */
export interface HostFilter {
  readonly name: string;
  passes(host: HostState, request: SchedulingRequest): boolean;
}

/** Hosts whose nova-compute is enabled and was heard from. */
const computeFilter: HostFilter = {
  name: 'ComputeFilter',
  passes: (host, { now }) => !host.service.disabled && isUp(host.service, now),
};

const availabilityZoneFilter: HostFilter = {
  name: 'AvailabilityZoneFilter',
  passes: (host, { spec }) =>
    spec.availability_zone === null || spec.availability_zone === host.service.availability_zone,
};

/** Extra specs without a scope count when the host knows their name; of those with one only `capabilities:` is meant. */
const computeCapabilitiesFilter: HostFilter = {
  name: 'ComputeCapabilitiesFilter',
  passes: (host, { spec }) =>
    Object.entries(spec.flavor.extra_specs).every(([key, wanted]) => {
      const scope = key.split(':');
      const facts: Readonly<Record<string, unknown>> = { ...host.facts, host: host.host };
      if (scope.length === 1 ? !(key in facts) : scope.shift() !== 'capabilities') return true;
      const value = scope.reduce<unknown>((at, name) => valueOf(at, name), facts);
      return value !== undefined && value !== null && matchesExtraSpec(textOf(value), wanted);
    }),
};

function valueOf(at: unknown, name: string): unknown {
  return typeof at === 'object' && at !== null ? (at as Readonly<Record<string, unknown>>)[name] : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
}

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
const imagePropertiesFilter: HostFilter = {
  name: 'ImagePropertiesFilter',
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

/** Not where the instances of the hint `different_host` are. */
const differentHostFilter: HostFilter = {
  name: 'DifferentHostFilter',
  passes: (host, { spec }) => hintUuids(spec, 'different_host').every((uuid) => !host.hinted.includes(uuid)),
};

/** Where one of the instances of the hint `same_host` is. */
const sameHostFilter: HostFilter = {
  name: 'SameHostFilter',
  passes: (host, { spec }) => {
    const wanted = hintUuids(spec, 'same_host');
    return wanted.length === 0 || wanted.some((uuid) => host.hinted.includes(uuid));
  },
};

/** Not more members of a server group on a host than its rule allows. */
const serverGroupAntiAffinityFilter: HostFilter = {
  name: 'ServerGroupAntiAffinityFilter',
  passes: (host, { spec, group }) =>
    group?.group.policy !== 'anti-affinity' || allowsApart(group, host.host, spec.instance_uuid),
};

/** Where the other members of a server group are. */
const serverGroupAffinityFilter: HostFilter = {
  name: 'ServerGroupAffinityFilter',
  passes: (host, { spec, group }) =>
    group?.group.policy !== 'affinity' || allowsTogether(group, host.host, spec.instance_uuid),
};

/** Instances that a hint names: one, a list, or a list as text. */
export function hintUuids(spec: RequestSpec, hint: 'different_host' | 'same_host'): readonly string[] {
  const value = spec.scheduler_hints[hint];
  if (Array.isArray(value)) return value.filter((one): one is string => typeof one === 'string');
  return typeof value === 'string'
    ? value
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== '')
    : [];
}

/** All filters by their names, in the order in which they run. */
export const HOST_FILTERS: readonly HostFilter[] = [
  computeFilter,
  availabilityZoneFilter,
  computeCapabilitiesFilter,
  imagePropertiesFilter,
  serverGroupAntiAffinityFilter,
  serverGroupAffinityFilter,
  differentHostFilter,
  sameHostFilter,
];

/** The filters of these names. Throws for a name that there is none of. */
export function filtersNamed(names: readonly string[]): readonly HostFilter[] {
  return names.map((name) => {
    const found = HOST_FILTERS.find((filter) => filter.name === name);
    if (found === undefined)
      throw new Error(`no scheduler filter ${name}; there are ${HOST_FILTERS.map((one) => one.name).join(', ')}`);
    return found;
  });
}
