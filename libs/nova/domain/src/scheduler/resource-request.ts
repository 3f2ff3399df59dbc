import type { RequestSpec } from '@nestack/nova/contract';

/** One group of what a server needs; the group without suffix may be spread over a host's providers. */
export interface ResourceGroup {
  readonly suffix: string;
  /** Amounts by resource class. */
  readonly resources: Readonly<Record<string, number>>;
  readonly required: readonly string[];
  readonly forbidden: readonly string[];
}

export interface ResourceRequest {
  readonly groups: readonly ResourceGroup[];
  readonly group_policy: string | null;
}

interface Building {
  readonly resources: Map<string, number>;
  readonly required: Set<string>;
  readonly forbidden: Set<string>;
}

const KEY = /^(resources|trait)([A-Za-z0-9_-]{0,64}):(.+)$/;

/**
 * What a server needs of its host, as Placement counts it: the flavor's sizes, changed by its extra specs
 * (`resources:CLASS`, `trait:NAME`, both also with a group's suffix) and by the image's traits. Memory comes first: hosts are
 * offered by what is free of the first. upstream: nova/scheduler/utils.py ResourceRequest
 */
export function resourceRequestOf(spec: RequestSpec): ResourceRequest {
  const { flavor } = spec;
  const groups = new Map<string, Building>();
  const group = (suffix: string): Building => {
    let found = groups.get(suffix);
    if (found === undefined) {
      found = { resources: new Map(), required: new Set(), forbidden: new Set() };
      groups.set(suffix, found);
    }
    return found;
  };
  const plain = group('');
  plain.resources.set('MEMORY_MB', flavor.memory_mb);
  plain.resources.set('VCPU', flavor.vcpus);
  plain.resources.set('DISK_GB', spec.root_gb_on_host + flavor.ephemeral_gb + Math.ceil(flavor.swap_mb / 1024));
  for (const [key, value] of Object.entries(flavor.extra_specs)) {
    const [, what, suffix = '', name = ''] = KEY.exec(key) ?? [];
    if (what === 'resources' && /^\d+$/.test(value)) group(suffix).resources.set(name, Number(value));
    if (what === 'trait' && value === 'required') group(suffix).required.add(name);
    if (what === 'trait' && value === 'forbidden') group(suffix).forbidden.add(name);
  }
  for (const trait of traitsOfImage(spec)) plain.required.add(trait);
  plain.forbidden.add('COMPUTE_STATUS_DISABLED');
  return {
    group_policy: flavor.extra_specs['group_policy'] ?? null,
    groups: [...groups]
      .map(([suffix, one]) => ({
        suffix,
        resources: Object.fromEntries([...one.resources].filter(([, amount]) => amount > 0)),
        required: [...one.required],
        forbidden: [...one.forbidden].filter((trait) => !one.required.has(trait)),
      }))
      .filter((one) => Object.keys(one.resources).length > 0),
  };
}

/** Traits that the image demands of whatever runs it. */
export function traitsOfImage({
  image_properties: properties,
}: Pick<RequestSpec, 'image_properties'>): readonly string[] {
  return Object.entries(properties).flatMap(([key, value]) =>
    key.startsWith('trait:') && value === 'required' ? [key.slice('trait:'.length)] : [],
  );
}
