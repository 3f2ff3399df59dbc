export * from './cloud';
export * from './repositories';
