import type { RequestContext, Tx } from '@nestack/kernel/context';
import { NeutronError, overlaps, type GatewayRequest } from '@nestack/neutron/contract';
import { findOr, viewerOf } from '../access';
import { Addressing } from '../l2-ports/addressing';
import { OWNER } from '../l2-ports/owners';
import type { PortMaker } from '../l2-ports/port-maker';
import type { PortNews } from '../l2-ports/port-news';
import { EVERYTHING, type Network, type Router, type Subnet } from '../model';
import type { NeutronParts } from '../parts';
import { networkOf } from '../subnets/subnet-plan';

/** Routers' ways to the outside: a port on an external network. */
export class Gateways {
  private readonly addressing: Addressing;

  constructor(
    private readonly parts: NeutronParts,
    private readonly maker: PortMaker,
    private readonly news: PortNews,
  ) {
    this.addressing = new Addressing(parts.ports);
  }

  /** Makes the gateway as asked; null takes it away. Answers the router's new fields. */
  async set(
    ctx: RequestContext,
    tx: Tx,
    router: Router,
    asked: GatewayRequest | null,
    host: string | null,
  ): Promise<Partial<Router>> {
    if (asked === null) return this.clear(ctx, tx, router);
    const network = await this.external(ctx, tx, asked.network_id);
    const snat = asked.enable_snat ?? (router.gateway_network_id === null ? true : router.enable_snat);
    if (router.gateway_network_id === network.id) {
      if (asked.external_fixed_ips !== undefined) await this.move(ctx, tx, router, network, asked);
      return { enable_snat: snat };
    }
    const before = await this.clear(ctx, tx, router);
    const subnets = await this.parts.subnets.ofNetwork(tx, network.id);
    await this.checkOverlap(tx, router, subnets);
    const port = await this.maker.make(tx, {
      network,
      subnets,
      // It is the cloud's, not the project's: upstream leaves the owner empty.
      project_id: '',
      device_id: router.id,
      device_owner: OWNER.routerGateway,
      port_security_enabled: false,
      ...(asked.external_fixed_ips === undefined ? {} : { fixed_ips: asked.external_fixed_ips }),
      host: host ?? '',
    });
    await this.news.made(ctx, tx, port);
    return { ...before, enable_snat: snat, gateway_network_id: network.id, gateway_port_id: port.id };
  }

  private async external(ctx: RequestContext, tx: Tx, id: string): Promise<Network> {
    const viewer = viewerOf(ctx, this.parts.policy);
    const network = await findOr(tx, this.parts.networks, id, viewer, NeutronError.NetworkNotFound, 'net_id', 'use');
    if (!network['router:external'])
      throw NeutronError.BadRequest({ resource: 'router', msg: `Network ${id} is not an external network` });
    return network;
  }

  private async move(
    ctx: RequestContext,
    tx: Tx,
    router: Router,
    network: Network,
    asked: GatewayRequest,
  ): Promise<void> {
    const { ports, subnets, clock } = this.parts;
    const port = await findOr(
      tx,
      ports,
      router.gateway_port_id ?? '',
      EVERYTHING,
      NeutronError.PortNotFound,
      'port_id',
      'change',
    );
    const ips = await this.addressing.change(
      tx,
      port,
      await subnets.ofNetwork(tx, network.id),
      asked.external_fixed_ips ?? [],
    );
    await ports.update(tx, port.id, {}, clock.now());
    await this.news.changed(ctx, tx, port, { ...port, fixed_ips: ips, revision_number: port.revision_number + 1 });
  }

  /** Floating IPs need the gateway while they are on a guest. */
  async clear(ctx: RequestContext, tx: Tx, router: Router): Promise<Partial<Router>> {
    const { parts } = this;
    if (router.gateway_port_id === null) return {};
    const floating = await parts.floatingIps.ofRouter(tx, router.id);
    if (floating.some((one) => one.floating_network_id === router.gateway_network_id))
      throw NeutronError.RouterExternalGatewayInUseByFloatingIp({
        router_id: router.id,
        net_id: router.gateway_network_id,
      });
    const cleared = { gateway_network_id: null, gateway_port_id: null };
    // The port is referred to until here.
    await parts.routers.update(tx, router.id, cleared, parts.clock.now());
    const port = await parts.ports.find(tx, router.gateway_port_id, EVERYTHING);
    if (port !== null) {
      await this.news.removed(ctx, tx, port);
      await parts.ports.remove(tx, port.id);
    }
    return cleared;
  }

  /** A router cannot tell apart subnets that overlap. */
  async checkOverlap(tx: Tx, router: Router, fresh: readonly Subnet[]): Promise<void> {
    const { parts } = this;
    const ports = await parts.routers.allPorts(tx, router.id);
    const ids = [...new Set(ports.flatMap((port) => port.fixed_ips.map((ip) => ip.subnet_id)))];
    const known = await parts.subnets.findAll(tx, ids, EVERYTHING);
    for (const subnet of fresh) {
      if (ids.includes(subnet.id))
        throw NeutronError.BadRequest({ resource: 'router', msg: `Router already has a port on subnet ${subnet.id}` });
      const other = known.find((one) => overlaps(networkOf(one.cidr), networkOf(subnet.cidr)));
      if (other !== undefined)
        throw NeutronError.BadRequest({
          resource: 'router',
          msg: `Cidr ${subnet.cidr} of subnet ${subnet.id} overlaps with cidr ${other.cidr} of subnet ${other.id}`,
        });
    }
  }
}
