import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { run } from '@nestack/kernel/process';
import { Rest } from '../bootstrap/rest';
import { writeAtomically } from '../cloud/files';
import { requireSettings, secretOf } from '../cloud/settings';
import { authUrlOf, placeOf, type CommonOptions } from '../commands/cloud';
import { aptInstall, requireInstallable } from '../install/apt';
import { conformanceNeeds, missingOf } from '../install/needs';
import { UserError } from '../user-error';
import { runGroupOf } from './child-group';
import { bareName, markdownOf, parseResult, resultsOf, type GroupReport, type ReportedResult } from './results';
import { renderConfig, tempestConfig } from './tempest-config';

/** Groups of tests by name; each but the guideline's list is all API tests of a service. */
export const GROUPS = ['interop', 'identity', 'image', 'volume', 'network', 'compute', 'scenario'] as const;
type Group = (typeof GROUPS)[number];

interface ConformanceOptions extends CommonOptions {
  readonly only?: string;
  /** A regular expression: only those of the groups' tests whose names it matches. */
  readonly tests?: string;
  readonly workers?: number;
  readonly markdown?: string;
  readonly json?: string;
}

/**
 * Tempest spends nearly all of a test in its own pauses (it looks once per second, and waits 10 s before it deletes a
 * subnet), so many tests at a time cost little. Real guests want a processor each while they boot.
 */
const WORKERS = { simulated: 8, real: 3 } as const;

/** Debian's Tempest wants Debian's Python, whatever else comes first in PATH. */
const ENV: NodeJS.ProcessEnv = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  PYTHON: '/usr/bin/python3',
  PYTHONWARNINGS: 'ignore',
  LANG: 'C.UTF-8',
};

/**
 * Runs OpenStack's own integration tests against the running cloud and tells what passed. The exit code is 0 only when
 * all listed tests have passed and none was skipped.
 */
