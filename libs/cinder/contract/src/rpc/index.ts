export * from './scheduler';
export * from './volume';
