import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Client, type User } from '../client/client';
import { distributionPython } from '../client/installed';
import { Cloud, SIMULATED, until, type CloudOptions } from '../cloud';

interface Activity {
  readonly type: 'rest' | 'rpc' | 'step';
  readonly from: string;
  readonly to: string;
  readonly name: string;
  readonly oneWay: boolean;
}

interface Sequence {
  readonly requestId: string;
  readonly title: string;
  readonly activities: readonly Activity[];
}

export interface LogLine {
  readonly ts: string;
  readonly level: string;
  readonly service: string;
  readonly event: string;
  readonly request_id?: string;
  readonly [field: string]: unknown;
}

export type Rows = Record<string, unknown>[];

/** A cloud for scenarios, with the distribution's client in the hands of its users. */
export class Lab {
  private constructor(
    readonly cloud: Cloud,
    private readonly client: Client,
  ) {}

  static async up(options: CloudOptions = SIMULATED): Promise<Lab> {
    const cloud = await Cloud.up(options);
    return new Lab(cloud, Client.start(distributionPython(), cloud));
  }

  async end(): Promise<void> {
    await this.client.end();
    await this.cloud.reset();
  }

  get demo(): User {
    return this.client.as({});
  }

  get admin(): User {
    return this.client.as({ OS_CLOUD: 'nestack-admin' });
  }

  /** The administrator with the newer options of the compute commands. */
  get newAdmin(): User {
    return this.client.as({ OS_CLOUD: 'nestack-admin', OS_COMPUTE_API_VERSION: '2.92' });
  }

  /** Somebody else, by name and password. */
  user(name: string, password: string, project: string): User {
    return this.client.as({
      OS_CLOUD: '',
      OS_AUTH_URL: this.cloud.authUrl,
      OS_USERNAME: name,
      OS_PASSWORD: password,
      OS_PROJECT_NAME: project,
      OS_USER_DOMAIN_NAME: 'Default',
      OS_PROJECT_DOMAIN_NAME: 'Default',
      OS_IDENTITY_API_VERSION: '3',
    });
  }

  /** Variables in place of those of a cloud. */
  as(env: Readonly<Record<string, string>>): User {
    return this.client.as(env);
  }

  /** The user demo with the newer options of the compute commands. */
  get newDemo(): User {
    return this.client.as({ OS_COMPUTE_API_VERSION: '2.92' });
  }

  /**
   * The way of a request through the services as `nestack trace` tells it, one line for each message or step: `A -> B METHOD path`
   * for REST, `A => B name` for RPC, `A: name` for a step. Waits until these patterns appear in their order.
   * @param id of a request, or of a resource with the title of the request that is meant
   */
  async flow(id: string, patterns: readonly RegExp[], title = /./): Promise<string[]> {
    let lines: string[] = [];
    await until(
      `the way of ${id}: ${patterns.map(String).join(', ')}`,
      async () => {
        const ended = await this.cloud.nestack('trace', id, '--json');
        if (ended.code !== 0) throw new Error(ended.stderr);
        const sequences = (JSON.parse(ended.stdout) as Sequence[]).filter((one) => title.test(one.title));
        lines = sequences.flatMap((sequence) => sequence.activities.map(lineOf));
        if (inOrder(lines, patterns)) return true;
        throw new Error(lines.join('\n'));
      },
      20_000,
    );
    return lines;
  }

  /** The request id of a server's last action of a kind. */
  async request(server: string, action: string): Promise<string> {
    const events = await this.demo.json<{ Action: string; 'Request ID': string }[]>(`server event list ${server}`);
    const found = events.find((event) => event.Action === action);
    if (found === undefined) throw new Error(`${server} has no action ${action}: ${JSON.stringify(events)}`);
    return found['Request ID'];
  }

  /** Log lines as `nestack logs --json` gives them. */
  async logs(service?: string, lines = 5000): Promise<LogLine[]> {
    const args = [...(service === undefined ? [] : [service]), '--json', '--lines', String(lines)];
    const { stdout } = await this.cloud.nestack('logs', ...args);
    return stdout.split('\n').flatMap((line) => {
      if (!line.startsWith('{')) return [];
      return [JSON.parse(line) as LogLine];
    });
  }

  /** Changes the settings of an app of a process, and starts the process again; `up` would write them anew. */
  async configure(process: string, app: string, change: (settings: Record<string, unknown>) => void): Promise<void> {
    const file = path.join(this.cloud.state, 'config', `${process}.json`);
    const config = JSON.parse(readFileSync(file, 'utf8')) as { apps: Record<string, Record<string, unknown>> };
    const settings = config.apps[app];
    if (settings === undefined) throw new Error(`${process} has no ${app}`);
    change(settings);
    writeFileSync(file, JSON.stringify(config, null, 2));
    await this.cloud.kill(process);
    await until(`${process} to return`, () => this.cloud.healthy(), 90_000);
  }
}

function lineOf({ type, from, to, name }: Activity): string {
  if (type === 'step') return `${from}: ${name}`;
  return `${from} ${type === 'rest' ? '->' : '=>'} ${to} ${name}`;
}

/** Whether lines have matches for all patterns, each after the one before. */
function inOrder(lines: readonly string[], patterns: readonly RegExp[]): boolean {
  let at = 0;
  for (const line of lines) {
    const pattern = patterns[at];
    if (pattern !== undefined && pattern.test(line)) at += 1;
  }
  return at === patterns.length;
}

/** Names a row's list has in a column. */
export function names(rows: Rows, column = 'Name'): unknown[] {
  return rows.map((row) => row[column]);
}
