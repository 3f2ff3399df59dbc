import { NovaError } from '@nestack/nova/contract';

/** What the value of an extra spec may be. */
type Rule =
  | { readonly is: 'text'; readonly pattern?: string; readonly oneOf?: readonly string[] }
  | { readonly is: 'integer'; readonly min?: number; readonly max?: number }
  | { readonly is: 'boolean' };

/** Placement's own names, which extra specs ask for. */
export interface StandardNames {
  isStandardTrait(name: string): boolean;
  isStandardResourceClass(name: string): boolean;
}

const ANY: Rule = { is: 'text' };
const BOOLEAN: Rule = { is: 'boolean' };
const integer = (min?: number, max?: number): Rule => ({
  is: 'integer',
  ...(min === undefined ? {} : { min }),
  ...(max === undefined ? {} : { max }),
});
const oneOf = (...names: readonly string[]): Rule => ({ is: 'text', oneOf: names });
const matching = (pattern: string): Rule => ({ is: 'text', pattern });
const each = (names: readonly string[], rule: Rule): Record<string, Rule> =>
  Object.fromEntries(names.map((name) => [name, rule]));

/** Sets of processors, `^` before those that are left out. */
const CPUS = String.raw`\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*`;

/** By name. upstream: nova/api/validation/extra_specs */
const EXACT: ReadonlyMap<string, Rule> = new Map(
  Object.entries({
    hide_hypervisor_id: BOOLEAN,
    group_policy: oneOf('isolate', 'none'),
    'accel:device_profile': ANY,
    'os:secure_boot': oneOf('disabled', 'required'),
    'pci_passthrough:alias': matching(String.raw`[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*`),
    'hw_rng:allowed': BOOLEAN,
    'hw_rng:rate_bytes': integer(0),
    'hw_rng:rate_period': integer(0),
    'hw_video:ram_max_mb': integer(0),
    'vmware:hw_version': ANY,
    'vmware:storage_policy': ANY,
    ...each(
      [
        'hw:cpu_realtime',
        'hw:hide_hypervisor_id',
        'hw:locked_memory',
        'hw:boot_menu',
        'hw:vif_multiqueue_enabled',
        'hw:mem_encryption',
        'hw:pmu',
        'hw:virtio_packed_ring',
        'hw:ephemeral_encryption',
      ],
      BOOLEAN,
    ),
    'hw:cpu_realtime_mask': matching(String.raw`(\^)?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*`),
    'hw:cpu_dedicated_mask': matching(CPUS),
    'hw:cpu_policy': oneOf('dedicated', 'shared', 'mixed'),
    'hw:cpu_thread_policy': oneOf('prefer', 'isolate', 'require'),
    'hw:emulator_threads_policy': oneOf('isolate', 'share'),
    'hw:mem_page_size': matching(String.raw`(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)`),
    'hw:mem_encryption_model': oneOf('amd-sev', 'amd-sev-es', 'amd-sev-snp'),
    'hw:pmem': matching('([a-zA-Z0-9_]+(,)?)+'),
    'hw:pci_numa_affinity_policy': oneOf('required', 'preferred', 'legacy', 'socket'),
    'hw:tpm_model': oneOf('tpm-tis', 'tpm-crb'),
    'hw:tpm_version': oneOf('1.2', '2.0'),
    'hw:tpm_secret_security': oneOf('user', 'host', 'deployment'),
    'hw:watchdog_action': oneOf('none', 'pause', 'poweroff', 'reset', 'disabled'),
    'hw:viommu_model': oneOf('intel', 'smmuv3', 'virtio', 'auto'),
    'hw:sound_model': oneOf('sb16', 'es1370', 'pcspk', 'ac97', 'ich6', 'ich9', 'usb', 'virtio'),
    'hw:usb_model': oneOf('none', 'nec-xhci', 'qemu-xhci'),
    'hw:ephemeral_encryption_format': oneOf('plain', 'luks', 'luksv2'),
    'hw:redirected_usb_ports': integer(0, 15),
    'hw:serial_port_count': integer(0),
    'hw:numa_nodes': integer(1),
    ...each(
      ['sockets', 'cores', 'threads', 'max_sockets', 'max_cores', 'max_threads'].map((name) => `hw:cpu_${name}`),
      integer(1),
    ),
    ...Object.fromEntries(
      ['cpu', 'memory', 'disk_io', 'vif'].flatMap((name) => [
        [`quota:${name}_limit`, integer(0)],
        [`quota:${name}_reservation`, integer()],
        [`quota:${name}_shares_level`, oneOf('custom', 'high', 'normal', 'low')],
        [`quota:${name}_shares_share`, integer(0)],
      ]),
    ),
    'quota:cpu_shares': integer(0),
    'quota:cpu_period': integer(0),
    'quota:cpu_quota': integer(),
    ...each(
      ['read', 'write', 'total'].flatMap((name) => [`quota:disk_${name}_bytes_sec`, `quota:disk_${name}_iops_sec`]),
      integer(0),
    ),
    ...each(
      ['inbound', 'outbound'].flatMap((name) =>
        ['average', 'peak', 'burst'].map((metric) => `quota:vif_${name}_${metric}`),
      ),
      integer(0),
    ),
    ...each(
      `id uuid service_id host vcpus memory_mb local_gb vcpus_used memory_mb_used local_gb_used hypervisor_type
       hypervisor_version hypervisor_hostname free_ram_mb free_disk_gb current_workload running_vms disk_available_least
       host_ip mapped cpu_allocation_ratio ram_allocation_ratio disk_allocation_ratio total_usable_ram_mb
       total_usable_disk_gb disk_mb_used free_disk_mb vcpus_total num_instances num_io_ops failed_builds aggregates
       cell_uuid updated`
        .split(/\s+/)
        .map((name) => `capabilities:${name}`),
      ANY,
    ),
  }),
);

