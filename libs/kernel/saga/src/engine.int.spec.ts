import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newContext } from '@nestack/kernel/context';
import { execute, sqlOne } from '@nestack/kernel/db';
import { DomainError } from '@nestack/kernel/errors';
import { waitFor } from '@nestack/kernel/process';
import { sagaKillSuite } from '@nestack/kernel/testing';
import { Office } from '../test/office';
import { DONE, UNDONE, tripParams, tripSaga } from '../test/trip';
import { defineSaga, type SagaDefinition, type SagaStep } from './index';

let office: Office;

beforeAll(async () => {
  office = await Office.open();
});

afterEach(() => office.dismissAll());

afterAll(() => office.close());

const trip = (): SagaDefinition => tripSaga('trip', office.world);

/** A saga of these steps. */
const made = (kind: string, steps: readonly SagaStep<unknown>[]): SagaDefinition =>
  defineSaga({ kind, version: 1, params: tripParams, steps: steps as never }) as SagaDefinition;

const away = (): DomainError => new DomainError({ kind: 'unavailable', code: 'Away', message: 'away' });
const refused = (): DomainError => new DomainError({ kind: 'conflict', code: 'Refused', message: 'no' });

describe('a run', () => {
  it('takes its steps in order, each once, and shows them in its history', async () => {
    await office.hire([trip()]);
    const id = await office.begin('trip', 'plain', {}, { action: 'create' });
    await office.until(id, 'done');
    expect(await office.look('plain')).toEqual(DONE);
    expect(await office.oplog('plain')).toEqual(['made guest', 'made port', 'made notice']);
    const [shown] = await office.database.read('history', (tx) => office.sagas.history(tx, 'plain'));
    expect(shown).toMatchObject({ id, kind: 'trip', action: 'create', state: 'done', userId: 'system' });
    expect(shown?.steps.map((step) => [step.name, step.event])).toEqual(
      ['reserve', 'guest', 'port', 'plugged', 'commit', 'notice'].map((name) => [name, 'done']),
    );
    expect(shown?.steps.every((step) => step.finishedAt !== null)).toBe(true);
  });

  it.each(['guest', 'port', 'plugged', 'commit'])('that is refused at %s goes back, and says why', async (fail) => {
    await office.hire([trip()]);
    const id = await office.begin('trip', `no-${fail}`, { fail });
    await office.until(id, 'undone');
    expect(await office.look(`no-${fail}`)).toEqual(UNDONE);
    expect(await office.run(id)).toMatchObject({ code: 'Refused' });
    const [shown] = await office.database.read('history', (tx) => office.sagas.history(tx, `no-${fail}`));
    expect(shown).toMatchObject({ state: 'undone', message: `${fail} refuses` });
    const log = await office.oplog(`no-${fail}`);
    expect(log.filter((line) => line.startsWith('removed'))).toEqual(
      log
        .filter((line) => line.startsWith('made'))
        .map((line) => line.replace('made', 'removed'))
        .reverse(),
    );
  });

  it('never goes back behind its pivot: what is refused there is tried until it is mended, and reported as stuck', async () => {
    let mended = false;
    const steps: SagaStep<unknown>[] = [
      {
        type: 'tx',
        name: 'point',
        pivot: true,
        do: async () => null,
        undo: async () => Promise.reject(new Error('never')),
      },
      { type: 'effect', name: 'after', do: async () => (mended ? 'ok' : Promise.reject(refused())) },
    ];
    await office.hire([made('forward', steps)], { sweepMs: 50 });
    const id = await office.begin('forward', 'forward');
    const hurry = (): Promise<unknown> =>
      office.database.run('hurry', (tx) => execute(tx, 'UPDATE saga SET next_attempt_at = now() WHERE id = $1', [id]));
    await waitFor(
      'it to be stuck',
      async () => {
        await hurry();
        return (await office.run(id))['state'] === 'stuck';
      },
      20_000,
      20,
    );
    const [stuck] = await office.database.read('stuck', (tx) => office.sagas.stuck(tx));
    expect(stuck).toMatchObject({ id, kind: 'forward', resourceId: 'forward', unwinding: false, error: 'Refused: no' });
    expect(office.events.map((one) => one.event)).toContain('saga.stuck');
    expect(await office.database.read('busy', (tx) => office.sagas.busy(tx, 'forward'))).toBe(true);
    mended = true;
    await hurry();
    await office.until(id, 'done');
    expect(await office.database.read('stuck', (tx) => office.sagas.stuck(tx))).toEqual([]);
  }, 40_000);

  it('tries an undo until it succeeds', async () => {
    let tries = 0;
    const steps: SagaStep<unknown>[] = [
      {
        type: 'effect',
        name: 'made',
        do: async () => null,
        undo: async () => {
          tries += 1;
          if (tries < 3) throw tries === 1 ? away() : new Error('bug');
        },
      },
      { type: 'tx', name: 'no', do: () => Promise.reject(refused()) },
    ];
    await office.hire([made('undoing', steps)]);
    await office.until(await office.begin('undoing', 'undoing'), 'undone');
    expect(tries).toBe(3);
  });

  it('tries what is away again, with pauses, and gives up after its time', async () => {
    const times: number[] = [];
    const steps = (name: string, retryForMs: number, needs: number): SagaStep<unknown>[] => [
      {
        type: 'effect',
        name,
        retryForMs,
        do: async () => {
          times.push(performance.now());
          if (times.length < needs) throw away();
          return null;
        },
      },
    ];
    const worker = await office.hire([made('patient', steps('a', 60_000, 4)), made('hasty', steps('b', 300, 1000))]);
    await office.until(await office.begin('patient', 'patient'), 'done');
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(pauses.map((pause, index) => pause >= 95 * 2 ** index)).toEqual([true, true, true]);
    times.length = 0;
    const id = await office.begin('hasty', 'hasty');
    await office.until(id, 'undone');
    expect(await office.run(id)).toMatchObject({ code: 'Away' });
    await office.dismiss(worker);
  });

  it('is given back when what it needs stays away, and taken up again', async () => {
    let present = false;
    const steps: SagaStep<unknown>[] = [
      { type: 'effect', name: 'a', do: async () => (present ? null : Promise.reject(away())) },
    ];
    await office.hire([made('long', steps)]);
    const id = await office.begin('long', 'long');
    await waitFor('it to be given back', async () => (await office.run(id))['last_error'] !== null, 10_000);
    expect(await office.run(id)).toMatchObject({ state: 'running', lease_owner: null, last_error: 'Away: away' });
    present = true;
    await office.until(id, 'done', 5000);
    expect(await office.run(id)).toMatchObject({ last_error: null });
  }, 20_000);

  it('runs each tx step exactly once, also when the next one fails and is tried again', async () => {
    let fails = 2;
    const bump = (name: string, column: string): SagaStep<unknown> => ({
      type: 'tx',
      name,
      do: async (_ctx, tx, run) => {
        await execute(tx, `UPDATE account SET ${column} = ${column} + 1 WHERE resource = $1`, [run.resourceId]);
        if (name === 'second' && (fails -= 1) >= 0) throw away();
      },
    });
    const effect: SagaStep<unknown> = { type: 'effect', name: 'effect', do: async () => office.oplog('none') };
    await office.hire([made('batch', [effect, bump('first', 'reserved'), bump('second', 'committed')])]);
    await office.until(await office.begin('batch', 'batch'), 'done');
    expect(await office.look('batch')).toMatchObject({ account: { reserved: 1, committed: 1 } });
  });

  it('skips steps whose condition does not hold, and does not offer their output', async () => {
    const seen: unknown[] = [];
    const step = (name: string, wanted: boolean): SagaStep<unknown> => ({
      type: 'effect',
      name,
      when: () => wanted,
      do: async (_ctx, run) => {
        seen.push([name, run.maybe('a'), run.maybe('b')]);
        return name;
      },
    });
    await office.hire([made('choosy', [step('a', true), step('b', false), step('c', true)])]);
    const id = await office.begin('choosy', 'choosy');
    await office.until(id, 'done');
    expect(seen).toEqual([
      ['a', undefined, undefined],
      ['c', 'a', undefined],
    ]);
  });
});

