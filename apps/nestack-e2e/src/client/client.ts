import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { until, type Cloud, type Ended } from '../cloud';

const SERVER = path.join(import.meta.dirname, 'openstack_server.py');

interface Answer extends Ended {
  readonly id: number;
}

/**
 * An installed openstack client that runs any number of commands, each in a process of its own forked from one that has the
 * client's modules loaded already: a tenth of a second each instead of two, and the same to the user who reads the output.
 */
export class Client {
  private readonly waiting = new Map<number, (ended: Ended) => void>();
  private readonly process: ChildProcessWithoutNullStreams;
  private last = 0;
  private said = '';
  /** Every command that was run, as the arguments before its first option. */
  readonly ran: string[][] = [];

  private constructor(python: string, cloud: Cloud) {
    this.process = spawn(python, [SERVER], { env: cloud.clientEnv('nestack'), stdio: 'pipe', detached: true });
    this.process.stderr.on('data', (data: Buffer) => (this.said = (this.said + data.toString()).slice(-4000)));
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      const { id, ...ended } = JSON.parse(line) as Answer;
      this.waiting.get(id)?.(ended);
      this.waiting.delete(id);
    });
    this.process.on('close', () => {
      for (const end of this.waiting.values()) end({ code: 127, stdout: '', stderr: `the client ended: ${this.said}` });
      this.waiting.clear();
    });
  }

  /** Starts the client that is installed for this Python interpreter. */
  static start(python: string, cloud: Cloud): Client {
    return new Client(python, cloud);
  }

  /** Runs a command as a user of clouds.yaml; any code is an answer. */
  run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
    const options = args.findIndex((arg) => arg.startsWith('-'));
    this.ran.push(args.slice(0, options < 0 ? args.length : options));
    this.last += 1;
    const id = this.last;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.process.stdin.write(`${JSON.stringify({ id, args, env })}\n`);
    });
  }

  /** The client as a user sees it who has set these variables, by default those of `OS_CLOUD=nestack` (user demo). */
  as(env: Readonly<Record<string, string>>): User {
    return new User(this, env);
  }

  /** Ends it, with all commands that still run. */
  async end(): Promise<void> {
    const { pid, exitCode } = this.process;
    if (pid === undefined || exitCode !== null) return;
    const closed = new Promise((resolve) => this.process.once('close', resolve));
    process.kill(-pid, 'SIGKILL');
    await closed;
  }
}

/** Somebody at a terminal: command lines in, what is printed out. */
export class User {
  constructor(
    private readonly client: Client,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** Runs a line, split as a shell would (single quotes hold words together); any code is an answer. */
  try(line: string): Promise<Ended> {
    return this.client.run(words(line), this.env);
  }

  /** Runs a line that must succeed; what it prints. */
  async run(line: string): Promise<string> {
    const ended = await this.try(line);
    if (ended.code !== 0) throw new Error(`openstack ${line}\n${ended.stdout}${ended.stderr}`);
    return ended.stdout;
  }

  /** The same with `-f json`. */
  async json<T = Record<string, unknown>>(line: string): Promise<T> {
    const text = await this.run(`${line} -f json`);
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw new Error(`openstack ${line} -f json printed no JSON: ${text.slice(0, 500)}`, { cause: error });
    }
  }

  /** One field of what is shown. */
  async field(line: string, column: string): Promise<string> {
    return (await this.run(`${line} -f value -c '${column}'`)).trim();
  }

  /** A column of a list. */
  async column(line: string, column: string): Promise<string[]> {
    const text = await this.run(`${line} -f value -c '${column}'`);
    return text.split('\n').filter((one) => one !== '');
  }

  /**
   * `server create …` whose last word is the name, and waits until these servers (by default that one) are ACTIVE: what
   * `--wait` does, which looks every five seconds only.
   */
  async boot(line: string, names: readonly string[] = words(line).slice(-1)): Promise<void> {
    await this.run(line);
    for (const name of names) await this.becomes(`server show ${name}`, 'ACTIVE');
  }

  /** Waits until a field of what a command shows has a value; ERROR and error are not waited out. */
  async becomes(show: string, wanted: string, column = 'status', ms = 60_000): Promise<void> {
    let seen = '';
    await until(
      `${show} to be ${wanted}`,
      async () => {
        seen = await this.field(show, column);
        return seen === wanted || (column === 'status' && seen.toLowerCase() === 'error');
      },
      ms,
    );
    if (seen !== wanted) throw new Error(`${show}: ${seen} and not ${wanted}\n${await this.run(show)}`);
  }

  /** Deletes servers and waits until they are gone. */
  async deleteServers(...names: readonly string[]): Promise<void> {
    await this.run(`server delete ${names.join(' ')}`);
    await until(`${names.join(', ')} to go`, async () => {
      const left = await this.column('server list', 'Name');
      return names.every((name) => !left.includes(name));
    });
  }

  /** Runs a line that must fail; what it says. */
  async refused(line: string): Promise<string> {
    const ended = await this.try(line);
    if (ended.code === 0) throw new Error(`openstack ${line} was to fail, and printed\n${ended.stdout}`);
    return `${ended.stderr}${ended.stdout}`;
  }
}

/** A command line's words. */
export function words(line: string): string[] {
  return [...line.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replace(/'/g, ''));
}
