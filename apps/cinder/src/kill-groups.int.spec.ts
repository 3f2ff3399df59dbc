import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { cutWorkers } from '@nestack/kernel/saga';
import { until } from '@nestack/kernel/testing';
import { KillSuite, TEN_MINUTES } from './testing/kill-suite';
import { TestCinder } from './testing/test-cinder';

/** The law, for groups of volumes and their snapshots. */
let cinder: TestCinder;
let suite: KillSuite;
let volumeType: string;
let groupType: string;
const version = '3.70';

beforeAll(async () => {
  cinder = await TestCinder.start();
  suite = new KillSuite(cinder);
  const made = async (url: string, body: unknown) =>
    Object.values((await cinder.call('POST', url, { as: 'p1:admin', version, body })).json)[0] as { id: string };
  volumeType = (await made('/types', { volume_type: { name: 'v' } })).id;
  groupType = (await made('/group_types', { group_type: { name: 'g' } })).id;
}, 60_000);

afterAll(async () => {
  cutWorkers(null);
  await cinder.close();
});

afterEach(() => cutWorkers(null));

interface Made {
  group: string;
  volume: string;
  snapshot: string;
  copy: string;
}
const NOTHING: Made = { group: '', volume: '', snapshot: '', copy: '' };

async function post(url: string, body: unknown): Promise<string> {
  const { status, json } = await cinder.call('POST', url, { version, body });
  expect(status).toBe(202);
  return (Object.values(json)[0] as { id: string } | undefined)?.id ?? '';
}

async function reaches(url: string, status: string): Promise<void> {
  await until(`${url} is ${status}`, async () => {
    const { json } = await cinder.call('GET', url, { version });
    return (Object.values(json)[0] as { status?: string }).status === status;
  });
}

const ask = (): Promise<string> => post('/groups', { group: { group_type: groupType, volume_types: [volumeType] } });

async function withVolume(): Promise<Made> {
  const group = await ask();
  await reaches(`/groups/${group}`, 'available');
  const volume = await cinder.volume({ group_id: group, volume_type: volumeType });
  return { ...NOTHING, group, volume: volume.id };
}

async function withSnapshot(): Promise<Made> {
  const made = await withVolume();
  const snapshot = await post('/group_snapshots', { group_snapshot: { group_id: made.group } });
  await reaches(`/group_snapshots/${snapshot}`, 'available');
  await suite.idle();
  return { ...made, snapshot };
}

async function removed(made: Made): Promise<void> {
  if (made.snapshot !== '') {
    await cinder.call('DELETE', `/group_snapshots/${made.snapshot}`, { version });
    await cinder.gone(`/group_snapshots/${made.snapshot}`, { version });
  }
  for (const group of [made.copy, made.group].filter((one) => one !== '')) {
    await cinder.call('POST', `/groups/${group}/action`, { version, body: { delete: { 'delete-volumes': true } } });
    await cinder.gone(`/groups/${group}`, { version });
  }
  await suite.idle();
}

describe('whatever step its worker dies at', () => {
  it(
    'a group is created',
    () =>
      suite.survives<Made>({
        kind: 'group.create',
        prepare: () => Promise.resolve({ ...NOTHING }),
        act: async (made) => {
          made.group = await ask();
        },
        check: async (made) => {
          await reaches(`/groups/${made.group}`, 'available');
          await removed(made);
        },
        places: 6,
      }),
    TEN_MINUTES,
  );

  it(
    'a group is copied',
    () =>
      suite.survives<Made>({
        kind: 'group.create_from_src',
        prepare: withSnapshot,
        act: async (made) => {
          made.copy = await post('/groups/action', { 'create-from-src': { group_snapshot_id: made.snapshot } });
        },
        check: async (made) => {
          await reaches(`/groups/${made.copy}`, 'available');
          expect(Object.values(cinder.store().volumes)).toEqual([1, 2].map(() => ({ size: 1, content: 'empty' })));
          await removed(made);
        },
        places: 2,
      }),
    TEN_MINUTES,
  );

  it(
    'a group is deleted with its volumes',
    () =>
      suite.survives<Made>({
        kind: 'group.delete',
        prepare: withVolume,
        act: (made) =>
          cinder.call('POST', `/groups/${made.group}/action`, {
            version,
            body: { delete: { 'delete-volumes': true } },
          }),
        check: async (made) => {
          await cinder.gone(`/groups/${made.group}`, { version });
          await suite.idle();
        },
        places: 2,
      }),
    TEN_MINUTES,
  );

  it(
    'a snapshot of a group is made',
    () =>
      suite.survives<Made>({
        kind: 'group_snapshot.create',
        prepare: withVolume,
        act: async (made) => {
          made.snapshot = await post('/group_snapshots', { group_snapshot: { group_id: made.group } });
        },
        check: async (made) => {
          await reaches(`/group_snapshots/${made.snapshot}`, 'available');
          expect(Object.values(cinder.store().snapshots)).toEqual([{ volume: made.volume, content: 'empty' }]);
          await suite.idle();
          await removed(made);
        },
        places: 5,
      }),
    TEN_MINUTES,
  );

  it(
    'a snapshot of a group is deleted',
    () =>
      suite.survives<Made>({
        kind: 'group_snapshot.delete',
        prepare: withSnapshot,
        act: (made) => cinder.call('DELETE', `/group_snapshots/${made.snapshot}`, { version }),
        check: async (made) => {
          await cinder.gone(`/group_snapshots/${made.snapshot}`, { version });
          expect(cinder.store().snapshots).toEqual({});
          await suite.idle();
          await removed({ ...made, snapshot: '' });
        },
        places: 5,
      }),
    TEN_MINUTES,
  );
});
