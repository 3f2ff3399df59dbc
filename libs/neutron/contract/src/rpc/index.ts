export * from './agent';
export * from './plugin';
export * from './types';
