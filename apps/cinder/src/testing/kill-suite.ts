import { expect } from '@jest/globals';
import { cutWorkers } from '@nestack/kernel/saga';
import { until } from '@nestack/kernel/testing';
import type { TestCinder } from './test-cinder';

export const TEN_MINUTES = 600_000;

/** What the scenarios of the kill suites hand from step to step: the volume, and whatever else. */
export interface Made {
  id: string;
  other?: string;
}

export interface Scenario<T> {
  /** The operation whose worker is cut. */
  readonly kind: string;
  readonly prepare: () => Promise<T>;
  /** The request that starts the operation. */
  readonly act: (made: T) => Promise<unknown>;
  /** Waits for the end, checks that it is the one that it should be, and removes what is left. */
  readonly check: (made: T) => Promise<void>;
  /** How many places there are at least; fewer would mean that the test tests nothing. */
  readonly places: number;
}

/** Plays scenarios on one cinder, and looks at what is left of them. */
export class KillSuite {
  constructor(private readonly cinder: TestCinder) {}

  private async play<T>(scenario: Scenario<T>, at: string | null): Promise<readonly string[]> {
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
      await until(`the worker is cut at ${at}`, async () => Promise.resolve(cut));
      await this.cinder.down();
      await this.cinder.up();
    }
    try {
      await scenario.check(made);
      cutWorkers(null);
      await this.nothingIsLeft();
    } catch (error) {
      throw new Error(`after a cut at ${String(at)}: ${String(error)}`, { cause: error });
    }
    return passed;
  }

  async survives<T>(scenario: Scenario<T>): Promise<void> {
    const places = [...new Set(await this.play(scenario, null))];
    expect(places.length).toBeGreaterThanOrEqual(scenario.places);
    for (const place of places) await this.play(scenario, place);
  }

  /** No row, no data, no export, no quota, no promise of room. */
  async nothingIsLeft(): Promise<void> {
    const { volumes, snapshots, exports } = this.cinder.store();
    expect({ volumes, snapshots, exports }).toEqual({ volumes: {}, snapshots: {}, exports: {} });
    const left = await this.cinder.query<{ what: string }>(
      `SELECT 'usage ' || resource AS what FROM quota_usage WHERE in_use <> 0
       UNION ALL SELECT 'pool ' || host FROM pool WHERE provisioned <> 0
       UNION ALL SELECT 'volume ' || id FROM volume
       UNION ALL SELECT 'backup ' || id FROM backup
       UNION ALL SELECT 'group ' || id FROM volume_group
       UNION ALL SELECT 'group snapshot ' || id FROM group_snapshot
       UNION ALL SELECT 'snapshot ' || id FROM snapshot
       UNION ALL SELECT 'saga ' || kind FROM saga WHERE state NOT IN ('done', 'undone')`,
    );
    expect(left).toEqual([]);
    expect(this.cinder.neighbours.images.size).toBe(0);
  }

  async removed(id: string): Promise<void> {
    await this.cinder.call('DELETE', `/volumes/${id}?cascade=true`);
    await this.cinder.gone(`/volumes/${id}`);
    await this.idle();
  }

  /** Waits until nothing is under way any more: a volume is gone a moment before its run has ended. */
  async idle(): Promise<void> {
    await until('nothing is under way', async () => {
      const rows = await this.cinder.query("SELECT 1 FROM saga WHERE state NOT IN ('done', 'undone')");
      return rows.length === 0;
    });
  }
}
