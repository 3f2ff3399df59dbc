import { NovaError } from '@nestack/nova/contract';
import type { ApiRequest } from '@nestack/kernel/http';
import { MAX_LIMIT } from '../servers/list-query';

/** The part of a list that `limit` and `offset` name. upstream: nova/api/openstack/common.py limited */
export function limited<T>(items: readonly T[], { rawQuery }: Pick<ApiRequest, 'rawQuery'>): readonly T[] {
  const number = (key: string): number | null => {
    const text = rawQuery.get(key);
    if (text === null || text === '') return null;
    if (!/^\d{1,15}$/.test(text)) throw NovaError.BadRequest({ reason: `${key} param must be an integer` });
    return Number(text);
  };
  const offset = number('offset') ?? 0;
  const limit = Math.min(number('limit') ?? MAX_LIMIT, MAX_LIMIT);
  return items.slice(offset, offset + limit);
}
