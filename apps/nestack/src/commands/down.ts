import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { tryRun } from '@nestack/kernel/process';
import pg from 'pg';
import { roleNames } from '../cloud/config-files';
import { databaseUrlOf, dropDatabases } from '../cloud/databases';
import { readIfThere, writeAtomically } from '../cloud/files';
import type { Layout } from '../cloud/layout';
import { removeGuests, shutGuestsDown } from '../cloud/libvirt';
import { readSettings, type CloudSettings } from '../cloud/settings';
import { removeUnderlay, underlayOf } from '../cloud/underlay';
import { stopVolumeDaemons } from '../cloud/volumes';
import { Progress } from '../progress';
import { supervisorStatus } from '../supervisor/client';
import { askSupervisor } from '../supervisor/protocol';
import { UserError } from '../user-error';
import { placeOf, type CommonOptions } from './cloud';
import { ensurePostgres } from './servers';

/** Stops everything cleanly: services first, then guests (shut down, their disks kept), then broker and database. */
export async function down(options: CommonOptions): Promise<void> {
  const { layout } = placeOf(options);
  const settings = readSettings(layout);
  if (settings === null || (await supervisorStatus(layout)) === null) {
    process.stdout.write(`No cloud runs in ${layout.root}.\n`);
    return;
  }
  await stopCloud(layout, settings, new Progress());
}

async function stopCloud(layout: Layout, settings: CloudSettings, progress: Progress): Promise<void> {
  // Services go before the guests: nobody shall take the shutdown for the guests' own wish.
  await progress.step('services', async () => {
    await stopServices(layout, settings);
  });
  if (settings.virt === 'libvirt') {
    await progress.step('guests', async (say) => {
      const counts = await Promise.all(settings.hosts.map((host) => shutGuestsDown(layout, host)));
      say(`${counts.reduce((sum, one) => sum + one, 0)} shut down`);
    });
  }
  await stopVolumeDaemons(layout);
  await rememberDevices(layout, settings).catch(() => undefined);
  await progress.step('RabbitMQ and PostgreSQL', async () => {
    await askSupervisor(layout.supervisorSocket, { op: 'shutdown' });
  });
}

async function stopServices(layout: Layout, settings: CloudSettings): Promise<void> {
  const names = settings.hosts.flatMap((host) => roleNames(settings, host)).reverse();
  for (const name of names) await askSupervisor(layout.supervisorSocket, { op: 'stop', name });
}

interface Devices {
  readonly networks: readonly string[];
  readonly ports: readonly string[];
}

/** Notes the ids after which bridges, taps and namespaces are named, for a reset without a database. */
async function rememberDevices(layout: Layout, settings: CloudSettings): Promise<void> {
  const url = await ensurePostgres(layout, settings);
  const client = new pg.Client({ connectionString: databaseUrlOf(settings, url, 'neutron') });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const idsOf = async (table: string): Promise<string[]> =>
      (await client.query<{ id: string }>(`SELECT id::text AS id FROM neutron.${table}`)).rows.map((row) => row.id);
    const devices: Devices = { networks: await idsOf('networks'), ports: await idsOf('ports') };
    writeAtomically(path.join(layout.run, 'devices.json'), JSON.stringify(devices));
  } finally {
    await client.end();
  }
}

/** Removes a cloud with all that it has made on this machine. */
export async function reset(options: CommonOptions & { readonly yes?: boolean }): Promise<void> {
  const { layout } = placeOf(options);
  const settings = readSettings(layout);
  if (settings === null) {
    if (existsSync(layout.run))
      throw new UserError(`${layout.root} has no settings, but processes.`, 'Stop them, then remove the folder.');
    process.stdout.write(`There is no cloud in ${layout.root}.\n`);
    return;
  }
  if (options.yes !== true && !(await confirmed(layout)))
    throw new UserError('Nothing was removed.', 'Use --yes to be not asked.');
  const progress = new Progress();
  const runs = (await supervisorStatus(layout)) !== null;
  if (runs) {
    await progress.step('services', async () => {
      await stopServices(layout, settings);
    });
    if (settings.virt === 'libvirt') {
      await progress.step('guests', async () => {
        for (const host of settings.hosts) await removeGuests(layout, host);
      });
    }
    await stopVolumeDaemons(layout);
    await rememberDevices(layout, settings).catch(() => undefined);
    await progress.step('RabbitMQ and PostgreSQL', async () => {
      await askSupervisor(layout.supervisorSocket, { op: 'shutdown' });
    });
  }
  if (settings.net !== 'fake')
    await progress.step('bridges, taps and namespaces', () => removeDevices(layout, settings));
  if (settings.databaseUrl !== null) await dropDatabases(settings, settings.databaseUrl);
  rmSync(layout.root, { recursive: true, force: true });
  progress.note(`${layout.root} is removed`);
}

async function removeDevices(layout: Layout, settings: CloudSettings): Promise<void> {
  const devices = JSON.parse(
    readIfThere(path.join(layout.run, 'devices.json')) ?? '{"networks":[],"ports":[]}',
  ) as Devices;
  for (const id of devices.networks) {
    await tryRun('ip', ['netns', 'delete', `qdhcp-${id}`]);
    await tryRun('ip', ['link', 'delete', `brq${id.slice(0, 11)}`]);
  }
  for (const id of devices.ports) await tryRun('ip', ['link', 'delete', `tap${id.slice(0, 11)}`]);
  await removeUnderlay(underlayOf(layout, settings), settings.hosts);
}

async function confirmed(layout: Layout): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const { createInterface } = await import('node:readline/promises');
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await prompt.question(
      `Remove the cloud in ${layout.root} with all its servers, images and volumes? [y/N] `,
    );
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    prompt.close();
  }
}
