import { newRequestId, newSpanId, newTraceId } from '@nestack/kernel/ids';
import { DomainError } from '@nestack/kernel/errors';
import type { Actor } from './actor';

/**
 * A right to act that can be lost: the lease of a saga's worker. Receivers of commands refuse an epoch below the highest
 * that they have seen for the key, so that a worker which wakes up late does no harm.
 */
export interface Fence {
  readonly key: string;
  readonly epoch: number;
  /** Whether the right is surely still ours. */
  held(): boolean;
}

/**
 * Who asks, under which request, in which trace: the first parameter of every service method. Immutable; `child` makes
 * the context of a nested span, `with` one with other fields.
 */
export interface RequestContext {
  /** `req-<uuid>`, made by the service that received the request. */
  readonly requestId: string;
  /** The id of the request that began it all, in whichever service. */
  readonly globalRequestId: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly actor: Actor | null;
  /** The caller's token, to act in his name at another service while the request lasts. Never logged or stored. */
  readonly token: string | null;
  /** Milliseconds since the epoch after which nobody waits for the answer, or null. */
  readonly deadline: number | null;
  /** Set inside a saga's effects; travels with every command. */
  readonly fence?: Fence | null;
}

/** A context for work that starts here. */
export function newContext(fields: Partial<RequestContext> = {}): RequestContext {
  const requestId = fields.requestId ?? newRequestId();
  return {
    requestId,
    globalRequestId: fields.globalRequestId ?? requestId,
    traceId: fields.traceId ?? newTraceId(),
    spanId: fields.spanId ?? newSpanId(),
    parentSpanId: fields.parentSpanId ?? null,
    actor: fields.actor ?? null,
    token: fields.token ?? null,
    deadline: fields.deadline ?? null,
    fence: fields.fence ?? null,
  };
}

/** Code of the errors that say: another worker has taken over, what we do now would be a double. */
export const FENCED = 'FencedOff';

/** The refusal of a command that comes from a worker which has lost its lease. */
export function fencedOff(detail: string): DomainError {
  return new DomainError({
    kind: 'conflict',
    code: FENCED,
    message: 'The operation has been taken over by another worker.',
    detail,
  });
}

/** Call it right before a command leaves the process. Throws when the sender's lease may be somebody else's by now. */
export function assertHeld(ctx: RequestContext): void {
  if (ctx.fence?.held() === false) throw fencedOff(`epoch ${String(ctx.fence.epoch)} of ${ctx.fence.key} has run out`);
}

/** The context of a span inside this one. */
export function childContext(ctx: RequestContext, fields: Partial<RequestContext> = {}): RequestContext {
  return { ...ctx, spanId: newSpanId(), parentSpanId: ctx.spanId, ...fields };
}

/** The `traceparent` header of W3C Trace Context. */
export function traceparentOf(ctx: RequestContext): string {
  return `00-${ctx.traceId}-${ctx.spanId}-01`;
}

/** Trace and parent span of a `traceparent` header, or null when it is malformed. */
export function parseTraceparent(header: string | undefined): { traceId: string; parentSpanId: string } | null {
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/.exec(header ?? '');
  const [, traceId, parentSpanId] = match ?? [];
  return traceId !== undefined && parentSpanId !== undefined ? { traceId, parentSpanId } : null;
}
