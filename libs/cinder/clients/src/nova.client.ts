import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { ApiClient, ApiClients } from '@nestack/kernel/http';
import { createExternalEvents, novaApi } from '@nestack/nova/contract';
import type { ServerEvents } from '@nestack/cinder/domain';

/** The microversion that knows the event. upstream: cinder/compute/nova.py */
const VERSION = '2.51';
const REIMAGED_VERSION = '2.93';

/** Nova, which is told of what happens to its servers' volumes. */
export class NovaClient implements ServerEvents {
  private readonly api: ApiClient;

  constructor(clients: ApiClients) {
    this.api = clients.client(novaApi);
  }

  volumeExtended(ctx: RequestContext, instanceUuid: string, volumeId: string): Promise<void> {
    return this.tell(ctx, { name: 'volume-extended', server_uuid: instanceUuid, tag: volumeId }, VERSION);
  }

  volumeReimaged(
    ctx: RequestContext,
    instanceUuid: string,
    volumeId: string,
    status: 'completed' | 'failed',
  ): Promise<void> {
    const event = { name: 'volume-reimaged' as const, server_uuid: instanceUuid, tag: volumeId, status };
    return this.tell(ctx, event, REIMAGED_VERSION);
  }

  private async tell(
    ctx: RequestContext,
    event: {
      readonly name: 'volume-extended' | 'volume-reimaged';
      readonly server_uuid: string;
      readonly tag: string;
      readonly status?: 'completed' | 'failed';
    },
    version: string,
  ): Promise<void> {
    try {
      await this.api.call(ctx, createExternalEvents, { body: { events: [event] }, version }, 'service');
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'notFound') return;
      throw error;
    }
  }
}
