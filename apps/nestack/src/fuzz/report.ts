import { table } from '../text-table';

export interface Failure {
  readonly operation: string;
  readonly check: string;
  readonly status: number | null;
  readonly count: number;
}

/** The totals of one run, as fuzz/fuzz.py prints them. */
export interface RunTotals {
  readonly service: string;
  readonly version: string | null;
  readonly requests: number;
  /** How often each operation of the document answered with which status; without any where it was never sent. */
  readonly answers: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly statuses: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
  readonly seconds: number;
}

const classOf = (totals: RunTotals, digit: string): number =>
  Object.entries(totals.statuses).reduce((sum, [status, count]) => sum + (status.startsWith(digit) ? count : 0), 0);

const violations = (totals: RunTotals): number => totals.failures.reduce((sum, one) => sum + one.count, 0);

/** How far the operations of some runs were reached. */
export interface Reach {
  readonly operations: number;
  /** Have succeeded at least once. */
  readonly succeeded: number;
  /** Were sent, but only ever refused. */
  readonly refused: number;
  readonly never: number;
}

/** Counts each operation once, by its best answer in any of the runs. */
export function reachOf(runs: readonly RunTotals[]): Reach {
  const best = new Map<string, 'succeeded' | 'refused' | 'never'>();
  for (const [label, answers] of runs.flatMap((one) => Object.entries(one.answers))) {
    const statuses = Object.keys(answers).map(Number);
    if (statuses.some((status) => status < 400)) best.set(label, 'succeeded');
    else if (statuses.length > 0 && best.get(label) !== 'succeeded') best.set(label, 'refused');
    else if (!best.has(label)) best.set(label, 'never');
  }
  const count = (what: string): number => [...best.values()].filter((one) => one === what).length;
  return {
    operations: best.size,
    succeeded: count('succeeded'),
    refused: count('refused'),
    never: count('never'),
  };
}

/** A row per service and microversion, one per service over all of its microversions, then what was wrong. */
export function reportOf(runs: readonly RunTotals[]): string {
  const header = [
    'service',
    'version',
    'operations',
    'succeeded',
    'refused',
    'never',
    'requests',
    '2xx',
    '3xx',
    '4xx',
    '5xx',
    'violations',
    'time',
  ];
  const rows = [...new Set(runs.map((one) => one.service))].flatMap((service) => {
    const own = runs.filter((one) => one.service === service);
    const each = own.map((one) => row(service, one.version ?? '', [one]));
    return own.length === 1 ? each : [...each, row(service, 'all', own)];
  });
  const wrong = runs.flatMap((one) =>
    one.failures.map((failure) => [
      [one.service, one.version].filter((part) => part !== null).join(' '),
      failure.operation,
      failure.check,
      failure.status === null ? '' : String(failure.status),
      String(failure.count),
    ]),
  );
  const details = wrong.length === 0 ? '' : `\n${table(['where', 'operation', 'check', 'status', 'times'], wrong)}`;
  return `${table(header, rows)}${details}`;
}

function row(service: string, version: string, runs: readonly RunTotals[]): string[] {
  const reach = reachOf(runs);
  const sum = (of: (one: RunTotals) => number): number => runs.reduce((total, one) => total + of(one), 0);
  return [
    service,
    version,
    ...[reach.operations, reach.succeeded, reach.refused, reach.never].map(String),
    String(sum((one) => one.requests)),
    ...['2', '3', '4', '5'].map((digit) => String(sum((one) => classOf(one, digit)))),
    String(sum(violations)),
    `${sum((one) => one.seconds).toFixed(0)} s`,
  ];
}

/** Whether nothing was wrong and each run has sent what it was asked to. */
export function isClean(runs: readonly RunTotals[]): boolean {
  return runs.length > 0 && runs.every((one) => one.failures.length === 0 && one.requests > 0);
}
