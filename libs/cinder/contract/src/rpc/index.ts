export * from './backup';
export * from './scheduler';
export * from './volume';
