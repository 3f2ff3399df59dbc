import { describe, expect, it } from '@jest/globals';
import { isClean, reachOf, reportOf, type RunTotals } from './report';

const run = (more: Partial<RunTotals>): RunTotals => ({
  service: 'nova',
  version: '2.79',
  requests: 20,
  answers: {
    'GET /v2.1/servers': { '200': 7, '500': 1 },
    'POST /v2.1/servers': { '202': 1, '404': 1 },
    'DELETE /v2.1/servers/{server_id}': { '404': 10 },
    'GET /v2.1/limits': {},
  },
  statuses: { '200': 7, '202': 1, '404': 11, '500': 1 },
  failures: [],
  seconds: 1.4,
  ...more,
});

describe('the report of a fuzz run', () => {
  it('counts answers by class and lists what was wrong with its place', () => {
    const failure = { operation: 'GET /v2.1/servers', check: 'ServerError', status: 500, count: 2 };
    const lines = reportOf([run({ failures: [failure] }), run({ service: 'glance', version: null })]).split('\n');
    expect(lines[2]?.split(/\s{2,}/)).toEqual([
      ...['nova', '2.79', '4', '2', '1', '1', '20', '8', '0', '11', '1', '2', '1 s'],
    ]);
    expect(lines.find((line) => line.includes('ServerError'))?.split(/\s{2,}/)).toEqual([
      'nova 2.79',
      'GET /v2.1/servers',
      'ServerError',
      '500',
      '2',
    ]);
    expect(isClean([run({ failures: [failure] })])).toBe(false);
  });

  it('counts an operation once for all microversions, by its best answer', () => {
    const old = run({
      version: '2.1',
      answers: {
        'GET /v2.1/limits': { '200': 1 },
        'GET /v2.1/os-cells': { '410': 2 },
        'GET /v2.1/servers': { '400': 1 },
      },
    });
    expect(reachOf([run({}), old])).toEqual({ operations: 5, succeeded: 3, refused: 2, never: 0 });
    const all = reportOf([run({}), old]).split('\n')[4];
    expect(all?.split(/\s{2,}/).slice(0, 7)).toEqual(['nova', 'all', '5', '3', '2', '0', '40']);
  });

  it('does not call a run clean that has sent nothing', () => {
    expect([isClean([run({})]), isClean([run({ requests: 0 })]), isClean([])]).toEqual([true, false, false]);
  });
});
