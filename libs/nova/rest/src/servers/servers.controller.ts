import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, JsonBody, nextLinks, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  createServer,
  deleteServer,
  isTrue,
  listServers,
  listServersDetail,
  showServer,
  updateServer,
  type CreateServerFields,
} from '@nestack/nova/contract';
import { CreateServers, Servers, callerOf, type InstanceQuery } from '@nestack/nova/domain';
import { instanceQueryOf } from './list-query';
import { serverListBytes } from './server-list-bytes';
import { changedServerView, serverBrief, serverLinks, serverView } from './servers.views';
import { ViewOptions } from './view-options';

/** `/servers` */
@Injectable()
export class ServersController {
  constructor(
    @Inject(Servers) private readonly servers: Servers,
    @Inject(CreateServers) private readonly creation: CreateServers,
    @Inject(ViewOptions) private readonly views: ViewOptions,
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
  ) {}

  @Handles(listServers)
  async list(request: RequestOf<typeof listServers>) {
    const { items, links } = await this.page(
      request,
      '/servers',
      (query) => this.servers.listNames(query),
      ({ uuid }) => uuid,
    );
    return { servers: items.map((item) => serverBrief(item, request)), ...links };
  }

  @Handles(listServersDetail)
  async detail(request: RequestOf<typeof listServersDetail>) {
    const options = await this.views.of(request);
    const { items, links } = await this.page(
      request,
      '/servers/detail',
      (query) => this.servers.list({ ...query, with_user_data: options.admin && request.version.atLeast('2.3') }),
      ({ instance }) => instance.uuid,
    );
    return new JsonBody(serverListBytes(items, options, links));
  }

  @Handles(createServer)
  async create(request: RequestOf<typeof createServer>) {
    const body = request.body as unknown as {
      server: CreateServerFields;
      'os:scheduler_hints'?: Record<string, unknown>;
      'OS-SCH-HNT:scheduler_hints'?: Record<string, unknown>;
    };
    // Before 2.19 the name is the description as well.
    const fields = request.version.atLeast('2.19')
      ? body.server
      : { ...body.server, description: body.server.name.trim() };
    const hints = body['os:scheduler_hints'] ?? body['OS-SCH-HNT:scheduler_hints'] ?? {};
    const made = await this.creation.create(request.ctx, fields, hints, request.version.atLeast('2.60'));
    const [first] = made;
    if (first === undefined) throw new Error('no instance was made');
    if (isTrue(fields.return_reservation_id ?? false)) return { reservation_id: first.reservation_id };
    const links = serverLinks(request.baseUrl, first.uuid);
    return new ApiReply(
      {
        server: {
          id: first.uuid,
          links,
          'OS-DCF:diskConfig': first.disk_config,
          security_groups: (fields.security_groups ?? [{ name: 'default' }]).map(({ name }) => ({ name })),
          adminPass: fields.adminPass ?? randomBytes(9).toString('base64url'),
        },
      },
      { status: 202, headers: { location: `${request.baseUrl}/servers/${first.uuid}` } },
    );
  }

  @Handles(showServer)
  async show(request: RequestOf<typeof showServer>) {
    const item = await this.servers.show(request.ctx, request.params['server_id'] ?? '');
    return { server: serverView(item, await this.views.of(request)) };
  }

  @Handles(updateServer)
  async update(request: RequestOf<typeof updateServer>) {
    const fields = (request.body as { server: Partial<Record<string, string | null>> }).server;
    const patch: Parameters<Servers['update']>[2] = {
      ...(fields['name'] === undefined || fields['name'] === null ? {} : { display_name: fields['name'].trim() }),
      ...(fields['description'] === undefined ? {} : { display_description: fields['description'] }),
      ...(fields['accessIPv4'] === undefined ? {} : { access_ip_v4: fields['accessIPv4'] }),
      ...(fields['accessIPv6'] === undefined ? {} : { access_ip_v6: fields['accessIPv6'] }),
      ...(fields['hostname'] === undefined || fields['hostname'] === null ? {} : { hostname: fields['hostname'] }),
      ...(fields['OS-DCF:diskConfig'] === undefined || fields['OS-DCF:diskConfig'] === null
        ? {}
        : { disk_config: fields['OS-DCF:diskConfig'] as 'AUTO' | 'MANUAL' }),
    };
    const item = await this.servers.update(request.ctx, request.params['server_id'] ?? '', patch);
    return { server: changedServerView(item, await this.views.of(request, { hostStatus: '2.75' })) };
  }

  @Handles(deleteServer)
  async delete(request: RequestOf<typeof deleteServer>) {
    await this.servers.delete(request.ctx, request.params['server_id'] ?? '');
    return new ApiReply(null, { status: 204 });
  }

  private async page<Item>(
    request: ApiRequest,
    path: string,
    list: (query: InstanceQuery) => Promise<readonly Item[]>,
    idOf: (item: Item) => string,
  ): Promise<{ items: readonly Item[]; links: { servers_links?: { rel: string; href: string }[] } }> {
    const rule = `os_compute_api:servers:${path === '/servers' ? 'index' : 'detail'}:get_all_tenants`;
    const query = instanceQueryOf(request, {
      admin: callerOf(request.ctx).isAdmin,
      allFilters: this.policy.allows(request.ctx, 'os_compute_api:servers:allow_all_filters'),
      refusesAllTenants: this.policy.allows(request.ctx, rule) ? null : rule,
    });
    if (query === 'empty') return { items: [], links: {} };
    const items = await list(query);
    const last = items.at(-1);
    const links = nextLinks(request, path, {
      count: items.length,
      limit: query.limit,
      lastId: last === undefined ? undefined : idOf(last),
    });
    return { items, links: links.length === 0 ? {} : { servers_links: links } };
  }
}
