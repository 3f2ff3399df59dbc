import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execute, sql } from '@nestack/kernel/db';
import { createTestDatabase, type TestDatabase } from '@nestack/kernel/testing';
import type { InstanceQuery } from '@nestack/nova/domain';
import pg from 'pg';
import { InstancesRepository, novaMigrations } from './index';

const PROJECTS = 4;
const PER_PROJECT = 2500;
const VOLUME = '0f1d6fcd-2d2b-4d3c-9c57-7d0fb3f3a001';

let test: TestDatabase;
const instances = new InstancesRepository();

beforeAll(async () => {
  test = await createTestDatabase('nova', novaMigrations);
  await test.database.run('fill', (tx) =>
    execute(
      tx,
      `INSERT INTO instance (uuid, project_id, user_id, display_name, hostname, vm_state, reservation_id, flavor, request, nics, host, created_at, updated_at)
       SELECT gen_random_uuid(), 'p' || (n % $1), 'u', 'vm-' || n, 'vm', 'active', 'r', '{"id": "1", "vcpus": 1, "memory_mb": 1}', '{}', '[]', 'h' || (n % 100),
         now() - n * interval '1 second', now() FROM generate_series(1, $2) n`,
      [PROJECTS, PROJECTS * PER_PROJECT],
    ),
  );
  await test.database.run('fill', (tx) => execute(tx, 'ANALYZE'));
}, 60_000);

afterAll(() => test.close());

const query = (fields: Partial<InstanceQuery> = {}): InstanceQuery => ({
  project_id: 'p1',
  limit: 100,
  sort: [{ key: 'created_at', dir: 'desc' }],
  ...fields,
});

/** The statements that `work` sends, with their parameters. */
async function statements(work: () => Promise<unknown>): Promise<readonly { text: string; values: unknown[] }[]> {
  const sent: { text: string; values: unknown[] }[] = [];
  const { query: original } = pg.Client.prototype;
  const spy = function (this: unknown, ...args: unknown[]): unknown {
    const [first, second] = args;
    const given =
      typeof first === 'string' ? { text: first, values: second } : (first as { text: string; values?: unknown });
    sent.push({ text: given.text, values: Array.isArray(given.values) ? (given.values as unknown[]) : [] });
    return (original as (...all: unknown[]) => unknown).apply(this, args);
  };
  pg.Client.prototype.query = spy as typeof original;
  try {
    await work();
  } finally {
    pg.Client.prototype.query = original;
  }
  return sent;
}

/** How PostgreSQL goes about a statement. */
async function planOf(statement: { text: string; values: unknown[] }): Promise<string> {
  const rows = await test.database.read('explain', (tx) =>
    sql<Record<string, string>>(tx, `EXPLAIN ${statement.text}`, statement.values),
  );
  return rows.map((row) => Object.values(row)[0]).join('\n');
}

