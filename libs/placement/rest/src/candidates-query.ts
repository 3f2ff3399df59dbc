import type { ApiVersion } from '@nestack/kernel/http';
import { GROUP_NUMBER, GROUP_SUFFIX, PlacementError } from '@nestack/placement/contract';
import type { CandidatesQuery, RequestGroup } from '@nestack/placement/domain';
import { aggregatesOf, inTreeOf, resourcesOf, traitsOf, traitsOfOne } from './query-params';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What is asked of the candidates. Throws 400 with upstream's texts. upstream: placement/lib.py */
export function candidatesQueryOf(raw: URLSearchParams, version: ApiVersion): CandidatesQuery {
  const wide = wideParams(raw);
  const groups = groupsOf(raw, version);
  if (version.atLeast('1.36')) checkResourceless(groups, wide.sameSubtrees);
  else checkOrphans(groups);
  if (version.atLeast('1.22')) checkConflicts(groups);
  const [policy] = raw.getAll('group_policy');
  if (policy === undefined && groups.filter((group) => group.suffix !== '').length > 1) {
    throw bad('The "group_policy" parameter is required when specifying more than one "resources{N}" parameter.');
  }
  const [limit] = raw.getAll('limit');
  return {
    groups,
    ...wide,
    limit: limit === undefined ? null : Number(limit),
    isolate: policy === 'isolate',
    nested: version.atLeast('1.29'),
  };
}

const bad = (reason: string): Error => PlacementError.BadQuery({ reason });

function groupsOf(raw: URLSearchParams, version: ApiVersion): RequestGroup[] {
  const suffix = version.atLeast('1.33') ? GROUP_SUFFIX : GROUP_NUMBER;
  const pattern = new RegExp(`^(resources|required|member_of|in_tree)(${suffix})?$`);
  const groups = new Map<string, Mutable<RequestGroup>>();
  for (const [key, value] of raw) {
    const [, what, suffixed = ''] = pattern.exec(key) ?? [];
    if (what === undefined) continue;
    let group = groups.get(suffixed);
    if (group === undefined) {
      group = {
        suffix: suffixed,
        resources: {},
        required: [],
        forbidden: [],
        memberOf: [],
        forbiddenAggregates: [],
        inTree: null,
      };
      groups.set(suffixed, group);
    }
    if (what === 'resources') group.resources = resourcesOf(value);
    else if (what === 'in_tree') group.inTree = inTreeOf(value);
    else if (what === 'required') Object.assign(group, traitsOf(raw.getAll(key), version));
    else Object.assign(group, aggregatesOf(raw.getAll(key), version, suffixed));
  }
  return [...groups.values()];
}

function wideParams(raw: URLSearchParams): Pick<CandidatesQuery, 'rootRequired' | 'rootForbidden' | 'sameSubtrees'> {
  const roots = raw.getAll('root_required');
  if (roots.length > 1) {
    throw PlacementError.DuplicateQueryKey({
      reason: "Query parameter 'root_required' may be specified only once.",
    });
  }
  const root = roots[0] === undefined ? null : traitsOfOne(roots[0], { forbidden: true, any: false });
  const rootRequired = root?.required.flat() ?? [];
  const rootForbidden = root?.forbidden ?? [];
  const conflicts = rootRequired.filter((trait) => rootForbidden.includes(trait));
  if (conflicts.length > 0) {
    throw PlacementError.BadQueryValue({
      reason: `Conflicting required and forbidden traits found in root_required: ${conflicts.join(', ')}`,
    });
  }
  const sameSubtrees = raw.getAll('same_subtree').map((value) => value.split(',').map((one) => one.trim()));
  if (sameSubtrees.some((suffixes) => suffixes.includes(''))) {
    throw PlacementError.BadQueryValue({
      reason: 'Empty string (unsuffixed group) can not be specified in `same_subtree` ',
    });
  }
  return { rootRequired, rootForbidden, sameSubtrees };
}

const isEmpty = (group: RequestGroup): boolean => Object.keys(group.resources).length === 0;

/** Since 1.36 groups without resources only say where other groups' providers lie. */
function checkResourceless(groups: readonly RequestGroup[], sameSubtrees: readonly (readonly string[])[]): void {
  const quoted = (suffixes: readonly string[]): string => `[${suffixes.map((one) => `'${one}'`).join(', ')}]`;
  const resourceless = groups.filter(isEmpty).map((group) => group.suffix);
  if (resourceless.length === groups.length) {
    throw PlacementError.MissingQueryValue({
      reason: 'There must be at least one resources or resources[$S] parameter.',
    });
  }
  const related = new Set(sameSubtrees.flat());
  const unrelated = resourceless.filter((suffix) => !related.has(suffix));
  if (unrelated.length > 0) {
    throw PlacementError.BadQueryValue({
      reason: `Resourceless suffixed group request should be specified in \`same_subtree\` query param: bad group(s) - ${quoted(unrelated)}.`,
    });
  }
  const known = groups.map((group) => group.suffix);
  const unknown = [...related].filter((suffix) => !known.includes(suffix));
  if (unknown.length > 0) {
    throw PlacementError.BadQueryValue({
      reason: `Real suffixes should be specified in \`same_subtree\`: ${quoted(unknown)} not found in ${quoted(known)}.`,
    });
  }
}

function checkOrphans(groups: readonly RequestGroup[]): void {
  const empty = groups.filter(isEmpty);
  const traits = empty.filter((group) => group.required.length > 0).map((group) => `required${group.suffix}`);
  if (traits.length > 0) {
    throw bad(
      `All traits parameters must be associated with resources.  Found the following orphaned traits keys: ${traits.join(', ')}`,
    );
  }
  const members = empty
    .filter((group) => group.memberOf.length > 0 || group.forbiddenAggregates.length > 0)
    .map((group) => `member_of${group.suffix}`);
  if (members.length > 0) {
    throw bad(
      `All member_of parameters must be associated with resources. Found the following orphaned member_of keys: ${members.join(', ')}`,
    );
  }
  if (empty.length > 0) throw bad('All request groups must specify resources.');
  if (groups.length === 0) throw bad('At least one request group (`resources` or `resources{$S}`) is required.');
}

function checkConflicts(groups: readonly RequestGroup[]): void {
  const conflicts = groups.flatMap((group) =>
    group.required
      .filter((any) => any.every((trait) => group.forbidden.includes(trait)))
      .map((any) => `required${group.suffix}: (${[...any].sort().join(', ')})`),
  );
  if (conflicts.length > 0) {
    throw bad(
      `Conflicting required and forbidden traits found in the following traits keys: ${conflicts.sort().join(', ')}`,
    );
  }
}
