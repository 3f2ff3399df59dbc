import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { DOCUMENT, readScenarios } from './files';
import { document, idsOf, mistakes, parseRows, testsById } from './table';

const ROOT = path.resolve(import.meta.dirname, '../../../..');

describe('the list of scenarios', () => {
  it('has a test for each that runs, and a row for each test', () => {
    expect(readScenarios(ROOT).wrong).toEqual([]);
  });

  it('is what docs/scenarios.md says; `npm run scenarios` writes it', () => {
    expect(readFileSync(path.join(ROOT, DOCUMENT), 'utf8')).toBe(readScenarios(ROOT).text);
  });

  it('finds ids at the beginning of tests, several if need be', () => {
    expect(idsOf("it('S-1.2 works', x); it(\n  'S-3.4, S-X.5 work'); it('no S-6 here')")).toEqual([
      'S-1.2',
      'S-3.4',
      'S-X.5',
    ]);
  });

  it('tells of rows without tests, tests without rows, and tests of what is said not to run', () => {
    const rows = parseRows('# One\nS-1\tfirst\nS-2\tsecond\tweb\nS-3\tthird\n');
    const tests = testsById(new Map([['a/b.e2e.spec.ts', "it('S-2 x'); it('S-3 y'); it('S-4 z')"]]));
    expect(mistakes(rows, tests)).toEqual([
      'S-1 has no test',
      'S-4 is tested, but not in rows.tsv',
      'S-2 is tested, and yet rows.tsv says why it does not run',
    ]);
    expect(document(rows, tests)).toContain('| S-3 | third | [b.e2e.spec.ts](../a/b.e2e.spec.ts) |');
  });
});
