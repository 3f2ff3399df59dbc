export * from './errors';
export * from './states';
export * from './sagas';
export * from './rpc';
export * from './api';
