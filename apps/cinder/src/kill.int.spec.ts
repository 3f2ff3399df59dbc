import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { cutWorkers } from '@nestack/kernel/saga';
import { TestCinder, until } from './testing/test-cinder';

/**
 * The law, for every long operation: its worker is cut off before and after each effect and each journal entry, one place
 * per run, and another one goes on. Each time the run ends as the undisturbed one does, every effect is there once, and
 * what is counted (quotas, pools) is what there is.
 */
let cinder: TestCinder;
const TEN_MINUTES = 600_000;

beforeAll(async () => {
  cinder = await TestCinder.start();
}, 60_000);

afterAll(async () => {
  cutWorkers(null);
  await cinder.close();
});

afterEach(() => cutWorkers(null));

interface Scenario<T> {
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

async function play<T>(scenario: Scenario<T>, at: string | null): Promise<readonly string[]> {
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
    await cinder.down();
    await cinder.up();
  }
  try {
    await scenario.check(made);
    cutWorkers(null);
    await nothingIsLeft();
  } catch (error) {
    throw new Error(`after a cut at ${String(at)}: ${String(error)}`, { cause: error });
  }
  return passed;
}

async function survives<T>(scenario: Scenario<T>): Promise<void> {
  const places = [...new Set(await play(scenario, null))];
  expect(places.length).toBeGreaterThanOrEqual(scenario.places);
  for (const place of places) await play(scenario, place);
}

/** No row, no data, no export, no quota, no promise of room. */
async function nothingIsLeft(): Promise<void> {
  const { volumes, snapshots, exports } = cinder.store();
  expect({ volumes, snapshots, exports }).toEqual({ volumes: {}, snapshots: {}, exports: {} });
  const left = await cinder.query<{ what: string }>(
    `SELECT 'usage ' || resource AS what FROM quota_usage WHERE in_use <> 0
     UNION ALL SELECT 'pool ' || host FROM pool WHERE provisioned <> 0
     UNION ALL SELECT 'volume ' || id FROM volume
     UNION ALL SELECT 'snapshot ' || id FROM snapshot
     UNION ALL SELECT 'saga ' || kind FROM saga WHERE state NOT IN ('done', 'undone')`,
  );
  expect(left).toEqual([]);
  expect(cinder.neighbours.images.size).toBe(0);
}

async function removed(id: string): Promise<void> {
  await cinder.call('DELETE', `/volumes/${id}?cascade=true`);
  await cinder.gone(`/volumes/${id}`);
  await idle();
}

/** Waits until nothing is under way any more: a volume is gone a moment before its run has ended. */
async function idle(): Promise<void> {
  await until('nothing is under way', async () => {
    const rows = await cinder.query("SELECT 1 FROM saga WHERE state NOT IN ('done', 'undone')");
    return rows.length === 0;
  });
}

type Made = { id: string; other?: string };
const volume = async (): Promise<Made> => ({ id: (await cinder.volume()).id });

async function askFor(made: Made, fields: Record<string, unknown> = {}): Promise<void> {
  made.id = (await cinder.ask(fields)).id;
}

async function available(made: Made, content: string): Promise<void> {
  await cinder.reaches(made.id, 'available');
  expect(cinder.store().volumes[made.id]).toEqual({ size: 1, content });
  await removed(made.id);
}

