import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@nestack/kernel/log';
import { waitFor } from '@nestack/kernel/process';
import { createTestDatabase, type TestDatabase } from '@nestack/kernel/testing';
import { Outbox, execute, seen, sql, sqlOne, type OutboxMessage, type OutboxOptions } from './index';

let test: TestDatabase;
const opened: Outbox[] = [];

beforeAll(async () => {
  test = await createTestDatabase('svc', [
    { name: '0001', up: ['CREATE TABLE effect (n int)', 'INSERT INTO effect VALUES (0)'] },
  ]);
});

afterEach(async () => {
  for (const outbox of opened.splice(0)) await outbox.close();
  await test.database.run('empty', (tx) => execute(tx, 'DELETE FROM outbox'));
});

afterAll(() => test.close());

function outbox(publish: (message: OutboxMessage) => Promise<void>, options: OutboxOptions = {}): Outbox {
  const made = new Outbox(test.database, publish, silentLogger, options);
  opened.push(made);
  return made;
}

const waiting = (): Promise<number> =>
  test.database.read('count', async (tx) =>
    Number((await sqlOne<{ n: string }>(tx, 'SELECT count(*) AS n FROM outbox'))?.n),
  );

describe('an outbox', () => {
  it('delivers what was committed, in its order, and nothing of what was not', async () => {
    const got: unknown[] = [];
    const box = outbox(async ({ message }) => void got.push(message));
    const failed = test.database.run('no', async (tx) => {
      await box.add(tx, 'there', 'never');
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow();
    await test.database.run('add', async (tx) => {
      await box.add(tx, 'there', { n: 1 });
      await box.addAll(tx, 'there', [{ n: 2 }, { n: 3 }]);
      expect(got).toEqual([]);
    });
    await waitFor('all three', () => got.length === 3, 5000, 5);
    expect(got).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    await waitFor('the table to be empty', async () => (await waiting()) === 0, 5000, 5);
  });

  it('tries later what its destination does not take, under the same id, and lets others through', async () => {
    const tries: string[] = [];
    const got: unknown[] = [];
    const box = outbox(async ({ messageId, message }) => {
      if (message === 'hard' && tries.push(messageId) < 2) throw new Error('away');
      got.push(message);
    });
    await test.database.run('add', (tx) => box.addAll(tx, 'there', ['hard', 'easy']));
    await waitFor('the easy one', () => got.length === 1, 5000, 5);
    expect(got).toEqual(['easy']);
    await waitFor(
      'the hard one',
      () => {
        box.ring();
        return got.length === 2;
      },
      10_000,
    );
    expect(new Set(tries).size).toBe(1);
  });

  it('holds no transaction and no lock while it speaks to its destination', async () => {
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const got: unknown[] = [];
    const box = outbox(async ({ message }) => {
      await gate;
      got.push(message);
    });
    await test.database.run('add', (tx) => box.add(tx, 'slow', 1));
    await waitFor(
      'it to be taken',
      async () =>
        (await test.database.read('taken', (tx) => sql(tx, 'SELECT 1 FROM outbox WHERE attempts = 1'))).length === 1,
      5000,
      5,
    );
    const idle = await test.database.read('activity', (tx) =>
      sql(tx, "SELECT 1 FROM pg_stat_activity WHERE usename = current_user AND state = 'idle in transaction'"),
    );
    expect(idle).toEqual([]);
    await test.database.run('write', (tx) => execute(tx, "UPDATE outbox SET message = '2' WHERE destination = 'slow'"));
    open();
    await waitFor('the delivery', async () => got.length === 1 && (await waiting()) === 0, 5000, 5);
  });

  it('leaves what a process took that died to the next one, and two of them take each message once', async () => {
    const never = outbox(() => new Promise(() => undefined), { takenMs: 300 });
    await test.database.run('add', (tx) => never.add(tx, 'there', 'left'));
    await waitFor(
      'it to be taken',
      async () =>
        (await test.database.read('taken', (tx) => sql(tx, 'SELECT 1 FROM outbox WHERE attempts = 1'))).length === 1,
      5000,
      5,
    );
    // Closing it would wait for what it never ends.
    opened.length = 0;
    const got: unknown[] = [];
    const [one, two] = [0, 1].map(() => outbox(async ({ message }) => void got.push(message)));
    await waitFor(
      'the message',
      () => {
        one?.ring();
        two?.ring();
        return got.length === 1;
      },
      5000,
      20,
    );
    await test.database.run('many', async (tx) => {
      await one?.addAll(
        tx,
        'there',
        Array.from({ length: 200 }, (_, index) => index),
      );
    });
    two?.ring();
    await waitFor('all of them', async () => (await waiting()) === 0, 10_000, 5);
    expect(got).toHaveLength(201);
    expect(new Set(got).size).toBe(201);
  });

  it('of one destination does not wait for another', async () => {
    const got: unknown[] = [];
    const slow = outbox(() => new Promise((_, reject) => setTimeout(() => reject(new Error('slow')), 300)), {
      destination: 'slow',
    });
    const quick = outbox(async ({ message }) => void got.push(message), { destination: 'quick' });
    await test.database.run('add', async (tx) => {
      await slow.add(tx, 'slow', 1);
      await quick.add(tx, 'quick', 2);
    });
    await waitFor('the quick one', () => got.length === 1, 250, 5);
    expect(got).toEqual([2]);
  });
});

describe('an inbox', () => {
  it('lets each message have its effect once, however often and however fast it comes', async () => {
    const take = (id: string): Promise<void> =>
      test.database.run('take', async (tx) => {
        if (await seen(tx, id)) return;
        await execute(tx, 'UPDATE effect SET n = n + 1');
      });
    await Promise.all(Array.from({ length: 8 }, () => take('m1')));
    await take('m1');
    await take('m2');
    const failing = test.database.run('fail', async (tx) => {
      await seen(tx, 'm3');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow();
    await take('m3');
    expect(await test.database.read('n', (tx) => sqlOne(tx, 'SELECT n FROM effect'))).toEqual({ n: 3 });
  });
});
