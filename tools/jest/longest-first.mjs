/**
 * The order of test files. In a clean checkout jest knows nothing but their sizes; two workers are done at the same time only when
 * what takes longest begins first.
 */
import Sequencer from '@jest/test-sequencer';

/** Files that take longest on a quiet machine, the longest first, by the ends of their paths. */
const LONGEST = ['nestack-e2e/src/week-newest.e2e.spec.ts', 'nestack-e2e/src/week-distribution.e2e.spec.ts'];

export default class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const index = LONGEST.findIndex((end) => path.endsWith(end));
      return index < 0 ? LONGEST.length : index;
    };
    return [...super.sort(tests)].sort((one, other) => rank(one) - rank(other));
  }
}
