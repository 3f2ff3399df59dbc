export { placementPolicies } from './policies';
export { ProvidersController } from './providers.controller';
export { InventoriesController } from './inventories.controller';
export { NamesController } from './names.controller';
export { AllocationsController } from './allocations.controller';
export { CandidatesController } from './candidates.controller';
export { candidatesQueryOf } from './candidates-query';
