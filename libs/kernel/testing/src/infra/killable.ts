import { mkdirSync, mkdtempSync, chmodSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { alive, waitFor } from '@nestack/kernel/process';
import { freePort, startPostgres, startRabbitmq, type RunningServer } from '@nestack/kernel/servers';

/** A server of one test file's own, which may kill it. */
export interface KillableServer {
  /** URL of the administrator. */
  readonly url: string;
  /** SIGKILL to all its processes; resolves when they are gone. */
  kill(): Promise<void>;
  /** Starts it again on the same data and port. */
  start(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** A PostgreSQL that loses no committed work when it is killed. */
export async function killablePostgres(): Promise<KillableServer> {
  const port = await freePort();
  return killable('pg', (dir) => startPostgres({ dir, port, fsync: false }));
}

export async function killableRabbitmq(): Promise<KillableServer> {
  const [port, distPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
  return killable('rabbitmq', (dir) => startRabbitmq({ dir, port, distPort, epmdPort }));
}

async function killable(name: string, start: (dir: string) => Promise<RunningServer>): Promise<KillableServer> {
  const top = mkdtempSync(path.join(tmpdir(), 'nestack-test-'));
  chmodSync(top, 0o755);
  const dir = path.join(top, name);
  mkdirSync(dir);
  let running = await start(dir);
  return {
    url: running.url,
    kill: async () => {
      // Halted first, so that it starts no child that would outlive it and keep its data from the next one.
      process.kill(running.pid, 'SIGSTOP');
      const pids = familyOf(running.pid);
      for (const pid of pids) killIfThere(pid);
      await waitFor(`${name} to die`, () => !pids.some(alive), 10_000, 10);
    },
    start: async () => {
      running = await start(dir);
    },
    stop: async () => {
      await running.stop();
      rmSync(top, { recursive: true, force: true });
    },
  };
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A process and all below it. */
function familyOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const one = Number(name);
    if (!Number.isInteger(one)) continue;
    const parent = parentOf(one);
    children.set(parent, [...(children.get(parent) ?? []), one]);
  }
  const family = [pid];
  for (const one of family) family.push(...(children.get(one) ?? []));
  return family.filter(alive);
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    // It has just ended.
    return -1;
  }
}
