export * from './agent';
export * from './l3-agent';
export * from './plugin';
export * from './types';
