/** What became of a test: `missing` when Tempest told nothing about it, for instance since it was stopped. */
export type Outcome = 'passed' | 'failed' | 'skipped' | 'missing';

export interface TestResult {
  readonly test: string;
  readonly outcome: Outcome;
  /** Why it was skipped, in Tempest's words. */
  readonly reason?: string;
}

/** A line of Tempest's output: a test's result, or that of the set-up of a class. */
export interface ReportedResult extends TestResult {
  readonly wholeClass: boolean;
}

const LINE = /^\{\d+\} (\S.*?)(?: \[[\d.]+s\])? \.\.\. (ok|FAILED|SKIPPED|XFAIL|UXSUCCESS)(?:: (.*))?/;
const CLASS = /^(?:setUpClass|tearDownClass) \((.+)\)$/;

/** The result that a line of Tempest's output tells, or null. */
export function parseResult(line: string): ReportedResult | null {
  const match = LINE.exec(line.trim());
  const [, name, word, reason] = match ?? [];
  if (name === undefined) return null;
  const outcome = word === 'ok' || word === 'XFAIL' ? 'passed' : word === 'SKIPPED' ? 'skipped' : 'failed';
  const wholeClass = CLASS.exec(name)?.[1];
  return {
    test: wholeClass ?? bareName(name),
    outcome,
    ...(reason === undefined || reason === '' ? {} : { reason }),
    wholeClass: wholeClass !== undefined,
  };
}

/** A test's name without its id and attributes. */
export function bareName(test: string): string {
  return test.replace(/\[.*/, '');
}

/**
 * One result for each listed test. A class that was skipped, or that failed in its set-up, reports itself alone, so its
 * outcome holds for all its tests that have none; one that failed in its tear-down has left something behind, and is
 * one failure more.
 */
export function resultsOf(listed: readonly string[], reported: readonly ReportedResult[]): readonly TestResult[] {
  const tests = new Map(reported.filter((one) => !one.wholeClass).map((one) => [one.test, one]));
  const classes = new Map(reported.filter((one) => one.wholeClass).map((one) => [one.test, one]));
  const used = new Set<string>();
  const results = listed.map(bareName).map((test): TestResult => {
    const own = tests.get(test);
    if (own !== undefined) return plain(own);
    const of = classes.get(test.slice(0, test.lastIndexOf('.')));
    if (of === undefined) return { test, outcome: 'missing' };
    used.add(of.test);
    return { ...plain(of), test };
  });
  const leftovers = [...classes.values()].filter((one) => !used.has(one.test) && one.outcome === 'failed').map(plain);
  return [...results, ...leftovers];
}

const plain = ({ test, outcome, reason }: ReportedResult): TestResult =>
  reason === undefined ? { test, outcome } : { test, outcome, reason };

export interface GroupReport {
  readonly group: string;
  readonly listed: number;
  readonly results: readonly TestResult[];
  readonly seconds: number;
}

const count = (report: GroupReport, outcome: Outcome): number =>
  report.results.filter((one) => one.outcome === outcome).length;

/** The reports as Markdown: a table, then the names of what did not pass. */
export function markdownOf(reports: readonly GroupReport[]): string {
  const rows = reports.map(
    (one) =>
      `| ${one.group} | ${one.listed} | ${count(one, 'passed')} | ${count(one, 'failed') + count(one, 'missing')} | ${count(one, 'skipped')} | ${one.seconds.toFixed(0)} s |`,
  );
  const names = reports.flatMap((one) =>
    (['failed', 'missing', 'skipped'] as const).flatMap((outcome) => {
      const tests = one.results
        .filter((result) => result.outcome === outcome)
        .map(({ test, reason }) => `- ${test}${reason === undefined ? '' : `: ${reason}`}`);
      const title = outcome === 'missing' ? 'without a result' : outcome;
      return tests.length === 0 ? [] : ['', `### ${one.group}: ${title}`, '', ...tests.sort()];
    }),
  );
  return [
    '| group | listed | passed | failed | skipped | time |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    ...names,
    '',
  ].join('\n');
}
