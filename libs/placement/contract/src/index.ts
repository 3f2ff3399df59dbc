export { PlacementError } from './errors';
export * from './standard-names';
export * from './names';
export * from './api';
