import type { ListQuery } from '@nestack/neutron/domain';

/** Filters and sorts a short list that is read as a whole. */
export function inMemory<T extends object>(
  items: readonly T[],
  query: ListQuery,
  matches: (item: T, name: string, values: readonly string[]) => boolean,
): T[] {
  const found = items.filter((item) => [...query.filters].every(([name, values]) => matches(item, name, values)));
  const value = (item: T, key: string): string => {
    const one = (item as Readonly<Record<string, unknown>>)[key];
    return one instanceof Date ? one.toISOString() : String(one ?? '');
  };
  return found.sort((a, b) => {
    for (const { key, direction } of query.sort) {
      const order = value(a, key) < value(b, key) ? -1 : value(a, key) > value(b, key) ? 1 : 0;
      if (order !== 0) return direction === 'asc' ? order : -order;
    }
    return 0;
  });
}
