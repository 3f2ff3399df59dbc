import path from 'node:path';
import { expect, it } from '@jest/globals';
import { tryRun } from '@nestack/kernel/process';

/** What services promise (`docs/api`) and can be told (`docs/config.md`) changes only where somebody sees it. */
it('is what the tables of routes, RPC, errors, policies and settings say', async () => {
  const root = path.resolve(import.meta.dirname, '../../..');
  const { code, stderr } = await tryRun(process.execPath, ['tools/contracts.mjs', '--check'], {
    cwd: root,
    timeoutMs: 110_000,
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}, 120_000);
