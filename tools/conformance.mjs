/**
 * The stage `conformance` of `./nestack test`: the tests that OpenStack's interoperability guideline requires, with simulated
 * guests, against a cloud of its own. Those that look inside guests, which Tempest skips there, run with real guests where the
 * machine can have some.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freeOffset, SIMULATED } from './own-cloud.mjs';

/**
 * Runs the list; resolves to the tests by what became of them. `nestack(args)` runs our command and resolves to
 * `{ code }`; `canHaveGuests` says whether real ones are possible here, `alone` resolves once no other cloud has some.
 */
export async function conformance(nestack, { canHaveGuests, alone }) {
  const simulated = await onCloud(nestack, SIMULATED, null);
  const inside = simulated.filter((one) => one.outcome === 'skipped').map((one) => one.test);
  const wanted = inside.length > 0 && canHaveGuests;
  if (wanted) await alone();
  const real = wanted ? await onCloud(nestack, [], inside) : [];
  const results = new Map([...simulated, ...real].map((one) => [one.test, one]));
  const by = (...outcomes) => [...results.values()].filter((one) => outcomes.includes(one.outcome));
  return {
    passed: by('passed'),
    failed: by('failed', 'missing'),
    skipped: by('skipped'),
    secondTries: by('passed').filter((one) => one.second === true),
  };
}

/** Brings a cloud up, runs the list or some tests of it, gives those that fail a second try, and removes the cloud. */
async function onCloud(nestack, flags, tests) {
  const state = mkdtempSync(path.join(tmpdir(), 'nestack-conformance-'));
  const at = ['--state', state];
  try {
    await good(
      nestack(['up', ...at, '--port-offset', String(await freeOffset('conformance')), ...flags]),
      'nestack up',
    );
    const results = await tempest(nestack, state, tests);
    const failed = results.filter((one) => one.outcome !== 'passed' && one.outcome !== 'skipped');
    if (failed.length === 0) return results;
    const names = failed.map((one) => one.test);
    const again = await tempest(nestack, state, names);
    return results.map((one) => (failed.includes(one) ? secondOf(one, again) : one));
  } finally {
    await nestack(['reset', ...at, '--yes']);
    rmSync(state, { recursive: true, force: true });
  }
}

/** The second result of a test; a class that failed as a whole has passed when nothing of it failed again. */
function secondOf(first, again) {
  const own = again.find((one) => one.test === first.test);
  if (own !== undefined) return { ...own, second: true };
  const bad = again.some((one) => one.outcome !== 'passed' && one.test.startsWith(`${first.test}.`));
  return { ...first, outcome: bad ? 'failed' : 'passed', second: true };
}

async function tempest(nestack, state, tests) {
  const json = path.join(state, 'results.json');
  rmSync(json, { force: true });
  const chosen = tests === null ? [] : ['--tests', pattern(tests)];
  await nestack(['conformance', '--state', state, '--json', json, ...chosen]);
  if (!existsSync(json)) throw new Error('nestack conformance ended without results (see above)');
  return JSON.parse(readFileSync(json, 'utf8')).flatMap((group) => group.results);
}

/** A regular expression for tests, or for all tests of a class whose set-up failed. */
function pattern(tests) {
  const names = tests.map((name) => name.replaceAll('.', String.raw`\.`));
  return `^(${names.join('|')})(\\.|$)`;
}

async function good(ended, what) {
  const { code } = await ended;
  if (code !== 0) throw new Error(`${what} failed (see above)`);
}
