import { openSync, closeSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@nestack/kernel/log';
import { startDaemon, waitFor } from '@nestack/kernel/process';
import type { NetworkNamespace } from './host';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const LOOK_MS = 5000;
const STOP_MS = 3000;

export interface SupervisedOptions {
  /** File names are `<name>.pid` and `<name>.log`. */
  readonly name: string;
  readonly dir: string;
  readonly namespace: NetworkNamespace;
  readonly log: Logger;
}

/**
 * A process that is to run as long as somebody wants it: it outlives a crash of the agent, is found again by its pid file,
 * and is started anew when it ends by itself.
 */
export class SupervisedProcess {
  private wanted: { program: string; args: readonly string[]; text: string } | null = null;
  private pause = FIRST_PAUSE_MS;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly options: SupervisedOptions) {}

  /** Its pid while it lives. */
  get pid(): number | null {
    let pid: number;
    try {
      pid = Number(readFileSync(this.file('pid'), 'utf8').split('\n')[0]);
      // Pids come round: the process must be the one whose files lie here.
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(this.options.dir)) return null;
      return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/\(.*\)/s, '')) ? null : pid;
    } catch {
      return null;
    }
  }

  /** Runs the program with these arguments, which must name something in the process' folder; restarts it when they differ. */
  async ensure(program: string, args: readonly string[], restart = false): Promise<'kept' | 'started'> {
    const text = [program, ...args].join('\n');
    this.wanted = { program, args, text };
    const running = this.pid;
    if (running !== null && !restart && this.lastCommand() === text) {
      this.look();
      return 'kept';
    }
    if (running !== null) await this.end(running);
    await this.launch();
    this.look();
    return 'started';
  }

  signal(signal: NodeJS.Signals): void {
    const { pid } = this;
    if (pid !== null) process.kill(pid, signal);
  }

  /** Ends it and looks no more. */
  async stop(): Promise<void> {
    this.wanted = null;
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    const running = this.pid;
    if (running !== null) await this.end(running);
    await rm(this.file('pid'), { force: true });
  }

  private lastCommand(): string | null {
    try {
      const [, ...words] = readFileSync(this.file('pid'), 'utf8').split('\n');
      return words.join('\n');
    } catch {
      return null;
    }
  }

  private async launch(): Promise<void> {
    const { wanted } = this;
    if (wanted === null) return;
    const [command, args] = this.options.namespace.command(wanted.program, wanted.args);
    const logFd = openSync(this.file('log'), 'a');
    try {
      const child = await startDaemon(command, args, { cwd: '/', logFd });
      child.unref();
      child.once('exit', (code) => {
        if (this.wanted?.text === wanted.text) {
          this.options.log.warn(null, 'process.ended', { name: this.options.name, code });
          this.again();
        }
      });
      await writeFile(this.file('pid'), `${child.pid ?? 0}\n${wanted.text}`);
    } finally {
      closeSync(logFd);
    }
  }

  private again(): void {
    setTimeout(() => {
      if (this.wanted === null || this.pid !== null) return;
      void this.launch().catch((error: unknown) =>
        this.options.log.error(null, 'process.failed', { name: this.options.name, error }),
      );
    }, this.pause).unref();
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
  }

  /** A process that another run of the agent started tells nobody when it ends: it is looked at. */
  private look(): void {
    this.timer ??= setInterval(() => {
      if (this.wanted === null) return;
      if (this.pid === null) this.again();
      else this.pause = FIRST_PAUSE_MS;
    }, LOOK_MS);
    this.timer.unref();
  }

  private async end(pid: number): Promise<void> {
    const dead = (): boolean => this.pid !== pid;
    const send = (signal: NodeJS.Signals): void => {
      try {
        process.kill(pid, signal);
      } catch {
        // It is gone already.
      }
    };
    send('SIGTERM');
    await waitFor('the process to end', dead, STOP_MS, 10).catch(async () => {
      send('SIGKILL');
      await waitFor('the killed process to end', dead, STOP_MS, 10);
    });
  }

  private file(kind: 'pid' | 'log'): string {
    return path.join(this.options.dir, `${this.options.name}.${kind}`);
  }
}
