import { parseBoolean, parsePage, parseSort } from '@nestack/kernel/http';
import {
  GlanceError,
  MEMBER_STATUSES,
  VISIBILITIES,
  type MemberStatus,
  type Visibility,
} from '@nestack/glance/contract';
import type { Comparison, ImageQuery, SortKey } from '@nestack/glance/domain';

/** Upstream's `limit_param_default` and `api_limit_max`. */
const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 1000;

const SORT_KEYS = ['name', 'status', 'container_format', 'disk_format', 'size', 'id', 'created_at', 'updated_at'];
const PAGING = new Set([
  'limit',
  'marker',
  'sort_key',
  'sort_dir',
  'sort',
  'visibility',
  'member_status',
  'os_hidden',
  'tag',
]);
const LISTABLE = new Set(['id', 'name', 'status', 'container_format', 'disk_format']);
const EXACT = new Set(['owner', 'checksum', 'os_hash_algo', 'os_hash_value']);
const TIMES = new Set(['created_at', 'updated_at']);

/** A list request's filters, order and page. Throws 400 with upstream's texts. */
export function imageQueryOf(query: URLSearchParams): ImageQuery {
  const comparisons: Comparison[] = [];
  const properties: Record<string, string> = {};
  for (const [key, value] of query) {
    if (PAGING.has(key)) continue;
    if (LISTABLE.has(key)) comparisons.push(listable(key, value));
    else if (EXACT.has(key)) comparisons.push({ field: key, op: 'eq', values: [value] });
    else if (TIMES.has(key)) comparisons.push(time(key, value));
    else if (key === 'protected') comparisons.push({ field: key, op: 'eq', values: [String(flag(key, value))] });
    else if (key === 'size_min' || key === 'size_max') {
      comparisons.push({ field: 'size', op: key === 'size_min' ? 'gte' : 'lte', values: [number(key, value)] });
    } else if (key === 'min_ram' || key === 'min_disk' || key === 'size')
      comparisons.push({ field: key, op: 'eq', values: [number(key, value)] });
    else properties[key] = value;
  }
  const page = parsePage(query, { max: MAX_LIMIT, absent: DEFAULT_LIMIT });
  const hidden = query.get('os_hidden');
  return {
    comparisons,
    properties,
    tags: query.getAll('tag'),
    visibility: visibilityOf(query.get('visibility')),
    member_status: memberStatusOf(query.get('member_status')),
    os_hidden: hidden === null ? false : flag('os_hidden', hidden),
    sort: total(
      parseSort(query, { allowed: SORT_KEYS, defaults: [{ key: 'created_at', direction: 'desc' }], direction: 'desc' }),
    ),
    marker: page.marker,
    limit: page.limit,
  };
}

/** Made a total order, so that a marker stands for one place: the id decides last, in the direction of the key before. */
function total(keys: readonly SortKey[]): SortKey[] {
  const direction = keys.at(-1)?.direction ?? 'desc';
  const missing = ['created_at', 'id'].filter((key) => !keys.some((one) => one.key === key));
  return [...keys, ...missing.map((key) => ({ key, direction }))];
}

function listable(field: string, value: string): Comparison {
  if (value.startsWith('in:')) return { field, op: 'in', values: splitList(value.slice(3)) };
  if (value.startsWith('eq:')) return { field, op: 'eq', values: [value.slice(3)] };
  return { field, op: 'eq', values: [value] };
}

/** `a,"b, c",d`: quoted values may hold commas. */
function splitList(text: string): string[] {
  const values: string[] = [];
  const pattern = /\s*("((?:[^"\\]|\\.)*)"|[^",]*)\s*(,|$)/y;
  for (let end = false; !end;) {
    const match = pattern.exec(text);
    if (match === null)
      throw GlanceError.InvalidInput({ reason: `Invalid filter value ${text}. The quote is not closed.` });
    values.push(match[2] === undefined ? (match[1] ?? '') : match[2].replaceAll('\\"', '"'));
    end = match[3] !== ',';
  }
  return values;
}

function time(field: string, value: string): Comparison {
  const match = /^(?:(gt|gte|lt|lte|eq|neq):)?(.+)$/.exec(value);
  const text = match?.[2] ?? '';
  // Without a zone, UTC is meant.
  const moment = new Date(/[zZ]$|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`);
  if (Number.isNaN(moment.getTime())) {
    throw GlanceError.InvalidInput({ reason: `Invalid time format for ${field}: ${value}.` });
  }
  return { field, op: (match?.[1] ?? 'eq') as Comparison['op'], values: [moment.toISOString()] };
}

function flag(name: string, value: string): boolean {
  const parsed = parseBoolean(value);
  if (parsed === null)
    throw GlanceError.InvalidInput({
      reason: `Invalid value '${value}' for '${name}' filter. Valid values are case insensitive 'true' or 'false'.`,
    });
  return parsed;
}

function number(name: string, value: string): string {
  if (!/^\d{1,15}$/.test(value)) throw GlanceError.InvalidInput({ reason: `Parameter ${name} is not of type int` });
  return value;
}

function visibilityOf(value: string | null): Visibility | 'all' | null {
  if (value === null) return null;
  if (value === 'all' || (VISIBILITIES as readonly string[]).includes(value)) return value as Visibility | 'all';
  throw GlanceError.InvalidInput({ reason: `Invalid visibility value: ${value}` });
}

function memberStatusOf(value: string | null): MemberStatus | 'all' {
  if (value === null) return 'accepted';
  if (value === 'all' || (MEMBER_STATUSES as readonly string[]).includes(value)) return value as MemberStatus | 'all';
  throw GlanceError.InvalidInput({ reason: `Invalid status: ${value}` });
}
