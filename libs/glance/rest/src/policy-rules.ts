import type { PolicyRule } from '@nestack/kernel/policy';

const OWNER_READER = '(role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))';
const READABLE = `rule:context_is_admin or rule:service_role or ${OWNER_READER} or (role:reader and ('public':%(visibility)s or 'community':%(visibility)s or 'shared':%(visibility)s))`;
const MEMBER = 'rule:project_member_or_admin';

const METADEF_READER =
  "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))";

const metadefRules = (check: string, ...names: string[]): PolicyRule[] =>
  names.map((name) => ({ name: name.replace('_', '_metadef_'), check }));

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
  { name: 'metadef_default', check: '' },
  { name: 'metadef_admin', check: 'rule:context_is_admin' },
  { name: 'get_metadef_namespaces', check: 'rule:context_is_admin or (role:reader and project_id:%(project_id)s)' },
  ...metadefRules(METADEF_READER, 'get_namespace', 'get_object', 'get_objects', 'list_resource_types'),
  ...metadefRules(METADEF_READER, 'get_resource_type', 'get_property', 'get_properties', 'get_tag', 'get_tags'),
  ...metadefRules('rule:metadef_admin', 'modify_namespace', 'add_namespace', 'delete_namespace'),
  ...metadefRules('rule:metadef_admin', 'modify_object', 'add_object', 'delete_object'),
  ...metadefRules('rule:metadef_admin', 'add_resource_type_association', 'remove_resource_type_association'),
  ...metadefRules('rule:metadef_admin', 'modify_property', 'add_property', 'remove_property'),
  ...metadefRules('rule:metadef_admin', 'modify_tag', 'add_tag', 'add_tags', 'delete_tag', 'delete_tags'),
];
