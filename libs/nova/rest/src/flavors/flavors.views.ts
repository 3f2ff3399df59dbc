import type { ApiRequest } from '@nestack/kernel/http';
import type { FlavorSnapshot } from '@nestack/nova/contract';
import type { Flavor } from '@nestack/nova/domain';
import { resourceLinks } from '../servers/servers.views';

/** A flavor inside a server from 2.47 on. */
export function flavorEmbedded(flavor: FlavorSnapshot, extraSpecs: boolean): Record<string, unknown> {
  return {
    original_name: flavor.name,
    vcpus: flavor.vcpus,
    ram: flavor.memory_mb,
    disk: flavor.root_gb,
    ephemeral: flavor.ephemeral_gb,
    swap: flavor.swap_mb,
    ...(extraSpecs ? { extra_specs: flavor.extra_specs } : {}),
  };
}

export function flavorBrief(flavor: Flavor, request: Pick<ApiRequest, 'baseUrl' | 'version'>): Record<string, unknown> {
  return {
    id: flavor.flavor_id,
    name: flavor.name,
    links: resourceLinks(request.baseUrl, 'flavors', flavor.flavor_id),
    ...(request.version.atLeast('2.55') ? { description: flavor.description } : {}),
  };
}

/** With extra specs where the caller may see them. upstream: nova/api/openstack/compute/views/flavors.py */
export function flavorView(
  flavor: Flavor,
  request: Pick<ApiRequest, 'baseUrl' | 'version'>,
  extraSpecs: boolean,
): Record<string, unknown> {
  const v = (text: string): boolean => request.version.atLeast(text);
  return {
    id: flavor.flavor_id,
    name: flavor.name,
    ram: flavor.memory_mb,
    disk: flavor.root_gb,
    swap: flavor.swap_mb === 0 && !v('2.75') ? '' : flavor.swap_mb,
    'OS-FLV-EXT-DATA:ephemeral': flavor.ephemeral_gb,
    'OS-FLV-DISABLED:disabled': flavor.disabled,
    vcpus: flavor.vcpus,
    'os-flavor-access:is_public': flavor.is_public,
    rxtx_factor: flavor.rxtx_factor,
    links: resourceLinks(request.baseUrl, 'flavors', flavor.flavor_id),
    ...(v('2.55') ? { description: flavor.description } : {}),
    ...(v('2.61') && extraSpecs ? { extra_specs: flavor.extra_specs } : {}),
  };
}
