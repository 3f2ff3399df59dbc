import type { Tx } from '@nestack/kernel/context';
import { AGENT_TYPE, bridgeName } from '@nestack/neutron/contract';
import type { VifType } from '../model';
import type { NeutronParts } from '../parts';

export interface Bound {
  readonly 'binding:vif_type': VifType;
  readonly 'binding:vif_details': Readonly<Record<string, unknown>>;
}

export const UNBOUND: Bound = { 'binding:vif_type': 'unbound', 'binding:vif_details': {} };

/** Whether somebody on the host will wire the port and report that it works. */
export async function hasWirer(tx: Tx, parts: NeutronParts, host: string): Promise<boolean> {
  return parts.agents.livingOn(tx, AGENT_TYPE.linuxBridge, host);
}

/**
 * Binds a port to a host: its tap joins the network's bridge there. Only Linux bridges and ordinary NICs are known; without a
 * living agent on the host, or for another kind of NIC, the binding fails, which nova treats as a failure to build.
 */
export async function bind(
  tx: Tx,
  parts: NeutronParts,
  port: { readonly network_id: string; readonly 'binding:vnic_type': string },
  host: string,
): Promise<Bound & { readonly wired: boolean }> {
  if (host === '') return { ...UNBOUND, wired: true };
  const wired = await hasWirer(tx, parts, host);
  if (port['binding:vnic_type'] !== 'normal' || (!wired && parts.settings.mechanism !== 'fake'))
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
