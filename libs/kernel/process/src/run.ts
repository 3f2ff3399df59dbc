import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
  readonly input?: string | Buffer;
  readonly uid?: number;
  readonly gid?: number;
  readonly maxBuffer?: number;
  /** Ends the program when it is aborted. */
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that could not be started, timed out or ended with a code other than 0. */
export class CommandError extends Error {
  constructor(
    readonly command: readonly string[],
    readonly result: RunResult,
  ) {
    super(`${command[0] ?? ''} failed (${result.code}): ${result.stderr.trim().slice(0, 2000)}`);
    this.name = 'CommandError';
  }
}

/** Runs a program with an argument array (never a shell) and answers whatever its code. */
export function tryRun(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const { input, timeoutMs, ...rest } = options;
    const child = execFile(
      command,
      [...args],
      { ...rest, timeout: timeoutMs ?? 60_000, maxBuffer: options.maxBuffer ?? 64 * 1024 * 1024, encoding: 'utf8' },
      (error, stdout, stderr) => {
        const failed = error as (Error & { code?: unknown; killed?: boolean }) | null;
        const code = failed === null ? 0 : typeof failed.code === 'number' ? failed.code : 127;
        resolve({
          code,
          stdout,
          stderr: failed !== null && stderr === '' ? (failed.killed === true ? 'timed out' : failed.message) : stderr,
        });
      },
    );
    if (input !== undefined) {
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
    }
  });
}

/** Runs a program and answers its output; throws CommandError unless it ended well. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await tryRun(command, args, options);
  if (result.code !== 0) throw new CommandError([command, ...args], result);
  return result.stdout;
}

/** How a long-running program is started and stopped. */
export interface DaemonSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
  /** What asks it to end, and how long that may take before SIGKILL. */
  readonly stopSignal?: NodeJS.Signals;
  readonly graceMs?: number;
  /** Its process group holds nothing that shall outlive it: ended as a whole. */
  readonly wholeGroup?: boolean;
  /** Command to run once it has ended. */
  readonly afterStop?: readonly string[];
}

export interface DaemonOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
  /** File descriptor for its output; dropped when absent. */
  readonly logFd?: number;
}

/** Starts a long-running program in a process group of its own; rejects when it cannot be started at all. */
export function startDaemon(
  command: string,
  args: readonly string[],
  options: DaemonOptions = {},
): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const { logFd, ...rest } = options;
    const output = logFd ?? 'ignore';
    const child = spawn(command, [...args], { ...rest, detached: true, stdio: ['ignore', output, output] });
    child.once('error', reject);
    child.once('spawn', () => resolve(child));
  });
}

/** Whether a process lives (zombies, waiting to be reaped, do not). */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return process.platform !== 'linux' || (processStat(pid)?.state ?? 'Z') !== 'Z';
}

/** A process' state letter and start time (clock ticks since boot), or null when it is gone; Linux only. */
export function processStat(pid: number): { readonly state: string; readonly startTicks: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name, in brackets, may itself hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? 'Z', startTicks: fields[19] ?? '' };
  } catch {
    // It ended meanwhile, or there is no /proc.
    return null;
  }
}

/** Waits until a condition holds; throws with `what` after the time-out. Failing checks count as not yet. */
export async function waitFor(
  what: string,
  check: () => Promise<boolean> | boolean,
  timeoutMs: number,
  everyMs = 50,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const reached = await Promise.resolve()
      .then(check)
      .catch(() => false);
    if (reached) return;
    if (Date.now() >= end) throw new Error(`timed out after ${Math.round(timeoutMs / 1000)} s waiting for ${what}`);
    await delay(everyMs);
  }
}

/** Ends a process: the signal, then SIGKILL after the grace time. */
export async function stopPid(
  pid: number,
  options: { readonly signal?: NodeJS.Signals; readonly graceMs?: number } = {},
): Promise<void> {
  const send = (signal: NodeJS.Signals): void => {
    try {
      process.kill(pid, signal);
    } catch {
      // It is gone already.
    }
  };
  send(options.signal ?? 'SIGTERM');
  await waitFor('the process to end', () => !alive(pid), options.graceMs ?? 15_000).catch(async () => {
    send('SIGKILL');
    await waitFor('the killed process to end', () => !alive(pid), 5000).catch(() => undefined);
  });
}

/** Whether something accepts TCP connections there. */
export function listens(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    socket.setTimeout(1000, () => socket.destroy());
    socket.once('connect', () => {
      socket.end();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
