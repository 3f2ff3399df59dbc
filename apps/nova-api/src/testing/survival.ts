import { afterAll, afterEach, expect } from '@jest/globals';
import { cutWorkers } from '@nestack/kernel/saga';
import { until } from '@nestack/kernel/testing';
import type { Bench } from './bench';

/** A long operation and what it comes to. */
export interface Scenario<T> {
  /** The operation whose worker is cut. */
  readonly kind: string;
  /** What there must be before; undisturbed. */
  readonly prepare: () => Promise<T>;
  /** The request that starts the operation. */
  readonly act: (made: T) => Promise<unknown>;
  /** Waits for the end and checks that it is the one that it should be. */
  readonly check: (made: T) => Promise<void>;
  /** How many places there are at least; fewer would mean that the test tests nothing. */
  readonly places: number;
}

/** Plays a scenario once, cutting where `at` says; answers the places that were passed. */
async function play<T>(bench: Bench, scenario: Scenario<T>, at: string | null): Promise<readonly string[]> {
  const made = await scenario.prepare();
  const passed: string[] = [];
  let cut = false;
  cutWorkers((place) => {
    if (!place.startsWith(`${scenario.kind}/`)) return false;
    passed.push(place);
    if (cut || place !== at) return false;
    cut = true;
    return true;
  });
  await scenario.act(made);
  if (at !== null) {
    await until(`the worker is cut at ${at}`, () => cut);
    await bench.stopConductor();
    await bench.startConductor();
  }
  try {
    await scenario.check(made);
  } catch (error) {
    throw new Error(`after a cut at ${String(at)}: ${String(error)}`, { cause: error });
  }
  cutWorkers(null);
  await bench.tidy();
  expect({ at, left: await bench.leftovers() }).toEqual({ at, left: [] });
  return passed;
}

/** Plays it undisturbed, then once per place at which its worker can be cut. */
export async function survives<T>(bench: Bench, scenario: Scenario<T>): Promise<void> {
  const places = [...new Set(await play(bench, scenario, null))];
  expect(places.length).toBeGreaterThanOrEqual(scenario.places);
  for (const place of places) await play(bench, scenario, place);
}

/** Lets workers be after each test of a suite, and removes what it has made; ends the bench after the last. */
export function tidiesUp(bench: () => Bench): void {
  afterEach(async () => {
    cutWorkers(null);
    await bench().tidy();
    bench().volumes.volumes.clear();
  }, 60_000);
  afterAll(async () => {
    cutWorkers(null);
    await bench().close();
  }, 60_000);
}

/** Waits until no operation works on the server any more. */
export async function idle(bench: Bench, id: string): Promise<void> {
  await until('nothing is under way', async () => {
    const { rows } = await bench.query(
      "SELECT 1 FROM saga WHERE resource_id = $1 AND state NOT IN ('done', 'undone')",
      [id],
    );
    return rows.length === 0;
  });
}
