import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { alive, startDaemon, stopPid, tryRun, waitFor } from '@nestack/kernel/process';
import amqp from 'amqplib';
import type { PreparedServer, RunningServer } from './postgres';
import { noteServer } from './registry';

export interface RabbitmqOptions {
  /** Folder of its data, configuration, log and password; made when absent. */
  readonly dir: string;
  readonly port: number;
  /** Ports of Erlang's distribution and of its port mapper; loopback too. */
  readonly distPort: number;
  readonly epmdPort: number;
  /** Virtual hosts besides `/`, made with the server's first start. */
  readonly vhosts?: readonly string[];
}

/** Where Debian's package keeps the server, beside the wrappers that only run as root or `rabbitmq`. */
const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';

/** Whether RabbitMQ is installed. */
export function hasRabbitmq(): boolean {
  return existsSync(SERVER);
}

/**
 * Prepares a private RabbitMQ: own node name, data, cookie and ports, loopback only, nothing in /etc or /var, the
 * distribution's init scripts untouched. Says how to start it.
 */
export function prepareRabbitmq(options: RabbitmqOptions): PreparedServer {
  const dir = path.resolve(options.dir);
  for (const sub of ['mnesia', 'log', 'home']) mkdirSync(path.join(dir, sub), { recursive: true });
  const secret = path.join(dir, 'password');
  if (!existsSync(secret)) writeFileSync(secret, randomBytes(24).toString('base64url'), { mode: 0o600 });
  const password = readFileSync(secret, 'utf8');
  const definitions = options.vhosts === undefined ? null : path.join(dir, 'definitions.json');
  if (definitions !== null)
    writeFileSync(definitions, JSON.stringify(definitionsOf(options.vhosts ?? [], password)), { mode: 0o600 });
  writeFileSync(path.join(dir, 'rabbitmq.conf'), settingsOf(options.port, password, definitions), { mode: 0o600 });
  writeFileSync(path.join(dir, 'enabled_plugins'), '[].');
  return {
    url: `amqp://nestack:${password}@127.0.0.1:${options.port}/`,
    spec: {
      command: SERVER,
      args: [],
      cwd: dir,
      env: environment(dir, options),
      stopSignal: 'SIGTERM',
      graceMs: 30_000,
      wholeGroup: true,
      // Erlang's port mapper outlives its nodes; this one serves only ours.
      afterStop: ['epmd', '-port', String(options.epmdPort), '-kill'],
    },
  };
}

/** Starts (or finds running) the server that `prepareRabbitmq` describes, and waits until it answers. */
export async function startRabbitmq(options: RabbitmqOptions): Promise<RunningServer> {
  const { url, spec } = prepareRabbitmq(options);
  const dir = path.resolve(options.dir);
  const pidFile = path.join(dir, 'pid');
  const stop = async (pid: number): Promise<void> => {
    await stopPid(pid, { graceMs: spec.graceMs });
    await tryRun('epmd', ['-port', String(options.epmdPort), '-kill'], { timeoutMs: 5000 });
  };
  const running = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0;
  if (running > 0 && alive(running) && (await rabbitmqAnswers(url))) {
    return { url, pid: running, stop: () => stop(running) };
  }
  const log = openSync(path.join(dir, 'rabbitmq.log'), 'a');
  try {
    const child = await startDaemon(spec.command, spec.args, { cwd: spec.cwd, env: spec.env, logFd: log });
    child.unref();
    const pid = child.pid ?? 0;
    writeFileSync(pidFile, String(pid));
    const strike = noteServer({ pid, dir, afterStop: spec.afterStop });
    await waitFor('RabbitMQ to answer', () => rabbitmqAnswers(url), 120_000, 100);
    return { url, pid, stop: () => stop(pid).then(strike) };
  } finally {
    closeSync(log);
  }
}

/** The user and the virtual hosts as RabbitMQ imports them; an import takes the place of the default ones. */
function definitionsOf(vhosts: readonly string[], password: string): unknown {
  const all = ['/', ...vhosts];
  return {
    users: [{ name: 'nestack', password, tags: 'administrator' }],
    vhosts: all.map((name) => ({ name })),
    permissions: all.map((vhost) => ({ user: 'nestack', vhost, configure: '.*', write: '.*', read: '.*' })),
  };
}

function settingsOf(port: number, password: string, definitions: string | null): string {
  return [
    ...(definitions === null ? [] : [`load_definitions = ${definitions}`]),
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    'default_user = nestack',
    `default_pass = ${password}`,
    'default_vhost = /',
    'disk_free_limit.absolute = 50MB',
    'vm_memory_high_watermark.absolute = 512MB',
    'log.console = true',
    'log.console.level = warning',
    // Handlers of long commands hold their delivery: an hour instead of half of one.
    'consumer_timeout = 3600000',
    '',
  ].join('\n');
}

function environment(dir: string, options: RabbitmqOptions): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    HOME: path.join(dir, 'home'),
    RABBITMQ_NODENAME: `nestack-${options.port}@localhost`,
    RABBITMQ_CONFIG_FILE: path.join(dir, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: path.join(dir, 'advanced.config'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_MNESIA_BASE: path.join(dir, 'mnesia'),
    RABBITMQ_LOG_BASE: path.join(dir, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_ENABLED_PLUGINS_FILE: path.join(dir, 'enabled_plugins'),
    RABBITMQ_PID_FILE: path.join(dir, 'erlang.pid'),
    RABBITMQ_GENERATED_CONFIG_DIR: path.join(dir, 'gen'),
    RABBITMQ_SCHEMA_DIR: path.join(dir, 'schema'),
    RABBITMQ_DIST_PORT: String(options.distPort),
    ERL_EPMD_PORT: String(options.epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_RELAXED_COMMAND_CHECK: '1',
    // One scheduler thread and no busy waiting: a small cloud's broker should cost nothing while idle.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +SDcpu 1:1 +SDio 2 +A 2 +sbwt none +sbwtdcpu none +sbwtdio none',
  };
}

/** Whether a RabbitMQ lets us in there. */
export async function rabbitmqAnswers(url: string): Promise<boolean> {
  try {
    const connection = await amqp.connect(url, { timeout: 2000 });
    connection.on('error', () => undefined);
    await connection.close();
    return true;
  } catch {
    // Not yet.
    return false;
  }
}
