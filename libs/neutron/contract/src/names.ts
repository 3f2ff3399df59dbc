/** Names of devices and namespaces on hosts; the kernel allows 15 characters. Upstream's own. */

export function tapName(portId: string): string {
  return `tap${portId.slice(0, 11)}`;
}

/** The end of a DHCP port's veth pair that lies in the network's namespace. */
export function dhcpDeviceName(portId: string): string {
  return `ns-${portId.slice(0, 11)}`;
}

export function bridgeName(networkId: string): string {
  return `brq${networkId.slice(0, 11)}`;
}

export function vxlanName(vni: number): string {
  return `vxlan-${vni}`;
}

export function dhcpNamespace(networkId: string): string {
  return `qdhcp-${networkId}`;
}

/** A router's own devices in its namespace: towards a network of guests, and towards the outside. */
export function routerDeviceName(portId: string): string {
  return `qr-${portId.slice(0, 11)}`;
}

export function gatewayDeviceName(portId: string): string {
  return `qg-${portId.slice(0, 11)}`;
}

export function routerNamespace(routerId: string): string {
  return `qrouter-${routerId}`;
}

export const AGENT_TYPE = {
  linuxBridge: 'Linux bridge agent',
  dhcp: 'DHCP agent',
  l3: 'L3 agent',
  metadata: 'Metadata agent',
} as const;
