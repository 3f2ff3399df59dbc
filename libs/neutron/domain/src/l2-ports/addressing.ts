import type { Tx } from '@nestack/kernel/context';
import {
  NeutronError,
  contains,
  eui64Address,
  parseIp,
  type FixedIp,
  type FixedIpRequest,
} from '@nestack/neutron/contract';
import { findOr } from '../access';
import type { Subnet, Viewer } from '../model';
import type { PortRepository, SubnetRepository } from '../ports';
import { isAutoAddress, networkOf } from '../subnets/subnet-plan';
import { isRouterInterface } from './owners';

/** The port whose addresses are chosen. */
export interface Addressee {
  readonly id: string;
  readonly network_id: string;
  readonly mac_address: string;
  readonly device_owner: string;
}

/** An address to take: this one, or any of the subnets in turn. */
type Wish =
  | { readonly kind: 'this'; readonly subnet: Subnet; readonly ip: string }
  | { readonly kind: 'any'; readonly subnets: readonly Subnet[] };

/**
 * Gives ports their addresses. The next free one of a subnet is found and taken in one statement that locks the subnet for the
 * rest of the transaction, so that many ports at once get different ones and nobody is refused for coming second.
 */
export class Addressing {
  constructor(
    private readonly ports: Pick<PortRepository, 'takeAddress' | 'takeThisAddress' | 'releaseAddress' | 'setOrdinals'>,
  ) {}

  /** Takes addresses for a new port. `asked` undefined: one of each family; empty: none. */
  async allocate(
    tx: Tx,
    port: Addressee,
    subnets: readonly Subnet[],
    asked: readonly FixedIpRequest[] | undefined,
  ): Promise<FixedIp[]> {
    const wishes = asked === undefined ? automatic(port, subnets) : explicit(port, subnets, asked);
    const ips = inOrder(await this.take(tx, port, wishes, 0));
    if (ips.length > 1) await this.ports.setOrdinals(tx, port.id, ips);
    return ips;
  }

  /** Changes a port's addresses: what is asked for again stays, the rest is given back. */
  async change(
    tx: Tx,
    port: Addressee & { readonly fixed_ips: readonly FixedIp[] },
    subnets: readonly Subnet[],
    asked: readonly FixedIpRequest[],
  ): Promise<FixedIp[]> {
    const rest = [...port.fixed_ips];
    const result: (FixedIp | Wish)[] = [];
    // Those that name an address come first: one that names the subnet alone may keep any of the others.
    const keep = new Map<FixedIpRequest, FixedIp>();
    for (const naming of [true, false]) {
      for (const one of asked) {
        if ((one.ip_address !== undefined) !== naming) continue;
        const at = rest.findIndex(
          (ip) =>
            (one.ip_address === undefined || ip.ip_address === one.ip_address) &&
            (one.subnet_id === undefined || ip.subnet_id === one.subnet_id) &&
            (one.ip_address !== undefined || one.subnet_id !== undefined),
        );
        const [kept] = at < 0 ? [] : rest.splice(at, 1);
        if (kept !== undefined) keep.set(one, kept);
      }
    }
    for (const one of asked) {
      const kept = keep.get(one);
      if (kept !== undefined) result.push(kept);
      else result.push(...explicit(port, subnets, [one], false));
    }
    if (asked.length > 0) {
      for (const wish of own(port, subnets)) {
        const known = rest.findIndex((ip) => wish.kind === 'this' && ip.ip_address === wish.ip);
        const [kept] = known < 0 ? [] : rest.splice(known, 1);
        const there = result.some(
          (one) =>
            wish.kind === 'this' &&
            ('kind' in one ? one.kind === 'this' && one.ip === wish.ip : one.ip_address === wish.ip),
        );
        if (kept !== undefined) result.push(kept);
        else if (!there) result.push(wish);
      }
    }
    for (const gone of rest) await this.ports.releaseAddress(tx, port.id, gone.subnet_id, gone.ip_address);
    const held: FixedIp[] = [];
    for (const one of result) {
      if ('kind' in one) held.push(...(await this.take(tx, port, [one], held.length)));
      else held.push(one);
    }
    const ips = inOrder(held);
    await this.ports.setOrdinals(tx, port.id, ips);
    return ips;
  }

  private async take(tx: Tx, port: Addressee, wishes: readonly Wish[], from: number): Promise<FixedIp[]> {
    const taken: FixedIp[] = [];
    for (const wish of wishes) {
      const ordinal = from + taken.length;
      if (wish.kind === 'this') {
        const { subnet, ip } = wish;
        if (!(await this.ports.takeThisAddress(tx, subnet.id, port.id, ordinal, ip)))
          throw NeutronError.IpAddressAlreadyAllocated({ ip, subnet_id: subnet.id });
        taken.push({ subnet_id: subnet.id, ip_address: ip });
        continue;
      }
      taken.push(await this.takeAny(tx, port, wish.subnets, ordinal));
    }
    return taken;
  }

