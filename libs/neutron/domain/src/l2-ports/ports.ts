import type { RequestContext, Tx } from '@nestack/kernel/context';
import { NeutronError, type CreationOf, type portResource } from '@nestack/neutron/contract';
import {
  findOr,
  isAdmin,
  listPage,
  matchRevision,
  mustAllow,
  mustAllowAttributes,
  ownerOf,
  viewerOf,
  withinQuota,
  type Target,
} from '../access';
import { EVERYTHING, where, type ListQuery, type Network, type Port } from '../model';
import type { NeutronParts } from '../parts';
import { ensureDefaultGroup } from '../security-groups/default-group';
import { Addressing, assertSubnetsExist } from './addressing';
import { bind } from './binding';
import type { DhcpScheduling } from './dhcp-scheduling';
import { ROUTER_OWNERS, isRouterInterface, isTrusted } from './owners';
import { checkPairs, mergeOptions } from './port-checks';
import type { PortMaker } from './port-maker';
import type { PortNews } from './port-news';

export type PortInput = CreationOf<typeof portResource>;

export interface PortsParts extends NeutronParts {
  readonly maker: PortMaker;
  readonly news: PortNews;
  readonly dhcp: DhcpScheduling;
  /** What has to happen to floating IPs when a port changes or goes. */
  readonly floating: {
    portChanged(ctx: RequestContext, tx: Tx, before: Port, after: Port | null): Promise<void>;
  };
  readonly ruled: ReadonlySet<string>;
}

const DEFAULTS = {
  device_id: '',
  device_owner: '',
  'binding:vnic_type': 'normal',
  'binding:host_id': '',
  'binding:profile': {},
  allowed_address_pairs: [],
};

/** Ports of networks. */
export class Ports {
  private readonly addressing: Addressing;

  constructor(private readonly parts: PortsParts) {
    this.addressing = new Addressing(parts.ports);
  }

