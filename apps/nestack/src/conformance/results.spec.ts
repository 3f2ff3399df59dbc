import { describe, expect, it } from '@jest/globals';
import { markdownOf, parseResult, resultsOf } from './results';

const READ = [
  '{0} tempest.api.image.v2.test_images.Basic.test_register[id-1,smoke] [1.234567s] ... ok',
  '{1} setUpClass (tempest.api.compute.admin.test_x.Y) ... SKIPPED: no such feature',
  '{1} tempest.a.B.test_c[id-2] [0.1s] ... FAILED',
  'Captured traceback:',
  '{1} tempest.a.B.test_e[id-5] ... SKIPPED: Instance validation tests are disabled.',
].flatMap((line) => parseResult(line) ?? []);

describe('results of Tempest', () => {
  it('are read from its lines', () => {
    expect(READ).toEqual([
      { test: 'tempest.api.image.v2.test_images.Basic.test_register', outcome: 'passed', wholeClass: false },
      { test: 'tempest.api.compute.admin.test_x.Y', outcome: 'skipped', reason: 'no such feature', wholeClass: true },
      { test: 'tempest.a.B.test_c', outcome: 'failed', wholeClass: false },
      {
        test: 'tempest.a.B.test_e',
        outcome: 'skipped',
        reason: 'Instance validation tests are disabled.',
        wholeClass: false,
      },
    ]);
  });

  it('are one for each test, also where a class told of itself alone or of nothing', () => {
    const listed = [
      'tempest.a.B.test_c[id-2]',
      'tempest.a.B.test_d[id-3,smoke]',
      'tempest.api.compute.admin.test_x.Y.test_one[id-4]',
      'tempest.api.compute.admin.test_x.Y.test_two[id-5]',
    ];
    expect(resultsOf(listed, READ)).toEqual([
      { test: 'tempest.a.B.test_c', outcome: 'failed' },
      { test: 'tempest.a.B.test_d', outcome: 'missing' },
      { test: 'tempest.api.compute.admin.test_x.Y.test_one', outcome: 'skipped', reason: 'no such feature' },
      { test: 'tempest.api.compute.admin.test_x.Y.test_two', outcome: 'skipped', reason: 'no such feature' },
    ]);
  });

  it('count a class that could not clean up behind tests that passed', () => {
    const passed = parseResult('{0} tempest.a.B.test_c[id-2] [0.1s] ... ok');
    const failed = parseResult('{0} tearDownClass (tempest.a.B) ... FAILED');
    expect(
      resultsOf(
        ['tempest.a.B.test_c[id-2]'],
        [passed, failed].flatMap((one) => one ?? []),
      ),
    ).toEqual([
      { test: 'tempest.a.B.test_c', outcome: 'passed' },
      { test: 'tempest.a.B', outcome: 'failed' },
    ]);
  });

  it('are counted, and what did not pass is named', () => {
    const text = markdownOf([
      {
        group: 'interop',
        listed: 4,
        seconds: 3.4,
        results: [
          { test: 'a', outcome: 'passed' },
          { test: 'b', outcome: 'failed' },
          { test: 'c', outcome: 'skipped', reason: 'no guest' },
          { test: 'd', outcome: 'missing' },
        ],
      },
    ]);
    expect(text).toContain('| interop | 4 | 1 | 2 | 1 | 3 s |');
    expect(text).toContain('### interop: failed\n\n- b\n');
    expect(text).toContain('### interop: without a result\n\n- d\n');
    expect(text).toContain('- c: no guest');
    expect(text).not.toContain('- a');
  });
});
