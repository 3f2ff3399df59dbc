export { Housekeeping, type Chores } from './housekeeping';
