import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { cutWorkers } from '@nestack/kernel/saga';
import { until } from '@nestack/kernel/testing';
import { KillSuite, TEN_MINUTES, type Made } from './testing/kill-suite';
import { TestCinder, type CallOptions } from './testing/test-cinder';

/** The law, for volumes that change their content or their place. */
let cinder: TestCinder;
let suite: KillSuite;
let second: string;
const admin: CallOptions = { as: 'p1:admin', version: '3.70' };

beforeAll(async () => {
  second = mkdtempSync(path.join(tmpdir(), 'second-'));
  cinder = await TestCinder.start({ backends: [TestCinder.secondBackend(second)] });
  suite = new KillSuite(cinder);
}, 60_000);

afterAll(async () => {
  cutWorkers(null);
  await cinder.close();
  rmSync(second, { recursive: true, force: true });
});

afterEach(() => {
  cutWorkers(null);
  expect(cinder.store(second)).toEqual({ volumes: {}, snapshots: {}, exports: {} });
});

const host = (name: string): string => `${String(cinder.config.host)}@${name}#${name}`;

/** A volume on the first backend. */
async function volume(): Promise<Made> {
  const { status, json } = await cinder.call('POST', '/types', {
    ...admin,
    body: { volume_type: { name: 'first', extra_specs: { volume_backend_name: 'fake' } } },
  });
  if (status !== 200 && status !== 409) throw new Error(JSON.stringify(json));
  return { id: (await cinder.volume({ volume_type: 'first' })).id };
}

async function anywhere(): Promise<Made> {
  const made = await volume();
  await cinder.act(made.id, 'os-retype', { new_type: '__DEFAULT__', migration_policy: 'never' });
  return made;
}

describe('whatever step its worker dies at', () => {
  it(
    'a volume goes back to its snapshot',
    () =>
      suite.survives<Made>({
        kind: 'volume.revert',
        prepare: async () => {
          const made = await volume();
          return { ...made, other: await cinder.snapshot(made.id) };
        },
        act: (made) => cinder.act(made.id, 'revert', { snapshot_id: made.other }, { version: '3.40' }),
        check: async (made) => {
          await cinder.reaches(made.id, 'available');
          await cinder.snapshotReaches(made.other ?? '', 'available');
          await suite.removed(made.id);
        },
        places: 5,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume moves to another backend',
    () =>
      suite.survives<Made>({
        kind: 'volume.migrate',
        prepare: anywhere,
        act: (made) => cinder.act(made.id, 'os-migrate_volume', { host: host('second') }, admin),
        check: async (made) => {
          await until(
            'it has moved',
            async () => (await cinder.show(made.id, admin))?.['migration_status'] === 'success',
          );
          await suite.idle();
          expect([cinder.store().volumes, cinder.store(second).volumes]).toEqual([
            {},
            { [made.id]: { size: 1, content: 'empty' } },
          ]);
          await suite.removed(made.id);
        },
        places: 12,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume that cannot move stays where it is',
    () =>
      suite.survives<Made>({
        kind: 'volume.migrate',
        prepare: volume,
        act: (made) => cinder.act(made.id, 'os-migrate_volume', { host: host('second') }, admin),
        check: async (made) => {
          await until(
            'it has failed',
            async () => (await cinder.show(made.id, admin))?.['migration_status'] === 'error',
          );
          await suite.idle();
          expect(await cinder.reaches(made.id, 'available')).toMatchObject({ size: 1 });
          await suite.removed(made.id);
        },
        places: 2,
      }),
    TEN_MINUTES,
  );

  it(
    'a volume is found on its backend',
    () =>
      suite.survives<Made>({
        kind: 'volume.manage',
        prepare: async () => {
          const made = await volume();
          await cinder.act(made.id, 'os-unmanage', null, admin);
          return made;
        },
        act: async (made) => {
          const ref = { 'source-name': `volume-${made.id}` };
          const body = { volume: { host: host('fake'), ref } };
          const { json } = await cinder.call('POST', '/manageable_volumes', { ...admin, body });
          made.other = (json['volume'] as { id: string }).id;
        },
        check: async (made) => {
          await cinder.reaches(made.other ?? '', 'available');
          expect(cinder.store().volumes).toEqual({ [made.other ?? '']: { size: 1, content: 'empty' } });
          await suite.removed(made.other ?? '');
        },
        places: 12,
      }),
    TEN_MINUTES,
  );

  it(
    'a snapshot is found on its backend',
    () =>
      suite.survives<Made>({
        kind: 'snapshot.manage',
        prepare: async () => {
          const made = await volume();
          const other = await cinder.snapshot(made.id);
          await cinder.call('POST', `/snapshots/${other}/action`, { ...admin, body: { 'os-unmanage': null } });
          return { ...made, other };
        },
        act: async (made) => {
          const ref = { 'source-name': `_snapshot-${made.other ?? ''}` };
          const body = { snapshot: { volume_id: made.id, ref } };
          const { json } = await cinder.call('POST', '/manageable_snapshots', { ...admin, body });
          made.other = (json['snapshot'] as { id: string }).id;
        },
        check: async (made) => {
          await cinder.snapshotReaches(made.other ?? '', 'available');
          expect(Object.keys(cinder.store().snapshots)).toEqual([made.other]);
          await suite.removed(made.id);
        },
        places: 5,
      }),
    TEN_MINUTES,
  );
});
