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
  readonly operations: number;
  /** Operations that have succeeded at least once. */
  readonly reached: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
  readonly seconds: number;
}

const classOf = (totals: RunTotals, digit: string): number =>
  Object.entries(totals.statuses).reduce((sum, [status, count]) => sum + (status.startsWith(digit) ? count : 0), 0);

const violations = (totals: RunTotals): number => totals.failures.reduce((sum, one) => sum + one.count, 0);

/** A row per service and microversion, then what was wrong. */
export function reportOf(runs: readonly RunTotals[]): string {
  const header = [
    'service',
    'version',
    'operations',
    'reached',
    'requests',
    '2xx',
    '3xx',
    '4xx',
    '5xx',
    'violations',
    'time',
  ];
  const rows = runs.map((one) => [
    one.service,
    one.version ?? '',
    String(one.operations),
    String(one.reached),
    String(one.requests),
    ...['2', '3', '4', '5'].map((digit) => String(classOf(one, digit))),
    String(violations(one)),
    `${one.seconds.toFixed(0)} s`,
  ]);
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

/** Whether nothing was wrong and each run has sent what it was asked to. */
export function isClean(runs: readonly RunTotals[]): boolean {
  return runs.length > 0 && runs.every((one) => one.failures.length === 0 && one.requests > 0);
}
