/** The stage `fuzz` of `./nestack test`: a short fuzz run of every service, always the same requests, against a cloud of its own. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freeOffset, SIMULATED } from './own-cloud.mjs';

const REQUESTS = 300;
const SEED = 1;

/** `nestack(args)` runs our command and resolves to `{ code }`. Resolves to the totals of each run. */
export async function fuzz(nestack) {
  const state = mkdtempSync(path.join(tmpdir(), 'nestack-fuzz-'));
  const at = ['--state', state];
  try {
    const up = await nestack(['up', ...at, '--port-offset', String(await freeOffset('fuzz')), ...SIMULATED]);
    if (up.code !== 0) throw new Error('nestack up failed (see above)');
    const json = path.join(state, 'fuzz.json');
    await nestack(['fuzz', ...at, '--requests', String(REQUESTS), '--seed', String(SEED), '--json', json]);
    if (!existsSync(json)) throw new Error('nestack fuzz ended without results (see above)');
    return JSON.parse(readFileSync(json, 'utf8'));
  } finally {
    await nestack(['reset', ...at, '--yes']);
    rmSync(state, { recursive: true, force: true });
  }
}
