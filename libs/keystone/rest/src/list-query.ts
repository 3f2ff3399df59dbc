import { parseBoolean, type ApiRequest } from '@nestack/kernel/http';
import type { Filter, SignedRequest } from '@nestack/keystone/domain';

type FieldType = 'text' | 'boolean';

const INEXACT = { contains: 'contains', startswith: 'startswith', endswith: 'endswith' } as const;

/**
 * The filters among a list's parameters: `name=x`, and inexact ones as `name__contains`, with an `i` before the
 * comparison when case does not matter. Everything else is ignored. upstream: keystone/server/flask/common.py
 */
export function filtersOf(query: URLSearchParams, fields: Readonly<Record<string, FieldType>>): Filter[] {
  const filters: Filter[] = [];
  for (const [key, value] of query) {
    const [field = '', comparison] = key.split('__');
    const type = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (type === undefined) continue;
    if (type === 'boolean') {
      if (comparison === undefined) filters.push({ field, op: 'eq', value: parseBoolean(value) ?? true });
      continue;
    }
    if (comparison === undefined) {
      filters.push({ field, op: 'eq', value });
      continue;
    }
    const ignoreCase = comparison.startsWith('i');
    const name = ignoreCase ? comparison.slice(1) : comparison;
    if (Object.hasOwn(INEXACT, name)) filters.push({ field, op: name as keyof typeof INEXACT, ignoreCase, value });
  }
  return filters;
}

/** A flag is on when it is there, whatever its value but 0. upstream: query_filter_is_true */
export function flag(query: URLSearchParams, name: string): boolean {
  return query.has(name) && query.get(name) !== '0';
}

/** Links of a list. */
export function listLinks(request: Pick<ApiRequest, 'baseUrl' | 'url'>): { next: null; self: string; previous: null } {
  const at = request.url.indexOf('/v3');
  return { next: null, self: `${request.baseUrl}${at < 0 ? '' : request.url.slice(at + 3)}`, previous: null };
}

/** A request as a consumer may have signed it. */
export function signedRequest(method: string, request: Pick<ApiRequest, 'baseUrl' | 'url' | 'headers'>): SignedRequest {
  const at = request.url.indexOf('/v3');
  const rest = at < 0 ? request.url : request.url.slice(at + 3);
  return { method, url: `${request.baseUrl}${rest}`, authorization: request.headers['authorization'] };
}

/** A parameter of the path. */
export function param(request: Pick<ApiRequest, 'params'>, name: string): string {
  return request.params[name] ?? '';
}

/** The attributes that keystone does not know itself: kept and shown. */
export function extraOf(body: object, known: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([key]) => !known.includes(key) && key !== 'links'));
}
