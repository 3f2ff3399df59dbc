import { Inject, Injectable } from '@nestjs/common';
import { isoMicros } from '@nestack/kernel/clock';
import { Handles, nextLinks, parsePage, type ApiRequest } from '@nestack/kernel/http';
import {
  NovaError,
  listTenantUsages,
  listUsageAuditLog,
  showTenantUsage,
  showUsageAuditLog,
} from '@nestack/nova/contract';
import {
  TenantUsages,
  UsageAuditLog,
  callerOf,
  type ServerUsage,
  type TenantUsage,
  type UsageAudit,
} from '@nestack/nova/domain';
import { MAX_LIMIT } from '../servers/list-query';

/** `/os-simple-tenant-usage` and `/os-instance_usage_audit_log` */
@Injectable()
export class UsagesController {
  constructor(
    @Inject(TenantUsages) private readonly usages: TenantUsages,
    @Inject(UsageAuditLog) private readonly audits: UsageAuditLog,
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
    const { usages, links } = await this.page(request, null, '/os-simple-tenant-usage');
    const detailed = request.rawQuery.get('detailed') === '1';
    return {
      tenant_usages: usages.map((usage) => usageView(usage, detailed)),
      ...(links.length === 0 ? {} : { tenant_usages_links: links }),
    };
  }

  /** Without any server it is an empty object. */
  @Handles(showTenantUsage)
  async show(request: ApiRequest) {
    const project = request.params['tenant_id'] ?? '';
    const caller = callerOf(request.ctx);
    if (!caller.isAdmin && caller.projectId !== project)
      throw NovaError.PolicyForbidden({ rule: 'os_compute_api:os-simple-tenant-usage:show' });
    const { usages, links } = await this.page(request, project, `/os-simple-tenant-usage/${project}`);
    const [usage] = usages;
    return {
      tenant_usage: usage === undefined ? {} : usageView(usage, true),
      ...(links.length === 0 ? {} : { tenant_usage_links: links }),
    };
  }

  private async page(request: ApiRequest, project: string | null, path: string) {
    const { rawQuery, version } = request;
    const paged = version.atLeast('2.40');
    const { limit, marker } = paged ? parsePage(rawQuery, { max: MAX_LIMIT }) : { limit: MAX_LIMIT, marker: null };
    const usages = await this.usages.list(
      { start: momentOf(rawQuery.get('start')), end: momentOf(rawQuery.get('end')) },
      { project_id: project, limit, ...(marker === null ? {} : { marker }) },
    );
    const servers = usages.flatMap((usage) => usage.server_usages);
    const links = paged
      ? nextLinks(request, path, { count: servers.length, limit, lastId: servers.at(-1)?.instance_id })
      : [];
    return { usages, links };
  }
}

/** The forms that upstream takes: seconds, or their fractions; always UTC, and no zone. */
const MOMENT = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d(?:\.\d{1,6})?)| (\d\d:\d\d:\d\d\.\d{1,6}))$/;

function momentOf(text: string | null): Date | null {
  if (text === null || text === '') return null;
  const [, day, time, spaced] = MOMENT.exec(text) ?? [];
  const moment = new Date(`${String(day)}T${String(time ?? spaced)}Z`);
  if (Number.isNaN(moment.getTime())) throw NovaError.InvalidStrTime({ reason: 'Datetime is in invalid format' });
  return moment;
}

function usageView({ server_usages: servers, ...usage }: TenantUsage, detailed: boolean): Record<string, unknown> {
  return {
    ...usage,
    start: isoMicros(usage.start),
    stop: isoMicros(usage.stop),
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
