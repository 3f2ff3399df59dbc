import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newUuid } from '@nestack/kernel/ids';
import { waitFor } from '@nestack/kernel/process';
import { killablePostgres, type KillableServer } from '@nestack/kernel/testing';
import { Office } from '../test/office';
import { DONE, UNDONE, tripSaga } from '../test/trip';

/** PostgreSQL of this file alone, killed and started again under the workers. */
let postgres: KillableServer;
let office: Office;

beforeAll(async () => {
  postgres = await killablePostgres();
  office = await Office.open(postgres.url);
}, 60_000);

afterAll(async () => {
  await office.close().catch(() => undefined);
  await postgres.stop();
}, 60_000);

describe('PostgreSQL killed under saga workers', () => {
  it('in the middle of many runs, twice: each ends as it should, each effect once, soon after it is back', async () => {
    await office.hire([tripSaga('trip', office.world)], { owner: 'a' });
    await office.hire([tripSaga('trip', office.world)], { owner: 'b' });
    // Others than those of a try before.
    const run = newUuid().slice(0, 8);
    const names: string[] = [];
    const begin = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index += 1) {
        const name = `${run}-${String(names.length)}`;
        // Whether a start that was cut off has been committed is not known: it is not counted.
        await office.begin('trip', name, names.length % 4 === 0 ? { fail: 'commit' } : {});
        names.push(name);
      }
    };
    for (const round of [1, 2]) {
      await begin(10);
      const more = begin(60).catch(() => undefined);
      await waitFor('some to be under way', () => names.length > round * 10 + 15, 20_000, 1);
      await postgres.kill();
      await more;
      await new Promise((resolve) => setTimeout(resolve, 300));
      await postgres.start();
    }
    const back = Date.now();
    await begin(3);
    await waitFor(
      'all to end',
      async () => {
        const ends = await Promise.all(names.map((name) => office.history(name)));
        return ends.every(([run]) => run?.state === 'done' || run?.state === 'undone');
      },
      30_000,
      100,
    );
    expect(Date.now() - back).toBeLessThan(20_000);
    for (const [index, name] of names.entries()) {
      expect({ name, ...((await office.look(name)) as object) }).toEqual({
        name,
        ...(index % 4 === 0 ? UNDONE : DONE),
      });
      const log = await office.oplog(name);
      expect({ name, log: new Set(log).size }).toEqual({ name, log: log.length });
    }
  }, 120_000);

  it('while a run waits: it is rung all the same afterwards', async () => {
    const id = await office.begin('trip', 'waits', { hold: 'guest' });
    await waitFor('the effect', async () => (await office.oplog('waits')).length === 1, 5000);
    await postgres.kill();
    await postgres.start();
    await waitFor('the database', async () => office.go('waits').then(() => true), 10_000);
    await office.until(id, 'done', 25_000);
    expect(await office.look('waits')).toEqual(DONE);
  }, 60_000);
});
