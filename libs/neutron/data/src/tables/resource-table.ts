import type { Tx } from '@nestack/kernel/context';
import { execute, isUniqueViolation, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import type { ListQuery, RowLock, Viewer } from '@nestack/neutron/domain';
import { comparison, type ColumnType } from './comparison';

/** One attribute of a resource in SQL. */
export interface Column {
  readonly type: ColumnType;
  /** The stored column; derived from the attribute's name when absent. */
  readonly column?: string;
  /** Computed instead of stored. `{viewer}` stands for the viewer's project. */
  readonly expression?: string;
  /**
   * Gathered from other rows, for all found rows at once: a query of `id` and `value`, in which `{ids}` is the array of found
   * ids, and what stands for none. A list asks each other table once, however small the planner thinks it is.
   */
  readonly gathered?: { readonly query: string; readonly none: string };
  /** Null is a value: sorted apart. */
  readonly nullable?: boolean;
}

export interface TableDeclaration<T> {
  readonly table: string;
  readonly alias: string;
  readonly columns: { readonly [K in keyof T]: Column };
  /** Whom a row shows itself to besides those who see all; `{viewer}` is the project. */
  readonly visible: string;
  /** Filters that are not simply an attribute's value: a condition for these values, with `add` for parameters. */
  readonly filters?: Readonly<Record<string, (values: readonly string[], add: (value: unknown) => string) => string>>;
  /** Rows without `revision_number` and dates. */
  readonly plain?: boolean;
}

type Row = Record<string, unknown>;

const LOCKS: Readonly<Record<RowLock, string>> = {
  use: 'FOR KEY SHARE',
  change: 'FOR NO KEY UPDATE',
  remove: 'FOR UPDATE',
};

/** Rows of one kind of resource: found, listed, inserted and changed by the names of their attributes. */
export class ResourceTable<T extends { readonly id: string }> {
  private readonly selection: string;
  /** What is put around a query of rows to add what is gathered. */
  private readonly gathering: { readonly before: string; readonly columns: string; readonly joins: string } | null;

  constructor(readonly declaration: TableDeclaration<T>) {
    const own = this.columns().filter(([, column]) => column.gathered === undefined);
    this.selection = own.map(([name]) => `${this.expression(name)} AS "${name}"`).join(', ');
    const gathered = this.columns().flatMap(([name, column]) =>
      column.gathered === undefined ? [] : [{ name, ...column.gathered }],
    );
    this.gathering =
      gathered.length === 0
        ? null
        : {
            before: gathered
              .map((one, at) => `, g${String(at)} AS (${one.query.replaceAll('{ids}', 'ARRAY(SELECT id FROM page)')})`)
              .join(''),
            columns: gathered
              .map((one, at) => `, coalesce(g${String(at)}.value, ${one.none}) AS "${one.name}"`)
              .join(''),
            joins: gathered.map((_, at) => ` LEFT JOIN g${String(at)} ON g${String(at)}.id = page.id`).join(''),
          };
  }

  /** The rows of a query with what is gathered for them; `order` says which come first. */
  private whole(rows: string, order: string): string {
    if (this.gathering === null) return rows;
    const { before, columns, joins } = this.gathering;
    return `WITH page AS (${rows})${before} SELECT page.*${columns} FROM page${joins} ORDER BY ${order}`;
  }

  /** The resource if the viewer may see it. */
  async find(tx: Tx, id: string, viewer: Viewer, options: { readonly lock?: RowLock } = {}): Promise<T | null> {
    if (!isUuidLike(id)) return null;
    const { table, alias } = this.declaration;
    const text = `SELECT ${this.selection} FROM ${table} ${alias} WHERE ${alias}.id = $2 AND ${this.seen(viewer)}
      ${options.lock === undefined ? '' : `${LOCKS[options.lock]} OF ${alias}`}`;
    const whole = this.whole(text, '1').replaceAll('{viewer}', '$1::text');
    const row = await sqlOne<Row>(tx, whole, [viewer.projectId, id]);
    return row === null ? null : this.entity(row);
  }

  async findAll(
    tx: Tx,
    ids: readonly string[],
    viewer: Viewer,
    options: { readonly lock?: RowLock } = {},
  ): Promise<T[]> {
    const known = ids.filter((id) => isUuidLike(id));
    if (known.length === 0) return [];
    const { table, alias } = this.declaration;
    const text = `SELECT ${this.selection} FROM ${table} ${alias} WHERE ${alias}.id = ANY($2::uuid[]) AND ${this.seen(viewer)}
      ORDER BY ${alias}.id ${options.lock === undefined ? '' : `${LOCKS[options.lock]} OF ${alias}`}`;
    const whole = this.whole(text, 'page.id').replaceAll('{viewer}', '$1::text');
    const rows = await sql<Row>(tx, whole, [viewer.projectId, known]);
    return rows.map((row) => this.entity(row));
  }

  /** One statement, whatever is asked. `after` is the resource that the marker names. */
  async list(tx: Tx, viewer: Viewer, query: ListQuery, after: T | null = null): Promise<T[]> {
    const { table, alias } = this.declaration;
    const params: unknown[] = [viewer.projectId];
    const add = (value: unknown): string => `$${String(params.push(value))}`;
    const conditions = [this.seen(viewer), ...this.conditions(query, add)];
    const order = this.order(query);
    if (after !== null) conditions.push(this.beyond(order, after, add));
    const sorted = `ORDER BY ${order.map((key) => `${key.sql} ${key.direction}`).join(', ')}`;
    const place = this.gathering === null ? '' : `, row_number() OVER (${sorted}) AS "#"`;
    const text = `SELECT ${this.selection}${place} FROM ${table} ${alias} WHERE ${conditions.join(' AND ')}
      ${sorted} ${query.limit === null ? '' : `LIMIT ${String(query.limit)}`}`;
    const rows = await sql<Row>(tx, this.whole(text, 'page."#"').replaceAll('{viewer}', '$1::text'), params);
    const found = rows.map((row) => this.entity(row));
    return query.reverse ? found.reverse() : found;
  }

  /** Inserts what is stored; false when a unique index forbids it. Computed attributes are ignored. */
  async insert(tx: Tx, entity: T): Promise<boolean> {
    const stored = this.stored();
    const row = entity as unknown as Row;
    const columns = stored.map(([name]) => this.column(name));
    const values = stored.map(([name, column]) => write(column, row[name]));
    const marks = values.map((_, index) => `$${String(index + 1)}`);
    const text = `INSERT INTO ${this.declaration.table} (${columns.join(', ')}) VALUES (${marks.join(', ')})
      ON CONFLICT DO NOTHING`;
    return (await execute(tx, text, values)) === 1;
  }

  /**
   * Writes some attributes and counts the revision up. An empty change only counts it up. False when a unique index forbids it
   * (the transaction is of no use then).
   */
  async update(tx: Tx, id: string, patch: Partial<T>, at: Date): Promise<boolean> {
    const params: unknown[] = [id];
    const sets = this.stored()
      .filter(([name]) => name in patch)
      .map(([name, column]) => {
        params.push(write(column, (patch as Row)[name]));
        return `${this.column(name)} = $${String(params.length)}`;
      });
    if (this.declaration.plain !== true) {
      params.push(at);
      sets.push('revision_number = revision_number + 1', `updated_at = $${String(params.length)}`);
    }
    if (sets.length === 0) return true;
    try {
      await execute(tx, `UPDATE ${this.declaration.table} SET ${sets.join(', ')} WHERE id = $1`, params);
      return true;
    } catch (error) {
      if (isUniqueViolation(error)) return false;
      throw error;
    }
  }

  /** How many rows were there to delete. */
  async remove(tx: Tx, id: string): Promise<number> {
    return execute(tx, `DELETE FROM ${this.declaration.table} WHERE id = $1`, [id]);
  }

  private seen(viewer: Viewer): string {
    // Without the comparison a statement that does not use the parameter would not know its type.
    return viewer.all ? '({viewer} IS NULL OR true)' : `(${this.declaration.visible})`;
  }

  private conditions(query: ListQuery, add: (value: unknown) => string): string[] {
    const found: string[] = [];
    for (const [name, values] of query.filters) {
      const own = this.declaration.filters?.[name];
      if (own !== undefined) found.push(own(values, add));
      else if (Object.hasOwn(this.declaration.columns, name))
        found.push(comparison(this.expression(name), this.columnOf(name), values, add));
    }
    return found;
  }

  private order(query: ListQuery): { sql: string; direction: 'asc' | 'desc'; value: (entity: Row) => unknown }[] {
    const keys = query.sort.filter((one) => Object.hasOwn(this.declaration.columns, one.key));
    const all = keys.some((one) => one.key === 'id') ? keys : [...keys, { key: 'id', direction: 'asc' as const }];
    return all.flatMap(({ key, direction }) => {
      const turned = query.reverse ? (direction === 'asc' ? 'desc' : 'asc') : direction;
      const expression = this.expression(key);
      const value = (entity: Row): unknown => entity[key];
      const itself = { sql: expression, direction: turned, value } as const;
      if (this.columnOf(key).nullable !== true) return [itself];
      return [
        { sql: `(${expression} IS NULL)`, direction: turned, value: (entity: Row) => entity[key] === null },
        itself,
      ];
    });
  }

  /** Rows behind the marker's, by keys of mixed directions. */
  private beyond(
    order: readonly { sql: string; direction: 'asc' | 'desc'; value: (entity: Row) => unknown }[],
    after: T,
    add: (value: unknown) => string,
  ): string {
    const row = after as unknown as Row;
    const marks = order.map((key) => {
      const value = key.value(row);
      return add(value instanceof Date ? value.toISOString() : value);
    });
    const alternatives = order.map((key, index) => {
      const equal = order.slice(0, index).map((one, at) => `${one.sql} IS NOT DISTINCT FROM ${marks[at] ?? ''}`);
      return `(${[...equal, `${key.sql} ${key.direction === 'asc' ? '>' : '<'} ${marks[index] ?? ''}`].join(' AND ')})`;
    });
    return `(${alternatives.join(' OR ')})`;
  }

  private columns(): [string, Column][] {
    return Object.entries(this.declaration.columns as Record<string, Column>);
  }

  private stored(): [string, Column][] {
    return this.columns().filter(([, column]) => column.expression === undefined && column.gathered === undefined);
  }

  private columnOf(name: string): Column {
    return (this.declaration.columns as Record<string, Column>)[name] ?? { type: 'text' };
  }

  private column(name: string): string {
    return `"${this.columnOf(name).column ?? name.replace(':', '_')}"`;
  }

  private expression(name: string): string {
    const own = this.columnOf(name).expression;
    return own === undefined ? `${this.declaration.alias}.${this.column(name)}` : `(${own})`;
  }

  private entity(row: Row): T {
    return row as unknown as T;
  }
}

function write(column: Column, value: unknown): unknown {
  return column.type === 'json' && value !== null && value !== undefined ? JSON.stringify(value) : (value ?? null);
}
