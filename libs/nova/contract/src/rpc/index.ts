export * from './types';
export * from './compute';
export * from './scheduler';
export * from './conductor';
