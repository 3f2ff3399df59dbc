import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newContext } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { processStat, waitFor } from '@nestack/kernel/process';
import { createTestDatabase, type TestDatabase } from '@nestack/kernel/testing';
import { Workers } from '../test/processes';
import { DONE, UNDONE, tripTables, type TripParams } from '../test/trip';
import { createSagas } from './index';

/**
 * Workers as real processes that are really killed (SIGKILL) and frozen (SIGSTOP). Each place gets a saga kind of its own,
 * whose first worker dies there; a second worker, which knows all kinds, goes on.
 */
let db: TestDatabase;
let workers: Workers;
const sagas = createSagas(() => undefined);

beforeAll(async () => {
  db = await createTestDatabase('svc', tripTables);
  workers = await Workers.prepare(db);
}, 60_000);

afterAll(async () => {
  await workers.dispose();
  await db.close();
}, 30_000);

async function begin(kind: string, resource: string, params: TripParams = {}): Promise<string> {
  return db.database.run('begin', async (tx) => {
    await execute(tx, 'INSERT INTO account (resource) VALUES ($1)', [resource]);
    return sagas.start(newContext(), tx, kind, { params, resourceId: resource, action: 'trip' });
  });
}

async function look(resource: string): Promise<unknown> {
  return db.database.read('look', async (tx) => ({
    account: await sqlOne(tx, 'SELECT reserved, committed, done, undone FROM account WHERE resource = $1', [resource]),
    made: (
      await sql<{ name: string }>(tx, "SELECT name FROM made WHERE resource = $1 AND name <> 'go' ORDER BY name", [
        resource,
      ])
    ).map((row) => row.name),
  }));
}

async function oplog(resource: string): Promise<{ what: string; epoch: number; pid: number }[]> {
  return db.database.read('oplog', (tx) =>
    sql(tx, 'SELECT what, epoch, pid FROM oplog WHERE resource = $1 ORDER BY id', [resource]),
  );
}

async function stateOf(resource: string): Promise<string> {
  const row = await db.database.read('state', (tx) =>
    sqlOne<{ state: string }>(tx, 'SELECT state FROM saga WHERE resource_id = $1', [resource]),
  );
  return row?.state ?? 'absent';
}

const finished = (resource: string, timeoutMs = 30_000): Promise<void> =>
  waitFor(`${resource} to end`, async () => ['done', 'undone'].includes(await stateOf(resource)), timeoutMs, 20);

/** Places at which a run that succeeds is cut, and one that fails at its wait. */
const FORWARD = [
  ...['reserve', 'plugged', 'commit'].flatMap((step) => [`${step}:before-journal`, `${step}:after-journal`]),
  ...['reserve', 'commit'].map((step) => `${step}:before-do`),
  ...['guest', 'port', 'notice'].flatMap((step) =>
    ['before-do', 'after-do', 'before-journal', 'after-journal'].map((point) => `${step}:${point}`),
  ),
  'done:before-end',
];
const BACKWARD = [
  'plugged:before-failed',
  'plugged:after-failed',
  ...['port', 'guest', 'reserve'].flatMap((step) => [`${step}:before-undo`, `${step}:after-undo`]),
  'undone:before-end',
  'undone:after-end',
];

