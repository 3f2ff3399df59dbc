export * from './compute';
export * from './dataplane';
