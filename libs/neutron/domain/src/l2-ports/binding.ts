import type { Tx } from '@nestack/kernel/context';
import { AGENT_TYPE, bridgeName } from '@nestack/neutron/contract';
import type { VifType } from '../model';
import type { NeutronParts } from '../parts';

export interface Bound {
  readonly 'binding:vif_type': VifType;
  readonly 'binding:vif_details': Readonly<Record<string, unknown>>;
}

export const UNBOUND: Bound = { 'binding:vif_type': 'unbound', 'binding:vif_details': {} };

/**
 * Binds a port to a host: its tap joins the network's bridge there. Only Linux bridges and ordinary NICs are known; without a
 * living agent on the host, with one that does not know the network's physical network, or for another kind of NIC, the binding
 * fails, which nova treats as a failure to build. `wired` says whether somebody on the host will report that the port works.
 * upstream: neutron/plugins/ml2/drivers/mech_agent.py try_to_bind_segment_for_agent
 */
export async function bind(
  tx: Tx,
  parts: NeutronParts,
  port: { readonly network_id: string; readonly 'binding:vnic_type': string },
  host: string,
): Promise<Bound & { readonly wired: boolean }> {
  if (host === '') return { ...UNBOUND, wired: true };
  const { living: wired, reaches } = await parts.agents.wirerOn(tx, AGENT_TYPE.linuxBridge, host, port.network_id);
  const possible = wired ? reaches : parts.settings.mechanism === 'fake';
  if (port['binding:vnic_type'] !== 'normal' || !possible)
    return { 'binding:vif_type': 'binding_failed', 'binding:vif_details': {}, wired: true };
  return {
    'binding:vif_type': 'bridge',
    'binding:vif_details': {
      connectivity: 'l2',
      port_filter: true,
      bridge_name: bridgeName(port.network_id),
    },
    wired,
  };
}
