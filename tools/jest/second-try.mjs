// Tests with real processes share a machine with whatever else runs there: each has a second try, and the run's summary names
// every test that needed it, so that a flaky one is seen and mended.
import { jest } from '@jest/globals';

// A limit is there for what hangs, not for what is slow beside others; jest's own is 5 seconds, for hooks as well.
jest.setTimeout(30_000);
jest.retryTimes(1, { logErrorsBeforeRetry: true });
