/**
 * The order of test files. In a clean checkout jest knows nothing but their sizes; two workers are done at the same time only when
 * what takes longest begins first.
 */
import Sequencer from '@jest/test-sequencer';

/** Files that take longest, the longest of each kind first, by the ends of their paths. */
const LONGEST = [
  'week-newest.e2e.spec.ts',
  'week-distribution.e2e.spec.ts',
  'scenarios/nova-parts.e2e.spec.ts',
  'nestack-e2e/src/faults.e2e.spec.ts',
  'nestack-e2e/src/main-job.e2e.spec.ts',
  'scenarios/nova-operations.e2e.spec.ts',
  'scenarios/cinder.e2e.spec.ts',
  'nova-api/src/kill.int.spec.ts',
  'nova-api/src/kill-moves.int.spec.ts',
  'nova-api/src/kill-migrations.int.spec.ts',
  'cinder/src/kill-backups.int.spec.ts',
  'nova-api/src/kill-volumes.int.spec.ts',
  'nova-api/src/kill-interfaces.int.spec.ts',
  'cinder/src/kill.int.spec.ts',
  'cinder/src/kill-moves.int.spec.ts',
  'cinder/src/kill-groups.int.spec.ts',
];

export default class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const index = LONGEST.findIndex((end) => path.endsWith(end));
      return index < 0 ? LONGEST.length : index;
    };
    return [...super.sort(tests)].sort((one, other) => rank(one) - rank(other));
  }
}
