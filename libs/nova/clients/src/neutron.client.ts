import type { RequestContext } from '@nestack/kernel/context';
import { orNull, type ApiClient, type ApiClients } from '@nestack/kernel/http';
import {
  createPort,
  deletePort,
  getAutoAllocatedTopology,
  listFloatingIps,
  listNetworks,
  listPorts,
  listSecurityGroups,
  listSubnets,
  neutronApi,
  showNetwork,
  showPort,
  updatePort,
} from '@nestack/neutron/contract';
import { NovaError, type Nic } from '@nestack/nova/contract';
import type {
  As,
  NetworkPort,
  NetworkRequest,
  NetworkSummary,
  PortSummary,
  SecurityGroupDetail,
  SecurityGroupSummary,
  ServerOfProject,
} from '@nestack/nova/domain';
import { inNovasWords, unlessConflict } from './neutron-errors';
import {
  OWN_PROFILE,
  REQUEST_KEY,
  madeByNova,
  nicOf,
  type FloatingView,
  type NetworkMap,
  type NetworkView,
  type PortView,
  type SubnetView,
} from './neutron-nics';

type About = Parameters<NetworkPort['ensurePorts']>[1];
type OneAbout = Parameters<NetworkPort['ensurePort']>[1];

const PORT_FIELDS = [
  'id',
  'project_id',
  'network_id',
  'device_id',
  'status',
  'mac_address',
  'fixed_ips',
  'security_groups',
  'port_security_enabled',
  'binding:vif_type',
  'binding:profile',
];
const NETWORK_FIELDS = [
  'id',
  'name',
  'project_id',
  'shared',
  'router:external',
  'mtu',
  'subnets',
  'port_security_enabled',
];
const SUBNET_FIELDS = [
  'id',
  'network_id',
  'cidr',
  'ip_version',
  'gateway_ip',
  'enable_dhcp',
  'dns_nameservers',
  'host_routes',
];
const FLOATING_FIELDS = ['port_id', 'floating_ip_address', 'fixed_ip_address'];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Neutron as nova's networks. What a boot needs is three reads side by side and one bulk creation. */
export class NeutronClient implements NetworkPort {
  private readonly api: ApiClient;

  constructor(clients: ApiClients) {
    this.api = clients.client(neutronApi);
  }

  async available(ctx: RequestContext): Promise<readonly NetworkSummary[]> {
    const project = ctx.actor?.projectId ?? '';
    const { networks } = (await this.api.call(
      ctx,
      listNetworks,
      { query: { fields: NETWORK_FIELDS } },
      'user',
    )) as unknown as { networks: readonly NetworkView[] };
    return networks.filter((one) => one.shared || one.project_id === project).map(networkSummary);
  }

  async network(ctx: RequestContext, id: string): Promise<NetworkSummary | null> {
    const answer = await orNull(this.api.call(ctx, showNetwork, { params: { network_id: id } }, 'user'));
    return answer === null ? null : networkSummary(answer.network as NetworkView);
  }

  async canAutoAllocate(ctx: RequestContext): Promise<boolean> {
    const params = { project_id: ctx.actor?.projectId ?? '' };
    const asked = this.api.call(ctx, getAutoAllocatedTopology, { params, query: { fields: ['dry-run'] } }, 'user');
    return (await unlessConflict(asked)) !== null;
  }

  async autoAllocated(ctx: RequestContext, projectId: string): Promise<string> {
    const asked = this.api.call(ctx, getAutoAllocatedTopology, { params: { project_id: projectId } }, 'service');
    const found = await unlessConflict(asked);
    if (found === null) throw NovaError.UnableToAutoAllocateNetwork({ project_id: projectId });
    return found.auto_allocated_topology.id;
  }

  async port(ctx: RequestContext, id: string, as: As): Promise<PortSummary | null> {
    const answer = await orNull(this.api.call(ctx, showPort, { params: { port_id: id } }, as));
    return answer === null ? null : (answer.port as PortView);
  }

  async groupNames(ctx: RequestContext, ids: readonly string[]): Promise<readonly string[]> {
    if (ids.length === 0) return [];
    const query = { id: ids, fields: ['id', 'name'] };
    const { security_groups: found } = await this.api.call(ctx, listSecurityGroups, { query }, 'user');
    return (found as unknown as readonly SecurityGroupSummary[]).map(({ id, name }) => (name === '' ? id : name));
  }

