/**
 * `./nestack test [--only STAGE,...]`: lint with module boundaries, types, unit, integration, end-to-end, real guests,
 * OpenStack's own tests, and random requests. Stages that leave a processor idle run beside another; what they print appears one after
 * the other. The last line is always `N passed, N failed`: the sum of jest's and Tempest's own counts, with lint, typecheck and each
 * fuzzed version of a service as one each.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { conformance } from './conformance.mjs';
import { fuzz } from './fuzz.mjs';
import { InTurn } from './in-turn.mjs';
import {
  missingForConformance,
  missingForE2e,
  missingForFuzz,
  missingForGuests,
  missingForIntegration,
} from './machine.mjs';
import { root } from './node.mjs';

const RESULTS = path.join(root, 'tmp/test');
/** By how much stages that wait patiently are less urgent than one beside them in which somebody may look at a clock. */
const PATIENCE = 5;
/** How long a stage may take to end once its results are written. */
const LINGER_MS = 20_000;
const SIGNALS = ['SIGINT', 'SIGTERM'];
const CLI = path.join(root, 'dist/apps/nestack/cli.js');

/** Each stage with the minutes that it may take at most, on a machine that is slow or busy: a test that hangs ends there. */
const STAGES = [
  { name: 'lint', minutes: 15, run: (stage) => asOne([tool('lint.mjs')], stage) },
  {
    name: 'typecheck',
    minutes: 15,
    run: (stage) => asOne([path.join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json'], stage),
  },
  { name: 'unit', minutes: 15, run: (stage) => jest('unit', stage) },
  {
    name: 'integration',
    minutes: 45,
    installs: true,
    missing: missingForIntegration,
    run: (stage) => jest('integration', stage),
  },
  { name: 'e2e', minutes: 30, installs: true, missing: missingForE2e, run: (stage) => jest('e2e', stage) },
  {
    name: 'guests',
    minutes: 30,
    installs: true,
    missing: missingForGuests,
    run: (stage) => jest('guests', stage, ['--runInBand']),
  },
  { name: 'conformance', minutes: 45, patient: true, installs: true, missing: missingForConformance, run: interop },
  { name: 'fuzz', minutes: 20, patient: true, installs: true, missing: missingForFuzz, run: fuzzed },
];

/**
 * What runs when, for two processors: rows one after the other; the lists of a row beside each other, each in its order. The first three
 * have a thread each, and so has a guest that QEMU interprets; integration and e2e keep two workers busy.
 */
const PLAN = [[['lint'], ['typecheck', 'unit']], [['integration']], [['e2e']], [['guests'], ['fuzz', 'conformance']]];

process.chdir(root);
const chosen = chosenStages(process.argv.slice(2));
const began = Date.now();
const output = new InTurn();
const results = new Map();
/** Settled once the bundles are built, and once what the machine lacks is installed: null while nobody has tried. */
let built = null;
let installed = null;
/** The stages that have begun, each settled with its end. */
const begun = new Map();

for (const row of PLAN) {
  const places = new Map(
    STAGES.map(({ name }) => name)
      .filter((name) => chosen.includes(name) && row.flat().includes(name))
      .map((name) => [name, output.open(name)]),
  );
  await Promise.all(
    row.map(async (lane) => {
      for (const name of lane.filter((one) => chosen.includes(one))) {
        begun.set(name, perform(name, places.get(name)));
        await begun.get(name);
      }
    }),
  );
}
report();

async function perform(name, place) {
  const { minutes, patient, installs, missing: whatIsMissing, run: start } = STAGES.find((one) => one.name === name);
  const stage = { limitMs: minutes * 60_000, patient, place, leftOut: [], secondTries: [] };
  const startedAt = Date.now();
  const counts = await (async () => {
    try {
      if (installs) {
        if (!(await build(place))) throw new Error('the build failed (see above)');
        await install(place);
      }
      const missing = (await whatIsMissing?.()) ?? [];
      if (missing.length > 0 && (await installed) === false)
        throw new Error(`installing what the tests need failed (see above): ${missing.join('; ')}`);
      if (missing.length > 0) {
        stage.leftOut.push(`${name}: ${missing.join('; ')}`);
        place.line(`left out: ${missing.join('; ')}`);
        return { passed: 0, failed: 0, lines: [] };
      }
      return await start(stage);
    } catch (error) {
      // A stage that cannot even count its tests has failed as one.
      place.line(`failed: ${error.message}`);
      return { passed: 0, failed: 1, lines: [`failed: ${error.message}`] };
    }
  })();
  place.end();
  results.set(name, { name, ...stage, ...counts, seconds: secondsSince(startedAt) });
}

/** A tool whose exit code is the whole verdict. */
async function asOne(command, stage) {
  const { code, late } = await run(command, stage);
  const good = code === 0 && !late;
  return {
    passed: good ? 1 : 0,
    failed: good ? 0 : 1,
    lines: [`${good ? 'passed' : 'failed'}${late ? ' (ended at its time limit)' : ''}`],
  };
}

async function jest(project, stage, args = []) {
  mkdirSync(RESULTS, { recursive: true });
  const outputFile = path.join(RESULTS, `${project}.json`);
  rmSync(outputFile, { force: true });
  const command = ['--passWithNoTests', '--json', `--outputFile=${outputFile}`, ...args, '--selectProjects', project];
  const { code, said, lingered, late } = await run([tool('jest.mjs'), ...command], stage, outputFile);
  if (late && !existsSync(outputFile))
    throw new Error(`not done after ${stage.limitMs / 60_000} minutes; which tests were under way stands above`);
  if (!existsSync(outputFile)) throw new Error(`jest ended with code ${code} and without results`);
  const told = JSON.parse(readFileSync(outputFile, 'utf8'));
  noteSkipped(project, stage, told);
  noteSecondTries(project, stage, told);
  // A file that fails before its first test has no test to count, so it counts itself.
  const broken = told.numRuntimeErrorTestSuites ?? 0;
  const failures = told.numFailedTests + broken;
  return {
    passed: told.numPassedTests,
    failed: failures === 0 && code !== 0 && !lingered ? 1 : failures,
    lines: [...jestSummary(said), ...(lingered ? ['some test left something open: jest did not end by itself'] : [])],
  };
}

/** Each of the interoperability guideline's tests is one test. */
async function interop(stage) {
  const guests = await missingForGuests();
  // Two clouds with real guests on one machine would be in each other's way.
  const { passed, failed, skipped, secondTries } = await conformance(within(stage), {
    canHaveGuests: guests.length === 0,
    alone: () => begun.get('guests'),
  });
  for (const { test, reason } of skipped)
    stage.leftOut.push(
      `conformance: ${test}: ${guests.length > 0 ? guests.join('; ') : (reason ?? 'skipped by Tempest')}`,
    );
  for (const { test } of secondTries) stage.secondTries.push(`conformance: ${test}`);
  return {
    passed: passed.length,
    failed: failed.length,
    lines: [
      `Tempest: ${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`,
      ...failed.map((one) => one.test),
    ],
  };
}

/** Each service in each of its microversions is one test. */
async function fuzzed(stage) {
  const runs = await fuzz(within(stage));
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

/** Runs our command, until the stage's time is over. */
function within({ limitMs, patient, place }) {
  const end = Date.now() + limitMs;
  return (args) => run([CLI, ...args], { limitMs: Math.max(end - Date.now(), LINGER_MS), patient, place });
}

function noteSkipped(project, { leftOut }, told) {
  if (told.numTotalTestSuites === 0) leftOut.push(`${project}: has no tests`);
  for (const file of told.testResults) {
    for (const test of file.assertionResults) {
      if (test.status !== 'pending' && test.status !== 'todo') continue;
      leftOut.push(`${project}: ${path.relative(root, file.name)}: ${test.fullName} (skipped by the test itself)`);
    }
  }
}

function noteSecondTries(project, { secondTries }, told) {
  for (const file of told.testResults) {
    for (const test of file.assertionResults) {
      if (test.status !== 'passed' || (test.invocations ?? 1) < 2) continue;
      secondTries.push(`${project}: ${path.relative(root, file.name)}: ${test.fullName}`);
    }
  }
}

/** Jest's own closing lines. */
function jestSummary(said) {
  return stripVTControlCharacters(said)
    .split('\n')
    .filter((line) => /^(Test Suites|Tests|Time):/.test(line));
}

function build(place) {
  built ??= succeeds([tool('build.mjs')], place);
  return built;
}

/** Lets nestack itself install what the tests need of the machine, where it may; where it may not, it says what is missing. */
function install(place) {
  installed ??= succeeds([CLI, 'install', '--for', 'test'], place);
  return installed;
}

async function succeeds(command, place) {
  return (await run(command, { place })).code === 0;
}

/**
 * Runs a script of ours, shows what it prints and returns what it said on stderr with the exit code. Where it has written the file
 * `written` and yet does not end, it is ended (`lingered`): a test may have left a socket open, which must not hang the whole run.
 * The same at its time limit (`late`).
 */
function run(command, { place, patient = false, limitMs = null }, written = null) {
  return new Promise((resolve, reject) => {
    const color = process.stdout.isTTY && !process.env.NO_COLOR ? { FORCE_COLOR: '1' } : {};
    const child = spawn(process.execPath, command, {
      cwd: root,
      env: { ...process.env, ...color },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Whatever it starts inherits this.
    if (patient && child.pid !== undefined) setPriority(child.pid, Math.min(getPriority() + PATIENCE, 19));
    let said = '';
    // With --json and a file, jest has nothing of interest on stdout but what tests print.
    child.stdout.on('data', (data) => place.write(data));
    child.stderr.on('data', (data) => {
      said += data;
      place.write(data);
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
      if (written === null || !existsSync(written)) return;
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
      resolve({ code: code ?? (signal ? 1 : 0), said, lingered, late });
    });
  });
}

function report() {
  console.log('\n== summary ==');
  const done = STAGES.flatMap(({ name }) => results.get(name) ?? []);
  for (const { name, seconds, lines } of done) {
    const first = [name.padEnd(12), `${seconds} s`.padStart(6)].join(' ');
    for (const [index, line] of (lines.length > 0 ? lines : ['left out']).entries())
      console.log(`${index === 0 ? first : ' '.repeat(first.length)}  ${line}`);
  }
  console.log(`${'all'.padEnd(12)} ${`${secondsSince(began)} s`.padStart(6)}`);
  list(
    'left out:',
    STAGES.flatMap(({ name }) => results.get(name)?.leftOut ?? [`${name}: not asked for (--only)`]),
  );
  list(
    'passed at the second try only:',
    done.flatMap(({ secondTries }) => secondTries),
  );
  const [passed, failed] = ['passed', 'failed'].map((key) => done.reduce((sum, counts) => sum + counts[key], 0));
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

function list(title, lines) {
  if (lines.length > 0) console.log([title, ...lines.map((line) => `  ${line}`)].join('\n'));
}

function secondsSince(began) {
  return Math.round((Date.now() - began) / 1000);
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