  async list(ctx: RequestContext, query: ListQuery): Promise<Port[]> {
    const { db, ports, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('port.list', (tx) => listPage(tx, ports, viewer, query, NeutronError.PortNotFound, 'port_id'));
  }

  async show(ctx: RequestContext, id: string): Promise<Port> {
    const { db, ports, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('port.show', (tx) => findOr(tx, ports, id, viewer, NeutronError.PortNotFound, 'port_id'));
  }

  /** Creates ports in one transaction. Throws 404 for the network, 409 for taken addresses, MACs and quotas. */
  async create(ctx: RequestContext, asked: readonly PortInput[]): Promise<Port[]> {
    return this.parts.db.run('port.create', async (tx) => {
      const made: Port[] = [];
      for (const input of asked) made.push(await this.createOne(ctx, tx, input));
      return made;
    });
  }

  private async createOne(ctx: RequestContext, tx: Tx, input: PortInput): Promise<Port> {
    const { parts } = this;
    const { policy } = parts;
    const viewer = viewerOf(ctx, policy);
    const network = await findOr(
      tx,
      parts.networks,
      input.network_id ?? '',
      viewer,
      NeutronError.NetworkNotFound,
      'net_id',
      'use',
    );
    const projectId = ownerOf(ctx, policy, input.project_id);
    const owner = input.device_owner ?? '';
    const target = targetOf({ ...input, project_id: projectId, device_owner: owner }, network);
    mustAllow(ctx, policy, 'create_port', target);
    this.checkAttributes(ctx, 'create_port', input, target, DEFAULTS);
    await this.mustNotPose(ctx, tx, projectId, owner, input.device_id ?? '');
    const secured = isTrusted(owner) ? false : (input.port_security_enabled ?? network.port_security_enabled);
    const pairs = input.allowed_address_pairs ?? [];
    checkPairs(pairs, parts.settings.maxAddressPairs);
    if (!secured && pairs.length > 0) throw NeutronError.AddressPairAndPortSecurityRequired();
    const groups = await this.groupsOfNew(ctx, tx, input, projectId, secured);
    const subnets = await parts.subnets.ofNetwork(tx, network.id);
    await assertSubnetsExist(tx, parts.subnets, viewerOf(ctx, policy), subnets, input.fixed_ips ?? []);
    const mac = input.mac_address ?? undefined;
    const port = await parts.maker.make(tx, {
      network,
      subnets,
      project_id: projectId,
      name: input.name ?? '',
      description: input.description ?? '',
      tags: input.tags ?? [],
      admin_state_up: input.admin_state_up ?? true,
      ...(mac === undefined ? {} : { mac_address: mac }),
      ...(input.fixed_ips === undefined ? {} : { fixed_ips: input.fixed_ips }),
      device_id: input.device_id ?? '',
      device_owner: owner,
      security_groups: groups,
      port_security_enabled: secured,
      allowed_address_pairs: pairs,
      extra_dhcp_opts: mergeOptions([], input.extra_dhcp_opts ?? []),
      dns_name: input.dns_name ?? '',
      dns_domain: input.dns_domain ?? '',
      propagate_uplink_status: input.propagate_uplink_status ?? true,
      vnic_type: input['binding:vnic_type'] ?? 'normal',
      host: input['binding:host_id'] ?? '',
      profile: input['binding:profile'] ?? {},
    });
    await withinQuota(tx, parts, projectId, ['port']);
    await parts.news.made(ctx, tx, port);
    if (port.status === 'ACTIVE') await parts.news.status(ctx, tx, port);
    return port;
  }

  /** The groups of a new port: those asked for, or the project's default one. */
  private async groupsOfNew(
    ctx: RequestContext,
    tx: Tx,
    input: PortInput,
    projectId: string,
    secured: boolean,
  ): Promise<readonly string[]> {
    const asked = input.security_groups;
    if (!secured) {
      if (asked !== undefined && asked.length > 0) throw NeutronError.PortSecurityAndIPRequiredForSecurityGroups();
      return [];
    }
    if (asked !== undefined) return this.checkedGroups(ctx, tx, asked, projectId);
    const group = await ensureDefaultGroup(tx, this.parts, projectId);
    return group === null ? [] : [group];
  }

  private async checkedGroups(
    ctx: RequestContext,
    tx: Tx,
    asked: readonly string[],
    projectId: string,
  ): Promise<readonly string[]> {
    const ids = [...new Set(asked)];
    if (ids.length === 0) return [];
    const viewer = viewerOf(ctx, this.parts.policy);
    // A service that acts for a project chooses from what the project sees.
    const found = await this.parts.groups.findAll(tx, ids, viewer.all ? EVERYTHING : { projectId, all: false }, {
      lock: 'use',
    });
    const known = new Set(found.map((one) => one.id));
    const missing = ids.find((id) => !known.has(id));
    if (missing !== undefined) throw NeutronError.SecurityGroupNotFound({ id: missing });
    return ids;
  }

  /**
   * A port does not pass itself off as the interface of another project's router. Throws 409 `DeviceIDNotOwnedByTenant`.
   * upstream: neutron/db/db_base_plugin_v2.py _enforce_device_owner_not_router_intf_or_device_id
   */
  private async mustNotPose(
    ctx: RequestContext,
    tx: Tx,
    projectId: string,
    owner: string,
    deviceId: string,
  ): Promise<void> {
    const { policy, routers } = this.parts;
    if (!isRouterInterface(owner) || isAdmin(ctx, policy)) return;
    const router = await routers.find(tx, deviceId, EVERYTHING);
    if (router !== null && router.project_id !== projectId)
      throw NeutronError.DeviceIDNotOwnedByTenant({ device_id: deviceId });
  }

  private checkAttributes(
    ctx: RequestContext,
    action: string,
    input: PortInput,
    target: Target,
    defaults: Readonly<Record<string, unknown>>,
  ): void {
    const { policy, ruled } = this.parts;
    mustAllowAttributes(ctx, policy, action, input, ruled, target, defaults);
    for (const ip of input.fixed_ips ?? []) {
      if (ip.ip_address !== undefined) mustAllow(ctx, policy, `${action}:fixed_ips:ip_address`, target);
    }
  }

  /** Changes a port; binding it to another host makes it DOWN until the host says that it works. */
  async update(ctx: RequestContext, id: string, input: PortInput, revision: number | null): Promise<Port> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    return parts.db.run('port.update', async (tx) => {
      const before = await findOr(tx, parts.ports, id, viewer, NeutronError.PortNotFound, 'port_id', 'change');
      const network = await findOr(
        tx,
        parts.networks,
        before.network_id,
        EVERYTHING,
        NeutronError.NetworkNotFound,
        'net_id',
      );
      mustAllow(ctx, parts.policy, 'update_port', targetOf(before, network));
      const target = targetOf({ ...before, ...input }, network);
      this.checkAttributes(ctx, 'update_port', input, target, { ...before });
      matchRevision(before.revision_number, revision);
      if (input.device_owner !== undefined || (input.device_id ?? before.device_id) !== before.device_id) {
        const { device_owner: owner, device_id: device } = { ...before, ...input };
        await this.mustNotPose(ctx, tx, before.project_id, owner, device);
      }
      const patch = await this.patchOf(ctx, tx, before, network, input);
      return this.apply(ctx, tx, before, patch, input);
    });
  }

  private async patchOf(
    ctx: RequestContext,
    tx: Tx,
    before: Port,
    network: Network,
    input: PortInput,
  ): Promise<Partial<Port>> {
    const { parts } = this;
    const {
      fixed_ips: _ips,
      security_groups: asked,
      extra_dhcp_opts: options,
      allowed_address_pairs: pairs,
      mac_address: mac,
      ...rest
    } = input;
    const secured = input.port_security_enabled ?? before.port_security_enabled;
    const groups =
      asked === undefined ? before.security_groups : await this.checkedGroups(ctx, tx, asked, before.project_id);
    if (!secured && groups.length > 0) throw NeutronError.PortSecurityPortHasSecurityGroup();
    if (pairs !== undefined) checkPairs(pairs, parts.settings.maxAddressPairs);
    if (!secured && (pairs ?? before.allowed_address_pairs).length > 0)
      throw NeutronError.AddressPairAndPortSecurityRequired();
    const newMac = mac ?? before.mac_address;
    if (
      newMac !== before.mac_address &&
      before['binding:host_id'] !== '' &&
      (input['binding:host_id'] ?? before['binding:host_id']) !== ''
    )
      throw NeutronError.PortBound({
        port_id: before.id,
        vif_type: before['binding:vif_type'],
        old_mac: before.mac_address,
        new_mac: newMac,
      });
    return {
      ...(rest as Partial<Port>),
      ...(newMac === before.mac_address ? {} : { mac_address: newMac }),
      ...(asked === undefined ? {} : { security_groups: groups }),
      ...(options === undefined ? {} : { extra_dhcp_opts: mergeOptions(before.extra_dhcp_opts, options) }),
      ...(pairs === undefined
        ? {}
        : {
            allowed_address_pairs: pairs.map((one) => ({
              ip_address: one.ip_address,
              mac_address: one.mac_address ?? newMac,
            })),
          }),
      ...(await this.rebinding(tx, before, network, input)),
    };
  }

  private async rebinding(tx: Tx, before: Port, network: Network, input: PortInput): Promise<Partial<Port>> {
    const host = input['binding:host_id'] ?? before['binding:host_id'];
    const vnicType = input['binding:vnic_type'] ?? before['binding:vnic_type'];
    const moved = host !== before['binding:host_id'] || vnicType !== before['binding:vnic_type'];
    const up = input.admin_state_up ?? before.admin_state_up;
    // A binding that failed is tried again with every update.
    if (!moved && before['binding:vif_type'] !== 'binding_failed') {
      if (up === before.admin_state_up) return {};
      return up ? {} : { status: 'DOWN' };
    }
    const { wired, ...bound } = await bind(
      tx,
      this.parts,
      { network_id: network.id, 'binding:vnic_type': vnicType },
      host,
    );
    return { ...bound, status: host !== '' && !wired && up ? 'ACTIVE' : 'DOWN' };
  }

  private async apply(
    ctx: RequestContext,
    tx: Tx,
    before: Port,
    patch: Partial<Port>,
    input: PortInput,
  ): Promise<Port> {
    const { parts } = this;
    if (!(await parts.ports.update(tx, before.id, patch, parts.clock.now())))
      throw NeutronError.MacAddressInUse({ net_id: before.network_id, mac: patch.mac_address ?? before.mac_address });
    if (patch.security_groups !== undefined) await parts.ports.setSecurityGroups(tx, before.id, patch.security_groups);
    if (input.fixed_ips !== undefined || patch.mac_address !== undefined) {
      const subnets = await parts.subnets.ofNetwork(tx, before.network_id);
      await assertSubnetsExist(tx, parts.subnets, viewerOf(ctx, parts.policy), subnets, input.fixed_ips ?? []);
      const addressee = { ...before, ...patch, fixed_ips: before.fixed_ips };
      const asked = input.fixed_ips ?? before.fixed_ips.map((one) => ({ subnet_id: one.subnet_id }));
      await this.addressing.change(tx, addressee, subnets, asked);
    }
    const after = await findOr(tx, parts.ports, before.id, EVERYTHING, NeutronError.PortNotFound, 'port_id');
    await parts.floating.portChanged(ctx, tx, before, after);
    await parts.news.changed(ctx, tx, before, after);
    const elsewhere = after['binding:host_id'] !== before['binding:host_id'];
    // Where nobody has to wire it, it works on its new host without having been down.
    if (after.status !== before.status || (elsewhere && after.status === 'ACTIVE'))
      await parts.news.status(ctx, tx, after);
    return after;
  }

  /** Deletes a port at once, whatever is bound to it. Routers' and floating IPs' ports go with these alone. */
  async remove(ctx: RequestContext, id: string): Promise<void> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    await parts.db.run('port.delete', async (tx) => {
      const port = await findOr(tx, parts.ports, id, viewer, NeutronError.PortNotFound, 'port_id', 'remove');
      const network = await findOr(
        tx,
        parts.networks,
        port.network_id,
        EVERYTHING,
        NeutronError.NetworkNotFound,
        'net_id',
      );
      mustAllow(ctx, parts.policy, 'delete_port', targetOf(port, network));
      if (ROUTER_OWNERS.includes(port.device_owner) && (await this.belongs(tx, port)))
        throw NeutronError.ServicePortInUse({ port_id: id, reason: `has device owner ${port.device_owner}` });
      await parts.floating.portChanged(ctx, tx, port, null);
      await parts.news.removed(ctx, tx, port);
      await parts.ports.remove(tx, id);
    });
  }

  /** Whether a router or floating IP has the port; anybody may write such an owner into a port of his network. */
  private async belongs(tx: Tx, port: Port): Promise<boolean> {
    const { routers, floatingIps } = this.parts;
    if ((await routers.ofPort(tx, port.id)) !== null) return true;
    return (await floatingIps.list(tx, EVERYTHING, where({ id: port.device_id }))).length > 0;
  }
}

/** A port as policy rules see it. */
export function targetOf(port: Readonly<Record<string, unknown>> | Port, network: Network): Target {
  const owner = (port as Readonly<Record<string, unknown>>)['device_owner'];
  return {
    ...port,
    'network:project_id': network.project_id,
    shared: network.shared,
    network_device: typeof owner === 'string' && isTrusted(owner),
  };
}
