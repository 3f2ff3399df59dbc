import { Inject, Injectable } from '@nestjs/common';
import { isoMicros } from '@nestack/kernel/clock';
import { Handles, nextLinks, parsePage, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  NovaError,
  listTenantUsages,
  listUsageAuditLog,
  showTenantUsage,
  showUsageAuditLog,
} from '@nestack/nova/contract';
import { TenantUsages, UsageAuditLog, type ServerUsage, type TenantUsage, type UsageAudit } from '@nestack/nova/domain';
import { MAX_LIMIT } from '../servers/list-query';

/** `/os-simple-tenant-usage` and `/os-instance_usage_audit_log` */
@Injectable()
export class UsagesController {
  constructor(
    @Inject(TenantUsages) private readonly usages: TenantUsages,
    @Inject(UsageAuditLog) private readonly audits: UsageAuditLog,
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
  ) {}

  @Handles(listUsageAuditLog)
  async audit() {
    return { instance_usage_audit_logs: auditView(await this.audits.last(null)) };
  }

  @Handles(showUsageAuditLog)
  async auditBefore(request: ApiRequest) {
    const before = request.params['before_timestamp'] ?? '';
    return { instance_usage_audit_log: auditView(await this.audits.last(before)) };
  }

  @Handles(listTenantUsages)
  async list(request: ApiRequest) {
    const { usages, links, period } = await this.page(request, null, '/os-simple-tenant-usage');
    const detailed = request.rawQuery.get('detailed') === '1';
    return {
      tenant_usages: usages.map((usage) => usageView(usage, period, detailed)),
      ...(links.length === 0 ? {} : { tenant_usages_links: links }),
    };
  }

  /** Without any server it is an empty object. */
  @Handles(showTenantUsage)
  async show(request: ApiRequest) {
    const project = request.params['tenant_id'] ?? '';
    this.policy.enforce(request.ctx, 'os_compute_api:os-simple-tenant-usage:show', { project_id: project });
    const { usages, links, period } = await this.page(request, project, `/os-simple-tenant-usage/${project}`);
    const [usage] = usages;
    return {
      tenant_usage: usage === undefined ? {} : usageView(usage, period, true),
      ...(links.length === 0 ? {} : { tenant_usage_links: links }),
    };
  }

  private async page(request: ApiRequest, project: string | null, path: string) {
    const { rawQuery, version } = request;
    const paged = version.atLeast('2.40');
    const { limit, marker } = paged ? parsePage(rawQuery, { max: MAX_LIMIT }) : { limit: MAX_LIMIT, marker: null };
    const period = { start: momentOf(rawQuery.get('start')), end: momentOf(rawQuery.get('end')) };
    const usages = await this.usages.list(
      { start: period.start?.at ?? null, end: period.end?.at ?? null },
      { project_id: project, limit, ...(marker === null ? {} : { marker }) },
    );
    const servers = usages.flatMap((usage) => usage.server_usages);
    const links = paged
      ? nextLinks(request, path, { count: servers.length, limit, lastId: servers.at(-1)?.instance_id })
      : [];
    return { usages, links, period };
  }
}

/** The forms that upstream takes: seconds, or their fractions; always UTC, and no zone. */
const MOMENT = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d(?:\.\d{1,6})?)| (\d\d:\d\d:\d\d\.\d{1,6}))$/;

/** A moment, and its text to the microsecond: answers have it as it was asked. */
interface Moment {
  readonly at: Date;
  readonly micros: string;
}

function momentOf(text: string | null): Moment | null {
  if (text === null || text === '') return null;
  const [, day, time, spaced] = MOMENT.exec(text) ?? [];
  const [seconds, fraction = ''] = String(time ?? spaced).split('.');
  const at = new Date(`${String(day)}T${String(time ?? spaced)}Z`);
  if (Number.isNaN(at.getTime())) throw NovaError.InvalidStrTime({ reason: 'Datetime is in invalid format' });
  return { at, micros: `${String(day)}T${String(seconds)}.${fraction.padEnd(6, '0')}` };
}

const microsOf = (at: Date, asked: Moment | null): string =>
  asked?.at.getTime() === at.getTime() ? asked.micros : isoMicros(at);

function usageView(
  { server_usages: servers, ...usage }: TenantUsage,
  period: { readonly start: Moment | null; readonly end: Moment | null },
  detailed: boolean,
): Record<string, unknown> {
  return {
    ...usage,
    start: microsOf(usage.start, period.start),
    stop: microsOf(usage.stop, period.end),
    ...(detailed ? { server_usages: servers.map(serverUsageView) } : {}),
  };
}

function serverUsageView(usage: ServerUsage): Record<string, unknown> {
  return {
    ...usage,
    started_at: isoMicros(usage.started_at),
    ended_at: usage.ended_at === null ? null : isoMicros(usage.ended_at),
  };
}

function auditView({ begin, end, hosts }: UsageAudit) {
  const text = (time: Date): string => time.toISOString().slice(0, 19).replace('T', ' ');
  return {
    period_beginning: text(begin),
    period_ending: text(end),
    num_hosts: hosts.length,
    num_hosts_done: 0,
    num_hosts_running: 0,
    num_hosts_not_run: hosts.length,
    hosts_not_run: hosts,
    total_instances: 0,
    total_errors: 0,
    overall_status: `${hosts.length === 0 ? 'ALL' : `0 of ${String(hosts.length)}`} hosts done. 0 errors.`,
    log: {},
  };
}
