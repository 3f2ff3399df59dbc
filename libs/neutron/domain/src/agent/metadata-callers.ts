import { newContext } from '@nestack/kernel/context';
import type { MetadataCaller, MetadataRequest } from '../ports';
import type { DhcpAgent } from './dhcp-agent';
import type { Plugin } from './plugin';
import type { RouterAgent } from './router-agent';

/** Who asks for metadata: by what this host serves, or by asking the server when only the router is here. */
export class MetadataCallers {
  constructor(
    private readonly dhcp: Pick<DhcpAgent, 'resolve'>,
    private readonly routers: Pick<RouterAgent, 'networkOf'>,
    private readonly plugin: Pick<Plugin, 'get_ports'>,
  ) {}

  async find({ network_id: networkId, router_id: routerId, address }: MetadataRequest): Promise<MetadataCaller | null> {
    if (networkId !== null) return this.dhcp.resolve(networkId, address);
    const behind = routerId === null ? null : this.routers.networkOf(routerId, address);
    if (behind === null) return null;
    const known = this.dhcp.resolve(behind, address);
    if (known !== null) return known;
    const { ports } = await this.plugin.get_ports(newContext(), { network_id: behind, ip_address: address });
    const [port] = ports;
    return port === undefined ? null : { port_id: port.id, device_id: port.device_id, project_id: port.project_id };
  }
}
