import type { RequestContext } from '@nestack/kernel/context';
import type { Denials, Operation } from '@nestack/kernel/http';
import type { ServerGroups, Servers } from '@nestack/nova/domain';

/**
 * Who may not do something with a server or a server group hears of the denial only if he may know of it at all: upstream
 * looks for it first, within the caller's project. upstream: nova/api/openstack/common.py get_instance
 */
export class HiddenResources implements Denials {
  constructor(
    private readonly servers: Servers,
    private readonly groups: ServerGroups,
  ) {}

  async denied(ctx: RequestContext, operation: Operation, params: Readonly<Record<string, string>>): Promise<void> {
    const { server_id: server, server_group_id: group } = params;
    if (server !== undefined && operation.path.startsWith('/servers/{server_id}')) await this.servers.get(ctx, server);
    if (group !== undefined) await this.groups.show(ctx, group);
  }
}
