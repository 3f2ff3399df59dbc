import { parsePage, parseSort } from '@nestack/kernel/http';
import { GlanceError } from '@nestack/glance/contract';
import type { NamespaceQuery, PartQuery } from '@nestack/glance/domain';

/** Upstream's `limit_param_default` and `api_limit_max`. */
const DEFAULT_LIMIT = 25;
const MAX_LIMIT = 1000;

const NAMESPACE_KEYS = ['namespace', 'display_name', 'visibility', 'owner', 'created_at', 'updated_at'];
const PART_KEYS = ['name', 'created_at', 'updated_at'];
const NEWEST = { key: 'created_at', direction: 'desc' } as const;

/** Filters, order and page of a list of namespaces. */
export function namespaceQueryOf(query: URLSearchParams): NamespaceQuery {
  const visibility = query.get('visibility');
  if (visibility !== null && visibility !== '' && visibility !== 'public' && visibility !== 'private')
    throw GlanceError.InvalidInput({ reason: `Invalid visibility value: ${visibility}` });
  const types = query.get('resource_types');
  const [sort = NEWEST] = parseSort(query, { allowed: NAMESPACE_KEYS, defaults: [NEWEST], direction: 'desc' });
  return {
    visibility: visibility === '' ? null : visibility,
    resourceTypes: types === null || types === '' ? null : types.split(','),
    sort,
    ...parsePage(query, { max: MAX_LIMIT, absent: DEFAULT_LIMIT }),
  };
}

/** Order and page of a list of tags: all of them, unless a limit is given. */
export function partQueryOf(query: URLSearchParams): PartQuery {
  const [sort = NEWEST] = parseSort(query, { allowed: PART_KEYS, defaults: [NEWEST], direction: 'desc' });
  const page = parsePage(query, { max: MAX_LIMIT });
  return { sort, marker: page.marker, limit: (query.get('limit') ?? '') === '' ? null : page.limit };
}
