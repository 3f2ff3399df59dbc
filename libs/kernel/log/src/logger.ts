import type { RequestContext } from '@nestack/kernel/context';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured logging: an event name and fields, with the request's ids from the context. Secrets are never fields. */
export interface Logger {
  readonly service: string;
  debug(ctx: RequestContext | null, event: string, fields?: LogFields): void;
  info(ctx: RequestContext | null, event: string, fields?: LogFields): void;
  warn(ctx: RequestContext | null, event: string, fields?: LogFields): void;
  error(ctx: RequestContext | null, event: string, fields?: LogFields): void;
  /** The same log for another service or sub-service name. */
  for(service: string): Logger;
}

export interface LogOptions {
  readonly service: string;
  readonly host: string;
  readonly level?: LogLevel;
  /** Where lines go; the default is standard output. */
  readonly write?: (line: string) => void;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A logger that writes one JSON line for each record. */
export function createLogger(options: LogOptions): Logger {
  const least = RANK[options.level ?? 'info'];
  const write = options.write ?? ((line: string) => void process.stdout.write(line));
  const emit = (level: LogLevel, ctx: RequestContext | null, event: string, fields?: LogFields): void => {
    if (RANK[level] < least) return;
    const record: Record<string, unknown> = {
      ts: new Date().toISOString(),
      level,
      service: options.service,
      host: options.host,
      event,
    };
    if (ctx !== null) {
      record['request_id'] = ctx.requestId;
      record['global_request_id'] = ctx.globalRequestId;
      record['trace_id'] = ctx.traceId;
      record['span_id'] = ctx.spanId;
      record['parent_span_id'] = ctx.parentSpanId;
      if (ctx.actor !== null) {
        record['user_id'] = ctx.actor.userId;
        record['project_id'] = ctx.actor.projectId;
      }
    }
    write(`${JSON.stringify(fields === undefined ? record : { ...record, ...fields }, safe)}\n`);
  };
  return {
    service: options.service,
    debug: (ctx, event, fields) => emit('debug', ctx, event, fields),
    info: (ctx, event, fields) => emit('info', ctx, event, fields),
    warn: (ctx, event, fields) => emit('warn', ctx, event, fields),
    error: (ctx, event, fields) => emit('error', ctx, event, fields),
    for: (service) => createLogger({ ...options, service }),
  };
}

/** A logger that drops everything, for tests. */
export const silentLogger: Logger = createLogger({
  service: 'test',
  host: 'test',
  level: 'error',
  write: () => undefined,
});

const SECRET = /^(password|token|secret|admin_?pass|x-auth-token|x-subject-token|authorization|private_key)$/i;

function safe(key: string, value: unknown): unknown {
  if (SECRET.test(key)) return '***';
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack };
  return value;
}
