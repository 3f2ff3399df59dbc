import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freeOffset } from './free-offset';
import { connectSession, type Session } from './session';

/** The repository's root; tests run the bundle that a user would run. */
export const ROOT = path.resolve(import.meta.dirname, '../../..');
const CLI = path.join(ROOT, 'dist/apps/nestack/cli.js');

export interface CloudOptions {
  readonly virt: 'libvirt' | 'fake';
  readonly net: 'linuxbridge' | 'fake';
  readonly volume: 'nbd' | 'fake';
  readonly separate?: boolean;
  readonly image?: boolean;
}

export const SIMULATED: CloudOptions = { virt: 'fake', net: 'fake', volume: 'fake' };
export const REAL: CloudOptions = { virt: 'libvirt', net: 'linuxbridge', volume: 'nbd', image: true };

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessView {
  readonly name: string;
  readonly state: string;
  readonly pid: number | null;
  readonly restarts: number;
}

/** Runs a program to its end, whatever its code. */
export function program(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env, maxBuffer: 64 * 1024 * 1024, timeout: 600_000, encoding: 'utf8' as const };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 127;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Waits for a condition, not for a time; the error tells what was waited for and what was seen last. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false>,
  ms = 60_000,
): Promise<T> {
  const end = Date.now() + ms;
  let last: unknown = null;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== null && seen !== undefined && seen !== false) return seen;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${ms / 1000} s for ${what}`, { cause: last });
    await delay(100);
  }
}

/** A cloud that a test has brought up with the real command, in a directory and on ports of its own. */
export class Cloud {
  private constructor(
    readonly state: string,
    readonly offset: number,
    readonly options: CloudOptions,
  ) {}

  /** `nestack up` in a new directory. */
  static async up(options: CloudOptions): Promise<Cloud> {
    const state = mkdtempSync(path.join(tmpdir(), 'nestack-e2e-'));
    // Files run beside each other in jest's workers, which are numbered from 1.
    const cloud = new Cloud(state, await freeOffset(Number(process.env['JEST_WORKER_ID'])), options);
    const ended = await cloud.nestack('up', ...cloud.flags());
    if (ended.code !== 0) {
      await cloud.nestack('reset', '--yes');
      rmSync(state, { recursive: true, force: true });
      throw new Error(`nestack up failed:\n${ended.stdout}\n${ended.stderr}`);
    }
    return cloud;
  }

  private flags(): string[] {
    const { virt, net, volume, separate, image } = this.options;
    return [
      ...['--virt', virt, '--net', net, '--volume', volume, '--port-offset', String(this.offset)],
      ...(separate === true ? ['--separate'] : []),
      ...(image === true ? [] : ['--no-image']),
    ];
  }

  /** The `nestack` command on this cloud. */
  nestack(command: string, ...args: string[]): Promise<Ended> {
    return program(process.execPath, [CLI, command, ...args, '--state', this.state]);
  }

  /** Runs the distribution's client as a user of clouds.yaml; throws with what it said when it fails. */
  async openstack(...args: string[]): Promise<string> {
    const ended = await this.tryOpenstack('nestack', ...args);
    if (ended.code !== 0) throw new Error(`openstack ${args.join(' ')}: ${ended.stdout}${ended.stderr}`);
    return ended.stdout;
  }

  /** The same, as JSON. */
  async json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
    return JSON.parse(await this.openstack(...args, '-f', 'json')) as T;
  }

  tryOpenstack(cloud: 'nestack' | 'nestack-admin', ...args: string[]): Promise<Ended> {
    return program('openstack', args, this.clientEnv(cloud));
  }

  /** What a client needs to know to speak to this cloud. */
  clientEnv(cloud: 'nestack' | 'nestack-admin'): NodeJS.ProcessEnv {
    return {
      PATH: process.env['PATH'],
      HOME: this.state,
      LANG: 'C.UTF-8',
      OS_CLIENT_CONFIG_FILE: path.join(this.state, 'clouds.yaml'),
      OS_CLOUD: cloud,
    };
  }

  /** Writes a file beside the cloud's state for a client to read; its path. */
  file(name: string, content: string | Buffer): string {
    const file = path.join(this.state, name);
    writeFileSync(file, content);
    return file;
  }

  /** Writes a shell script into a folder of its own, for the beginning of PATH; the folder. */
  program(name: string, script: string): string {
    const folder = path.join(this.state, 'bin');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return folder;
  }

  /** The cloud's generated password of a user. */
  password(user: 'admin' | 'demo'): string {
    const settings = JSON.parse(readFileSync(path.join(this.state, 'cloud.json'), 'utf8')) as {
      secrets: Record<string, string>;
    };
    return settings.secrets[user] ?? '';
  }

  get authUrl(): string {
    return `http://127.0.0.1:${5000 + this.offset}/v3`;
  }

  /** A session at the APIs themselves. */
  session(user: 'admin' | 'demo' = 'demo', project: string = user): Promise<Session> {
    return connectSession({ authUrl: this.authUrl, user, password: this.password(user), project });
  }

  async processes(): Promise<readonly ProcessView[]> {
    const ended = await this.nestack('status', '--json');
    return (JSON.parse(ended.stdout) as { processes: ProcessView[] }).processes;
  }

  async healthy(): Promise<boolean> {
    return (await this.nestack('status', '--json')).code === 0;
  }

  /** SIGKILL to a process of the cloud and to all that it has started in its group; the supervisor starts it again. */
  async kill(name: string): Promise<void> {
    const one = (await this.processes()).find((process) => process.name === name);
    if (one?.pid === null || one?.pid === undefined) throw new Error(`${name} does not run`);
    process.kill(one.pid, 'SIGKILL');
  }

  async reset(): Promise<void> {
    const ended = await this.nestack('reset', '--yes');
    if (ended.code !== 0) throw new Error(`nestack reset failed:\n${ended.stdout}\n${ended.stderr}`);
    rmSync(this.state, { recursive: true, force: true });
  }
}
