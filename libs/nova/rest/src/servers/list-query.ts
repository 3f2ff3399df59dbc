import { parseBoolean, parsePage, type ApiRequest, type ApiVersion } from '@nestack/kernel/http';
import {
  IGNORED_SORT_KEYS,
  MATCHED_ATTRIBUTES,
  NovaError,
  REFUSED_FILTERS,
  statesOf,
  type VmState,
} from '@nestack/nova/contract';
import type { InstanceQuery, MatchedAttribute } from '@nestack/nova/domain';

/** `osapi_max_limit`. */
export const MAX_LIMIT = 1000;

/** What the caller may ask of a list of servers. */
export interface ListRights {
  readonly admin: boolean;
  /** Every filter; who may not has the ones below, and others that he names are as if he had not. */
  readonly allFilters: boolean;
  /** The rule that refuses him other projects' servers; null when he may see them. */
  readonly refusesAllTenants: string | null;
}

/** Filters of users who may not use all, since when. upstream: nova/api/openstack/compute/servers.py _get_server_search_options */
const USERS_FILTERS: Readonly<Record<string, readonly string[]>> = {
  '2.1': ['reservation_id', 'name', 'status', 'image', 'flavor', 'ip', 'changes-since', 'all_tenants'],
  '2.5': ['ip6'],
  '2.26': ['tags', 'tags-any', 'not-tags', 'not-tags-any'],
  '2.66': ['changes-before'],
  '2.73': ['locked'],
  '2.83': [
    'availability_zone',
    'config_drive',
    'key_name',
    'created_at',
    'launched_at',
    'terminated_at',
    'power_state',
    'task_state',
    'vm_state',
    'progress',
    'user_id',
  ],
  '2.90': ['hostname'],
};
/** Other names of the attributes that regular expressions are for. */
const ALIASES: Readonly<Record<string, MatchedAttribute>> = {
  name: 'display_name',
  description: 'display_description',
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * A server list's filters, order and page, `empty` where nothing can meet them. Most filters are regular expressions.
 * upstream: nova/api/openstack/compute/servers.py _get_servers, nova/db/main/api.py instance_get_all_by_filters_sort
 */
export function instanceQueryOf(
  request: Pick<ApiRequest, 'rawQuery' | 'version' | 'ctx'>,
  rights: ListRights,
): InstanceQuery | 'empty' {
  const { rawQuery, version, ctx } = request;
  const asked = filtersOf(rawQuery, version, rights.allFilters);
  for (const name of asked.keys())
    if (REFUSED_FILTERS.includes(name) || name.startsWith('_'))
      throw NovaError.BadRequest({ reason: `Invalid filter field: ${name}.` });
  const page = parsePage(rawQuery, { max: MAX_LIMIT });
  const states = statesAskedFor(asked, rawQuery.getAll('status'), version);
  if (states === 'empty') return 'empty';
  const query: Mutable<InstanceQuery> = {
    project_id: projectOf(asked, ctx.actor?.projectId ?? '', rights),
    limit: page.limit,
    sort: sortOf(rawQuery, version, rights.admin),
    ...(page.marker === null ? {} : { marker: page.marker }),
    ...states,
    ...periodOf(asked),
    ...tagsOf(asked),
    ...matchesOf(asked),
  };
  const copy = <K extends 'user_id' | 'host' | 'uuid' | 'ip' | 'ip6'>(key: K): void => {
    const value = asked.get(key);
    if (value !== undefined) query[key] = value;
  };
  copy('user_id');
  copy('host');
  copy('uuid');
  copy('ip');
  copy('ip6');
  const image = asked.get('image') ?? asked.get('image_ref');
  if (image !== undefined) query.image_id = lastPart(image);
  if (asked.has('flavor')) query.flavor_id = lastPart(asked.get('flavor') ?? '');
  if (asked.has('locked')) query.locked = booleanOf(asked.get('locked') ?? '');
  if (asked.has('deleted')) query.deleted = parseBoolean(asked.get('deleted') ?? '') ?? false;
  if (states.vm_states?.length === 1 && states.vm_states[0] === 'deleted') {
    if (!rights.admin) throw NovaError.DeletedInstancesForbidden();
    query.deleted = true;
  }
  return query;
}

/** What counts of the parameters, the last of each name. */
function filtersOf(query: URLSearchParams, version: ApiVersion, all: boolean): ReadonlyMap<string, string> {
  const filters = new Map(query);
  for (const [since, names] of Object.entries(NEWER_FILTERS))
    if (!version.atLeast(since)) for (const name of names) filters.delete(name);
  if (all) return filters;
  const mine = new Set(
    Object.entries(USERS_FILTERS).flatMap(([since, names]) => (version.atLeast(since) ? names : [])),
  );
  return new Map([...filters].filter(([name]) => mine.has(name)));
}

/** Filters that nobody has before a version. */
const NEWER_FILTERS = Object.fromEntries(
  ['2.26', '2.66', '2.73'].map((since) => [since, USERS_FILTERS[since] ?? []] as const),
);

/** One project or, as null, all of them. A project that is named counts among all of them alone. */
function projectOf(asked: ReadonlyMap<string, string>, own: string, rights: ListRights): string | null {
  const text = asked.get('all_tenants');
  if (text === undefined || (text !== '' && !booleanOf(text))) return own;
  if (rights.refusesAllTenants !== null) throw NovaError.PolicyForbidden({ rule: rights.refusesAllTenants });
  return asked.get('project_id') ?? asked.get('tenant_id') ?? null;
}

type States = Pick<InstanceQuery, 'vm_states' | 'task_states'>;

/** The states; what a status stands for is asked for alone. */
function statesAskedFor(
  asked: ReadonlyMap<string, string>,
  statuses: readonly string[],
  version: ApiVersion,
): States | 'empty' {
  const vm = asked.get('vm_state');
  const task = asked.get('task_state');
  const tasks = task === undefined ? {} : { task_states: [task] };
  if (statuses.length === 0) return { ...(vm === undefined ? {} : { vm_states: [vm as VmState] }), ...tasks };
  const { vm_states, task_states } = statesOf(statuses);
  if (vm_states.length > 0) return { ...tasks, vm_states, ...(task_states === null ? {} : { task_states }) };
  if (version.atLeast('2.38')) throw NovaError.BadRequest({ reason: 'Invalid status value' });
  return 'empty';
}

function periodOf(asked: ReadonlyMap<string, string>): Pick<InstanceQuery, 'changes_since' | 'changes_before'> {
  return changesOf(asked.get('changes-since') ?? null, asked.get('changes-before') ?? null);
}

/** The period of changes that a list asks for. Throws BadRequest for one that ends before it starts. */
export function changesOf(
  since: string | null,
  before: string | null,
): { readonly changes_since?: Date; readonly changes_before?: Date } {
  const from = since === null ? null : timeOf('changes-since', since);
  const to = before === null ? null : timeOf('changes-before', before);
  if (from !== null && to !== null && to < from)
    throw NovaError.BadRequest({ reason: 'The value of changes-since must be less than or equal to changes-before.' });
  return { ...(from === null ? {} : { changes_since: from }), ...(to === null ? {} : { changes_before: to }) };
}

function tagsOf(asked: ReadonlyMap<string, string>) {
  const tags = (name: string): readonly string[] | undefined => asked.get(name)?.split(',');
  const found = {
    tags: tags('tags'),
    tags_any: tags('tags-any'),
    not_tags: tags('not-tags'),
    not_tags_any: tags('not-tags-any'),
  };
  return Object.fromEntries(Object.entries(found).filter(([, wanted]) => wanted !== undefined));
}

function matchesOf(asked: ReadonlyMap<string, string>): Pick<InstanceQuery, 'matches'> {
  const matches: Partial<Record<MatchedAttribute, string>> = {};
  for (const [name, pattern] of asked) {
    const attribute = ALIASES[name] ?? MATCHED_ATTRIBUTES.find((one) => one === name);
    if (attribute !== undefined) matches[attribute] = pattern;
  }
  return Object.keys(matches).length === 0 ? {} : { matches };
}

/** upstream: nova/db/utils.py process_sort_params, nova/api/openstack/compute/servers.py remove_invalid_sort_keys */
function sortOf(query: URLSearchParams, version: ApiVersion, admin: boolean): InstanceQuery['sort'] {
  const dirs = query.getAll('sort_dir').map((dir) => dir.trim());
  const keys = query.getAll('sort_key').map((key) => key.trim());
  if (keys.length === 0) keys.push('created_at');
  const pairs = keys
    .map((key, at) => ({ key, dir: dirs[at] }))
    .filter(({ key }) => !IGNORED_SORT_KEYS.includes(key) || (key === 'locked' && version.atLeast('2.73')));
  const hidden = pairs.find(({ key }) => !admin && (key === 'host' || key === 'node'));
  if (hidden !== undefined)
    throw NovaError.Forbidden({ reason: `Only administrators can sort servers by ${hidden.key}` });
  if (dirs.length > keys.length) throw NovaError.InvalidInput({ reason: 'Sort direction size exceeds sort key size' });
  const first = directionOf(dirs[0] ?? 'desc');
  const sort = pairs.map(({ key, dir }) => ({ key, dir: dir === undefined ? first : directionOf(dir) }));
  return sort.length === 0 ? [{ key: 'created_at', dir: first }] : sort;
}

function directionOf(text: string): 'asc' | 'desc' {
  if (text === 'asc' || text === 'desc') return text;
  throw NovaError.InvalidInput({ reason: "Unknown sort direction, must be 'desc' or 'asc'" });
}

function booleanOf(value: string): boolean {
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
function timeOf(key: string, text: string): Date {
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
