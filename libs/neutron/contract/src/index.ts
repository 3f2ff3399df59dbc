export * from './names';
export * from './rpc';
