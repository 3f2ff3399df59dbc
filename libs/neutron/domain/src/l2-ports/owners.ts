/** Owners of ports by which their uses are told. upstream: neutron_lib/constants.py DEVICE_OWNER_* */
export const OWNER = {
  dhcp: 'network:dhcp',
  routerInterface: 'network:router_interface',
  routerGateway: 'network:router_gateway',
  floatingIp: 'network:floatingip',
  computePrefix: 'compute:',
  networkPrefix: 'network:',
} as const;

/** Ports that are the cloud's own: nothing is filtered on them. */
export function isTrusted(owner: string): boolean {
  return owner.startsWith(OWNER.networkPrefix);
}

/** A server's port, of which nova wants to know. */
export function isCompute(port: { readonly device_owner: string; readonly device_id: string }): boolean {
  return port.device_owner.startsWith(OWNER.computePrefix) && port.device_id !== '';
}

export function isRouterInterface(owner: string): boolean {
  return owner === OWNER.routerInterface;
}

/** Ports that only their router or floating IP may take away. */
export const ROUTER_OWNERS: readonly string[] = [OWNER.routerInterface, OWNER.routerGateway, OWNER.floatingIp];
