import type { PolicyRule } from '@nestack/kernel/policy';

const ADMIN = 'rule:admin_required';
const SYSTEM_READER = '(role:reader and system_scope:all)';
const READER = `${ADMIN} or ${SYSTEM_READER}`;
/** Readers and managers of the domain that the request is about. */
const domainReader = (attribute: string) => `(role:reader and domain_id:%(${attribute})s)`;
const domainManager = (attribute: string) => `(role:manager and domain_id:%(${attribute})s)`;
const readerOf = (attribute: string) => `${READER} or ${domainReader(attribute)}`;
const managerOf = (attribute: string) => `${ADMIN} or ${domainManager(attribute)}`;

const ACTOR_IN_DOMAIN = '(domain_id:%(target.user.domain_id)s or domain_id:%(target.group.domain_id)s)';
const TARGET_IN_DOMAIN = '(domain_id:%(target.project.domain_id)s or domain_id:%(target.domain.id)s)';
const GRANT_READ = `${READER} or (role:reader and ${ACTOR_IN_DOMAIN} and ${TARGET_IN_DOMAIN})`;
const GRANT_CHANGE = `${ADMIN} or (role:manager and ${ACTOR_IN_DOMAIN} and ${TARGET_IN_DOMAIN} and rule:domain_managed_target_role)`;
const TRUSTOR = 'user_id:%(target.trust.trustor_user_id)s';
const TRUSTEE = 'user_id:%(target.trust.trustee_user_id)s';
const SELF = 'user_id:%(target.user.id)s';

function rules(check: string, ...names: string[]): PolicyRule[] {
  return names.map((name) => ({ name: `identity:${name}`, check }));
}

