import { randomBytes } from 'node:crypto';
import type { Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { NeutronError, type AddressPair, type DhcpOption, type FixedIpRequest } from '@nestack/neutron/contract';
import type { Network, Port, Subnet } from '../model';
import type { NeutronParts } from '../parts';
import { sortedTags } from '../registry/tags';
import { Addressing } from './addressing';
import { bind } from './binding';

/** What a new port is to be; everything else follows. */
export interface PortPlan {
  readonly network: Network;
  readonly subnets: readonly Subnet[];
  readonly project_id: string;
  readonly name?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly admin_state_up?: boolean;
  readonly mac_address?: string;
  readonly fixed_ips?: readonly FixedIpRequest[];
  readonly device_id: string;
  readonly device_owner: string;
  readonly security_groups?: readonly string[];
  readonly port_security_enabled: boolean;
  readonly allowed_address_pairs?: readonly AddressPair[];
  readonly extra_dhcp_opts?: readonly DhcpOption[];
  readonly dns_name?: string;
  readonly dns_domain?: string;
  readonly propagate_uplink_status?: boolean;
  readonly vnic_type?: string;
  readonly host?: string;
  readonly profile?: Readonly<Record<string, unknown>>;
}

const MAC_TRIES = 16;

/** Makes ports' rows, with MAC address, addresses and binding. */
export class PortMaker {
  private readonly addressing: Addressing;

  constructor(private readonly parts: NeutronParts) {
    this.addressing = new Addressing(parts.ports);
  }

  /** Throws 409 for a taken MAC or address, and when no address is left. */
  async make(tx: Tx, plan: PortPlan): Promise<Port> {
    const { parts } = this;
    const now = parts.clock.now();
    const host = plan.host ?? '';
    const vnicType = plan.vnic_type ?? 'normal';
    const { wired, ...bound } = await bind(
      tx,
      parts,
      { network_id: plan.network.id, 'binding:vnic_type': vnicType },
      host,
    );
    const draft: Port = {
      id: newUuid(),
      project_id: plan.project_id,
      name: plan.name ?? '',
      description: plan.description ?? '',
      tags: sortedTags(plan.tags ?? []),
      revision_number: 1,
      created_at: now,
      updated_at: now,
      network_id: plan.network.id,
      mac_address: '',
      admin_state_up: plan.admin_state_up ?? true,
      // Nobody else would say that the port works.
      status: host !== '' && !wired && plan.admin_state_up !== false ? 'ACTIVE' : 'DOWN',
      device_id: plan.device_id,
      device_owner: plan.device_owner,
      fixed_ips: [],
      security_groups: plan.security_groups ?? [],
      port_security_enabled: plan.port_security_enabled,
      allowed_address_pairs: [],
      extra_dhcp_opts: plan.extra_dhcp_opts?.filter((one) => one.opt_value !== null) ?? [],
      dns_name: plan.dns_name ?? '',
      dns_domain: plan.dns_domain ?? '',
      propagate_uplink_status: plan.propagate_uplink_status ?? true,
      ip_allocation: plan.fixed_ips !== undefined && plan.fixed_ips.length === 0 ? 'none' : 'immediate',
      'binding:vnic_type': vnicType,
      'binding:host_id': host,
      'binding:profile': plan.profile ?? {},
      ...bound,
    };
    const port = await this.insert(tx, draft, plan);
    const fixedIps = await this.addressing.allocate(tx, port, plan.subnets, plan.fixed_ips);
    await parts.ports.addSecurityGroups(tx, port.id, port.security_groups);
    return { ...port, fixed_ips: fixedIps };
  }

  private async insert(tx: Tx, draft: Port, plan: PortPlan): Promise<Port> {
    const { parts } = this;
    for (let tries = 0; tries < MAC_TRIES; tries += 1) {
      const mac = plan.mac_address ?? this.randomMac();
      const pairs = (plan.allowed_address_pairs ?? []).map((pair) => ({
        ip_address: pair.ip_address,
        mac_address: pair.mac_address ?? mac,
      }));
      const port: Port = { ...draft, mac_address: mac, allowed_address_pairs: pairs };
      if (await parts.ports.insert(tx, port)) return port;
      if (plan.mac_address !== undefined) throw NeutronError.MacAddressInUse({ net_id: draft.network_id, mac });
    }
    throw NeutronError.NetworkMacAddressGenerationFailure({ net_id: draft.network_id });
  }

  private randomMac(): string {
    const own = [...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0'));
    return [this.parts.settings.baseMac, ...own].join(':');
  }
}