  private async takeAny(tx: Tx, port: Addressee, subnets: readonly Subnet[], ordinal: number): Promise<FixedIp> {
    for (const subnet of subnets) {
      const ip = await this.ports.takeAddress(tx, subnet.id, port.id, ordinal);
      if (ip !== null) return { subnet_id: subnet.id, ip_address: ip };
    }
    throw NeutronError.IpAddressGenerationFailure({ net_id: port.network_id });
  }
}

/** Addresses as clients read them, whatever the order of the request: as text. upstream: neutron/db/models_v2.py Port.fixed_ips */
function inOrder(ips: readonly FixedIp[]): FixedIp[] {
  const key = (one: FixedIp): string => `${one.ip_address} ${one.subnet_id}`;
  return [...ips].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/**
 * Throws SubnetNotFound when a request names a subnet that its sender does not see; one that he sees on another network is
 * invalid input. upstream: neutron/db/ipam_backend_mixin.py _get_subnet_for_fixed_ip
 */
export async function assertSubnetsExist(
  tx: Tx,
  repository: SubnetRepository,
  viewer: Viewer,
  subnets: readonly Subnet[],
  asked: readonly FixedIpRequest[],
): Promise<void> {
  for (const { subnet_id: id } of asked) {
    if (id === undefined || subnets.some((one) => one.id === id)) continue;
    await findOr(tx, repository, id, viewer, NeutronError.SubnetNotFound, 'subnet_id');
  }
}

/** Subnets that a port of this owner may take addresses from. */
function eligible(owner: string, subnets: readonly Subnet[]): Subnet[] {
  return subnets.filter((one) => one.service_types.length === 0 || one.service_types.includes(owner));
}

/** One address of IPv4 and one of IPv6 where the network has them, and those that the host makes itself. */
function automatic(port: Addressee, subnets: readonly Subnet[]): Wish[] {
  if (subnets.length === 0) return [];
  const open = eligible(port.device_owner, subnets);
  if (open.length === 0) throw NeutronError.IpAddressGenerationFailure({ net_id: port.network_id });
  const families = [
    open.filter((one) => one.ip_version === 4),
    open.filter((one) => one.ip_version === 6 && !isAutoAddress(one)),
  ];
  return [
    ...families.filter((some) => some.length > 0).map((some) => ({ kind: 'any', subnets: some }) as const),
    ...own(port, open),
  ];
}

/** Addresses that follow from the MAC address. Routers have the subnet's gateway address instead. */
function own(port: Addressee, subnets: readonly Subnet[]): Wish[] {
  if (isRouterInterface(port.device_owner)) return [];
  return subnets
    .filter(isAutoAddress)
    .map((subnet) => ({ kind: 'this', subnet, ip: eui64Address(networkOf(subnet.cidr), port.mac_address) }) as const);
}

function explicit(
  port: Addressee,
  subnets: readonly Subnet[],
  asked: readonly FixedIpRequest[],
  withOwn = true,
): Wish[] {
  if (asked.length === 0) return [];
  const wishes = asked.map((one) => wishFor(port, subnets, one));
  if (!withOwn) return wishes;
  const implied = own(port, eligible(port.device_owner, subnets)).filter(
    (wish) => !wishes.some((one) => one.kind === 'this' && wish.kind === 'this' && one.ip === wish.ip),
  );
  return [...wishes, ...implied];
}

function wishFor(port: Addressee, subnets: readonly Subnet[], asked: FixedIpRequest): Wish {
  const { subnet_id: subnetId, ip_address: address } = asked;
  if (subnetId === undefined && address === undefined)
    throw NeutronError.InvalidInput({ error_message: 'IP allocation requires subnet_id or ip_address' });
  const subnet = subnetId === undefined ? holding(subnets, address ?? '') : subnets.find((one) => one.id === subnetId);
  if (subnet === undefined) {
    if (subnetId === undefined) throw NeutronError.InvalidIpForNetwork({ ip_address: address ?? '' });
    throw NeutronError.InvalidInput({
      error_message: `Failed to create port on network ${port.network_id}, because fixed_ips included invalid subnet ${subnetId}`,
    });
  }
  const network = networkOf(subnet.cidr);
  const selfMade = isAutoAddress(subnet) && !isRouterInterface(port.device_owner);
  if (address === undefined) {
    if (selfMade) return { kind: 'this', subnet, ip: eui64Address(network, port.mac_address) };
    return { kind: 'any', subnets: [subnet] };
  }
  const ip = parseIp(address);
  if (ip === null || !contains(network, ip)) throw NeutronError.InvalidIpForSubnet({ ip_address: address });
  const wide = network.version === 4 && network.prefix < 31;
  if (wide && (ip.value === network.first || ip.value === network.last))
    throw NeutronError.InvalidIpForSubnet({ ip_address: address });
  if (selfMade && address !== eui64Address(network, port.mac_address))
    throw NeutronError.InvalidInput({
      error_message: `IPv6 address ${address} can not be directly assigned to a port on subnet ${subnet.id} as the subnet is configured for automatic addresses`,
    });
  return { kind: 'this', subnet, ip: address };
}

function holding(subnets: readonly Subnet[], address: string): Subnet | undefined {
  const ip = parseIp(address);
  return ip === null ? undefined : subnets.find((one) => contains(networkOf(one.cidr), ip));
}
