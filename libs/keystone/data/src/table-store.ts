import type { Tx } from '@nestack/kernel/context';
import { execute, isUniqueViolation, sql, sqlOne } from '@nestack/kernel/db';
import { KeystoneError } from '@nestack/keystone/contract';
import type { Filter, Store } from '@nestack/keystone/domain';

/** How rows of one kind lie in their table. */
export interface TableSpec<T> {
  readonly table: string;
  /** What a conflict calls it: `user`. */
  readonly kind: string;
  readonly columns: readonly (keyof T & string)[];
  /** Columns of moments that are read and written to the microsecond, as text. */
  readonly moments?: readonly (keyof T & string)[];
  /** Columns that hold JSON. */
  readonly json: readonly (keyof T & string)[];
  /** What a row that is there already has in common with a new one: `name x at domain ID y`. */
  readonly clash: (row: Partial<T>) => string;
}

/** Values of a statement under construction. */
export class Params {
  readonly values: unknown[] = [];

  /** The placeholder of a value. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${String(this.values.length)}`;
  }
}

/** One table with the operations that all kinds of rows have in common. */
export class TableStore<T extends { readonly id: string }> implements Store<T> {
  /** For SELECT and RETURNING. */
  protected readonly columns: string;

  constructor(protected readonly spec: TableSpec<T>) {
    this.columns = this.columnsOf(spec.table);
  }

  /** The columns of a table or its alias. */
  columnsOf(alias: string): string {
    return this.spec.columns
      .map((column) =>
        this.spec.moments?.includes(column) === true
          ? `to_char(${alias}.${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS ${column}`
          : `${alias}.${column}`,
      )
      .join(', ');
  }

  async find(tx: Tx, id: string, { lock = false }: { readonly lock?: boolean } = {}): Promise<T | null> {
    const text = `SELECT ${this.columns} FROM ${this.spec.table} WHERE id = $1${lock ? ' FOR NO KEY UPDATE' : ''}`;
    return sqlOne<T>(tx, text, [id]);
  }

  async list(tx: Tx, filters: readonly Filter[] = []): Promise<T[]> {
    const params = new Params();
    const where = filters.map((filter) => this.condition(filter, params));
    return sql<T>(
      tx,
      `SELECT ${this.columns} FROM ${this.spec.table} ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`} ORDER BY seq`,
      params.values,
    );
  }

  async insert(tx: Tx, row: T): Promise<T> {
    const params = new Params();
    const values = this.spec.columns.map((column) => params.add(this.value(column, row[column])));
    const text = `INSERT INTO ${this.spec.table} (${this.spec.columns.join(', ')}) VALUES (${values.join(', ')}) RETURNING ${this.columns}`;
    const [made] = await this.unclashed(row, () => sql<T>(tx, text, params.values));
    return made ?? row;
  }

  async update(tx: Tx, id: string, fields: Partial<T>): Promise<T | null> {
    const params = new Params();
    const sets = this.spec.columns
      .filter((column) => column !== 'id' && fields[column] !== undefined)
      .map((column) => `${column} = ${params.add(this.value(column, fields[column]))}`);
    if (sets.length === 0) return this.find(tx, id);
    const text = `UPDATE ${this.spec.table} SET ${sets.join(', ')} WHERE id = ${params.add(id)} RETURNING ${this.columns}`;
    const rows = await this.unclashed(fields, () => sql<T>(tx, text, params.values));
    return rows[0] ?? null;
  }

  async remove(tx: Tx, id: string): Promise<boolean> {
    return (await execute(tx, `DELETE FROM ${this.spec.table} WHERE id = $1`, [id])) > 0;
  }

  private async unclashed<R>(row: Partial<T>, fn: () => Promise<R>): Promise<R> {
    try {
      return await fn();
    } catch (error) {
      if (isUniqueViolation(error))
        throw KeystoneError.Duplicate({ type: this.spec.kind, what: this.spec.clash(row) }, { cause: error });
      throw error;
    }
  }

  private value(column: keyof T & string, value: unknown): unknown {
    if (this.spec.moments?.includes(column) === true && typeof value === 'string') return `${value}Z`;
    return this.spec.json.includes(column) ? JSON.stringify(value) : value;
  }

  private condition(filter: Filter, params: Params): string {
    const { field, value } = filter;
    if (!(this.spec.columns as readonly string[]).includes(field)) {
      throw new Error(`${this.spec.table} has no column ${field}`);
    }
    const column = filter.ignoreCase === true ? `lower(${field})` : field;
    const right = (): string => (filter.ignoreCase === true ? `lower(${params.add(value)})` : params.add(value));
    switch (filter.op) {
      case 'eq':
        return value === null ? `${field} IS NULL` : `${column} = ${right()}`;
      case 'ne':
        return value === null ? `${field} IS NOT NULL` : `${column} <> ${right()}`;
      case 'lt':
      case 'lte':
      case 'gt':
      case 'gte':
        return `${column} ${COMPARE[filter.op]} ${right()}`;
      case 'in':
        return `${field} = ANY (${params.add(value)}::text[])`;
      case 'contains':
        return `position(${right()} IN ${column}) > 0`;
      case 'startswith':
        return `starts_with(${column}, ${right()})`;
      case 'endswith': {
        const text = right();
        return `right(${column}, length(${text})) = ${text}`;
      }
      case 'has-all':
        return `${field} @> ${params.add(value)}::text[]`;
      case 'has-any':
        return `${field} && ${params.add(value)}::text[]`;
      case 'not-all':
        return `NOT (${field} @> ${params.add(value)}::text[])`;
      case 'not-any':
        return `NOT (${field} && ${params.add(value)}::text[])`;
    }
  }
}

const COMPARE = { lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;
