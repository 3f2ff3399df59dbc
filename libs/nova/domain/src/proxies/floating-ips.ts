import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { NovaError } from '@nestack/nova/contract';
import type { Instance } from '../instance';
import type { FloatingIp, FloatingPool, NetworkProxyPort } from '../ports';

/** A floating IP with the pool that it is from. */
export interface PooledIp {
  readonly ip: FloatingIp;
  readonly pool: string;
}

/** Floating IPs of the older API, by neutron. upstream: nova/api/openstack/compute/floating_ips.py, nova/network/neutron.py */
export class FloatingIps {
  constructor(private readonly networks: NetworkProxyPort) {}

  async list(ctx: RequestContext): Promise<readonly PooledIp[]> {
    const [ips, pools] = await Promise.all([this.networks.floatingIps(ctx), this.networks.pools(ctx)]);
    return ips.map((ip) => ({ ip, pool: poolOf(ip, pools) }));
  }

  async get(ctx: RequestContext, id: string): Promise<PooledIp> {
    const ip = await this.networks.floatingIp(ctx, id);
    if (ip === null) throw NovaError.FloatingIpUnknown({ id });
    return { ip, pool: poolOf(ip, await this.networks.pools(ctx)) };
  }

  /** From a pool named by its name or id; without one, from the only one there is. */
  async allocate(ctx: RequestContext, name: string | null): Promise<PooledIp> {
    const pools = await this.networks.pools(ctx);
    const found = pools.filter((pool) => name === null || pool.id === name || pool.name === name);
    const [pool] = found;
    if (pool === undefined) throw NovaError.FloatingIpPoolNotFound();
    if (found.length > 1)
      throw NovaError.BadRequest({ reason: `Multiple floating IP pools matches found for name '${name ?? ''}'` });
    try {
      return { ip: await this.networks.allocate(ctx, pool.id), pool: pool.name };
    } catch (error) {
      throw allocationError(error, name);
    }
  }

  async release(ctx: RequestContext, id: string): Promise<void> {
    if (!(await this.networks.release(ctx, id))) throw NovaError.FloatingIpUnknown({ id });
  }

  /** Leads an address to one of the server's, or to its first of IPv4. */
  async add(ctx: RequestContext, server: Instance, address: string, fixed: string | null): Promise<void> {
    const addresses = server.nics.flatMap((nic) =>
      nic.fixed_ips.map((ip) => ({ port: nic.port_id, ip: ip.ip_address })),
    );
    if (server.nics.length === 0) throw NovaError.BadRequest({ reason: 'Instance network is not ready yet' });
    if (addresses.length === 0) throw NovaError.BadRequest({ reason: 'No fixed IPs associated to instance' });
    const wanted = addresses.find((one) => (fixed === null ? !one.ip.includes(':') : one.ip === fixed));
    if (wanted === undefined)
      throw NovaError.BadRequest({
        reason:
          fixed === null
            ? `Unable to associate floating IP ${address} to any fixed IPs for instance ${server.uuid}. Instance has no fixed IPv4 addresses to associate.`
            : 'Specified fixed address not assigned to instance',
      });
    const ip = await this.at(ctx, address);
    try {
      await this.networks.associate(ctx, ip.id, { port_id: wanted.port, fixed_ip_address: wanted.ip });
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'conflict')
        throw NovaError.BadRequest({ reason: `Floating IP ${address} association has failed.` }, { cause: error });
      throw error;
    }
  }

  /** Takes an address from the server that it leads to. */
  async remove(ctx: RequestContext, server: Instance, address: string): Promise<void> {
    const ip = await this.at(ctx, address);
    if (ip.port_id === null || !server.nics.some((nic) => nic.port_id === ip.port_id))
      throw NovaError.Conflict({
        reason: `Floating IP ${address} is not associated with instance ${server.uuid}.`,
      });
    await this.networks.associate(ctx, ip.id, null);
  }

  private async at(ctx: RequestContext, address: string): Promise<FloatingIp> {
    const found = await this.networks.floatingIpsAt(ctx, address);
    const [ip] = found;
    if (ip === undefined) throw NovaError.NotFound({ reason: 'floating IP not found' });
    if (found.length > 1)
      throw NovaError.Conflict({ reason: `Multiple floating IPs are found for address ${address}.` });
    return ip;
  }
}

function poolOf(ip: FloatingIp, pools: readonly FloatingPool[]): string {
  return pools.find((pool) => pool.id === ip.floating_network_id)?.name ?? ip.floating_network_id;
}

function allocationError(error: unknown, pool: string | null): unknown {
  if (!(error instanceof DomainError)) return error;
  const where = pool === null ? '' : ` in pool ${pool}`;
  if (/^(IpAddressGenerationFailure|ExternalIpAddressExhausted)/.test(error.code))
    return NovaError.NotFound({ reason: `No more floating IPs${pool === null ? ' available' : where}.` });
  if (error.code === 'OverQuota') return NovaError.FloatingIpLimitExceeded({ where });
  if (error.kind === 'badRequest') return NovaError.BadRequest({ reason: error.message });
  return error;
}
