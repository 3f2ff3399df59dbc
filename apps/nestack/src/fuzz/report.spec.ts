import { describe, expect, it } from '@jest/globals';
import { isClean, reportOf, type RunTotals } from './report';

const run = (more: Partial<RunTotals>): RunTotals => ({
  service: 'nova',
  version: '2.79',
  requests: 20,
  operations: 3,
  reached: 2,
  statuses: { '200': 7, '202': 1, '404': 11, '500': 1 },
  failures: [],
  seconds: 1.4,
  ...more,
});

describe('the report of a fuzz run', () => {
  it('counts answers by class and lists what was wrong with its place', () => {
    const failure = { operation: 'GET /v2.1/servers', check: 'ServerError', status: 500, count: 2 };
    const lines = reportOf([run({ failures: [failure] }), run({ service: 'glance', version: null })]).split('\n');
    expect(lines[2]?.split(/\s{2,}/)).toEqual(['nova', '2.79', '3', '2', '20', '8', '0', '11', '1', '2', '1 s']);
    expect(lines.find((line) => line.includes('ServerError'))?.split(/\s{2,}/)).toEqual([
      'nova 2.79',
      'GET /v2.1/servers',
      'ServerError',
      '500',
      '2',
    ]);
    expect(isClean([run({ failures: [failure] })])).toBe(false);
  });

  it('does not call a run clean that has sent nothing', () => {
    expect([isClean([run({})]), isClean([run({ requests: 0 })]), isClean([])]).toEqual([true, false, false]);
  });
});