describe('a wait', () => {
  const waiting = (timeoutMs: number, onTimeout?: 'continue'): SagaStep<unknown> => ({
    type: 'wait',
    name: 'go',
    timeoutMs,
    ...(onTimeout === undefined ? {} : { onTimeout }),
    check: async (_ctx, tx, run) =>
      (await sqlOne(tx, "SELECT name FROM made WHERE resource = $1 AND name = 'go'", [run.resourceId])) ?? undefined,
  });

  it('ends as soon as it is rung, holding no worker meanwhile', async () => {
    await office.hire([made('waits', [waiting(60_000)])], { concurrency: 1 });
    const ids = await Promise.all(['w1', 'w2', 'w3'].map((name) => office.begin('waits', name)));
    await waitFor(
      'all to wait',
      async () => {
        const rows = await Promise.all(ids.map((id) => office.run(id)));
        return rows.every((row) => row['lease_owner'] === null && row['lease_epoch'] === 1);
      },
      5000,
      5,
    );
    for (const [index, id] of ids.entries()) {
      const began = performance.now();
      await office.go(`w${String(index + 1)}`);
      await office.until(id, 'done', 2000);
      expect(performance.now() - began).toBeLessThan(1500);
    }
  });

  it('fails after its time, or goes on without', async () => {
    await office.hire([made('fails', [waiting(200)]), made('goes-on', [waiting(200, 'continue')])]);
    const failing = await office.begin('fails', 'x1');
    const going = await office.begin('goes-on', 'x2');
    await office.until(failing, 'undone');
    expect(await office.run(failing)).toMatchObject({ code: 'WaitTimeout' });
    await office.until(going, 'done');
  });

  it('is not missed when the ring comes while it is being looked at', async () => {
    await office.hire([made('races', [waiting(60_000)])]);
    const ids = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const id = await office.begin('races', `r${String(index)}`);
        await office.go(`r${String(index)}`);
        return id;
      }),
    );
    await Promise.all(ids.map((id) => office.until(id, 'done', 4000)));
  });
});

