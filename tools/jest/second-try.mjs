// Tests with real processes share a machine with whatever else runs there: each has a second try, and the run's summary names
// every test that needed it, so that a flaky one is seen and mended.
import { jest } from '@jest/globals';

jest.retryTimes(1, { logErrorsBeforeRetry: true });
