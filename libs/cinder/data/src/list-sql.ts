import type { ListQuery } from '@nestack/cinder/domain';
import { CinderError } from '@nestack/cinder/contract';

/** Collects a statement's parameters. */
export class Params {
  readonly values: unknown[] = [];

  add(value: unknown): string {
    this.values.push(value);
    return `$${String(this.values.length)}`;
  }
}

/** A key that lists filter and sort by: its expression, its type, and what stands for null in an order. */
export interface ListColumn {
  readonly sql: string;
  readonly type: 'text' | 'uuid' | 'integer' | 'boolean' | 'timestamptz';
  /** Columns that are never null keep their index. */
  readonly nullable?: boolean;
}

export type ListColumns = Readonly<Record<string, ListColumn>>;

const ABSENT: Readonly<Record<ListColumn['type'], string>> = {
  text: "''",
  uuid: "'00000000-0000-0000-0000-000000000000'::uuid",
  integer: '-1',
  boolean: 'false',
  timestamptz: "'epoch'::timestamptz",
};

const OPERATORS = { eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

/** Conditions of a list's filters. */
export function filterConditions(columns: ListColumns, query: ListQuery, params: Params): string[] {
  const where: string[] = [];
  for (const [key, value] of Object.entries(query.filters)) {
    const column = columnOf(columns, key);
    where.push(equals(column, value, params));
  }
  for (const [key, text] of Object.entries(query.like)) {
    const escaped = text.replace(/[\\%_]/g, (one) => `\\${one}`);
    where.push(`${columnOf(columns, key).sql}::text LIKE ${params.add(`%${escaped}%`)}`);
  }
  // Times are compared as they are shown.
  for (const { key, op, value } of query.times)
    where.push(
      `date_trunc('milliseconds', ${columnOf(columns, key).sql}) ${OPERATORS[op]} ${params.add(value)}::timestamptz`,
    );
  return where;
}

function equals(column: ListColumn, value: string | boolean, params: Params): string {
  const text = String(value);
  // What is no value of the column's type cannot match; in the statement it would be an error.
  if (column.type === 'uuid' && !/^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text)) return 'false';
  if (column.type === 'integer' && !/^-?\d{1,9}$/.test(text)) return 'false';
  if (column.type === 'boolean' && !/^(true|false)$/i.test(text)) return 'false';
  return `${column.sql} = ${params.add(text)}::${column.type}`;
}

/** `ORDER BY` of a list, and the condition that begins it behind its marker. */
export function ordering(
  columns: ListColumns,
  sort: ListQuery['sort'],
  marker: Readonly<Record<string, unknown>> | null,
  params: Params,
): { readonly order: string; readonly after: string | null } {
  const keys = withId(sort).map((one) => ({ ...one, column: columnOf(columns, one.key) }));
  const order = keys.map((one) => `${expression(one.column)} ${one.direction}`).join(', ');
  if (marker === null) return { order, after: null };
  const alternatives: string[] = [];
  const equal: string[] = [];
  for (const { key, direction, column } of keys) {
    const value = `COALESCE(${params.add(marker[key])}::${column.type}, ${ABSENT[column.type]})`;
    alternatives.push([...equal, `${expression(column)} ${direction === 'asc' ? '>' : '<'} ${value}`].join(' AND '));
    equal.push(`${expression(column)} = ${value}`);
  }
  return { order, after: `(${alternatives.map((one) => `(${one})`).join(' OR ')})` };
}

/** Every order ends in the id, so that no two rows are equal in it. */
function withId(sort: ListQuery['sort']): ListQuery['sort'] {
  const last = sort.at(-1)?.direction ?? 'desc';
  return sort.some((one) => one.key === 'id') ? sort : [...sort, { key: 'id', direction: last }];
}

function expression(column: ListColumn): string {
  return column.nullable === true ? `COALESCE(${column.sql}, ${ABSENT[column.type]})` : column.sql;
}

function columnOf(columns: ListColumns, key: string): ListColumn {
  const column = Object.hasOwn(columns, key) ? columns[key] : undefined;
  if (column === undefined) throw CinderError.InvalidInput({ reason: `Sort key supplied is invalid: ${key}` });
  return column;
}

/** `SET` of an update; JSON columns are written as text. */
export function assignments(
  changes: Readonly<Record<string, unknown>>,
  json: ReadonlySet<string>,
  params: Params,
): string[] {
  return Object.entries(changes)
    .filter(([, value]) => value !== undefined)
    .map(([column, value]) => {
      if (!/^[a-z_]+$/.test(column)) throw new Error(`no column: ${column}`);
      return `${column} = ${params.add(json.has(column) && value !== null ? JSON.stringify(value) : value)}`;
    });
}
