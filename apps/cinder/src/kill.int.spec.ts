import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newContext } from '@nestack/kernel/context';
import { execute } from '@nestack/kernel/db';
import { createSagas, cutWorkers } from '@nestack/kernel/saga';
import { until } from '@nestack/kernel/testing';
import { KillSuite, TEN_MINUTES, type Made } from './testing/kill-suite';
import { TestCinder } from './testing/test-cinder';

/**
 * The law, for every long operation: its worker is cut off before and after each effect and each journal entry, one place
 * per run, and another one goes on. Each time the run ends as the undisturbed one does, every effect is there once, and
 * what is counted (quotas, pools) is what there is.
 */
let cinder: TestCinder;
let suite: KillSuite;

beforeAll(async () => {
  cinder = await TestCinder.start();
  suite = new KillSuite(cinder);
}, 60_000);

afterAll(async () => {
  cutWorkers(null);
  await cinder.close();
});

afterEach(() => cutWorkers(null));

const volume = async (): Promise<Made> => ({ id: (await cinder.volume()).id });

async function askFor(made: Made, fields: Record<string, unknown> = {}): Promise<void> {
  made.id = (await cinder.ask(fields)).id;
}

async function available(made: Made, content: string): Promise<void> {
  await cinder.reaches(made.id, 'available');
  expect(cinder.store().volumes[made.id]).toEqual({ size: 1, content });
  await suite.removed(made.id);
}

