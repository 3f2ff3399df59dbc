import { closeSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { alive, processStat, startDaemon, stopPid, tryRun } from '@nestack/kernel/process';
import { readIfThere, writeAtomically } from '../cloud/files';
import type { ProcessSpec, ProcessStatus } from './protocol';

/** Back-off between restarts: doubles from the first to the last, and starts anew after a minute of good running. */
const FIRST_DELAY_MS = 250;
const LAST_DELAY_MS = 10_000;
const GOOD_RUN_MS = 60_000;
/** How often an adopted process, whose end nobody tells us, is looked at. */
const LOOK_MS = 1000;
const LOG_LIMIT_BYTES = 64 * 1024 * 1024;

interface Birth {
  readonly pid: number;
  readonly startTicks: string;
  readonly spec: ProcessSpec;
}

/** How long to wait before the n-th restart in a row (from 0), in milliseconds. */
export function restartDelay(failures: number): number {
  return Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 10));
}

/**
 * One process that is kept running: started, restarted with back-off when it ends, stopped on request. Its output goes
 * to a file. It outlives a supervisor that is killed; the next one adopts it by pid and start time.
 */
export class KeptProcess {
  #pid: number | null = null;
  #since = new Date();
  #restarts = 0;
  #failures = 0;
  #lastExit: string | null = null;
  #wanted = false;
  #timer: NodeJS.Timeout | null = null;
  #ended: Promise<void> = Promise.resolve();

  constructor(
    public spec: ProcessSpec,
    private readonly folders: { readonly run: string; readonly log: string },
    private readonly note: (text: string) => void,
  ) {}

  status(): ProcessStatus {
    return {
      name: this.spec.name,
      state: this.#pid !== null ? 'running' : this.#wanted ? 'backoff' : 'stopped',
      pid: this.#pid,
      since: this.#since.toISOString(),
      restarts: this.#restarts,
      lastExit: this.#lastExit,
    };
  }

  /** Running with this specification afterwards. Says whether it had to be (re)started. */
  async ensure(spec: ProcessSpec): Promise<boolean> {
    const same = isDeepStrictEqual(JSON.parse(JSON.stringify(spec)), JSON.parse(JSON.stringify(this.spec)));
    if (this.#pid !== null && same) return false;
    if (this.#pid !== null) await this.stop();
    this.spec = spec;
    this.#wanted = true;
    this.#failures = 0;
    this.#clearTimer();
    await this.#start();
    return true;
  }

  /** Takes over a process that an earlier supervisor left running, or starts it. */
  async resume(): Promise<void> {
    this.#wanted = true;
    const born = this.#readBirth();
    if (born !== null && alive(born.pid) && processStat(born.pid)?.startTicks === born.startTicks) {
      this.spec = born.spec;
      this.note(`${this.spec.name}: taken over, pid ${born.pid}`);
      this.#running(born.pid, this.#endOfAdopted(born));
      return;
    }
    await this.#start();
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    this.#clearTimer();
    const pid = this.#pid;
    if (pid !== null) {
      await stopPid(pid, { signal: this.spec.stopSignal ?? 'SIGTERM', graceMs: this.spec.graceMs ?? 30_000 });
      await this.#ended;
    }
    rmSync(this.#birthFile(), { force: true });
    await this.#afterEnd();
  }

  async #start(): Promise<void> {
    mkdirSync(this.folders.log, { recursive: true });
    const logFile = path.join(this.folders.log, `${this.spec.name}.log`);
    rotate(logFile);
    const fd = openSync(logFile, 'a', 0o640);
    try {
      const { command, args, cwd, env, uid, gid } = this.spec;
      const child = await startDaemon(command, args, { cwd, env, uid, gid, logFd: fd });
      const pid = child.pid ?? 0;
      const birth: Birth = { pid, startTicks: processStat(pid)?.startTicks ?? '', spec: this.spec };
      writeAtomically(this.#birthFile(), JSON.stringify(birth), 0o600);
      this.note(`${this.spec.name}: started, pid ${pid}`);
      const end = new Promise<string>((resolve) => {
        child.once('exit', (code, signal) => resolve(signal ?? `code ${String(code)}`));
      });
      this.#running(pid, end);
    } catch (error) {
      this.#lastExit = error instanceof Error ? error.message : String(error);
      this.note(`${this.spec.name}: cannot be started: ${this.#lastExit}`);
      this.#planRestart();
    } finally {
      closeSync(fd);
    }
  }

  #running(pid: number, end: Promise<string>): void {
    this.#pid = pid;
    this.#since = new Date();
    this.#ended = end.then(async (how) => {
      const ranMs = Date.now() - this.#since.getTime();
      if (this.spec.wholeGroup === true) killGroup(pid);
      this.#pid = null;
      this.#since = new Date();
      this.#lastExit = `${how} at ${this.#since.toISOString()}`;
      this.note(`${this.spec.name}: ended, ${how}`);
      if (!this.#wanted) return;
      if (ranMs > GOOD_RUN_MS) this.#failures = 0;
      this.#planRestart();
    });
  }

  async #endOfAdopted(born: Birth): Promise<string> {
    while (alive(born.pid) && processStat(born.pid)?.startTicks === born.startTicks) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return 'ended';
  }

  #planRestart(): void {
    const wait = restartDelay(this.#failures++);
    this.#clearTimer();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#restarts++;
      void this.#start();
    }, wait);
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #afterEnd(): Promise<void> {
    const [command, ...args] = this.spec.afterStop ?? [];
    if (command !== undefined) await tryRun(command, args, { timeoutMs: 5000 });
  }

  #birthFile(): string {
    return path.join(this.folders.run, `${this.spec.name}.json`);
  }

  #readBirth(): Birth | null {
    const text = readIfThere(this.#birthFile());
    return text === null ? null : (JSON.parse(text) as Birth);
  }
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

/** Keeps one earlier log beside the current one. */
function rotate(file: string): void {
  try {
    if (statSync(file).size > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
