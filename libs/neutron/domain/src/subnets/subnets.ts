import type { RequestContext, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import {
  NeutronError,
  formatCidr,
  overlaps,
  type CreationOf,
  type IpNetwork,
  type subnetResource,
} from '@nestack/neutron/contract';
import {
  findOr,
  listPage,
  matchRevision,
  mustAllow,
  mustAllowAttributes,
  ownerOf,
  viewerOf,
  withinQuota,
} from '../access';
import type { DhcpScheduling } from '../l2-ports/dhcp-scheduling';
import { EVERYTHING, type ListQuery, type Network, type Subnet } from '../model';
import type { NeutronParts } from '../parts';
import { allocatePrefix, poolForSubnet } from './pool-allocation';
import {
  checkDhcp,
  checkGateway,
  checkGatewayOutsidePools,
  checkIpv6Modes,
  checkPools,
  checkVersion,
  checkedPrefix,
  defaultGateway,
  defaultPools,
  isAutoAddress,
  networkOf,
} from './subnet-plan';

export type SubnetInput = CreationOf<typeof subnetResource>;

/** Ports that go with their subnet. upstream: neutron/common/_constants.py AUTO_DELETE_PORT_OWNERS */
const DELETED_ALONG = ['network:dhcp'];
const ROUTER_OWNERS = ['network:router_interface', 'network:ha_router_replicated_interface'];

export interface SubnetsParts extends NeutronParts {
  readonly dhcp: DhcpScheduling;
  readonly ruled: ReadonlySet<string>;
}

/** Subnets of networks. */
export class Subnets {
  constructor(private readonly parts: SubnetsParts) {}

  async list(ctx: RequestContext, query: ListQuery): Promise<Subnet[]> {
    const { db, subnets, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('subnet.list', (tx) =>
      listPage(tx, subnets, viewer, query, NeutronError.SubnetNotFound, 'subnet_id'),
    );
  }

  async show(ctx: RequestContext, id: string): Promise<Subnet> {
    const { db, subnets, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('subnet.show', (tx) => findOr(tx, subnets, id, viewer, NeutronError.SubnetNotFound, 'subnet_id'));
  }

  /** Creates subnets in one transaction. Throws 404 for the network, 400 for what does not fit, 409 `OverQuota`. */
  async create(ctx: RequestContext, asked: readonly SubnetInput[]): Promise<Subnet[]> {
    return this.parts.db.run('subnet.create', async (tx) => {
      const made: Subnet[] = [];
      for (const input of asked) made.push(await this.make(ctx, tx, input));
      return made;
    });
  }

  /** Creates one in a transaction that is there. */
  async make(ctx: RequestContext, tx: Tx, input: SubnetInput): Promise<Subnet> {
    const { parts } = this;
    const { policy } = parts;
    const viewer = viewerOf(ctx, policy);
    // Changes of one network's subnets are made one after the other: prefixes must not overlap.
    const network = await findOr(
      tx,
      parts.networks,
      input.network_id ?? '',
      viewer,
      NeutronError.NetworkNotFound,
      'net_id',
      'change',
    );
    const projectId = ownerOf(ctx, policy, input.project_id);
    const target = { ...input, project_id: projectId, 'network:project_id': network.project_id };
    mustAllow(ctx, policy, 'create_subnet', target);
    mustAllowAttributes(ctx, policy, 'create_subnet', input, parts.ruled, target, {
      service_types: [],
      segment_id: null,
    });
    const siblings = await parts.subnets.ofNetwork(tx, network.id);
    const subnet = await this.plan(ctx, tx, input, network, siblings, projectId);
    await parts.subnets.insert(tx, subnet);
    await parts.subnets.setPools(tx, subnet.id, subnet.allocation_pools);
    await withinQuota(tx, parts, projectId, ['subnet']);
    await parts.networks.update(tx, network.id, {}, parts.clock.now());
    if (isAutoAddress(subnet)) await parts.dhcp.addAutoAddresses(ctx, tx, network, subnet);
    await parts.dhcp.subnetChanged(ctx, tx, network);
    return subnet;
  }

  /** The subnet as it will be, everything checked and computed. */
  private async plan(
    ctx: RequestContext,
    tx: Tx,
    input: SubnetInput,
    network: Network,
    siblings: readonly Subnet[],
    projectId: string,
  ): Promise<Subnet> {
    const { parts } = this;
    const version = input.ip_version ?? 4;
    const pool = await poolForSubnet(ctx, tx, parts, input, siblings, version);
    if (pool === null && input.cidr === undefined) {
      throw NeutronError.BadRequest({
        resource: 'subnets',
        msg: 'a subnetpool must be specified in the absence of a cidr',
      });
    }
    const prefix =
      pool === null
        ? checkedPrefix(input.cidr ?? '', version)
        : await allocatePrefix(tx, parts, pool, input, projectId);
    const dhcp = input.enable_dhcp ?? true;
    if (dhcp) checkDhcp(prefix);
    const ra = input.ipv6_ra_mode ?? null;
    const address = input.ipv6_address_mode ?? null;
    checkIpv6Modes({
      ip_version: version,
      enable_dhcp: dhcp,
      ipv6_ra_mode: ra,
      ipv6_address_mode: address,
      network: prefix,
    });
    this.checkDisjoint(prefix, siblings);
    const gateway = input.gateway_ip === undefined ? defaultGateway(prefix) : input.gateway_ip;
    if (gateway !== null && input.gateway_ip !== undefined) checkGateway(prefix, gateway);
    const pools = input.allocation_pools;
    if (pools !== undefined) checkPools(prefix, pools, gateway);
    const id = newUuid();
    this.checkOptions(id, version, input);
    const now = parts.clock.now();
    return {
      id,
      project_id: projectId,
      name: input.name ?? '',
      description: input.description ?? '',
      tags: [],
      revision_number: 0,
      created_at: now,
      updated_at: now,
      network_id: network.id,
      ip_version: version,
      cidr: formatCidr(prefix),
      gateway_ip: gateway,
      enable_dhcp: dhcp,
      ipv6_ra_mode: ra,
      ipv6_address_mode: address,
      dns_nameservers: input.dns_nameservers ?? [],
      host_routes: input.host_routes ?? [],
      service_types: this.serviceTypes(input.service_types ?? []),
      dns_publish_fixed_ip: input.dns_publish_fixed_ip ?? false,
      subnetpool_id: pool?.id ?? null,
      allocation_pools: pools ?? defaultPools(prefix, gateway),
      segment_id: null,
    };
  }

  private checkDisjoint(prefix: IpNetwork, siblings: readonly Subnet[]): void {
    const other = siblings.find((one) => overlaps(prefix, networkOf(one.cidr)));
    if (other === undefined) return;
    throw NeutronError.InvalidInput({
      error_message: `Requested subnet with cidr: ${formatCidr(prefix)} for network: ${other.network_id} overlaps with another subnet`,
    });
  }

  private checkOptions(
    id: string,
    version: 4 | 6,
    options: Pick<SubnetInput, 'dns_nameservers' | 'host_routes'>,
  ): void {
    const { settings } = this.parts;
    const servers = options.dns_nameservers ?? [];
    if (servers.length > settings.maxNameservers)
      throw NeutronError.DNSNameServersExhausted({ subnet_id: id, quota: settings.maxNameservers });
    for (const server of servers) checkVersion(version, server, 'dns_nameserver');
    const routes = options.host_routes ?? [];
    if (routes.length > settings.maxHostRoutes)
      throw NeutronError.HostRoutesExhausted({ subnet_id: id, quota: settings.maxHostRoutes });
    for (const route of routes) {
      checkVersion(version, route.nexthop, 'nexthop');
      checkVersion(version, route.destination, 'destination');
    }
  }

  /** A service type is a device owner's prefix. upstream: neutron/extensions/subnet_service_types.py */
  private serviceTypes(types: readonly string[]): readonly string[] {
    for (const type of types) {
      if (!/^(network|compute|baremetal|trunk):/.test(type))
        throw NeutronError.InvalidSubnetServiceType({ service_type: type });
    }
    return [...new Set(types)];
  }

  /** Changes what may change; prefixes never do. */
  async update(ctx: RequestContext, id: string, input: SubnetInput, revision: number | null): Promise<Subnet> {
    const { parts } = this;
    const { policy, subnets } = parts;
    const viewer = viewerOf(ctx, policy);
    return parts.db.run('subnet.update', async (tx) => {
      const before = await findOr(tx, subnets, id, viewer, NeutronError.SubnetNotFound, 'subnet_id', 'change');
      const network = await findOr(
        tx,
        parts.networks,
        before.network_id,
        EVERYTHING,
        NeutronError.NetworkNotFound,
        'net_id',
      );
      const target = { ...before, 'network:project_id': network.project_id };
      mustAllow(ctx, policy, 'update_subnet', target);
      mustAllowAttributes(ctx, policy, 'update_subnet', input, parts.ruled, target);
      matchRevision(before.revision_number, revision);
      const prefix = networkOf(before.cidr);
      if (input.enable_dhcp === true && !before.enable_dhcp) checkDhcp(prefix);
      this.checkOptions(id, before.ip_version, input);
      const gateway = input.gateway_ip === undefined ? before.gateway_ip : input.gateway_ip;
      if (gateway !== before.gateway_ip) {
        if (gateway !== null) checkGateway(prefix, gateway);
        await this.mustLeaveGateway(tx, before);
      }
      if (input.allocation_pools !== undefined) checkPools(prefix, input.allocation_pools, gateway);
      else if (gateway !== before.gateway_ip) checkGatewayOutsidePools(prefix, before.allocation_pools, gateway);
      if (input.enable_dhcp === false && (before.ipv6_ra_mode ?? before.ipv6_address_mode) !== null)
        checkIpv6Modes({ ...before, enable_dhcp: false, network: prefix });
      const { allocation_pools: pools, service_types: types, ...rest } = input;
      const patch = {
        ...(rest as Partial<Subnet>),
        ...(types === undefined ? {} : { service_types: this.serviceTypes(types) }),
      };
      const now = parts.clock.now();
      await subnets.update(tx, id, patch, now);
      if (pools !== undefined) await subnets.setPools(tx, id, pools);
      await parts.networks.update(tx, network.id, {}, now);
      await parts.dhcp.subnetChanged(ctx, tx, network);
      await parts.dhcp.routersOf(ctx, tx, await parts.routers.onSubnet(tx, id));
      return findOr(tx, subnets, id, EVERYTHING, NeutronError.SubnetNotFound, 'subnet_id');
    });
  }

  /** A gateway that a router has must stay. */
  private async mustLeaveGateway(tx: Tx, subnet: Subnet): Promise<void> {
    if (subnet.gateway_ip === null) return;
    const holder = await this.parts.subnets.holder(tx, subnet.id, subnet.gateway_ip);
    if (holder === null) return;
    const port = await this.parts.ports.find(tx, holder, EVERYTHING);
    if (port !== null && ROUTER_OWNERS.includes(port.device_owner))
      throw NeutronError.GatewayIpInUse({ ip_address: subnet.gateway_ip, port_id: holder });
  }

  /** Deletes a subnet without users; addresses that hosts made themselves in it go along. */
  async remove(ctx: RequestContext, id: string): Promise<void> {
    const { parts } = this;
    const { policy, subnets } = parts;
    const viewer = viewerOf(ctx, policy);
    await parts.db.run('subnet.delete', async (tx) => {
      const known = await findOr(tx, subnets, id, viewer, NeutronError.SubnetNotFound, 'subnet_id');
      const network = await findOr(
        tx,
        parts.networks,
        known.network_id,
        EVERYTHING,
        NeutronError.NetworkNotFound,
        'net_id',
        'change',
      );
      mustAllow(ctx, policy, 'delete_subnet', { ...known, 'network:project_id': network.project_id });
      const subnet = await findOr(tx, subnets, id, viewer, NeutronError.SubnetNotFound, 'subnet_id', 'remove');
      const users = await subnets.users(tx, id);
      const inUse = users.some(
        (one) =>
          ROUTER_OWNERS.includes(one.device_owner) ||
          (!isAutoAddress(subnet) && !DELETED_ALONG.includes(one.device_owner)),
      );
      if (inUse)
        throw NeutronError.SubnetInUse({
          subnet_id: id,
          reason: 'One or more ports have an IP allocation from this subnet',
        });
      for (const user of users) await parts.ports.releaseAddress(tx, user.port_id, id, user.ip_address);
      await subnets.remove(tx, id);
      await parts.networks.update(tx, network.id, {}, parts.clock.now());
      await parts.dhcp.subnetChanged(ctx, tx, network);
    });
  }
}
