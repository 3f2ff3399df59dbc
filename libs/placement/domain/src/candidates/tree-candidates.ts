import { SHARES_VIA_AGGREGATE } from '@nestack/placement/contract';
import { meetsUnits } from '../capacity';
import type { AllocationCandidate, CandidateProvider, CandidatesQuery, RequestGroup } from './query';

/** A tree of providers with those outside of it that share their inventory with one of its members. */
export interface Tree {
  readonly root: CandidateProvider;
  readonly providers: readonly CandidateProvider[];
  readonly sharing: readonly CandidateProvider[];
}

/** One way to satisfy one group. */
interface Choice {
  readonly suffix: string;
  readonly parts: readonly {
    readonly provider: CandidateProvider;
    readonly resource: string;
    readonly amount: number;
  }[];
  readonly providers: readonly CandidateProvider[];
}

/** The trees of these providers, each with what others share with it. */
export function treesOf(providers: readonly CandidateProvider[], sharing: readonly CandidateProvider[]): Tree[] {
  const byRoot = new Map<number, CandidateProvider[]>();
  for (const provider of providers) {
    const members = byRoot.get(provider.root_id);
    if (members === undefined) byRoot.set(provider.root_id, [provider]);
    else members.push(provider);
  }
  const sharers = sharing.filter((one) => one.traits.includes(SHARES_VIA_AGGREGATE));
  const trees: Tree[] = [];
  for (const [rootId, members] of byRoot) {
    const root = members.find((one) => one.id === rootId);
    if (root === undefined) continue;
    const aggregates = new Set(members.flatMap((one) => one.aggregates));
    trees.push({
      root,
      providers: members,
      sharing: sharers.filter((one) => one.root_id !== rootId && one.aggregates.some((uuid) => aggregates.has(uuid))),
    });
  }
  return trees;
}

/**
 * All ways to satisfy a request with one tree and what is shared with it, lazily: their number is the product of the
 * choices for each group. upstream: placement/objects/allocation_candidate.py
 */
export function* treeCandidates(query: CandidatesQuery, tree: Tree): Generator<AllocationCandidate> {
  const { traits } = tree.root;
  if (query.rootRequired.some((trait) => !traits.includes(trait))) return;
  if (query.rootForbidden.some((trait) => traits.includes(trait))) return;
  const choices = query.groups.map((group) =>
    group.suffix === '' ? spreadChoices(query, group, tree) : singleChoices(group, tree),
  );
  if (choices.some((one) => one.length === 0)) return;
  const parents = new Map([...tree.providers, ...tree.sharing].map((one) => [one.uuid, one.parent_uuid]));
  for (const combination of product(choices)) {
    if (query.isolate && !isolated(combination)) continue;
    if (!query.sameSubtrees.every((suffixes) => inOneSubtree(suffixes, combination, parents))) continue;
    const candidate = merge(combination);
    if (candidate !== null) yield candidate;
  }
}

/** The group without suffix: each resource class may come from another member of the tree or from a sharing provider. */
function spreadChoices(query: CandidatesQuery, group: RequestGroup, tree: Tree): Choice[] {
  if (group.inTree !== null && group.inTree !== tree.root.uuid) return [];
  const rootIsMember = isMember(tree.root, group);
  if (isForbiddenMember(tree.root, group)) return [];
  const own = tree.providers.filter((one) => (rootIsMember || isMember(one, group)) && !isForbiddenMember(one, group));
  const shared = group.inTree === null ? tree.sharing.filter((one) => isMember(one, group)) : [];
  const usable = [...own, ...shared.filter((one) => !isForbiddenMember(one, group))].filter(
    (one) => !group.forbidden.some((trait) => one.traits.includes(trait)),
  );
  const perResource = Object.entries(group.resources).map(([resource, amount]) =>
    usable.filter((one) => offers(one, resource, amount)).map((provider) => ({ provider, resource, amount })),
  );
  const choices: Choice[] = [];
  for (const parts of product(perResource)) {
    const providers = [...new Set(parts.map((part) => part.provider))];
    if (!group.required.every((any) => providers.some((one) => any.some((trait) => one.traits.includes(trait)))))
      continue;
    if (!query.nested && new Set(providers.map((one) => one.root_id)).size < providers.length) continue;
    choices.push({ suffix: group.suffix, parts, providers });
  }
  return choices;
}

