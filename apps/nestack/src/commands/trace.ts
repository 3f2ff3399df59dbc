import { writeFileSync } from 'node:fs';
import { drawHtml } from '../trace/html';
import { drawMermaid } from '../trace/mermaid';
import { isAbout, parseTraceLine, readTraces, selectTraces, traceFiles, type LoggedTrace } from '../trace/records';
import { duration, sequenceOf, shorten } from '../trace/sequence';
import { drawTerminal } from '../trace/terminal';
import { UserError } from '../user-error';
import { placeOf, type CommonOptions } from './cloud';
import { follow } from './logs';

interface TraceOptions extends CommonOptions {
  readonly mermaid?: boolean;
  readonly html?: string;
  readonly json?: boolean;
  readonly follow?: boolean;
  readonly width?: number;
}

/** Draws the flow between the services of a request, or of all that changed a server, a port, an image… */
export async function trace(id: string, options: TraceOptions): Promise<void> {
  const { layout } = placeOf(options);
  const { records, offsets } = await readTraces(traceFiles(layout.log));
  const traces = selectTraces(records, id);
  if (traces.length === 0 && options.follow !== true) {
    throw new UserError(
      `Nothing in ${layout.log} is about ${id}.`,
      "The openstack client shows a request's id with --debug (x-openstack-request-id).",
    );
  }
  show(traces, id, options);
  if (options.follow !== true) return;
  const known = new Set(traces.map((list) => list[0]?.traceId ?? ''));
  await follow(offsets, (line) => {
    const record = parseTraceLine(line);
    if (record === null) return;
    if (isAbout(record, id)) known.add(record.traceId);
    if (known.has(record.traceId)) process.stdout.write(`${oneLine(record)}\n`);
  });
}

function show(traces: readonly (readonly LoggedTrace[])[], id: string, options: TraceOptions): void {
  const sequences = traces.map(sequenceOf);
  if (options.html !== undefined) {
    writeFileSync(options.html, drawHtml(sequences, id));
    process.stdout.write(`${options.html} is written: ${sequences.length} sequence(s).\n`);
    return;
  }
  if (options.json === true) {
    const plain = sequences.map(({ rows: _rows, ...sequence }) => sequence);
    process.stdout.write(`${JSON.stringify(plain, null, 2)}\n`);
    return;
  }
  if (options.mermaid === true) {
    process.stdout.write(sequences.map(drawMermaid).join('\n'));
    return;
  }
  const width = options.width ?? Math.max(100, Math.min(160, process.stdout.columns ?? 130));
  const color = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
  process.stdout.write(sequences.map((sequence) => drawTerminal(sequence, { width, color })).join('\n\n'));
}

function oneLine(record: LoggedTrace): string {
  const who = record.from === record.to ? record.from : `${record.from} → ${record.to}`;
  const took = duration(record.durationMs);
  return `${new Date(record.start).toISOString().slice(11, 23)}  ${who.padEnd(36)} ${shorten(record.name)}: ${record.status} (${took})`;
}
