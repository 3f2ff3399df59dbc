import { expect } from '@jest/globals';
import { sagaKillSuite, until, type SagaKillScenario } from '@nestack/kernel/testing';
import type { TestCinder } from './test-cinder';

export const TEN_MINUTES = 600_000;

/** What the scenarios of the kill suites hand from step to step: the volume, and whatever else. */
export interface Made {
  id: string;
  other?: string;
}

/** An operation whose worker is cut; `check` removes what is left. */
export interface Scenario<T> extends Pick<SagaKillScenario<T>, 'kind' | 'prepare' | 'act' | 'check'> {
  /** How many places there are at least; fewer would mean that the test tests nothing. */
  readonly places: number;
}

/** Plays scenarios on one cinder, and looks at what is left of them. */
export class KillSuite {
  constructor(private readonly cinder: TestCinder) {}

  async survives<T>({ places, ...scenario }: Scenario<T>): Promise<void> {
    const passed = await sagaKillSuite({
      ...scenario,
      resume: async () => {
        await this.cinder.down();
        await this.cinder.up();
      },
      tidy: () => this.nothingIsLeft(),
    });
    expect(passed.length).toBeGreaterThanOrEqual(places);
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
