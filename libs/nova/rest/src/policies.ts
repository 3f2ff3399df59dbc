import type { PolicyRule } from '@nestack/kernel/policy';
import { novaApi } from '@nestack/nova/contract';

/** Rules that are not for members of the project; everything else is `project_member_or_admin`, reads `project_reader_or_admin`. */
const ADMIN: readonly string[] = [
  'os_compute_api:os-services:list',
  'os_compute_api:os-services:update',
  'os_compute_api:os-services:delete',
  'os_compute_api:os-hypervisors:list',
  'os_compute_api:os-hypervisors:list-detail',
  'os_compute_api:os-hypervisors:statistics',
  'os_compute_api:os-hypervisors:show',
  'os_compute_api:os-hypervisors:uptime',
  'os_compute_api:os-hypervisors:search',
  'os_compute_api:os-hypervisors:servers',
  'os_compute_api:os-hosts:list',
  'os_compute_api:os-hosts:show',
  'os_compute_api:os-hosts:update',
  'os_compute_api:os-hosts:start',
  'os_compute_api:os-hosts:shutdown',
  'os_compute_api:os-hosts:reboot',
  'os_compute_api:os-availability-zone:detail',
  'os_compute_api:os-shelve:shelve_offload',
  'os_compute_api:os-shelve:unshelve_to_host',
  'os_compute_api:os-migrate-server:migrate:host',
  'os_compute_api:servers:migrations:show',
  'os_compute_api:os-aggregates:index',
  'os_compute_api:os-aggregates:create',
  'os_compute_api:os-aggregates:show',
  'os_compute_api:os-aggregates:update',
  'os_compute_api:os-aggregates:delete',
  'os_compute_api:os-aggregates:add_host',
  'os_compute_api:os-aggregates:remove_host',
  'os_compute_api:os-aggregates:set_metadata',
  'compute:aggregates:images',
  'os_compute_api:os-flavor-manage:create',
  'os_compute_api:os-flavor-manage:update',
  'os_compute_api:os-flavor-manage:delete',
  'os_compute_api:os-flavor-extra-specs:create',
  'os_compute_api:os-flavor-extra-specs:update',
  'os_compute_api:os-flavor-extra-specs:delete',
  'os_compute_api:os-flavor-access',
  'os_compute_api:os-flavor-access:add_tenant_access',
  'os_compute_api:os-flavor-access:remove_tenant_access',
  'os_compute_api:os-quota-sets:update',
  'os_compute_api:os-quota-sets:delete',
  'os_compute_api:os-quota-class-sets:show',
  'os_compute_api:os-quota-class-sets:update',
  'os_compute_api:os-instance-usage-audit-log:list',
  'os_compute_api:os-instance-usage-audit-log:show',
  'os_compute_api:os-admin-actions:reset_state',
  'os_compute_api:os-admin-actions:inject_network_info',
  'os_compute_api:os-console-auth-tokens',
  'os_compute_api:os-server-diagnostics',
  'os_compute_api:os-extended-server-attributes',
  'os_compute_api:os-instance-actions:events',
  'os_compute_api:os-server-groups:index:all_projects',
  'os_compute_api:os-simple-tenant-usage:list',
  'os_compute_api:os-lock-server:unlock:unlock_override',
  'os_compute_api:os-instance-actions:events:details',
  'os_compute_api:os-migrations:index:all_projects',
  'os_compute_api:os-migrations:index:host',
  'os_compute_api:limits:other_project',
  'os_compute_api:servers:allow_all_filters',
  'os_compute_api:servers:create:forced_host',
  'os_compute_api:servers:detail:get_all_tenants',
  'os_compute_api:servers:index:get_all_tenants',
  'os_compute_api:servers:show:host_status',
  'os_compute_api:servers:show:host_status:unknown-only',
];
/** Managers of the project. */
const MANAGER: readonly string[] = [
  'os_compute_api:os-migrate-server:migrate',
  'os_compute_api:os-migrations:index',
  'os_compute_api:servers:migrations:index',
];
/** Everybody with a token. */
const ANY: readonly string[] = [
  'os_compute_api:flavors',
  'os_compute_api:extensions',
  'os_compute_api:limits',
  'os_compute_api:os-availability-zone:list',
  'os_compute_api:os-floating-ip-pools',
  'os_compute_api:os-quota-sets:defaults',
];
/** The user whose they are. */
const SELF: readonly string[] = [
  'os_compute_api:os-keypairs:index',
  'os_compute_api:os-keypairs:create',
  'os_compute_api:os-keypairs:show',
  'os_compute_api:os-keypairs:delete',
];
const SERVICE: readonly string[] = [
  'os_compute_api:os-server-external-events:create',
  'os_compute_api:os-volumes-attachments:swap',
];

/** Nova's rules with secure-RBAC defaults. upstream: nova/policies/ */
export const novaPolicies: readonly PolicyRule[] = rules();

function rules(): PolicyRule[] {
  const reading = new Set(
    novaApi.operations.filter((operation) => operation.method === 'GET').map((operation) => operation.policy),
  );
  const names = new Set([...novaApi.operations.flatMap((operation) => operation.policy ?? []), ...ADMIN, ...SERVICE]);
  return [...names].map((name) => ({ name, check: checkOf(name, reading.has(name)) }));
}

function checkOf(name: string, reads: boolean): string {
  if (SERVICE.includes(name)) return 'role:service or role:admin';
  if (ADMIN.includes(name)) return 'role:admin';
  if (ANY.includes(name)) return '@';
  if (SELF.includes(name)) return 'role:admin or user_id:%(user_id)s';
  if (MANAGER.includes(name)) return 'role:admin or (role:manager and project_id:%(project_id)s)';
  return reads
    ? 'role:admin or (role:reader and project_id:%(project_id)s)'
    : 'role:admin or (role:member and project_id:%(project_id)s)';
}
