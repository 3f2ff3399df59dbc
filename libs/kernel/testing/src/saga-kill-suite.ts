import { cutWorkers, telling } from '@nestack/kernel/saga';

/** One long operation as `sagaKillSuite` plays it. */
export interface SagaKillScenario<T> {
  /** The saga whose worker is cut: `server.create`. */
  readonly kind: string;
  /** What there must be before; undisturbed. */
  readonly prepare: () => Promise<T>;
  /** The request that starts the run. */
  readonly act: (made: T) => Promise<unknown>;
  /** Lets another worker go on after a cut: end the worker that was cut and start one anew. */
  readonly resume: () => Promise<void>;
  /** Waits for the run's end and throws unless everything is as it should be: done or undone, each effect once, nothing left. */
  readonly check: (made: T) => Promise<void>;
  /** Removes what the run made, for the next one to start from the same; throws when something is left. */
  readonly tidy?: (made: T) => Promise<void>;
}

/**
 * The law, for one saga: plays the scenario undisturbed and notes every place that its run passes (before and after each
 * effect, journal entry and undo), then plays it once for each place with the run's worker cut off there, as if its process
 * had been killed, in this process and within milliseconds. Of places with nothing in between that outlasts a worker the last
 * one stands for all; that this is so, and that a killed process is no worse than a cut worker, is tested in `kernel/saga`.
 * Throws at the first place after which the end is another one. Answers the places that were passed, so that a test can say
 * how many it expects: fewer would mean that it tests nothing.
 *
 *     const places = await sagaKillSuite({ kind: 'volume.create', prepare, act, resume, check });
 *     expect(places.length).toBeGreaterThan(12);
 */
export async function sagaKillSuite<T>(scenario: SagaKillScenario<T>): Promise<readonly string[]> {
  try {
    const places = await play(scenario, null);
    for (const place of telling(places)) await play(scenario, place);
    return [...new Set(places)];
  } finally {
    cutWorkers(null);
  }
}

async function play<T>(scenario: SagaKillScenario<T>, at: string | null): Promise<readonly string[]> {
  const made = await scenario.prepare();
  const passed: string[] = [];
  let cut: () => void = () => undefined;
  const isCut = new Promise<void>((resolve) => (cut = resolve));
  let done = false;
  cutWorkers((place) => {
    if (!place.startsWith(`${scenario.kind}/`)) return false;
    passed.push(place);
    if (done || place !== at) return false;
    done = true;
    cut();
    return true;
  });
  try {
    await scenario.act(made);
    if (at !== null) {
      await reached(isCut, at);
      await scenario.resume();
    }
    await scenario.check(made);
    cutWorkers(null);
    await scenario.tidy?.(made);
  } catch (error) {
    throw new Error(`after a cut at ${at ?? 'no place'}: ${String(error)}`, { cause: error });
  }
  return passed;
}

async function reached(isCut: Promise<void>, at: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the run never came to ${at}`)), 30_000);
  });
  try {
    await Promise.race([isCut, late]);
  } finally {
    clearTimeout(timer);
  }
}
