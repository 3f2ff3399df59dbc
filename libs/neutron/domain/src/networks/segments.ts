import type { Tx } from '@nestack/kernel/context';
import type { DomainError } from '@nestack/kernel/errors';
import { NeutronError } from '@nestack/neutron/contract';
import type { Network } from '../model';
import type { NeutronParts, NeutronSettings } from '../parts';

type Provider = Pick<Network, 'provider:network_type' | 'provider:physical_network' | 'provider:segmentation_id'>;
export type ProviderInput = { readonly [K in keyof Provider]?: Provider[K] | null };

export interface Segment {
  readonly fields: Provider;
  /** What it means when another network has it: the client named it. Null when another can be chosen. */
  readonly taken: DomainError | null;
}

const VXLAN_OVERHEAD = 50;

/** The largest MTU of a network type. upstream: neutron/plugins/ml2/drivers/type_*.py get_mtu */
function largestMtu(settings: NeutronSettings, type: string): number {
  return type === 'vxlan' ? settings.pathMtu - VXLAN_OVERHEAD : settings.pathMtu;
}

/** The network's MTU: the largest when 0 is asked for. Throws 400 beyond it. */
export function checkMtu(settings: NeutronSettings, type: string, asked: number): number {
  const largest = largestMtu(settings, type);
  if (asked > largest)
    throw NeutronError.InvalidInput({ error_message: `Requested MTU is too big, maximum is ${String(largest)}` });
  if (asked !== 0 && asked < 68)
    throw NeutronError.InvalidInput({ error_message: 'Requested MTU is too small, minimum is 68' });
  return asked === 0 ? largest : asked;
}

function refuse(message: string): never {
  throw NeutronError.InvalidInput({ error_message: message });
}

/** The segment of a new network: what an administrator named, completed and checked, or the next free one. */
export async function chooseSegment(tx: Tx, parts: NeutronParts, asked: ProviderInput): Promise<Segment> {
  const { settings } = parts;
  const type = asked['provider:network_type'] ?? null;
  const physical = asked['provider:physical_network'] ?? null;
  const id = asked['provider:segmentation_id'] ?? null;
  if (type === null && (physical !== null || id !== null)) return refuse('network_type required');
  switch (type ?? settings.tenantNetworkType) {
    case 'vxlan':
      return tunnel(tx, parts, physical, id);
    case 'vlan':
      return vlan(tx, parts, physical, id);
    case 'flat':
      return flat(settings, physical, id);
    case 'local':
      if (physical !== null || id !== null) return refuse('provider attributes prohibited for local provider network');
      return { fields: fields('local', null, null), taken: null };
    default:
      return refuse(`network_type value '${String(type)}' not supported`);
  }
}

function fields(type: string, physical: string | null, id: number | null): Provider {
  return { 'provider:network_type': type, 'provider:physical_network': physical, 'provider:segmentation_id': id };
}

async function tunnel(tx: Tx, parts: NeutronParts, physical: string | null, id: number | null): Promise<Segment> {
  if (physical !== null) return refuse('provider:physical_network specified for vxlan network');
  if (id !== null) {
    if (id < 1 || id > 16_777_215) return refuse(`segmentation id '${String(id)}' is out of range 1 through 16777215`);
    return { fields: fields('vxlan', null, id), taken: NeutronError.TunnelIdInUse({ tunnel_id: id }) };
  }
  const free = await parts.networks.freeTunnel(tx, parts.settings.vni);
  if (free === null) throw NeutronError.NoNetworkAvailable();
  return { fields: fields('vxlan', null, free), taken: null };
}

async function vlan(tx: Tx, parts: NeutronParts, physical: string | null, id: number | null): Promise<Segment> {
  const { vlanRanges } = parts.settings;
  if (id !== null) {
    if (physical === null) return refuse('segmentation_id requires physical_network for VLAN provider network');
    if (id < 1 || id > 4094) return refuse(`segmentation_id out of range (1 through 4094)`);
    if (!vlanRanges.some((range) => range.physical === physical))
      return refuse(`physical_network '${physical}' unknown for VLAN provider network`);
    return {
      fields: fields('vlan', physical, id),
      taken: NeutronError.VlanIdInUse({ vlan_id: id, physical_network: physical }),
    };
  }
  const ranges = vlanRanges.filter((range) => physical === null || range.physical === physical);
  if (physical !== null && ranges.length === 0)
    return refuse(`physical_network '${physical}' unknown for VLAN provider network`);
  for (const range of ranges) {
    const free = await parts.networks.freeVlan(tx, range.physical, range);
    if (free !== null) return { fields: fields('vlan', range.physical, free), taken: null };
  }
  throw NeutronError.NoNetworkAvailable();
}

function flat(settings: NeutronSettings, physical: string | null, id: number | null): Segment {
  if (physical === null || physical === '') return refuse('physical_network required for flat provider network');
  if (id !== null) return refuse('segmentation_id prohibited for flat provider network');
  if (!settings.flatNetworks.includes('*') && !settings.flatNetworks.includes(physical))
    return refuse(`physical_network '${physical}' unknown for flat provider network`);
  return {
    fields: fields('flat', physical, null),
    taken: NeutronError.FlatNetworkInUse({ physical_network: physical }),
  };
}
