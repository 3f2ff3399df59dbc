export { keystoneMigrations } from './migrations';
export { REVOCATIONS, type Announcer } from './revocations.repository';
export { createStores } from './stores';
