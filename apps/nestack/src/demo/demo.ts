import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run, tryRun, waitFor } from '@nestack/kernel/process';
import { Rest } from '../bootstrap/rest';
import type { Layout } from '../cloud/layout';
import { requireSettings, secretOf, type CloudSettings } from '../cloud/settings';
import { authUrlOf, placeOf, type CommonOptions } from '../commands/cloud';
import { aptInstall, requireInstallable } from '../install/apt';
import { findProgram, missingOf, needsOf } from '../install/needs';
import { supervisorStatus } from '../supervisor/client';
import { readTraces, selectTraces, traceFiles } from '../trace/records';
import { sequenceOf } from '../trace/sequence';
import { drawTerminal } from '../trace/terminal';
import { UserError } from '../user-error';
import { addressOf, fieldOf, OpenstackClient } from './client';

/** How long an emulated guest may take until its login prompt. */
const BOOT_MS = 180_000;

const NAMES = {
  image: 'demo-image',
  key: 'demo-key',
  network: 'demo-net',
  subnet: 'demo-subnet',
  server: 'demo-server',
  volume: 'demo-volume',
  group: 'demo-access',
} as const;

interface Stage {
  readonly layout: Layout;
  readonly settings: CloudSettings;
  readonly client: OpenstackClient;
  readonly dir: string;
  readonly real: boolean;
}

/** The main job with the real client, narrated: from a token to a guest with a volume and back, and the boot's trace. */
export async function demo(options: CommonOptions): Promise<void> {
  const { layout } = placeOf(options);
  const settings = requireSettings(layout);
  if ((await supervisorStatus(layout)) === null) throw new UserError('The cloud is down.', 'Start it with: nestack up');
  await requireClient(settings);
  const write = (text: string): void => void process.stdout.write(text);
  const env = { ...process.env, OS_CLIENT_CONFIG_FILE: layout.cloudsYaml, OS_CLOUD: 'nestack-admin', COLUMNS: '140' };
  const client = new OpenstackClient(withoutOpenrc(env), write);
  const dir = mkdtempSync(path.join(tmpdir(), 'nestack-demo-'));
  const stage: Stage = { layout, settings, client, dir, real: settings.virt === 'libvirt' };
  const began = performance.now();
  try {
    await cleanUp(stage);
    const server = await play(stage);
    client.say('The way of the boot through the services');
    const { records } = await readTraces(traceFiles(layout.log));
    const [boot] = selectTraces(records, server);
    if (boot === undefined) throw new Error('no trace of the boot was found');
    const width = Math.max(110, Math.min(160, process.stdout.columns ?? 130));
    write(`${drawTerminal(sequenceOf(boot), { width, color: process.stdout.isTTY })}`);
    write(`\nAs a web page: nestack trace ${server} --html trace.html\n`);
    write(`\nDone in ${((performance.now() - began) / 1000).toFixed(0)} s.\n`);
  } finally {
    await cleanUp(stage).catch(() => undefined);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function requireClient(settings: CloudSettings): Promise<void> {
  const missing = missingOf(needsOf({ ...settings, client: true, image: false }));
  if (missing.length === 0) return;
  requireInstallable(missing);
  const names = missing.map((need) => need.package);
  process.stdout.write(`Installing ${names.join(', ')}\n`);
  await aptInstall(names, () => undefined);
}

/** OS_* variables of another cloud would win over clouds.yaml. */
function withoutOpenrc(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = ['OS_CLOUD', 'OS_CLIENT_CONFIG_FILE'];
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('OS_') || kept.includes(name)));
}

