import type { RequestContext } from '@nestack/kernel/context';
import { DomainError, retryable } from '@nestack/kernel/errors';
import { NovaError, type Nic } from '@nestack/nova/contract';
import type { Instance } from '../instance';
import type { NetworkPort, NetworkProxyPort } from '../ports';

/** Addresses of servers of the older API, by neutron. upstream: compute/multinic.py, nova/network/neutron.py */
export class FixedIps {
  constructor(
    private readonly networks: NetworkPort,
    private readonly proxy: NetworkProxyPort,
  ) {}

  /** One more address of a network that the server is in, from the first of its subnets that has one. */
  async add(ctx: RequestContext, server: Instance, networkId: string): Promise<void> {
    const network = await this.networks.network(ctx, networkId);
    const nic = (await this.nics(ctx, server)).find((one) => one.network_id === networkId);
    if (network === null || nic === undefined || network.subnets.length === 0)
      throw NovaError.NotFound({ reason: `Network could not be found for instance ${server.uuid}.` });
    for (const subnet_id of network.subnets) {
      try {
        await this.proxy.setFixedIps(ctx, nic.port_id, [...nic.fixed_ips, { subnet_id }]);
        return;
      } catch (error) {
        // A subnet without a free address; the next one may have one.
        if (!(error instanceof DomainError) || retryable(error.kind) || error.kind === 'bug') throw error;
      }
    }
    throw NovaError.BadRequest({ reason: `No fixed IP addresses available for network: ${networkId}` });
  }

  async remove(ctx: RequestContext, server: Instance, address: string): Promise<void> {
    const nics = await this.nics(ctx, server);
    const nic = nics.find((one) => one.fixed_ips.some((ip) => ip.ip_address === address));
    if (nic === undefined)
      throw NovaError.BadRequest({ reason: `Instance ${server.uuid} does not have fixed IP '${address}'.` });
    const kept = nic.fixed_ips.filter((ip) => ip.ip_address !== address);
    await this.proxy.setFixedIps(ctx, nic.port_id, kept);
  }

  /** As neutron knows them now. */
  private async nics(ctx: RequestContext, server: Instance): Promise<readonly Nic[]> {
    return (await this.networks.current(ctx, server, server.nics)).map(({ nic }) => nic);
  }
}
