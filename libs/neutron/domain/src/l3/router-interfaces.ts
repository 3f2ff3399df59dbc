import type { RequestContext, Tx } from '@nestack/kernel/context';
import { NeutronError, contains, parseIp } from '@nestack/neutron/contract';
import { findOr, mustAllow, viewerOf } from '../access';
import { Addressing } from '../l2-ports/addressing';
import { bind } from '../l2-ports/binding';
import { OWNER } from '../l2-ports/owners';
import type { PortMaker } from '../l2-ports/port-maker';
import type { PortNews } from '../l2-ports/port-news';
import { EVERYTHING, type Port, type Router, type Subnet } from '../model';
import type { NeutronParts } from '../parts';
import { networkOf } from '../subnets/subnet-plan';
import type { Gateways } from './gateway';
import type { L3Scheduling } from './l3-scheduling';

export interface InterfacesParts extends NeutronParts {
  readonly maker: PortMaker;
  readonly news: PortNews;
  readonly l3: L3Scheduling;
  readonly gateways: Gateways;
}

export interface InterfaceRequest {
  readonly subnet_id?: string | undefined;
  readonly port_id?: string | undefined;
}

/** What an interface change answers. */
export interface InterfaceAnswer {
  readonly id: string;
  readonly tenant_id: string;
  readonly project_id: string;
  readonly port_id: string;
  readonly network_id: string;
  readonly subnet_id: string;
  readonly subnet_ids: string[];
}

function refuse(msg: string): never {
  throw NeutronError.BadRequest({ resource: 'router', msg });
}

/** Routers' connections to subnets. upstream: neutron/db/l3_db.py */
export class RouterInterfaces {
  private readonly addressing: Addressing;

  constructor(private readonly parts: InterfacesParts) {
    this.addressing = new Addressing(parts.ports);
  }

  /** Connects a subnet under its gateway's address, or a port that is there. Changes of one router go one after the other. */
  async add(ctx: RequestContext, routerId: string, asked: InterfaceRequest): Promise<InterfaceAnswer> {
    return this.parts.db.run('router.add_interface', (tx) => this.connect(ctx, tx, routerId, asked));
  }

  /** Connects in a transaction that is there. */
  async connect(ctx: RequestContext, tx: Tx, routerId: string, asked: InterfaceRequest): Promise<InterfaceAnswer> {
    const { parts } = this;
    const router = await this.router(ctx, tx, routerId, 'add_router_interface');
    if (asked.subnet_id !== undefined && asked.port_id !== undefined)
      return refuse('Cannot specify both subnet-id and port-id');
    if (asked.subnet_id === undefined && asked.port_id === undefined)
      return refuse('Either subnet_id or port_id must be specified');
    const host = await parts.l3.ensureHost(ctx, tx, router);
    const [port, subnetId] =
      asked.port_id === undefined
        ? await this.addSubnet(ctx, tx, router, asked.subnet_id ?? '', host)
        : await this.addPort(ctx, tx, router, asked.port_id, host);
    await this.finish(ctx, tx, router);
    return answerOf(router, port, subnetId);
  }

