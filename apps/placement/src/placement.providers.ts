import type { Provider } from '@nestjs/common';
import { DATABASE, type Database } from '@nestack/kernel/db';
import {
  AllocationsRepository,
  CandidatesRepository,
  InventoriesRepository,
  NamesRepository,
  ProvidersRepository,
} from '@nestack/placement/data';
import { Allocations, FindCandidates, Inventories, Names, Providers, Reshaper } from '@nestack/placement/domain';
import {
  AllocationsController,
  CandidatesController,
  InventoriesController,
  NamesController,
  ProvidersController,
} from '@nestack/placement/rest';

/** What the use cases share. */
const PARTS = Symbol('PlacementParts');

function makeParts(db: Database) {
  return {
    db,
    providers: new ProvidersRepository(),
    inventories: new InventoriesRepository(),
    names: new NamesRepository(),
    allocations: new AllocationsRepository(),
    candidates: new CandidatesRepository(),
  };
}

type Parts = ReturnType<typeof makeParts>;

/** Placement's own providers; the database and the policy come from the kernel's module. */
export function placementProviders(): Provider[] {
  const from = <T>(provide: abstract new (...args: never[]) => T, make: (parts: Parts) => T): Provider => ({
    provide,
    inject: [PARTS],
    useFactory: make,
  });
  return [
    { provide: PARTS, inject: [DATABASE], useFactory: makeParts },
    from(Providers, (parts) => new Providers(parts)),
    from(Inventories, (parts) => new Inventories(parts)),
    from(Names, (parts) => new Names(parts)),
    from(Allocations, (parts) => new Allocations(parts)),
    from(Reshaper, (parts) => new Reshaper(parts, new Allocations(parts))),
    from(FindCandidates, (parts) => new FindCandidates(parts)),
    ProvidersController,
    InventoriesController,
    NamesController,
    AllocationsController,
    CandidatesController,
  ];
}
