import { existsSync } from 'node:fs';
import type { Logger } from '@nestack/kernel/log';
import { CommandError, tryRun, type RunResult } from '@nestack/kernel/process';

export interface Link {
  readonly ifindex: number;
  readonly ifname: string;
  readonly mtu: number;
  readonly master?: string;
  readonly address?: string;
  readonly flags: readonly string[];
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: Readonly<Record<string, unknown>> };
}

export interface Address {
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
}

/** Commands in one network namespace of this machine (null: the one that we run in). Argument arrays only. */
export class NetworkNamespace {
  constructor(
    readonly name: string | null,
    private readonly log: Logger,
  ) {}

  exists(): boolean {
    return this.name === null || existsSync(`/run/netns/${this.name}`);
  }

  /** The words that start a program in here. */
  command(program: string, args: readonly string[]): readonly [string, readonly string[]] {
    return this.name === null
      ? [program, args]
      : ['nsenter', [`--net=/run/netns/${this.name}`, '--', program, ...args]];
  }

  async try(program: string, args: readonly string[], input?: string): Promise<RunResult> {
    const [command, words] = this.command(program, args);
    const began = performance.now();
    const result = await tryRun(command, words, { timeoutMs: 30_000, ...(input === undefined ? {} : { input }) });
    this.log.debug(null, 'command', {
      command: [program, ...args].join(' '),
      namespace: this.name,
      code: result.code,
      ms: Math.round(performance.now() - began),
    });
    return result;
  }

  async run(program: string, args: readonly string[], input?: string): Promise<string> {
    const result = await this.try(program, args, input);
    if (result.code !== 0) throw new CommandError([program, ...args], result);
    return result.stdout;
  }

  /** Runs several `ip` commands in one process, in order; throws at the first that fails. */
  async ip(...commands: readonly (readonly string[])[]): Promise<void> {
    if (commands.length === 0) return;
    const [first] = commands;
    if (commands.length === 1 && first !== undefined) await this.run('ip', first);
    else await this.run('ip', ['-batch', '-'], `${commands.map((words) => words.join(' ')).join('\n')}\n`);
  }

  /** All links, or those named like the argument says. */
  async links(): Promise<readonly Link[]> {
    return parse<Link>(await this.run('ip', ['-j', '-d', 'link', 'show']));
  }

  async link(name: string): Promise<Link | null> {
    const result = await this.try('ip', ['-j', '-d', 'link', 'show', 'dev', name]);
    return result.code === 0 ? (parse<Link>(result.stdout)[0] ?? null) : null;
  }

  async addresses(name: string): Promise<readonly Address[]> {
    const result = await this.try('ip', ['-j', 'addr', 'show', 'dev', name]);
    if (result.code !== 0) return [];
    return parse<{ addr_info?: readonly Address[] }>(result.stdout).flatMap((link) => link.addr_info ?? []);
  }

  /** Applies an nftables script as one transaction. */
  async nft(script: string): Promise<void> {
    await this.run('nft', ['-f', '-'], script);
  }

  async sysctl(name: string, value: string): Promise<void> {
    await this.run('sysctl', ['-q', '-w', `${name}=${value}`]);
  }
}

/** `ip -j` prints nothing, or empty objects, where nothing matches. */
function parse<T extends object>(text: string): readonly T[] {
  if (text.trim() === '') return [];
  return (JSON.parse(text) as T[]).filter((one) => Object.keys(one).length > 0);
}

/** Makes a named network namespace with its loopback up, or finds it. */
export async function ensureNamespace(name: string, log: Logger): Promise<NetworkNamespace> {
  const root = new NetworkNamespace(null, log);
  const namespace = new NetworkNamespace(name, log);
  if (!namespace.exists()) {
    const made = await root.try('ip', ['netns', 'add', name]);
    if (made.code !== 0 && !namespace.exists()) throw new CommandError(['ip', 'netns', 'add', name], made);
    await namespace.ip(['link', 'set', 'lo', 'up']);
  }
  return namespace;
}

/** Removes a named network namespace with every device in it. */
export async function absentNamespace(name: string, log: Logger): Promise<void> {
  const namespace = new NetworkNamespace(name, log);
  if (!namespace.exists()) return;
  const result = await new NetworkNamespace(null, log).try('ip', ['netns', 'del', name]);
  if (result.code !== 0 && namespace.exists()) throw new CommandError(['ip', 'netns', 'del', name], result);
}
