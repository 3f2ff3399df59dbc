import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger, silentLogger } from '@nestack/kernel/log';
import { waitFor } from '@nestack/kernel/process';
import {
  createTestDatabase,
  freePort,
  killablePostgres,
  type KillableServer,
  type TestDatabase,
} from '@nestack/kernel/testing';
import { execute, executeSoon, openDatabase, sql, sqlOne, type Database } from './index';

/** PostgreSQL of this file alone, killed and started again under the pools. */
let postgres: KillableServer;
let test: TestDatabase;

beforeAll(async () => {
  postgres = await killablePostgres();
  test = await createTestDatabase(
    'svc',
    [
      {
        name: '0001',
        up: ['CREATE TABLE account (id int PRIMARY KEY, n int)', 'INSERT INTO account VALUES (1, 0), (2, 0)'],
      },
    ],
    postgres.url,
  );
}, 60_000);

afterAll(async () => {
  await test.close().catch(() => undefined);
  await postgres.stop();
}, 60_000);

const read = (id: number): Promise<number | undefined> =>
  test.database.read(
    'n',
    async (tx) => (await sqlOne<{ n: number }>(tx, 'SELECT n FROM account WHERE id = $1', [id]))?.n,
  );

describe('a transaction', () => {
  it('is run again as a whole on serialisation failures, and other errors end it', async () => {
    let runs = 0;
    const bump = (): Promise<void> =>
      test.database.run('bump', async (tx) => {
        runs += 1;
        await execute(tx, 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE');
        const row = await sqlOne<{ n: number }>(tx, 'SELECT n FROM account WHERE id = 1');
        await new Promise((resolve) => setTimeout(resolve, 20));
        await execute(tx, 'UPDATE account SET n = $1 WHERE id = 1', [(row?.n ?? 0) + 1]);
      });
    await Promise.all([bump(), bump(), bump()]);
    expect(await read(1)).toBe(3);
    expect(runs).toBeGreaterThan(3);
    runs = 0;
    const wrong = test.database.run('wrong', async (tx) => {
      runs += 1;
      await execute(tx, 'SELECT 1 / 0');
    });
    await expect(wrong).rejects.toMatchObject({ kind: 'bug', detail: expect.stringContaining('division by zero') });
    expect(runs).toBe(1);
  });

  it('does not pretend to commit when a failed statement was swallowed, and names the failure that began it', async () => {
    const swallowed = test.database.run('swallowed', async (tx) => {
      await execute(tx, 'UPDATE account SET n = 100 WHERE id = 2');
      await execute(tx, 'SELECT 1 / 0').catch(() => undefined);
    });
    await expect(swallowed).rejects.toMatchObject({ detail: expect.stringContaining('aborted') });
    const early = test.database.run('early', async (tx) => {
      void executeSoon(tx, 'SELECT 1 / 0');
      await execute(tx, 'UPDATE account SET n = 100 WHERE id = 2');
    });
    await expect(early).rejects.toMatchObject({ detail: expect.stringContaining('division by zero') });
    const late = test.database.run('late', async (tx) => {
      await execute(tx, 'UPDATE account SET n = 100 WHERE id = 2');
      void executeSoon(tx, 'SELECT 1 / 0');
    });
    await expect(late).rejects.toMatchObject({ detail: expect.stringContaining('division by zero') });
    expect(await read(2)).toBe(0);
  });

  it('waits for a connection while all are taken', async () => {
    const small = openDatabase({ url: test.url, schema: 'svc', pool_size: 2 }, silentLogger);
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const hold = (): Promise<void> =>
      small.run('hold', async (tx) => {
        await execute(tx, 'SELECT 1');
        await gate;
      });
    const held = [hold(), hold()];
    const queued = Array.from({ length: 10 }, () => small.read('queued', (tx) => sql(tx, 'SELECT 1 AS one')));
    await new Promise((resolve) => setTimeout(resolve, 200));
    open();
    await Promise.all(held);
    expect(await Promise.all(queued)).toHaveLength(10);
    await small.close();
  });
});

/** What a server says to its clients when it dies. */
function lastWords(): Buffer {
  const fields = ['SFATAL', 'VFATAL', 'C57P01', 'Mterminating connection due to unexpected postmaster exit', ''];
  const text = Buffer.from(fields.map((field) => `${field}\0`).join(''));
  const head = Buffer.from('E\0\0\0\0');
  head.writeInt32BE(text.length + 4, 1);
  return Buffer.concat([head, text]);
}

/** A way to the server that, when told to, lets the next connection come about and die in the same packet. */
async function deadlyWay(to: URL): Promise<{ readonly url: string; deadly: boolean; close(): void }> {
  const way = createServer((client) => {
    const server = connect(Number(to.port), to.hostname);
    const dies = result.deadly;
    result.deadly = false;
    server.on('data', (data) => {
      const ready = data.subarray(-6).equals(Buffer.from('Z\0\0\0\x05I'));
      client.write(dies && ready ? Buffer.concat([data, lastWords()]) : data);
      if (dies && ready) client.end();
    });
    client.on('data', (data) => server.write(data));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const)
      one.on('close', () => other.destroy()).on('error', () => other.destroy());
  });
  const port = await freePort();
  await new Promise<void>((resolve) => way.listen(port, '127.0.0.1', resolve));
  const url = new URL(to);
  url.host = `127.0.0.1:${String(port)}`;
  const result = { url: url.toString(), deadly: false, close: () => void way.close() };
  return result;
}

