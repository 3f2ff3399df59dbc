import type { RequestContext, Tx } from '@nestack/kernel/context';
import {
  AGENT_TYPE,
  parseCidr,
  type RouterForwardingIp,
  type RouterInfo,
  type RouterPort,
} from '@nestack/neutron/contract';
import { EVERYTHING, type FloatingIp, type Port, type PortForwarding, type Router, where } from '../model';
import type { NeutronParts } from '../parts';
import { networkInfo, subnetInfo } from '../registry/host-plugin';
import type { L3Scheduling } from './l3-scheduling';

export interface RouterPluginParts extends NeutronParts {
  readonly l3: L3Scheduling;
}

/** What hosts that carry routers ask and report. */
export class RouterPlugin {
  constructor(private readonly parts: RouterPluginParts) {}

  /** The host's routers: those named that are its own, or all, after it took over those that nobody carries. */
  async sync(ctx: RequestContext, host: string, ids: readonly string[] | null): Promise<RouterInfo[]> {
    const { parts } = this;
    if (ids === null) await parts.db.run('plugin.adopt_routers', (tx) => parts.l3.adopt(ctx, tx));
    return parts.db.read('plugin.sync_routers', async (tx) => {
      const agents = await parts.agents.list(tx);
      const agent = agents.find((one) => one.agent_type === AGENT_TYPE.l3 && one.host === host);
      if (agent === undefined) return [];
      const own = await parts.agents.l3Routers(tx, agent.id);
      const wanted = ids === null ? own : own.filter((id) => ids.includes(id));
      const routers = await parts.routers.findAll(tx, wanted, EVERYTHING);
      return Promise.all(routers.map((router) => this.info(tx, router)));
    });
  }

  private async info(tx: Tx, router: Router): Promise<RouterInfo> {
    const { parts } = this;
    const ports = await parts.routers.allPorts(tx, router.id);
    const floating = await parts.floatingIps.ofRouter(tx, router.id);
    const forwardings = await parts.forwardings.ofFloatingIps(
      tx,
      floating.filter((one) => one.port_id === null).map((one) => one.id),
    );
    const networkIds = [...new Set(ports.map((port) => port.network_id))];
    const networks = await parts.networks.findAll(tx, networkIds, EVERYTHING);
    const subnets =
      networkIds.length === 0 ? [] : await parts.subnets.list(tx, EVERYTHING, where({ network_id: networkIds }));
    const endpoints = await parts.networks.tunnelEndpoints(tx, networkIds);
    const make = (port: Port): RouterPort[] => {
      const network = networks.find((one) => one.id === port.network_id);
      if (network === undefined) return [];
      return [
        {
          id: port.id,
          mac_address: port.mac_address,
          network: networkInfo(network, endpoints.get(network.id) ?? []),
          fixed_ips: port.fixed_ips.map((ip) => ({
            ...ip,
            prefixlen: parseCidr(subnets.find((one) => one.id === ip.subnet_id)?.cidr)?.prefix ?? 32,
          })),
          subnets: subnets.filter((one) => port.fixed_ips.some((ip) => ip.subnet_id === one.id)).map(subnetInfo),
        },
      ];
    };
    const gateway = ports.find((port) => port.id === router.gateway_port_id);
    return {
      id: router.id,
      project_id: router.project_id,
      admin_state_up: router.admin_state_up,
      enable_snat: router.enable_snat,
      gateway_port: (gateway === undefined ? [] : make(gateway))[0] ?? null,
      interfaces: ports.filter((port) => port.id !== router.gateway_port_id).flatMap(make),
      routes: router.routes.map((one) => ({ ...one })),
      floating_ips: floating.flatMap((one) => floatingInfo(one)),
      forwarding_ips: floating.flatMap((one) => forwardingInfo(one, forwardings)),
      revision_number: router.revision_number,
    };
  }

  /** What became of floating IPs; those that have moved on meanwhile are left alone. */
  async floatingIpStatuses(
    _ctx: RequestContext,
    host: string,
    routerId: string,
    statuses: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { parts } = this;
    await parts.db.run('plugin.floating_ip_statuses', async (tx) => {
      const agent = await parts.agents.l3Agent(tx, routerId);
      if (agent?.host !== host) return;
      for (const fip of await parts.floatingIps.ofRouter(tx, routerId)) {
        const status = statuses[fip.id];
        if (status !== 'ACTIVE' && status !== 'DOWN' && status !== 'ERROR') continue;
        if (status !== fip.status) await parts.floatingIps.update(tx, fip.id, { status }, parts.clock.now());
      }
    });
  }
}

function floatingInfo(fip: FloatingIp): RouterInfo['floating_ips'] {
  if (fip.port_id === null || fip.fixed_ip_address === null) return [];
  return [
    {
      id: fip.id,
      floating_ip_address: fip.floating_ip_address,
      fixed_ip_address: fip.fixed_ip_address,
      port_id: fip.port_id,
      status: fip.status,
    },
  ];
}

function forwardingInfo(fip: FloatingIp, all: readonly PortForwarding[]): RouterForwardingIp[] {
  const own = all.filter((one) => one.floatingip_id === fip.id);
  if (own.length === 0) return [];
  const forwardings = own.map((one) => ({
    protocol: one.protocol,
    external_ports: [one.external_port_start, one.external_port_end] as [number, number],
    internal_ip_address: one.internal_ip_address,
    internal_ports: [one.internal_port_start, one.internal_port_end] as [number, number],
  }));
  return [{ id: fip.id, floating_ip_address: fip.floating_ip_address, status: fip.status, forwardings }];
}
