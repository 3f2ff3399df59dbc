import type Type from 'typebox';
import { AnyText, Page, Regex, Times, Word, closed, open } from './queries';

/** Keys by which servers are sorted. upstream: nova/api/openstack/compute/schemas/servers.py VALID_SORT_KEYS */
export const SORT_KEYS = [
  'access_ip_v4',
  'access_ip_v6',
  'auto_disk_config',
  'availability_zone',
  'config_drive',
  'created_at',
  'display_description',
  'display_name',
  'host',
  'hostname',
  'image_ref',
  'instance_type_id',
  'kernel_id',
  'key_name',
  'launch_index',
  'launched_at',
  'locked_by',
  'node',
  'power_state',
  'progress',
  'project_id',
  'ramdisk_id',
  'root_device_name',
  'task_state',
  'terminated_at',
  'updated_at',
  'user_id',
  'uuid',
  'vm_state',
] as const;

/** Keys that are taken and have no effect, until 2.75 refuses them. */
export const IGNORED_SORT_KEYS: readonly string[] = [
  'architecture',
  'cell_name',
  'cleaned',
  'default_ephemeral_device',
  'default_swap_device',
  'deleted',
  'deleted_at',
  'disable_terminate',
  'ephemeral_gb',
  'ephemeral_key_uuid',
  'id',
  'key_data',
  'launched_on',
  'locked',
  'memory_mb',
  'os_type',
  'reservation_id',
  'root_gb',
  'shutdown_terminate',
  'user_data',
  'vcpus',
  'vm_mode',
];

/** Parts of a server that no list is filtered by: asking for it is an error. */
export const REFUSED_FILTERS: readonly string[] = [
  'block_device_mapping',
  'services',
  'metadata',
  'system_metadata',
  'info_cache',
  'security_groups',
  'pci_devices',
];

/** Attributes by which servers are found with regular expressions. */
export const MATCHED_ATTRIBUTES = [
  'access_ip_v4',
  'access_ip_v6',
  'auto_disk_config',
  'availability_zone',
  'config_drive',
  'created_at',
  'display_description',
  'display_name',
  'hostname',
  'kernel_id',
  'key_name',
  'launch_index',
  'launched_at',
  'locked_by',
  'node',
  'power_state',
  'progress',
  'ramdisk_id',
  'reservation_id',
  'root_device_name',
  'terminated_at',
] as const;

const Filters: Type.TProperties = {
  ...Object.fromEntries(
    [...MATCHED_ATTRIBUTES, 'description', 'flavor', 'ip', 'ip6', 'name'].map((name) => [name, Regex]),
  ),
  ...Object.fromEntries(
    [
      'user_id',
      'project_id',
      'tenant_id',
      'launch_index',
      'image_ref',
      'image',
      'vm_state',
      'task_state',
      'host',
      'uuid',
      'sort_dir',
      'all_tenants',
      'soft_deleted',
      'deleted',
      'status',
      ...REFUSED_FILTERS,
    ].map((name) => [name, AnyText]),
  ),
  'changes-since': Times,
  ...Page,
};
const Tags = { tags: Regex, 'tags-any': Regex, 'not-tags': Regex, 'not-tags-any': Regex };
const Tagged = { ...Filters, ...Tags };
const Changed = { ...Tagged, 'changes-before': Times };
const Locked = { ...Changed, locked: AnyText };
const sorted = Word([...SORT_KEYS, ...IGNORED_SORT_KEYS]);

/** What a list of servers is filtered, sorted and cut by. upstream: nova/api/openstack/compute/schemas/servers.py index_query */
export const ServerListQuery = [
  open('2.1', { ...Filters, sort_key: sorted }),
  open('2.26', { ...Tagged, sort_key: sorted }),
  open('2.66', { ...Changed, sort_key: sorted }),
  open('2.73', { ...Locked, sort_key: sorted }),
  closed('2.75', { ...Locked, sort_key: Word([...SORT_KEYS, 'locked']) }),
];
