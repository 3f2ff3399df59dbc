export { placementMigrations } from './migrations';
export { ProvidersRepository } from './providers.repository';
export { InventoriesRepository } from './inventories.repository';
export { NamesRepository } from './names.repository';
export { AllocationsRepository } from './allocations.repository';
export { CandidatesRepository } from './candidates.repository';
