import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { alive, waitFor } from '@nestack/kernel/process';
import { KeptProcess, restartDelay } from './kept-process';
import type { ProcessSpec } from './protocol';

let dir = '';
const open: KeptProcess[] = [];

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'nestack-kept-'));
});

afterEach(async () => {
  for (const one of open.splice(0)) await one.stop();
  rmSync(dir, { recursive: true, force: true });
});

function program(text: string): ProcessSpec {
  return { name: 'program', command: process.execPath, args: ['-e', text], graceMs: 500 };
}

const LASTING = 'console.log("begun"); setInterval(() => undefined, 1000)';

function kept(spec: ProcessSpec): KeptProcess {
  const one = new KeptProcess(spec, { run: path.join(dir, 'run'), log: path.join(dir, 'log') }, () => undefined);
  open.push(one);
  return one;
}

function pidOf(one: KeptProcess): number {
  const { pid } = one.status();
  if (pid === null) throw new Error('it does not run');
  return pid;
}

describe('a kept process', () => {
  it('is started once, and again when it is killed', async () => {
    const spec = program(LASTING);
    const one = kept(spec);
    expect(await one.ensure(spec)).toBe(true);
    expect(await one.ensure({ ...spec })).toBe(false);
    const first = pidOf(one);
    process.kill(first, 'SIGKILL');
    await waitFor('the restart', () => one.status().state === 'running' && one.status().pid !== first, 10_000);
    expect(one.status()).toMatchObject({ restarts: 1, lastExit: expect.stringContaining('SIGKILL') as unknown });
    await waitFor(
      'its output',
      () => readFileSync(path.join(dir, 'log', 'program.log'), 'utf8').includes('begun'),
      10_000,
    );
  });

  it('is replaced when its specification changes', async () => {
    const one = kept(program(LASTING));
    await one.ensure(one.spec);
    const first = pidOf(one);
    expect(await one.ensure({ ...one.spec, version: '2' })).toBe(true);
    expect(pidOf(one)).not.toBe(first);
    expect(alive(first)).toBe(false);
  });

  it('outlives who started it and is taken over, not doubled', async () => {
    const spec = program(LASTING);
    const before = kept(spec);
    await before.ensure(spec);
    const after = kept(spec);
    await after.resume();
    expect(pidOf(after)).toBe(pidOf(before));
    const shared = pidOf(after);
    await after.stop();
    expect(alive(shared)).toBe(false);
  });

  it('is killed when it does not obey', async () => {
    const spec = program(`process.on('SIGTERM', () => undefined); ${LASTING}`);
    const one = kept(spec);
    await one.ensure(spec);
    await waitFor(
      'its output',
      () => readFileSync(path.join(dir, 'log', 'program.log'), 'utf8').includes('begun'),
      10_000,
    );
    const pid = pidOf(one);
    await one.stop();
    expect(alive(pid)).toBe(false);
    expect(one.status().state).toBe('stopped');
  });

  it('waits longer after each failure, up to a limit', () => {
    expect([0, 1, 2, 3].map(restartDelay)).toEqual([250, 500, 1000, 2000]);
    expect(restartDelay(100)).toBe(10_000);
  });

  it('says so when it cannot be started at all', async () => {
    const spec: ProcessSpec = { name: 'program', command: '/no/such/program', args: [] };
    const one = kept(spec);
    await one.ensure(spec);
    expect(one.status()).toMatchObject({ state: 'backoff', lastExit: expect.stringContaining('ENOENT') as unknown });
  });
});
