import { DomainError } from '@nestack/kernel/errors';

export interface PageRequest {
  /** At most the service's maximum; never 0 unless asked for. */
  readonly limit: number;
  /** The last id of the page before, or null. */
  readonly marker: string | null;
}

/**
 * `limit` and `marker` of a list request. A limit above the service's maximum is cut down to it; a negative one or a word is
 * 400 with nova's text. `absent` is the limit when none is given (glance 25, others their maximum).
 */
export function parsePage(
  query: URLSearchParams,
  options: { readonly max: number; readonly absent?: number },
): PageRequest {
  const text = query.get('limit');
  const marker = query.get('marker');
  let limit = options.absent ?? options.max;
  if (text !== null && text !== '') {
    if (!/^\d{1,15}$/.test(text)) {
      throw new DomainError({
        kind: 'badRequest',
        code: 'InvalidInput',
        message: /^-\d+$/.test(text) ? 'limit param must be positive' : 'limit param must be an integer',
      });
    }
    limit = Math.min(Number(text), options.max);
  }
  return { limit, marker: marker === '' ? null : marker };
}

/** The query of the next page: everything that was asked, with the marker put in its place. */
export function nextQuery(query: URLSearchParams, marker: string): string {
  const next = new URLSearchParams(query);
  next.delete('marker');
  next.append('marker', marker);
  return next.toString();
}

/** `[{rel: 'next', href}]` of nova, cinder and neutron, absolute; empty unless the page is full. */
export function nextLinks(
  request: { readonly baseUrl: string; readonly rawQuery: URLSearchParams },
  path: string,
  page: { readonly count: number; readonly limit: number; readonly lastId: string | undefined },
): { rel: 'next'; href: string }[] {
  if (page.lastId === undefined || page.count < page.limit) return [];
  return [{ rel: 'next', href: `${request.baseUrl}${path}?${nextQuery(request.rawQuery, page.lastId)}` }];
}

export interface SortKey {
  readonly key: string;
  readonly direction: 'asc' | 'desc';
}

/**
 * Sort keys in order: repeated `sort_key` with `sort_dir` (a missing direction is `direction`), or `sort=key:dir,key`.
 * Keys outside `allowed` and other directions are 400.
 */
export function parseSort(
  query: URLSearchParams,
  options: {
    readonly allowed: readonly string[];
    readonly defaults: readonly SortKey[];
    readonly direction?: 'asc' | 'desc';
  },
): SortKey[] {
  const fallback = options.direction ?? 'desc';
  const combined = query.getAll('sort').filter((text) => text !== '');
  const keys = query.getAll('sort_key').filter((text) => text !== '');
  const dirs = query.getAll('sort_dir');
  if (combined.length > 0 && (keys.length > 0 || dirs.length > 0)) {
    throw invalid(
      'The "sort_key" and "sort_dir" parameters are deprecated and cannot be used with the "sort" parameter.',
    );
  }
  const pairs: (readonly [string, string])[] =
    combined.length > 0
      ? combined
          .flatMap((text) => text.split(','))
          .map((text) => {
            const [key = '', dir = fallback] = text.trim().split(':');
            return [key, dir] as const;
          })
      : keys.map((key, index) => [key, dirs[index] ?? dirs.at(-1) ?? fallback] as const);
  if (pairs.length === 0) {
    const dir = dirs[0];
    return dir === undefined
      ? [...options.defaults]
      : options.defaults.map((one) => ({ key: one.key, direction: direction(dir) }));
  }
  return pairs.map(([key, dir]) => {
    if (!options.allowed.includes(key)) throw invalid(`Sort key supplied is invalid: ${key}`);
    return { key, direction: direction(dir) };
  });
}

function direction(text: string): 'asc' | 'desc' {
  if (text === 'asc' || text === 'desc') return text;
  throw invalid(`Invalid sort direction: ${text}`);
}

/** The names in repeated `fields` parameters (commas allowed), or null when all are wanted. */
export function parseFields(query: URLSearchParams): ReadonlySet<string> | null {
  const names = query
    .getAll('fields')
    .flatMap((text) => text.split(','))
    .filter((name) => name !== '');
  return names.length === 0 ? null : new Set(names);
}

/** The object with only the wanted keys. */
export function selectFields<T extends object>(item: T, fields: ReadonlySet<string> | null): Partial<T> {
  if (fields === null) return item;
  return Object.fromEntries(Object.entries(item).filter(([key]) => fields.has(key))) as Partial<T>;
}

function invalid(message: string): DomainError {
  return new DomainError({ kind: 'badRequest', code: 'InvalidInput', message });
}
