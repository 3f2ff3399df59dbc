import type { Tx } from '@nestack/kernel/context';
import { sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import { SHARES_VIA_AGGREGATE } from '@nestack/placement/contract';
import type {
  CandidateProvider,
  CandidateRepository,
  CandidateResource,
  CandidatesQuery,
  RequestGroup,
} from '@nestack/placement/domain';
import { fits, hasRoom, Params, providerConditions, some } from './conditions';

/** Aggregates in which a provider shares its inventory. */
const SHARED = `shared AS MATERIALIZED (SELECT DISTINCT a.aggregate_uuid FROM provider_trait t
  JOIN provider_aggregate a ON a.provider_id = t.provider_id WHERE t.trait = '${SHARES_VIA_AGGREGATE}')`;

const RESOURCES = `COALESCE((SELECT json_object_agg(i.resource_class,
  json_build_array(i.capacity, i.used, i.min_unit, i.max_unit, i.step_size)) FROM inventory i WHERE i.provider_id = p.id), '{}')`;
const TRAITS = `COALESCE((SELECT json_agg(t.trait) FROM provider_trait t WHERE t.provider_id = p.id), '[]')`;
const AGGREGATES = `COALESCE((SELECT json_agg(a.aggregate_uuid) FROM provider_aggregate a WHERE a.provider_id = p.id), '[]')`;

type Resources = Readonly<Record<string, readonly [number, number, number, number, number]>>;
type Row = Omit<CandidateProvider, 'resources'> & { readonly resources: Resources };

/** Reads what could satisfy a request for candidates. */
export class CandidatesRepository implements CandidateRepository {
  async flat(
    tx: Tx,
    query: CandidatesQuery,
    group: RequestGroup,
  ): Promise<{ readonly providers: readonly CandidateProvider[]; readonly others: boolean }> {
    const params = new Params();
    const [first, ...rest] = Object.entries(group.resources);
    if (first === undefined) throw new Error('a group without resources');
    const amount = `${params.add(first[1])}::bigint`;
    const within =
      group.inTree === null
        ? ''
        : ` AND i0.provider_id = (SELECT id FROM resource_provider WHERE uuid = ${params.add(group.inTree)})`;
    const offered = `i0.resource_class = ${params.add(first[0])} AND i0.free >= ${amount}${within}`;
    const where = [
      fits('i0', amount),
      ...rest.map(([name, wanted]) => hasRoom('p', params.add(name), `${params.add(wanted)}::bigint`)),
      'p.parent_id IS NULL',
      `NOT ${some('resource_provider c', 'c.parent_id = p.id')}`,
      `NOT ${some('provider_aggregate a', 'a.provider_id = p.id AND a.aggregate_uuid IN (SELECT aggregate_uuid FROM shared)')}`,
      ...providerConditions('p', group, params),
      ...rootConditions('p', query, params),
    ];
    // The planner would guess how many providers are left and, taking them for few, read all of them and sort. What is
    // looked up aside with a limit leaves it only one way: down the index until there are enough.
    const row = await sqlOne<{ others: boolean; providers: readonly Row[] }>(
      tx,
      `WITH ${SHARED}, matched AS (
         SELECT p.id, p.uuid, i0.free FROM inventory i0 CROSS JOIN LATERAL (
           SELECT p.id, p.uuid FROM resource_provider p WHERE p.id = i0.provider_id AND ${where.join(' AND ')} LIMIT 1) p
         WHERE ${offered} ORDER BY i0.free DESC, i0.provider_id LIMIT ${params.add(query.limit)})
       SELECT EXISTS (SELECT 1 FROM resource_provider WHERE parent_id IS NOT NULL) OR EXISTS (SELECT 1 FROM shared) AS others,
         (SELECT COALESCE(json_agg(json_build_object('id', p.id, 'uuid', p.uuid, 'resources', ${RESOURCES}, 'traits', ${TRAITS})
           ORDER BY p.free DESC, p.id), '[]') FROM matched p) AS providers`,
      params.values,
    );
    const found = (row?.providers ?? []).map((one) =>
      providerOf({ ...one, root_id: one.id, root_uuid: one.uuid, parent_uuid: null, aggregates: [] }),
    );
    return { providers: found, others: row?.others ?? false };
  }

  async roots(tx: Tx, providerUuids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await sql<{ uuid: string; root_uuid: string }>(
      tx,
      'SELECT p.uuid, r.uuid AS root_uuid FROM resource_provider p JOIN resource_provider r ON r.id = p.root_id WHERE p.uuid = ANY ($1::uuid[])',
      [providerUuids.filter(isUuidLike)],
    );
    return new Map(rows.map((row) => [row.uuid, row.root_uuid]));
  }

  async sharing(tx: Tx): Promise<readonly CandidateProvider[]> {
    return this.#whole(
      tx,
      `roots AS (SELECT DISTINCT p.root_id AS id FROM provider_trait t JOIN resource_provider p ON p.id = t.provider_id
         WHERE t.trait = '${SHARES_VIA_AGGREGATE}')`,
      [],
    );
  }

  async trees(
    tx: Tx,
    query: CandidatesQuery,
    page: {
      readonly after: number;
      readonly limit: number;
      readonly withFlat: boolean;
      readonly shared: readonly string[];
    },
  ): Promise<readonly CandidateProvider[]> {
    const params = new Params();
    const where = [
      'r.parent_id IS NULL',
      `r.id > ${params.add(page.after)}`,
      ...rootConditions('r', query, params),
      ...[...leastAmounts(query)]
        .filter(([name]) => !page.shared.includes(name))
        .map(
          ([name, amount]) =>
            `EXISTS (SELECT 1 FROM resource_provider p JOIN inventory i ON i.provider_id = p.id WHERE p.root_id = r.id
               AND i.resource_class = ${params.add(name)} AND i.free >= ${params.add(amount)})`,
        ),
    ];
    const spread = query.groups.find((group) => group.suffix === '');
    if (spread !== undefined && spread.inTree !== null) where.push(`r.uuid = ${params.add(spread.inTree)}`);
    if (!page.withFlat) {
      where.push(`(EXISTS (SELECT 1 FROM resource_provider c WHERE c.parent_id = r.id)
        OR EXISTS (SELECT 1 FROM provider_aggregate a WHERE a.provider_id = r.id
          AND a.aggregate_uuid IN (SELECT aggregate_uuid FROM shared)))`);
    }
    return this.#whole(
      tx,
      `${SHARED}, roots AS (SELECT r.id FROM resource_provider r WHERE ${where.join(' AND ')}
         ORDER BY r.id LIMIT ${params.add(page.limit)})`,
      params.values,
    );
  }

  /** All providers of the trees whose roots the named query `roots` gives. */
  async #whole(tx: Tx, withRoots: string, params: readonly unknown[]): Promise<readonly CandidateProvider[]> {
    const rows = await sql<Row>(
      tx,
      `WITH ${withRoots}
       SELECT p.id, p.uuid, p.root_id, r.uuid AS root_uuid, q.uuid AS parent_uuid, ${RESOURCES} AS resources,
         ${TRAITS} AS traits, ${AGGREGATES} AS aggregates
       FROM roots JOIN resource_provider p ON p.root_id = roots.id JOIN resource_provider r ON r.id = p.root_id
       LEFT JOIN resource_provider q ON q.id = p.parent_id ORDER BY p.root_id, p.id`,
      params,
    );
    return rows.map(providerOf);
  }
}

function rootConditions(root: string, query: CandidatesQuery, params: Params): string[] {
  return providerConditions(
    root,
    {
      required: query.rootRequired.map((trait) => [trait]),
      forbidden: query.rootForbidden,
      memberOf: [],
      forbiddenAggregates: [],
    },
    params,
  );
}

/** The least that any group wants of each class. */
function leastAmounts(query: CandidatesQuery): Map<string, number> {
  const least = new Map<string, number>();
  for (const group of query.groups) {
    for (const [name, amount] of Object.entries(group.resources))
      least.set(name, Math.min(amount, least.get(name) ?? amount));
  }
  return least;
}

function providerOf(row: Row): CandidateProvider {
  const resources: Record<string, CandidateResource> = {};
  for (const [name, [capacity, used, min_unit, max_unit, step_size]] of Object.entries(row.resources))
    resources[name] = { capacity, used, min_unit, max_unit, step_size };
  return { ...row, resources };
}
