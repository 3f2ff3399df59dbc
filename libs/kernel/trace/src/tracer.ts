import { childContext, type RequestContext } from '@nestack/kernel/context';
import { asDomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';

/** What a trace record tells of: a message between two parties, a saga's step, a driver's command or a change of state. */
export type TraceKind =
  'rest.in' | 'rest.out' | 'rpc.call' | 'rpc.cast' | 'rpc.fanout' | 'rpc.in' | 'saga.step' | 'driver' | 'state';

export interface TraceRecord {
  readonly kind: TraceKind;
  /** Sub-service names: `nova-api`, `nova-compute@host1`, `client`. */
  readonly from: string;
  readonly to: string;
  /** `POST /v2.1/servers`, `build_and_run_instance`, `server.create/spawn`. */
  readonly name: string;
  readonly start: Date;
  readonly durationMs: number;
  /** HTTP status, `ok`, or `error CODE`. */
  readonly status: string;
  /** `server:<uuid>`, `port:<uuid>`; what the record is about. */
  readonly resource?: string;
}

/** Writes one trace record (a log line with the event `trace`), from which `nestack trace` draws the flow. */
export function recordTrace(log: Logger, ctx: RequestContext, record: TraceRecord): void {
  log.info(ctx, 'trace', {
    trace: {
      kind: record.kind,
      from: record.from,
      to: record.to,
      name: record.name,
      start: record.start.toISOString(),
      duration_ms: Math.round(record.durationMs * 1000) / 1000,
      status: record.status,
      ...(record.resource === undefined ? {} : { resource: record.resource }),
    },
  });
}

/** Runs `fn` in a child span and records it, whether it succeeds or throws. */
export async function traced<T>(
  log: Logger,
  ctx: RequestContext,
  about: Pick<TraceRecord, 'kind' | 'from' | 'to' | 'name' | 'resource'>,
  fn: (ctx: RequestContext) => Promise<T>,
): Promise<T> {
  const span = childContext(ctx);
  const start = new Date();
  const began = performance.now();
  try {
    const result = await fn(span);
    recordTrace(log, span, { ...about, start, durationMs: performance.now() - began, status: 'ok' });
    return result;
  } catch (error) {
    recordTrace(log, span, {
      ...about,
      start,
      durationMs: performance.now() - began,
      status: `error ${asDomainError(error).code}`,
    });
    throw error;
  }
}
