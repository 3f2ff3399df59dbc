import type { ApiVersion } from '@nestack/kernel/http';
import type { ConsumerRequest } from '@nestack/placement/domain';

type Resources = Readonly<Record<string, number>>;

/** A consumer's allocations in a request body: a list of providers before 1.12, a map since. */
export interface ConsumerRecord {
  readonly allocations:
    | readonly { readonly resource_provider: { readonly uuid: string }; readonly resources: Resources }[]
    | Readonly<Record<string, { readonly resources: Resources }>>;
  readonly project_id?: string;
  readonly user_id?: string;
  readonly consumer_generation?: number | null;
  readonly consumer_type?: string;
}

/** Who consumes where versions before 1.8 do not say. upstream: incomplete_consumer_project_id, …_user_id */
const INCOMPLETE = '00000000-0000-0000-0000-000000000000';

/** The newest form of a request of any version. */
export function consumerRequestOf(uuid: string, record: ConsumerRecord, version: ApiVersion): ConsumerRequest {
  const { allocations } = record;
  const entries: (readonly [string, Resources])[] = isList(allocations)
    ? allocations.map((one) => [one.resource_provider.uuid, one.resources])
    : Object.entries(allocations).map(([provider, one]) => [provider, one.resources]);
  return {
    consumer_uuid: uuid,
    project_id: record.project_id ?? INCOMPLETE,
    user_id: record.user_id ?? INCOMPLETE,
    consumer_type: record.consumer_type,
    generation: version.atLeast('1.28') ? (record.consumer_generation ?? null) : undefined,
    allocations: new Map(entries),
  };
}

function isList<T, U>(value: readonly T[] | Readonly<Record<string, U>>): value is readonly T[] {
  return Array.isArray(value);
}