/** Keystone's rules and their defaults. upstream: keystone/common/policies */
export const keystonePolicies: readonly PolicyRule[] = [
  { name: 'admin_required', check: 'role:admin or is_admin:1' },
  { name: 'owner', check: 'user_id:%(user_id)s' },
  { name: 'admin_or_owner', check: 'rule:admin_required or rule:owner' },
  { name: 'token_subject', check: 'user_id:%(target.token.user_id)s' },
  { name: 'admin_or_token_subject', check: 'rule:admin_required or rule:token_subject' },
  {
    name: 'domain_managed_target_role',
    check: "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s",
    description: 'Roles that domain managers may give away.',
  },

  ...rules(`${READER} or rule:service_role or rule:token_subject`, 'validate_token', 'check_token'),
  ...rules('rule:admin_or_token_subject', 'revoke_token'),
  ...rules('', 'get_auth_catalog', 'get_auth_projects', 'get_auth_domains', 'get_auth_system'),

  ...rules(readerOf('target.domain_id'), 'list_users', 'list_groups'),
  ...rules(`${readerOf('target.user.domain_id')} or rule:service_role or ${SELF}`, 'get_user'),
  ...rules(managerOf('target.user.domain_id'), 'create_user', 'update_user', 'delete_user'),
  ...rules(`${readerOf('target.user.domain_id')} or ${SELF}`, 'list_user_projects', 'list_groups_for_user'),
  ...rules(
    `${READER} or ${SELF}`,
    'list_application_credentials',
    'get_application_credential',
    'list_access_rules',
    'get_access_rule',
    'list_credentials',
    'get_credential',
  ),
  ...rules(SELF, 'create_application_credential'),
  ...rules(`${ADMIN} or ${SELF}`, 'delete_application_credential', 'delete_access_rule'),
  ...rules(`${ADMIN} or ${SELF}`, 'create_credential', 'update_credential', 'delete_credential'),

  ...rules(`${READER} or ${SELF}`, 'ec2_list_credentials', 'ec2_get_credential'),
  ...rules(`${ADMIN} or ${SELF}`, 'ec2_create_credential', 'ec2_delete_credential'),

  ...rules(READER, 'list_consumers', 'get_consumer'),
  ...rules(ADMIN, 'create_consumer', 'update_consumer', 'delete_consumer', 'authorize_request_token'),
  ...rules(ADMIN, 'list_access_tokens', 'get_access_token', 'list_access_token_roles', 'get_access_token_role'),

  ...rules(READER, 'list_trusts'),
  ...rules(TRUSTOR, 'create_trust'),
  ...rules(`${READER} or ${TRUSTOR}`, 'list_trusts_for_trustor'),
  ...rules(`${READER} or ${TRUSTEE}`, 'list_trusts_for_trustee'),
  ...rules(`${READER} or ${TRUSTOR} or ${TRUSTEE}`, 'get_trust', 'list_roles_for_trust', 'get_role_for_trust'),
  ...rules(`${ADMIN} or ${TRUSTOR}`, 'delete_trust'),

  ...rules(readerOf('target.group.domain_id'), 'get_group'),
  ...rules(managerOf('target.group.domain_id'), 'create_group', 'update_group', 'delete_group'),
  ...rules(readerOf('target.group.domain_id'), 'list_users_in_group', 'check_user_in_group'),
  ...rules(
    `${ADMIN} or (role:manager and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)`,
    'add_user_to_group',
    'remove_user_from_group',
  ),

  ...rules(`${readerOf('target.domain_id')} or rule:service_role`, 'list_projects'),
  ...rules(
    `${readerOf('target.project.domain_id')} or rule:service_role or project_id:%(target.project.id)s`,
    'get_project',
    'list_project_tags',
    'get_project_tag',
  ),
  ...rules(managerOf('target.project.domain_id'), 'create_project', 'update_project', 'delete_project'),
  ...rules(
    managerOf('target.project.domain_id'),
    'update_project_tags',
    'delete_project_tags',
    'create_project_tag',
    'delete_project_tag',
  ),
  ...rules(`${READER} or token.project.domain.id:%(target.domain.id)s or domain_id:%(target.domain.id)s`, 'get_domain'),
  ...rules(`${READER} or ${domainReader('target.domain.id')}`, 'list_domains'),
  ...rules(ADMIN, 'create_domain', 'update_domain', 'delete_domain'),
  ...rules(READER, 'get_domain_config', 'get_domain_config_default'),
  ...rules(ADMIN, 'create_domain_config', 'update_domain_config', 'delete_domain_config'),

  ...rules(`${READER} or (role:manager and not domain_id:None)`, 'list_roles', 'get_role'),
  ...rules(ADMIN, 'create_role', 'update_role', 'delete_role'),
  ...rules(READER, 'list_implied_roles', 'get_implied_role', 'check_implied_role', 'list_role_inference_rules'),
  ...rules(ADMIN, 'create_implied_role', 'delete_implied_role'),
  ...rules(GRANT_READ, 'check_grant', 'list_grants'),
  ...rules(GRANT_CHANGE, 'create_grant', 'revoke_grant'),
  ...rules(
    READER,
    'list_system_grants_for_user',
    'check_system_grant_for_user',
    'list_system_grants_for_group',
    'check_system_grant_for_group',
  ),
  ...rules(
    ADMIN,
    'create_system_grant_for_user',
    'revoke_system_grant_for_user',
    'create_system_grant_for_group',
    'revoke_system_grant_for_group',
  ),
  ...rules(readerOf('target.domain_id'), 'list_role_assignments'),
  ...rules(
    `${readerOf('target.project.domain_id')} or (role:admin and project_id:%(target.project.id)s)`,
    'list_role_assignments_for_tree',
  ),

  ...rules('', 'list_registered_limits', 'get_registered_limit', 'get_limit_model', 'list_limits'),
  ...rules(ADMIN, 'create_registered_limits', 'update_registered_limit', 'delete_registered_limit'),
  ...rules(`${READER} or project_id:%(target.project.id)s or domain_id:%(target.domain.id)s`, 'get_limit'),
  ...rules(ADMIN, 'create_limits', 'update_limit', 'delete_limit'),
  ...rules(READER, 'list_policies', 'get_policy'),
  ...rules(ADMIN, 'create_policy', 'update_policy', 'delete_policy'),
  ...rules(
    READER,
    'list_endpoint_groups',
    'get_endpoint_group',
    'list_endpoints_associated_with_endpoint_group',
    'list_projects_associated_with_endpoint_group',
    'get_endpoint_group_in_project',
    'list_endpoint_groups_for_project',
    'list_endpoints_for_project',
    'list_projects_for_endpoint',
    'check_endpoint_in_project',
  ),
  ...rules(
    ADMIN,
    'create_endpoint_group',
    'update_endpoint_group',
    'delete_endpoint_group',
    'add_endpoint_group_to_project',
    'remove_endpoint_group_from_project',
    'add_endpoint_to_project',
    'remove_endpoint_from_project',
  ),
  ...rules(READER, 'list_services', 'get_service', 'list_endpoints', 'get_endpoint'),
  ...rules(ADMIN, 'create_service', 'update_service', 'delete_service'),
  ...rules(ADMIN, 'create_endpoint', 'update_endpoint', 'delete_endpoint'),
  ...rules('', 'list_regions', 'get_region'),
  ...rules(ADMIN, 'create_region', 'update_region', 'delete_region'),
];
