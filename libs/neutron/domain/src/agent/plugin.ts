import type { RequestContext } from '@nestack/kernel/context';
import type {
  AgentState,
  DeviceDetails,
  DhcpNetwork,
  DhcpPort,
  RouterInfo,
  SecurityGroupInfo,
} from '@nestack/neutron/contract';

/** The server, as an agent asks it; the client of `PluginRpc` is one. */
export interface Plugin {
  report_state(ctx: RequestContext, args: { agent_state: AgentState }): Promise<unknown>;
  get_devices_details_list_and_failed_devices(
    ctx: RequestContext,
    args: { host: string; devices: string[] | null },
  ): Promise<{ devices: DeviceDetails[]; failed_devices: string[] }>;
  security_group_info_for_devices(
    ctx: RequestContext,
    args: { security_groups: string[] },
  ): Promise<{ security_groups: SecurityGroupInfo[] }>;
  update_device_up(ctx: RequestContext, args: { host: string; port_id: string }): Promise<unknown>;
  update_device_down(ctx: RequestContext, args: { host: string; port_id: string }): Promise<unknown>;
  get_active_networks_info(ctx: RequestContext, args: { host: string }): Promise<{ networks: DhcpNetwork[] }>;
  get_network_info(
    ctx: RequestContext,
    args: { host: string; network_id: string },
  ): Promise<{ network: DhcpNetwork | null }>;
  get_ports(ctx: RequestContext, args: { network_id: string; ip_address: string }): Promise<{ ports: DhcpPort[] }>;
  sync_routers(
    ctx: RequestContext,
    args: { host: string; router_ids: string[] | null },
  ): Promise<{ routers: RouterInfo[] }>;
  update_floatingip_statuses(
    ctx: RequestContext,
    args: { host: string; router_id: string; fip_statuses: Record<string, string> },
  ): Promise<unknown>;
}

type Fields = Readonly<Record<string, unknown>>;

/** Where an agent tells what it does; the kernel's logger is one. */
export interface AgentLog {
  info(ctx: RequestContext | null, event: string, fields?: Fields): void;
  warn(ctx: RequestContext | null, event: string, fields?: Fields): void;
}
