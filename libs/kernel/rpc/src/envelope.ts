import { newContext, parseTraceparent, traceparentOf, type Actor, type RequestContext } from '@nestack/kernel/context';
import type { WireError } from '@nestack/kernel/errors';

/** What goes over the wire with each message; the method's arguments are `args`. */
export interface RpcMessage {
  readonly method: string;
  readonly version: string;
  readonly args: unknown;
  readonly request_id: string;
  readonly global_request_id: string;
  readonly traceparent: string;
  readonly actor: Actor | null;
  /** Sub-service that sent it. */
  readonly from: string;
  /** Milliseconds since the epoch; null for casts. */
  readonly deadline: number | null;
  /** The sender's lease, inside sagas. */
  readonly fence?: { readonly key: string; readonly epoch: number } | null;
}

export type RpcAnswer =
  { readonly ok: true; readonly reply: unknown } | { readonly ok: false; readonly error: WireError };

export function messageOf(
  ctx: RequestContext,
  about: Pick<RpcMessage, 'method' | 'version' | 'args' | 'from' | 'deadline'>,
): RpcMessage {
  return {
    ...about,
    request_id: ctx.requestId,
    global_request_id: ctx.globalRequestId,
    traceparent: traceparentOf(ctx),
    actor: ctx.actor,
    ...(ctx.fence == null ? {} : { fence: { key: ctx.fence.key, epoch: ctx.fence.epoch } }),
  };
}

/** The context in which a message's handler works: same request, new span below the sender's. */
export function contextOf(message: RpcMessage): RequestContext {
  const trace = parseTraceparent(message.traceparent);
  return newContext({
    requestId: message.request_id,
    globalRequestId: message.global_request_id,
    actor: message.actor,
    deadline: message.deadline,
    // What the handler sends on is fenced with it; whether the lease holds is for the first sender to know.
    ...(message.fence == null ? {} : { fence: { ...message.fence, held: () => true } }),
    ...(trace === null ? {} : trace),
  });
}

/** The message of a delivery, or null when it is none. */
export function parseMessage(content: Buffer): RpcMessage | null {
  try {
    const parsed: unknown = JSON.parse(content.toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null) return null;
    const { method, version, traceparent, request_id: requestId } = parsed as Partial<RpcMessage>;
    return typeof method === 'string' &&
      typeof version === 'string' &&
      typeof traceparent === 'string' &&
      typeof requestId === 'string'
      ? (parsed as RpcMessage)
      : null;
  } catch {
    // Not JSON: the caller dead-letters it.
    return null;
  }
}
