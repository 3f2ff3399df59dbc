import { PHYSICAL_NETWORK } from '../cloud/config-files';
import type { Underlay } from '../cloud/underlay';
import { RestError, type Rest } from './rest';

interface Named {
  readonly id: string;
  readonly subnets?: readonly string[];
  readonly external_gateway_info?: { readonly network_id: string } | null;
}

/**
 * An external network with floating IPs, and a router of the demo project that leads its network outside. The external one
 * belongs to the service project: owned by the administrator's it would be one more choice for servers without a network.
 */
export async function ensureExternalNetwork(
  rest: Rest,
  external: Underlay['external'],
  projects: { readonly demo: string; readonly service: string },
): Promise<void> {
  const neutron = `${rest.endpoint('network')}/v2.0`;
  const first = async (kind: 'networks' | 'subnets' | 'routers', query: string): Promise<Named | undefined> =>
    (await rest.get<Record<string, Named[]>>(`${neutron}/${kind}?${query}`))[kind]?.[0];
  const network =
    (await first('networks', 'name=public&router:external=True')) ??
    (
      await rest.post<{ network: Named }>(`${neutron}/networks`, {
        network: {
          name: 'public',
          tenant_id: projects.service,
          'router:external': true,
          is_default: true,
          'provider:network_type': 'flat',
          'provider:physical_network': PHYSICAL_NETWORK,
        },
      })
    ).network;
  if ((network.subnets ?? []).length === 0) {
    const prefix = external.gateway.replace(/\.\d+$/, '');
    await rest.post(`${neutron}/subnets`, {
      subnet: {
        name: 'public-subnet',
        network_id: network.id,
        tenant_id: projects.service,
        ip_version: 4,
        cidr: external.cidr,
        gateway_ip: external.gateway,
        enable_dhcp: false,
        allocation_pools: [{ start: `${prefix}.10`, end: `${prefix}.250` }],
      },
    });
  }
  const router =
    (await first('routers', `name=router1&tenant_id=${projects.demo}`)) ??
    (
      await rest.post<{ router: Named }>(`${neutron}/routers`, {
        router: { name: 'router1', tenant_id: projects.demo, external_gateway_info: { network_id: network.id } },
      })
    ).router;
  const inner = await first('subnets', `name=private-subnet&tenant_id=${projects.demo}`);
  if (inner === undefined) return;
  const url = `${neutron}/routers/${router.id}/add_router_interface`;
  await rest.call('PUT', url, { body: { subnet_id: inner.id } }).catch((error: unknown) => {
    // It has the interface already.
    if (!(error instanceof RestError) || (error.status !== 400 && error.status !== 409)) throw error;
  });
}
