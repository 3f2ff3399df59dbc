import type { RequestContext } from '@nestack/kernel/context';
import { NeutronError } from '@nestack/neutron/contract';
import { findOr } from '../access';
import { EVERYTHING, type Network, where } from '../model';
import type { NeutronParts } from '../parts';
import { poolSize } from '../subnets/subnet-plan';

export interface IpAvailability {
  readonly network_id: string;
  readonly network_name: string;
  readonly project_id: string;
  readonly total_ips: number;
  readonly used_ips: number;
  readonly subnet_ip_availability: readonly {
    readonly subnet_id: string;
    readonly subnet_name: string;
    readonly cidr: string;
    readonly ip_version: number;
    readonly total_ips: number;
    readonly used_ips: number;
  }[];
}

/** How many addresses networks have left. upstream: neutron/db/network_ip_availability_db.py */
export class IpAvailabilities {
  constructor(private readonly parts: NeutronParts) {}

  async list(ctx: RequestContext, filters: Readonly<Record<string, readonly string[]>>): Promise<IpAvailability[]> {
    if (!this.parts.policy.allows(ctx, 'get_network_ip_availability', {})) return [];
    const { network_id: ids, network_name: names, project_id: projects, ip_version: versions } = filters;
    const query = where({
      ...(ids === undefined ? {} : { id: ids }),
      ...(names === undefined ? {} : { name: names }),
      ...(projects === undefined ? {} : { project_id: projects }),
    });
    return this.parts.db.read('network_ip_availability.list', async (tx) => {
      const networks = await this.parts.networks.list(tx, EVERYTHING, query);
      return this.of(
        networks,
        await this.parts.networks.availability(
          tx,
          networks.map((one) => one.id),
        ),
        versions ?? [],
      );
    });
  }

  async show(ctx: RequestContext, networkId: string): Promise<IpAvailability> {
    if (!this.parts.policy.allows(ctx, 'get_network_ip_availability', {})) throw NeutronError.HTTPNotFound();
    return this.parts.db.read('network_ip_availability.show', async (tx) => {
      const network = await findOr(
        tx,
        this.parts.networks,
        networkId,
        EVERYTHING,
        NeutronError.NetworkNotFound,
        'net_id',
      );
      const [found] = this.of([network], await this.parts.networks.availability(tx, [networkId]), []);
      if (found === undefined) throw NeutronError.NetworkNotFound({ net_id: networkId });
      return found;
    });
  }

  private of(
    networks: readonly Network[],
    subnets: Awaited<ReturnType<NeutronParts['networks']['availability']>>,
    versions: readonly string[],
  ): IpAvailability[] {
    return networks.map((network) => {
      const own = subnets
        .filter((one) => one.network_id === network.id)
        .filter((one) => versions.length === 0 || versions.includes(String(one.ip_version)))
        .map(({ subnet_id, subnet_name, cidr, ip_version, used_ips, pools }) => ({
          subnet_id,
          subnet_name,
          cidr,
          ip_version,
          total_ips: poolSize(pools),
          used_ips,
        }));
      return {
        network_id: network.id,
        network_name: network.name,
        project_id: network.project_id,
        total_ips: own.reduce((sum, one) => sum + one.total_ips, 0),
        used_ips: own.reduce((sum, one) => sum + one.used_ips, 0),
        subnet_ip_availability: own,
      };
    });
  }
}
