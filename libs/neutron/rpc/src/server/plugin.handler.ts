import { Controller, Inject } from '@nestjs/common';
import type { RequestContext } from '@nestack/kernel/context';
import { HandlesRpc, type RpcArgs, type RpcHandlers } from '@nestack/kernel/rpc';
import { PluginRpc } from '@nestack/neutron/contract';
import { HostPlugin, RouterPlugin } from '@nestack/neutron/domain';

type Methods = (typeof PluginRpc)['methods'];

/** Serves `q-plugin`: what agents report and ask. */
@Controller()
@HandlesRpc(PluginRpc)
export class PluginHandler implements RpcHandlers<typeof PluginRpc> {
  constructor(
    @Inject(HostPlugin) private readonly plugin: HostPlugin,
    @Inject(RouterPlugin) private readonly routers: RouterPlugin,
  ) {}

  async report_state(ctx: RequestContext, { agent_state: state }: RpcArgs<Methods['report_state']>) {
    await this.plugin.report(ctx, state);
    return null;
  }

  async get_devices_details_list_and_failed_devices(
    _ctx: RequestContext,
    { host, devices }: RpcArgs<Methods['get_devices_details_list_and_failed_devices']>,
  ) {
    return { devices: await this.plugin.devices(host, devices), failed_devices: [] };
  }

  async security_group_info_for_devices(
    _ctx: RequestContext,
    { security_groups: ids }: RpcArgs<Methods['security_group_info_for_devices']>,
  ) {
    return { security_groups: await this.plugin.groups(ids) };
  }

  async update_device_up(ctx: RequestContext, { host, port_id: portId }: RpcArgs<Methods['update_device_up']>) {
    await this.plugin.deviceStatus(ctx, host, portId, 'ACTIVE');
    return null;
  }

  async update_device_down(ctx: RequestContext, { host, port_id: portId }: RpcArgs<Methods['update_device_down']>) {
    await this.plugin.deviceStatus(ctx, host, portId, 'DOWN');
    return null;
  }

  async get_active_networks_info(ctx: RequestContext, { host }: RpcArgs<Methods['get_active_networks_info']>) {
    return { networks: await this.plugin.activeNetworks(ctx, host) };
  }

  async get_network_info(_ctx: RequestContext, { host, network_id: networkId }: RpcArgs<Methods['get_network_info']>) {
    return { network: await this.plugin.network(host, networkId) };
  }

  async get_ports(_ctx: RequestContext, { network_id: networkId, ip_address: address }: RpcArgs<Methods['get_ports']>) {
    return { ports: await this.plugin.portsAt(networkId, address) };
  }

  async sync_routers(ctx: RequestContext, { host, router_ids: ids }: RpcArgs<Methods['sync_routers']>) {
    return { routers: await this.routers.sync(ctx, host, ids) };
  }

  async update_floatingip_statuses(
    ctx: RequestContext,
    { host, router_id: routerId, fip_statuses: statuses }: RpcArgs<Methods['update_floatingip_statuses']>,
  ) {
    await this.routers.floatingIpStatuses(ctx, host, routerId, statuses);
    return null;
  }
}
