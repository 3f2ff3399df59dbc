import { existsSync, rmSync } from 'node:fs';
import { silentLogger } from '@nestack/kernel/log';
import { absentHostWires } from '@nestack/neutron/drivers';
import { agentDir, filterTable, roleNames } from '../cloud/config-files';
import { dropDatabases } from '../cloud/databases';
import type { Layout } from '../cloud/layout';
import { removeGuests, shutGuestsDown } from '../cloud/libvirt';
import { readSettings, type CloudSettings } from '../cloud/settings';
import { removeUnderlay, underlayOf, type Underlay } from '../cloud/underlay';
import { stopVolumeDaemons } from '../cloud/volumes';
import { Progress } from '../progress';
import { supervisorStatus } from '../supervisor/client';
import { askSupervisor } from '../supervisor/protocol';
import { UserError } from '../user-error';
import { placeOf, type CommonOptions } from './cloud';

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
  await progress.step('RabbitMQ and PostgreSQL', async () => {
    await askSupervisor(layout.supervisorSocket, { op: 'shutdown' });
  });
}

async function stopServices(layout: Layout, settings: CloudSettings): Promise<void> {
  const names = settings.hosts.flatMap((host) => roleNames(settings, host)).reverse();
  for (const name of names) await askSupervisor(layout.supervisorSocket, { op: 'stop', name });
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
  const underlay = underlayOf(layout, settings);
  for (const host of settings.hosts) await removeWires(layout, underlay, host);
  await removeUnderlay(underlay, settings.hosts);
}

/** Removes what a host's agent has made: bridges, tunnels, filters, the namespaces of DHCP servers and routers. */
export async function removeWires(layout: Layout, underlay: Underlay, host: string): Promise<void> {
  await absentHostWires({
    namespace: underlay.netns(host),
    stateDir: agentDir(layout, host),
    table: filterTable(underlay),
    log: silentLogger,
  });
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
