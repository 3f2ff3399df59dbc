import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { readFrom } from '../commands/logs';

/** One trace record as a service has logged it. */
export interface LoggedTrace {
  /** Who wrote it, and where. */
  readonly service: string;
  readonly host: string;
  readonly requestId: string;
  readonly globalRequestId: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly kind: string;
  readonly from: string;
  readonly to: string;
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly durationMs: number;
  readonly status: string;
  readonly resource: string | null;
}

/** The trace record in a log line, or null when it is another line. */
export function parseTraceLine(line: string): LoggedTrace | null {
  if (!line.includes('"event":"trace"')) return null;
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    // A line that was cut when its process died.
    return null;
  }
  const trace = record['trace'];
  if (record['event'] !== 'trace' || typeof trace !== 'object' || trace === null) return null;
  const fields = trace as Record<string, unknown>;
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const optional = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return {
    service: text(record['service']),
    host: text(record['host']),
    requestId: text(record['request_id']),
    globalRequestId: text(record['global_request_id']),
    traceId: text(record['trace_id']),
    spanId: text(record['span_id']),
    parentSpanId: optional(record['parent_span_id']),
    kind: text(fields['kind']),
    from: text(fields['from']),
    to: text(fields['to']),
    name: text(fields['name']),
    start: Date.parse(text(fields['start'])),
    durationMs: Number(fields['duration_ms'] ?? 0),
    status: text(fields['status']),
    resource: optional(fields['resource']),
  };
}

/** The log files of a cloud that may hold traces. */
export function traceFiles(logDir: string): string[] {
  if (!existsSync(logDir)) return [];
  return readdirSync(logDir)
    .filter((name) => /\.log(\.1)?$/.test(name) && !/^(postgres|rabbitmq|supervisor|libvirtd)/.test(name))
    .map((name) => path.join(logDir, name))
    .sort((a, b) => (a.endsWith('.1') === b.endsWith('.1') ? a.localeCompare(b) : a.endsWith('.1') ? -1 : 1));
}

/** All trace records of log files. */
export async function readTraces(
  files: readonly string[],
): Promise<{ readonly records: LoggedTrace[]; readonly offsets: Map<string, number> }> {
  const records: LoggedTrace[] = [];
  const offsets = new Map<string, number>();
  for (const file of files) {
    const end = await readFrom(file, 0, (line) => {
      const record = parseTraceLine(line);
      if (record !== null) records.push(record);
    });
    offsets.set(file, end);
  }
  return { records, offsets };
}

/** Whether a record is about an id: of a request, a trace, or of anything it names. */
export function isAbout(record: LoggedTrace, id: string): boolean {
  return (
    record.requestId === id ||
    record.globalRequestId === id ||
    record.traceId === id ||
    record.resource === id ||
    record.resource?.endsWith(`:${id}`) === true ||
    (id.length >= 8 && record.name.includes(id))
  );
}

/** Looking is no part of the flow: a request that only reads, and made nothing else happen. */
function onlyLooks(records: readonly LoggedTrace[]): boolean {
  return records.every((record) => record.kind.startsWith('rest.') && /^(GET|HEAD) /.test(record.name));
}

/**
 * The traces about an id, oldest first, each with all its records. Polling (traces that only read) is left out unless
 * there is nothing else or a request's own id was given.
 */
export function selectTraces(records: readonly LoggedTrace[], id: string): LoggedTrace[][] {
  const wanted = new Set(records.filter((record) => isAbout(record, id)).map((record) => record.traceId));
  const byTrace = new Map<string, LoggedTrace[]>();
  for (const record of records) {
    if (!wanted.has(record.traceId)) continue;
    const list = byTrace.get(record.traceId);
    if (list === undefined) byTrace.set(record.traceId, [record]);
    else list.push(record);
  }
  const traces = [...byTrace.values()].map((list) => list.sort((a, b) => a.start - b.start));
  const telling = traces.filter((list) => !onlyLooks(list));
  return (telling.length > 0 ? telling : traces).sort((a, b) => startOf(a) - startOf(b));
}

function startOf(records: readonly LoggedTrace[]): number {
  return records[0]?.start ?? 0;
}
