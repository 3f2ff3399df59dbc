import { Controller, type DynamicModule } from '@nestjs/common';
import Type from 'typebox';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { brokerConfig, commonConfig } from '@nestack/kernel/config';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { HandlesRpc, RPC_CLIENTS, type RpcArgs, type RpcClients, type RpcHandlers } from '@nestack/kernel/rpc';
import {
  PluginRpc,
  type AgentState,
  type DeviceDetails,
  type DhcpNetwork,
  type RouterInfo,
  type SecurityGroupInfo,
} from '@nestack/neutron/contract';

type Methods = (typeof PluginRpc)['methods'];

/** What the server would have in its tables, and what agents told it. */
export class ServerState {
  /** Ports with the hosts that they are bound to. */
  readonly ports = new Map<string, { host: string; details: DeviceDetails }>();
  readonly groups = new Map<string, SecurityGroupInfo>();
  readonly dhcp = new Map<string, { host: string; network: DhcpNetwork }>();
  readonly routers = new Map<string, { host: string; router: RouterInfo }>();
  readonly reports: AgentState[] = [];
  readonly status = new Map<string, 'ACTIVE' | 'DOWN'>();
  readonly floatingIps = new Map<string, string>();
  readonly calls: string[] = [];
  away = false;
  rpc: RpcClients | null = null;
}

/** A server for agents' tests: an app that answers from what a test put into its state. */
export function serverStub(state: ServerState) {
  @Controller()
  @HandlesRpc(PluginRpc)
  class PluginHandler implements RpcHandlers<typeof PluginRpc> {
    async report_state(_ctx: RequestContext, { agent_state: report }: RpcArgs<Methods['report_state']>) {
      state.reports.push(report);
      return null;
    }

    async get_devices_details_list_and_failed_devices(
      _ctx: RequestContext,
      { host, devices }: RpcArgs<Methods['get_devices_details_list_and_failed_devices']>,
    ) {
      answering();
      state.calls.push(devices === null ? `all of ${host}` : `${devices.length} of ${host}`);
      const here = [...state.ports.values()].filter((one) => one.host === host).map((one) => one.details);
      const asked = (one: DeviceDetails) =>
        devices === null || devices.includes(one.port_id) || devices.includes(one.device);
      return { devices: here.filter(asked), failed_devices: [] };
    }

    async security_group_info_for_devices(
      _ctx: RequestContext,
      { security_groups: ids }: RpcArgs<Methods['security_group_info_for_devices']>,
    ) {
      answering();
      return { security_groups: ids.flatMap((id) => state.groups.get(id) ?? []) };
    }

    async update_device_up(_ctx: RequestContext, { host, port_id: id }: RpcArgs<Methods['update_device_up']>) {
      answering();
      if (state.ports.get(id)?.host === host) state.status.set(id, 'ACTIVE');
      return null;
    }

    async update_device_down(_ctx: RequestContext, { host, port_id: id }: RpcArgs<Methods['update_device_down']>) {
      answering();
      if (state.ports.get(id)?.host === host) state.status.set(id, 'DOWN');
      return null;
    }

    async get_active_networks_info(_ctx: RequestContext, { host }: RpcArgs<Methods['get_active_networks_info']>) {
      answering();
      return { networks: [...state.dhcp.values()].filter((one) => one.host === host).map((one) => one.network) };
    }

    async get_network_info(_ctx: RequestContext, args: RpcArgs<Methods['get_network_info']>) {
      answering();
      const found = state.dhcp.get(args.network_id);
      return { network: found?.host === args.host ? found.network : null };
    }

    async get_ports(_ctx: RequestContext, args: RpcArgs<Methods['get_ports']>) {
      answering();
      const found = [...state.ports.values()]
        .map((one) => one.details)
        .filter(
          (one) => one.network.id === args.network_id && one.fixed_ips.some((ip) => ip.ip_address === args.ip_address),
        );
      return {
        ports: found.map((one) => ({
          id: one.port_id,
          network_id: one.network.id,
          project_id: one.project_id,
          mac_address: one.mac_address,
          fixed_ips: one.fixed_ips,
          device_id: one.device_id,
          device_owner: one.device_owner,
          extra_dhcp_opts: [],
          revision_number: 1,
        })),
      };
    }

    async sync_routers(_ctx: RequestContext, { host, router_ids: ids }: RpcArgs<Methods['sync_routers']>) {
      answering();
      const here = [...state.routers.values()].filter((one) => one.host === host).map((one) => one.router);
      return { routers: here.filter((one) => ids === null || ids.includes(one.id)) };
    }

    async update_floatingip_statuses(
      _ctx: RequestContext,
      { fip_statuses: statuses }: RpcArgs<Methods['update_floatingip_statuses']>,
    ) {
      for (const [id, status] of Object.entries(statuses)) state.floatingIps.set(id, status);
      return null;
    }
  }

  function answering(): void {
    if (state.away) throw new DomainError({ kind: 'unavailable', code: 'Away', message: 'the server is away' });
  }

  class StubModule {}
  return defineApp({
    name: 'neutron-stub',
    config: Type.Object({ ...commonConfig, ...brokerConfig }, { additionalProperties: false }),
    module: (config, { log }): DynamicModule => ({
      module: StubModule,
      imports: [kernelModule({ service: 'neutron', log, config, broker: config.broker })],
      controllers: [PluginHandler],
      providers: [
        {
          provide: 'Take',
          inject: [RPC_CLIENTS],
          useFactory: (rpc: RpcClients) => {
            state.rpc = rpc;
            return null;
          },
        },
      ],
    }),
  });
}
