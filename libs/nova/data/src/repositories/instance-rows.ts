import type { Instance, InstancePatch } from '@nestack/nova/domain';

/** Columns of `instance`, in one list for every statement. */
export const INSTANCE_COLUMNS = [
  'uuid',
  'project_id',
  'user_id',
  'display_name',
  'hostname',
  'display_description',
  'vm_state',
  'task_state',
  'power_state',
  'progress',
  'host',
  'node',
  'availability_zone',
  'launch_index',
  'reservation_id',
  'flavor',
  'image',
  'key_name',
  'key_data',
  'user_data',
  'config_drive',
  'metadata',
  'tags',
  'access_ip_v4',
  'access_ip_v6',
  'disk_config',
  'locked_by',
  'locked_reason',
  'root_device_name',
  'nics',
  'fault',
  'request',
  'created_at',
  'updated_at',
  'launched_at',
  'terminated_at',
  'deleted_at',
] as const satisfies readonly (keyof Instance)[];

const JSON_COLUMNS: ReadonlySet<string> = new Set(['flavor', 'image', 'metadata', 'tags', 'nics', 'fault', 'request']);

/** A value as its column takes it. */
export function toColumn(column: string, value: unknown): unknown {
  return JSON_COLUMNS.has(column) && value !== null && value !== undefined ? JSON.stringify(value) : (value ?? null);
}

/** `column = $n` for what a patch changes, its parameters appended to `params`. */
export function assignments(patch: InstancePatch, params: unknown[]): string {
  const parts: string[] = [];
  for (const column of INSTANCE_COLUMNS) {
    if (!(column in patch)) continue;
    params.push(toColumn(column, patch[column as keyof InstancePatch]));
    parts.push(`${column} = $${params.length}`);
  }
  parts.push('updated_at = clock_timestamp()');
  return parts.join(', ');
}