describe('a run that was begun by another version', () => {
  const gate = (resource: string): SagaStep<unknown> => ({
    type: 'wait',
    name: 'gate',
    timeoutMs: 60_000,
    check: async (_ctx, tx) =>
      (await sqlOne(tx, "SELECT 1 FROM made WHERE resource = $1 AND name = 'go'", [resource])) ?? undefined,
  });
  const says = (what: string): SagaStep<unknown> => ({ type: 'tx', name: what, do: async () => what });
  const versions = (kind: string, resource: string): { old: SagaDefinition; fresh: SagaDefinition } => ({
    old: made(kind, [gate(resource), says('old')]),
    fresh: { ...made(kind, [gate(resource), says('fresh')]), version: 2 },
  });
  const did = async (resource: string): Promise<readonly string[]> =>
    (await office.history(resource))[0]?.steps.map((step) => step.name) ?? [];
  const beganWith = async (definition: SagaDefinition, resource: string): Promise<string> => {
    const worker = await office.hire([definition]);
    const id = await office.begin(definition.kind, resource);
    await waitFor('it to be at its gate', async () => (await did(resource)).includes('gate'), 5000);
    await office.dismiss(worker);
    await office.go(resource);
    return id;
  };

  it('is left alone and reported where its plan is not, and goes on by it where it is', async () => {
    const { old, fresh } = versions('changed', 'changed');
    const id = await beganWith(old, 'changed');
    const ignorant = await office.hire([fresh], { unknownForMs: 100 });
    await office.until(id, 'stuck');
    expect(await office.run(id)).toMatchObject({
      version: 1,
      last_error: 'version 1 of changed is not known to any worker',
    });
    expect(office.events).toContainEqual(
      expect.objectContaining({ event: 'saga.stuck', saga_id: id, version: 1, resource: 'changed' }),
    );
    await office.dismiss(ignorant);
    await office.hire([fresh, old]);
    await office.until(id, 'done');
    expect(await did('changed')).toEqual(['gate', 'old']);
    // What is begun from now on is of the newer version.
    const next = await office.begin('changed', 'changed');
    await office.until(next, 'done');
    expect([await did('changed'), (await office.run(next))['version']]).toEqual([['gate', 'fresh'], 2]);
  });

  it('goes on by a newer plan that says so', async () => {
    const { old, fresh } = versions('grown', 'grown');
    const id = await beganWith(old, 'grown');
    await office.hire([{ ...fresh, continues: [1] }]);
    await office.until(id, 'done');
    expect(await did('grown')).toEqual(['gate', 'fresh']);
  });

  it('is reported when its parameters are not those of the plan', async () => {
    await office.hire([trip()]);
    const id = await office.begin('trip', 'misfit', { fail: 7 } as never);
    await office.until(id, 'stuck');
    expect(await office.run(id)).toMatchObject({
      last_error: 'the parameters of the run are not those of version 1 of trip',
    });
    expect(await did('misfit')).toEqual([]);
  });

  it('has one plan only', async () => {
    const { old, fresh } = versions('twice', 'twice');
    await expect(office.hire([old, { ...fresh, continues: [1] }])).rejects.toThrow(
      'saga twice of version 1 is registered twice',
    );
  });
});

