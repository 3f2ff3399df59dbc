import type { Clock } from '@nestack/kernel/clock';
import type { TransactionRunner } from '@nestack/kernel/context';
import { NovaError } from '@nestack/nova/contract';
import type { ServiceRepository } from '../ports';

/** What hosts have reported of a period. */
export interface UsageAudit {
  readonly begin: Date;
  readonly end: Date;
  readonly hosts: readonly string[];
}

/** `2026-11-30 12:00:00`, with or without a fraction. */
const TIMESTAMP = /^(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,6}))?$/;

/**
 * The usage audit of the last whole month. Hosts report it where `instance_usage_audit` is on, which it is not by default
 * upstream, and nowhere here. upstream: compute/instance_usage_audit_log.py, nova/utils.py last_completed_audit_period
 */
export class UsageAuditLog {
  constructor(
    private readonly deps: {
      readonly tx: TransactionRunner;
      readonly clock: Clock;
      readonly services: ServiceRepository;
    },
  ) {}

  /** Before now, or before a time given as text. Throws BadRequest when it is none. */
  async last(before: string | null): Promise<UsageAudit> {
    const at = before === null ? this.deps.clock.now() : timeOf(before);
    const thisMonth = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1));
    // The very first moment of a month is not behind it.
    const end = thisMonth < at ? thisMonth : monthBefore(thisMonth);
    const services = await this.deps.tx.read('usage_audit.hosts', (tx) =>
      this.deps.services.list(tx, { binary: 'nova-compute' }),
    );
    return { begin: monthBefore(end), end, hosts: [...new Set(services.map(({ host }) => host))].sort() };
  }
}

function monthBefore(first: Date): Date {
  return new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() - 1, 1));
}

function timeOf(text: string): Date {
  const [year, month, day, hour, minute, second] = TIMESTAMP.exec(text)?.slice(1).map(Number) ?? [];
  const time = new Date(Date.UTC(year ?? NaN, (month ?? NaN) - 1, day, hour, minute, second));
  const given = [year, month, day, hour, minute, second];
  const parts = [time.getUTCFullYear(), time.getUTCMonth() + 1, time.getUTCDate(), time.getUTCHours()];
  if ([...parts, time.getUTCMinutes(), time.getUTCSeconds()].some((part, at) => part !== given[at]))
    throw NovaError.BadRequest({ reason: `Invalid timestamp for date ${text}` });
  return time;
}
