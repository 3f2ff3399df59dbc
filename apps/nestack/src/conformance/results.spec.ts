import { describe, expect, it } from '@jest/globals';
import { markdownOf, parseResult } from './results';

describe('results of Tempest', () => {
  it('are read from its lines', () => {
    expect(
      parseResult('{0} tempest.api.image.v2.test_images.Basic.test_register[id-1,smoke] [1.234567s] ... ok'),
    ).toEqual({
      test: 'tempest.api.image.v2.test_images.Basic.test_register',
      outcome: 'passed',
    });
    expect(parseResult('{1} setUpClass (tempest.api.compute.admin.test_x.Y) ... SKIPPED: no such feature')).toEqual({
      test: 'setUpClass (tempest.api.compute.admin.test_x.Y)',
      outcome: 'skipped',
    });
    expect(parseResult('{1} tempest.a.B.test_c[id-2] [0.1s] ... FAILED')?.outcome).toBe('failed');
    expect(parseResult('Captured traceback:')).toBeNull();
  });

  it('are counted, and what did not pass is named', () => {
    const text = markdownOf([
      {
        group: 'interop',
        listed: 2,
        seconds: 3.4,
        results: [
          { test: 'a', outcome: 'passed' },
          { test: 'b', outcome: 'failed' },
        ],
      },
    ]);
    expect(text).toContain('| interop | 2 | 1 | 1 | 0 | 3 s |');
    expect(text).toContain('### interop: failed\n\n- b\n');
    expect(text).not.toContain('- a');
  });
});
