import { QUOTA_DEFAULTS } from '@nestack/neutron/contract';
import type { NeutronSettings } from '@nestack/neutron/domain';
import type { NeutronConfig } from './neutron.config';

/** The configuration as the use cases read it. */
export function settingsOf(config: NeutronConfig): NeutronSettings {
  const [from = 1, to = 16_777_215] = (config.vni_range ?? '1:16777215').split(':').map(Number);
  const domain = config.dns_domain ?? 'openstacklocal.';
  return {
    mechanism: config.mechanism_driver ?? 'linuxbridge',
    tenantNetworkType: config.tenant_network_type ?? 'vxlan',
    vni: { from, to },
    flatNetworks: config.flat_networks ?? ['*'],
    vlanRanges: (config.network_vlan_ranges ?? []).map((text) => {
      const [physical = '', first, last] = text.split(':');
      // Without numbers nothing is given away.
      return { physical, from: Number(first ?? 1), to: Number(last ?? 0) };
    }),
    pathMtu: config.path_mtu ?? 1500,
    dnsDomain: domain.endsWith('.') ? domain : `${domain}.`,
    baseMac: config.base_mac ?? 'fa:16:3e',
    maxNameservers: config.max_dns_nameservers ?? 5,
    maxHostRoutes: config.max_subnet_host_routes ?? 20,
    maxRoutes: config.max_routes ?? 30,
    maxAddressPairs: config.max_allowed_address_pair ?? 10,
    quotas: { ...QUOTA_DEFAULTS, ...config.quotas },
  };
}
