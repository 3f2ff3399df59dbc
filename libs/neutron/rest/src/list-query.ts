import { parseIsoTime } from '@nestack/kernel/clock';
import type { DomainError } from '@nestack/kernel/errors';
import { parseBoolean, type ApiRequest } from '@nestack/kernel/http';
import { NeutronError, filtersOf, type Resource } from '@nestack/neutron/contract';
import type { ListQuery } from '@nestack/neutron/domain';

const CONTROLS = new Set(['fields', 'sort_key', 'sort_dir', 'limit', 'marker', 'page_reverse']);

const shown = (names: readonly string[]): string => `[${names.map((name) => `'${name}'`).join(', ')}]`;

/** What a list request asks for. upstream: neutron/api/api_common.py */
export function listQueryOf(resource: Resource, query: URLSearchParams): ListQuery {
  return {
    filters: filters(resource, query),
    sort: sorting(resource, query),
    limit: limitOf(query),
    marker: query.get('marker') === '' ? null : query.get('marker'),
    reverse: query.get('page_reverse')?.toLowerCase() === 'true',
  };
}

function filters(resource: Resource, query: URLSearchParams): Map<string, string[]> {
  const known = new Set(filtersOf(resource));
  const found = new Map<string, string[]>();
  const unknown: string[] = [];
  const names = new Set([...query.keys()].filter((name) => !CONTROLS.has(name)));
  for (const name of names) {
    if (!known.has(name)) {
      unknown.push(name);
      continue;
    }
    const values = query.getAll(name).map((value) => checked(resource, name, value));
    const own = resource.attributes[name]?.aliasOf ?? name;
    found.set(own, [...(found.get(own) ?? []), ...values]);
  }
  if (unknown.length > 0)
    throw NeutronError.HTTPBadRequest({ reason: `${shown(unknown)} is invalid attribute for filtering` });
  if (names.has('tenant_id') && names.has('project_id')) throw NeutronError.TenantIdProjectIdFilterConflict();
  return found;
}

/** Values that an attribute of this kind cannot have are refused where upstream converts them. */
function checked(resource: Resource, name: string, value: string): string {
  if (name === 'changed_since') {
    const moment = parseIsoTime(value);
    if (moment === null)
      throw NeutronError.InvalidInput({
        error_message: `The input changed_since must be in the following format: YYYY-MM-DDTHH:MM:SS[Z]`,
      });
    return moment.toISOString();
  }
  const type = (resource.attributes[name]?.kind.schema as { type?: string } | undefined)?.type;
  if (type === 'boolean' && parseBoolean(value) === null)
    throw NeutronError.InvalidInput({ error_message: `'${value}' cannot be converted to boolean` });
  if (type === 'integer' && !/^\s*[+-]?\d+\s*$/.test(value))
    throw NeutronError.InvalidInput({ error_message: `'${value}' is not an integer` });
  return value;
}

function sorting(resource: Resource, query: URLSearchParams): ListQuery['sort'] {
  const keys = query.getAll('sort_key').filter((key) => key !== '');
  const dirs = query.getAll('sort_dir').filter((dir) => dir !== '');
  if (keys.length !== dirs.length)
    throw NeutronError.HTTPBadRequest({ reason: 'The number of sort_keys and sort_dirs must be same' });
  const absent = keys.filter((key) => resource.attributes[key]?.sort !== true);
  if (absent.length > 0)
    throw NeutronError.HTTPBadRequest({ reason: `${shown(absent)} is invalid attribute for sort_keys` });
  const wrong = dirs.filter((dir) => dir !== 'asc' && dir !== 'desc');
  if (wrong.length > 0)
    throw NeutronError.HTTPBadRequest({
      reason: `${shown(wrong)} is invalid value for sort_dirs, valid value is 'asc' and 'desc'`,
    });
  return keys.map((key, index) => ({
    key: resource.attributes[key]?.aliasOf ?? key,
    direction: dirs[index] === 'desc' ? 'desc' : 'asc',
  }));
}

function limitOf(query: URLSearchParams): number | null {
  const text = query.get('limit');
  if (text === null) return null;
  if (!/^\s*\+?\d{1,9}\s*$/.test(text))
    throw NeutronError.BadRequest({
      resource: 'limit',
      msg: `Limit must be an integer 0 or greater and not '${text}'`,
    });
  return Number(text) === 0 ? null : Number(text);
}

/** Links to the pages beside this one. */
export function pageLinks(
  request: Pick<ApiRequest, 'baseUrl' | 'rawQuery'>,
  path: string,
  query: ListQuery,
  ids: readonly string[],
): { rel: string; href: string }[] {
  if (query.limit === null) return [];
  const short = ids.length < query.limit;
  const href = (marker: string | undefined, reverse: boolean): string => {
    const params = new URLSearchParams(request.rawQuery);
    params.delete('marker');
    params.delete('page_reverse');
    if (marker !== undefined) params.set('marker', marker);
    if (reverse) params.set('page_reverse', 'True');
    return `${request.baseUrl}${path}?${params.toString()}`;
  };
  return [
    ...(short && !query.reverse ? [] : [{ rel: 'next', href: href(ids.at(-1), false) }]),
    ...(short && query.reverse ? [] : [{ rel: 'previous', href: href(ids[0], true) }]),
  ];
}

/** The revision that a client means to change (`If-Match: revision_number=3`), or null. */
export function revisionOf(headers: Readonly<Record<string, string | undefined>>): number | null {
  const tags = (headers['if-match'] ?? '')
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, '').replaceAll('"', ''))
    .filter((tag) => tag.startsWith('revision_number='));
  const [tag] = tags;
  if (tag === undefined) return null;
  if (tags.length > 1)
    throw NeutronError.BadRequest({ resource: 'if-match', msg: 'Multiple revision_number etags are not supported' });
  const number = tag.slice('revision_number='.length);
  if (!/^\d{1,9}$/.test(number))
    throw NeutronError.BadRequest({
      resource: 'if-match',
      msg: 'Revision number etag must be in the format of revision_number=<int>',
    });
  return Number(number);
}

/** 404 without more words: what the caller may not even look at. */
export function hidden(): DomainError {
  return NeutronError.HTTPNotFound();
}
