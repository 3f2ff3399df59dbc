import { setTimeout as delay } from 'node:timers/promises';

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 60;

/**
 * Waits for a condition, with pauses that grow: who asks all the time keeps those busy that he waits for.
 * @throws Error naming `what` (as it is called then) once `timeoutMs` are over, and whatever `check` throws.
 */
export async function until(
  what: string | (() => string),
  check: () => Promise<boolean> | boolean,
  timeoutMs = 20_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (let pause = FIRST_PAUSE_MS; !(await check()); pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    if (Date.now() > end) throw new Error(`waited too long: ${typeof what === 'string' ? what : what()}`);
    await delay(pause);
  }
}