/** By the shape of their names; the first group is what placement is to know. */
const SHAPES: readonly {
  readonly name: RegExp;
  readonly rule: Rule;
  readonly known?: (names: StandardNames, name: string) => boolean;
}[] = [
  { name: /^hw:numa_cpus\.\d+$/, rule: matching(CPUS) },
  { name: /^hw:numa_mem\.\d+$/, rule: integer(1) },
  { name: /^aggregate_instance_extra_specs:.+$/, rule: ANY },
  {
    name: /^capabilities:(?:cpu_info|metrics|stats|numa_topology|supported_hv_specs|pci_device_pools|nodename|pci_stats|supported_instances|limits|instances)(?::\w+)*$/,
    rule: ANY,
  },
  {
    name: /^resources(?:[a-zA-Z0-9_-]{1,64})?:(.+)$/,
    rule: integer(),
    known: (names, name) => isCustom(name) || names.isStandardResourceClass(name),
  },
  {
    name: /^trait(?:[a-zA-Z0-9_-]{1,64})?:(.+)$/,
    rule: oneOf('required', 'forbidden'),
    known: (names, name) => isCustom(name) || names.isStandardTrait(name),
  },
];

/** What comes before the colon of names that are all known; others are the operator's own. */
const NAMESPACES =
  /^(?:accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough|quota|vmware|(?:resources|trait)(?:[a-zA-Z0-9_-]{1,64})?)$/;

const isCustom = (name: string): boolean => /^CUSTOM_[A-Z0-9_]+$/.test(name);

/**
 * Throws BadRequest for an extra spec of a known namespace that does not exist, or whose value it cannot have (from microversion 2.86
 * on). Names without a namespace, or with one of an operator's own, may be anything.
 * upstream: nova/api/validation/extra_specs/validators.py
 */
export function assertExtraSpec(names: StandardNames, name: string, value: string): void {
  const rule = EXACT.get(name) ?? shaped(names, name);
  const reason =
    rule === null
      ? NAMESPACES.test(name.split(':', 1)[0] ?? '') && name.includes(':')
        ? `extra spec '${name}' does not appear to be a valid extra spec.`
        : null
      : mistake(rule, value);
  if (reason !== null) throw NovaError.BadRequest({ reason: `Validation failed; ${reason}` });
}

function shaped(names: StandardNames, name: string): Rule | null {
  for (const shape of SHAPES) {
    const found = shape.name.exec(name);
    if (found !== null && (shape.known?.(names, found[1] ?? '') ?? true)) return shape.rule;
  }
  return null;
}

/** What is wrong with a value; null if nothing is. */
function mistake(rule: Rule, value: string): string | null {
  switch (rule.is) {
    case 'boolean':
      return /^\s*(?:1|t|true|on|y|yes|0|f|false|off|n|no)\s*$/i.test(value)
        ? null
        : `'${value}' is not a valid boolean-like value.`;
    case 'integer': {
      if (!/^\s*[+-]?\d+(?:_\d+)*\s*$/.test(value)) return `'${value}' is not a valid integer value.`;
      const number = Number(value.replaceAll('_', ''));
      if (rule.max !== undefined && number > rule.max)
        return `'${number}' is greater than the max value of '${rule.max}'.`;
      if (rule.min !== undefined && number < rule.min)
        return `'${number}' is less than the min value of '${rule.min}'.`;
      return null;
    }
    case 'text':
      if (rule.pattern !== undefined && !new RegExp(`^(?:${rule.pattern})$`).test(value))
        return `'${value}' is not of the format '${rule.pattern}'.`;
      if (rule.oneOf !== undefined && !rule.oneOf.includes(value))
        return `'${value}' is not one of: ${rule.oneOf.join(', ')}.`;
      return null;
  }
}
