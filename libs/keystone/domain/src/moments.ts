import { KeystoneError } from '@nestack/keystone/contract';

/**
 * A moment as clients gave it, in UTC to the microsecond and without a zone (`2026-01-02T03:04:05.123456`): a `Date` keeps
 * milliseconds only, and clients compare what they read back.
 */
export type Moment = string;

const FORM = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?$/i;

/** Reads ISO 8601; without a zone it is UTC. Throws `BadTimestamp`. */
export function momentOf(text: string): Moment {
  const [, date, time, seconds = '00', fraction = '', zone = 'Z'] = FORM.exec(text.trim()) ?? [];
  const at = date === undefined ? Number.NaN : Date.parse(`${date}T${time ?? ''}:${seconds}${zone}`);
  if (Number.isNaN(at)) throw KeystoneError.BadTimestamp();
  return `${new Date(at).toISOString().slice(0, 19)}.${fraction.padEnd(6, '0').slice(0, 6)}`;
}

/** The same for the end of something new: it must lie ahead. Throws `ExpirationInPast`. */
export function endOf(text: string, now: Date): Moment {
  const moment = momentOf(text);
  if (timeOf(moment) <= now.getTime()) throw KeystoneError.ExpirationInPast();
  return moment;
}

/** Milliseconds since the epoch. */
export function timeOf(moment: Moment): number {
  return Date.parse(`${moment}Z`);
}