  async securityGroup(ctx: RequestContext, projectId: string, nameOrId: string): Promise<SecurityGroupSummary | null> {
    const find = async (by: 'id' | 'name'): Promise<readonly SecurityGroupSummary[]> => {
      const query = { [by]: nameOrId, project_id: projectId, fields: ['id', 'name'] };
      const { security_groups: found } = (await this.api.call(
        ctx,
        listSecurityGroups,
        { query },
        'user',
      )) as unknown as { security_groups: readonly SecurityGroupSummary[] };
      return found;
    };
    const byId = UUID.test(nameOrId) ? await find('id') : [];
    const found = byId.length > 0 ? byId : await find('name');
    if (found.length > 1)
      throw NovaError.Conflict({
        reason: `Multiple security_group matches found for name '${nameOrId}', use an ID to be more specific.`,
      });
    return found[0] ?? null;
  }

  async ensurePorts(ctx: RequestContext, about: About): Promise<readonly Nic[]> {
    const { requests } = about;
    const named = requests.flatMap((one) => one.network_id ?? []);
    const [known, map] = await Promise.all([
      this.portsOf(ctx, { uuid: about.instance_uuid, project_id: about.project_id }),
      this.networkMap(ctx, named),
    ]);
    const wanted = matched(requests, known);
    const missing = requests.flatMap((request, at) => (wanted[at] === null && request.port_id === null ? [at] : []));
    const bound = requests.map(async (request, at) => {
      const port = wanted[at] ?? null;
      if (port === null && request.port_id === null) return null;
      return this.bind(ctx, about, port?.id ?? request.port_id ?? '', port);
    });
    const [made, ...others] = await Promise.all([
      this.create(
        ctx,
        about,
        missing.flatMap((at) => requests[at] ?? []),
      ),
      ...bound,
    ]);
    const ports = requests.map((_, at) => others[at] ?? made[missing.indexOf(at)]);
    const further = ports.flatMap((port) => port?.network_id ?? []).filter((id) => !map.networks.has(id));
    const full = further.length === 0 ? map : joined(map, await this.networkMap(ctx, further));
    return ports.map((port, at) => {
      if (port === undefined) throw NovaError.PortNotFound({ port_id: requests[at]?.port_id ?? '' });
      return nicOf(port, full, requests[at]?.tag ?? null);
    });
  }

  async ensurePort(ctx: RequestContext, about: OneAbout): Promise<Nic> {
    const { request, key, ...rest } = about;
    const port =
      request.port_id === null
        ? (await this.create(ctx, rest, [request], key))[0]
        : await this.bind(ctx, rest, request.port_id, null);
    if (port === undefined) throw NovaError.PortNotFound({ port_id: request.port_id ?? '' });
    return nicOf(port, await this.networkMap(ctx, [port.network_id]), request.tag);
  }

  async releaseRequested(ctx: RequestContext, server: ServerOfProject, key: string): Promise<void> {
    const ports = await this.portsOf(ctx, server);
    const asked = ports.filter((port) => port.id === key || port['binding:profile']?.[REQUEST_KEY] === key);
    await Promise.all(asked.map((port) => this.letGo(ctx, port.id, madeByNova(port))));
  }

  async releasePorts(ctx: RequestContext, server: ServerOfProject, nics: readonly Nic[]): Promise<void> {
    const own = new Set(nics.flatMap((nic) => (nic.created_by_nova ? nic.port_id : [])));
    const ports = await this.portsOf(ctx, server);
    await Promise.all(ports.map((port) => this.letGo(ctx, port.id, own.has(port.id) || madeByNova(port))));
  }

  async releasePort(ctx: RequestContext, server: ServerOfProject, nic: Nic): Promise<void> {
    const port = (await this.portsOf(ctx, server)).find((one) => one.id === nic.port_id);
    if (port !== undefined) await this.letGo(ctx, port.id, nic.created_by_nova);
  }

  async unbindPorts(ctx: RequestContext, server: ServerOfProject): Promise<void> {
    const body = { port: { 'binding:host_id': '' } };
    const ports = await this.portsOf(ctx, server);
    await Promise.all(
      ports.map((port) => orNull(this.api.call(ctx, updatePort, { params: { port_id: port.id }, body }, 'service'))),
    );
  }

