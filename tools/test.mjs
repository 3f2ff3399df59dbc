/**
 * `./nestack test [--only STAGE,...]`: lint with module boundaries, types, unit, integration, end-to-end, real guests,
 * OpenStack's own tests, and random requests. The last line is always `N passed, N failed`: the sum of jest's and Tempest's own
 * counts, with lint, typecheck and each fuzzed version of a service as one each.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { conformance } from './conformance.mjs';
import { fuzz } from './fuzz.mjs';
import {
  missingForConformance,
  missingForE2e,
  missingForFuzz,
  missingForGuests,
  missingForIntegration,
} from './machine.mjs';
import { root } from './node.mjs';

const RESULTS = path.join(root, 'tmp/test');
/** How long a stage may take to end once its results are written. */
const LINGER_MS = 20_000;
const SIGNALS = ['SIGINT', 'SIGTERM'];
const CLI = path.join(root, 'dist/apps/nestack/cli.js');

/** Each stage with the minutes that it may take at most, on a machine that is slow or busy: a test that hangs ends there. */
const STAGES = [
  { name: 'lint', minutes: 15, run: (limit) => asOne([tool('lint.mjs')], limit) },
  {
    name: 'typecheck',
    minutes: 15,
    run: (limit) => asOne([path.join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json'], limit),
  },
  { name: 'unit', minutes: 15, run: (limit) => jest('unit', limit) },
  {
    name: 'integration',
    minutes: 45,
    installs: true,
    missing: missingForIntegration,
    run: (limit) => jest('integration', limit),
  },
  {
    name: 'e2e',
    minutes: 30,
    installs: true,
    missing: missingForE2e,
    run: (limit) => jest('e2e', limit, ['--runInBand']),
  },
  {
    name: 'guests',
    minutes: 30,
    installs: true,
    missing: missingForGuests,
    run: (limit) => jest('guests', limit, ['--runInBand']),
  },
  {
    name: 'conformance',
    minutes: 30,
    installs: true,
    missing: missingForConformance,
    run: (limit) => interop(limit),
  },
  {
    name: 'fuzz',
    minutes: 20,
    installs: true,
    missing: missingForFuzz,
    run: (limit) => fuzzed(limit),
  },
];

process.chdir(root);
const chosen = chosenStages(process.argv.slice(2));
const summary = [];
const leftOut = [];
const secondTries = [];
let passed = 0;
let failed = 0;
/** Whether the bundles were built, and what the machine lacks installed: null while nobody has tried. */
let built = null;
let installed = null;

for (const stage of STAGES) {
  if (chosen.includes(stage.name)) await perform(stage);
  else leftOut.push(`${stage.name}: not asked for (--only)`);
}
report();

async function perform(stage) {
  heading(stage.name);
  try {
    if (stage.installs) {
      if (!(await build())) throw new Error('the build failed (see above)');
      await install();
    }
    const missing = (await stage.missing?.()) ?? [];
    if (missing.length > 0 && installed === false)
      throw new Error(`installing what the tests need failed (see above): ${missing.join('; ')}`);
    if (missing.length > 0) {
      leftOut.push(`${stage.name}: ${missing.join('; ')}`);
      console.log(`left out: ${missing.join('; ')}`);
      return;
    }
    const counts = await stage.run(stage.minutes * 60_000);
    passed += counts.passed;
    failed += counts.failed;
    summary.push({ name: stage.name, lines: counts.lines });
  } catch (error) {
    // A stage that cannot even count its tests has failed as one.
    failed += 1;
    summary.push({ name: stage.name, lines: [`failed: ${error.message}`] });
    console.error(`failed: ${error.message}`);
  }
}

/** A tool whose exit code is the whole verdict. */
async function asOne(command, limitMs) {
  const started = Date.now();
  const { code, late } = await run(command, { limitMs });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  const good = code === 0 && !late;
  return {
    passed: good ? 1 : 0,
    failed: good ? 0 : 1,
    lines: [`${good ? 'passed' : 'failed'} in ${seconds} s${late ? ' (ended at its time limit)' : ''}`],
  };
}

async function jest(project, limitMs, args = []) {
  mkdirSync(RESULTS, { recursive: true });
  const outputFile = path.join(RESULTS, `${project}.json`);
  rmSync(outputFile, { force: true });
  const command = ['--passWithNoTests', '--json', `--outputFile=${outputFile}`, ...args, '--selectProjects', project];
  const { code, output, lingered, late } = await run([tool('jest.mjs'), ...command], { results: outputFile, limitMs });
  if (late && !existsSync(outputFile))
    throw new Error(`not done after ${limitMs / 60_000} minutes; which tests were under way stands above`);
  if (!existsSync(outputFile)) throw new Error(`jest ended with code ${code} and without results`);
  const results = JSON.parse(readFileSync(outputFile, 'utf8'));
  noteSkipped(project, results);
  noteSecondTries(project, results);
  // A file that fails before its first test has no test to count, so it counts itself.
  const broken = results.numRuntimeErrorTestSuites ?? 0;
  const failures = results.numFailedTests + broken;
  return {
    passed: results.numPassedTests,
    failed: failures === 0 && code !== 0 && !lingered ? 1 : failures,
    lines: [...jestSummary(output), ...(lingered ? ['some test left something open: jest did not end by itself'] : [])],
  };
}

/** Each of the interoperability guideline's tests is one test. */
async function interop(limitMs) {
  const end = Date.now() + limitMs;
  const nestack = (args) => run([CLI, ...args], { limitMs: Math.max(end - Date.now(), LINGER_MS) });
  const guests = await missingForGuests();
  const results = await conformance(nestack, guests.length === 0);
  for (const { test, reason } of results.skipped)
    leftOut.push(`conformance: ${test}: ${guests.length > 0 ? guests.join('; ') : (reason ?? 'skipped by Tempest')}`);
  for (const { test } of results.secondTries) secondTries.push(`conformance: ${test}`);
  const counts = [results.passed, results.failed, results.skipped].map((list) => list.length);
  return {
    passed: results.passed.length,
    failed: results.failed.length,
    lines: [
      `Tempest: ${counts[0]} passed, ${counts[1]} failed, ${counts[2]} skipped`,
      ...results.failed.map((one) => one.test),
    ],
  };
}

/** Each service in each of its microversions is one test. */
async function fuzzed(limitMs) {
  const end = Date.now() + limitMs;
  const runs = await fuzz((args) => run([CLI, ...args], { limitMs: Math.max(end - Date.now(), LINGER_MS) }));
  const bad = runs.filter((one) => one.failures.length > 0 || one.requests === 0);
  const requests = runs.reduce((sum, one) => sum + one.requests, 0);
  return {
    passed: runs.length - bad.length,
    failed: bad.length,
    lines: [
      `${requests} requests`,
      ...bad.map((one) => `${one.service} ${one.version ?? ''}: ${one.failures.length} kinds of violation (see above)`),
    ],
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

function noteSecondTries(project, results) {
  for (const file of results.testResults) {
    for (const test of file.assertionResults) {
      if (test.status !== 'passed' || (test.invocations ?? 1) < 2) continue;
      secondTries.push(`${project}: ${path.relative(root, file.name)}: ${test.fullName}`);
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
  built ??= (await run([tool('build.mjs')])).code === 0;
  return built;
}

/** Lets nestack itself install what the tests need of the machine, where it may; where it may not, it says what is missing. */
async function install() {
  if (installed !== null) return;
  installed = (await run([CLI, 'install', '--for', 'test'])).code === 0;
}

/**
 * Runs a script of ours, shows what it prints and returns it with the exit code. Where it has written `results` and yet
 * does not end, it is ended (`lingered`): a test may have left a socket open, which must not hang the whole run. The
 * same at its time limit (`late`).
 */
function run(command, { results = null, limitMs = null } = {}) {
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
    const startedAt = Date.now();
    let lingered = false;
    let late = false;
    let finishedAt = null;
    const watch = setInterval(() => {
      if (limitMs !== null && !late && Date.now() - startedAt > limitMs) {
        late = true;
        child.kill('SIGTERM');
        setTimeout(() => child.kill('SIGKILL'), LINGER_MS).unref();
      }
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
      resolve({ code: code ?? (signal ? 1 : 0), output, lingered, late });
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
  if (secondTries.length > 0) {
    console.log('passed at the second try only:');
    for (const line of secondTries) console.log(`  ${line}`);
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
