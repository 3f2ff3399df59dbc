import { Inject, Injectable } from '@nestjs/common';
import { Handles, nextLinks, parseBoolean, parsePage, type ApiRequest } from '@nestack/kernel/http';
import { RPC_CLIENTS, type RpcClient, type RpcClients } from '@nestack/kernel/rpc';
import {
  ComputeRpc,
  NovaError,
  hypervisorServers,
  hypervisorStatistics,
  hypervisorUptime,
  listHypervisors,
  listHypervisorsDetail,
  searchHypervisors,
  showHypervisor,
} from '@nestack/nova/contract';
import { Hosts, type Hypervisor } from '@nestack/nova/domain';
import { MAX_LIMIT } from '../servers/list-query';
import { hypervisorBrief, hypervisorView, serversOf, statisticsOf } from './hypervisors.views';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** upstream: nova/api/openstack/compute/hypervisors.py */
@Injectable()
export class HypervisorsController {
  private readonly compute: RpcClient<typeof ComputeRpc>;

  constructor(
    @Inject(Hosts) private readonly hosts: Hosts,
    @Inject(RPC_CLIENTS) clients: RpcClients,
  ) {
    this.compute = clients.client(ComputeRpc);
  }

  @Handles(listHypervisors)
  list(request: ApiRequest) {
    return this.page(request, '/os-hypervisors', (one) => hypervisorBrief(one, request.version));
  }

  @Handles(listHypervisorsDetail)
  detail(request: ApiRequest) {
    return this.page(request, '/os-hypervisors/detail', (one) => hypervisorView(one, request.version));
  }

  @Handles(hypervisorStatistics)
  async statistics() {
    return { hypervisor_statistics: statisticsOf(await this.hosts.hypervisors()) };
  }

  @Handles(showHypervisor)
  async show(request: ApiRequest) {
    const found = await this.hosts.hypervisor(idOf(request));
    return { hypervisor: { ...hypervisorView(found, request.version), ...withServers(found, request) } };
  }

  @Handles(hypervisorUptime)
  async uptime(request: ApiRequest) {
    const found = await this.hosts.hypervisor(idOf(request));
    if (!found.up)
      throw NovaError.BadRequest({ reason: `Compute service of ${found.node.host} is unavailable at this time.` });
    const { uptime } = await this.compute.get_host_uptime(request.ctx, {}, { host: found.node.host });
    return { hypervisor: { ...hypervisorBrief(found, request.version), uptime } };
  }

  @Handles(searchHypervisors)
  async search(request: ApiRequest) {
    const found = await this.matching(request.params['hypervisor_hostname_pattern'] ?? '');
    return { hypervisors: found.map((one) => hypervisorBrief(one, request.version)) };
  }

  @Handles(hypervisorServers)
  async servers(request: ApiRequest) {
    const found = await this.matching(request.params['hypervisor_hostname_pattern'] ?? '');
    return {
      hypervisors: found.map((one) => ({
        ...hypervisorBrief(one, request.version),
        ...(one.instances.length === 0 ? {} : { servers: serversOf(one) }),
      })),
    };
  }

  /** Pages from 2.33 on, patterns and servers from 2.53 on; never a page of what matches a pattern. */
  private async page(request: ApiRequest, path: string, view: (one: Hypervisor) => Record<string, unknown>) {
    const { rawQuery, version } = request;
    const pattern = version.atLeast('2.53') ? rawQuery.get('hypervisor_hostname_pattern') : null;
    if (pattern !== null) {
      if (rawQuery.has('limit') || rawQuery.has('marker'))
        throw NovaError.BadRequest({
          reason: 'Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.',
        });
      const found = await this.matching(pattern);
      return { hypervisors: found.map((one) => ({ ...view(one), ...withServers(one, request) })) };
    }
    const all = [...(await this.hosts.hypervisors())].sort((a, b) => a.node.id - b.node.id);
    if (!version.atLeast('2.33')) return { hypervisors: all.map(view) };
    const { limit, marker } = parsePage(rawQuery, { max: MAX_LIMIT });
    const idAt = ({ node }: Hypervisor): string => (version.atLeast('2.53') ? node.uuid : String(node.id));
    const after = marker === null ? -1 : all.findIndex((one) => idAt(one) === marker);
    if (marker !== null && after < 0) throw NovaError.ListMarkerNotFound({ marker });
    const rows = all.slice(after + 1, after + 1 + limit);
    const last = rows.at(-1);
    const links =
      after + 1 + rows.length < all.length
        ? nextLinks(request, path, { count: rows.length, limit, lastId: last === undefined ? undefined : idAt(last) })
        : [];
    return {
      hypervisors: rows.map((one) => ({ ...view(one), ...withServers(one, request) })),
      ...(links.length === 0 ? {} : { hypervisors_links: links }),
    };
  }

  private async matching(pattern: string): Promise<readonly Hypervisor[]> {
    const all = await this.hosts.hypervisors();
    const found = all.filter(({ node }) => node.facts.hypervisor_hostname.includes(pattern));
    if (found.length === 0) throw NovaError.HypervisorPatternNotFound({ pattern });
    return found;
  }
}

/** A number before 2.53, a uuid from then on. */
function idOf(request: ApiRequest): string {
  const id = request.params['hypervisor_id'] ?? '';
  if (request.version.atLeast('2.53')) {
    if (!UUID.test(id)) throw NovaError.BadRequest({ reason: `Invalid uuid ${id}` });
  } else if (!/^\d+$/.test(id)) throw NovaError.HypervisorNotFound({ hypervisor_id: id });
  return id;
}

/** The servers where they are asked for: from 2.75 on the list even when it is empty. */
function withServers(hypervisor: Hypervisor, { rawQuery, version }: ApiRequest): Record<string, unknown> {
  if (!version.atLeast('2.53')) return {};
  const text = rawQuery.get('with_servers');
  const asked = text === null ? false : parseBoolean(text);
  if (asked === null) throw NovaError.BadRequest({ reason: `Invalid value for with_servers: ${text ?? ''}` });
  if (!asked || (hypervisor.instances.length === 0 && !version.atLeast('2.75'))) return {};
  return { servers: serversOf(hypervisor) };
}