describe('a list of servers', () => {
  it('is a statement that its index answers in order, and one for the rows', async () => {
    const sent = await statements(() =>
      test.database.read('list', async (tx) => expect(await instances.list(tx, query())).toHaveLength(100)),
    );
    expect(sent).toHaveLength(2);
    expect(sent[1]?.text).toContain('i.uuid = ANY($1::uuid[])');
    const plan = await planOf(sent[0] ?? { text: '', values: [] });
    expect(plan).toMatch(/Index Scan using instance_(project|created)/);
    expect(plan).not.toMatch(/Sort Key: i|Seq Scan on instance/);
  });

  it('begins a page behind its marker without reading what comes before', async () => {
    const first = await test.database.read('list', (tx) => instances.list(tx, query()));
    const marker = first.at(-1)?.instance.uuid ?? '';
    const sent = await statements(() =>
      test.database.read('list', async (tx) => {
        const next = await instances.list(tx, query({ marker }));
        expect(next).toHaveLength(100);
        expect(next.map(({ instance }) => instance.uuid)).not.toContain(marker);
      }),
    );
    expect(sent).toHaveLength(3);
    const plan = await planOf(sent[1] ?? { text: '', values: [] });
    expect(plan).toMatch(/Index Scan using instance_(project|created)/);
    expect(plan).toMatch(/Index Cond: .*ROW\(created_at, uuid\) < ROW/);
    expect(plan).not.toMatch(/Sort Key: i|Seq Scan on instance/);
  });

  it('reads again only what has changed, and shows every change', async () => {
    const list = async () => {
      let items: Awaited<ReturnType<typeof instances.list>> = [];
      const sent = await statements(async () => {
        items = await test.database.read('list', (tx) => instances.list(tx, query({ project_id: 'p2' })));
      });
      return { items, read: sent.slice(1).map(({ values }) => values[0]) };
    };
    const first = await list();
    const [one, other] = first.items.map(({ instance }) => instance.uuid) as [string, string];
    const again = await list();
    expect(again.read).toEqual([]);
    expect(again.items).toEqual(first.items);

    // Twice in one transaction, and a change that does not come to be.
    await test.database.run('rename', async (tx) => {
      await instances.update(tx, one, { display_name: 'for a moment' });
      await instances.update(tx, one, { display_name: 'for good' });
    });
    const undone = test.database.run('rename', async (tx) => {
      await instances.update(tx, other, { display_name: 'never' });
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('erred');
    const renamed = await list();
    expect(renamed.read).toEqual([[one]]);
    expect(renamed.items.slice(0, 2).map(({ instance }) => instance.display_name)).toEqual([
      'for good',
      first.items[1]?.instance.display_name,
    ]);

    // User data is read anew each time; a volume is no part of the row.
    await test.database.run('change', async (tx) => {
      await instances.update(tx, other, { user_data: 'IyEvYmluL3No' });
      await execute(
        tx,
        "INSERT INTO block_device_mapping (instance_uuid, volume_id, source_type, delete_on_termination, state) VALUES ($1, $2, 'volume', true, 'attached')",
        [one, VOLUME],
      );
    });
    const changed = await list();
    expect(changed.read).toEqual([[other]]);
    expect(changed.items[0]?.volumes).toEqual([{ id: VOLUME, delete_on_termination: true }]);
    expect(changed.items[1]?.instance.user_data).toBeNull();
    const [, withData] = await test.database.read('list', (tx) =>
      instances.list(tx, query({ project_id: 'p2', with_user_data: true })),
    );
    expect(withData?.instance.user_data).toBe('IyEvYmluL3No');
  });

  it('of all projects has an index of its own', async () => {
    const sent = await statements(() =>
      test.database.read('list', (tx) => instances.list(tx, query({ project_id: null }))),
    );
    expect(await planOf(sent[0] ?? { text: '', values: [] })).toContain('instance_created');
  });

  it('meets each server once, in order, page by page', async () => {
    const seen: string[] = [];
    let marker: string | undefined;
    for (;;) {
      const page = await test.database.read('list', (tx) =>
        instances.listNames(tx, query({ limit: 600, ...(marker === undefined ? {} : { marker }) })),
      );
      seen.push(...page.map(({ uuid }) => uuid));
      if (page.length < 600) break;
      marker = page.at(-1)?.uuid;
    }
    expect(seen).toHaveLength(PER_PROJECT);
    expect(new Set(seen).size).toBe(PER_PROJECT);
  });

  it.each([
    [[{ key: 'display_name', dir: 'asc' as const }]],
    [[{ key: 'host', dir: 'desc' as const }]],
    [
      [
        { key: 'launched_at', dir: 'asc' as const },
        { key: 'display_name', dir: 'desc' as const },
      ],
    ],
  ])('in the order %j loses nothing between pages', async (sort) => {
    const all = await test.database.read('list', (tx) => instances.listNames(tx, query({ limit: 10_000, sort })));
    const paged: string[] = [];
    for (let marker: string | undefined; ;) {
      const page = await test.database.read('list', (tx) =>
        instances.listNames(tx, query({ limit: 700, sort, ...(marker === undefined ? {} : { marker }) })),
      );
      paged.push(...page.map(({ uuid }) => uuid));
      if (page.length < 700) break;
      marker = page.at(-1)?.uuid;
    }
    expect(paged).toEqual(all.map(({ uuid }) => uuid));
  });
});

describe('one server', () => {
  it('is found by the primary key, and what is no id is nothing', async () => {
    const [{ uuid } = { uuid: '' }] = await test.database.read('list', (tx) => instances.listNames(tx, query()));
    const sent = await statements(() => test.database.read('find', (tx) => instances.find(tx, uuid)));
    expect(await planOf(sent[0] ?? { text: '', values: [] })).toContain('instance_pkey');
    const none = await statements(() =>
      test.database.read('find', async (tx) => {
        expect(await instances.find(tx, "x' OR true")).toBeNull();
        expect(await instances.find(tx, uuid.toUpperCase())).toBeNull();
      }),
    );
    expect(none).toEqual([]);
  });
});

describe('the servers of a host', () => {
  it('are found by its index', async () => {
    const sent = await statements(() => test.database.read('host', (tx) => instances.byHost(tx, 'h5')));
    expect(await planOf(sent[0] ?? { text: '', values: [] })).toContain('instance_host');
  });
});
