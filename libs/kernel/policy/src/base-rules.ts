import type { PolicyRule } from './surface';

/**
 * Rules that all services refer to: secure RBAC's personas by nova's, cinder's and neutron's names. Roles come with the
 * implied ones already (admin > manager > member > reader), so each rule names the least.
 */
export const BASE_RULES: readonly PolicyRule[] = [
  { name: 'context_is_admin', check: 'role:admin', description: 'Full administrator of the service.' },
  { name: 'admin_required', check: 'role:admin or is_admin:True' },
  { name: 'admin_api', check: 'role:admin' },
  { name: 'admin_only', check: 'role:admin' },
  { name: 'owner', check: 'project_id:%(project_id)s' },
  { name: 'admin_or_owner', check: 'role:admin or project_id:%(project_id)s' },
  { name: 'project_reader_api', check: 'role:reader and project_id:%(project_id)s' },
  { name: 'project_member_api', check: 'role:member and project_id:%(project_id)s' },
  { name: 'project_manager_api', check: 'role:manager and project_id:%(project_id)s' },
  { name: 'project_reader', check: 'rule:project_reader_api' },
  { name: 'project_member', check: 'rule:project_member_api' },
  { name: 'project_manager', check: 'rule:project_manager_api' },
  { name: 'project_reader_or_admin', check: 'rule:project_reader_api or rule:context_is_admin' },
  { name: 'project_member_or_admin', check: 'rule:project_member_api or rule:context_is_admin' },
  { name: 'project_manager_or_admin', check: 'rule:project_manager_api or rule:context_is_admin' },
  { name: 'service_api', check: 'role:service' },
  { name: 'service_role', check: 'role:service' },
  { name: 'service_or_admin', check: 'role:service or role:admin' },
  { name: 'admin_or_service_api', check: 'role:admin or role:service' },
  { name: 'system_reader', check: 'role:reader and system_scope:all' },
  { name: 'system_admin', check: 'role:admin and system_scope:all' },
  { name: 'default', check: '!' },
];
