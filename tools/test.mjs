/**
 * `./nestack test [--only STAGE,...]`: lint with module boundaries, types, unit, integration, end-to-end and real guests.
 * The last line is always `N passed, N failed`: the sum of jest's own counts, with lint and typecheck as one each.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { missingForGuests, missingForIntegration, missingForE2e } from './machine.mjs';
import { root } from './node.mjs';

const RESULTS = path.join(root, 'tmp/test');
/** How long a stage may take to end once its results are written. */
const LINGER_MS = 20_000;
const SIGNALS = ['SIGINT', 'SIGTERM'];
const CLI = path.join(root, 'dist/apps/nestack/cli.js');

const STAGES = [
  { name: 'lint', run: () => asOne('lint', [tool('lint.mjs')]) },
  {
    name: 'typecheck',
    run: () => asOne('typecheck', [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json']),
  },
  { name: 'unit', run: () => jest('unit') },
  { name: 'integration', installs: true, missing: missingForIntegration, run: () => jest('integration') },
  { name: 'e2e', installs: true, builds: true, missing: missingForE2e, run: () => jest('e2e', ['--runInBand']) },
  {
    name: 'guests',
    installs: true,
    builds: true,
    missing: missingForGuests,
    run: () => jest('guests', ['--runInBand']),
  },
];

process.chdir(root);
const chosen = chosenStages(process.argv.slice(2));
const summary = [];
const leftOut = [];
let passed = 0;
let failed = 0;
let installed = false;
let built = null;

for (const stage of STAGES) {
  if (chosen.includes(stage.name)) await perform(stage);
  else leftOut.push(`${stage.name}: not asked for (--only)`);
}
report();

async function perform(stage) {
  heading(stage.name);
  try {
    if (stage.builds || stage.installs) await build();
    if (stage.installs) await install();
    const missing = (await stage.missing?.()) ?? [];
    if (missing.length > 0) {
      leftOut.push(`${stage.name}: ${missing.join('; ')}`);
      console.log(`left out: ${missing.join('; ')}`);
      return;
    }
    if (stage.builds && !built) throw new Error('the build failed');
    const counts = await stage.run();
    passed += counts.passed;
    failed += counts.failed;
    summary.push({ name: stage.name, lines: counts.lines });
  } catch (error) {
    // A stage that cannot even count its tests has failed as one.
    failed += 1;
    summary.push({ name: stage.name, lines: [`failed: ${error.message}`] });
    console.error(error);
  }
}

/** A tool whose exit code is the whole verdict. */
async function asOne(name, command) {
  const started = Date.now();
  const { code } = await run(command);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  return {
    passed: code === 0 ? 1 : 0,
    failed: code === 0 ? 0 : 1,
    lines: [`${code === 0 ? 'passed' : 'failed'} in ${seconds} s`],
  };
}

async function jest(project, args = []) {
  mkdirSync(RESULTS, { recursive: true });
  const outputFile = path.join(RESULTS, `${project}.json`);
  rmSync(outputFile, { force: true });
  const command = ['--selectProjects', project, '--passWithNoTests', '--json', `--outputFile=${outputFile}`, ...args];
  const { code, output, lingered } = await run([tool('jest.mjs'), ...command], outputFile);
  if (!existsSync(outputFile)) throw new Error(`jest ended with code ${code} and without results`);
  const results = JSON.parse(readFileSync(outputFile, 'utf8'));
  noteSkipped(project, results);
  // A file that fails before its first test has no test to count, so it counts itself.
  const broken = results.numRuntimeErrorTestSuites ?? 0;
  const failures = results.numFailedTests + broken;
  return {
    passed: results.numPassedTests,
    failed: failures === 0 && code !== 0 && !lingered ? 1 : failures,
    lines: [...jestSummary(output), ...(lingered ? ['some test left something open: jest did not end by itself'] : [])],
  };
}

function noteSkipped(project, results) {
  if (results.numTotalTestSuites === 0) leftOut.push(`${project}: has no tests`);
  for (const file of results.testResults) {
    for (const test of file.assertionResults) {
      if (test.status !== 'pending' && test.status !== 'todo') continue;
      leftOut.push(`${project}: ${path.relative(root, file.name)}: ${test.fullName} (skipped by the test itself)`);
    }
  }
}

/** Jest's own closing lines. */
function jestSummary(output) {
  return stripVTControlCharacters(output)
    .split('\n')
    .filter((line) => /^(Test Suites|Tests|Time):/.test(line));
}

async function build() {
  if (built !== null) return;
  built = (await run([tool('build.mjs')])).code === 0;
}

/** Lets nestack itself install what the tests need of the machine, where it may; what is then still missing shows itself. */
async function install() {
  if (installed || !existsSync(CLI)) return;
  installed = true;
  const { code } = await run([CLI, 'install', '--for', 'test']);
  if (code !== 0) console.log(`installing for the tests ended with code ${code}; going on with what is there`);
}

/**
 * Runs a script of ours, shows what it prints and returns it with the exit code. Where it has written `results` and yet
 * does not end, it is ended (`lingered`): a test may have left a socket open, which must not hang the whole run.
 */
function run(command, results = null) {
  return new Promise((resolve, reject) => {
    const color = process.stdout.isTTY && !process.env.NO_COLOR ? { FORCE_COLOR: '1' } : {};
    const child = spawn(process.execPath, command, {
      cwd: root,
      env: { ...process.env, ...color },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (data) => {
      // With --json and a file, jest has nothing of interest on stdout but what tests print.
      process.stdout.write(data);
    });
    child.stderr.on('data', (data) => {
      output += data;
      process.stdout.write(data);
    });
    let lingered = false;
    let finishedAt = null;
    const watch = setInterval(() => {
      if (results === null || !existsSync(results)) return;
      finishedAt ??= Date.now();
      if (lingered || Date.now() - finishedAt < LINGER_MS) return;
      lingered = true;
      child.kill('SIGTERM');
    }, 1000);
    const forward = (signal) => child.kill(signal);
    for (const signal of SIGNALS) process.on(signal, forward);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearInterval(watch);
      for (const name of SIGNALS) process.off(name, forward);
      resolve({ code: code ?? (signal ? 1 : 0), output, lingered });
    });
  });
}

function report() {
  heading('summary');
  for (const { name, lines } of summary) {
    for (const [index, line] of lines.entries()) console.log(`${(index === 0 ? name : '').padEnd(12)} ${line}`);
  }
  if (leftOut.length > 0) {
    console.log('left out:');
    for (const line of leftOut) console.log(`  ${line}`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

function heading(text) {
  console.log(`\n== ${text} ==`);
}

function tool(name) {
  return path.join(root, 'tools', name);
}

function chosenStages(args) {
  const names = STAGES.map((stage) => stage.name);
  if (args.length === 0) return names;
  const list = args[0] === '--only' ? args[1] : args[0].match(/^--only=(.*)$/)?.[1];
  const only = list?.split(',') ?? [];
  if (only.length === 0 || args.length > 2 || only.some((name) => !names.includes(name))) {
    console.error(`usage: ./nestack test [--only STAGE,...] where STAGE is one of ${names.join(', ')}`);
    process.exit(2);
  }
  return only;
}