export async function conformance(options: ConformanceOptions): Promise<void> {
  const { layout, home } = placeOf(options);
  const settings = requireSettings(layout);
  const groups = chosen(options.only);
  const pattern = patternOf(options.tests);
  const guests = settings.virt === 'libvirt' && settings.net !== 'fake' ? 'real' : 'simulated';
  await requireTempest();
  const workspace = path.join(layout.root, 'conformance');
  tidy(workspace);
  for (const sub of ['etc', 'log', 'lock', 'tmp']) mkdirSync(path.join(workspace, sub), { recursive: true });
  const rest = new Rest({
    authUrl: authUrlOf(settings),
    username: 'admin',
    password: secretOf(settings, 'admin'),
    project: 'admin',
  });
  try {
    await rest.login();
    const config = await tempestConfig({
      rest,
      authUrl: authUrlOf(settings),
      adminPassword: secretOf(settings, 'admin'),
      guests,
      workspace,
    });
    writeAtomically(path.join(workspace, 'etc', 'tempest.conf'), renderConfig(config), 0o600);
  } finally {
    await rest.close();
  }
  const reports: GroupReport[] = [];
  try {
    await prepareRepository(workspace);
    const listed = await listTests(workspace);
    const required = requiredIds(path.join(home, 'apps/nestack/conformance/interop-2020.06.tsv'));
    for (const group of groups) {
      const tests = listed.filter((test) => isIn(group, test, required) && pattern.test(bareName(test)));
      if (tests.length === 0) throw new UserError(`Tempest lists no such tests of ${group}.`);
      reports.push(await runGroup(workspace, group, tests, options.workers ?? WORKERS[guests]));
    }
  } finally {
    tidy(workspace);
  }
  const text = markdownOf(reports);
  process.stdout.write(`\n${text}`);
  if (options.markdown !== undefined) writeFileSync(options.markdown, text);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(reports, null, 2)}\n`);
  const clean = reports.every(
    (one) => one.results.every(({ outcome }) => outcome === 'passed') && one.results.length > 0,
  );
  process.exitCode = clean ? 0 : 1;
}

function chosen(only: string | undefined): readonly Group[] {
  const names = only?.split(',') ?? ['interop'];
  const unknown = names.filter((name) => !(GROUPS as readonly string[]).includes(name));
  if (unknown.length > 0) throw new UserError(`No group ${unknown.join(', ')}.`, `There are ${GROUPS.join(', ')}.`);
  return names as readonly Group[];
}

function patternOf(text: string | undefined): RegExp {
  try {
    return new RegExp(text ?? '');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(`--tests: ${error.message}`);
  }
}

async function requireTempest(): Promise<void> {
  const missing = missingOf(conformanceNeeds());
  if (missing.length === 0) return;
  requireInstallable(missing);
  process.stderr.write(`Installing ${missing.map((need) => need.package).join(', ')}\n`);
  await aptInstall(
    missing.map((need) => need.package),
    () => undefined,
  );
}

/** Where the runner keeps its tests and results. */
async function prepareRepository(workspace: string): Promise<void> {
  const script = 'import os, tempest; print(os.path.dirname(tempest.__file__))';
  const folder = (await run('/usr/bin/python3', ['-c', script], { cwd: '/', env: ENV })).trim();
  writeFileSync(
    path.join(workspace, '.stestr.conf'),
    `[DEFAULT]\ntest_path=${folder}/test_discover\ntop_dir=${path.dirname(folder)}\ngroup_regex=([^\\.]*\\.)*\n`,
  );
  if (!existsSync(path.join(workspace, '.stestr')))
    await run('stestr', ['init'], { cwd: workspace, env: environment(workspace) });
}

/** Where Tempest's processes keep what they remove at a normal end. */
const temporary = (workspace: string): string => path.join(workspace, 'tmp');

/** Removes what processes that were ended have left: their own files, and results that are not whole. */
function tidy(workspace: string): void {
  rmSync(temporary(workspace), { recursive: true, force: true });
  const results = path.join(workspace, '.stestr');
  if (!existsSync(results)) return;
  for (const name of readdirSync(results)) if (name.startsWith('tmp')) rmSync(path.join(results, name));
}

function environment(workspace: string): NodeJS.ProcessEnv {
  return {
    ...ENV,
    HOME: workspace,
    TMPDIR: temporary(workspace),
    TEMPEST_CONFIG_DIR: path.join(workspace, 'etc'),
    TEMPEST_CONFIG: 'tempest.conf',
  };
}

async function listTests(workspace: string): Promise<readonly string[]> {
  const lines: string[] = [];
  const about = { cwd: workspace, env: environment(workspace), onLine: (line: string) => lines.push(line) };
  const code = await runGroupOf('tempest', ['run', '--list-tests'], about);
  if (code !== 0) throw new UserError(`Tempest cannot list its tests (code ${String(code)}).`);
  return lines.filter((line) => line.startsWith('tempest.'));
}

function requiredIds(file: string): ReadonlySet<string> {
  const lines = readFileSync(file, 'utf8').split('\n');
  return new Set(lines.flatMap((line) => (line.startsWith('#') || line === '' ? [] : [line.split('\t')[0] ?? ''])));
}

/** Whether a test belongs to a group. Tests carry their idempotent id in brackets: `…test_x[id-<uuid>,smoke]`. */
function isIn(group: Group, test: string, required: ReadonlySet<string>): boolean {
  if (group === 'scenario') return test.startsWith('tempest.scenario.');
  if (group !== 'interop') return test.startsWith(`tempest.api.${group}.`);
  return [...test.matchAll(/id-([0-9a-f-]{36})/g)].some((match) => required.has(match[1] ?? ''));
}

async function runGroup(
  workspace: string,
  group: Group,
  tests: readonly string[],
  workers: number,
): Promise<GroupReport> {
  const list = path.join(workspace, `${group}.list`);
  writeFileSync(list, `${tests.join('\n')}\n`);
  const began = performance.now();
  const reported: ReportedResult[] = [];
  const output = createWriteStream(path.join(workspace, `${group}.log`));
  process.stderr.write(`${group}: ${tests.length} tests\n`);
  const onLine = (line: string): void => {
    output.write(`${line}\n`);
    const result = parseResult(line);
    if (result === null) return;
    reported.push(result);
    if (result.outcome !== 'passed') process.stderr.write(`  ${result.outcome}: ${result.test}\n`);
  };
  const args = ['run', '--load-list', list, '--concurrency', String(workers)];
  const about = { cwd: workspace, env: environment(workspace), errors: output, onLine };
  await runGroupOf('tempest', args, about).finally(() => output.end());
  const results = resultsOf(tests, reported);
  return { group, listed: tests.length, results, seconds: (performance.now() - began) / 1000 };
}
