import { parseBoolean, parsePage, type ApiRequest } from '@nestack/kernel/http';
import { NovaError, statesOf, type VmState } from '@nestack/nova/contract';
import type { InstanceQuery } from '@nestack/nova/domain';

/** `osapi_max_limit`. */
export const MAX_LIMIT = 1000;

const SORT_KEYS: readonly string[] = [
  'access_ip_v4',
  'access_ip_v6',
  'availability_zone',
  'config_drive',
  'created_at',
  'display_description',
  'display_name',
  'host',
  'hostname',
  'image_ref',
  'instance_type_id',
  'key_name',
  'launch_index',
  'launched_at',
  'locked_by',
  'node',
  'power_state',
  'progress',
  'project_id',
  'root_device_name',
  'task_state',
  'terminated_at',
  'updated_at',
  'user_id',
  'uuid',
  'vm_state',
];
/** Sort keys of the joined tables, which upstream refuses. */
const ALIASES: Readonly<Record<string, string>> = {
  ip: '',
  ip6: '',
  name: 'display_name',
  description: 'display_description',
  tenant_id: 'project_id',
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * A server list's filters, order and page. Administrators' filters of others are ignored, as upstream does; unknown ones
 * are refused from 2.75 on. upstream: nova/api/openstack/compute/servers.py _get_servers
 */
export function instanceQueryOf(
  request: Pick<ApiRequest, 'rawQuery' | 'version' | 'ctx'>,
  admin: boolean,
): InstanceQuery | 'empty' {
  const { rawQuery: q, version, ctx } = request;
  const page = parsePage(q, { max: MAX_LIMIT });
  const text = (key: string): string | undefined => q.getAll(key).at(-1) ?? undefined;
  const allTenants = flag(q, 'all_tenants') ?? false;
  if (allTenants && !admin) throw NovaError.PolicyForbidden({ rule: 'os_compute_api:servers:detail:get_all_tenants' });
  const tenant = text('project_id') ?? text('tenant_id');
  const query: Mutable<InstanceQuery> = {
    project_id: admin && tenant !== undefined && allTenants ? tenant : allTenants ? null : (ctx.actor?.projectId ?? ''),
    limit: page.limit,
    sort: sortOf(q),
    ...(page.marker === null ? {} : { marker: page.marker }),
  };
  const copy = <K extends keyof InstanceQuery>(key: K, from: string): void => {
    const value = text(from);
    if (value !== undefined) query[key] = value as InstanceQuery[K];
  };
  copy('name', 'name');
  copy('reservation_id', 'reservation_id');
  copy('ip', 'ip');
  copy('ip6', 'ip6');
  if (text('image') !== undefined) query.image_id = lastPart(text('image') ?? '');
  if (text('flavor') !== undefined) query.flavor_id = lastPart(text('flavor') ?? '');
  const status = q.getAll('status').filter((one) => one !== '');
  if (status.length > 0) {
    const { vm_states: states, task_states: tasks } = statesOf(status);
    if (states.length === 0) {
      if (version.atLeast('2.38')) throw NovaError.BadRequest({ reason: 'Invalid status value' });
      return 'empty';
    }
    query.vm_states = states;
    if (tasks !== null) query.task_states = tasks;
    if (states.every((state) => state === 'deleted')) {
      if (!admin) throw NovaError.DeletedInstancesForbidden();
      query.deleted = true;
    }
  }
  if (text('changes-since') !== undefined) query.changes_since = timeOf('changes-since', text('changes-since') ?? '');
  if (version.atLeast('2.66') && text('changes-before') !== undefined) {
    query.changes_before = timeOf('changes-before', text('changes-before') ?? '');
    if (query.changes_since !== undefined && query.changes_before < query.changes_since)
      throw NovaError.BadRequest({
        reason: 'The value of changes-since must be less than or equal to changes-before.',
      });
  }
  if (admin) {
    copy('host', 'host');
    copy('node', 'node');
    const deleted = flag(q, 'deleted');
    if (deleted !== null) query.deleted = deleted;
    // What the status stands for is asked for alone.
    if (text('vm_state') !== undefined && status.length === 0) query.vm_states = q.getAll('vm_state') as VmState[];
    if (text('task_state') !== undefined) query.task_states ??= q.getAll('task_state');
  }
  if (admin || version.atLeast('2.83')) {
    copy('availability_zone', 'availability_zone');
    copy('key_name', 'key_name');
    copy('user_id', 'user_id');
    copy('uuid', 'uuid');
    const drive = flag(q, 'config_drive');
    if (drive !== null) query.config_drive = drive;
    const power = text('power_state');
    if (power !== undefined && /^\d+$/.test(power)) query.power_state = Number(power);
    const index = text('launch_index');
    if (index !== undefined && /^\d+$/.test(index)) query.launch_index = Number(index);
  }
  if (version.atLeast('2.26')) {
    const tags = (key: string): string[] | undefined =>
      text(key)
        ?.split(',')
        .filter((tag) => tag !== '');
    const wanted = {
      tags: tags('tags'),
      tags_any: tags('tags-any'),
      not_tags: tags('not-tags'),
      not_tags_any: tags('not-tags-any'),
    };
    for (const [key, value] of Object.entries(wanted)) if (value !== undefined) Object.assign(query, { [key]: value });
  }
  if (version.atLeast('2.73')) {
    const locked = flag(q, 'locked');
    if (locked !== null) query.locked = locked;
  }
  return query;
}

function sortOf(q: URLSearchParams): InstanceQuery['sort'] {
  const keys = q.getAll('sort_key').filter((key) => key !== '');
  const dirs = q.getAll('sort_dir');
  const pairs = keys.map((key, at) => {
    const column = ALIASES[key] ?? key;
    if (!SORT_KEYS.includes(column))
      throw NovaError.BadRequest({
        reason: `Invalid input for query parameters sort_key. Value: ${key}. '${key}' is not one of ${JSON.stringify(SORT_KEYS)}`,
      });
    const dir = dirs[at] ?? dirs.at(-1) ?? 'desc';
    if (dir !== 'asc' && dir !== 'desc')
      throw NovaError.BadRequest({
        reason: `Invalid input for query parameters sort_dir. Value: ${dir}. '${dir}' is not one of ['asc', 'desc']`,
      });
    return { key: column, dir: dir as 'asc' | 'desc' };
  });
  if (pairs.length > 0) return pairs;
  const dir = dirs[0] === 'asc' ? 'asc' : 'desc';
  return [{ key: 'created_at', dir }];
}

function flag(q: URLSearchParams, key: string): boolean | null {
  const value = q.get(key);
  if (value === null) return null;
  if (value === '') return true;
  const parsed = parseBoolean(value);
  if (parsed === null)
    throw NovaError.InvalidInput({
      reason: `Unrecognized value '${value}', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'`,
    });
  return parsed;
}

/** ISO 8601 as `oslo_utils.timeutils.parse_isotime` reads it; JavaScript alone would take `2011/01/01` as well. */
const ISO_TIME = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(?<zone>Z|[+-]\d\d:?\d\d)?$/i;

/** The time that a query parameter names; UTC where it has no zone. Throws BadRequest for what is none. */
export function timeOf(key: string, text: string): Date {
  const match = ISO_TIME.exec(text);
  const time = new Date(match?.groups?.['zone'] === undefined ? `${text}Z` : text);
  if (match === null || Number.isNaN(time.getTime()))
    throw NovaError.BadRequest({
      reason: `Invalid input for query parameters ${key}. Value: ${text}. '${text}' is not a 'date-time'`,
    });
  return time;
}

function lastPart(text: string): string {
  return text.replace(/^.*\//, '');
}
