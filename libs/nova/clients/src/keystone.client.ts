import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { ApiClient, ApiClients } from '@nestack/kernel/http';
import { keystoneApi, projects } from '@nestack/keystone/contract';
import type { IdentityPort } from '@nestack/nova/domain';

/** Keystone as nova's directory of projects; it is asked in the caller's name. */
export class KeystoneClient implements IdentityPort {
  private readonly api: ApiClient;

  constructor(clients: ApiClients) {
    this.api = clients.client(keystoneApi);
  }

  async mayBeProject(ctx: RequestContext, projectId: string): Promise<boolean> {
    // A caller's own project is in his token.
    if (projectId === ctx.actor?.projectId) return true;
    try {
      await this.api.call(ctx, projects.show, { params: { project_id: projectId } }, 'user');
      return true;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return error.kind !== 'notFound';
    }
  }
}
