import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@nestack/kernel/log';
import { createTestDatabase, type TestDatabase } from '@nestack/kernel/testing';
import pg from 'pg';
import { execute, openDatabase, sql, sqlOne, type Database, type Migration } from './index';

let test: TestDatabase;
const opened: Database[] = [];

beforeAll(async () => {
  test = await createTestDatabase('svc');
});

afterAll(async () => {
  for (const one of opened) await one.close();
  await test.close();
});

/** A pool of its own, as another process has it. */
function another(schema = test.schema): Database {
  const database = openDatabase({ url: test.url, schema, pool_size: 2 }, silentLogger);
  opened.push(database);
  return database;
}

const numbered = (name: string, statements: readonly string[]): Migration => ({ name, up: statements });

describe('migrations', () => {
  it('are applied once when many processes start at the same time, and once again does nothing', async () => {
    const migrations = [
      numbered('0001-a', ['CREATE TABLE a (n int)', 'SELECT pg_sleep(0.1)', 'INSERT INTO a VALUES (1)']),
      numbered('0002-b', ['INSERT INTO a VALUES (2)']),
    ];
    const all = [another(), another(), another(), another()];
    await Promise.all(all.map((one) => one.migrate(migrations)));
    await all[0]?.migrate(migrations);
    const rows = await test.database.read('rows', (tx) => sql(tx, 'SELECT n FROM a ORDER BY n'));
    expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('that fail leave nothing behind, and go on where they were when they are mended', async () => {
    const broken = [
      numbered('0003-c', ['CREATE TABLE c (n int)']),
      numbered('0004-d', ['INSERT INTO c VALUES (1)', 'INSERT INTO nowhere VALUES (1)']),
    ];
    await expect(another().migrate(broken)).rejects.toThrow();
    expect(await test.database.read('c', (tx) => sqlOne(tx, "SELECT to_regclass('c') AS c"))).toEqual({ c: null });
    const mended = [broken[0] as Migration, numbered('0004-d', ['INSERT INTO c VALUES (1)'])];
    await another().migrate(mended);
    await another().migrate(mended);
    expect(await test.database.read('c', (tx) => sql(tx, 'SELECT n FROM c'))).toEqual([{ n: 1 }]);
    const names = await test.database.read('names', (tx) =>
      sql<{ name: string }>(tx, "SELECT name FROM schema_migration WHERE name LIKE '000%' ORDER BY name"),
    );
    expect(names.map((row) => row.name)).toEqual(['0001-a', '0002-b', '0003-c', '0004-d']);
  });
});

describe('a role', () => {
  it('sees its own schema alone: neither reads another one, nor names things there', async () => {
    const adminUrl = new URL(process.env['NESTACK_TEST_PG_URL'] ?? '');
    adminUrl.pathname = new URL(test.url).pathname;
    const admin = new pg.Client({ connectionString: adminUrl.toString() });
    await admin.connect();
    await admin.query('CREATE SCHEMA neighbour; CREATE TABLE neighbour.secret (n int)');
    await admin.end();
    const attempt = (text: string): Promise<unknown> => test.database.run('peek', (tx) => execute(tx, text));
    for (const text of [
      'SELECT * FROM neighbour.secret',
      'CREATE TABLE neighbour.mine (n int)',
      'DROP TABLE neighbour.secret',
      'CREATE SCHEMA third',
      'SELECT * FROM pg_authid',
    ]) {
      await expect(attempt(text)).rejects.toMatchObject({
        detail: expect.stringMatching(/permission denied|must be owner/),
      });
    }
    // Not on the path either: the name alone means nothing.
    await expect(attempt('SELECT * FROM secret')).rejects.toMatchObject({
      detail: expect.stringContaining('does not exist'),
    });
  });

  it('has a schema name that cannot be anything else', () => {
    expect(() => openDatabase({ url: test.url, schema: 'a; DROP TABLE b' }, silentLogger)).toThrow('bad schema name');
  });
});
