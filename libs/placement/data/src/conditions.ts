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

/** That the provider called `provider` has room for an amount of a resource class. */
export function hasRoom(provider: string, resourceClass: string, amount: string): string {
  return `EXISTS (SELECT 1 FROM inventory i WHERE i.provider_id = ${provider}.id AND i.resource_class = ${resourceClass} AND ${fits('i', amount)})`;
}

/** What a provider that satisfies the group alone must be: its traits, its aggregates, its tree. */
export function providerConditions(
  provider: string,
  group: Pick<RequestGroup, 'required' | 'forbidden' | 'memberOf' | 'forbiddenAggregates'>,
  params: Params,
): string[] {
  const trait = (names: readonly string[]): string =>
    `EXISTS (SELECT 1 FROM provider_trait t WHERE t.provider_id = ${provider}.id AND t.trait = ANY (${params.add(names)}::text[]))`;
  const aggregate = (uuids: readonly string[]): string =>
    `EXISTS (SELECT 1 FROM provider_aggregate a WHERE a.provider_id = ${provider}.id AND a.aggregate_uuid = ANY (${params.add(uuids)}::uuid[]))`;
  return [
    ...group.required.map((any) => trait(any)),
    ...(group.forbidden.length === 0 ? [] : [`NOT ${trait(group.forbidden)}`]),
    ...group.memberOf.map((any) => aggregate(any)),
    ...(group.forbiddenAggregates.length === 0 ? [] : [`NOT ${aggregate(group.forbiddenAggregates)}`]),
  ];
}
