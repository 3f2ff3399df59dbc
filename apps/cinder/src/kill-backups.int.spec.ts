import 'reflect-metadata';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { cutWorkers } from '@nestack/kernel/saga';
import { until } from '@nestack/kernel/testing';
import { KillSuite, TEN_MINUTES } from './testing/kill-suite';
import { TestCinder } from './testing/test-cinder';

/** The law, for backups. */
let cinder: TestCinder;
let suite: KillSuite;
const version = '3.70';

beforeAll(async () => {
  cinder = await TestCinder.start();
  suite = new KillSuite(cinder);
}, 60_000);

afterAll(async () => {
  cutWorkers(null);
  await cinder.close();
});

afterEach(() => cutWorkers(null));

interface Made {
  volume: string;
  attachment: string;
  backup: string;
  copy: string;
}
const NOTHING: Made = { volume: '', attachment: '', backup: '', copy: '' };

const status = async (id: string): Promise<unknown> =>
  ((await cinder.call('GET', `/backups/${id}`, { version })).json['backup'] as { status?: string } | undefined)?.status;

const reaches = (id: string, wanted: string): Promise<void> =>
  until(`backup ${id} is ${wanted}`, async () => (await status(id)) === wanted);

async function ask(volume: string): Promise<string> {
  const body = { backup: { volume_id: volume, force: true } };
  const answer = await cinder.call('POST', '/backups', { version, body });
  expect(answer.status).toBe(202);
  return (answer.json['backup'] as { id: string }).id;
}

const withVolume = async (): Promise<Made> => ({ ...NOTHING, volume: (await cinder.volume()).id });

async function inUse(): Promise<Made> {
  const made = await withVolume();
  return { ...made, attachment: (await cinder.attach(made.volume)).id };
}

async function withBackup(): Promise<Made> {
  const made = await withVolume();
  const backup = await ask(made.volume);
  await reaches(backup, 'available');
  await suite.idle();
  return { ...made, backup };
}

/** Everything of a scenario goes, and nothing is in the repository any more. */
async function removed(made: Made): Promise<void> {
  await cinder.call('DELETE', `/backups/${made.backup}`, { version });
  await cinder.gone(`/backups/${made.backup}`, { version });
  if (made.attachment !== '') await cinder.detach(made.attachment);
  for (const id of [made.copy, made.volume].filter((one) => one !== '')) await suite.removed(id);
  const repository = path.join(cinder.config.state_path, 'backup');
  expect(existsSync(repository) ? readdirSync(repository) : []).toEqual([]);
  const held = path.join(cinder.config.state_path, 'fake', 'held');
  expect(existsSync(held) ? readdirSync(held) : []).toEqual([]);
}

describe('whatever step its worker dies at', () => {
  it(
    'a volume in use is backed up',
    () =>
      suite.survives<Made>({
        kind: 'backup.create',
        prepare: inUse,
        act: async (made) => {
          made.backup = await ask(made.volume);
        },
        check: async (made) => {
          await reaches(made.backup, 'available');
          await suite.idle();
          await cinder.reaches(made.volume, 'in-use');
          expect(cinder.store().snapshots).toEqual({});
          await removed(made);
        },
        places: 18,
      }),
    TEN_MINUTES,
  );

  it(
    'a backup that finds no service ends in error, and leaves its volume as it was',
    () =>
      suite.survives<Made>({
        kind: 'backup.create',
        prepare: async () => {
          const made = await inUse();
          await cinder.query(`UPDATE service SET disabled = true WHERE binary_name = 'cinder-backup' RETURNING 1`);
          return made;
        },
        act: async (made) => {
          made.backup = await ask(made.volume);
        },
        check: async (made) => {
          await reaches(made.backup, 'error');
          await suite.idle();
          await cinder.reaches(made.volume, 'in-use');
          await cinder.query(`UPDATE service SET disabled = false WHERE binary_name = 'cinder-backup' RETURNING 1`);
          await removed(made);
        },
        places: 2,
      }),
    TEN_MINUTES,
  );

  it(
    'a backup becomes a new volume',
    () =>
      suite.survives<Made>({
        kind: 'backup.restore',
        prepare: withBackup,
        act: async (made) => {
          const body = { restore: {} };
          const { json } = await cinder.call('POST', `/backups/${made.backup}/restore`, { version, body });
          made.copy = (json['restore'] as { volume_id: string }).volume_id;
        },
        check: async (made) => {
          await cinder.reaches(made.copy, 'available');
          await reaches(made.backup, 'available');
          expect(cinder.store().volumes[made.copy]).toEqual({ size: 1, content: 'empty' });
          await suite.idle();
          await removed(made);
        },
        places: 12,
      }),
    TEN_MINUTES,
  );

  it(
    'a backup is deleted',
    () =>
      suite.survives<Made>({
        kind: 'backup.delete',
        prepare: withBackup,
        act: (made) => cinder.call('DELETE', `/backups/${made.backup}`, { version }),
        check: async (made) => {
          await cinder.gone(`/backups/${made.backup}`, { version });
          await suite.idle();
          await removed(made);
        },
        places: 5,
      }),
    TEN_MINUTES,
  );
});
