import type { RequestContext, Tx } from '@nestack/kernel/context';
import type { DomainError } from '@nestack/kernel/errors';
import { newUuid } from '@nestack/kernel/ids';
import {
  NeutronError,
  parseIp,
  type CreationOf,
  type FixedIpRequest,
  type floatingIpResource,
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
import { assertSubnetsExist } from '../l2-ports/addressing';
import { OWNER, isCompute } from '../l2-ports/owners';
import type { PortMaker } from '../l2-ports/port-maker';
import type { PortNews } from '../l2-ports/port-news';
import { EVERYTHING, type FloatingIp, type ListQuery, type Network, type Port } from '../model';
import type { NeutronParts } from '../parts';
import type { L3Scheduling } from './l3-scheduling';

export type FloatingIpInput = CreationOf<typeof floatingIpResource>;

export interface FloatingIpsParts extends NeutronParts {
  readonly maker: PortMaker;
  readonly news: PortNews;
  readonly l3: L3Scheduling;
  readonly ruled: ReadonlySet<string>;
}

type Target = Pick<FloatingIp, 'port_id' | 'fixed_ip_address' | 'router_id'>;

const NOWHERE: Target = { port_id: null, fixed_ip_address: null, router_id: null };

function refuse(msg: string): never {
  throw NeutronError.BadRequest({ resource: 'floatingip', msg });
}

/** Addresses of external networks that stand for guests' ports. upstream: neutron/db/l3_db.py */
export class FloatingIps {
  constructor(private readonly parts: FloatingIpsParts) {}

  async list(ctx: RequestContext, query: ListQuery): Promise<FloatingIp[]> {
    const { db, floatingIps, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('floatingip.list', (tx) =>
      listPage(tx, floatingIps, viewer, query, NeutronError.FloatingIPNotFound, 'floatingip_id'),
    );
  }

  async show(ctx: RequestContext, id: string): Promise<FloatingIp> {
    const { db, floatingIps, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('floatingip.show', (tx) =>
      findOr(tx, floatingIps, id, viewer, NeutronError.FloatingIPNotFound, 'floatingip_id'),
    );
  }

  async create(ctx: RequestContext, asked: readonly FloatingIpInput[]): Promise<FloatingIp[]> {
    return this.parts.db.run('floatingip.create', async (tx) => {
      const made: FloatingIp[] = [];
      for (const input of asked) made.push(await this.createOne(ctx, tx, input));
      return made;
    });
  }

  private async createOne(ctx: RequestContext, tx: Tx, input: FloatingIpInput): Promise<FloatingIp> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    const projectId = ownerOf(ctx, parts.policy, input.project_id);
    const target = { ...input, project_id: projectId };
    mustAllow(ctx, parts.policy, 'create_floatingip', target);
    mustAllowAttributes(ctx, parts.policy, 'create_floatingip', input, parts.ruled, target, {
      floating_ip_address: null,
    });
    const networkId = input.floating_network_id ?? '';
    const network = await findOr(tx, parts.networks, networkId, viewer, NeutronError.NetworkNotFound, 'net_id', 'use');
    if (!network['router:external']) return refuse(`Network ${networkId} is not a valid external network`);
    const id = newUuid();
    const port = await this.makePort(tx, network, id, input);
    const address = port.fixed_ips.find((ip) => parseIp(ip.ip_address)?.version === 4)?.ip_address;
    if (address === undefined) throw NeutronError.ExternalIpAddressExhausted({ net_id: networkId });
    const now = parts.clock.now();
    const draft: FloatingIp = {
      id,
      project_id: projectId,
      name: '',
      description: input.description ?? '',
      tags: [],
      revision_number: 0,
      created_at: now,
      updated_at: now,
      floating_network_id: networkId,
      floating_ip_address: address,
      floating_port_id: port.id,
      ...NOWHERE,
      status: 'DOWN',
      dns_name: input.dns_name ?? '',
      dns_domain: input.dns_domain ?? '',
      port_details: null,
      port_forwardings: [],
    };
    await parts.floatingIps.insert(tx, draft);
    await withinQuota(tx, parts, projectId, ['floatingip']);
    await parts.news.made(ctx, tx, port);
    if (input.port_id === undefined || input.port_id === null) {
      if ((input.fixed_ip_address ?? null) !== null)
        return refuse('fixed_ip_address cannot be specified without a port_id');
      return draft;
    }
    const place = await this.place(ctx, tx, draft, input.port_id, input.fixed_ip_address ?? null);
    return this.settle(ctx, tx, draft, place, {});
  }

  private async makePort(tx: Tx, network: Network, id: string, input: FloatingIpInput): Promise<Port> {
    const { parts } = this;
    const subnets = (await parts.subnets.ofNetwork(tx, network.id)).filter((one) => one.ip_version === 4);
    if (subnets.length === 0) throw NeutronError.ExternalIpAddressExhausted({ net_id: network.id });
    const asked = wishOf(input);
    await assertSubnetsExist(tx, parts.subnets, EVERYTHING, subnets, asked === null ? [] : [asked]);
    return parts.maker.make(tx, {
      network,
      subnets,
      project_id: '',
      device_id: id,
      device_owner: OWNER.floatingIp,
      port_security_enabled: false,
      ...(asked === null ? {} : { fixed_ips: [asked] }),
    });
  }

  /** Puts a floating IP onto a port, elsewhere, or (port_id null) nowhere. */
  async update(ctx: RequestContext, id: string, input: FloatingIpInput, revision: number | null): Promise<FloatingIp> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    return parts.db.run('floatingip.update', async (tx) => {
      const before = await findOr(
        tx,
        parts.floatingIps,
        id,
        viewer,
        NeutronError.FloatingIPNotFound,
        'floatingip_id',
        'change',
      );
      mustAllow(ctx, parts.policy, 'update_floatingip', { ...before });
      matchRevision(before.revision_number, revision);
      const other = input.description === undefined ? {} : { description: input.description };
      const portId = input.port_id === undefined ? before.port_id : input.port_id;
      if (portId === null) {
        if ((input.fixed_ip_address ?? null) !== null)
          return refuse('fixed_ip_address cannot be specified without a port_id');
        // One whose single ports are forwarded keeps its router.
        return this.settle(ctx, tx, before, before.port_id === null ? before : NOWHERE, other);
      }
      if (input.port_id === undefined && input.fixed_ip_address === undefined)
        return this.settle(ctx, tx, before, before, other);
      if (before.port_forwardings.length > 0) throw NeutronError.FipInUseByPortForwarding({ id });
      const place = await this.place(ctx, tx, before, portId, input.fixed_ip_address ?? null);
      return this.settle(ctx, tx, before, place, other);
    });
  }

  /** Where the floating IP shall lead: the port, its address, and the router on the way. */
  private async place(
    ctx: RequestContext,
    tx: Tx,
    fip: FloatingIp,
    portId: string,
    fixedIp: string | null,
  ): Promise<Target> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    const port = await findOr(tx, parts.ports, portId, viewer, NeutronError.PortNotFound, 'port_id', 'use');
    if (port.project_id !== fip.project_id && !viewer.all)
      return refuse(
        `Port ${portId} is associated with a different project than Floating IP ${fip.id} and therefore cannot be bound`,
      );
    const ip = fixedAddress(port, fixedIp);
    const routerId = await this.way(tx, ip.subnet_id, fip.floating_network_id);
    if (routerId === null)
      throw NeutronError.ExternalGatewayForFloatingIPNotFound({
        subnet_id: ip.subnet_id,
        external_network_id: fip.floating_network_id,
        port_id: portId,
      });
    const others = await parts.floatingIps.ofPort(tx, portId);
    const taken = others.some(
      (one) =>
        one.id !== fip.id &&
        one.floating_network_id === fip.floating_network_id &&
        one.fixed_ip_address === ip.ip_address,
    );
    if (taken) throw alreadyAssociated(fip, portId, ip.ip_address);
    return { port_id: portId, fixed_ip_address: ip.ip_address, router_id: routerId };
  }

  /** The router between a subnet and an external network, held so that its interface and gateway stay until we are done. */
  async way(tx: Tx, subnetId: string, networkId: string): Promise<string | null> {
    const { routers } = this.parts;
    const found = await routers.betweenSubnetAndNetwork(tx, subnetId, networkId);
    if (found === null || (await routers.find(tx, found, EVERYTHING, { lock: 'change' })) === null) return null;
    return routers.betweenSubnetAndNetwork(tx, subnetId, networkId);
  }

  private async settle(
    ctx: RequestContext,
    tx: Tx,
    before: FloatingIp,
    place: Target,
    other: Partial<FloatingIp>,
  ): Promise<FloatingIp> {
    const { parts } = this;
    const { port_id: portId, fixed_ip_address: fixedIp, router_id: routerId } = place;
    const moved = portId !== before.port_id || fixedIp !== before.fixed_ip_address || routerId !== before.router_id;
    const patch: Partial<FloatingIp> = {
      ...other,
      ...(moved ? { port_id: portId, fixed_ip_address: fixedIp, router_id: routerId } : {}),
      ...(moved ? { status: await this.statusAt(tx, routerId) } : {}),
    };
    if (!(await parts.floatingIps.update(tx, before.id, patch, parts.clock.now())))
      throw alreadyAssociated(before, portId ?? '', fixedIp ?? '');
    if (moved) {
      for (const id of new Set([before.router_id, routerId])) if (id !== null) await this.tellRouter(ctx, tx, id);
      for (const id of new Set([before.port_id, portId]))
        if (id !== null) await this.tellServer(ctx, tx, id, before.floating_ip_address);
    }
    return findOr(tx, parts.floatingIps, before.id, EVERYTHING, NeutronError.FloatingIPNotFound, 'floatingip_id');
  }

  /** Single ports of a floating IP on no port lead through a router, or (null) no longer do; the router's host hears of it. */
  async forward(ctx: RequestContext, tx: Tx, fip: FloatingIp, routerId: string | null): Promise<void> {
    const { floatingIps, clock } = this.parts;
    const moved = routerId !== fip.router_id;
    const patch = moved ? { router_id: routerId, status: await this.statusAt(tx, routerId) } : {};
    await floatingIps.update(tx, fip.id, patch, clock.now());
    for (const id of new Set([fip.router_id, routerId])) if (id !== null) await this.tellRouter(ctx, tx, id);
  }

  /** A host makes it work and says so; where nobody does (`fake` without agents) it works at once. */
  private async statusAt(tx: Tx, routerId: string | null): Promise<'ACTIVE' | 'DOWN'> {
    if (routerId === null) return 'DOWN';
    const agent = await this.parts.agents.l3Agent(tx, routerId);
    return agent === null && this.parts.settings.mechanism === 'fake' ? 'ACTIVE' : 'DOWN';
  }

  private async tellRouter(ctx: RequestContext, tx: Tx, routerId: string): Promise<void> {
    const router = await this.parts.routers.find(tx, routerId, EVERYTHING);
    if (router !== null) await this.parts.l3.changed(ctx, tx, router);
  }

  private async tellServer(ctx: RequestContext, tx: Tx, portId: string, address: string): Promise<void> {
    const port = await this.parts.ports.find(tx, portId, EVERYTHING);
    if (port === null || !isCompute(port)) return;
    await this.parts.messages.add(ctx, tx, {
      compute: [{ name: 'network-changed', server_uuid: port.device_id, tag: address, status: 'completed' }],
    });
  }

  async remove(ctx: RequestContext, id: string): Promise<void> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    await parts.db.run('floatingip.delete', async (tx) => {
      const fip = await findOr(
        tx,
        parts.floatingIps,
        id,
        viewer,
        NeutronError.FloatingIPNotFound,
        'floatingip_id',
        'remove',
      );
      mustAllow(ctx, parts.policy, 'delete_floatingip', { ...fip });
      if (fip.port_forwardings.length > 0) throw NeutronError.FipInUseByPortForwarding({ id });
      await parts.floatingIps.remove(tx, id);
      const port = await parts.ports.find(tx, fip.floating_port_id, EVERYTHING);
      if (port !== null) {
        await parts.news.removed(ctx, tx, port);
        await parts.ports.remove(tx, port.id);
      }
      if (fip.router_id !== null) await this.tellRouter(ctx, tx, fip.router_id);
      if (fip.port_id !== null) await this.tellServer(ctx, tx, fip.port_id, fip.floating_ip_address);
    });
  }

  /** A port goes or loses addresses: floating IPs that led there lead nowhere. */
  async portChanged(ctx: RequestContext, tx: Tx, before: Port, after: Port | null): Promise<void> {
    const left = new Set((after?.fixed_ips ?? []).map((ip) => ip.ip_address));
    if (after !== null && before.fixed_ips.every((ip) => left.has(ip.ip_address))) return;
    for (const fip of await this.parts.floatingIps.ofPort(tx, before.id)) {
      if (fip.fixed_ip_address === null || left.has(fip.fixed_ip_address)) continue;
      await this.settle(ctx, tx, fip, NOWHERE, {});
    }
    await this.dropForwardings(ctx, tx, before.id, left);
  }

  private async dropForwardings(ctx: RequestContext, tx: Tx, portId: string, left: ReadonlySet<string>): Promise<void> {
    const { forwardings, floatingIps } = this.parts;
    const lost = (await forwardings.ofPort(tx, portId)).filter((one) => !left.has(one.internal_ip_address));
    for (const id of new Set(lost.map((one) => one.floatingip_id))) {
      const fip = await floatingIps.find(tx, id, EVERYTHING, { lock: 'change' });
      const own = lost.filter((one) => one.floatingip_id === id);
      for (const one of own) await forwardings.remove(tx, one.id);
      if (fip === null) continue;
      const last = own.length === fip.port_forwardings.length;
      await this.forward(ctx, tx, fip, last ? null : fip.router_id);
    }
  }
}

