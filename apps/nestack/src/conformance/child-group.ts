import { spawn } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { UserError } from '../user-error';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];
/** How long it may take to end before it is killed. */
const GRACE_MS = 10_000;

export interface ChildGroupOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly errors?: Writable;
  readonly onLine: (line: string) => void;
  /** Where signals are heard: this process. */
  readonly signals?: Pick<EventEmitter, 'on' | 'off'>;
}

/**
 * Runs a program whose workers are processes as well, in a group of its own, and tells each line of its output; its exit
 * code. A signal that ends this process ends them all, and then throws UserError.
 */
export async function runGroupOf(
  command: string,
  args: readonly string[],
  { cwd, env, errors, onLine, signals = process }: ChildGroupOptions,
): Promise<number | null> {
  const child = spawn(command, [...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', errors === undefined ? 'ignore' : 'pipe'],
    detached: true,
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const stopped: NodeJS.Signals[] = [];
  let killing: NodeJS.Timeout | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    stopped.push(signal);
    end(child.pid, 'SIGTERM');
    killing ??= setTimeout(() => end(child.pid, 'SIGKILL'), GRACE_MS);
  };
  for (const signal of SIGNALS) signals.on(signal, stop);
  try {
    if (errors !== undefined) child.stderr?.pipe(errors, { end: false });
    const { stdout } = child;
    const read = async (): Promise<void> => {
      if (stdout !== null) for await (const line of createInterface({ input: stdout })) onLine(line);
    };
    const [code] = await Promise.all([ended, read()]);
    if (stopped[0] !== undefined) throw new UserError(`${command} was ended by ${stopped[0]}.`);
    return code;
  } finally {
    clearTimeout(killing);
    for (const signal of SIGNALS) signals.off(signal, stop);
  }
}

/** Signals a group; one that is gone already is no error. */
function end(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
