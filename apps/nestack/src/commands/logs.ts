import { createReadStream, existsSync, readdirSync, statSync, watch } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { UserError } from '../user-error';
import { placeOf, type CommonOptions } from './cloud';

interface LogOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly json?: boolean;
  readonly lines: number;
}

/** Shows log lines of one service or process, or of all, in OpenStack's own form or as they are (`--json`). */
export async function logs(service: string | undefined, options: LogOptions): Promise<void> {
  const { layout } = placeOf(options);
  if (!existsSync(layout.log))
    throw new UserError(`There are no logs in ${layout.log}.`, 'Make a cloud with: nestack up');
  const files = readdirSync(layout.log)
    .filter((name) => name.endsWith('.log'))
    .sort();
  const processes = files.map((name) => name.slice(0, -4));
  const chosen = service !== undefined && processes.includes(service) ? [`${service}.log`] : files;
  const wanted = service !== undefined && processes.includes(service) ? undefined : service;
  const shown: string[] = [];
  const offsets = new Map<string, number>();
  for (const name of chosen) {
    const file = path.join(layout.log, name);
    offsets.set(
      file,
      await readFrom(file, 0, (line) => {
        const text = format(line, wanted, options.json === true);
        if (text === null) return;
        shown.push(text);
        if (shown.length > options.lines * 4) shown.splice(0, shown.length - options.lines * 2);
      }),
    );
  }
  for (const line of shown.slice(-options.lines)) process.stdout.write(`${line}\n`);
  if (options.follow !== true) return;
  await follow(offsets, (line) => {
    const text = format(line, wanted, options.json === true);
    if (text !== null) process.stdout.write(`${text}\n`);
  });
}

/** Reads lines from an offset to the end; returns the new end. */
export async function readFrom(file: string, start: number, onLine: (line: string) => void): Promise<number> {
  const end = statSync(file).size;
  if (end <= start) return end < start ? readFrom(file, 0, onLine) : end;
  const lines = createInterface({ input: createReadStream(file, { start, end: end - 1 }), crlfDelay: Infinity });
  for await (const line of lines) onLine(line);
  return end;
}

/** Shows what is added to files, until interrupted. */
export async function follow(offsets: Map<string, number>, onLine: (line: string) => void): Promise<never> {
  const files = [...offsets.keys()];
  let reading: Promise<void> = Promise.resolve();
  const look = (file: string): void => {
    reading = reading.then(async () => {
      offsets.set(file, await readFrom(file, offsets.get(file) ?? 0, onLine));
    });
  };
  for (const file of files) watch(file, () => look(file));
  return new Promise<never>(() => undefined);
}

/** One log line for a terminal; null when it is of another service. Lines of other programs are shown as they are. */
export function format(line: string, service: string | undefined, json: boolean): string | null {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    // PostgreSQL's or RabbitMQ's own form.
    return service === undefined ? line : null;
  }
  if (service !== undefined && record['service'] !== service) return null;
  if (json) return line;
  const { ts, level, service: from, host: _host, event, request_id, project_id, user_id, ...fields } = record;
  const ids = ['global_request_id', 'trace_id', 'span_id', 'parent_span_id'];
  const rest = Object.entries(fields).filter(([key]) => !ids.includes(key));
  const who = request_id === undefined ? '-' : [request_id, user_id ?? '-', project_id ?? '-'].map(String).join(' ');
  const tail = rest
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  const when = String(ts).replace('T', ' ').replace('Z', '');
  return `${when} ${String(level).toUpperCase().padEnd(5)} ${String(from)} [${who}] ${String(event)} ${tail}`.trimEnd();
}
