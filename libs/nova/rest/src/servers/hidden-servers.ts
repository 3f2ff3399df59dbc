import type { RequestContext } from '@nestack/kernel/context';
import type { Denials, Operation } from '@nestack/kernel/http';
import type { Servers } from '@nestack/nova/domain';

/**
 * Who may not do something with a server hears of the denial only if he may know of the server at all: upstream looks for
 * the server first, within the caller's project. upstream: nova/api/openstack/common.py get_instance
 */
export class HiddenServers implements Denials {
  constructor(private readonly servers: Servers) {}

  async denied(ctx: RequestContext, operation: Operation, params: Readonly<Record<string, string>>): Promise<void> {
    const id = params['server_id'];
    if (id !== undefined && operation.path.startsWith('/servers/{server_id}')) await this.servers.get(ctx, id);
  }
}
