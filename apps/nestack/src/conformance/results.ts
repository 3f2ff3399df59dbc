export interface TestResult {
  readonly test: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
}

const LINE = /^\{\d+\} (\S.*?)(?: \[[\d.]+s\])? \.\.\. (ok|FAILED|SKIPPED|XFAIL|UXSUCCESS)/;

/** The result that a line of Tempest's output tells, or null. A class that fails or is skipped in its set-up tells it once. */
export function parseResult(line: string): TestResult | null {
  const match = LINE.exec(line.trim());
  const [, name, word] = match ?? [];
  if (name === undefined) return null;
  const outcome = word === 'ok' || word === 'XFAIL' ? 'passed' : word === 'SKIPPED' ? 'skipped' : 'failed';
  return { test: name.replace(/\[.*/, ''), outcome };
}

export interface GroupReport {
  readonly group: string;
  readonly listed: number;
  readonly results: readonly TestResult[];
  readonly seconds: number;
}

const count = (report: GroupReport, outcome: TestResult['outcome']): number =>
  report.results.filter((one) => one.outcome === outcome).length;

/** The reports as Markdown: a table, then the names of what failed and what was skipped. */
export function markdownOf(reports: readonly GroupReport[]): string {
  const rows = reports.map(
    (one) =>
      `| ${one.group} | ${one.listed} | ${count(one, 'passed')} | ${count(one, 'failed')} | ${count(one, 'skipped')} | ${one.seconds.toFixed(0)} s |`,
  );
  const names = reports.flatMap((one) =>
    (['failed', 'skipped'] as const).flatMap((outcome) => {
      const tests = one.results.filter((result) => result.outcome === outcome).map((result) => `- ${result.test}`);
      return tests.length === 0 ? [] : ['', `### ${one.group}: ${outcome}`, '', ...tests.sort()];
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
