import type { RequestContext, Tx } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { AGENT_TYPE, NeutronError, type CreationOf, type networkResource } from '@nestack/neutron/contract';
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
import { OWNER } from '../l2-ports/owners';
import type { PortNews } from '../l2-ports/port-news';
import { EVERYTHING, where, type ListQuery, type Network } from '../model';
import type { NeutronParts } from '../parts';
import { ensureDefaultGroup } from '../security-groups/default-group';
import { chooseSegment, checkMtu } from './segments';

export type NetworkInput = CreationOf<typeof networkResource>;

export interface NetworksParts extends NeutronParts {
  readonly news: PortNews;
  readonly dhcp: DhcpScheduling;
  readonly ruled: ReadonlySet<string>;
}

const DEFAULTS = { shared: false, 'router:external': false, is_default: false, port_security_enabled: true };
const SEGMENT_TRIES = 8;
const PROVIDER = ['provider:network_type', 'provider:physical_network', 'provider:segmentation_id'] as const;

/** Networks. */
export class Networks {
  constructor(private readonly parts: NetworksParts) {}

  async list(ctx: RequestContext, query: ListQuery): Promise<Network[]> {
    const { db, networks, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('network.list', (tx) =>
      listPage(tx, networks, viewer, query, NeutronError.NetworkNotFound, 'net_id'),
    );
  }

  async show(ctx: RequestContext, id: string): Promise<Network> {
    const { db, networks, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return db.read('network.show', (tx) => findOr(tx, networks, id, viewer, NeutronError.NetworkNotFound, 'net_id'));
  }

  /** Creates networks in one transaction. Throws 409 for taken segments and quotas, 503 when no segment is left. */
  async create(ctx: RequestContext, asked: readonly NetworkInput[]): Promise<Network[]> {
    return this.parts.db.run('network.create', async (tx) => {
      const made: Network[] = [];
      for (const input of asked) made.push(await this.make(ctx, tx, input));
      return made;
    });
  }

  /** Creates one in a transaction that is there. */
  async make(ctx: RequestContext, tx: Tx, input: NetworkInput): Promise<Network> {
    const { parts } = this;
    const { policy } = parts;
    const projectId = ownerOf(ctx, policy, input.project_id);
    const target = { ...input, project_id: projectId };
    mustAllow(ctx, policy, 'create_network', target);
    mustAllowAttributes(ctx, policy, 'create_network', input, parts.ruled, target, DEFAULTS);
    await this.checkZones(tx, input.availability_zone_hints ?? []);
    const now = parts.clock.now();
    const draft: Network = {
      id: newUuid(),
      project_id: projectId,
      name: input.name ?? '',
      description: input.description ?? '',
      tags: [],
      revision_number: 1,
      created_at: now,
      updated_at: now,
      status: 'ACTIVE',
      subnets: [],
      admin_state_up: input.admin_state_up ?? true,
      shared: input.shared ?? false,
      'router:external': input['router:external'] ?? false,
      is_default: (input.is_default ?? false) && (input['router:external'] ?? false),
      mtu: input.mtu ?? 0,
      port_security_enabled: input.port_security_enabled ?? true,
      availability_zone_hints: input.availability_zone_hints ?? [],
      availability_zones: [],
      dns_domain: input.dns_domain ?? '',
      ipv4_address_scope: null,
      ipv6_address_scope: null,
      'provider:network_type': '',
      'provider:physical_network': null,
      'provider:segmentation_id': null,
    };
    if (input.is_default === true) await this.onlyDefault(tx, draft.id);
    const network = await this.insert(tx, draft, input);
    await withinQuota(tx, parts, projectId, ['network']);
    const object = { type: 'network', id: network.id, project_id: projectId } as const;
    if (network.shared) await parts.rbac.share(tx, object, 'access_as_shared', true);
    if (network['router:external']) await parts.rbac.share(tx, object, 'access_as_external', true);
    await ensureDefaultGroup(tx, parts, projectId);
    return network;
  }

  /** Another network may take the segment between its choice and the insertion; then another one is chosen. */
  private async insert(tx: Tx, draft: Network, input: NetworkInput): Promise<Network> {
    const { parts } = this;
    for (let tries = 0; tries < SEGMENT_TRIES; tries += 1) {
      const segment = await chooseSegment(tx, parts, input);
      const network: Network = {
        ...draft,
        ...segment.fields,
        mtu: checkMtu(parts.settings, segment.fields['provider:network_type'], draft.mtu),
      };
      if (await parts.networks.insert(tx, network)) return network;
      if (segment.taken !== null) throw segment.taken;
    }
    throw NeutronError.NoNetworkAvailable();
  }

  private async checkZones(tx: Tx, hints: readonly string[]): Promise<void> {
    if (hints.length === 0) return;
    const agents = await this.parts.agents.list(tx);
    const zones = new Set(
      agents.filter((one) => one.agent_type === AGENT_TYPE.dhcp).map((one) => one.availability_zone),
    );
    const unknown = hints.find((hint) => !zones.has(hint));
    if (unknown !== undefined) throw NeutronError.AvailabilityZoneNotFound({ availability_zone: unknown });
  }

  /** There is one default external network at most. upstream: neutron/services/auto_allocate/db.py */
  private async onlyDefault(tx: Tx, id: string): Promise<void> {
    const [known] = await this.parts.networks.list(tx, EVERYTHING, where({ is_default: 'true' }));
    if (known !== undefined && known.id !== id) throw NeutronError.DefaultExternalNetworkExists({ net_id: known.id });
  }

  async update(ctx: RequestContext, id: string, input: NetworkInput, revision: number | null): Promise<Network> {
    const { parts } = this;
    const { policy, networks } = parts;
    const viewer = viewerOf(ctx, policy);
    return parts.db.run('network.update', async (tx) => {
      const before = await findOr(tx, networks, id, viewer, NeutronError.NetworkNotFound, 'net_id', 'change');
      mustAllow(ctx, policy, 'update_network', { ...before });
      mustAllowAttributes(ctx, policy, 'update_network', input, parts.ruled, { ...before });
      matchRevision(before.revision_number, revision);
      for (const name of PROVIDER) {
        if (input[name] !== undefined && input[name] !== before[name])
          throw NeutronError.InvalidInput({ error_message: 'Plugin does not support updating provider attributes' });
      }
      const { shared, 'router:external': external, ...rest } = input;
      const object = { type: 'network', id, project_id: before.project_id } as const;
      if (shared !== undefined && shared !== before.shared) {
        if (!shared && (await networks.usedByOthers(tx, id, before.project_id)))
          throw NeutronError.InvalidSharedSetting({ network: before.name });
        await parts.rbac.share(tx, object, 'access_as_shared', shared);
      }
      if (external !== undefined && external !== before['router:external']) {
        if (!external && (await networks.hasGateways(tx, id))) throw NeutronError.ExternalNetworkInUse({ net_id: id });
        await parts.rbac.share(tx, object, 'access_as_external', external);
      }
      const outside = external ?? before['router:external'];
      if (input.is_default === true && outside) await this.onlyDefault(tx, id);
      const patch: Partial<Network> = {
        ...(rest as Partial<Network>),
        ...(external === undefined ? {} : { 'router:external': external }),
        // Only networks that lead outside can be the default one.
        ...(input.is_default === undefined && outside ? {} : { is_default: outside && (input.is_default ?? false) }),
        ...(input.mtu === undefined
          ? {}
          : { mtu: checkMtu(parts.settings, before['provider:network_type'], input.mtu) }),
      };
      for (const name of PROVIDER) delete (patch as Record<string, unknown>)[name];
      await networks.update(tx, id, patch, parts.clock.now());
      const after = await findOr(tx, networks, id, { ...viewer, all: true }, NeutronError.NetworkNotFound, 'net_id');
      if (after.mtu !== before.mtu || after.admin_state_up !== before.admin_state_up)
        await this.announce(ctx, tx, after);
      return after;
    });
  }

  private async announce(ctx: RequestContext, tx: Tx, network: Network): Promise<void> {
    const { parts } = this;
    const agents = await parts.agents.dhcpAgents(tx, network.id);
    await parts.messages.add(ctx, tx, {
      agents: [
        { method: 'network_update', args: { network_id: network.id } },
        ...agents.map(
          (one) => ({ method: 'network_update_end', host: one.host, args: { network_id: network.id } }) as const,
        ),
      ],
    });
  }

  /** Deletes a network with its subnets and DHCP ports. Throws 409 while others have ports on it. */
  async remove(ctx: RequestContext, id: string): Promise<void> {
    await this.parts.db.run('network.delete', (tx) => this.drop(ctx, tx, id));
  }

  /** Deletes one in a transaction that is there. */
  async drop(ctx: RequestContext, tx: Tx, id: string): Promise<void> {
    const { parts } = this;
    const viewer = viewerOf(ctx, parts.policy);
    const network = await findOr(tx, parts.networks, id, viewer, NeutronError.NetworkNotFound, 'net_id', 'remove');
    mustAllow(ctx, parts.policy, 'delete_network', { ...network });
    await this.dropFreeFloatingIps(ctx, tx, id);
    const ports = await parts.ports.onNetwork(tx, id);
    if (ports.some((port) => port.device_owner !== OWNER.dhcp)) throw NeutronError.NetworkInUse({ net_id: id });
    const agents = await parts.agents.dhcpAgents(tx, id);
    for (const agent of agents) await parts.dhcp.unschedule(ctx, tx, network, agent);
    for (const port of await parts.ports.onNetwork(tx, id)) {
      await parts.news.removed(ctx, tx, port);
      await parts.ports.remove(tx, port.id);
    }
    for (const subnet of await parts.subnets.ofNetwork(tx, id)) await parts.subnets.remove(tx, subnet.id);
    await parts.rbac.removeOf(tx, id);
    await parts.networks.remove(tx, id);
    await parts.messages.add(ctx, tx, { agents: [{ method: 'network_delete', args: { network_id: id } }] });
  }

  /** Floating IPs that lead nowhere do not hold their network. upstream: neutron/db/l3_db.py delete_disassociated_floatingips */
  private async dropFreeFloatingIps(ctx: RequestContext, tx: Tx, networkId: string): Promise<void> {
    const { parts } = this;
    const free = await parts.floatingIps.list(
      tx,
      EVERYTHING,
      where({ floating_network_id: networkId, port_id: '', router_id: '' }),
    );
    for (const fip of free) {
      await parts.floatingIps.remove(tx, fip.id);
      const port = await parts.ports.find(tx, fip.floating_port_id, EVERYTHING);
      if (port === null) continue;
      await parts.news.removed(ctx, tx, port);
      await parts.ports.remove(tx, port.id);
    }
  }
}
