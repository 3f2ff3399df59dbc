import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Links, Nullable } from './common';
import { AnyText, Page, closed, open } from './queries';

const Period = { start: AnyText, end: AnyText };

/** Unknown parameters are refused from 2.75 on, pages are there from 2.40 on. */
const rows = (period: Type.TProperties) => [
  open('2.1', period),
  open('2.40', { ...period, ...Page }),
  closed('2.75', { ...period, ...Page }),
];

const ServerUsage = Type.Object({
  instance_id: Type.String(),
  name: Type.String(),
  tenant_id: Type.String(),
  flavor: Type.String(),
  hours: Type.Number(),
  vcpus: Type.Integer(),
  memory_mb: Type.Integer(),
  local_gb: Type.Integer(),
  started_at: Type.String(),
  ended_at: Nullable(Type.String()),
  state: Type.String(),
  uptime: Type.Integer(),
});
/** Sums of hours, each hour times what the server's flavor has. */
const TenantUsage = {
  tenant_id: Type.String(),
  start: Type.String(),
  stop: Type.String(),
  total_hours: Type.Number(),
  total_vcpus_usage: Type.Number(),
  total_memory_mb_usage: Type.Number(),
  total_local_gb_usage: Type.Number(),
};

export const listTenantUsages = operation({
  id: 'listTenantUsages',
  summary: 'List the usage of all projects',
  method: 'GET',
  path: '/os-simple-tenant-usage',
  status: 200,
  query: rows({ ...Period, detailed: AnyText }),
  response: Type.Object({
    tenant_usages: Type.Array(Type.Object({ ...TenantUsage, server_usages: Type.Optional(Type.Array(ServerUsage)) })),
    tenant_usages_links: Type.Optional(Links),
  }),
  policy: 'os_compute_api:os-simple-tenant-usage:list',
  errors: ['BadRequest', 'MarkerNotFound', 'InvalidStrTime'],
});
export const showTenantUsage = operation({
  id: 'showTenantUsage',
  summary: "Show a project's usage",
  method: 'GET',
  path: '/os-simple-tenant-usage/{tenant_id}',
  status: 200,
  query: rows(Period),
  response: Type.Object({
    tenant_usage: Type.Union([
      Type.Object({ ...TenantUsage, server_usages: Type.Array(ServerUsage) }),
      Type.Object({}),
    ]),
    tenant_usage_links: Type.Optional(Links),
  }),
  policy: 'os_compute_api:os-simple-tenant-usage:show',
  errors: ['BadRequest', 'MarkerNotFound', 'InvalidStrTime'],
});

const AuditLog = Type.Object({
  period_beginning: Type.String(),
  period_ending: Type.String(),
  num_hosts: Type.Integer(),
  num_hosts_done: Type.Integer(),
  num_hosts_running: Type.Integer(),
  num_hosts_not_run: Type.Integer(),
  hosts_not_run: Type.Array(Type.String()),
  total_instances: Type.Integer(),
  total_errors: Type.Integer(),
  overall_status: Type.String(),
  log: Type.Object({}),
});
/** Which hosts have reported their servers' usage of the last whole period; as upstream by default, none does. */
export const listUsageAuditLog = operation({
  id: 'listUsageAuditLog',
  summary: 'Show the usage audit of the last period',
  method: 'GET',
  path: '/os-instance_usage_audit_log',
  status: 200,
  response: Type.Object({ instance_usage_audit_logs: AuditLog }),
  policy: 'os_compute_api:os-instance-usage-audit-log:list',
});
export const showUsageAuditLog = operation({
  id: 'showUsageAuditLog',
  summary: 'Show the usage audit of the last period before a time',
  method: 'GET',
  path: '/os-instance_usage_audit_log/{before_timestamp}',
  status: 200,
  response: Type.Object({ instance_usage_audit_log: AuditLog }),
  policy: 'os_compute_api:os-instance-usage-audit-log:show',
  errors: ['BadRequest'],
});

export const usageOperations = [listTenantUsages, showTenantUsage, listUsageAuditLog, showUsageAuditLog];
