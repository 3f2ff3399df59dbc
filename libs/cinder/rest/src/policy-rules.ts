import type { PolicyRule } from '@nestack/kernel/policy';

const MEMBER = 'rule:project_member_or_admin';
const READER = 'rule:project_reader_or_admin';
const ADMIN = 'rule:context_is_admin';
const SERVICE = 'rule:project_member_or_admin or rule:service_role';
const ANY = '@';

function rules(check: string, names: readonly string[]): PolicyRule[] {
  return names.map((name) => ({ name, check }));
}

/** Cinder's rules and their defaults. upstream: cinder/policies */
export const cinderPolicies: readonly PolicyRule[] = [
  ...rules(`${READER} or rule:service_role`, [
    'volume:get',
    'volume:get_all',
    'volume:get_volume_metadata',
    'volume:get_snapshot',
    'volume:get_all_snapshots',
    'volume:get_snapshot_metadata',
    'volume:get_transfer',
    'volume:get_all_transfers',
    'volume_extension:quotas:show',
    'limits_extension:used_limits',
  ]),
  ...rules(MEMBER, [
    'volume:create',
    'volume:create_from_image',
    'volume:update',
    'volume:delete',
    'volume:extend',
    'volume:extend_attached_volume',
    'volume:retype',
    'volume:create_volume_metadata',
    'volume:update_volume_metadata',
    'volume:delete_volume_metadata',
    'volume:create_snapshot',
    'volume:update_snapshot',
    'volume:delete_snapshot',
    'volume:update_snapshot_metadata',
    'volume:delete_snapshot_metadata',
    'volume:create_transfer',
    'volume:accept_transfer',
    'volume:delete_transfer',
    'volume_extension:volume_actions:upload_image',
    'volume_extension:volume_actions:set_bootable',
    'volume_extension:volume_actions:set_readonly',
    'volume_extension:volume_image_metadata:set',
    'volume_extension:volume_image_metadata:remove',
    'volume_extension:volume_image_metadata:show',
  ]),
  ...rules(SERVICE, [
    'volume:attachment_create',
    'volume:attachment_update',
    'volume:attachment_delete',
    'volume:attachment_complete',
    'volume_extension:volume_actions:reserve',
    'volume_extension:volume_actions:unreserve',
    'volume_extension:volume_actions:begin_detaching',
    'volume_extension:volume_actions:roll_detaching',
    'volume_extension:volume_actions:attach',
    'volume_extension:volume_actions:detach',
    'volume_extension:volume_actions:initialize_connection',
    'volume_extension:volume_actions:terminate_connection',
  ]),
  ...rules(ADMIN, [
    'volume:force_delete',
    'volume_extension:volume_admin_actions:reset_status',
    'volume_extension:volume_admin_actions:force_delete',
    'volume_extension:volume_admin_actions:force_detach',
    'volume_extension:snapshot_admin_actions:reset_status',
    'volume_extension:snapshot_admin_actions:force_delete',
    'volume_extension:services:index',
    'volume_extension:services:update',
    'volume_extension:hosts',
    'volume_extension:type_create',
    'volume_extension:type_update',
    'volume_extension:type_delete',
    'volume_extension:types_extra_specs:create',
    'volume_extension:types_extra_specs:update',
    'volume_extension:types_extra_specs:delete',
    'volume_extension:volume_type_access:add_project_access',
    'volume_extension:volume_type_access:remove_project_access',
    'volume_extension:volume_type_access:get_all_for_type',
    'volume_extension:qos_specs_manage:create',
    'volume_extension:qos_specs_manage:get',
    'volume_extension:qos_specs_manage:get_all',
    'volume_extension:qos_specs_manage:update',
    'volume_extension:qos_specs_manage:delete',
    'volume_extension:quotas:update',
    'volume_extension:quotas:delete',
    'volume_extension:quota_classes',
    'scheduler_extension:scheduler_stats:get_pools',
    'volume_extension:capabilities',
  ]),
  ...rules(ANY, ['volume_extension:types_extra_specs:index', 'volume_extension:types_extra_specs:show']),
];