  async changeSecurityGroup(
    ctx: RequestContext,
    nics: readonly Nic[],
    groupId: string,
    change: 'add' | 'remove',
  ): Promise<void> {
    if (nics.length === 0) return;
    const as: As = ctx.token === null ? 'service' : 'user';
    const ports = (await this.ports(ctx, { id: nics.map((nic) => nic.port_id) }, as)).filter(
      (port) => port.port_security_enabled && port.fixed_ips.length > 0,
    );
    const touched = ports.filter((port) => port.security_groups.includes(groupId) === (change === 'remove'));
    if (change === 'remove' && touched.length === 0)
      throw NovaError.NotFound({
        reason: `Security group ${groupId} is not associated with the instance ${ports[0]?.device_id ?? ''}`,
      });
    await Promise.all(
      touched.map((port) => {
        const kept = port.security_groups.filter((id) => id !== groupId);
        const body = { port: { security_groups: change === 'add' ? [...kept, groupId] : kept } };
        return this.api.call(ctx, updatePort, { params: { port_id: port.id }, body }, as);
      }),
    );
  }

  async securityGroupsOf(ctx: RequestContext, server: ServerOfProject): Promise<readonly SecurityGroupDetail[]> {
    const ports = await this.portsOf(ctx, server);
    const ids = [...new Set(ports.flatMap((port) => port.security_groups))];
    if (ids.length === 0) return [];
    const { security_groups: groups } = await this.api.call(ctx, listSecurityGroups, { query: { id: ids } }, 'service');
    return groups as unknown as readonly SecurityGroupDetail[];
  }

  async current(
    ctx: RequestContext,
    server: ServerOfProject,
    known: readonly Nic[],
  ): Promise<readonly { readonly nic: Nic; readonly status: string }[]> {
    const ids = known.map((nic) => nic.network_id);
    const [ports, map] = await Promise.all([this.portsOf(ctx, server), this.networkMap(ctx, ids)]);
    const further = ports.map((port) => port.network_id).filter((id) => !map.networks.has(id));
    const full = further.length === 0 ? map : joined(map, await this.networkMap(ctx, further));
    const floating = await this.floating(ctx, ports);
    const order = new Map(known.map((nic, at) => [nic.port_id, { nic, at }]));
    const place = (port: PortView): number => order.get(port.id)?.at ?? known.length;
    return [...ports]
      .sort((a, b) => place(a) - place(b))
      .map((port) => {
        const before = order.get(port.id)?.nic;
        const nic = nicOf(port, full, before?.tag ?? null, floating);
        return {
          nic: { ...nic, created_by_nova: before?.created_by_nova ?? nic.created_by_nova },
          status: port.status,
        };
      });
  }

  private async floating(ctx: RequestContext, ports: readonly PortView[]): Promise<readonly FloatingView[]> {
    if (ports.length === 0) return [];
    const query = { port_id: ports.map((port) => port.id), fields: FLOATING_FIELDS };
    const answer = await this.api.call(ctx, listFloatingIps, { query }, 'service');
    return answer.floatingips as unknown as readonly FloatingView[];
  }

  private async ports(
    ctx: RequestContext,
    query: Readonly<Record<string, string | readonly string[]>>,
    as: As,
  ): Promise<readonly PortView[]> {
    const answer = await this.api.call(ctx, listPorts, { query: { ...query, fields: PORT_FIELDS } }, as);
    return answer.ports as unknown as readonly PortView[];
  }

  private portsOf(ctx: RequestContext, { uuid, project_id }: ServerOfProject): Promise<readonly PortView[]> {
    return this.ports(ctx, { device_id: uuid, project_id }, 'service');
  }

  private async networkMap(ctx: RequestContext, ids: readonly string[]): Promise<NetworkMap> {
    const unique = [...new Set(ids)];
    if (unique.length === 0) return { networks: new Map(), subnets: new Map() };
    const [{ networks }, { subnets }] = (await Promise.all([
      this.api.call(ctx, listNetworks, { query: { id: unique, fields: NETWORK_FIELDS } }, 'service'),
      this.api.call(ctx, listSubnets, { query: { network_id: unique, fields: SUBNET_FIELDS } }, 'service'),
    ])) as unknown as [{ networks: readonly NetworkView[] }, { subnets: readonly SubnetView[] }];
    return {
      networks: new Map(networks.map((one) => [one.id, one])),
      subnets: new Map(subnets.map((one) => [one.id, one])),
    };
  }

