import { closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { startDaemon, waitFor } from '@nestack/kernel/process';
import type { Layout } from '../cloud/layout';
import { askSupervisor, type ProcessSpec, type ProcessStatus } from './protocol';

export interface SupervisorView {
  readonly pid: number;
  readonly processes: readonly ProcessStatus[];
}

/** The running supervisor's view, or null when none runs. */
export async function supervisorStatus(layout: Layout): Promise<SupervisorView | null> {
  try {
    return await askSupervisor(layout.supervisorSocket, { op: 'status' }, 5000);
  } catch {
    // No socket, or nobody behind it.
    return null;
  }
}

/** Starts the supervisor as a process of its own unless it runs. */
export async function ensureSupervisor(layout: Layout, cli: string): Promise<SupervisorView> {
  const running = await supervisorStatus(layout);
  if (running !== null) return running;
  mkdirSync(layout.log, { recursive: true });
  const log = openSync(path.join(layout.log, 'supervisor.log'), 'a', 0o640);
  try {
    // It does little and shall cost little.
    const flags = ['--max-old-space-size=48', '--max-semi-space-size=1', '--v8-pool-size=0'];
    const child = await startDaemon(process.execPath, [...flags, cli, 'supervise', '--state', layout.root], {
      cwd: layout.root,
      logFd: log,
    });
    child.unref();
  } finally {
    closeSync(log);
  }
  await waitFor('the supervisor', async () => (await supervisorStatus(layout)) !== null, 15_000);
  const started = await supervisorStatus(layout);
  if (started === null) throw new Error(`the supervisor ended; see ${path.join(layout.log, 'supervisor.log')}`);
  return started;
}

/** Has the supervisor run a process. Says whether it had to start it. */
export async function ensureProcess(layout: Layout, spec: ProcessSpec): Promise<boolean> {
  return (await askSupervisor(layout.supervisorSocket, { op: 'ensure', spec })).started === true;
}
