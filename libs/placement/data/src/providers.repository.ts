import type { Tx } from '@nestack/kernel/context';
import { execute, isUniqueViolation, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { PlacementError } from '@nestack/placement/contract';
import type { Provider, ProviderFilter, ProviderRepository, Trait } from '@nestack/placement/domain';
import { hasRoom, Params, providerConditions } from './conditions';

const COLUMNS = `p.id, p.uuid, p.name, p.generation, p.root_id, r.uuid AS root_uuid, p.parent_id, q.uuid AS parent_uuid,
  p.created_at, p.updated_at`;
const FROM = `resource_provider p JOIN resource_provider r ON r.id = p.root_id
  LEFT JOIN resource_provider q ON q.id = p.parent_id`;

/** Resource providers in PostgreSQL. */
export class ProvidersRepository implements ProviderRepository {
  async insert(
    tx: Tx,
    provider: { readonly uuid: string; readonly name: string; readonly parent: Provider | null },
  ): Promise<Provider> {
    const { uuid, name, parent } = provider;
    await taken(
      { uuid, name },
      execute(
        tx,
        `INSERT INTO resource_provider (id, uuid, name, root_id, parent_id)
         SELECT n.id, $1, $2, COALESCE($3, n.id), $4 FROM (SELECT nextval('resource_provider_id')::integer AS id) n`,
        [uuid, name, parent?.root_id ?? null, parent?.id ?? null],
      ),
    );
    return this.#found(tx, uuid);
  }

  async find(tx: Tx, uuid: string, options: { readonly lock?: boolean } = {}): Promise<Provider | null> {
    if (!isUuidLike(uuid)) return null;
    const lock = options.lock === true ? 'FOR NO KEY UPDATE OF p' : '';
    return sqlOne<Provider>(tx, `SELECT ${COLUMNS} FROM ${FROM} WHERE p.uuid = $1 ${lock}`, [uuid]);
  }

  async list(tx: Tx, filter: ProviderFilter): Promise<readonly Provider[]> {
    const params = new Params();
    const where = ['true', ...providerConditions('p', filter, params)];
    if (filter.name !== null) where.push(`p.name = ${params.add(filter.name)}`);
    if (filter.uuid !== null) where.push(`p.uuid = ${params.add(filter.uuid)}`);
    if (filter.inTree !== null)
      where.push(`p.root_id = (SELECT root_id FROM resource_provider WHERE uuid = ${params.add(filter.inTree)})`);
    for (const [resourceClass, amount] of Object.entries(filter.resources))
      where.push(hasRoom('p', params.add(resourceClass), `${params.add(amount)}::bigint`));
    return sql<Provider>(
      tx,
      `SELECT ${COLUMNS} FROM ${FROM} WHERE ${where.join(' AND ')} ORDER BY p.id`,
      params.values,
    );
  }

  async subtree(tx: Tx, provider: Provider): Promise<readonly number[]> {
    const rows = await sql<{ id: number }>(
      tx,
      `WITH RECURSIVE below AS (
         SELECT id FROM resource_provider WHERE id = $1
         UNION SELECT c.id FROM resource_provider c JOIN below b ON c.parent_id = b.id
       ) SELECT id FROM below`,
      [provider.id],
    );
    return rows.map((row) => row.id);
  }

  async update(
    tx: Tx,
    provider: Provider,
    change: { readonly name: string; readonly parent_id: number | null; readonly root_id: number },
    moved: readonly number[],
  ): Promise<Provider> {
    const { uuid } = provider;
    if (moved.length > 0)
      await execute(tx, 'UPDATE resource_provider SET root_id = $2 WHERE id = ANY ($1::integer[])', [
        moved,
        change.root_id,
      ]);
    await taken(
      { uuid: null, name: change.name },
      execute(
        tx,
        'UPDATE resource_provider SET name = $2, parent_id = $3, updated_at = clock_timestamp() WHERE id = $1',
        [provider.id, change.name, change.parent_id],
      ),
    );
    return this.#found(tx, uuid);
  }

  async touch(tx: Tx, providerId: number): Promise<number> {
    const row = await sqlOne<{ generation: number }>(
      tx,
      'UPDATE resource_provider SET generation = generation + 1, updated_at = clock_timestamp() WHERE id = $1 RETURNING generation',
      [providerId],
    );
    if (row === null) throw new Error('a locked provider is gone');
    return row.generation;
  }

  async hasChildren(tx: Tx, providerId: number): Promise<boolean> {
    return (await sqlOne(tx, 'SELECT 1 FROM resource_provider WHERE parent_id = $1 LIMIT 1', [providerId])) !== null;
  }

  async remove(tx: Tx, providerId: number): Promise<boolean> {
    const changed = await execute(
      tx,
      'DELETE FROM resource_provider p WHERE p.id = $1 AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.provider_id = p.id)',
      [providerId],
    );
    return changed === 1;
  }

  async aggregates(tx: Tx, providerId: number): Promise<readonly string[]> {
    const rows = await sql<{ uuid: string }>(
      tx,
      'SELECT aggregate_uuid AS uuid FROM provider_aggregate WHERE provider_id = $1 ORDER BY aggregate_uuid',
      [providerId],
    );
    return rows.map((row) => row.uuid);
  }

  async setAggregates(tx: Tx, providerId: number, aggregates: readonly string[]): Promise<void> {
    await execute(
      tx,
      `WITH gone AS (DELETE FROM provider_aggregate WHERE provider_id = $1 AND aggregate_uuid <> ALL ($2::text[]))
       INSERT INTO provider_aggregate (provider_id, aggregate_uuid) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING`,
      [providerId, aggregates],
    );
  }

  async traits(tx: Tx, providerId: number): Promise<readonly Trait[]> {
    return sql<Trait>(
      tx,
      'SELECT t.name, t.created_at FROM provider_trait p JOIN trait t ON t.name = p.trait WHERE p.provider_id = $1 ORDER BY t.name',
      [providerId],
    );
  }

  async setTraits(tx: Tx, providerId: number, traits: readonly string[]): Promise<boolean> {
    const row = await sqlOne<{ changed: boolean }>(
      tx,
      `WITH gone AS (DELETE FROM provider_trait WHERE provider_id = $1 AND trait <> ALL ($2::text[]) RETURNING 1),
         added AS (INSERT INTO provider_trait (provider_id, trait) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING RETURNING 1)
       SELECT EXISTS (SELECT 1 FROM gone) OR EXISTS (SELECT 1 FROM added) AS changed`,
      [providerId, traits],
    );
    return row?.changed === true;
  }

  async #found(tx: Tx, uuid: string): Promise<Provider> {
    const provider = await this.find(tx, uuid);
    if (provider === null) throw new Error('a provider that was just written is gone');
    return provider;
  }
}

/** Tells which of two unique fields was taken. */
async function taken(
  fields: { readonly uuid: string | null; readonly name: string },
  writing: Promise<unknown>,
): Promise<void> {
  try {
    await writing;
  } catch (error) {
    if (isUniqueViolation(error, 'resource_provider_uuid'))
      throw PlacementError.ProviderExists({ duplicate: `uuid: ${fields.uuid ?? ''}` });
    if (isUniqueViolation(error, 'resource_provider_name'))
      throw PlacementError.ProviderExists({ duplicate: fields.uuid === null ? fields.name : `name: ${fields.name}` });
    throw error;
  }
}
