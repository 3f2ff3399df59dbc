import type { ListKind } from './list-query';

/** Each list's filters and sort keys; the filters for everybody are those of upstream's resource_filters.json. */
export const VOLUMES: ListKind = {
  filters: [
    'name',
    'display_name',
    'status',
    'bootable',
    'migration_status',
    'availability_zone',
    'group_id',
    'size',
    'created_at',
    'updated_at',
    'volume_type_id',
  ],
  adminFilters: [
    'id',
    'host',
    'user_id',
    'description',
    'snapshot_id',
    'source_volid',
    'attach_status',
    'multiattach',
    'volume_type',
  ],
  sortKeys: [
    'id',
    'name',
    'size',
    'status',
    'availability_zone',
    'bootable',
    'host',
    'user_id',
    'created_at',
    'updated_at',
  ],
  aliases: { display_name: 'name' },
};

export const SNAPSHOTS: ListKind = {
  filters: ['name', 'display_name', 'status', 'volume_id', 'availability_zone', 'created_at', 'updated_at'],
  adminFilters: ['id', 'user_id', 'description', 'volume_size'],
  sortKeys: ['id', 'name', 'status', 'volume_id', 'size', 'created_at', 'updated_at', 'user_id'],
  aliases: { display_name: 'name' },
};

export const BACKUPS: ListKind = {
  filters: ['name', 'display_name', 'status', 'volume_id'],
  adminFilters: ['id', 'user_id', 'description', 'host', 'snapshot_id', 'size', 'availability_zone', 'container'],
  sortKeys: [
    'id',
    'name',
    'status',
    'size',
    'volume_id',
    'user_id',
    'host',
    'container',
    'data_timestamp',
    'created_at',
    'updated_at',
  ],
  aliases: { display_name: 'name' },
};

export const GROUPS: ListKind = {
  filters: ['name'],
  adminFilters: [
    'id',
    'status',
    'user_id',
    'description',
    'host',
    'group_type_id',
    'source_group_id',
    'group_snapshot_id',
  ],
  sortKeys: [
    'id',
    'name',
    'status',
    'user_id',
    'availability_zone',
    'host',
    'group_type_id',
    'created_at',
    'updated_at',
  ],
};

export const GROUP_SNAPSHOTS: ListKind = {
  filters: ['name', 'status', 'group_id'],
  adminFilters: ['id', 'user_id', 'description', 'group_type_id'],
  sortKeys: ['id', 'name', 'status', 'group_id', 'user_id', 'created_at', 'updated_at'],
};

export const ATTACHMENTS: ListKind = {
  filters: ['volume_id', 'status', 'instance_id', 'instance_uuid', 'attach_status'],
  adminFilters: ['id', 'attached_host'],
  sortKeys: ['id', 'volume_id', 'attach_status', 'attached_host', 'created_at'],
  aliases: { status: 'attach_status', instance_id: 'instance_uuid' },
};

export const TRANSFERS: ListKind = {
  filters: ['name', 'volume_id'],
  adminFilters: ['id'],
  sortKeys: ['id', 'name', 'volume_id', 'created_at'],
};

export const MESSAGES: ListKind = {
  filters: ['resource_uuid', 'resource_type', 'event_id', 'request_id', 'message_level'],
  adminFilters: [],
  sortKeys: ['id', 'event_id', 'resource_uuid', 'resource_type', 'message_level', 'created_at', 'request_id'],
};

/** What `GET /resource_filters` tells. */
export const RESOURCE_FILTERS: readonly { readonly resource: string; readonly filters: readonly string[] }[] = [
  {
    resource: 'volume',
    filters: [
      'name',
      'status',
      'metadata',
      'bootable',
      'migration_status',
      'availability_zone',
      'group_id',
      'size',
      'created_at',
      'updated_at',
    ],
  },
  { resource: 'backup', filters: ['name', 'status', 'volume_id'] },
  { resource: 'snapshot', filters: ['name', 'status', 'volume_id', 'metadata', 'availability_zone'] },
  { resource: 'group', filters: ['name'] },
  { resource: 'group_snapshot', filters: ['name', 'status', 'group_id'] },
  { resource: 'attachment', filters: ['volume_id', 'status', 'instance_id', 'attach_status'] },
  { resource: 'message', filters: ['resource_uuid', 'resource_type', 'event_id', 'request_id', 'message_level'] },
  { resource: 'pool', filters: ['name', 'volume_type'] },
  { resource: 'volume_type', filters: ['is_public'] },
];
