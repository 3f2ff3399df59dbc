import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { PlacementError } from '@nestack/placement/contract';
import type { CandidateRepository, NameRepository } from '../ports';
import type { AllocationCandidate, CandidateProvider, Candidates, CandidatesQuery } from './query';
import { treeCandidates, treesOf } from './tree-candidates';

export interface FindCandidatesParts {
  readonly db: TransactionRunner;
  readonly names: NameRepository;
  readonly candidates: CandidateRepository;
}

/** Trees that are read at once. */
const PAGE = 200;
/** A request without limit ends here, lest its combinations fill the memory. */
const MOST = 100_000;

/** Finds what could be allocated for a request. */
export class FindCandidates {
  constructor(private readonly parts: FindCandidatesParts) {}

  /** Throws 400 for unknown classes and traits; unknown aggregates and trees just give nothing. */
  async find(_ctx: RequestContext, asked: CandidatesQuery): Promise<Candidates> {
    return this.parts.db.read('candidates', async (tx) => {
      await this.#checkNames(tx, asked);
      const query = await this.#withRoots(tx, asked);
      if (query === null) return { candidates: [], summaries: [] };
      const limit = Math.min(query.limit ?? MOST, MOST);
      const found = new Collected(query, limit);
      const [only] = query.groups;
      let others = true;
      const single =
        query.groups.length === 1 && only !== undefined && only.suffix === '' && resourceful(only.resources);
      if (single) {
        const flat = await this.parts.candidates.flat(tx, { ...query, limit }, only);
        for (const provider of flat.providers) found.addFlat(provider, only.resources);
        others = flat.others;
      }
      if (others && !found.full) await this.#searchTrees(tx, query, found, !single);
      return found.result();
    });
  }

  async #searchTrees(tx: Tx, query: CandidatesQuery, found: Collected, withFlat: boolean): Promise<void> {
    const sharing = await this.parts.candidates.sharing(tx);
    found.know(sharing);
    const shared = [...new Set(sharing.flatMap((one) => Object.keys(one.resources)))];
    for (let after = 0; !found.full;) {
      const page = await this.parts.candidates.trees(tx, query, { after, limit: PAGE, withFlat, shared });
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.root_id;
      found.know(page);
      for (const tree of treesOf(page, sharing)) {
        for (const candidate of treeCandidates(query, tree)) {
          found.add(candidate);
          if (found.full) return;
        }
      }
    }
  }

  /** The query with the roots of the trees that it names; null when there is no such tree. */
  async #withRoots(tx: Tx, query: CandidatesQuery): Promise<CandidatesQuery | null> {
    const named = query.groups.flatMap((group) => (group.inTree === null ? [] : [group.inTree]));
    if (named.length === 0) return query;
    const roots = await this.parts.candidates.roots(tx, named);
    if (named.some((uuid) => !roots.has(uuid))) return null;
    const groups = query.groups.map((group) => ({
      ...group,
      inTree: group.inTree === null ? null : (roots.get(group.inTree) ?? null),
    }));
    return { ...query, groups };
  }

  async #checkNames(tx: Tx, query: CandidatesQuery): Promise<void> {
    const classes = query.groups.flatMap((group) => Object.keys(group.resources));
    const [unknown] = await this.parts.names.unknownClasses(tx, classes);
    if (unknown !== undefined) {
      throw PlacementError.BadQuery({
        reason: `Invalid resource class in resources parameter: No such resource class ${unknown}.`,
      });
    }
    const traits = query.groups.flatMap((group) => [...group.required.flat(), ...group.forbidden]);
    const missing = await this.parts.names.unknownTraits(tx, [
      ...traits,
      ...query.rootRequired,
      ...query.rootForbidden,
    ]);
    if (missing.length > 0) throw PlacementError.BadQuery({ reason: `No such trait(s): ${missing.join(', ')}.` });
  }
}

function resourceful(resources: Readonly<Record<string, number>>): boolean {
  return Object.keys(resources).length > 0;
}

/** Candidates as they come, each once, with what is known of their providers. */
class Collected {
  readonly #candidates = new Map<string, AllocationCandidate>();
  readonly #known = new Map<string, CandidateProvider>();

  constructor(
    private readonly query: CandidatesQuery,
    private readonly limit: number,
  ) {}

  get full(): boolean {
    return this.#candidates.size >= this.limit;
  }

  know(providers: readonly CandidateProvider[]): void {
    for (const provider of providers) this.#known.set(provider.uuid, provider);
  }

  addFlat(provider: CandidateProvider, resources: Readonly<Record<string, number>>): void {
    this.#known.set(provider.uuid, provider);
    this.#candidates.set(provider.uuid, {
      allocations: new Map([[provider.uuid, resources]]),
      mappings: { '': [provider.uuid] },
    });
  }

  add(candidate: AllocationCandidate): void {
    if (!this.query.nested && this.#spansTree(candidate)) return;
    const key = JSON.stringify([[...candidate.allocations].sort(), Object.entries(candidate.mappings)]);
    this.#candidates.set(key, candidate);
  }

  /** All providers of the trees that are used; before 1.29 only those that are used. */
  result(): Candidates {
    const candidates = [...this.#candidates.values()];
    const used = new Set<string>();
    for (const candidate of candidates) {
      for (const uuid of candidate.allocations.keys()) used.add(this.#groupOf(uuid));
    }
    const summaries = [...this.#known.values()].filter((one) => used.has(this.#groupOf(one.uuid)));
    return { candidates, summaries };
  }

  #groupOf(uuid: string): string {
    return this.query.nested ? (this.#known.get(uuid)?.root_uuid ?? uuid) : uuid;
  }

  #spansTree(candidate: AllocationCandidate): boolean {
    const uuids = [...candidate.allocations.keys()];
    return new Set(uuids.map((uuid) => this.#known.get(uuid)?.root_uuid ?? uuid)).size < uuids.length;
  }
}
