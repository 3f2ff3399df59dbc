import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { run, waitFor } from '@nestack/kernel/process';
import type { TestDatabase } from '@nestack/kernel/testing';

const ROOT = path.resolve(import.meta.dirname, '../../../..');

export interface WorkerSettings {
  readonly owner: string;
  readonly kinds: readonly string[];
  readonly leaseMs: number;
  readonly sweepMs?: number;
  /** `kind/step:point` at which it kills itself. */
  readonly failPoint?: string;
  /** A step in whose transaction it stops itself. */
  readonly frozenIn?: string;
}

export interface WorkerProcess {
  readonly child: ChildProcess;
  /** Resolves when it works. */
  readonly ready: Promise<void>;
  /** Resolves with the signal that ended it. */
  readonly ended: Promise<NodeJS.Signals | null>;
}

/** Starts saga workers as processes; `dispose` ends what still runs. */
export class Workers {
  private readonly children: ChildProcess[] = [];

  private constructor(
    private readonly bundle: string,
    private readonly db: TestDatabase,
  ) {}

  static async prepare(db: TestDatabase): Promise<Workers> {
    const folder = path.join(ROOT, 'tmp/saga-workers');
    mkdirSync(folder, { recursive: true });
    const bundle = path.join(folder, `worker-${String(process.pid)}-${db.schema}-${String(Date.now())}.mjs`);
    const entry = path.join(import.meta.dirname, 'worker-process.ts');
    await run(process.execPath, [path.join(ROOT, 'tools/bundle.mjs'), entry, bundle], { cwd: ROOT });
    return new Workers(bundle, db);
  }

  start(settings: WorkerSettings): WorkerProcess {
    const { owner, kinds, leaseMs, sweepMs = 100, failPoint, frozenIn } = settings;
    const words = [this.db.url, this.db.schema, owner, kinds.join(','), String(leaseMs), String(sweepMs)];
    const child = spawn(process.execPath, [this.bundle, ...words, ...(frozenIn === undefined ? [] : [frozenIn])], {
      cwd: ROOT,
      env: { ...process.env, NODE_OPTIONS: '', ...(failPoint === undefined ? {} : { NESTACK_FAILPOINT: failPoint }) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.children.push(child);
    let output = '';
    child.stdout.on('data', (data) => (output += String(data)));
    child.stderr.on('data', (data) => (output += String(data)));
    const ended = new Promise<NodeJS.Signals | null>((resolve) =>
      child.once('exit', (_code, signal) => resolve(signal)),
    );
    const ready = waitFor(`worker ${owner} to be ready`, () => output.includes('ready\n'), 60_000, 10).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}: ${output}`);
      },
    );
    ready.catch(() => undefined);
    return { child, ready, ended };
  }

  async dispose(): Promise<void> {
    for (const child of this.children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await waitFor(
      'the workers to end',
      () => this.children.every((child) => child.exitCode !== null || child.signalCode !== null),
      10_000,
    );
    rmSync(this.bundle, { force: true });
  }
}
