import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { ApiClient, ApiClients } from '@nestack/kernel/http';
import { createExternalEvents, novaApi } from '@nestack/nova/contract';
import type { ServerEvents } from '@nestack/cinder/domain';

/** The microversion that knows the event. upstream: cinder/compute/nova.py */
const VERSION = '2.51';

/** Nova, which is told of what happens to its servers' volumes. */
export class NovaClient implements ServerEvents {
  private readonly api: ApiClient;

  constructor(clients: ApiClients) {
    this.api = clients.client(novaApi);
  }

  async volumeExtended(ctx: RequestContext, instanceUuid: string, volumeId: string): Promise<void> {
    const event = { name: 'volume-extended' as const, server_uuid: instanceUuid, tag: volumeId };
    try {
      await this.api.call(ctx, createExternalEvents, { body: { events: [event] }, version: VERSION }, 'service');
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'notFound') return;
      throw error;
    }
  }
}
