import { describe, expect, it } from '@jest/globals';
import { atConcurrency, median, percentile, rowsOf, timeEach } from './measure';

describe('measuring', () => {
  it('takes medians and percentiles by nearest rank', () => {
    const values = [5, 1, 4, 2, 3];
    expect(median(values)).toBe(3);
    expect(percentile(values, 0.95)).toBe(5);
    expect(percentile([7], 0.95)).toBe(7);
    expect(median([])).toBeNaN();
  });

  it('leaves warming up out of the count', async () => {
    const seen: number[] = [];
    await timeEach(
      3,
      2,
      () => [],
      async (run) => seen.push(run),
    );
    expect(seen).toEqual([-1, -2, 0, 1, 2]);
  });

  it('keeps to a concurrency and does each run once', async () => {
    let open = 0;
    let most = 0;
    const seen: number[] = [];
    await atConcurrency(20, 4, async (run) => {
      open++;
      most = Math.max(most, open);
      await Promise.resolve();
      seen.push(run);
      open--;
    });
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(most).toBeLessThanOrEqual(4);
  });

  it('says whether a limit is kept', () => {
    const [row] = rowsOf([{ name: 'a', runs: 1, medianMs: 4, limit: 'median < 5 ms', kept: true }]);
    expect(row).toEqual(['a', '1', '4.00', '', '', '', 'median < 5 ms', 'kept']);
  });
});
