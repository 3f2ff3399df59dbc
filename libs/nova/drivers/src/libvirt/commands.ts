import { childContext, type RequestContext } from '@nestack/kernel/context';
import type { Logger } from '@nestack/kernel/log';
import { CommandError, tryRun, type RunOptions, type RunResult } from '@nestack/kernel/process';
import { recordTrace } from '@nestack/kernel/trace';

/** What a command is recorded as: `qemu-img convert`, about `image:<id>`. */
export interface CommandAbout {
  readonly to: string;
  readonly name: string;
  readonly resource?: string;
}

/** Runs programs for the driver; they appear in the trace of their request. */
export class Commands {
  constructor(private readonly log: Logger) {}

  /** Answers whatever the program's code. */
  async try(
    ctx: RequestContext,
    about: CommandAbout,
    program: string,
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<RunResult> {
    const start = new Date();
    const began = performance.now();
    const env = { ...(options.env ?? process.env), LC_ALL: 'C' };
    const result = await tryRun(program, args, { timeoutMs: 60_000, ...options, env });
    recordTrace(this.log, childContext(ctx), {
      kind: 'driver',
      from: this.log.service,
      to: about.to,
      name: about.name,
      start,
      durationMs: performance.now() - began,
      status: result.code === 0 ? 'ok' : `error ${result.code}`,
      ...(about.resource === undefined ? {} : { resource: about.resource }),
    });
    if (result.code !== 0) this.log.warn(ctx, 'command.failed', { program, args, error: result.stderr });
    return result;
  }

  /** Throws CommandError unless the program ended well. */
  async run(
    ctx: RequestContext,
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
