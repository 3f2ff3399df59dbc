import { createHash } from 'node:crypto';
import {
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { createKey } from '@nestack/kernel/auth';
import { listens, run, waitFor } from '@nestack/kernel/process';
import { bootstrap } from '../bootstrap/bootstrap';
import { writeCredentials } from '../bootstrap/credentials';
import { roleNames, rolesOf, urlsAt, writeRole, type ConfigSources } from '../cloud/config-files';
import { ensureDatabases } from '../cloud/databases';
import { readIfThere } from '../cloud/files';
import type { Layout } from '../cloud/layout';
import { prepareLibvirt, waitForLibvirt } from '../cloud/libvirt';
import {
  mergeSettings,
  portsOf,
  readSettings,
  writeSettings,
  type CloudSettings,
  type UpOptions,
} from '../cloud/settings';
import { ensureUnderlay, underlayOf } from '../cloud/underlay';
import { aptInstall, requireInstallable, whyNoApt } from '../install/apt';
import { missingOf, needsOf, type Need } from '../install/needs';
import { Progress } from '../progress';
import { ensureProcess, ensureSupervisor, supervisorStatus } from '../supervisor/client';
import { UserError } from '../user-error';
import { authUrlOf, placeOf, publicHost, type CommonOptions, type Place } from './cloud';
import { serviceHealth } from './health';
import { ensurePostgres, ensureRabbitmq } from './servers';

export interface UpCommandOptions extends UpOptions, CommonOptions {
  readonly client?: boolean;
  readonly image?: boolean;
}

/** Brings a cloud up: whatever is there already stays, whatever is missing is made. Can be repeated at any time. */
export async function up(options: UpCommandOptions): Promise<void> {
  const place = placeOf(options);
  const { layout } = place;
  const progress = new Progress();
  const settings = settingsFor(layout, options);
  const wantsImage = options.image !== false;
  const needs = needsOf({
    ...settings,
    client: options.client === true,
    image: wantsImage && settings.virt === 'libvirt',
  });
  const missing = missingOf(needs);
  const essential = missing.filter((need) => need.why !== OPTIONAL_WHY);
  requireInstallable(essential);
  requireMatchingDrivers(settings);
  requireRoot(settings);
  await requireFreePorts(layout, settings);
  writeSettings(layout, settings);

  const supervisor = await ensureSupervisor(layout, place.cli);
  const installed = install(progress, missing);
  // Errors of what runs beside are dealt with where it is awaited.
  installed.catch(() => undefined);
  const image = installed.then(() => buildImage(place, settings, progress, wantsImage));
  image.catch(() => undefined);

  const [databaseUrl, broker] = await Promise.all([
    progress.step('PostgreSQL', async (say) => {
      const url = await ensurePostgres(layout, settings);
      await ensureDatabases(settings, url);
      say('a schema and a role per service');
      return url;
    }),
    installed.then(() => ensureRabbitmq(layout, settings)),
    installed.then(() => hostParts(place, settings, progress)),
    ensureKeys(layout),
  ]);

  const underlay = underlayOf(layout, settings);
  const sources: ConfigSources = {
    layout,
    settings,
    underlay,
    databaseUrl,
    brokerUrl: broker.url,
    ...urlsAt(publicHost(settings), settings),
  };
  // The services wait for the broker themselves, so both start at once.
  await Promise.all([
    progress.step('RabbitMQ', () => broker.ready()),
    progress.step('services', async (say) => {
      await startRoles(place, sources);
      await waitForServices(settings, layout);
      say(`kept running by pid ${supervisor.pid}`);
    }),
  ]);
  await bootstrap(sources, authUrlOf(settings), progress, image);
  writeCredentials(layout, settings, authUrlOf(settings));
  summary(layout, settings, progress);
}

const OPTIONAL_WHY = 'builds the small Linux image from packages of the distribution';

function settingsFor(layout: Layout, options: UpOptions): CloudSettings {
  const host = hostname().split('.')[0] ?? 'localhost';
  return mergeSettings(readSettings(layout), options, { virt: 'libvirt', net: 'linuxbridge', volume: 'nbd', host });
}

/** Simulated guests have no taps, so ports on real networks would never become ACTIVE. */
function requireMatchingDrivers({ virt, net }: CloudSettings): void {
  if (virt === 'libvirt' || net === 'fake') return;
  throw new UserError('Simulated guests cannot be on real networks.', 'Add --net fake, or take --virt fake away.');
}

function requireRoot(settings: CloudSettings): void {
  if (settings.virt === 'fake' && settings.net === 'fake') return;
  if (process.platform === 'linux' && process.getuid?.() === 0) return;
  const reason = process.platform === 'linux' ? 'need root' : 'need Linux';
  throw new UserError(
    `Real guests and networks ${reason}.`,
    'The same API, with simulated guests, runs without: nestack up --virt fake --net fake --volume fake',
  );
}

async function requireFreePorts(layout: Layout, settings: CloudSettings): Promise<void> {
  if ((await supervisorStatus(layout)) !== null) return;
  const host = settings.bind === '0.0.0.0' ? '127.0.0.1' : settings.bind;
  const taken: string[] = [];
  for (const [name, port] of portsOf(settings)) {
    const survivor = existsSync(
      path.join(layout.run, `${name === 'rabbitmqDist' || name === 'epmd' ? 'rabbitmq' : name}.json`),
    );
    if (!survivor && (await listens(port, host))) taken.push(`${port} (${name})`);
  }
  if (taken.length === 0 || existsSync(layout.supervisorState)) return;
  throw new UserError(
    `Ports that the cloud needs are in use: ${taken.join(', ')}.`,
    'Stop what uses them, or run beside it with: nestack up --port-offset 10000 --state DIR',
  );
}

async function install(progress: Progress, missing: readonly Need[]): Promise<void> {
  const packages = [...new Set(missing.map((need) => need.package))];
  if (packages.length === 0) return;
  if (whyNoApt() !== null) {
    for (const need of missing) progress.note(`without ${need.package}: ${need.without}`);
    return;
  }
  for (const why of new Set(missing.map((need) => need.why))) {
    const names = new Set(missing.filter((need) => need.why === why).map((need) => need.package));
    progress.note(`installing ${[...names].join(', ')}: ${why}`);
  }
  await progress.step(`apt-get install (${packages.length} packages and what they need)`, (say) =>
    aptInstall(packages, say),
  );
}

/**
 * The default image's file; null when it cannot be built here. Built once for all clouds of this checkout. Simulated guests
 * read nothing of it, so theirs is a blank disk.
 */
async function buildImage(
  place: Place,
  settings: CloudSettings,
  progress: Progress,
  wanted: boolean,
): Promise<string | null> {
  const { images } = place.layout;
  const file = path.join(images, 'guest.qcow2');
  if (existsSync(file)) return file;
  const builder = path.join(place.home, 'images', 'build-guest.sh');
  const built = path.join(place.home, 'dist', 'image');
  if (!wanted || !existsSync(builder)) return null;
  mkdirSync(images, { recursive: true });
  if (settings.virt === 'fake') return blankDisk(images, progress);
  const lacking = missingOf(
    needsOf({ virt: 'fake', net: 'fake', volume: 'fake', brokerUrl: '', client: false, image: true }),
  );
  if (lacking.length > 0) {
    const names = [...new Set(lacking.map((need) => need.package))].join(', ');
    progress.note(`no small Linux image: building it needs ${names}`);
    return null;
  }
  await progress.step('small Linux image (from packages of the distribution)', async () => {
    mkdirSync(built, { recursive: true });
    // Another cloud of this checkout may be built at the same time.
    await run('flock', [path.join(built, '.lock'), 'bash', builder, built], { timeoutMs: 600_000, cwd: built });
    for (const name of ['vmlinuz', 'initrd.gz', 'guest.qcow2'])
      copyFileSync(path.join(built, name), path.join(images, name), constants.COPYFILE_FICLONE);
  });
  return file;
}

function blankDisk(images: string, progress: Progress): string {
  const file = path.join(images, 'blank.raw');
  if (existsSync(file)) return file;
  writeFileSync(file, Buffer.alloc(BLANK_BYTES));
  progress.note('the image of simulated guests is a blank disk');
  return file;
}

const BLANK_BYTES = 1024 * 1024;

export async function ensureKeys(layout: Layout): Promise<void> {
  mkdirSync(layout.keys.private, { recursive: true, mode: 0o700 });
  if (readdirSync(layout.keys.private).some((name) => name.endsWith('.pem'))) return;
  await createKey(layout.keys.private, layout.keys.public);
}

/** What compute hosts need besides the services: their wires and their libvirt. */
async function hostParts(place: Place, settings: CloudSettings, progress: Progress): Promise<void> {
  const { layout } = place;
  const underlay = underlayOf(layout, settings);
  if (settings.net !== 'fake') await ensureUnderlay(underlay, settings.hosts);
  if (settings.virt !== 'libvirt') return;
  await progress.step('libvirt', async () => {
    for (const host of settings.hosts) {
      await ensureProcess(layout, await prepareLibvirt(layout, { host, netns: underlay.netns(host) }));
    }
    await Promise.all(settings.hosts.map((host) => waitForLibvirt(layout, host)));
  });
}

/** Has the supervisor run the processes of all hosts; those whose bundle or settings have changed are restarted. */
export async function startRoles(place: Place, sources: ConfigSources): Promise<void> {
  const { layout, underlay } = sources;
  for (const role of rolesOf(sources)) {
    const file = writeRole(layout, role);
    const netns = underlay.netns(role.host);
    // A small young generation keeps the memory low; with a smaller one, collecting it takes a tenth of the work of a list.
    const node = [process.execPath, '--enable-source-maps', '--max-semi-space-size=16', place.main, '--config', file];
    // Not `ip netns exec`: in its own mount namespace the agent's namespaces would be seen by nobody else.
    const [command = '', ...args] = netns === null ? node : ['nsenter', `--net=/run/netns/${netns}`, '--', ...node];
    const version = createHash('sha256')
      .update(readFileSync(file))
      .update(String(statSync(place.main).mtimeMs))
      .digest('hex');
    await ensureProcess(layout, {
      name: role.name,
      command,
      args,
      cwd: layout.root,
      env: { PATH: process.env['PATH'], LANG: 'C.UTF-8', HOME: process.env['HOME'], NODE_ENV: 'production' },
      version,
      graceMs: 30_000,
    });
  }
}

/** Waits until all services are healthy; says what went wrong when one does not come up. */
async function waitForServices(settings: CloudSettings, layout: Layout): Promise<void> {
  const allHealthy = async (): Promise<boolean> => {
    const view = await supervisorStatus(layout);
    const failing = view?.processes.find((one) => one.state !== 'running' && one.restarts > 2);
    if (failing !== undefined) return true;
    return (await serviceHealth(settings)).every((one) => one.healthy);
  };
  await waitFor('the services', allHealthy, 120_000, 100).catch(() => undefined);
  const ill = (await serviceHealth(settings)).filter((one) => !one.healthy);
  if (ill.length === 0) return;
  const names = roleNames(settings, settings.hosts[0] ?? '');
  const said = names.flatMap((name) => lastWords(path.join(layout.log, `${name}.log`)).map((line) => `  ${line}`));
  throw new UserError(
    [`Not healthy: ${ill.map((one) => `${one.name} (${one.detail})`).join(', ')}.`, ...said].join('\n'),
    `See nestack logs, or the files in ${layout.log}.`,
  );
}

/** The last lines of a log that are no records: what a process said when it died. */
function lastWords(file: string): string[] {
  const lines = (readIfThere(file) ?? '').slice(-8000).split('\n');
  return lines.filter((line) => line.trim() !== '' && !line.startsWith('{')).slice(-4);
}

function summary(layout: Layout, settings: CloudSettings, progress: Progress): void {
  const shown = path.relative(process.cwd(), layout.root) || '.';
  const at = shown.startsWith('..') ? layout.root : shown;
  process.stdout.write(
    [
      '',
      `The cloud is up (${progress.elapsed()}): ${settings.virt === 'libvirt' ? 'real' : 'simulated'} guests, ${settings.net === 'fake' ? 'simulated' : 'real'} networks.`,
      `  Identity     ${authUrlOf(settings)}`,
      `  As admin     source ${at}/openrc`,
      `  As demo      export OS_CLIENT_CONFIG_FILE=${at}/clouds.yaml OS_CLOUD=nestack   (or nestack-admin)`,
      '  Then         openstack server create --image cirros --flavor m1.tiny --network private --wait first',
      '',
    ].join('\n'),
  );
}
