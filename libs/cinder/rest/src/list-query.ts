import { parseBoolean, parsePage, parseSort, type ApiRequest } from '@nestack/kernel/http';
import { CinderError } from '@nestack/cinder/contract';
import { isPrivileged, type ListQuery, type Metadata } from '@nestack/cinder/domain';

/** upstream: osapi_max_limit */
export const MAX_LIMIT = 1000;

/** What a list knows: its filters for everybody, those for administrators, and its sort keys. */
export interface ListKind {
  readonly filters: readonly string[];
  readonly adminFilters: readonly string[];
  readonly sortKeys: readonly string[];
  /** Names of filters and sort keys on the wire that are another column's. */
  readonly aliases?: Readonly<Record<string, string>>;
}

export interface ListRequest {
  readonly query: ListQuery;
  readonly allProjects: boolean;
  /** A filter that nothing can match was given. */
  readonly empty: boolean;
}

type Request = Pick<ApiRequest, 'rawQuery' | 'version' | 'ctx'>;

const RESERVED = new Set([
  'limit',
  'offset',
  'marker',
  'sort',
  'sort_key',
  'sort_dir',
  'all_tenants',
  'with_count',
  'metadata',
  'glance_metadata',
  'cascade',
  'force',
  'list_volume',
]);
const BOOLEANS = new Set(['bootable', 'multiattach']);
const TIMES = new Set(['created_at', 'updated_at']);

/**
 * A list's filters, order and page. Below 3.31 filters that the caller may not use are ignored; from then on they are refused.
 * upstream: cinder/api/common.py, cinder/api/v3/volumes.py
 */
export function listQueryOf(request: Request, kind: ListKind): ListRequest {
  const { rawQuery: raw, version, ctx } = request;
  const admin = isPrivileged(ctx);
  const page = parsePage(raw, { max: MAX_LIMIT });
  const allProjects = admin && flagOf(raw, 'all_tenants');
  const filters: Record<string, string | boolean> = {};
  const like: Record<string, string> = {};
  const times: ListQuery['times'][number][] = [];
  const refused: string[] = [];
  let empty = false;
  for (const [sent, value] of raw) {
    const fuzzy = sent.endsWith('~') && version.atLeast('3.34');
    const name = fuzzy ? sent.slice(0, -1) : sent;
    if (RESERVED.has(name)) continue;
    if (!kind.filters.includes(name) && !(admin && (kind.adminFilters.includes(name) || name === 'project_id'))) {
      refused.push(sent);
      empty ||= admin && !version.atLeast('3.31') && name !== 'tenant_id';
      continue;
    }
    const key = kind.aliases?.[name] ?? name;
    if (key === 'project_id' && !allProjects) continue;
    if (fuzzy) like[key] = value;
    else if (TIMES.has(key)) times.push(...timesOf(key, value));
    else filters[key] = BOOLEANS.has(key) ? (parseBoolean(value) ?? value) : value;
  }
  if (refused.length > 0 && version.atLeast('3.31'))
    throw CinderError.InvalidInput({ reason: `Invalid filters ${refused.join(', ')} are found in query options.` });
  return {
    query: {
      limit: page.limit,
      offset: offsetOf(raw),
      marker: page.marker,
      sort: sortOf(raw, kind),
      filters,
      like,
      metadata: dictionaryOf(raw.get('metadata')),
      imageMetadata: version.atLeast('3.4') ? dictionaryOf(raw.get('glance_metadata')) : null,
      times,
    },
    allProjects,
    empty,
  };
}

/** A boolean parameter in any of Python's spellings; false when it is absent. */
export function flagOf(raw: URLSearchParams, name: string): boolean {
  const value = raw.get(name);
  if (value === null) return false;
  if (value === '') return true;
  const parsed = parseBoolean(value);
  if (parsed === null) throw CinderError.InvalidInput({ reason: `Invalid value '${value}' for ${name}.` });
  return parsed;
}

/** `offset`, at least 0. */
export function offsetOf(raw: URLSearchParams): number {
  const text = raw.get('offset');
  if (text === null || text === '') return 0;
  if (!/^\d{1,15}$/.test(text)) throw CinderError.InvalidInput({ reason: 'offset param must be an integer' });
  if (Number(text) > 2_147_483_647) throw CinderError.InvalidInput({ reason: 'offset param is too large' });
  return Number(text);
}

function sortOf(raw: URLSearchParams, kind: ListKind): ListQuery['sort'] {
  const names = Object.keys(kind.aliases ?? {});
  return parseSort(raw, {
    allowed: [...kind.sortKeys, ...names],
    defaults: [
      { key: 'created_at', direction: 'desc' },
      { key: 'id', direction: 'desc' },
    ],
  }).map((one) => ({ ...one, key: kind.aliases?.[one.key] ?? one.key }));
}

/** `gt:2026-01-02T03:04:05,lt:…`; a bare time must be met exactly. upstream: 3.60 */
function timesOf(key: string, text: string): ListQuery['times'][number][] {
  return text.split(',').map((part) => {
    const match = /^(eq|neq|gt|gte|lt|lte):(.*)$/.exec(part.trim());
    const [op, time] = match === null ? ['eq', part.trim()] : [match[1] ?? 'eq', match[2] ?? ''];
    const value = new Date(/(Z|[+-]\d\d:?\d\d)$/.test(time) ? time : `${time}Z`);
    if (Number.isNaN(value.getTime()))
      throw CinderError.InvalidInput({ reason: `'${time}' is not a time for the filter ${key}.` });
    return { key, op: op as 'eq', value };
  });
}

/** A dictionary as JSON or as Python writes one: `{'key': 'value'}`. */
export function dictionaryOf(text: string | null): Metadata | null {
  if (text === null || text.trim() === '') return null;
  const entries: Record<string, string> = {};
  const inner = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1];
  const item =
    /\s*u?(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*:\s*u?(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*(?:,|$)/gy;
  let rest = inner?.trim() ?? null;
  while (rest !== null && rest !== '') {
    item.lastIndex = 0;
    const match = item.exec(rest);
    if (match === null) rest = null;
    else {
      entries[unescaped(match[1] ?? match[2] ?? '')] = unescaped(match[3] ?? match[4] ?? '');
      rest = rest.slice(item.lastIndex).trim();
    }
  }
  if (rest === null) throw CinderError.InvalidInput({ reason: `Could not evaluate the filter ${text}.` });
  return entries;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, '$1');
}
