import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type {
  Allocation,
  AllocationPlan,
  AllocationRepository,
  Consumer,
  ConsumerAllocations,
  ConsumerRequest,
  LockedInventory,
  Usage,
} from '@nestack/placement/domain';

/** Consumers and what they hold, in PostgreSQL. */
export class AllocationsRepository implements AllocationRepository {
  async ofConsumer(tx: Tx, consumerUuid: string): Promise<ConsumerAllocations | null> {
    const rows = await sql<Consumer & Allocation>(
      tx,
      `SELECT c.uuid, c.generation, c.project_id, c.user_id, c.consumer_type, p.uuid AS provider_uuid,
         p.generation AS provider_generation, a.resource_class, a.used, a.created_at
       FROM consumer c JOIN allocation a ON a.consumer_uuid = c.uuid JOIN resource_provider p ON p.id = a.provider_id
       WHERE c.uuid = $1 ORDER BY p.id, a.resource_class`,
      [consumerUuid],
    );
    const [consumer] = rows;
    return consumer === undefined ? null : { consumer, allocations: rows };
  }

  async ofProvider(tx: Tx, providerId: number): ReturnType<AllocationRepository['ofProvider']> {
    return sql(
      tx,
      `SELECT a.consumer_uuid, c.generation AS consumer_generation, a.resource_class, a.used, a.created_at
       FROM allocation a JOIN consumer c ON c.uuid = a.consumer_uuid WHERE a.provider_id = $1
       ORDER BY a.consumer_uuid, a.resource_class`,
      [providerId],
    );
  }

  async lockConsumers(
    tx: Tx,
    requests: readonly ConsumerRequest[],
  ): Promise<ReadonlyMap<string, { readonly generation: number; readonly created: boolean }>> {
    // The update changes nothing: it takes the lock, and waits for whoever makes the same consumer right now.
    const rows = await sql<{ uuid: string; generation: number; created: boolean }>(
      tx,
      `INSERT INTO consumer (uuid, project_id, user_id, consumer_type)
       SELECT uuid, project_id, user_id, consumer_type FROM ${RECORDS('$1')} ORDER BY uuid
       ON CONFLICT (uuid) DO UPDATE SET generation = consumer.generation RETURNING uuid, generation, xmax = 0 AS created`,
      [recordsOf(requests)],
    );
    return new Map(rows.map((row) => [row.uuid, row]));
  }

  async lockConsumer(tx: Tx, consumerUuid: string): Promise<boolean> {
    return (await sqlOne(tx, 'SELECT 1 FROM consumer WHERE uuid = $1 FOR UPDATE', [consumerUuid])) !== null;
  }

  async lockProviders(
    tx: Tx,
    providerUuids: readonly string[],
    consumerUuids: readonly string[],
  ): ReturnType<AllocationRepository['lockProviders']> {
    return sql(
      tx,
      `SELECT p.id, p.uuid,
         EXISTS (SELECT 1 FROM allocation a WHERE a.consumer_uuid = ANY ($2::uuid[]) AND a.provider_id = p.id) AS holds
       FROM resource_provider p WHERE p.id IN (
         SELECT id FROM resource_provider WHERE uuid = ANY ($1::uuid[])
         UNION SELECT provider_id FROM allocation WHERE consumer_uuid = ANY ($2::uuid[]))
       ORDER BY p.id FOR NO KEY UPDATE OF p`,
      [providerUuids, consumerUuids],
    );
  }

  async inventories(
    tx: Tx,
    providerIds: readonly number[],
    consumerUuids: readonly string[],
  ): Promise<readonly LockedInventory[]> {
    return sql<LockedInventory>(
      tx,
      `SELECT i.provider_id, p.uuid AS provider_uuid, i.resource_class, i.total, i.reserved, i.min_unit, i.max_unit,
         i.step_size, i.allocation_ratio, i.used::float8 AS used,
         COALESCE((SELECT sum(a.used) FROM allocation a WHERE a.consumer_uuid = ANY ($2::uuid[])
           AND a.provider_id = i.provider_id AND a.resource_class = i.resource_class), 0)::float8 AS held
       FROM inventory i JOIN resource_provider p ON p.id = i.provider_id WHERE i.provider_id = ANY ($1::integer[])`,
      [providerIds, consumerUuids],
    );
  }

