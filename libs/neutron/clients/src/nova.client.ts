import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { ApiClient, ApiClients } from '@nestack/kernel/http';
import type { Logger } from '@nestack/kernel/log';
import type { ComputeEvent, ComputePort } from '@nestack/neutron/domain';
import { createExternalEvents, novaApi } from '@nestack/nova/contract';

interface Waiting {
  readonly ctx: RequestContext;
  readonly events: readonly ComputeEvent[];
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Events in one request; upstream sends what has gathered in two seconds, we what has gathered during the request before. */
const MOST_EVENTS = 200;
const TIMEOUT_MS = 20_000;

/** Nova, told of ports. Calls that come while one is under way go together in the next, in their order. */
export class NovaClient implements ComputePort {
  private readonly api: ApiClient;
  private queue: Waiting[] = [];
  private sending = false;

  constructor(
    clients: ApiClients,
    private readonly log: Logger,
  ) {
    this.api = clients.client(novaApi);
  }

  notify(ctx: RequestContext, events: readonly ComputeEvent[]): Promise<void> {
    if (events.length === 0) return Promise.resolve();
    return new Promise((done, failed) => {
      this.queue.push({ ctx, events, done, failed });
      if (!this.sending) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.sending = true;
    while (this.queue.length > 0) {
      const batch = this.next();
      try {
        await this.send(batch);
        for (const one of batch) one.done();
      } catch (error) {
        for (const one of batch) one.failed(error);
      }
    }
    this.sending = false;
  }

  private next(): Waiting[] {
    const batch: Waiting[] = [];
    let count = 0;
    for (const one of this.queue) {
      count += one.events.length;
      if (batch.length > 0 && count > MOST_EVENTS) break;
      batch.push(one);
    }
    this.queue = this.queue.slice(batch.length);
    return batch;
  }

  private async send(batch: readonly Waiting[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    const { ctx } = first;
    const events = batch.flatMap((one) => one.events);
    if (await this.accepted(ctx, events)) return;
    // A user may write anything into a port's device id: what nova refuses must not keep the others back.
    for (const event of events) {
      if (events.length > 1 && (await this.accepted(ctx, [event]))) continue;
      this.log.warn(ctx, 'nova.event_refused', { name: event.name, server_uuid: event.server_uuid, tag: event.tag });
    }
  }

  /** False when nova finds the events malformed. */
  private async accepted(ctx: RequestContext, events: readonly ComputeEvent[]): Promise<boolean> {
    const body = { events: events.map((event) => ({ ...event })) };
    try {
      await this.api.call(ctx, createExternalEvents, { body, timeoutMs: TIMEOUT_MS }, 'service');
      return true;
    } catch (error) {
      // Not found: none of the servers exists any more.
      if (error instanceof DomainError && error.kind === 'notFound') return true;
      if (error instanceof DomainError && error.kind === 'badRequest') return false;
      throw error;
    }
  }
}
