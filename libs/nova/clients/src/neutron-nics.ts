import { bridgeName, tapName } from '@nestack/neutron/contract';
import type { Nic } from '@nestack/nova/contract';

/** A port as neutron shows it; only what nova reads. */
export interface PortView {
  readonly id: string;
  readonly project_id: string;
  readonly network_id: string;
  readonly device_id: string;
  readonly status: string;
  readonly mac_address: string;
  readonly fixed_ips: readonly { readonly ip_address: string; readonly subnet_id: string }[];
  readonly security_groups: readonly string[];
  readonly port_security_enabled: boolean;
  readonly 'binding:vif_type'?: string;
  readonly 'binding:profile'?: Readonly<Record<string, unknown>>;
}

/** A floating IP as neutron shows it. */
export interface FloatingView {
  readonly port_id: string;
  readonly floating_ip_address: string;
  readonly fixed_ip_address: string;
}

export interface NetworkView {
  readonly id: string;
  readonly name: string;
  readonly project_id: string;
  readonly shared: boolean;
  readonly 'router:external'?: boolean;
  readonly mtu: number;
  readonly subnets: readonly string[];
  readonly port_security_enabled?: boolean;
}

export interface SubnetView {
  readonly id: string;
  readonly network_id: string;
  readonly cidr: string;
  readonly ip_version: number;
  readonly gateway_ip: string | null;
  readonly enable_dhcp: boolean;
  readonly dns_nameservers: readonly string[];
  readonly host_routes: readonly { readonly destination: string; readonly nexthop: string }[];
}

/** Networks with their subnets, by id. */
export interface NetworkMap {
  readonly networks: ReadonlyMap<string, NetworkView>;
  readonly subnets: ReadonlyMap<string, SubnetView>;
}

/** How nova tells the ports that it made from the user's, which it must not delete; only admins see a port's profile. */
export const OWN_PROFILE = { created_by: 'nova' } as const;

/** In the same place: what the port was made for, where that must be found again. */
export const REQUEST_KEY = 'request';

export function madeByNova(port: PortView): boolean {
  return port['binding:profile']?.['created_by'] === OWN_PROFILE.created_by;
}

/** A bound port as a guest's NIC. */
export function nicOf(
  port: PortView,
  map: NetworkMap,
  tag: string | null,
  floating: readonly FloatingView[] = [],
): Nic {
  const network = map.networks.get(port.network_id);
  const ids = [...new Set(port.fixed_ips.map((one) => one.subnet_id))];
  return {
    port_id: port.id,
    network_id: port.network_id,
    network_label: network?.name ?? '',
    mac_address: port.mac_address,
    devname: tapName(port.id),
    bridge: bridgeName(port.network_id),
    mtu: network?.mtu ?? 1500,
    vif_type: port['binding:vif_type'] ?? 'bridge',
    fixed_ips: port.fixed_ips.map((one) => ({ ip_address: one.ip_address, subnet_id: one.subnet_id })),
    floating_ips: floating
      .filter((one) => one.port_id === port.id)
      .map((one) => ({ ip_address: one.floating_ip_address, fixed_ip_address: one.fixed_ip_address })),
    subnets: ids.flatMap((id) => {
      const subnet = map.subnets.get(id);
      if (subnet === undefined) return [];
      return {
        id,
        cidr: subnet.cidr,
        ip_version: subnet.ip_version,
        gateway_ip: subnet.gateway_ip,
        enable_dhcp: subnet.enable_dhcp,
        dns_nameservers: [...subnet.dns_nameservers],
        host_routes: subnet.host_routes.map((one) => ({ destination: one.destination, nexthop: one.nexthop })),
      };
    }),
    tag,
    created_by_nova: madeByNova(port),
  };
}