describe('runs of one key', () => {
  it('refuse, queue or preempt each other', async () => {
    await office.hire([trip()]);
    const first = await office.begin('trip', 'key', { hold: 'guest' });
    await waitFor('the effect', async () => (await office.oplog('key')).length === 1, 5000);
    await expect(office.begin('trip', 'key')).rejects.toMatchObject({ kind: 'conflict', code: 'OperationInProgress' });
    const queued = await office.begin('trip', 'key', {}, { mode: 'queue' });
    expect(await office.run(queued)).toMatchObject({ state: 'queued' });
    const deleting = await office.begin('trip', 'key', {}, { mode: 'preempt' });
    expect(await office.run(queued)).toMatchObject({ state: 'undone', code: 'Preempted' });
    expect(await office.run(deleting)).toMatchObject({ state: 'queued' });
    await office.go('key');
    await office.until(first, 'undone');
    expect(await office.run(first)).toMatchObject({ code: 'Cancelled' });
    await office.until(deleting, 'done', 3000);
  });

  it('follow one another in their order', async () => {
    await office.hire([trip()]);
    const ids = [await office.begin('trip', 'row', { hold: 'guest' })];
    for (let index = 0; index < 3; index += 1) ids.push(await office.begin('trip', 'row', {}, { mode: 'queue' }));
    await office.go('row');
    for (const id of ids) await office.until(id, 'done');
    const starts = await Promise.all(ids.map(async (id) => (await office.run(id))['updated_at'] as Date));
    expect(starts).toEqual([...starts].sort((a, b) => a.getTime() - b.getTime()));
    expect(await office.look('row')).toMatchObject({ account: { reserved: 4, committed: 4, done: 4 } });
  });

  it('preempt one that waits at once, and leave one past its pivot its end', async () => {
    await office.hire([
      made('waiter', [{ type: 'wait', name: 'never', timeoutMs: 60_000, check: async () => undefined }]),
      made('pivoted', [
        { type: 'tx', name: 'p', pivot: true, do: async () => null },
        {
          type: 'wait',
          name: 'go',
          timeoutMs: 60_000,
          check: async (_c, tx) =>
            (await sqlOne(tx, "SELECT 1 FROM made WHERE resource = 'k2' AND name = 'go'")) ?? undefined,
        },
      ]),
      trip(),
    ]);
    const waiter = await office.begin('waiter', 'k1');
    await waitFor('it to wait', async () => (await office.run(waiter))['lease_epoch'] === 1, 5000);
    const next = await office.begin('trip', 'k1', {}, { mode: 'preempt' });
    await office.until(waiter, 'undone', 2000);
    await office.until(next, 'done', 2000);
    const pivoted = await office.begin('pivoted', 'k2');
    await waitFor('its pivot', async () => (await office.run(pivoted))['lease_epoch'] === 1, 5000);
    const after = await office.begin('trip', 'k2', {}, { mode: 'preempt' });
    await office.go('k2');
    await office.until(pivoted, 'done', 2000);
    await office.until(after, 'done', 2000);
  });
});

