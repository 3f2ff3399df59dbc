import type { RequestContext } from '@nestack/kernel/context';
import { LibvirtError } from './remote/connection';
import type { LibvirtClient } from './remote/libvirt-client';

/**
 * A guest that was just booting has not heard the first request: it is asked again, the first time soon.
 * upstream: CONF.shutdown_retry_interval
 */
const ASK_AGAIN_MS = { first: 3000, then: 10_000 };

/** Asks the guest to shut down; false when it has not within the time. */
export async function shutDown(
  ctx: RequestContext,
  libvirt: Pick<LibvirtClient, 'shutdown' | 'nextChange'>,
  uuid: string,
  timeoutS: number,
  isUp: () => Promise<boolean>,
): Promise<boolean> {
  const end = Date.now() + timeoutS * 1000;
  for (let patience = ASK_AGAIN_MS.first; Date.now() < end; patience = ASK_AGAIN_MS.then) {
    try {
      await libvirt.shutdown(ctx, uuid);
    } catch (error) {
      // It may have gone off by itself: that shows below.
      if (!(error instanceof LibvirtError)) throw error;
    }
    const askAgainAt = Math.min(end, Date.now() + patience);
    while (Date.now() < askAgainAt) {
      const change = libvirt.nextChange(uuid, askAgainAt - Date.now());
      if (!(await isUp())) return true;
      await change;
    }
  }
  return !(await isUp());
}
