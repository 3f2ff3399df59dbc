import { describe, expect, it } from '@jest/globals';
import { endOf, momentOf, timeOf } from './moments';

describe('moments', () => {
  it('are read in any ISO form, in UTC, to the microsecond', () => {
    expect(momentOf('2026-01-02T03:04:05.123456')).toBe('2026-01-02T03:04:05.123456');
    expect(momentOf('2026-01-02T03:04:05Z')).toBe('2026-01-02T03:04:05.000000');
    expect(momentOf('2026-01-02 03:04:05.5+02:00')).toBe('2026-01-02T01:04:05.500000');
    expect(momentOf('2026-01-02T03:04')).toBe('2026-01-02T03:04:00.000000');
    expect(timeOf('2026-01-02T03:04:05.123456')).toBe(Date.UTC(2026, 0, 2, 3, 4, 5, 123));
  });

  it('are refused when they are none, or over when something should end then', () => {
    for (const text of ['', 'tomorrow', '2026-13-01T00:00:00', '2026-01-02']) {
      expect(() => momentOf(text)).toThrow("'expires_at' must be in a valid ISO 8601 format");
    }
    const now = new Date('2026-01-02T03:04:05Z');
    expect(() => endOf('2026-01-02T03:04:05Z', now)).toThrow('must not be before now');
    expect(endOf('2026-01-02T03:04:06Z', now)).toBe('2026-01-02T03:04:06.000000');
  });
});
