import { performance } from 'node:perf_hooks';
import { cpuMsOf } from './processes';

/** One measured scenario. Times are milliseconds. */
export interface Result {
  readonly name: string;
  readonly runs: number;
  readonly medianMs?: number;
  readonly p95Ms?: number;
  /** Processor time of the whole cloud per operation. */
  readonly cpuMsPerOp?: number;
  /** What else there is to say: `{ 'PSS MiB': 412 }`. */
  readonly extra?: Readonly<Record<string, number>>;
  /** The limit that was set, in words, and whether it is kept. */
  readonly limit?: string;
  readonly kept?: boolean;
}

/** The value below which a share of the values lies (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export interface Timing {
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly cpuMsPerOp: number;
}

/** Runs an operation one after the other, after some runs that warm up. */
export async function timeEach(
  runs: number,
  warm: number,
  pids: () => readonly number[],
  operation: (run: number) => Promise<unknown>,
): Promise<Timing> {
  for (let run = 0; run < warm; run++) await operation(-1 - run);
  const cpu = cpuMsOf(pids());
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const began = performance.now();
    await operation(run);
    times.push(performance.now() - began);
  }
  return {
    medianMs: median(times),
    p95Ms: percentile(times, 0.95),
    cpuMsPerOp: (cpuMsOf(pids()) - cpu) / runs,
  };
}

/** Runs a number of operations at a given concurrency; the first error ends it. */
export async function atConcurrency(
  total: number,
  clients: number,
  operation: (run: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const client = async (): Promise<void> => {
    for (let run = next++; run < total; run = next++) await operation(run);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

/** Results as a table for people. */
export function rowsOf(results: readonly Result[]): string[][] {
  const number = (value: number | undefined): string =>
    value === undefined ? '' : value >= 100 ? value.toFixed(0) : value.toFixed(2);
  return results.map((one) => [
    one.name,
    String(one.runs),
    number(one.medianMs),
    number(one.p95Ms),
    number(one.cpuMsPerOp),
    Object.entries(one.extra ?? {})
      .map(([name, value]) => `${name} ${number(value)}`)
      .join(', '),
    one.limit ?? '',
    one.kept === undefined ? '' : one.kept ? 'kept' : 'MISSED',
  ]);
}