  async write(tx: Tx, requests: readonly ConsumerRequest[], plan: AllocationPlan): Promise<void> {
    await execute(
      tx,
      `WITH asked AS MATERIALIZED (SELECT * FROM ${RECORDS('$1')}),
         wanted AS MATERIALIZED (SELECT * FROM jsonb_to_recordset($2::jsonb)
           AS w (consumer_uuid uuid, provider_id integer, resource_class text, used integer)),
         filled AS (UPDATE inventory i SET used = i.used + d.delta
           FROM jsonb_to_recordset($3::jsonb) AS d (provider_id integer, resource_class text, delta bigint)
           WHERE i.provider_id = d.provider_id AND i.resource_class = d.resource_class),
         held AS (INSERT INTO allocation (consumer_uuid, provider_id, resource_class, used)
           SELECT consumer_uuid, provider_id, resource_class, used FROM wanted
           ON CONFLICT (consumer_uuid, provider_id, resource_class)
           DO UPDATE SET used = EXCLUDED.used, created_at = EXCLUDED.created_at),
         returned AS (DELETE FROM allocation a USING asked WHERE a.consumer_uuid = asked.uuid AND NOT EXISTS (
           SELECT 1 FROM wanted w WHERE w.consumer_uuid = a.consumer_uuid AND w.provider_id = a.provider_id
             AND w.resource_class = a.resource_class)),
         touched AS (UPDATE resource_provider SET generation = generation + 1, updated_at = clock_timestamp()
           WHERE id = ANY ($4::integer[])),
         kept AS (UPDATE consumer c SET generation = c.generation + 1, updated_at = clock_timestamp(),
           project_id = asked.project_id, user_id = asked.user_id,
           consumer_type = COALESCE(asked.consumer_type, c.consumer_type)
           FROM asked WHERE c.uuid = asked.uuid AND EXISTS (SELECT 1 FROM wanted w WHERE w.consumer_uuid = c.uuid))
       DELETE FROM consumer c USING asked WHERE c.uuid = asked.uuid
         AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.consumer_uuid = c.uuid)`,
      [recordsOf(requests), JSON.stringify(plan.wanted), JSON.stringify(plan.deltas), plan.touched],
    );
  }

  async removeConsumer(tx: Tx, consumerUuid: string): Promise<void> {
    await execute(
      tx,
      `WITH returned AS (DELETE FROM allocation WHERE consumer_uuid = $1 RETURNING provider_id, resource_class, used),
         freed AS (UPDATE inventory i SET used = i.used - r.used FROM returned r
           WHERE i.provider_id = r.provider_id AND i.resource_class = r.resource_class)
       DELETE FROM consumer WHERE uuid = $1`,
      [consumerUuid],
    );
  }

  async projectUsage(tx: Tx, projectId: string, userId: string | null): Promise<Readonly<Record<string, number>>> {
    const rows = await sql<{ resource_class: string; used: number }>(
      tx,
      `SELECT a.resource_class, sum(a.used)::float8 AS used FROM consumer c JOIN allocation a ON a.consumer_uuid = c.uuid
       WHERE c.project_id = $1 AND ($2::text IS NULL OR c.user_id = $2) GROUP BY a.resource_class`,
      [projectId, userId],
    );
    return Object.fromEntries(rows.map((row) => [row.resource_class, row.used]));
  }

  async projectUsageByType(
    tx: Tx,
    projectId: string,
    userId: string | null,
    type: string | null,
  ): Promise<readonly Usage[]> {
    return sql<Usage>(
      tx,
      `WITH held AS MATERIALIZED (
         SELECT c.uuid, CASE WHEN $3 = 'all' THEN 'all' ELSE COALESCE(c.consumer_type, 'unknown') END AS type,
           a.resource_class, a.used
         FROM consumer c JOIN allocation a ON a.consumer_uuid = c.uuid
         WHERE c.project_id = $1 AND ($2::text IS NULL OR c.user_id = $2)
           AND ($3::text IS NULL OR $3 = 'all' OR COALESCE(c.consumer_type, 'unknown') = $3))
       SELECT n.type AS consumer_type, n.count AS consumer_count, json_object_agg(s.resource_class, s.used) AS used
       FROM (SELECT type, count(DISTINCT uuid)::integer AS count FROM held GROUP BY type) n
       JOIN (SELECT type, resource_class, sum(used) AS used FROM held GROUP BY type, resource_class) s ON s.type = n.type
       GROUP BY n.type, n.count ORDER BY n.type`,
      [projectId, userId, type],
    );
  }
}

const RECORDS = (param: string): string =>
  `jsonb_to_recordset(${param}::jsonb) AS n (uuid uuid, project_id text, user_id text, consumer_type text)`;

function recordsOf(requests: readonly ConsumerRequest[]): string {
  return JSON.stringify(
    requests.map((one) => ({
      uuid: one.consumer_uuid,
      project_id: one.project_id,
      user_id: one.user_id,
      consumer_type: one.consumer_type ?? null,
    })),
  );
}
