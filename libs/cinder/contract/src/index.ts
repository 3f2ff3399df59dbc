export * from './errors';
export * from './statuses';
export * from './connection-info';
export * from './api';
export * from './rpc';
