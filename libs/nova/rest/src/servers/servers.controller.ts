import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, nextLinks, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  NovaError,
  createServer,
  deleteServer,
  isTrue,
  listServers,
  listServersDetail,
  showServer,
  updateServer,
  type CreateServerFields,
} from '@nestack/nova/contract';
import { CreateServers, Servers, callerOf, type InstanceListItem } from '@nestack/nova/domain';
import { instanceQueryOf } from './list-query';
import { serverBrief, serverLinks, serverView } from './servers.views';

/** `/servers` */
@Injectable()
export class ServersController {
  constructor(
    @Inject(Servers) private readonly servers: Servers,
    @Inject(CreateServers) private readonly creation: CreateServers,
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
  ) {}

  @Handles(listServers)
  async list(request: RequestOf<typeof listServers>) {
    const { items, links } = await this.page(request, '/servers');
    return { servers: items.map((item) => serverBrief(item, request)), ...links };
  }

  @Handles(listServersDetail)
  async detail(request: RequestOf<typeof listServersDetail>) {
    const { items, links } = await this.page(request, '/servers/detail');
    const options = { request, admin: this.extended(request) };
    return { servers: items.map((item) => serverView(item, options)), ...links };
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
    const made = await this.creation.create(request.ctx, fields, hints);
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
    return {
      server: serverView(item, {
        request,
        admin: this.extended(request),
        hostStatus: (one) => (one.host === null ? '' : 'UP'),
      }),
    };
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
    return { server: serverView(item, { request, admin: this.extended(request) && request.version.atLeast('2.75') }) };
  }

  @Handles(deleteServer)
  async delete(request: RequestOf<typeof deleteServer>) {
    await this.servers.delete(request.ctx, request.params['server_id'] ?? '');
    return new ApiReply(null, { status: 204 });
  }

  private extended(request: Pick<ApiRequest, 'ctx'>): boolean {
    return this.policy.allows(request.ctx, 'os_compute_api:os-extended-server-attributes');
  }

  private async page(
    request: ApiRequest,
    path: string,
  ): Promise<{ items: readonly InstanceListItem[]; links: { servers_links?: { rel: string; href: string }[] } }> {
    const query = instanceQueryOf(request, callerOf(request.ctx).isAdmin);
    if (query === 'empty') return { items: [], links: {} };
    if (query.name !== undefined) assertRegex(query.name);
    const items = await this.servers.list(query);
    const links = nextLinks(request, path, {
      count: items.length,
      limit: query.limit,
      lastId: items.at(-1)?.instance.uuid,
    });
    return { items, links: links.length === 0 ? {} : { servers_links: links } };
  }
}

function assertRegex(pattern: string): void {
  try {
    new RegExp(pattern);
  } catch {
    throw NovaError.InvalidInput({ reason: `Invalid regular expression ${pattern}` });
  }
}