function wishOf(input: FloatingIpInput): FixedIpRequest | null {
  const subnetId = input.subnet_id ?? null;
  const address = input.floating_ip_address ?? null;
  if (subnetId === null && address === null) return null;
  return {
    ...(subnetId === null ? {} : { subnet_id: subnetId }),
    ...(address === null ? {} : { ip_address: address }),
  };
}

function fixedAddress(port: Port, asked: string | null): { readonly subnet_id: string; readonly ip_address: string } {
  if (asked !== null) {
    const found = port.fixed_ips.find((ip) => ip.ip_address === asked);
    if (found === undefined) return refuse(`Port ${port.id} does not have fixed ip ${asked}`);
    return found;
  }
  const [first, second] = port.fixed_ips.filter((ip) => parseIp(ip.ip_address)?.version === 4);
  if (first === undefined) return refuse(`Cannot add floating IP to port ${port.id} that has no fixed IPv4 addresses`);
  if (second !== undefined)
    return refuse(
      `Port ${port.id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP`,
    );
  return first;
}

function alreadyAssociated(fip: FloatingIp, portId: string, fixedIp: string): DomainError {
  return NeutronError.FloatingIPPortAlreadyAssociated({
    port_id: portId,
    fip_id: fip.id,
    floating_ip_address: fip.floating_ip_address,
    fixed_ip: fixedIp,
    net_id: fip.floating_network_id,
  });
}