describe('a worker that is killed', () => {
  it('at any place of a run: the next worker ends it, done or undone, and each effect once', async () => {
    const cases = [
      ...FORWARD.map((place, index) => ({ kind: `f${String(index)}`, place, params: {}, end: DONE })),
      ...BACKWARD.map((place, index) => ({
        kind: `b${String(index)}`,
        place,
        params: { fail: 'plugged' },
        end: UNDONE,
      })),
    ];
    for (const { kind, params } of cases) await begin(kind, kind, params);
    const queue = [...cases];
    const victims = async (): Promise<void> => {
      for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
        const failPoint = `${one.kind}/${one.place}`;
        const victim = workers.start({ owner: `victim-${one.kind}`, kinds: [one.kind], leaseMs: 2000, failPoint });
        expect({ place: one.place, signal: await victim.ended }).toEqual({ place: one.place, signal: 'SIGKILL' });
      }
    };
    await Promise.all([victims(), victims(), victims()]);
    const rescuer = workers.start({ owner: 'rescuer', kinds: cases.map((one) => one.kind), leaseMs: 2000 });
    await rescuer.ready;
    for (const { kind } of cases) await finished(kind);
    for (const { kind, place, end } of cases) {
      expect({ place, ...((await look(kind)) as object) }).toEqual({ place, ...end });
      const made = (await oplog(kind)).map((row) => row.what);
      expect({ place, made: new Set(made).size }).toEqual({ place, made: made.length });
    }
    rescuer.child.kill('SIGTERM');
    expect(await rescuer.ended).toBeNull();
  }, 300_000);

  it('and started again under its name: it takes its own runs up at once, long before their lease ends', async () => {
    await begin('again', 'again', { hold: 'guest' });
    const settings = { owner: 'conductor', kinds: ['again'], leaseMs: 60_000, sweepMs: 60_000 };
    const first = workers.start(settings);
    await waitFor('the effect', async () => (await oplog('again')).length === 1, 30_000);
    first.child.kill('SIGKILL');
    await first.ended;
    await db.database.run('go', (tx) => execute(tx, "INSERT INTO made VALUES ('again', 'go')"));
    const second = workers.start(settings);
    await second.ready;
    await finished('again', 2000);
    expect(await look('again')).toEqual(DONE);
    second.child.kill('SIGKILL');
  }, 60_000);

  it('again and again by its own run: it is tried less and less often, and others go on', async () => {
    const poison = `poison-${Date.now()}`;
    const fine = `fine-${Date.now()}`;
    await begin('poison', poison);
    await begin('fine', fine);
    const settings = { owner: 'c', kinds: ['poison', 'fine'], leaseMs: 60_000, failPoint: 'poison/guest:after-do' };
    let deaths = 0;
    const until = Date.now() + 60_000;
    const othersDone = async (): Promise<boolean> => (await stateOf(fine)) === 'done';
    while (Date.now() < until && (deaths < 3 || !(await othersDone()))) {
      const victim = workers.start(settings);
      await Promise.race([victim.ended.then(() => (deaths += 1)), new Promise((resolve) => setTimeout(resolve, 6000))]);
      victim.child.kill('SIGKILL');
      await victim.ended;
    }
    expect(await look(fine)).toEqual(DONE);
    const row = await db.database.read('row', (tx) =>
      sqlOne<{ attempts: number; pause: number }>(
        tx,
        'SELECT attempts, extract(epoch FROM next_attempt_at - updated_at)::float8 AS pause FROM saga WHERE resource_id = $1',
        [poison],
      ),
    );
    expect(row?.attempts).toBeGreaterThanOrEqual(2);
    expect(row?.pause).toBeGreaterThan(0.9);
    const healthy = workers.start({ ...settings, failPoint: '' });
    await finished(poison, 30_000);
    expect(await look(poison)).toEqual(DONE);
    healthy.child.kill('SIGKILL');
  }, 150_000);
});

describe('a worker that is frozen', () => {
  it('and wakes late: another has ended the run, its commands and journal entries are refused', async () => {
    await begin('late', 'late', { hold: 'guest' });
    const settings = { kinds: ['late'], leaseMs: 1500 };
    const frozen = workers.start({ ...settings, owner: 'frozen' });
    await waitFor('the effect', async () => (await oplog('late')).length === 1, 30_000);
    frozen.child.kill('SIGSTOP');
    const other = workers.start({ ...settings, owner: 'other' });
    await other.ready;
    await waitFor('the other worker', async () => (await oplog('late')).length === 2, 15_000);
    await db.database.run('go', (tx) => execute(tx, "INSERT INTO made VALUES ('late', 'go')"));
    await finished('late');
    const before = await history('late');
    frozen.child.kill('SIGCONT');
    await waitFor(
      'the late one',
      async () => (await oplog('late')).some((row) => row.what === 'refused in guest'),
      15_000,
    );
    const log = await oplog('late');
    expect(log.filter((row) => row.pid === frozen.child.pid).map((row) => row.what)).toEqual([
      'waits in guest',
      'wakes in guest',
      'refused in guest',
    ]);
    expect(await look('late')).toEqual(DONE);
    expect(await history('late')).toEqual(before);
    // It is none the worse for it and works on.
    other.child.kill('SIGTERM');
    await other.ended;
    await begin('late', 'later');
    await finished('later');
    frozen.child.kill('SIGKILL');
  }, 90_000);

  it('in the middle of a transaction: its locks do not outlast it', async () => {
    await begin('stopped', 'stopped');
    const frozen = workers.start({ owner: 'frozen', kinds: ['stopped'], leaseMs: 1500, frozenIn: 'reserve' });
    await waitFor('it to stop', () => processStat(frozen.child.pid ?? 0)?.state === 'T', 30_000);
    const other = workers.start({ owner: 'other', kinds: ['stopped'], leaseMs: 1500 });
    await finished('stopped', 40_000);
    frozen.child.kill('SIGCONT');
    frozen.child.kill('SIGTERM');
    expect(await frozen.ended).toBeNull();
    expect(await look('stopped')).toEqual(DONE);
    other.child.kill('SIGKILL');
  }, 90_000);
});

async function history(resource: string): Promise<unknown> {
  return db.database.read('history', (tx) => sagas.history(tx, resource));
}
