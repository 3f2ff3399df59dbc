import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError, retryable } from '@nestack/kernel/errors';

/** What a request tells the operation that it started, in place of an attachment's id: cinder said no. */
export const RESERVATION_REFUSED = 'refused';
/** Cinder did not answer in time: the operation goes on asking. */
export const RESERVATION_UNANSWERED = 'unanswered';

/** How long a request lets another service answer after it started the operation, in milliseconds. */
const ASK_MS = 15_000;
/** How long the operation waits to be told what it answered; longer, so that it misses nothing. */
export const REQUEST_WAIT_MS = 20_000;

/** The context of calls by which a request waits for another service no longer than the operation waits for the request. */
export function soon(ctx: RequestContext, clock: Clock): RequestContext {
  const latest = clock.now().getTime() + ASK_MS;
  return { ...ctx, deadline: Math.min(ctx.deadline ?? latest, latest) };
}

/**
 * Reserves a volume for the operation that a request has started, and tells it. A refusal is the caller's answer; when cinder
 * does not answer, the operation asks on by itself, and its caller need not wait for that.
 */
export async function reserveFor(
  reserve: () => Promise<{ readonly id: string }>,
  tell: (what: string) => Promise<void>,
): Promise<void> {
  try {
    const { id } = await reserve();
    await tell(id);
  } catch (error) {
    const unanswered = error instanceof DomainError && retryable(error.kind);
    await tell(unanswered ? RESERVATION_UNANSWERED : RESERVATION_REFUSED);
    if (!unanswered) throw error;
  }
}
