import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 120_000;
/** How often a state is asked: as precise as a measured time gets. */
const PAUSE_MS = 5;

/**
 * Asks until it is so, as clients do.
 * @throws Error naming `what` after two minutes.
 */
export async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await delay(PAUSE_MS);
  }
}
