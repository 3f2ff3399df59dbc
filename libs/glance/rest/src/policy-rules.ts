import type { PolicyRule } from '@nestack/kernel/policy';

const OWNER_READER = '(role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))';
const READABLE = `rule:context_is_admin or rule:service_role or ${OWNER_READER} or (role:reader and ('public':%(visibility)s or 'community':%(visibility)s or 'shared':%(visibility)s))`;
const MEMBER = 'rule:project_member_or_admin';

/** Glance's rules and their defaults. upstream: glance/policies */
export const glancePolicies: readonly PolicyRule[] = [
  { name: 'get_images', check: 'rule:context_is_admin or rule:service_role or role:reader' },
  { name: 'get_image', check: READABLE },
  { name: 'add_image', check: MEMBER },
  { name: 'modify_image', check: MEMBER },
  { name: 'delete_image', check: MEMBER },
  { name: 'publicize_image', check: 'rule:context_is_admin' },
  { name: 'communitize_image', check: MEMBER },
  { name: 'download_image', check: READABLE },
  { name: 'upload_image', check: `${MEMBER} or rule:service_role` },
  { name: 'deactivate', check: MEMBER },
  { name: 'reactivate', check: MEMBER },
  { name: 'add_member', check: MEMBER },
  { name: 'delete_member', check: MEMBER },
  { name: 'modify_member', check: 'rule:context_is_admin or (role:member and project_id:%(member_id)s)' },
  { name: 'tasks_api_access', check: 'rule:context_is_admin' },
];