  /** Creates and binds ports in the project's name, in the order of the requests. */
  private async create(
    ctx: RequestContext,
    about: Omit<About, 'requests'>,
    requests: readonly NetworkRequest[],
    key: string | null = null,
  ): Promise<readonly PortView[]> {
    const [first] = requests;
    if (first === undefined) return [];
    const ports = requests.map((request) => ({
      network_id: request.network_id,
      project_id: about.project_id,
      device_id: about.instance_uuid,
      device_owner: `compute:${about.availability_zone}`,
      dns_name: about.hostname,
      'binding:host_id': about.host,
      'binding:profile': key === null ? OWN_PROFILE : { ...OWN_PROFILE, [REQUEST_KEY]: key },
      ...(request.fixed_ip === null ? {} : { fixed_ips: [{ ip_address: request.fixed_ip }] }),
      ...(about.security_groups.length === 0 ? {} : { security_groups: about.security_groups }),
    }));
    const answer = (await inNovasWords(this.api.call(ctx, createPort, { body: { ports } }, 'service'), {
      network_id: first.network_id,
      address: first.fixed_ip,
      instance: about.instance_uuid,
    })) as unknown as { ports: readonly PortView[] };
    for (const port of answer.ports) assertBound(port);
    return answer.ports;
  }

  /** Gives an existing port to the instance on its host. */
  private async bind(
    ctx: RequestContext,
    about: Omit<About, 'requests'>,
    portId: string,
    known: PortView | null,
  ): Promise<PortView> {
    const port = known ?? (await this.port(ctx, portId, 'service'));
    if (port === null) throw NovaError.PortNotFound({ port_id: portId });
    if (port.project_id !== about.project_id)
      throw NovaError.PortNotUsable({ port_id: portId, instance: about.hostname });
    if (port.device_id !== '' && port.device_id !== about.instance_uuid) throw NovaError.PortInUse({ port_id: portId });
    const body = {
      port: {
        device_id: about.instance_uuid,
        device_owner: `compute:${about.availability_zone}`,
        'binding:host_id': about.host,
      },
    };
    const answer = await inNovasWords(
      this.api.call(ctx, updatePort, { params: { port_id: portId }, body }, 'service'),
      { port_id: portId },
    );
    assertBound(answer.port as PortView);
    return answer.port as PortView;
  }

  private async letGo(ctx: RequestContext, portId: string, own: boolean): Promise<void> {
    const params = { port_id: portId };
    if (own) await orNull(this.api.call(ctx, deletePort, { params }, 'service'));
    else {
      const body = { port: { device_id: '', device_owner: '', 'binding:host_id': '' } };
      await orNull(this.api.call(ctx, updatePort, { params, body }, 'service'));
    }
  }
}

function networkSummary(network: NetworkView): NetworkSummary {
  const { id, name, subnets, shared, 'router:external': external = false, port_security_enabled = true } = network;
  return { id, name, subnets, shared, external, port_security_enabled };
}

function joined(one: NetworkMap, other: NetworkMap): NetworkMap {
  return {
    networks: new Map([...one.networks, ...other.networks]),
    subnets: new Map([...one.subnets, ...other.subnets]),
  };
}

function assertBound(port: PortView): void {
  if (port['binding:vif_type'] === 'binding_failed') throw NovaError.PortBindingFailed({ port_id: port.id });
}

/** For each request the instance's port that an earlier try made or took for it. */
function matched(requests: readonly NetworkRequest[], ports: readonly PortView[]): (PortView | null)[] {
  const named = new Set(requests.map((one) => one.port_id));
  const free = ports.filter((port) => !named.has(port.id));
  return requests.map((request) => {
    if (request.port_id !== null) return ports.find((port) => port.id === request.port_id) ?? null;
    const at = free.findIndex(
      (port) =>
        port.network_id === request.network_id &&
        (request.fixed_ip === null || port.fixed_ips.some((ip) => ip.ip_address === request.fixed_ip)),
    );
    return at < 0 ? null : (free.splice(at, 1)[0] ?? null);
  });
}