describe('PostgreSQL killed', () => {
  it('as soon as it has taken a connection: the process lives on', async () => {
    const way = await deadlyWay(new URL(test.url));
    const database = openDatabase({ url: way.url, schema: 'svc', pool_size: 2 }, silentLogger);
    const slow = (): Promise<unknown> => database.read('slow', (tx) => sql(tx, 'SELECT pg_sleep(0.2)'));
    await slow();
    way.deadly = true;
    const ends = await Promise.allSettled([slow(), slow()]);
    expect(way.deadly).toBe(false);
    expect(ends[0]).toMatchObject({ status: 'fulfilled' });
    expect(ends[1]).toMatchObject({ status: 'rejected', reason: { kind: 'unavailable' } });
    await Promise.all([slow(), slow()]);
    await database.close();
    way.close();
  });

  it('fails what is under way as unavailable, keeps what was committed, and serves again by itself', async () => {
    const before = await read(2);
    await test.database.run('commit', (tx) => execute(tx, 'UPDATE account SET n = n + 1 WHERE id = 2'));
    const cut = test.database.run('cut', async (tx) => {
      await execute(tx, 'UPDATE account SET n = n + 10 WHERE id = 2');
      await postgres.kill();
      await execute(tx, 'UPDATE account SET n = n + 10 WHERE id = 2');
    });
    await expect(cut).rejects.toMatchObject({ kind: 'unavailable', code: 'DatabaseUnavailable' });
    await expect(test.database.ping()).rejects.toMatchObject({ kind: 'unavailable' });
    await postgres.start();
    await test.database.ping();
    expect(await read(2)).toBe((before ?? 0) + 1);
  }, 60_000);

  it('before an app has started: it waits, says so, and starts when it is there', async () => {
    await postgres.kill();
    const lines: string[] = [];
    const log = createLogger({ service: 's', host: 'h', write: (line) => void lines.push(line) });
    const late: Database = openDatabase({ url: test.url, schema: 'svc' }, log);
    let migrated = false;
    const starting = late.migrate([]).then(() => (migrated = true));
    await waitFor('it to say so', () => lines.some((line) => line.includes('database.waiting')), 5000);
    expect(migrated).toBe(false);
    await postgres.start();
    await starting;
    await late.close();
  }, 60_000);
});
