import { parseIsoTime } from '@nestack/kernel/clock';
import { parseCidr, parseIp } from '@nestack/neutron/contract';
import { isUuidLike } from '@nestack/kernel/ids';

export type ColumnType =
  'uuid' | 'text' | 'boolean' | 'integer' | 'inet' | 'cidr' | 'timestamp' | 'json' | 'texts' | 'uuids';

const TRUE = new Set(['1', 't', 'true', 'on', 'y', 'yes']);
const FALSE = new Set(['0', 'f', 'false', 'off', 'n', 'no']);

/** What of the values can be equal to a column's at all. */
function usable(type: ColumnType, values: readonly string[]): unknown[] {
  switch (type) {
    case 'uuid':
    case 'uuids':
      return values.filter((value) => isUuidLike(value));
    case 'boolean':
      return values.flatMap((value) => {
        const word = value.trim().toLowerCase();
        return TRUE.has(word) ? [true] : FALSE.has(word) ? [false] : [];
      });
    case 'integer':
      return values.filter((value) => /^\s*[+-]?\d{1,9}\s*$/.test(value)).map(Number);
    case 'inet':
      return values.filter((value) => parseIp(value) !== null);
    case 'cidr':
      return values.filter((value) => {
        const network = parseCidr(value);
        return network !== null && network.ip === network.first;
      });
    case 'timestamp':
      return values.flatMap((value) => parseIsoTime(value) ?? []);
    case 'text':
    case 'texts':
    case 'json':
      return [...values];
  }
}

const SQL_TYPE: Readonly<Record<ColumnType, string>> = {
  uuid: 'uuid',
  uuids: 'uuid',
  text: 'text',
  texts: 'text',
  boolean: 'boolean',
  integer: 'integer',
  inet: 'inet',
  cidr: 'cidr',
  timestamp: 'timestamptz',
  json: 'text',
};

/** A condition: the expression equals one of the values (or, for a list, has one of them). */
export function comparison(
  expression: string,
  column: { readonly type: ColumnType; readonly nullable?: boolean },
  values: readonly string[],
  add: (value: unknown) => string,
): string {
  const fit = usable(column.type, values);
  const nothing = column.nullable === true && values.some((value) => value === '' || value === 'None');
  const either = nothing ? [`${expression} IS NULL`] : [];
  if (fit.length > 0) {
    const mark = `${add(fit)}::${SQL_TYPE[column.type]}[]`;
    if (column.type === 'texts' || column.type === 'uuids') either.push(`${expression} && ${mark}`);
    // Dates are shown to the second.
    else if (column.type === 'timestamp') either.push(`date_trunc('second', ${expression}) = ANY(${mark})`);
    else if (column.type === 'json') either.push(`${expression}::text = ANY(${mark})`);
    else either.push(`${expression} = ANY(${mark})`);
  }
  return either.length === 0 ? 'false' : `(${either.join(' OR ')})`;
}

const list = (values: readonly string[]): string[] =>
  values.flatMap((value) => value.split(',')).filter((tag) => tag !== '');

/** The four filters by tags. upstream: neutron_lib/db/utils or neutron/objects/extensions/standardattributes */
export function tagFilters(alias: string) {
  const filter =
    (condition: (mark: string) => string) =>
    (values: readonly string[], add: (value: unknown) => string): string =>
      condition(`${add(list(values))}::text[]`);
  return {
    tags: filter((mark) => `${alias}.tags @> ${mark}`),
    'tags-any': filter((mark) => `${alias}.tags && ${mark}`),
    'not-tags': filter((mark) => `NOT ${alias}.tags @> ${mark}`),
    'not-tags-any': filter((mark) => `NOT ${alias}.tags && ${mark}`),
    changed_since: (values: readonly string[], add: (value: unknown) => string): string =>
      `${alias}.updated_at >= ${add(values.at(-1) ?? '')}::timestamptz`,
  };
}
