export * from './cloud';
export * from './repositories';
export * from './operations';
