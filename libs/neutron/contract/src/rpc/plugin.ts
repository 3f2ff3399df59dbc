import { defineRpc } from '@nestack/kernel/rpc';
import Type from 'typebox';
import { AgentState, DeviceDetails, DhcpNetwork, DhcpPort, RouterInfo, SecurityGroupInfo } from './types';

/** What neutron-agents ask the server. Method names are upstream's (neutron/agent/rpc.py, dhcp_rpc.py). */
export const PluginRpc = defineRpc({
  exchange: 'neutron',
  topic: 'q-plugin',
  version: '1.2',
  methods: {
    /** The heartbeat; the row of the agent is made or renewed. */
    report_state: { kind: 'cast', since: '1.0', args: Type.Object({ agent_state: AgentState }) },
    /**
     * The ports of a host: those named (by tap name or port id), or all that are bound to it when none are named. Named
     * ones that are not bound there are in neither list.
     */
    get_devices_details_list_and_failed_devices: {
      kind: 'call',
      since: '1.0',
      idempotent: true,
      timeoutMs: 30_000,
      args: Type.Object({ host: Type.String(), devices: Type.Union([Type.Array(Type.String()), Type.Null()]) }),
      reply: Type.Object({ devices: Type.Array(DeviceDetails), failed_devices: Type.Array(Type.String()) }),
    },
    /** Rules and member addresses of security groups; unknown ones are left out. */
    security_group_info_for_devices: {
      kind: 'call',
      since: '1.0',
      idempotent: true,
      timeoutMs: 30_000,
      args: Type.Object({ security_groups: Type.Array(Type.String()) }),
      reply: Type.Object({ security_groups: Type.Array(SecurityGroupInfo) }),
    },
    /** The port works now: ACTIVE. Ports that are not bound to the host are ignored. */
    update_device_up: {
      kind: 'call',
      since: '1.0',
      idempotent: true,
      timeoutMs: 30_000,
      args: Type.Object({ host: Type.String(), port_id: Type.String() }),
    },
    /** The port's device is gone: DOWN. */
    update_device_down: {
      kind: 'call',
      since: '1.0',
      idempotent: true,
      timeoutMs: 30_000,
      args: Type.Object({ host: Type.String(), port_id: Type.String() }),
    },
    /** The networks whose DHCP server runs on the host; networks that have none yet are given to it. */
    get_active_networks_info: {
      kind: 'call',
      since: '1.0',
      idempotent: true,
      timeoutMs: 60_000,
      args: Type.Object({ host: Type.String() }),
      reply: Type.Object({ networks: Type.Array(DhcpNetwork) }),
    },
    /** One of them; null when the host does not serve it (any more). */
    get_network_info: {
      kind: 'call',
      since: '1.0',
      idempotent: true,
      timeoutMs: 30_000,
      args: Type.Object({ host: Type.String(), network_id: Type.String() }),
      reply: Type.Object({ network: Type.Union([DhcpNetwork, Type.Null()]) }),
    },
    /** The ports that have an address on a network: who asks for metadata by way of a router. */
    get_ports: {
      kind: 'call',
      since: '1.2',
      idempotent: true,
      timeoutMs: 15_000,
      args: Type.Object({ network_id: Type.String(), ip_address: Type.String() }),
      reply: Type.Object({ ports: Type.Array(DhcpPort) }),
    },
    /**
     * The routers that the host carries: those named, or all when none are named (routers without a host are given to it then).
     * Named ones that it does not carry (any more) are left out: what is left of them is to be removed.
     */
    sync_routers: {
      kind: 'call',
      since: '1.1',
      idempotent: true,
      timeoutMs: 60_000,
      args: Type.Object({ host: Type.String(), router_ids: Type.Union([Type.Array(Type.String()), Type.Null()]) }),
      reply: Type.Object({ routers: Type.Array(RouterInfo) }),
    },
    /** What became of a router's floating IPs: `ACTIVE`, `DOWN` or `ERROR` by id. */
    update_floatingip_statuses: {
      kind: 'call',
      since: '1.1',
      idempotent: true,
      timeoutMs: 30_000,
      args: Type.Object({
        host: Type.String(),
        router_id: Type.String(),
        fip_statuses: Type.Record(Type.String(), Type.String()),
      }),
    },
  },
});