describe('whatever step its worker dies at', () => {
  it(
    'a volume is created',
    () =>
      survives<Made>({
        kind: 'volume.create',
        prepare: () => Promise.resolve({ id: '' }),
        act: (made) => askFor(made),
        check: (made) => available(made, 'empty'),
        places: 12,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume is created from an image',
    () =>
      survives<Made>({
        kind: 'volume.create',
        prepare: () => Promise.resolve({ id: '', other: cinder.neighbours.addImage(Buffer.from('x')) }),
        act: (made) => askFor(made, { imageRef: made.other }),
        check: async (made) => {
          expect(await cinder.reaches(made.id, 'available')).toMatchObject({ bootable: 'true' });
          cinder.neighbours.images.clear();
          await available(made, expect.stringMatching(/^[0-9a-f]{64}$/) as unknown as string);
        },
        places: 12,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume that cannot be created ends in error, and can be deleted',
    () =>
      survives<Made>({
        kind: 'volume.create',
        prepare: () => {
          const other = cinder.neighbours.addImage(Buffer.from('x'));
          cinder.neighbours.onDownload = () => cinder.neighbours.images.delete(other);
          return Promise.resolve({ id: '', other });
        },
        act: (made) => askFor(made, { imageRef: made.other }),
        check: async (made) => {
          await cinder.reaches(made.id, 'error');
          cinder.neighbours.onDownload = null;
          await idle();
          const told = await cinder.query('SELECT 1 FROM message WHERE resource_uuid = $1', [made.id]);
          expect(told).toHaveLength(1);
          await removed(made.id);
        },
        places: 12,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume is deleted with its snapshots',
    () =>
      survives<Made>({
        kind: 'volume.delete',
        prepare: async () => {
          const made = await volume();
          return { ...made, other: await cinder.snapshot(made.id) };
        },
        act: (made) => cinder.call('DELETE', `/volumes/${made.id}?cascade=true`),
        check: async (made) => {
          await cinder.gone(`/volumes/${made.id}`);
          await idle();
        },
        places: 9,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume grows, and its server is told',
    () =>
      survives<Made>({
        kind: 'volume.extend',
        prepare: async () => {
          const made = await volume();
          cinder.neighbours.events.length = 0;
          return { ...made, other: (await cinder.attach(made.id)).id };
        },
        act: (made) => cinder.act(made.id, 'os-extend', { new_size: 3 }, { version: '3.42' }),
        check: async (made) => {
          await until('it has grown', async () => (await cinder.show(made.id))?.['size'] === 3);
          await idle();
          expect(await cinder.reaches(made.id, 'in-use')).toMatchObject({ size: 3 });
          expect(cinder.store().volumes[made.id]).toMatchObject({ size: 3 });
          expect(cinder.neighbours.events.length).toBeGreaterThanOrEqual(1);
          await cinder.detach(made.other ?? '');
          await removed(made.id);
        },
        places: 9,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume becomes an image',
    () =>
      survives<Made>({
        kind: 'volume.upload_image',
        prepare: volume,
        act: (made) =>
          cinder.act(made.id, 'os-volume_upload_image', { image_name: 'i', disk_format: 'raw', force: false }),
        check: async (made) => {
          await cinder.reaches(made.id, 'available');
          await idle();
          const images = [...cinder.neighbours.images.values()];
          expect(images.map((one) => one.fields['status'])).toEqual(['active']);
          cinder.neighbours.images.clear();
          await removed(made.id);
        },
        places: 5,
      }),
    TEN_MINUTES,
  );

  it(
    'a snapshot is made',
    () =>
      survives<Made>({
        kind: 'snapshot.create',
        prepare: volume,
        act: async (made) => {
          const { json } = await cinder.call('POST', '/snapshots', { body: { snapshot: { volume_id: made.id } } });
          made.other = (json['snapshot'] as { id: string }).id;
        },
        check: async (made) => {
          await cinder.snapshotReaches(made.other ?? '', 'available');
          expect(cinder.store().snapshots[made.other ?? '']).toEqual({ volume: made.id, content: 'empty' });
          await removed(made.id);
        },
        places: 5,
      }),
    TEN_MINUTES,
  );

  it(
    'a snapshot is deleted',
    () =>
      survives<Made>({
        kind: 'snapshot.delete',
        prepare: async () => {
          const made = await volume();
          return { ...made, other: await cinder.snapshot(made.id) };
        },
        act: (made) => cinder.call('DELETE', `/snapshots/${made.other ?? ''}`),
        check: async (made) => {
          await cinder.gone(`/snapshots/${made.other ?? ''}`);
          expect(cinder.store().snapshots).toEqual({});
          await removed(made.id);
        },
        places: 5,
      }),
    TEN_MINUTES,
  );
});

describe('operations that meet', () => {
  it('leave nothing: a volume is deleted by force while it is being made', async () => {
    const { id } = await cinder.ask();
    expect((await cinder.act(id, 'os-force_delete', null, { as: 'p1:admin' })).status).toBe(202);
    await cinder.gone(`/volumes/${id}`);
    await idle();
    await nothingIsLeft();
  });

  it('leave nothing: ten volumes with snapshots come and go while cinder is stopped and started', async () => {
    const asked = await Promise.all(Array.from({ length: 10 }, () => cinder.ask({}, { as: 'many:admin' })));
    await cinder.down();
    await cinder.up();
    for (const { id } of asked) await cinder.reaches(id, 'available', { as: 'many:admin' });
    await Promise.all(asked.map(({ id }) => cinder.snapshot(id, {}, { as: 'many:admin' })));
    await Promise.all(asked.map(({ id }) => cinder.call('DELETE', `/volumes/${id}?cascade=1`, { as: 'many:admin' })));
    await cinder.down();
    await cinder.up();
    for (const { id } of asked) await cinder.gone(`/volumes/${id}`, { as: 'many:admin' });
    await idle();
    await nothingIsLeft();
  }, 60_000);
});