/** Plays all scenes; returns the server's id. */
async function play(stage: Stage): Promise<string> {
  const { client } = stage;
  client.say('Who are we, and what is there?');
  await client.run('token', 'issue', '-c', 'expires', '-c', 'project_id', '-c', 'user_id');
  await client.run('catalog', 'list');

  client.say('An image from a file');
  const image = await imageFile(stage);
  const format = image.endsWith('.qcow2') ? 'qcow2' : 'raw';
  await client.run(
    'image',
    'create',
    NAMES.image,
    '--file',
    image,
    '--disk-format',
    format,
    '--container-format',
    'bare',
  );
  await client.run('image', 'list');
  await client.run('flavor', 'list');

  client.say('A key pair, a network and its subnet');
  const key = path.join(stage.dir, 'key');
  writeFileSync(key, await client.quiet('keypair', 'create', NAMES.key), { mode: 0o600 });
  await client.run('keypair', 'list');
  const network = fieldOf(await client.run('network', 'create', NAMES.network), 'id');
  await client.run('subnet', 'create', NAMES.subnet, '--network', NAMES.network, '--subnet-range', '192.168.77.0/24');

  client.say('A security group that lets ping and ssh in');
  await client.run('security', 'group', 'create', NAMES.group, '-c', 'id', '-c', 'name');
  await client.run('security', 'group', 'rule', 'create', NAMES.group, '--protocol', 'icmp', '-c', 'id');
  await client.run(
    'security',
    'group',
    'rule',
    'create',
    NAMES.group,
    '--protocol',
    'tcp',
    '--dst-port',
    '22',
    '-c',
    'id',
  );

  client.say('A server');
  const created = await client.run(
    ...['server', 'create', NAMES.server, '--image', NAMES.image, '--flavor', 'm1.tiny'],
    ...['--network', NAMES.network, '--key-name', NAMES.key, '--security-group', NAMES.group, '--wait'],
  );
  const server = fieldOf(created, 'id');
  const address = addressOf(fieldOf(await client.run('server', 'show', NAMES.server), 'addresses'));
  if (stage.real) await lookInside(stage, { server, network, address, key });

  client.say('A volume, attached while the server runs');
  await client.run('volume', 'create', NAMES.volume, '--size', '1');
  await untilVolume(stage, 'available');
  await client.run('server', 'add', 'volume', NAMES.server, NAMES.volume);
  await untilVolume(stage, 'in-use');
  if (stage.real) {
    await waitForConsole(stage, server, /\[vdb\]|vdb:|virtio_blk virtio\d+: \[vdb\]/, 'the disk in the kernel log');
    await showConsole(stage, server, /vdb/);
  }
  await client.run('volume', 'list');

  client.say('Stop, start, reboot');
  await client.run('server', 'stop', NAMES.server);
  await untilServer(stage, 'SHUTOFF');
  await client.run('server', 'start', NAMES.server);
  await untilServer(stage, 'ACTIVE');
  await client.run('server', 'reboot', NAMES.server, '--wait');

  client.say('Everything back');
  await client.run('server', 'remove', 'volume', NAMES.server, NAMES.volume);
  await untilVolume(stage, 'available');
  await client.run('volume', 'delete', NAMES.volume);
  const ports = await portsOf(stage, server);
  await client.run('server', 'delete', NAMES.server, '--wait');
  await proveGone(stage, server, ports);
  return server;
}

interface Guest {
  readonly server: string;
  readonly network: string;
  readonly address: string;
  readonly key: string;
}

/** What the guest says of itself, and that it can be reached. */
async function lookInside(stage: Stage, guest: Guest): Promise<void> {
  const { client } = stage;
  client.say("The guest's own words: its console");
  await waitForConsole(stage, guest.server, /login:/, 'the login prompt');
  await client.run('console', 'log', 'show', NAMES.server, '--lines', '25');
  client.say("Ping and ssh from the network's namespace");
  const inside = ['netns', 'exec', `qdhcp-${guest.network}`];
  if (!(await client.program('ip', ...inside, 'ping', '-c', '2', '-W', '3', guest.address))) {
    throw new UserError(`${guest.address} does not answer.`, 'Does a security group let ping in?');
  }
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'ConnectTimeout=10'];
  const ssh = ['ssh', '-i', guest.key, ...options.flatMap((one) => ['-o', one]), `cirros@${guest.address}`];
  if (findProgram('ssh') === null) return;
  const works = await client.program('ip', ...inside, ...ssh, 'uname -a; ip -4 addr show dev eth0');
  if (!works) throw new UserError('ssh into the guest failed.');
}

/** The small image that `up` has built; in a simulated cloud any bytes will do. */
async function imageFile(stage: Stage): Promise<string> {
  const built = path.join(stage.layout.images, 'guest.qcow2');
  if (existsSync(built)) return built;
  if (findProgram('qemu-img') !== null) {
    const made = path.join(stage.dir, 'empty.qcow2');
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', made, '64M']);
    return made;
  }
  const raw = path.join(stage.dir, 'empty.raw');
  writeFileSync(raw, Buffer.alloc(1024 * 1024));
  return raw;
}

