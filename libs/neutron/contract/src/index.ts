export * from './api';
export * from './errors';
export * from './ip';
export * from './names';
export * from './rpc';