describe('whatever step its worker dies at', () => {
  it(
    'a volume is created',
    () =>
      suite.survives<Made>({
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
      suite.survives<Made>({
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
      suite.survives<Made>({
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
          await suite.idle();
          const told = await cinder.query('SELECT 1 FROM message WHERE resource_uuid = $1', [made.id]);
          expect(told).toHaveLength(1);
          await suite.removed(made.id);
        },
        places: 12,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume is deleted with its snapshots',
    () =>
      suite.survives<Made>({
        kind: 'volume.delete',
        prepare: async () => {
          const made = await volume();
          return { ...made, other: await cinder.snapshot(made.id) };
        },
        act: (made) => cinder.call('DELETE', `/volumes/${made.id}?cascade=true`),
        check: async (made) => {
          await cinder.gone(`/volumes/${made.id}`);
          await suite.idle();
        },
        places: 9,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume grows, and its server is told',
    () =>
      suite.survives<Made>({
        kind: 'volume.extend',
        prepare: async () => {
          const made = await volume();
          cinder.neighbours.events.length = 0;
          return { ...made, other: (await cinder.attach(made.id)).id };
        },
        act: (made) => cinder.act(made.id, 'os-extend', { new_size: 3 }, { version: '3.42' }),
        check: async (made) => {
          await until('it has grown', async () => (await cinder.show(made.id))?.['size'] === 3);
          await suite.idle();
          expect(await cinder.reaches(made.id, 'in-use')).toMatchObject({ size: 3 });
          expect(cinder.store().volumes[made.id]).toMatchObject({ size: 3 });
          expect(cinder.neighbours.events.length).toBeGreaterThanOrEqual(1);
          await cinder.detach(made.other ?? '');
          await suite.removed(made.id);
        },
        places: 9,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume becomes an image',
    () =>
      suite.survives<Made>({
        kind: 'volume.upload_image',
        prepare: volume,
        act: (made) =>
          cinder.act(made.id, 'os-volume_upload_image', { image_name: 'i', disk_format: 'raw', force: false }),
        check: async (made) => {
          await cinder.reaches(made.id, 'available');
          await suite.idle();
          const images = [...cinder.neighbours.images.values()];
          expect(images.map((one) => one.fields['status'])).toEqual(['active']);
          cinder.neighbours.images.clear();
          await suite.removed(made.id);
        },
        places: 9,
      }),
    TEN_MINUTES,
  );

  it('an image that is refused leaves the volume as it was', async () => {
    const made = await volume();
    cinder.neighbours.onCreate = () => false;
    const upload = { image_name: 'i', disk_format: 'raw', force: false };
    const { status } = await cinder.act(made.id, 'os-volume_upload_image', upload);
    cinder.neighbours.onCreate = null;
    expect(status).toBe(403);
    await cinder.reaches(made.id, 'available');
    await suite.idle();
    await suite.removed(made.id);
  });

  it(
    'a request that dies before it has told of its image leaves none',
    async () => {
      const made = await volume();
      const image_id = cinder.neighbours.addImage(Buffer.alloc(0), { status: 'queued', size: null });
      // All that the request has done when its process is killed between glance's answer and telling of it.
      const run = await cinder.database.database.run('request', async (tx) => {
        await execute(tx, "UPDATE volume SET status = 'uploading' WHERE id = $1", [made.id]);
        await execute(tx, "INSERT INTO image_request (image_id, state) VALUES ($1, 'pending')", [image_id]);
        const params = { volume_id: made.id, image_id, disk_format: 'raw', status: 'available', requested: true };
        return createSagas(() => undefined).start(newContext(), tx, 'volume.upload_image', {
          params,
          resourceId: made.id,
        });
      });
      const waits = "SELECT 1 FROM saga_event WHERE saga_id = $1 AND node = 'created' AND event = 'started'";
      await until('it waits', async () => (await cinder.query(waits, [run])).length === 1);
      await cinder.down();
      await cinder.database.database.run('later', (tx) =>
        execute(tx, "UPDATE saga_event SET at = at - interval '1 minute' WHERE saga_id = $1", [run]),
      );
      await cinder.up();
      await cinder.reaches(made.id, 'available');
      await suite.idle();
      expect([...cinder.neighbours.images.keys()]).toEqual([]);
      expect(await cinder.query('SELECT * FROM image_request')).toEqual([]);
      await suite.removed(made.id);
    },
    TEN_MINUTES,
  );

  it(
    'a snapshot is made',
    () =>
      suite.survives<Made>({
        kind: 'snapshot.create',
        prepare: volume,
        act: async (made) => {
          const { json } = await cinder.call('POST', '/snapshots', { body: { snapshot: { volume_id: made.id } } });
          made.other = (json['snapshot'] as { id: string }).id;
        },
        check: async (made) => {
          await cinder.snapshotReaches(made.other ?? '', 'available');
          expect(cinder.store().snapshots[made.other ?? '']).toEqual({ volume: made.id, content: 'empty' });
          await suite.removed(made.id);
        },
        places: 5,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume is given the content of an image',
    () =>
      suite.survives<Made>({
        kind: 'volume.reimage',
        prepare: volume,
        act: (made) => {
          const image = cinder.neighbours.addImage(Buffer.from('reimaged'));
          return cinder.act(made.id, 'os-reimage', { image_id: image }, { version: '3.68' });
        },
        check: async (made) => {
          await suite.idle();
          expect(await cinder.reaches(made.id, 'available')).toMatchObject({ bootable: 'true' });
          cinder.neighbours.images.clear();
          await suite.removed(made.id);
        },
        places: 5,
      }),
    TEN_MINUTES,
  );

  it(
    'a snapshot is deleted',
    () =>
      suite.survives<Made>({
        kind: 'snapshot.delete',
        prepare: async () => {
          const made = await volume();
          return { ...made, other: await cinder.snapshot(made.id) };
        },
        act: (made) => cinder.call('DELETE', `/snapshots/${made.other ?? ''}`),
        check: async (made) => {
          await cinder.gone(`/snapshots/${made.other ?? ''}`);
          expect(cinder.store().snapshots).toEqual({});
          await suite.removed(made.id);
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
    await suite.idle();
    await suite.nothingIsLeft();
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
    await suite.idle();
    await suite.nothingIsLeft();
  }, 60_000);
});
