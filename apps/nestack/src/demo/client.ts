import { tryRun } from '@nestack/kernel/process';
import { UserError } from '../user-error';

/** The real `openstack` client, its output shown as it runs. */
export class OpenstackClient {
  constructor(
    private readonly env: NodeJS.ProcessEnv,
    private readonly write: (text: string) => void,
  ) {}

  /** Says what comes next. */
  say(text: string): void {
    this.write(`\n## ${text}\n`);
  }

  /** Runs one command of the client, shown with its output; throws when it fails. */
  async run(...args: string[]): Promise<string> {
    this.write(`$ openstack ${args.map(quoted).join(' ')}\n`);
    const began = performance.now();
    const result = await this.quiet(...args);
    this.write(result === '' ? '' : `${result.trimEnd()}\n`);
    this.write(`(${((performance.now() - began) / 1000).toFixed(1)} s)\n`);
    return result;
  }

  /** The same without showing it. */
  async quiet(...args: string[]): Promise<string> {
    const result = await tryRun('openstack', args, { env: this.env, timeoutMs: 300_000 });
    if (result.code !== 0) throw new UserError(`openstack ${args.join(' ')} failed:\n${result.stderr.trim()}`);
    return result.stdout;
  }

  /** Runs any other program, shown with its output. Says whether it ended well. */
  async program(command: string, ...args: string[]): Promise<boolean> {
    this.write(`$ ${[command, ...args].map(quoted).join(' ')}\n`);
    const result = await tryRun(command, args, { timeoutMs: 60_000 });
    this.write(`${`${result.stdout}${result.stderr}`.trimEnd()}\n`);
    return result.code === 0;
  }
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A field of the client's table for one resource (`| id | 1234 |`). */
export function fieldOf(output: string, name: string): string {
  for (const line of output.split('\n')) {
    const [, key, value] = line.split('|').map((cell) => cell.trim());
    if (key === name && value !== undefined) return value;
  }
  throw new Error(`the client's answer has no field ${name}`);
}

/** The first IPv4 address in a server's `addresses` field, in any of the client's forms. */
export function addressOf(addresses: string): string {
  const found = /\b(\d{1,3}(?:\.\d{1,3}){3})\b/.exec(addresses)?.[1];
  if (found === undefined) throw new Error(`no address in ${addresses}`);
  return found;
}
