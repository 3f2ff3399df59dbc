import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  NovaError,
  addFixedIp,
  addFloatingIp,
  createFloatingIpProxy,
  deleteFloatingIpProxy,
  listFloatingIpPools,
  listFloatingIpProxies,
  listNetworkProxies,
  listTenantNetworkProxies,
  removeFixedIp,
  removeFloatingIp,
  showFloatingIpProxy,
  showNetworkProxy,
  showTenantNetworkProxy,
} from '@nestack/nova/contract';
import {
  ExternalEvents,
  FixedIps,
  FloatingIps,
  NETWORK_PORT,
  NETWORK_PROXY_PORT,
  Servers,
  assertUnlocked,
  type NetworkPort,
  type NetworkProxyPort,
  type NetworkSummary,
  type PooledIp,
} from '@nestack/nova/domain';

/** What nova-network once told of a network and neutron does not. upstream: nova/api/openstack/compute/networks.py */
const UNKNOWN = ['cidr', 'netmask', 'gateway', 'broadcast', 'dns1', 'dns2', 'cidr_v6', 'gateway_v6', 'netmask_v6'];
const UNKNOWN_TO_ADMIN = [
  ...['created_at', 'updated_at', 'deleted_at', 'deleted', 'injected', 'bridge', 'vlan', 'vpn_public_address'],
  ...['vpn_public_port', 'vpn_private_address', 'dhcp_start', 'project_id', 'host', 'bridge_interface', 'multi_host'],
  ...['priority', 'rxtx_base', 'mtu', 'dhcp_server', 'enable_dhcp', 'share_address'],
];

/** Neutron's networks and floating IPs as nova's older API shows and changes them. */
@Injectable()
export class NetworkProxiesController {
  private readonly addresses: FloatingIps;
  private readonly fixed: FixedIps;

  constructor(
    @Inject(Servers) private readonly servers: Servers,
    @Inject(NETWORK_PORT) private readonly networks: NetworkPort,
    @Inject(NETWORK_PROXY_PORT) private readonly proxy: NetworkProxyPort,
    @Inject(ExternalEvents) private readonly events: ExternalEvents,
  ) {
    this.fixed = new FixedIps(networks, proxy);
    this.addresses = new FloatingIps(proxy);
  }

  @Handles(listFloatingIpPools)
  async pools(request: ApiRequest) {
    const pools = await this.proxy.pools(request.ctx);
    return { floating_ip_pools: pools.map(({ id, name }) => ({ name: name === '' ? id : name })) };
  }

  @Handles(listFloatingIpProxies)
  async floatingIps(request: ApiRequest) {
    return { floating_ips: (await this.addresses.list(request.ctx)).map(floatingIpView) };
  }

  @Handles(showFloatingIpProxy)
  async floatingIp(request: ApiRequest) {
    const found = await this.addresses.get(request.ctx, request.params['floating_ip_id'] ?? '');
    return { floating_ip: floatingIpView(found) };
  }

  @Handles(createFloatingIpProxy)
  async allocate(request: ApiRequest) {
    const pool = (request.body as { pool?: string | null } | null)?.pool ?? null;
    return { floating_ip: floatingIpView(await this.addresses.allocate(request.ctx, pool)) };
  }

  @Handles(deleteFloatingIpProxy)
  async release(request: ApiRequest) {
    await this.addresses.release(request.ctx, request.params['floating_ip_id'] ?? '');
    return new ApiReply(null, { status: 202 });
  }

  @Handles(addFloatingIp)
  async associate(request: ApiRequest) {
    const server = await this.servers.get(request.ctx, request.params['server_id'] ?? '');
    const { addFloatingIp: asked } = request.body as { addFloatingIp: { address: string; fixed_address?: string } };
    await this.addresses.add(request.ctx, server, asked.address, asked.fixed_address ?? null);
    return new ApiReply(null, { status: 202 });
  }

  @Handles(removeFloatingIp)
  async disassociate(request: ApiRequest) {
    const server = await this.servers.get(request.ctx, request.params['server_id'] ?? '');
    const { removeFloatingIp: asked } = request.body as { removeFloatingIp: { address: string } };
    await this.addresses.remove(request.ctx, server, asked.address);
    return new ApiReply(null, { status: 202 });
  }

  @Handles(addFixedIp)
  async addFixed(request: ApiRequest) {
    const server = await this.servers.get(request.ctx, request.params['server_id'] ?? '');
    assertUnlocked(request.ctx, server);
    const { addFixedIp: asked } = request.body as { addFixedIp: { networkId: string | number } };
    await this.fixed.add(request.ctx, server, String(asked.networkId));
    return this.changed(request, server.uuid);
  }

  @Handles(removeFixedIp)
  async removeFixed(request: ApiRequest) {
    const server = await this.servers.get(request.ctx, request.params['server_id'] ?? '');
    assertUnlocked(request.ctx, server);
    const { removeFixedIp: asked } = request.body as { removeFixedIp: { address: string } };
    await this.fixed.remove(request.ctx, server, asked.address);
    return this.changed(request, server.uuid);
  }

  /** Neutron tells of it as well, a little later. */
  private async changed(request: ApiRequest, uuid: string): Promise<ApiReply> {
    await this.events.refresh(request.ctx, uuid);
    return new ApiReply(null, { status: 202 });
  }

  @Handles(listNetworkProxies)
  async list(request: ApiRequest) {
    return { networks: (await this.networks.available(request.ctx)).map((one) => networkView(one, request)) };
  }

  @Handles(showNetworkProxy)
  async show(request: ApiRequest) {
    return { network: networkView(await this.network(request), request) };
  }

  @Handles(listTenantNetworkProxies)
  async ofTenant(request: ApiRequest) {
    return { networks: (await this.networks.available(request.ctx)).map(tenantNetworkView) };
  }

  @Handles(showTenantNetworkProxy)
  async oneOfTenant(request: ApiRequest) {
    return { network: tenantNetworkView(await this.network(request)) };
  }

  private async network(request: ApiRequest): Promise<NetworkSummary> {
    const network = await this.networks.network(request.ctx, request.params['network_id'] ?? '');
    if (network === null) throw NovaError.NetworkUnknown();
    return network;
  }
}

function floatingIpView({ ip, pool }: PooledIp) {
  return {
    id: ip.id,
    ip: ip.floating_ip_address,
    fixed_ip: ip.fixed_ip_address,
    instance_id: ip.port_details?.device_id ?? null,
    pool,
  };
}

function networkView({ id, name }: NetworkSummary, request: ApiRequest) {
  const admin = request.ctx.actor?.roles.includes('admin') === true;
  const unknown = admin ? [...UNKNOWN, ...UNKNOWN_TO_ADMIN] : UNKNOWN;
  return { id, label: name, ...Object.fromEntries(unknown.map((field) => [field, null])) };
}

/** The word for a network's range is a quirk that upstream keeps. upstream: compute/tenant_networks.py network_dict */
function tenantNetworkView({ id, name }: NetworkSummary) {
  return { id, label: name, cidr: 'None' };
}
