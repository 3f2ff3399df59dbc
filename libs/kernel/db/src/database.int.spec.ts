import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@nestack/kernel/testing';
import { afterCommit, execute, isUniqueViolation, sql, sqlOne } from './index';

describe('a database', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await createTestDatabase('svc', [
      { name: '0001-things', up: ['CREATE TABLE thing (id int PRIMARY KEY, n int NOT NULL DEFAULT 0)'] },
    ]);
    await test.database.run('seed', (tx) => execute(tx, 'INSERT INTO thing (id) VALUES (1), (2)'));
  });
  afterAll(() => test.close());

  it('commits what succeeds and nothing of what throws', async () => {
    const rung: string[] = [];
    await expect(
      test.database.run('fails', async (tx) => {
        await execute(tx, 'INSERT INTO thing (id) VALUES (3)');
        afterCommit(tx, () => rung.push('failed'));
        throw new Error('no');
      }),
    ).rejects.toThrow();
    await test.database.run('works', async (tx) => {
      await execute(tx, 'INSERT INTO thing (id) VALUES (4)');
      afterCommit(tx, () => rung.push('committed'));
    });
    expect(
      await test.database.read('list', (tx) => sql<{ id: number }>(tx, 'SELECT id FROM thing ORDER BY id')),
    ).toEqual([{ id: 1 }, { id: 2 }, { id: 4 }]);
    expect(rung).toEqual(['committed']);
  });

  it('plans a statement that is often met once for each connection', async () => {
    const add = (n: number) =>
      test.database.read('add', (tx) => sql<{ sum: number }>(tx, 'SELECT $1::int + 1 AS sum', [n]));
    const sums: number[] = [];
    for (let n = 0; n < 8; n++) sums.push((await add(n))[0]?.sum ?? 0);
    expect(sums).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const prepared = await test.database.read('prepared', (tx) =>
      sql<{ statement: string }>(tx, 'SELECT statement FROM pg_prepared_statements'),
    );
    expect(prepared.filter(({ statement }) => statement.includes('$1::int + 1'))).toHaveLength(1);
  });

  it('plans anew when a table has got another form under it', async () => {
    await test.database.run('make', (tx) => execute(tx, 'CREATE TABLE form AS SELECT 1 AS id, 0 AS n'));
    const read = () => test.database.read('read', (tx) => sql(tx, 'SELECT * FROM form WHERE id = $1', [1]));
    for (let n = 0; n < 8; n++) expect(await read()).toHaveLength(1);
    await test.database.run('alter', (tx) => execute(tx, "ALTER TABLE form ADD COLUMN note text DEFAULT 'x'"));
    expect(await read()).toEqual([expect.objectContaining({ id: 1, note: 'x' })]);
    const change = () =>
      test.database.run('change', (tx) => sql(tx, 'UPDATE form SET n = n + 1 WHERE id = $1 RETURNING *', [1]));
    for (let n = 0; n < 8; n++) expect(await change()).toHaveLength(1);
    await test.database.run('alter', (tx) => execute(tx, 'ALTER TABLE form DROP COLUMN note'));
    expect(Object.keys((await change())[0] ?? {})).toEqual(['id', 'n']);
  });

  it('tells of references to what is not there, and of what others refer to, as conflicts', async () => {
    const run = (text: string) => test.database.run('refer', (tx) => execute(tx, text));
    await run('CREATE TABLE part (thing int REFERENCES thing (id))');
    await run('INSERT INTO part VALUES (2)');
    await expect(run('INSERT INTO part VALUES (99)')).rejects.toMatchObject({
      kind: 'conflict',
      message: 'A resource that the request refers to is not there.',
    });
    await expect(run('DELETE FROM thing WHERE id = 2')).rejects.toMatchObject({
      kind: 'conflict',
      message: 'Something else still refers to this resource.',
    });
    await run('DROP TABLE part');
  });

  it('blames whoever sent text or numbers that cannot be stored', async () => {
    for (const table of ['short (text varchar(3))', 'keyed (text text UNIQUE)']) {
      await test.database.run('make', (tx) => execute(tx, `CREATE TABLE ${table}`));
    }
    for (const [text, value] of [
      ['SELECT $1::int', 1e30],
      ['SELECT $1::int', Infinity],
      ['SELECT $1::int', 2 ** 31],
      ['SELECT $1::bigint', 2 ** 63],
      ['SELECT $1::int * 2', 2 ** 31 - 1],
      ['SELECT $1::text', 'a\u0000b'],
      ['SELECT $1::jsonb', JSON.stringify({ a: '\u0000' })],
      ['INSERT INTO short (text) VALUES ($1)', 'three'],
      ['INSERT INTO keyed (text) VALUES ($1)', randomBytes(20_000).toString('hex')],
    ] as const) {
      const attempt = test.database.run('nul', (tx) => sql(tx, text, [value]));
      await expect(attempt).rejects.toMatchObject({ kind: 'badRequest' });
    }
  });

  it('runs a deadlocked transaction again until both are through', async () => {
    let waiting = 0;
    let release: () => void = () => undefined;
    const both = new Promise<void>((resolve) => (release = resolve));
    const cross = (first: number, second: number) =>
      test.database.run('cross', async (tx) => {
        await execute(tx, 'UPDATE thing SET n = n + 1 WHERE id = $1', [first]);
        waiting += 1;
        if (waiting === 2) release();
        await both;
        await execute(tx, 'UPDATE thing SET n = n + 1 WHERE id = $1', [second]);
      });
    await Promise.all([cross(1, 2), cross(2, 1)]);
    expect(await test.database.read('sum', (tx) => sqlOne(tx, 'SELECT sum(n)::int AS n FROM thing'))).toEqual({ n: 4 });
  });

  it('tells unique violations, counts changed rows and migrates once', async () => {
    await expect(
      test.database.run('dup', (tx) =>
        execute(tx, 'INSERT INTO thing (id) VALUES (1)').catch((error: unknown) =>
          Promise.reject(isUniqueViolation(error) ? new Error('dup') : error),
        ),
      ),
    ).rejects.toMatchObject({ detail: expect.stringContaining('dup') });
    expect(await test.database.run('touch', (tx) => execute(tx, 'UPDATE thing SET n = 0'))).toBe(3);
    expect(
      await test.database.run('none', (tx) => execute(tx, 'INSERT INTO thing (id) VALUES (1) ON CONFLICT DO NOTHING')),
    ).toBe(0);
    await Promise.all([test.database.migrate([]), test.database.migrate([])]);
  });

  it('may not read another schema', async () => {
    const other = await createTestDatabase('other');
    await expect(test.database.read('peek', (tx) => sql(tx, 'SELECT * FROM pg_authid'))).rejects.toMatchObject({
      kind: 'bug',
    });
    await other.close();
  });
});
