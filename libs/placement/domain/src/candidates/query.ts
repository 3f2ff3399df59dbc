/** One group of a request for candidates; the group without suffix may be spread over a tree, all others not. */
export interface RequestGroup {
  readonly suffix: string;
  readonly resources: Readonly<Record<string, number>>;
  /** Each inner list is satisfied by one of its traits. */
  readonly required: readonly (readonly string[])[];
  readonly forbidden: readonly string[];
  /** Each inner list is satisfied by one of its aggregates. */
  readonly memberOf: readonly (readonly string[])[];
  readonly forbiddenAggregates: readonly string[];
  /** Any provider of the tree that is meant; its root once the search has begun. */
  readonly inTree: string | null;
}

export interface CandidatesQuery {
  readonly groups: readonly RequestGroup[];
  readonly limit: number | null;
  /** Whether groups with suffixes must be satisfied by different providers. */
  readonly isolate: boolean;
  readonly rootRequired: readonly string[];
  readonly rootForbidden: readonly string[];
  /** Suffixes of groups whose providers lie below one of them. */
  readonly sameSubtrees: readonly (readonly string[])[];
  /** False before 1.29: nothing is spread over the providers of one tree. */
  readonly nested: boolean;
}

/** What is known of a resource of a provider when candidates are looked for. */
export interface CandidateResource {
  readonly capacity: number;
  readonly used: number;
  readonly min_unit: number;
  readonly max_unit: number;
  readonly step_size: number;
}

export interface CandidateProvider {
  readonly id: number;
  readonly uuid: string;
  readonly root_id: number;
  readonly root_uuid: string;
  readonly parent_uuid: string | null;
  readonly resources: Readonly<Record<string, CandidateResource>>;
  readonly traits: readonly string[];
  readonly aggregates: readonly string[];
}

/** One way to satisfy a request. */
export interface AllocationCandidate {
  /** Amounts by provider and resource class. */
  readonly allocations: ReadonlyMap<string, Readonly<Record<string, number>>>;
  /** Which providers satisfy which group. */
  readonly mappings: Readonly<Record<string, readonly string[]>>;
}

export interface Candidates {
  readonly candidates: readonly AllocationCandidate[];
  readonly summaries: readonly CandidateProvider[];
}