  private async router(ctx: RequestContext, tx: Tx, id: string, rule: string): Promise<Router> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    const router = await findOr(tx, parts.routers, id, viewer, NeutronError.RouterNotFound, 'router_id', 'change');
    mustAllow(ctx, parts.policy, rule, { ...router });
    return router;
  }

  private async finish(ctx: RequestContext, tx: Tx, router: Router): Promise<void> {
    await this.parts.routers.update(tx, router.id, {}, this.parts.clock.now());
    await this.parts.l3.changed(ctx, tx, router);
  }

  private async addSubnet(
    ctx: RequestContext,
    tx: Tx,
    router: Router,
    subnetId: string,
    host: string | null,
  ): Promise<[Port, string]> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    const subnet = await findOr(tx, parts.subnets, subnetId, viewer, NeutronError.SubnetNotFound, 'subnet_id', 'use');
    const gateway = subnet.gateway_ip;
    if (gateway === null) return refuse('Subnet for router interface must have a gateway IP');
    await parts.gateways.checkOverlap(tx, router, [subnet]);
    const fixedIp = { subnet_id: subnet.id, ip_address: gateway };
    const shared = await this.sharedPort(tx, router, subnet);
    if (shared !== null) {
      const subnets = await parts.subnets.ofNetwork(tx, subnet.network_id);
      const ips = await this.addressing.change(tx, shared, subnets, [...shared.fixed_ips, fixedIp]);
      const after: Port = { ...shared, fixed_ips: ips, revision_number: shared.revision_number + 1 };
      await parts.ports.update(tx, shared.id, {}, parts.clock.now());
      await parts.news.changed(ctx, tx, shared, after);
      return [after, subnet.id];
    }
    const network = await findOr(
      tx,
      parts.networks,
      subnet.network_id,
      EVERYTHING,
      NeutronError.NetworkNotFound,
      'net_id',
      'use',
    );
    const port = await parts.maker.make(tx, {
      network,
      subnets: [subnet],
      project_id: router.project_id,
      device_id: router.id,
      device_owner: OWNER.routerInterface,
      port_security_enabled: false,
      fixed_ips: [fixedIp],
      host: host ?? '',
    });
    await parts.routers.addInterface(tx, router.id, port.id);
    await parts.news.made(ctx, tx, port);
    return [port, subnet.id];
  }

  /** IPv6 subnets of one network share a port. */
  private async sharedPort(tx: Tx, router: Router, subnet: Subnet): Promise<Port | null> {
    if (subnet.ip_version === 4) return null;
    const ports = await this.parts.routers.interfaces(tx, router.id);
    return (
      ports.find(
        (port) =>
          port.network_id === subnet.network_id && port.fixed_ips.every((ip) => parseIp(ip.ip_address)?.version === 6),
      ) ?? null
    );
  }

  private async addPort(
    ctx: RequestContext,
    tx: Tx,
    router: Router,
    portId: string,
    host: string | null,
  ): Promise<[Port, string]> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    const before = await findOr(tx, parts.ports, portId, viewer, NeutronError.PortNotFound, 'port_id', 'change');
    if (before.device_id !== '')
      throw NeutronError.PortInUse({ net_id: before.network_id, port_id: portId, device_id: before.device_id });
    if (before.fixed_ips.length === 0) return refuse('Router port must have at least one fixed IP');
    const subnetIds = [...new Set(before.fixed_ips.map((ip) => ip.subnet_id))];
    const subnets = await parts.subnets.findAll(tx, subnetIds, EVERYTHING);
    if (before.fixed_ips.filter((ip) => parseIp(ip.ip_address)?.version === 4).length > 1)
      return refuse('Cannot have multiple IPv4 subnets on router port');
    await parts.gateways.checkOverlap(tx, router, subnets);
    await parts.ports.setSecurityGroups(tx, portId, []);
    const { wired, ...bound } = await bind(tx, parts, before, host ?? '');
    const patch: Partial<Port> = {
      device_id: router.id,
      device_owner: OWNER.routerInterface,
      port_security_enabled: false,
      allowed_address_pairs: [],
      'binding:host_id': host ?? '',
      ...bound,
      status: host !== null && !wired ? 'ACTIVE' : 'DOWN',
    };
    await parts.ports.update(tx, portId, patch, parts.clock.now());
    await parts.routers.addInterface(tx, router.id, portId);
    const after = await findOr(tx, parts.ports, portId, EVERYTHING, NeutronError.PortNotFound, 'port_id');
    await parts.news.changed(ctx, tx, before, after);
    return [after, subnetIds[0] ?? ''];
  }

  /** Disconnects; the interface's port goes. Throws 409 while floating IPs or routes need it. */
  async remove(ctx: RequestContext, routerId: string, asked: InterfaceRequest): Promise<InterfaceAnswer> {
    return this.parts.db.run('router.remove_interface', (tx) => this.disconnect(ctx, tx, routerId, asked));
  }

  /** Disconnects in a transaction that is there. */
  async disconnect(ctx: RequestContext, tx: Tx, routerId: string, asked: InterfaceRequest): Promise<InterfaceAnswer> {
    const { parts } = this;
    const router = await this.router(ctx, tx, routerId, 'remove_router_interface');
    if (asked.subnet_id === undefined && asked.port_id === undefined)
      return refuse('Either subnet_id or port_id must be specified');
    const ports = await parts.routers.interfaces(tx, router.id);
    const [port, subnetIds] = this.leaving(router, ports, asked);
    for (const id of subnetIds) await this.mustBeFree(tx, router, id);
    const staying = port.fixed_ips.filter((ip) => !subnetIds.includes(ip.subnet_id));
    if (staying.length > 0) {
      for (const ip of port.fixed_ips)
        if (!staying.includes(ip)) await parts.ports.releaseAddress(tx, port.id, ip.subnet_id, ip.ip_address);
      await parts.ports.update(tx, port.id, {}, parts.clock.now());
      await parts.news.changed(ctx, tx, port, {
        ...port,
        fixed_ips: staying,
        revision_number: port.revision_number + 1,
      });
    } else {
      await parts.routers.removeInterface(tx, port.id);
      await parts.news.removed(ctx, tx, port);
      await parts.ports.remove(tx, port.id);
    }
    await this.finish(ctx, tx, router);
    return answerOf(
      router,
      { ...port, fixed_ips: port.fixed_ips.filter((ip) => subnetIds.includes(ip.subnet_id)) },
      subnetIds[0] ?? '',
    );
  }

  /** The port that is meant, and which of its subnets are left. */
  private leaving(router: Router, ports: readonly Port[], asked: InterfaceRequest): [Port, string[]] {
    const { port_id: portId, subnet_id: subnetId } = asked;
    if (portId !== undefined) {
      const port = ports.find((one) => one.id === portId);
      if (port === undefined) throw NeutronError.RouterInterfaceNotFound({ router_id: router.id, port_id: portId });
      const ids = [...new Set(port.fixed_ips.map((ip) => ip.subnet_id))];
      if (subnetId !== undefined && !ids.includes(subnetId))
        throw NeutronError.SubnetMismatchForPort({ port_id: portId, subnet_id: subnetId });
      return [port, ids];
    }
    const port = ports.find((one) => one.fixed_ips.some((ip) => ip.subnet_id === subnetId));
    if (port === undefined)
      throw NeutronError.RouterInterfaceNotFoundForSubnet({ router_id: router.id, subnet_id: subnetId });
    return [port, [subnetId ?? '']];
  }

  private async mustBeFree(tx: Tx, router: Router, subnetId: string): Promise<void> {
    const { parts } = this;
    const subnet = await parts.subnets.find(tx, subnetId, EVERYTHING);
    if (subnet === null) return;
    const network = networkOf(subnet.cidr);
    const inside = (text: string): boolean => {
      const ip = parseIp(text);
      return ip !== null && contains(network, ip);
    };
    const floating = await parts.floatingIps.ofRouter(tx, router.id);
    const targets = floating.flatMap((one) => [
      one.fixed_ip_address ?? '',
      ...one.port_forwardings.map((forwarding) => String(forwarding['internal_ip_address'])),
    ]);
    if (targets.some(inside))
      throw NeutronError.RouterInterfaceInUseByFloatingIP({ router_id: router.id, subnet_id: subnetId });
    if (router.routes.some((one) => inside(one.nexthop)))
      throw NeutronError.RouterInterfaceInUseByRoute({ router_id: router.id, subnet_id: subnetId });
  }
}

function answerOf(router: Router, port: Port, subnetId: string): InterfaceAnswer {
  return {
    id: router.id,
    tenant_id: router.project_id,
    project_id: router.project_id,
    port_id: port.id,
    network_id: port.network_id,
    subnet_id: subnetId,
    subnet_ids: [subnetId],
  };
}
