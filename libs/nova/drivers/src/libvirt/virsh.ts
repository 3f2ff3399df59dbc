import { childContext, type RequestContext } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import { CommandError, tryRun, type RunOptions, type RunResult } from '@nestack/kernel/process';
import { recordTrace } from '@nestack/kernel/trace';

/** What a command is recorded as: `virsh start`, about `server:<uuid>`. */
export interface CommandAbout {
  readonly to: string;
  readonly name: string;
  readonly resource?: string;
}

/** Runs programs for the driver; those that belong to a request appear in its trace. */
export class Commands {
  constructor(
    private readonly log: Logger,
    private readonly host: string,
  ) {}

  /** Answers whatever the program's code. Null as context: not worth a record (polling). */
  async try(
    ctx: RequestContext | null,
    about: CommandAbout,
    program: string,
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<RunResult> {
    const start = new Date();
    const began = performance.now();
    const result = await tryRun(program, args, { timeoutMs: 60_000, ...options, env: { ...process.env, LC_ALL: 'C' } });
    const durationMs = performance.now() - began;
    if (ctx !== null) {
      recordTrace(this.log, childContext(ctx), {
        kind: 'driver',
        from: this.log.service,
        to: about.to,
        name: about.name,
        start,
        durationMs,
        status: result.code === 0 ? 'ok' : `error ${result.code}`,
        ...(about.resource === undefined ? {} : { resource: about.resource }),
      });
    }
    if (result.code !== 0)
      this.log.debug(ctx, 'command.failed', { program, args, host: this.host, error: result.stderr });
    return result;
  }

  /** Throws CommandError unless the program ended well. */
  async run(
    ctx: RequestContext | null,
    about: CommandAbout,
    program: string,
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<string> {
    const result = await this.try(ctx, about, program, args, options);
    if (result.code !== 0) throw new CommandError([program, ...args], result);
    return result.stdout;
  }
}

/** libvirt's client for one daemon. */
export class Virsh {
  constructor(
    readonly uri: string,
    private readonly commands: Commands,
  ) {}

  try(ctx: RequestContext | null, args: readonly string[], uuid?: string): Promise<RunResult> {
    return this.commands.try(ctx, this.about(args, uuid), 'virsh', ['-q', '-c', this.uri, ...args]);
  }

  run(ctx: RequestContext | null, args: readonly string[], uuid?: string): Promise<string> {
    return this.commands.run(ctx, this.about(args, uuid), 'virsh', ['-q', '-c', this.uri, ...args]);
  }

  private about(args: readonly string[], uuid: string | undefined): CommandAbout {
    return {
      to: 'libvirt',
      name: `virsh ${args[0] ?? ''}`,
      ...(uuid === undefined ? {} : { resource: `server:${uuid}` }),
    };
  }
}