/** A group with a suffix: one provider satisfies all of it. */
function singleChoices(group: RequestGroup, tree: Tree): Choice[] {
  return [...tree.providers, ...tree.sharing]
    .filter(
      (one) =>
        (group.inTree === null || one.root_uuid === group.inTree) &&
        isMember(one, group) &&
        !isForbiddenMember(one, group) &&
        group.required.every((any) => any.some((trait) => one.traits.includes(trait))) &&
        !group.forbidden.some((trait) => one.traits.includes(trait)) &&
        Object.entries(group.resources).every(([resource, amount]) => offers(one, resource, amount)),
    )
    .map((provider) => ({
      suffix: group.suffix,
      providers: [provider],
      parts: Object.entries(group.resources).map(([resource, amount]) => ({ provider, resource, amount })),
    }));
}

function isMember(provider: CandidateProvider, group: RequestGroup): boolean {
  return group.memberOf.every((any) => any.some((uuid) => provider.aggregates.includes(uuid)));
}

function isForbiddenMember(provider: CandidateProvider, group: RequestGroup): boolean {
  return group.forbiddenAggregates.some((uuid) => provider.aggregates.includes(uuid));
}

function offers(provider: CandidateProvider, resource: string, amount: number): boolean {
  const known = provider.resources[resource];
  return known !== undefined && known.used + amount <= known.capacity && meetsUnits(known, amount);
}

function isolated(combination: readonly Choice[]): boolean {
  const single = combination.filter((one) => one.suffix !== '');
  return new Set(single.flatMap((one) => one.providers)).size === single.length;
}

/** Whether one of the groups' providers is an ancestor of all the others. */
function inOneSubtree(
  suffixes: readonly string[],
  combination: readonly Choice[],
  parents: ReadonlyMap<string, string | null>,
): boolean {
  const uuids = [
    ...new Set(
      combination
        .filter((one) => suffixes.includes(one.suffix))
        .flatMap((one) => one.providers.map((provider) => provider.uuid)),
    ),
  ];
  return uuids.some((top) => uuids.every((uuid) => isBelow(uuid, top, parents)));
}

function isBelow(uuid: string, top: string, parents: ReadonlyMap<string, string | null>): boolean {
  for (let at: string | null | undefined = uuid; at !== null && at !== undefined; at = parents.get(at)) {
    if (at === top) return true;
  }
  return false;
}

/** The groups' choices as one allocation; null when they ask one provider for more than it has. */
function merge(combination: readonly Choice[]): AllocationCandidate | null {
  const allocations = new Map<string, Record<string, number>>();
  const mappings: Record<string, string[]> = {};
  for (const choice of combination) {
    mappings[choice.suffix] = choice.providers.map((one) => one.uuid);
    for (const { provider, resource, amount } of choice.parts) {
      let resources = allocations.get(provider.uuid);
      if (resources === undefined) {
        resources = {};
        allocations.set(provider.uuid, resources);
      }
      const sum = (resources[resource] ?? 0) + amount;
      resources[resource] = sum;
      const known = provider.resources[resource];
      if (known === undefined || known.used + sum > known.capacity || sum > known.max_unit) return null;
    }
  }
  return { allocations, mappings };
}

function* product<T>(lists: readonly (readonly T[])[], at = 0): Generator<T[]> {
  const list = lists[at];
  if (list === undefined) {
    yield [];
    return;
  }
  for (const item of list) {
    for (const rest of product(lists, at + 1)) yield [item, ...rest];
  }
}
