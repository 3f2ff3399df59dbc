import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { STANDARD_RESOURCE_CLASSES, standardTraits } from '@nestack/placement/contract';
import type { NameRepository, ResourceClass, Trait, TraitFilter } from '@nestack/placement/domain';

/** Resource classes and traits in PostgreSQL. That the standard ones exist is known without asking. */
export class NamesRepository implements NameRepository {
  readonly #classes: ReadonlySet<string> = new Set(STANDARD_RESOURCE_CLASSES);
  readonly #traits: ReadonlySet<string> = new Set(standardTraits());

  async classes(tx: Tx): Promise<readonly ResourceClass[]> {
    return sql<ResourceClass>(tx, 'SELECT name, created_at, updated_at FROM resource_class ORDER BY seq');
  }

  async findClass(tx: Tx, name: string): Promise<ResourceClass | null> {
    return sqlOne<ResourceClass>(tx, 'SELECT name, created_at, updated_at FROM resource_class WHERE name = $1', [name]);
  }

  async insertClass(tx: Tx, name: string): Promise<boolean> {
    return (await execute(tx, 'INSERT INTO resource_class (name) VALUES ($1) ON CONFLICT DO NOTHING', [name])) === 1;
  }

  async renameClass(tx: Tx, name: string, to: string): Promise<boolean> {
    const changed = await execute(
      tx,
      `UPDATE resource_class SET name = $2, updated_at = clock_timestamp()
       WHERE name = $1 AND ($1 = $2 OR NOT EXISTS (SELECT 1 FROM resource_class WHERE name = $2))`,
      [name, to],
    );
    return changed === 1;
  }

  async removeClass(tx: Tx, name: string): Promise<boolean> {
    const changed = await execute(
      tx,
      'DELETE FROM resource_class WHERE name = $1 AND NOT EXISTS (SELECT 1 FROM inventory WHERE resource_class = $1)',
      [name],
    );
    return changed === 1;
  }

  async unknownClasses(tx: Tx, names: readonly string[]): Promise<readonly string[]> {
    return this.#unknown(tx, 'resource_class', this.#classes, names);
  }

  async traits(tx: Tx, filter: TraitFilter): Promise<readonly Trait[]> {
    return sql<Trait>(
      tx,
      `SELECT name, created_at FROM trait t WHERE ($1::text[] IS NULL OR name = ANY ($1)) AND ($2::text IS NULL OR starts_with(name, $2))
         AND ($3::boolean IS NULL OR $3 = EXISTS (SELECT 1 FROM provider_trait p WHERE p.trait = t.name)) ORDER BY name`,
      [filter.names ?? null, filter.prefix ?? null, filter.associated ?? null],
    );
  }

  async findTrait(tx: Tx, name: string): Promise<Trait | null> {
    return sqlOne<Trait>(tx, 'SELECT name, created_at FROM trait WHERE name = $1', [name]);
  }

  async insertTrait(tx: Tx, name: string): Promise<boolean> {
    return (await execute(tx, 'INSERT INTO trait (name) VALUES ($1) ON CONFLICT DO NOTHING', [name])) === 1;
  }

  async removeTrait(tx: Tx, name: string): Promise<boolean> {
    const changed = await execute(
      tx,
      'DELETE FROM trait WHERE name = $1 AND NOT EXISTS (SELECT 1 FROM provider_trait WHERE trait = $1)',
      [name],
    );
    return changed === 1;
  }

  async unknownTraits(tx: Tx, names: readonly string[]): Promise<readonly string[]> {
    return this.#unknown(tx, 'trait', this.#traits, names);
  }

  async #unknown(
    tx: Tx,
    table: 'trait' | 'resource_class',
    standard: ReadonlySet<string>,
    names: readonly string[],
  ): Promise<readonly string[]> {
    const doubtful = [...new Set(names)].filter((name) => !standard.has(name));
    if (doubtful.length === 0) return [];
    const rows = await sql<{ name: string }>(
      tx,
      `SELECT name FROM unnest($1::text[]) AS n (name) WHERE NOT EXISTS (SELECT 1 FROM ${table} t WHERE t.name = n.name)`,
      [doubtful],
    );
    return rows.map((row) => row.name);
  }
}
