import type { RequestGroup } from '@nestack/placement/domain';

/** Values of a statement that is put together; `add` answers the place of a value. */
export class Params {
  readonly values: unknown[] = [];

  add(value: unknown): string {
    return `$${String(this.values.push(value))}`;
  }
}

/** That one allocation of this amount fits into the inventory called `alias`. */
export function fits(alias: string, amount: string): string {
  return `${alias}.free >= ${amount} AND ${alias}.min_unit <= ${amount} AND ${alias}.max_unit >= ${amount} AND ${amount} % ${alias}.step_size = 0`;
}

/**
 * That there is a row. A scalar subquery, unlike EXISTS, is never turned into a join or a hash of the whole table: it is
 * looked up for each row that gets there, which with a limit are few.
 */
export function some(from: string, where: string): string {
  return `COALESCE((SELECT true FROM ${from} WHERE ${where} LIMIT 1), false)`;
}

/** That the provider called `provider` has room for an amount of a resource class. */
export function hasRoom(provider: string, resourceClass: string, amount: string): string {
  return some(
    'inventory i',
    `i.provider_id = ${provider}.id AND i.resource_class = ${resourceClass} AND ${fits('i', amount)}`,
  );
}

/** What a provider that satisfies the group alone must be: its traits, its aggregates, its tree. */
export function providerConditions(
  provider: string,
  group: Pick<RequestGroup, 'required' | 'forbidden' | 'memberOf' | 'forbiddenAggregates'>,
  params: Params,
): string[] {
  const trait = (names: readonly string[]): string =>
    some('provider_trait t', `t.provider_id = ${provider}.id AND t.trait = ANY (${params.add(names)}::text[])`);
  const aggregate = (uuids: readonly string[]): string =>
    some(
      'provider_aggregate a',
      `a.provider_id = ${provider}.id AND a.aggregate_uuid = ANY (${params.add(uuids)}::text[])`,
    );
  return [
    ...group.required.map((any) => trait(any)),
    ...(group.forbidden.length === 0 ? [] : [`NOT ${trait(group.forbidden)}`]),
    ...group.memberOf.map((any) => aggregate(any)),
    ...(group.forbiddenAggregates.length === 0 ? [] : [`NOT ${aggregate(group.forbiddenAggregates)}`]),
  ];
}
