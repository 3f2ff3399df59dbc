import { afterAll, afterEach, expect } from '@jest/globals';
import { cutWorkers } from '@nestack/kernel/saga';
import { sagaKillSuite, until, type SagaKillScenario } from '@nestack/kernel/testing';
import type { Bench } from './bench';

/** A long operation and what it comes to. */
export interface Scenario<T> extends Pick<SagaKillScenario<T>, 'kind' | 'prepare' | 'act' | 'check'> {
  /** How many places there are at least; fewer would mean that the test tests nothing. */
  readonly places: number;
}

/** Plays it undisturbed, then with a new conductor for each place at which its worker can be cut; nothing may be left of it. */
export async function survives<T>(bench: Bench, { places, ...scenario }: Scenario<T>): Promise<void> {
  const passed = await sagaKillSuite({
    ...scenario,
    resume: async () => {
      await bench.stopConductor();
      await bench.startConductor();
    },
    tidy: async () => {
      await bench.tidy();
      expect(await bench.leftovers()).toEqual([]);
    },
  });
  expect(passed.length).toBeGreaterThanOrEqual(places);
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
