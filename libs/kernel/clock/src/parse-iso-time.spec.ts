import { describe, expect, it } from '@jest/globals';
import { parseIsoTime } from './index';

describe('times in ISO 8601', () => {
  it.each([
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
    ['2026-01-02 03:04:05.25', '2026-01-02T03:04:05.250Z'],
    ['2026-01-02T03:04:05+02:00', '2026-01-02T01:04:05.000Z'],
    ['2026-01-02T03:04-0130', '2026-01-02T04:34:00.000Z'],
    ['2026-01-02T03:04+01', '2026-01-02T02:04:00.000Z'],
    ['2026-01-02', '2026-01-02T00:00:00.000Z'],
  ])('%s', (text, moment) => expect(parseIsoTime(text)?.toISOString()).toBe(moment));

  it.each(['', '8', 'T', 'May 1', '2026', '2026-13-01', '2026-01-02T25:00', '+012345-01-01T00:00:00Z', '0000-01-01'])(
    'not %p',
    (text) => expect(parseIsoTime(text)).toBeNull(),
  );
});