async function showConsole(stage: Stage, server: string, pattern: RegExp): Promise<void> {
  const text = await stage.client.quiet('console', 'log', 'show', server);
  for (const line of text
    .split('\n')
    .filter((one) => pattern.test(one))
    .slice(-3))
    process.stdout.write(`  ${line}\n`);
}

function waitForConsole(stage: Stage, server: string, pattern: RegExp, what: string): Promise<void> {
  const seen = async (): Promise<boolean> => pattern.test(await stage.client.quiet('console', 'log', 'show', server));
  return waitFor(what, seen, BOOT_MS, 1000);
}

function untilServer(stage: Stage, status: string): Promise<void> {
  return until(stage, 'server', NAMES.server, status);
}

function untilVolume(stage: Stage, status: string): Promise<void> {
  return until(stage, 'volume', NAMES.volume, status);
}

function until(stage: Stage, kind: string, name: string, status: string): Promise<void> {
  const reached = async (): Promise<boolean> =>
    (await stage.client.quiet(kind, 'show', name, '-f', 'value', '-c', 'status')).trim() === status;
  return waitFor(`${kind} ${status}`, reached, 120_000, 250);
}

async function portsOf(stage: Stage, server: string): Promise<string[]> {
  const text = await stage.client.quiet('port', 'list', '--device-id', server, '-f', 'value', '-c', 'ID');
  return text.split('\n').filter((line) => line !== '');
}

/** Nothing of the server may be left: in the services, and on the machine. */
async function proveGone(stage: Stage, server: string, ports: readonly string[]): Promise<void> {
  const { client, layout, settings } = stage;
  client.say('Is anything left?');
  const rest = new Rest({
    authUrl: authUrlOf(settings),
    username: 'admin',
    password: secretOf(settings, 'admin'),
    project: 'admin',
  });
  const left: string[] = [];
  try {
    await rest.login();
    const { allocations } = await rest.get<{ allocations: object }>(
      `${rest.endpoint('placement')}/allocations/${server}`,
    );
    if (Object.keys(allocations).length > 0) left.push('an allocation');
  } finally {
    await rest.close();
  }
  if ((await portsOf(stage, server)).length > 0) left.push('a port');
  for (const host of settings.hosts) {
    if (existsSync(path.join(layout.host(host), 'nova', 'instances', server)))
      left.push(`files of the guest on ${host}`);
  }
  if (stage.real) {
    for (const port of ports) {
      if ((await tryRun('ip', ['link', 'show', 'dev', `tap${port.slice(0, 11)}`])).code === 0)
        left.push(`tap of ${port}`);
    }
    if ((await tryRun('pgrep', ['-f', `uuid ${server}`])).code === 0) left.push('a QEMU process');
  }
  if (left.length > 0) throw new UserError(`Left behind: ${left.join(', ')}.`);
  process.stdout.write('No process, tap, file, port, allocation or volume.\n');
}

/** Removes what an earlier, cut demo left; each piece may be absent. */
async function cleanUp(stage: Stage): Promise<void> {
  const { client } = stage;
  const quietly = (...args: string[]): Promise<unknown> => client.quiet(...args).catch(() => undefined);
  const there = async (...args: string[]): Promise<string> => String((await quietly(...args)) ?? '');
  if ((await there('server', 'list', '--name', `^${NAMES.server}$`, '-f', 'value', '-c', 'ID')).trim() !== '') {
    await quietly('server', 'delete', NAMES.server, '--wait');
  }
  if ((await there('volume', 'list', '-f', 'value', '-c', 'Name')).includes(NAMES.volume))
    await quietly('volume', 'delete', NAMES.volume);
  const networks = await there('network', 'list', '-f', 'value', '-c', 'Name');
  if (networks.includes(NAMES.network)) await quietly('network', 'delete', NAMES.network);
  if ((await there('security', 'group', 'list', '-f', 'value', '-c', 'Name')).includes(NAMES.group)) {
    await quietly('security', 'group', 'delete', NAMES.group);
  }
  if ((await there('keypair', 'list', '-f', 'value', '-c', 'Name')).includes(NAMES.key))
    await quietly('keypair', 'delete', NAMES.key);
  if ((await there('image', 'list', '-f', 'value', '-c', 'Name')).includes(NAMES.image))
    await quietly('image', 'delete', NAMES.image);
}
