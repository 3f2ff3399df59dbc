import type { RequestContext, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { NeutronError, parseIp, type CreationOf, type portForwardingResource } from '@nestack/neutron/contract';
import { findOr, listPage, mustAllow, viewerOf } from '../access';
import { EVERYTHING, type FloatingIp, type ListQuery, type PortForwarding } from '../model';
import type { NeutronParts } from '../parts';
import type { RowLock } from '../ports';
import type { FloatingIps } from './floating-ips';

export type PortForwardingInput = CreationOf<typeof portForwardingResource>;

export interface PortForwardingsParts extends NeutronParts {
  readonly floating: FloatingIps;
}

type Ports = Pick<
  PortForwarding,
  'external_port_start' | 'external_port_end' | 'internal_port_start' | 'internal_port_end'
>;

function refuse(msg: string): never {
  throw NeutronError.BadRequest({ resource: 'port_forwarding', msg });
}

/** Single ports of floating IPs that lead to ports of guests. upstream: neutron/services/portforwarding/pf_plugin.py */
export class PortForwardings {
  constructor(private readonly parts: PortForwardingsParts) {}

  async list(ctx: RequestContext, floatingIpId: string, query: ListQuery): Promise<PortForwarding[]> {
    const { db, forwardings } = this.parts;
    return db.read('port_forwarding.list', async (tx) => {
      const fip = await this.floatingIp(ctx, tx, floatingIpId, 'get');
      const filters = new Map([...query.filters, ['floatingip_id', [fip.id]] as const]);
      return listPage(tx, forwardings, EVERYTHING, { ...query, filters }, NeutronError.PortForwardingNotFound, 'id');
    });
  }

  async show(ctx: RequestContext, floatingIpId: string, id: string): Promise<PortForwarding> {
    return this.parts.db.read('port_forwarding.show', async (tx) => {
      const fip = await this.floatingIp(ctx, tx, floatingIpId, 'get');
      return this.find(tx, fip, id);
    });
  }

  /** Throws 409 where floating IP or port are associated as a whole, 400 where ports collide or no router is between. */
  async create(
    ctx: RequestContext,
    floatingIpId: string,
    asked: readonly PortForwardingInput[],
  ): Promise<PortForwarding[]> {
    return this.parts.db.run('port_forwarding.create', async (tx) => {
      const made: PortForwarding[] = [];
      for (const input of asked) made.push(await this.createOne(ctx, tx, floatingIpId, input));
      return made;
    });
  }

  private async createOne(
    ctx: RequestContext,
    tx: Tx,
    floatingIpId: string,
    input: PortForwardingInput,
  ): Promise<PortForwarding> {
    const { parts } = this;
    const fip = await this.floatingIp(ctx, tx, floatingIpId, 'create');
    const draft = draftOf(fip, input);
    await this.checkCollisions(tx, draft);
    await this.checkUnbound(tx, draft);
    if (fip.port_id !== null)
      throw NeutronError.FloatingIPPortAlreadyAssociated({
        port_id: draft.internal_port_id,
        fip_id: fip.id,
        floating_ip_address: fip.floating_ip_address,
        fixed_ip: draft.internal_ip_address,
        net_id: fip.floating_network_id,
      });
    const routerId = await this.routerFor(ctx, tx, fip, draft);
    if (!(await parts.forwardings.insert(tx, draft))) return duplicate();
    await parts.floating.forward(ctx, tx, fip, routerId);
    return this.find(tx, fip, draft.id);
  }

  async update(
    ctx: RequestContext,
    floatingIpId: string,
    id: string,
    input: PortForwardingInput,
  ): Promise<PortForwarding> {
    const { parts } = this;
    return parts.db.run('port_forwarding.update', async (tx) => {
      const fip = await this.floatingIp(ctx, tx, floatingIpId, 'update');
      const before = await this.find(tx, fip, id);
      const ports = portsOf(input, before);
      const after: PortForwarding = {
        ...before,
        ...ports,
        description: input.description ?? before.description,
        protocol: input.protocol ?? before.protocol,
        internal_port_id: input.internal_port_id ?? before.internal_port_id,
        internal_ip_address: input.internal_ip_address ?? before.internal_ip_address,
      };
      if (after.internal_port_id !== before.internal_port_id) await this.checkUnbound(tx, after);
      await this.checkCollisions(tx, after);
      const routerId = await this.routerFor(ctx, tx, fip, after);
      if (!(await parts.forwardings.update(tx, id, after, parts.clock.now()))) return duplicate();
      await parts.floating.forward(ctx, tx, fip, routerId);
      return this.find(tx, fip, id);
    });
  }

  async remove(ctx: RequestContext, floatingIpId: string, id: string): Promise<void> {
    const { parts } = this;
    await parts.db.run('port_forwarding.delete', async (tx) => {
      const fip = await this.floatingIp(ctx, tx, floatingIpId, 'delete');
      await this.find(tx, fip, id);
      await parts.forwardings.remove(tx, id);
      await parts.floating.forward(ctx, tx, fip, fip.port_forwardings.length === 1 ? null : fip.router_id);
    });
  }

  /** Who may see the floating IP may see these; changes of one floating IP's go one after the other. */
  private async floatingIp(ctx: RequestContext, tx: Tx, id: string, verb: string): Promise<FloatingIp> {
    const { policy, floatingIps } = this.parts;
    const viewer = viewerOf(ctx, policy);
    const lock: RowLock | undefined = verb === 'get' ? undefined : 'change';
    const fip = await findOr(tx, floatingIps, id, viewer, NeutronError.FloatingIPNotFound, 'floatingip_id', lock);
    mustAllow(ctx, policy, `${verb}_floatingip_port_forwarding`, { project_id: fip.project_id });
    return fip;
  }

  private async find(tx: Tx, fip: FloatingIp, id: string): Promise<PortForwarding> {
    const found = await this.parts.forwardings.find(tx, id, EVERYTHING);
    if (found?.floatingip_id !== fip.id) throw NeutronError.PortForwardingNotFound({ id });
    return found;
  }

  private async checkUnbound(tx: Tx, one: PortForwarding): Promise<void> {
    const [bound] = await this.parts.floatingIps.ofPort(tx, one.internal_port_id);
    if (bound !== undefined)
      throw NeutronError.PortHasBindingFloatingIP({
        floating_ip_address: bound.floating_ip_address,
        fip_id: bound.id,
        port_id: one.internal_port_id,
        fixed_ip: one.internal_ip_address,
      });
  }

  /** The router between the floating IP and the port: the same for all forwardings of a floating IP. */
  private async routerFor(ctx: RequestContext, tx: Tx, fip: FloatingIp, one: PortForwarding): Promise<string> {
    const { parts } = this;
    const portId = one.internal_port_id;
    const viewer = viewerOf(ctx, parts.policy);
    const port = await findOr(tx, parts.ports, portId, viewer, NeutronError.PortNotFound, 'port_id', 'use');
    const inner = port.fixed_ips.filter((ip) => parseIp(ip.ip_address)?.version === 4);
    if (inner.length === 0) return refuse(`Requested internal port ${portId} must allocate an IPv4 address at least.`);
    const address = inner.find((ip) => ip.ip_address === one.internal_ip_address);
    if (address === undefined)
      return refuse(
        `Requested internal IP address ${one.internal_ip_address} is not suitable for internal neutron port ${portId}, as its fixed_ips are ${JSON.stringify(inner)}`,
      );
    const routerId = await parts.floating.way(tx, address.subnet_id, fip.floating_network_id);
    if (routerId === null)
      return refuse(
        `External network ${fip.floating_network_id} is not reachable from subnet ${address.subnet_id}. Cannot set Port forwarding for port ${portId} with Floating IP ${fip.id}`,
      );
    const others = fip.port_forwardings.filter((other) => other['id'] !== one.id);
    if (others.length > 0 && fip.router_id !== routerId)
      return refuse(
        `The Floating IP ${fip.id} had been set on router ${String(fip.router_id)}, the internal Neutron port ${portId} can not reach it`,
      );
    return routerId;
  }

  private async checkCollisions(tx: Tx, one: PortForwarding): Promise<void> {
    const { forwardings } = this.parts;
    const inside = one.internal_port_end - one.internal_port_start;
    if (inside > 0 && inside !== one.external_port_end - one.external_port_start)
      refuse(
        'Invalid ranges of internal and/or external ports. The relation between internal and external ports must be N-N or 1-N',
      );
    const same = (other: PortForwarding): boolean => other.id !== one.id && other.protocol === one.protocol;
    const inner = (await forwardings.ofPort(tx, one.internal_port_id)).filter(
      (other) => same(other) && other.internal_ip_address === one.internal_ip_address,
    );
    const outer = (await forwardings.ofFloatingIps(tx, [one.floatingip_id])).filter(same);
    for (const [side, others] of [
      ['internal', inner],
      ['external', outer],
    ] as const) {
      const [start, end, range] = [`${side}_port_start`, `${side}_port_end`, `${side}_port_range`] as const;
      const hit = others.find((other) => other[start] <= one[end] && one[start] <= other[end]);
      if (hit !== undefined)
        refuse(
          `There is a port collision with the ${range}. The following ranges collide: ${hit[range]} and ${String(one[start])}:${String(one[end])}`,
        );
    }
  }
}

function duplicate(): never {
  return refuse('A duplicate port forwarding entry with same attributes already exists');
}

function draftOf(fip: FloatingIp, input: PortForwardingInput): PortForwarding {
  return {
    id: newUuid(),
    floatingip_id: fip.id,
    description: input.description ?? '',
    protocol: input.protocol ?? '',
    internal_port_id: input.internal_port_id ?? '',
    internal_ip_address: input.internal_ip_address ?? '',
    ...portsOf(input, null),
    external_port: null,
    external_port_range: '',
    internal_port: null,
    internal_port_range: '',
  };
}

/** The ports that are asked for: a range, or one alone; those of before where none are. */
function portsOf(input: PortForwardingInput, before: PortForwarding | null): Ports {
  const side = (name: 'external' | 'internal'): readonly [number, number] => {
    const range = input[`${name}_port_range`] ?? null;
    const port = input[`${name}_port`] ?? null;
    if (range !== null) {
      const [first = 0, last = first] = range.split(':').map(Number);
      return [first, last];
    }
    if (port !== null) return [port, port];
    if (before !== null) return [before[`${name}_port_start`], before[`${name}_port_end`]];
    return refuse(`${name}_port or ${name}_port_range must be specified`);
  };
  const [external_port_start, external_port_end] = side('external');
  const [internal_port_start, internal_port_end] = side('internal');
  return { external_port_start, external_port_end, internal_port_start, internal_port_end };
}
