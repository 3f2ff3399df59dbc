export * from './compute';
export * from './dataplane';
export * from './messages';
export * from './repositories';