describe('workers', () => {
  it('share the runs: two of them, each effect once', async () => {
    await office.hire([trip()], { owner: 'one', concurrency: 8 });
    await office.hire([trip()], { owner: 'two', concurrency: 8 });
    const names = Array.from({ length: 120 }, (_, index) => `many-${String(index)}`);
    const ids = await Promise.all(
      names.map((name, index) => office.begin('trip', name, index % 5 === 0 ? { fail: 'commit' } : {})),
    );
    await Promise.all(ids.map((id, index) => office.until(id, index % 5 === 0 ? 'undone' : 'done', 30_000)));
    for (const [index, name] of names.entries()) {
      expect(await office.look(name)).toEqual(index % 5 === 0 ? UNDONE : DONE);
      const log = await office.oplog(name);
      expect(new Set(log).size).toBe(log.length);
    }
    const owners = await office.database.read('epochs', (tx) =>
      sqlOne<{ most: number }>(tx, "SELECT max(lease_epoch) AS most FROM saga WHERE resource_id LIKE 'many-%'"),
    );
    expect(owners).toEqual({ most: 1 });
  }, 60_000);

  it('give back what they cannot end when they close, and another goes on at once', async () => {
    const first = await office.hire([trip()], { owner: 'first' });
    const id = await office.begin('trip', 'handed', { hold: 'port' });
    await waitFor('the effect', async () => (await office.oplog('handed')).length === 2, 5000);
    await office.dismiss(first);
    expect(await office.run(id)).toMatchObject({ state: 'running', lease_until: null });
    await office.hire([trip()], { owner: 'second' });
    await office.go('handed');
    await office.until(id, 'done', 3000);
    expect(await office.look('handed')).toEqual(DONE);
    const log = await office.oplog('handed');
    expect(log.filter((line) => line.startsWith('made'))).toEqual(['made guest', 'made port', 'made notice']);
  });

  it('leave alone what they do not know', async () => {
    await office.hire([made('other', [])]);
    const id = await office.begin('trip', 'unknown');
    const other = await office.begin('other', 'known');
    await office.until(other, 'done');
    expect(await office.run(id)).toMatchObject({ state: 'running', lease_epoch: 0 });
    await office.hire([trip()], { owner: 'late' });
    await office.until(id, 'done');
  });
});

describe('the kill suite', () => {
  it.each([
    ['done', {}, DONE, 17],
    ['undone', { fail: 'commit' }, UNDONE, 20],
  ])(
    'finds that a run which ends %s survives a cut at each place',
    async (end, params, expected, places) => {
      let number = 0;
      const hire = () => office.hire([trip()], { owner: `w${String((number += 1))}` });
      let worker = await hire();
      const passed = await sagaKillSuite({
        kind: 'trip',
        prepare: async () => Promise.resolve(`${end}-${String((number += 1))}`),
        act: async (name: string) => office.begin('trip', name, params),
        resume: async () => {
          await office.dismiss(worker);
          worker = await hire();
        },
        check: async (name) => {
          await waitFor(
            'the end',
            async () => {
              const [run] = await office.database.read('history', (tx) => office.sagas.history(tx, name));
              return run?.state === end;
            },
            10_000,
            5,
          );
          expect(await office.look(name)).toEqual(expected);
          const log = await office.oplog(name);
          expect(new Set(log).size).toBe(log.length);
        },
      });
      expect(passed.length).toBeGreaterThanOrEqual(places);
    },
    60_000,
  );
});

it('tells the context of a step that a lease stands behind it', async () => {
  let seen: unknown = null;
  const steps: SagaStep<unknown>[] = [
    {
      type: 'effect',
      name: 'a',
      do: async (ctx, run) => {
        seen = { key: ctx.fence?.key === run.id, epoch: ctx.fence?.epoch, held: ctx.fence?.held() };
        return null;
      },
    },
  ];
  await office.hire([made('fenced', steps)]);
  await office.until(await office.begin('fenced', 'fenced', {}, {}), 'done');
  expect(seen).toEqual({ key: true, epoch: 1, held: true });
  expect(newContext().fence).toBeNull();
});
